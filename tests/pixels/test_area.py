"""Pictures averaged down."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from vfi.pixels.area import area_mean


@pytest.mark.parametrize("size", [(45, 80), (44, 81), (7, 5), (3, 100)])
@pytest.mark.parametrize("smaller", [(9, 16), (7, 5), (32, 64), (1, 1)])
def test_a_sample_is_the_mean_of_the_pixels_that_it_touches(size: tuple[int, int], smaller: tuple[int, int]):
    planes = torch.rand(2, *size, generator=torch.Generator().manual_seed(1))
    (rows, columns), (height, width) = smaller, size
    for row, column in ((0, 0), (rows - 1, columns - 1), (rows // 2, columns // 3)):
        lines = slice(row * height // rows, -(-(row + 1) * height // rows))
        across = slice(column * width // columns, -(-(column + 1) * width // columns))
        made = area_mean(planes, smaller)[:, row, column]
        torch.testing.assert_close(made, planes[:, lines, across].mean(dim=(1, 2)))
    torch.testing.assert_close(area_mean(planes, smaller), F.adaptive_avg_pool2d(planes, smaller))
