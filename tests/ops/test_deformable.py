"""Deformable convolution is an ordinary one whose taps have moved."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vfi.ops.deformable import deformable_convolution

STREAM = torch.Generator().manual_seed(4)
GROUPS, SIDE = 2, 3
IMAGE, WEIGHT, BIAS = (torch.randn(*shape, generator=STREAM) for shape in ((2, 6, 9, 11), (5, 6, 3, 3), (5,)))
OPEN = torch.ones(2, GROUPS * SIDE**2, 9, 11)


def moved(dy: float, dx: float) -> Tensor:
    return torch.tensor((dy, dx)).repeat(GROUPS * SIDE**2)[None, :, None, None].expand(2, -1, 9, 11)


def test_taps_that_stay_make_an_ordinary_convolution():
    made = deformable_convolution(IMAGE, moved(0, 0), OPEN, WEIGHT, BIAS)
    torch.testing.assert_close(made, F.conv2d(IMAGE, WEIGHT, BIAS, padding=1), rtol=1e-4, atol=1e-4)


def test_taps_that_all_move_make_that_of_the_moved_picture():
    made = deformable_convolution(IMAGE, moved(2, -1), OPEN, WEIGHT, BIAS)
    wide = F.conv2d(F.pad(IMAGE, (4, 4, 4, 4)), WEIGHT, BIAS)
    torch.testing.assert_close(made, wide[:, :, 5:14, 2:13], rtol=1e-4, atol=1e-4)


def test_half_a_pixel_is_the_mean_of_two():
    down, stays = (deformable_convolution(IMAGE, moved(dy, 0), OPEN, WEIGHT, BIAS) for dy in (1, 0))
    made = deformable_convolution(IMAGE, moved(0.5, 0), OPEN, WEIGHT, BIAS)
    torch.testing.assert_close(made, (down + stays) / 2, rtol=1e-4, atol=1e-4)


def test_each_tap_of_each_group_has_its_own_offset_and_mask():
    group, tap = 1, 5  # the middle row's last tap: y, x + 1
    offset = torch.zeros_like(moved(0, 0))
    offset[:, 2 * (group * 9 + tap) + 1] = 3
    mask = torch.zeros_like(OPEN)
    mask[:, group * 9 + tap] = 0.25
    made = deformable_convolution(IMAGE, offset, mask, WEIGHT, BIAS)
    seen = F.pad(IMAGE, (0, 4))[:, 3:, :, 4:]
    told = 0.25 * F.conv2d(seen, WEIGHT[:, 3:, 1, 2, None, None]) + BIAS[:, None, None]
    torch.testing.assert_close(made, told, rtol=1e-4, atol=1e-4)
