"""When a frame lies between two others by its motion."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vfi.core import InputError
from vfi.edit.timed import instants, is_even


def moved(by: int) -> Tensor:
    """A texture, uint8 [3,64,96], moved by some pixels."""
    small = torch.rand(1, 3, 10, 20, generator=torch.Generator().manual_seed(2))
    wide = torch.nn.functional.interpolate(small, (64, 128), mode="bicubic").clamp(0, 1)[0]
    return (wide[:, :, 16 + by : 112 + by] * 255).to(torch.uint8)


def test_a_frame_lies_where_its_motion_says():
    times = instants([moved(0), moved(4), moved(6), moved(8)], torch.tensor([[0, 1, 3], [0, 2, 3]]))
    assert times.tolist() == pytest.approx([1 / 2, 3 / 4], abs=0.02)


def test_even_is_near_the_nominal_time():
    assert is_even(moved(0), moved(4), moved(8), 0.5)
    assert not is_even(moved(0), moved(5), moved(8), 0.5)
    assert is_even(moved(0), moved(6), moved(8), 0.75)
    assert is_even(moved(0), moved(0), moved(0), 0.25)


def test_small_pictures_have_no_timing():
    tiny = torch.zeros(3, 8, 8, dtype=torch.uint8)
    with pytest.raises(InputError, match="the timing of a 8x8 picture"):
        is_even(tiny, tiny, tiny, 0.5)
