"""Paint Through."""

from __future__ import annotations

import pytest
import torch
from painting import HEIGHT, WIDTH, marked, pictures, psnr

GIVEN = pictures(6)


def images(rgb: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack([one.movedim(0, -1).float() / 255 for one in rgb])


def test_a_retouch_goes_through_the_clip(run, server):
    truth = images([marked(one, k) for k, one in enumerate(GIVEN)])
    out, unchanged = run("InbetweenPaintThrough", images=images(GIVEN), keys=truth[[5, 0]], frames="-1, 0", kind="auto")
    for k in range(6):
        assert psnr(out[k] * 255, truth[k] * 255) > 30
        assert torch.equal(out[k, :12], images(GIVEN)[k, :12])
    assert not unchanged.any()
    assert server.progress[-1] == (10, 10)  # six frames, and four that are carried back


def test_a_mask_says_where_a_key_is_painted(run):
    given = images(GIVEN)
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 20:30, 40:50] = 1
    out, _ = run("InbetweenPaintThrough", images=given, keys=1 - given[:1], frames="0", kind="painted", mask=mask)
    assert torch.equal(out[0, 20:30, 40:50], 1 - given[0, 20:30, 40:50])
    assert torch.equal(out[:, :16], given[:, :16])


def test_alpha_and_grey_are_kept(run):
    given = images(GIVEN[:3])
    alpha = torch.rand(3, HEIGHT, WIDTH, 1)
    both = torch.cat((given, alpha), dim=-1)
    out, _ = run("InbetweenPaintThrough", images=both, keys=1 - given[:1], frames="0", kind="painted")
    assert torch.equal(out[..., 3:], alpha)
    grey, _ = run("InbetweenPaintThrough", images=given[..., :1], keys=1 - given[:1, ..., :1], frames="0", kind="painted")
    assert grey.shape == (3, HEIGHT, WIDTH, 1)


def test_a_plan_gives_the_cuts(run):
    given = images(GIVEN)
    (plan, *_) = run("InbetweenFindShots", images=given, source_fps=24.0, edit="3")
    out, unchanged = run("InbetweenPaintThrough", images=given, keys=1 - given[:1], frames="0", kind="painted", plan=plan)
    assert torch.equal(out[3:], given[3:])
    assert unchanged[:, 0, 0].tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"frames": "0, 1"}, "1 keys and 2 numbers of frames were given: name one frame per key"),
        ({"frames": "6"}, "frame 6 was requested of 6"),
        ({"frames": "2, 2", "keys": images(GIVEN[:2])}, "frames 2, 2 were given: each key needs a frame of its own"),
        ({"keys": images(GIVEN[:1])[:, :20]}, "key 0 is 80x20: the clip is 80x48, and a key must have its size"),
        ({"mask": torch.zeros(1, 3, 3)}, "mask has 1 masks of 3x3 for 1 keys of 80x48"),
    ],
)
def test_what_cannot_be_gets_a_sentence(run, change: dict, says: str):
    given = {"images": images(GIVEN), "keys": images(GIVEN[:1]), "frames": "0", "kind": "auto"}
    with pytest.raises(ValueError, match=says):
        run("InbetweenPaintThrough", **(given | change))


def test_a_model_without_motion_is_refused(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    with pytest.raises(ValueError, match="does not estimate motion"):
        run("InbetweenPaintThrough", images=images(GIVEN), keys=images(GIVEN[:1]), frames="0", kind="auto", model=model)
