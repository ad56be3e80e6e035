"""The largest, the smallest and the mean around each pixel, in less time than pooling takes on a CPU.

torch pools every window by itself, tap by tap; maxima and means of boxes can be taken along one axis after the other, and long
sums from shorter ones. Windows are cut off at the edges. Knows nothing of what the planes hold.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def largest(planes: Tensor) -> Tensor:
    """The largest value within 3x3 pixels, [B,C,H,W]: what ``max_pool2d(planes, 3, 1, 1)`` gives."""
    return _furthest(planes, torch.maximum)


def smallest(planes: Tensor) -> Tensor:
    """The smallest value within 3x3 pixels, [B,C,H,W]."""
    return _furthest(planes, torch.minimum)


def box_mean(planes: Tensor, width: int) -> Tensor:
    """The mean of a box of ``width`` x ``width`` pixels, an odd number, around each pixel, [B,C,H,W]."""
    for axis in (-1, -2):
        side = planes.shape[axis]
        places = torch.arange(side, device=planes.device)
        inside = (places + width // 2).clamp(max=side - 1) - (places - width // 2).clamp(min=0) + 1
        planes = _summed(planes, width, axis) / (inside if axis == -1 else inside[:, None])
    return planes


def _summed(planes: Tensor, width: int, axis: int) -> Tensor:
    """The sums of ``width`` neighbours along an axis: those of 1, 2, 4 ... of them, put together."""
    side, reach = planes.shape[axis], width // 2
    run = F.pad(planes, (reach, reach) if axis == -1 else (0, 0, reach, reach))
    total: Tensor | None = None
    start, length = 0, 1
    while length <= width:
        if width & length:
            part = run.narrow(axis, start, side)
            total = part if total is None else total + part
            start += length
        if 2 * length <= width:
            left = run.shape[axis] - length
            run = run.narrow(axis, 0, left) + run.narrow(axis, length, left)
        length *= 2
    assert total is not None
    return total


def _furthest(planes: Tensor, further: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    planes = planes.contiguous()
    for axis in (-1, -2):
        side = planes.shape[axis]
        if side == 1:
            continue
        pairs = further(planes.narrow(axis, 0, side - 1), planes.narrow(axis, 1, side - 1))
        inner = further(pairs.narrow(axis, 0, side - 2), pairs.narrow(axis, 1, side - 2))
        planes = torch.cat((pairs.narrow(axis, 0, 1), inner, pairs.narrow(axis, side - 2, 1)), dim=axis)
    return planes
