"""The nodes that find cuts and duplicates, and those that follow a plan."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
import torch

CUT = Path(__file__).parents[2] / "examples" / "cut-25fps.mp4"
TWICE = {"mode": "times", "times": 2}


def stills(*lengths: int) -> torch.Tensor:
    """A picture of its own for each length, as an IMAGE [T,54,96,3]."""
    noise = torch.rand((len(lengths), 3, 9, 16), generator=torch.Generator().manual_seed(3))
    coarse = torch.nn.functional.interpolate(noise, (54, 96), mode="nearest").movedim(1, -1)
    return coarse.repeat_interleave(torch.tensor(lengths), dim=0)


def moving(*holds: int) -> torch.Tensor:
    """A pan whose pictures are held for so many frames."""
    noise = torch.rand((1, 3, 9, 60), generator=torch.Generator().manual_seed(4))
    wide = torch.nn.functional.interpolate(noise, (54, 480), mode="bilinear")[0].movedim(0, -1)
    views = torch.stack([wide[:, 6 * k : 6 * k + 96] for k in range(len(holds))])
    return views.repeat_interleave(torch.tensor(holds), dim=0)


@pytest.fixture
def linear(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    return model


@pytest.fixture
def from_file(part):
    return part("nodes.video").InputImpl.VideoFromFile


def test_shots_of_images_are_found_and_held(run, linear, server):
    images = stills(5, 4)
    plan, report, listed, count = run("InbetweenFindShots", images=images, source_fps=23.976)
    assert (listed, count) == ("5", 2)
    assert report.splitlines()[1].startswith("shot 2: frames 5 to 8, from 0.209 s, cut (hold), score ")
    assert server.progress[-1] == (9, 9)
    made, _, total, *_ = run(
        "InbetweenInterpolate", model=linear, images=images, source_fps=23.976, mode=TWICE, plan=plan, hold_last=True
    )
    assert total == 18
    assert torch.equal(made, images.repeat_interleave(2, dim=0))


@pytest.mark.parametrize(("cuts", "middle"), [("hold", 0.0), ("blend", 0.5), ("interpolate", 0.5)])
def test_the_policy_is_followed(run, linear, cuts: str, middle: float):
    images = stills(3, 3)
    plan, *_ = run("InbetweenFindShots", images=images, cuts=cuts)
    made, *_ = run("InbetweenInterpolate", model=linear, images=images, mode=TWICE, plan=plan)
    torch.testing.assert_close(made[5], torch.lerp(images[2], images[3], middle))


@pytest.mark.parametrize(("edit", "listed"), [("", "5"), ("+2", "2, 5"), ("-5", ""), ("3, 7", "3, 7"), ("5", "5")])
def test_cuts_are_edited(run, edit: str, listed: str):
    assert run("InbetweenFindShots", images=stills(5, 4), edit=edit)[2] == listed


def test_the_shots_of_a_video_are_found_and_held(run, linear, from_file):
    video = from_file(str(CUT))
    plan, report, listed, count = run("InbetweenFindShots", video=video)
    assert (listed, count) == ("24", 2)
    assert "1 cut, at 0.960 s (hold)" in report
    result, fps, total = run("InbetweenInterpolateVideo", model=linear, video=video, mode=TWICE, plan=plan, crf=10)
    assert (fps, total) == (50.0, 96)
    with av.open(result.get_stream_source()) as container:
        shown = [torch.from_numpy(frame.to_ndarray(format="rgb24")).float() for frame in container.decode(video=0)]
    assert (shown[47] - shown[46]).abs().mean() < 2
    assert (shown[48] - shown[47]).abs().mean() > 50


def test_duplicates_are_found_and_spread(run, linear):
    images = moving(2, 2, 3, 1, 2)
    plan, report, count = run("InbetweenFindDuplicates", images=images)
    assert count == 5
    assert report.splitlines() == [
        "shot 1: frames 0 to 9, from 0.000 s, mostly on twos, 5 repeats",
        "5 repeats in 10 frames (spread)",
    ]
    made, *_ = run("InbetweenInterpolate", model=linear, images=images, mode={"mode": "times", "times": 1}, plan=plan)
    torch.testing.assert_close(made[1], (images[0] + images[2]) / 2)
    torch.testing.assert_close(made[5], torch.lerp(images[4], images[7], 1 / 3))


def test_duplicates_may_be_kept_and_longer_holds_found(run):
    images = moving(8, 8)
    assert run("InbetweenFindDuplicates", images=images)[2] == 0
    plan, _, count = run("InbetweenFindDuplicates", images=images, longest_hold=8, motion="keep")
    assert (count, plan.duplicates) == (14, "keep")


def test_duplicates_are_added_to_a_plan_of_shots(run):
    images = torch.cat([moving(2, 2, 2), moving(2, 2, 2).flip(2)])
    shots, *_ = run("InbetweenFindShots", images=images, cuts="blend")
    plan, report, count = run("InbetweenFindDuplicates", images=images, plan=shots)
    assert [shot.across for shot in plan.shots[1:]] == ["blend"]
    assert count == 6
    assert "shot 2: frames 6 to 11, from 0.250 s, cut (blend)" in report
    alone, *_ = run("InbetweenFindDuplicates", images=images)
    assert [shot.across for shot in alone.shots[1:]] == ["interpolate"]
    assert alone.repeats == plan.repeats


@pytest.mark.parametrize("node", ["InbetweenFindShots", "InbetweenFindDuplicates"])
def test_one_clip_must_be_connected(run, from_file, node: str):
    with pytest.raises(ValueError, match="no clip connected"):
        run(node)
    with pytest.raises(ValueError, match="both images and a video"):
        run(node, images=stills(2), video=from_file(str(CUT)))


def test_a_plan_of_other_frames_is_refused(run, linear):
    plan, *_ = run("InbetweenFindShots", images=stills(5, 4), source_fps=24.0)
    with pytest.raises(ValueError, match="where no frame begins: the nearest"):
        run("InbetweenInterpolate", model=linear, images=stills(5, 4), source_fps=30.0, mode=TWICE, plan=plan)


@pytest.mark.parametrize("at", [0, 3])
def test_a_search_can_be_cancelled(run, server, at: int):
    server.interrupt_at = at
    with pytest.raises(server.Interrupted):
        run("InbetweenFindShots", images=stills(5, 4))
    assert len(server.progress) == at


def test_listed_times_follow_the_plan(run, linear):
    """At a held cut the last frame of the shot is shown twice: both lines give its own time."""
    images = stills(5, 4)
    plan, *_ = run("InbetweenFindShots", images=images, source_fps=24.0)
    *_, listed = run("InbetweenInterpolate", model=linear, images=images, source_fps=24.0, mode=TWICE, plan=plan)
    assert listed.splitlines()[8:11] == ["0.166667", "0.166667", "0.208333"]
    *_, listed = run("InbetweenInterpolate", model=linear, images=images, source_fps=24.0, mode=TWICE)
    assert listed.splitlines()[8:11] == ["0.166667", "0.187500", "0.208333"]
