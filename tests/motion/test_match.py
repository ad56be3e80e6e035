from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vfi.clips.images import read_image
from vfi.core import InputError
from vfi.motion import match
from vfi.pixels.uint8 import codes, floats

CHINA = Path(__file__).parents[1] / "data" / "images" / "china.jpg"
AFFINE = np.array([[1.02, -0.05, 14.0], [0.05, 0.98, -9.0]])


@pytest.fixture(scope="module")
def china() -> tuple[Tensor, Tensor]:
    """A picture of 512x320, and the same moved by `AFFINE`: codes [3,H,W]."""
    small = F.interpolate(floats(read_image(CHINA).rgb)[None], (320, 512), mode="bilinear", antialias=True)[0]
    first = codes(small).permute(1, 2, 0).numpy()
    last = cv2.warpAffine(first, AFFINE, (512, 320), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return tuple(torch.from_numpy(one).permute(2, 0, 1) for one in (first, last))


def errors(matches: match.Matches) -> Tensor:
    affine = torch.from_numpy(AFFINE)
    return (matches.first.double() @ affine[:, :2].T + affine[:, 2] - matches.last).norm(dim=1)


def test_sift_finds_what_framers_autopilot_finds(china):
    found = match.sift(*china, ratio=0.5)
    assert len(found) == pytest.approx(830, rel=0.1)
    off = errors(found)
    assert off.median() < 0.12
    assert off.quantile(0.95) < 0.5
    assert (off < 1).float().mean() > 0.97
    assert (found.last - found.first).median(0).values.tolist() == pytest.approx([8.063, -1.825], abs=0.5)
    assert found.size == (512, 320)


def test_what_nothing_bears_out_goes(china):
    found = match.sift(*china)
    assert errors(found).max() > 20
    kept = found.consistent()
    assert errors(kept).max() < 2 * match.WITHIN
    assert len(kept) > 0.8 * len(found)
    assert len({tuple(place) for place in kept.first.tolist()}) == len(kept)


def moving(*shifts: tuple[float, float], each: int = 40, stray: int = 40) -> match.Matches:
    """Places that move by each of the shifts, and some that move by chance; the score of each is its own."""
    places = torch.rand((len(shifts) + 1) * each, 2) * 400
    moved = places.clone()
    for index, shift in enumerate(shifts):
        moved[index * each : (index + 1) * each] += torch.tensor(shift)
    moved[len(shifts) * each :] += (torch.rand(each, 2) - 0.5) * 300
    count = len(shifts) * each + stray
    return match.Matches(places[:count], moved[:count], torch.linspace(1, 0, count), (400, 400))


def test_things_that_move_by_themselves_stay():
    torch.manual_seed(3)
    matches = moving((30, 0), (-20, 10), (0, -40))
    kept = matches.consistent(within=1)
    assert len(kept) >= 120
    real = matches.kept(torch.arange(120))
    assert {tuple(row) for row in real.first.tolist()} <= {tuple(row) for row in kept.first.tolist()}
    assert len(kept) < 125


@pytest.mark.parametrize("count", [0, 3, 7])
def test_too_few_matches_bear_each_other_out_not_at_all(count):
    assert len(moving((5, 5)).kept(torch.arange(count)).consistent()) == 0


def test_a_few_stand_for_all(china):
    few = match.sift(*china).consistent().spread(8, apart=50)
    assert len(few) == 8
    assert (torch.cdist(few.first, few.first) + 1000 * torch.eye(8)).min() >= 50
    assert (few.score.diff() <= 0).all()
    assert len(few.spread(3)) == 3
    assert len(few.spread(100)) == 8


def test_matches_become_straight_tracks():
    tracks = moving((30, 10), each=2, stray=0).tracks(4)
    assert (tracks.frames, tracks.count, tracks.size) == (4, 2, (400, 400))
    assert torch.allclose(tracks.path.diff(dim=0), torch.tensor([10, 10 / 3]).double(), atol=1e-4)
    assert tracks.visible.all()


def test_pictures_without_features_have_no_matches():
    even = torch.full((3, 40, 50), 0.5)
    assert len(match.sift(even, even)) == 0
    assert len(match.sift(even, even).consistent().spread(5)) == 0
    assert match.sift(even, even).tracks(3).count == 0


def test_pictures_of_unlike_size_and_ratios_that_are_none_are_refused():
    with pytest.raises(InputError, match="two of the same size are needed"):
        match.sift(torch.rand(3, 8, 8), torch.rand(3, 8, 9))
    with pytest.raises(InputError, match="a ratio of 0"):
        match.sift(torch.rand(3, 8, 8), torch.rand(3, 8, 8), ratio=0)
