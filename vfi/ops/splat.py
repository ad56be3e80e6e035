"""Forward splatting: move every pixel along its flow, and combine pixels that land in the same place.

A pixel is distributed bilinearly over the four pixels that it lands between. Shares outside the frame are lost, and pixels
with non-finite flow are dropped. Colliding pixels are summed, averaged, or averaged with weights. On CUDA the
order of sums, and so their last digits, vary unless `torch.use_deterministic_algorithms` is on.

Niklaus and Liu, "Softmax Splatting for Video Frame Interpolation", CVPR 2020, equations 3 to 8.
"""

from __future__ import annotations

from itertools import product
from typing import Literal

import torch
from torch import Tensor

from .warp import targets

Empty = Literal["add", "clip", "zero"]
"""How a mean avoids dividing by zero: 1e-7 is added to the divisor; it is at least 1e-7; a zero divisor becomes 1."""

EPSILON = 1e-7


def splat_sum(image: Tensor, flow: Tensor) -> Tensor:
    """Sum of the values that land on each pixel. Splat ones to get the total weight.

    ``image`` is [B,C,H,W] of any float type, ``flow`` [B,2,H,W] (dx, dy) in pixels. Sums are float32 or better.
    Returns [B,C,H,W] in ``image``'s type. A batch of 1 in either broadcasts to the batch of the other.
    """
    return _splat(_exact(image, flow), flow).to(image.dtype)


def splat_average(image: Tensor, flow: Tensor, *, empty: Empty = "add") -> Tensor:
    """Mean of the values that land on each pixel, zero where none do; otherwise as `splat_sum`."""
    return splat_linear(image, flow, torch.ones_like(image[:, :1]), empty=empty)


def splat_linear(image: Tensor, flow: Tensor, weight: Tensor, *, empty: Empty = "add") -> Tensor:
    """Mean of the values that land on each pixel, weighted by ``weight`` [B,1,H,W] >= 0; otherwise as `splat_sum`."""
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
    """Mean weighted by ``exp(importance)``, [B,1,H,W]: the most important pixel covers the rest; otherwise as `splat_sum`.

    Weights are not divided by their maximum, as trained networks expect: keep ``importance`` within about -20 .. 80.
    """
    importance = importance.to(_exact(image, flow).dtype)
    return splat_linear(image, flow, importance.exp(), empty=empty)


def _exact(image: Tensor, flow: Tensor) -> Tensor:
    return image.to(torch.promote_types(torch.promote_types(image.dtype, flow.dtype), torch.float32))


def _splat(image: Tensor, flow: Tensor) -> Tensor:
    """As `splat_sum`, for float32 or better."""
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
