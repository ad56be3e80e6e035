"""FFmpeg's filter as a baseline: at the right time, between the right frames, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from vfi.bench.minterpolate import BASELINES, Minterpolate
from vfi.core import InputError


def window(*codes: int, side: int = 48) -> torch.Tensor:
    return torch.stack([torch.full((3, side, side), code / 255) for code in codes])[None]


@pytest.mark.parametrize("name", BASELINES)
def test_it_makes_the_frame_at_a_time(name: str):
    model = Minterpolate(name)
    for t, code in ((0.25, 110), (0.5, 120), (0.75, 130)):
        made = model(window(100, 140), torch.tensor([t]))
        assert made.shape == (1, 3, 48, 48)
        assert float(made.mean() * 255) == pytest.approx(code, abs=1.5)


def test_the_frame_lies_between_the_middle_two():
    made = Minterpolate("minterpolate-mci")(window(20, 100, 140, 220), torch.tensor([0.5]))
    assert float(made.mean() * 255) == pytest.approx(120, abs=1.5)


def test_it_follows_motion():
    shapes = torch.rand(1, 3, 8, 16, generator=torch.Generator().manual_seed(1))
    wide = torch.nn.functional.interpolate(shapes, (64, 128), mode="bicubic").clamp(0, 1)[0]
    before, middle, after = (wide[:, :, left : left + 96] for left in (0, 4, 8))
    made = Minterpolate("minterpolate-mci")(torch.stack([before, after])[None], torch.tensor([0.5]))[0]
    inside = (..., slice(16, 48), slice(16, 80))
    assert (made - middle)[inside].abs().mean() < 0.4 * ((before + after) / 2 - middle)[inside].abs().mean()


def test_what_it_cannot_do_is_said():
    with pytest.raises(InputError, match="'minterpolate-x' is not a baseline"):
        Minterpolate("minterpolate-x")
    with pytest.raises(InputError, match="needs sides of 32 pixels"):
        Minterpolate("minterpolate-mci")(window(1, 2, side=16), torch.tensor([0.5]))
