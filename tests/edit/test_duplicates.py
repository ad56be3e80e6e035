"""Repeats are found where motion rests for a moment, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction as F
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vfi.clips.open import open_clip
from vfi.core import Frame, InputError
from vfi.edit.duplicates import LONGEST, Repeats, duplicates
from vfi.edit.shots import shots
from vfi.render.run import frames_of_tensor

CLIPS = Path(__file__).parents[1] / "data" / "clips"
CUT = Path(__file__).parents[2] / "examples" / "cut-25fps.mp4"
COARSE = torch.rand((1, 3, 12, 60), generator=torch.Generator().manual_seed(0))
WIDE = torch.nn.functional.interpolate(COARSE, (72, 640), mode="bilinear")[0]


def at(place: float) -> Tensor:
    """The view [3,72,128] of a wide picture from ``place`` pixels on."""
    left = int(place)
    return torch.lerp(WIDE[:, :, left : left + 128], WIDE[:, :, left + 1 : left + 129], place - left)


def held(lengths: Sequence[int], step: float = 5) -> list[Tensor]:
    return [at(step * k) for k, length in enumerate(lengths) for _ in range(length)]


def dots(lengths: Sequence[int]) -> str:
    """A dot for each frame that is new, an r for each that is to be found as a repeat."""
    return "".join("." + ("r" if length <= LONGEST else ".") * (length - 1) for length in lengths)


def seen(frames: Sequence[Frame] | Sequence[Tensor], **options) -> str:
    clip = frames if isinstance(frames[0], Frame) else frames_of_tensor(torch.stack(list(frames)), F(24))
    return "".join("r" if frame.repeat else "." for frame in duplicates(clip, **options))


@pytest.mark.parametrize(
    ("clip", "wanted"),
    [
        (CLIPS / "on_twos_24fps.mp4", ".r" * 24),
        (CLIPS / "on_mixed_holds_24fps.mp4", dots([2, 3, 2, 1, 3, 2, 2, 4, 1, 1, 2, 3])),
        (CLIPS / "natural_dups_wan16_in_30fps.mp4", (".r" * 7 + ".") + (".r" * 7 + ".") + (".r" * 7 + ".") + ".r" * 7 + "."),
        (CLIPS / "fade_through_black.mp4", "." * 42),
        (CUT, "." * 12 + "r" + "." * 35),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_real_clips(clip: Path, wanted: str):
    marked = list(duplicates(shots(open_clip(clip))))
    assert "".join("r" if frame.repeat else "." for frame in marked) == wanted[: len(marked)]


@pytest.mark.parametrize("noise", [0.0, 2.0])
@pytest.mark.parametrize(
    "lengths",
    [[2] * 10, [3] * 8, [4] * 6, [LONGEST] * 4, [LONGEST + 1] * 3, [2, 3] * 5, [12, 2, 2, 12, 2, 2], [1] * 6 + [2] + [1] * 6],
    ids=str,
)
def test_holds_are_found_but_for_long_ones(lengths: list[int], noise: float):
    pictures = torch.stack(held(lengths))
    pictures = pictures + torch.randn(pictures.shape, generator=torch.Generator().manual_seed(1)) * noise / 255
    assert seen(list(pictures.clamp(0, 1))) == dots(lengths)


@pytest.mark.parametrize("noise", [0.0, 2.0])
@pytest.mark.parametrize(
    "places",
    [
        [0.0] * 30,
        [0.02 * k for k in range(30)],
        [5.0 * k for k in range(30)],
        torch.tensor([5 * 0.8 ** abs(k - 20) for k in range(-1, 41)]).cumsum(0).tolist(),
        [5.0 * k for k in range(10)] + [45.0] * 20,
    ],
    ids=["still", "slow pan", "even pan", "eases in and out", "stops"],
)
def test_nothing_is_invented(places: list[float], noise: float):
    pictures = torch.stack([at(place) for place in places])
    pictures = pictures + torch.randn(pictures.shape, generator=torch.Generator().manual_seed(1)) * noise / 255
    assert set(seen(list(pictures.clamp(0, 1)))) == {"."}


def test_black_repeats_nothing():
    weights = [1, 0.75, 0.5, 0.25, 0, 0, 0.25, 0.5, 0.75, 1]
    assert set(seen([at(0) * weight for weight in weights])) == {"."}


def test_each_shot_is_looked_at_by_itself():
    shot = list(frames_of_tensor(torch.stack(held([2, 2, 2])), F(24)))
    still = [Frame(at(300), F(k, 24), F(1, 24), cut="hold" if k == 6 else None) for k in range(6, 10)]
    again = [Frame(frame.rgb, frame.time + F(10, 24), F(1, 24), cut="hold" if k == 0 else None) for k, frame in enumerate(shot)]
    assert seen([*shot, *still, *again]) == ".r.r.r" + "...." + ".r.r.r"


def test_runs_are_told_and_may_go_unmarked():
    found: list[Repeats] = []
    assert set(seen(held([3, 1, 2, 1]), found=found, mark=False)) == {"."}
    assert found == [Repeats(F(1, 24), 2), Repeats(F(5, 24), 1)]


def test_longer_holds_can_be_asked_for():
    assert seen(held([8, 8]), longest=8) == (".rrrrrrr" * 2)
    with pytest.raises(InputError, match="0 frames was given"):
        list(duplicates([], longest=0))


def test_few_frames_are_held():
    taken = 0

    def counted():
        nonlocal taken
        for frame in frames_of_tensor(torch.stack(held([2] * 6 + [20] + [1] * 10)), F(24)):
            taken += 1
            yield frame

    for given, _ in enumerate(duplicates(counted()), start=1):
        assert taken < given + LONGEST
