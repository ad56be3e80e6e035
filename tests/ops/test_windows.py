"""Windows give back the plane that they were cut from, and say which cells are no neighbours."""

from __future__ import annotations

import pytest
import torch

from vfi.ops.windows import Windows


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize(("height", "width", "size"), [(14, 21, (7, 7)), (8, 12, (7, 7)), (5, 9, (7, 7)), (16, 24, (2, 3))])
def test_what_is_split_is_joined_again(height: int, width: int, size: tuple[int, int], shifted: bool):
    windows = Windows(height, width, size, shifted=shifted)
    plane = torch.randn(2, height, width, 3)
    parts = windows.split(plane)
    assert parts.shape == (2, windows.rows * windows.columns, size[0] * size[1], 3)
    assert torch.equal(windows.join(parts), plane)


def test_whole_windows_that_are_not_shifted_have_no_strangers():
    assert Windows(14, 21, (7, 7)).apart is None
    assert Windows(14, 21, (7, 7)).bias(torch.float32) is None


def test_padding_and_picture_do_not_see_each_other():
    windows = Windows(5, 7, (7, 7))
    inside = windows.split(torch.ones(1, 5, 7, 1))[0, 0, :, 0] > 0
    assert inside.sum() == 35
    assert windows.apart is not None
    assert windows.apart[0][inside][:, ~inside].all()
    assert not windows.apart[0][inside][:, inside].any()


def test_cells_that_meet_only_round_the_edge_do_not_see_each_other():
    windows = Windows(4, 8, (4, 4), shifted=True)
    assert windows.apart is not None
    column = torch.arange(8.0).reshape(1, 1, 8, 1).expand(1, 4, 8, 1)
    row = torch.arange(4.0).reshape(1, 4, 1, 1).expand(1, 4, 8, 1)
    x, y = (windows.split(place)[0, ..., 0] for place in (column, row))
    far = ((x[:, :, None] - x[:, None]).abs() >= 4) | ((y[:, :, None] < 2) != (y[:, None] < 2))
    assert torch.equal(windows.apart, far)


def test_a_size_of_equal_area_has_windows_of_its_own():
    upright, flat = Windows(28, 14, (7, 7), shifted=True), Windows(14, 28, (7, 7), shifted=True)
    assert upright.apart is not None
    assert flat.apart is not None
    assert not torch.equal(upright.apart, flat.apart)


def test_bias_is_for_every_head_and_in_the_type_asked_for():
    bias = Windows(5, 7, (7, 7)).bias(torch.bfloat16)
    assert bias is not None
    assert bias.shape == (1, 1, 49, 49)
    assert bias.dtype == torch.bfloat16
    assert bias.unique().tolist() == [-100, 0]
