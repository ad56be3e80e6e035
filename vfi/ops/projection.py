"""Flow projection: turns the flow of one frame into the flow at a time between the frames.

Bao et al., "Depth-Aware Video Frame Interpolation", CVPR 2019, equations 1 to 3, as in DAIN's training.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from .warp import targets


def project_flow(flow: Tensor, nearness: Tensor) -> tuple[Tensor, Tensor]:
    """Flow back to a frame, at the time that ``flow`` points to.

    ``flow`` is [B,2,H,W] (dx, dy) in pixels, from the frame to that time; ``nearness`` is [B or 1,1,H,W], above zero: the
    reciprocal of depth. Every pixel that stays in the frame gives its reversed flow, undivided, to each of the four pixels
    that it lands between. Colliding flows are averaged by nearness; `fill_holes` fills pixels where none land.
    Returns the flow [B,2,H,W] from that time to the frame, and the summed nearness [B,1,H,W], zero in holes; float32 or
    better.
    """
    height, width = flow.shape[-2:]
    flow = flow.to(torch.promote_types(torch.promote_types(flow.dtype, nearness.dtype), torch.float32))
    nearness = nearness.to(flow.dtype).expand(flow.shape[0], -1, -1, -1)
    x, y = targets(flow)
    stays = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    left, top = torch.where(stays, x, 0).long(), torch.where(stays, y, 0).long()
    first = torch.arange(flow.shape[0], device=flow.device)[:, None, None] * (height * width)
    given = torch.cat((-flow * nearness, nearness), dim=1)
    given = torch.where(stays[:, None], given, 0).movedim(1, 0).flatten(1)
    total = torch.zeros_like(given)
    for right, down in product((0, 1), repeat=2):
        pixel = first + (top + down).clamp(max=height - 1) * width + (left + right).clamp(max=width - 1)
        total.index_add_(1, pixel.flatten(), given)
    total = total.unflatten(1, (flow.shape[0], height, width)).movedim(0, 1)
    projected, count = total[:, :2], total[:, 2:]
    covered = count > 0
    return fill_holes(projected / torch.where(covered, count, 1), covered), count


def fill_holes(values: Tensor, covered: Tensor) -> Tensor:
    """``values`` [B,C,H,W] where ``covered`` [B,1,H,W]; elsewhere the mean of the nearest covered values to the left, right,
    top and bottom, or zero if there are none."""
    total, found = torch.zeros_like(values), torch.zeros_like(values[:, :1])
    for dim, step in product((-1, -2), (1, -1)):
        value, known = _carry(torch.where(covered, values, 0), covered, dim, step)
        total, found = total + value, found + known.to(values.dtype)
    return torch.where(covered, values, total / found.clamp(min=1))


def _carry(value: Tensor, known: Tensor, dim: int, step: int) -> tuple[Tensor, Tensor]:
    """Replace unknown values with the nearest known one along ``dim``, before (``step`` = 1) or after (-1) them, if any."""
    side = value.shape[dim]
    while abs(step) < side:
        value = torch.where(known, value, _shift(value, step, dim))
        known = known | _shift(known, step, dim)
        step *= 2
    return value, known


def _shift(value: Tensor, step: int, dim: int) -> Tensor:
    """Shift by ``step`` pixels, filling with zeros."""
    blank = torch.zeros_like(value.narrow(dim, 0, abs(step)))
    kept = value.narrow(dim, max(-step, 0), value.shape[dim] - abs(step))
    return torch.cat((blank, kept) if step > 0 else (kept, blank), dim=dim)
