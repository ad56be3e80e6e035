"""Forward splatting: send every pixel where its flow leads, and let what meets there mix.

A pixel is shared out bilinearly among the four that it lands between; shares that fall outside of the frame are lost, and a
pixel whose flow is not a finite number goes nowhere. What meets is summed, averaged, or averaged with weights. On CUDA the
order of sums, and so their last digits, vary unless `torch.use_deterministic_algorithms` says otherwise.

Niklaus and Liu, "Softmax Splatting for Video Frame Interpolation", CVPR 2020, equations 3 to 8.
"""

from __future__ import annotations

from itertools import product
from typing import Literal

import torch
from torch import Tensor

from .warp import targets

Empty = Literal["add", "clip", "zero"]
"""What keeps a mean from dividing by zero: 1e-7 is added to its divisor; the divisor is at least that; a zero becomes 1."""

EPSILON = 1e-7


def splat_sum(image: Tensor, flow: Tensor) -> Tensor:
    """The sum of what lands on each pixel. Splat ones to learn how much did.

    ``image`` is [B,C,H,W] of any float type, ``flow`` [B,2,H,W] (dx, dy) in pixels. Sums are float32 or better.
    Returns [B,C,H,W] of ``image``'s type. A batch of 1 in either serves the whole batch of the other.
    """
    return _splat(_exact(image, flow), flow).to(image.dtype)


def splat_average(image: Tensor, flow: Tensor, *, empty: Empty = "add") -> Tensor:
    """The mean of what lands on each pixel, zero where nothing does; else as `splat_sum`."""
    return splat_linear(image, flow, torch.ones_like(image[:, :1]), empty=empty)


def splat_linear(image: Tensor, flow: Tensor, weight: Tensor, *, empty: Empty = "add") -> Tensor:
    """The mean of what lands on each pixel, weighted with ``weight`` [B,1,H,W], which is not negative; else as `splat_sum`."""
    image, dtype = _exact(image, flow), image.dtype
    weight = weight.to(image.dtype)
    weighted = image * weight
    both = torch.cat((weighted, weight.expand(weighted.shape[0], -1, -1, -1)), dim=1)
    weighted, total = _splat(both, flow).split([image.shape[1], 1], dim=1)
    if empty == "add":
        total = total + EPSILON
    elif empty == "clip":
        total = total.clamp(min=EPSILON)
    else:
        total = torch.where(total == 0, 1, total)
    return (weighted / total).to(dtype)


def splat_softmax(image: Tensor, flow: Tensor, importance: Tensor, *, empty: Empty = "add") -> Tensor:
    """The mean weighted with ``exp(importance)``, [B,1,H,W]: what is more important covers the rest; else as `splat_sum`.

    The weights are not scaled to their largest, as trained networks expect: keep ``importance`` within about -20 .. 80.
    """
    importance = importance.to(_exact(image, flow).dtype)
    return splat_linear(image, flow, importance.exp(), empty=empty)


def _exact(image: Tensor, flow: Tensor) -> Tensor:
    return image.to(torch.promote_types(torch.promote_types(image.dtype, flow.dtype), torch.float32))


def _splat(image: Tensor, flow: Tensor) -> Tensor:
    """As `splat_sum`, of float32 or better."""
    height, width = image.shape[-2:]
    batch, channels = max(image.shape[0], flow.shape[0]), image.shape[1]
    x, y = targets(flow.to(image.dtype))
    lands = x.isfinite() & y.isfinite() & (x > -1) & (x < width) & (y > -1) & (y < height)
    x, y = torch.where(lands, x, -1), torch.where(lands, y, -1)
    left, top = x.floor(), y.floor()
    first = torch.arange(batch, device=image.device)[:, None, None] * (height * width)
    source = image.expand(batch, -1, -1, -1).movedim(1, 0)
    made = image.new_zeros(channels, batch * height * width)
    for right, down in product((0, 1), (0, 1)):
        share = (1 - (x - left - right).abs()) * (1 - (y - top - down).abs())
        column, row = left.long() + right, top.long() + down
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        place = first + row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
        shared = source * torch.where(inside, share, 0)
        made.index_add_(1, place.expand(batch, -1, -1).flatten(), shared.flatten(1))
    return made.unflatten(1, (batch, height, width)).movedim(0, 1)
