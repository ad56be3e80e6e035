"""Unknown pixels take the colours around them."""

from __future__ import annotations

import pytest
import torch

from vfi.ops.fill import filled


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (16, 16), (33, 47)])
def test_known_pixels_stay_and_gaps_take_a_colour_from_around(size):
    height, width = size
    picture = torch.rand(1, 3, height, width)
    known = (torch.rand(1, 1, height, width) > 0.5).float()
    known[..., 0, 0] = 1
    made = filled(torch.where(known > 0, picture, torch.full_like(picture, 9.0)), known)
    assert torch.equal(torch.where(known > 0, made, picture), picture)
    assert made.min() >= 0
    assert made.max() <= 1


def test_one_colour_fills_everything_and_nothing_known_is_black():
    known = torch.zeros(1, 1, 40, 60)
    known[..., 30:34, 5:9] = 1
    made = filled(torch.full((1, 3, 40, 60), 0.3) * known, known)
    assert made.sub(0.3).abs().max() < 1e-5
    assert filled(torch.rand(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)).abs().max() == 0
