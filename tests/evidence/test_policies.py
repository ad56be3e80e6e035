"""What becomes of doubtful frames: pixels that nobody doubts stay as they are."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
import torch

from vfi.core import Frame, InputError
from vfi.evidence.features import CELL
from vfi.evidence.judge import Judged, Verdict
from vfi.evidence.policies import Name, Policy, Treated, feathered
from vfi.evidence.sheet import TINT

HEIGHT, WIDTH = 52, 76  # no whole number of cells
ROWS, COLUMNS = 7, 10
WRONG = np.s_[2:4, 4:6]
INSIDE = np.s_[:, 2 * CELL : 4 * CELL, 4 * CELL : 6 * CELL]


def frame(seed: int, *, floating: bool = False, alpha: bool = False, time: F = F(0)) -> Frame:
    drawn = torch.Generator().manual_seed(seed)
    planes = torch.randint(0, 256, (4, HEIGHT, WIDTH), generator=drawn, dtype=torch.uint8)
    planes = planes.float() / 255 if floating else planes
    return Frame(planes[:3], time, F(1, 48), alpha=planes[3:] if alpha else None)


def judged_on(one: Frame, around: tuple[Frame, Frame], *, number: int = 1, t: float = 0.5, wrong: bool = True) -> Judged:
    doubt = np.full((ROWS, COLUMNS), 0.1, np.float32)
    if wrong:
        doubt[WRONG] = 0.9
    share = 0.06 if wrong else 0.0
    return Judged(Verdict(number, 0, one.time, t, 30.0, 28.0, 32.0, share, "none", None), one, doubt, around)


@pytest.mark.parametrize("name", ["hold", "blend", "mark"])
@pytest.mark.parametrize("floating", [False, True])
def test_a_frame_without_doubt_is_the_same_object(name: Name, floating: bool):
    one, around = frame(1, floating=floating), (frame(0), frame(2))
    assert Policy(name).applied(one, judged_on(one, around, wrong=False)) is one


@pytest.mark.parametrize(("t", "nearer"), [(0.25, 0), (0.5, 0), (0.75, 1)])
def test_hold_shows_the_nearer_real_frame_at_the_frames_own_time(t: float, nearer: int):
    one, around = frame(1, time=F(1, 48)), (frame(0), frame(2))
    held = Policy("hold", 0.02).applied(one, judged_on(one, around, t=t))
    assert torch.equal(held.rgb, around[nearer].rgb)
    assert (held.time, held.duration) == (one.time, one.duration)


def test_hold_keeps_the_dtype_of_the_clip_and_takes_the_alpha_of_the_real_frame():
    one, around = frame(1, floating=True, alpha=True), (frame(0, alpha=True), frame(2, alpha=True))
    held = Policy("hold", 0.02).applied(one, judged_on(one, around))
    assert torch.equal(held.rgb, around[0].rgb.float() / 255)
    assert held.alpha is not None
    assert torch.equal(held.alpha, around[0].alpha.float() / 255)


def test_hold_goes_by_the_doubtful_share_or_by_the_expected_psnr():
    one = frame(1)
    doubted = judged_on(one, (frame(0), frame(2)))
    assert Policy("hold", 0.05).concerns(doubted)
    assert not Policy("hold", 0.06).concerns(doubted)
    assert Policy("hold", 1, below=30.1).concerns(doubted)
    assert not Policy("hold", 1, below=30.0).concerns(doubted)


@pytest.mark.parametrize("alpha", [False, True])
def test_blend_changes_doubtful_cells_and_the_feather_around_them_only(alpha: bool):
    one, around = frame(1, alpha=alpha), (frame(0, alpha=alpha), frame(2, alpha=alpha))
    mended = Policy("blend").applied(one, judged_on(one, around, t=0.25))
    weight = feathered(judged_on(one, around).doubt, HEIGHT, WIDTH)
    untouched = (weight == 0).expand_as(one.rgb)
    assert torch.equal(mended.rgb[untouched], one.rgb[untouched])
    assert untouched.float().mean() > 0.5
    before, after = ((each.rgb.float(), each.alpha.float() if alpha else torch.full((1, 1, 1), 255.0)) for each in around)
    share = 0.75 * before[1] + 0.25 * after[1]
    expected = (0.75 * before[0] * before[1] + 0.25 * after[0] * after[1]) / share.clamp(min=1e-3)
    assert float((mended.rgb.float() - expected)[INSIDE][(share > 8).expand_as(expected)[INSIDE]].abs().max()) <= 1
    if alpha:
        assert float((mended.alpha.float() - share)[INSIDE].abs().max()) <= 1


def test_the_feather_is_full_within_and_fades_within_two_cells():
    weight = feathered(judged_on(frame(1), (frame(0), frame(2))).doubt, HEIGHT, WIDTH)
    assert weight.shape == (1, HEIGHT, WIDTH)
    assert weight[INSIDE].min() > 0.9999
    assert not weight[:, :, : 2 * CELL].any()
    assert not weight[:, 6 * CELL :].any()
    row = weight[0, 2 * CELL, : 5 * CELL]
    assert bool((row.diff() >= 0).all())
    assert len(row.unique()) > CELL // 2


def test_mark_tints_doubtful_cells_only():
    one = frame(1)
    shown = Policy("mark").applied(one, judged_on(one, (frame(0), frame(2))))
    changed = (shown.rgb != one.rgb).any(0)
    assert bool(changed[INSIDE[1:]].float().mean() > 0.99)
    changed[INSIDE[1:]] = False
    assert not changed.any()
    expected = (one.rgb.float() + torch.tensor(TINT).view(3, 1, 1)) / 2
    assert float((shown.rgb.float() - expected)[INSIDE].abs().max()) <= 0.51


def test_a_clip_is_treated_in_order_and_counted():
    frames = [frame(k, time=F(k, 48)) for k in range(7)]
    found = [judged_on(frames[k], (frames[k - 1], frames[k + 1]), number=k, wrong=k == 3) for k in (1, 3, 5)]
    treated = Treated(Policy("hold", 0.02))
    shown = list(treated.take(frames, iter(found)))
    assert [a is b for a, b in zip(shown, frames, strict=True)] == [True, True, True, False, True, True, True]
    assert torch.equal(shown[3].rgb, frames[2].rgb)
    assert treated.line == "1 of 3 made frames held: the real frame nearest in time is shown instead"
    assert treated.as_dict() == {"name": "hold", "changed": 1, "of": 3}


@pytest.mark.parametrize(
    ("name", "says"), [("hold", "in more than 10 % of the picture"), ("blend", "no made frame is doubtful:")]
)
def test_a_clip_without_doubt_passes(name: Name, says: str):
    frames = [frame(k, time=F(k, 48)) for k in range(3)]
    treated = Treated(Policy(name))
    shown = list(treated.take(frames, [judged_on(frames[1], (frames[0], frames[2]), wrong=False)]))
    assert all(a is b for a, b in zip(shown, frames, strict=True))
    assert says in treated.line
    assert treated.line.endswith("nothing was changed")


def test_the_verdicts_are_taken_as_the_frames_are():
    """One verdict ahead at most: memory stays bounded."""
    frames = [frame(k) for k in range(9)]
    taken = []

    def found():
        for k in (1, 3, 5, 7):
            taken.append(k)
            yield judged_on(frames[k], (frames[k - 1], frames[k + 1]), number=k)

    passing = Treated(Policy("mark")).take(frames, found())
    for k in range(9):
        next(passing)
        assert not [number for number in taken if number > k + 1]


def test_limits_are_shares():
    with pytest.raises(InputError, match="between 0 and 100 %"):
        replace(Policy("hold", 0.02), limit=1.5)
