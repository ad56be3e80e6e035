"""Largest, smallest and mean around a pixel: pooling is the oracle."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from vfi.ops.near import box_mean, largest, smallest


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 1, 5), (2, 3, 2, 2), (1, 3, 5, 1), (2, 4, 17, 23)])
def test_around_a_pixel(shape: tuple[int, ...]) -> None:
    planes = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for seen in (planes, planes.contiguous(memory_format=torch.channels_last)):
        assert torch.equal(largest(seen), F.max_pool2d(planes, 3, 1, 1))
        assert torch.equal(smallest(seen), -F.max_pool2d(-planes, 3, 1, 1))
        torch.testing.assert_close(box_mean(seen, 3), F.avg_pool2d(planes, 3, 1, 1, count_include_pad=False))
    torch.testing.assert_close(box_mean(planes, 19), F.avg_pool2d(planes, 19, 1, 9, count_include_pad=False))
