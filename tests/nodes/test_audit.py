"""The node that audits the frames of an interpolated batch."""

from __future__ import annotations

import pytest
import torch
from footage import panned

COUNT, SPOILT = 21, 7
TRUE = torch.stack(panned(COUNT, 1.5)).movedim(1, -1)


@pytest.fixture
def dis(run):
    (model,) = run("InbetweenLoadModel", model="dis")
    return model


@pytest.fixture
def made() -> torch.Tensor:
    """A batch in which every second frame is real, and one of the others is spoilt."""
    images = TRUE.clone()
    images[SPOILT, 16:48, 16:48] = images[SPOILT, 16:48, 16:48].flip(0, 1)
    return images


def of(images: torch.Tensor, every: int) -> torch.Tensor:
    return images[::every]


def test_the_spoilt_frame_is_named_first_and_masked(run, dis, made):
    report, sheet, doubt, psnr, first = run("InbetweenAudit", model=dis, images=made, source=of(TRUE, 2))
    assert report.splitlines()[0] == "real frames: every:2"
    assert "fitted on 9 frames of the clip" in report
    assert f"frame {SPOILT}, at {SPOILT / 48:.3f} s: " in report
    assert first.split(", ")[0] == str(SPOILT)
    expected = {int(number): float(rest.split()[0]) for number, rest in (line.split(": ") for line in psnr.splitlines())}
    assert list(expected) == list(range(1, COUNT, 2))
    assert min(expected, key=expected.__getitem__) == SPOILT
    assert doubt.shape == made.shape[:3]
    assert float(doubt[SPOILT, 20:44, 20:44].mean()) > 0.5
    assert not doubt[::2].any()
    others = [k for k in range(1, COUNT, 2) if k != SPOILT]
    assert float(doubt[others].mean()) < 0.1
    assert sheet.shape[::3] == (1, 3)
    assert sheet.std() > 0.05
    picked, _ = run("InbetweenSelectFrames", images=made, select={"select": "list", "frames": first})
    assert torch.equal(picked[0], made[SPOILT])


def test_without_a_source_every_second_frame_is_real(run, made):
    (model,) = run("InbetweenLoadModel", model="linear")
    report, _, doubt, _, first = run("InbetweenAudit", model=model, images=made[:9].mean(-1, keepdim=True), fps=24.0)
    assert first.split(", ")[0] == str(SPOILT)
    assert f"frame {SPOILT}, at {SPOILT / 24:.3f} s: " in report
    assert "rest on other clips alone" in report
    assert float(doubt[SPOILT, 20:44, 20:44].mean()) > 0.5


def test_every_fourth_frame_is_found_with_frames_held_at_the_end(run, dis):
    images = torch.cat((TRUE[:9], TRUE[8:9].expand(3, -1, -1, -1)))
    report, _, doubt, psnr, _ = run("InbetweenAudit", model=dis, images=images, source=of(TRUE[:9], 4))
    assert report.splitlines()[0] == "real frames: every:4"
    assert [int(line.split(":")[0]) for line in psnr.splitlines()] == [1, 2, 3, 5, 6, 7]
    assert len(doubt) == 12


def test_more_is_wrong_if_less_may_be_off(run, dis, made):
    masks = [run("InbetweenAudit", model=dis, images=made[:9], worse=worse)[2] for worse in (6, 40)]
    assert masks[0].mean() > masks[1].mean()


def test_progress_comes_for_each_pass_and_cancelling_ends_it(run, dis, made, server):
    run("InbetweenAudit", model=dis, images=made[:9], source=of(TRUE[:9], 2))
    assert server.progress == [*((done, 5) for done in range(1, 6)), *((done, 4) for done in range(1, 5))]
    server.progress.clear()
    server.interrupt_at = 6
    with pytest.raises(server.Interrupted):
        run("InbetweenAudit", model=dis, images=made[:9], source=of(TRUE[:9], 2))
    assert len(server.progress) == 6


@pytest.mark.parametrize(
    ("count", "source", "every", "says"),
    [
        (1, None, 0, "1 frame given: at least 3 are needed"),
        (5, None, 1, "every is 1, so that no frame is made: 2 or more is needed, or 0 for auto"),
        (5, None, 8, "every is 8 and 5 frames were given: at least 9 are needed"),
        (5, TRUE[:1], 0, "5 images of 1 source frame were given: 2 source frames or more"),
        (5, TRUE[:5], 2, "5 images of 5 source frames were given: .* more images than those"),
        (9, TRUE[:7:2], 2, "9 images of 4 source frames were given with every:2: 7 to 8 images are needed"),
        (9, TRUE[:7:2], 0, "9 images of 4 source frames were given with every:2: 7 to 8 images are needed"),
        (9, TRUE[:9:2].flip(1), 0, "none of its frames are those of the source at even steps: set every to say which are"),
        (9, TRUE[:9:2, :32], 0, "the images are 64x64 and their source is 64x32: both must have one size"),
    ],
)
def test_bad_input_gets_a_sentence(run, dis, count: int, source: torch.Tensor | None, every: int, says: str):
    with pytest.raises(ValueError, match=says):
        run("InbetweenAudit", model=dis, images=TRUE[:count], source=source, every=every)


def test_tracks_are_refused_and_a_guide_that_seeks_is_not(run, dis, made):
    tracks = {"track_path": torch.zeros(2, 1, 2), "track_visibility": torch.ones(2, 1, dtype=torch.bool)}
    (led,) = run("InbetweenGuide", model=dis, tracks=tracks)
    with pytest.raises(ValueError, match="a model that follows tracks was given: connect the same model without its guide"):
        run("InbetweenAudit", model=led, images=made[:9])
    (seeking,) = run("InbetweenGuide", model=dis, auto=True)
    with torch.inference_mode():  # as in ComfyUI
        assert run("InbetweenAudit", model=seeking, images=made[5:10])[-1].startswith("1")
