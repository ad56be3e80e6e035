"""The light of two frames, one after the other, compared along their motion: a field of gains on a coarse grid.

Owns the small picture in which motion is estimated, where that motion is sure, and the grid. Knows nothing of more than two
frames, or of what is done about a change of light.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core import Frame
from ...ops.warp import targets, warp_corners
from ...pixels.alpha import premultiplied
from ...pixels.uint8 import floats

LONG_SIDE = 384
"""Longest side, in pixels, of the picture in which motion is estimated."""

CELLS = 16
"""Cells of the grid of gains along the longer side."""

SMALLEST = 8
"""Least side of a cell, in pixels of that picture."""

GREY = 0.4
"""Mean to which pictures are scaled before motion is estimated, which assumes equal brightness."""

DARK, BRIGHT = 5 / 255, 250 / 255
"""Range of samples whose light is compared: others are lost in black or clipped."""

HDR = 1.1
"""Sample that no clip reaches whose white is 1: video leaves room up to 1.09."""

EDGE = 0.06
"""Gradient per pixel at which a sample weighs half: beside an edge, an error of motion looks like light."""

SLACK = 0.02
"""Weight of the whole picture's gain in each cell: all of it where nothing in the cell can be compared."""

BLOCK = 8
"""Side, in pixels, of the blocks within which noise cancels out."""

OWN = 0.01
"""Doubt at which a cell's gain is halfway to that of the whole picture."""

SURE = 0.25
"""Share of the picture whose motion must be sure; with less, the two frames are not compared."""

KNOWN = 0.003
"""Share of the picture, by weight, that must be compared at least."""


class Flows(Protocol):
    """Estimates the motion between two pictures [1,3,h,w], 0..1.

    Returns the flow from the first to the second, and the flow back, [1,2,h,w] (dx, dy) in pixels.
    """

    def __call__(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]: ...


class View(NamedTuple):
    """A frame made small: premultiplied colours ``rgb`` [1,3,h,w] and ``alpha`` [1,1,h,w]. ``bounded``: its samples end at
    white."""

    rgb: Tensor
    alpha: Tensor
    bounded: bool


class Change(NamedTuple):
    """From a frame to the next.

    ``light`` [3,gh,gw]: logarithms of gains on the grid of the frame; ``doubt``: what they leave unexplained. ``forth``
    [2,gh,gw] is the motion of its cells, and ``back`` that of the cells of the next, in cells; ``speed`` [1,h,w] is how far
    parts of the view move, in its pixels.
    """

    light: Tensor
    doubt: Tensor
    forth: Tensor
    back: Tensor
    speed: Tensor


def view(frame: Frame) -> View:
    """The `View` of a frame."""
    height, width = frame.rgb.shape[-2:]
    share = min(LONG_SIDE / max(height, width), 1.0)
    size = max(round(height * share), 1), max(round(width * share), 1)
    rgb = F.adaptive_avg_pool2d(premultiplied(frame)[None].nan_to_num(), size)
    alpha = rgb.new_ones(1, 1, *size)
    if frame.alpha is not None:
        alpha = F.adaptive_avg_pool2d(floats(frame.alpha)[None], size)
    return View(rgb, alpha, bool(frame.rgb.dtype == torch.uint8 or rgb.max() <= HDR))


def grid_of(one: View) -> tuple[int, int]:
    """Height and width of the grid of gains."""
    height, width = one.rgb.shape[-2:]
    cell = max(max(height, width) / CELLS, SMALLEST)
    return max(round(height / cell), 1), max(round(width / cell), 1)


def change(before: View, after: View, flows: Flows) -> Change | None:
    """The change from one view to the next; None if they cannot be compared."""
    forth, back = (one.float() for one in flows(_seen(before), _seen(after)))
    sure = _sure(forth, back)
    if not float(sure.mean()) >= SURE:
        return None
    moved = warp_corners(torch.cat((after.rgb, after.alpha), dim=1), forth)
    here, there = before.rgb, moved[:, :3]
    lit = torch.minimum(here, there) > DARK
    if before.bounded and after.bounded:
        lit &= torch.maximum(here, there) < BRIGHT
    slope = _slope(here)
    weight = lit * (sure * torch.minimum(before.alpha, moved[:, 3:]) / (1 + (slope / EDGE).square()))
    if float(weight.mean()) < KNOWN:
        return None
    grid = grid_of(before)
    rough = _gains(here, there, weight, grid)
    gain = F.interpolate(rough, here.shape[-2:], mode="bilinear")
    missed = (there - gain * here).abs() / (here + 4 * DARK)
    spread = _median(missed, weight) * 1.5 + 0.003
    weight = weight * (1 - (missed / (4.7 * spread)).square()).clamp(min=0).square()
    gain = F.interpolate(_gains(here, there, weight, grid), here.shape[-2:], mode="bilinear")
    doubt = _doubt((there - gain * here) / (here + 4 * DARK), weight, grid)
    light = _gains(here, there, weight, grid, doubt).log()[0]
    speed = torch.maximum(_calm(forth), _calm(back))
    return Change(light, doubt[0], _cells(forth, grid), _cells(back, grid), speed)


def _seen(one: View) -> Tensor:
    """The picture in a brightness that does not change."""
    mean = float(one.rgb.clamp(0, 4).mean())
    return (one.rgb * min(GREY / max(mean, 1e-3), 8.0)).clamp(0, 1)


def _sure(flow: Tensor, opposite: Tensor) -> Tensor:
    """Where the flow is cancelled by the opposite one, and stays within the picture, [1,1,h,w]: the test of Sundaram, Brox
    and Keutzer, ECCV 2010."""
    returned = warp_corners(opposite, flow)
    bound = 0.01 * (flow.square().sum(1) + returned.square().sum(1)) + 0.5
    x, y = targets(flow)
    height, width = flow.shape[-2:]
    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    return (((flow + returned).square().sum(1) <= bound) & inside).float()[:, None]


def _slope(rgb: Tensor) -> Tensor:
    """How much each sample differs from its neighbours across and along, at the most, [1,3,h,w]."""
    across = F.pad((rgb[..., 1:] - rgb[..., :-1]).abs(), (1, 1))
    along = F.pad((rgb[..., 1:, :] - rgb[..., :-1, :]).abs(), (0, 0, 1, 1))
    steps = across[..., 1:], across[..., :-1], along[..., 1:, :], along[..., :-1, :]
    return torch.maximum(torch.maximum(steps[0], steps[1]), torch.maximum(steps[2], steps[3]))


def _gains(here: Tensor, there: Tensor, weight: Tensor, grid: tuple[int, int], doubt: Tensor | None = None) -> Tensor:
    """The ratio of the light ``there`` to that ``here`` in each cell and its neighbours, [1,3,gh,gw]; a cell with little to
    compare, or with ``doubt``, takes that of the whole picture."""
    light = torch.cat((weight * there, weight * here), dim=1)
    after, before = softened(F.adaptive_avg_pool2d(light, grid)).chunk(2, dim=1)
    whole_after, whole_before = light.mean((2, 3), keepdim=True).chunk(2, dim=1)
    level = here.mean((2, 3), keepdim=True).clamp(min=DARK)
    whole = (whole_after + 1e-6) / (whole_before + 1e-6)
    slack = SLACK * level if doubt is None else SLACK * level + before * (doubt / OWN).square()
    return (after + slack * whole) / (before + slack)


def _doubt(missed: Tensor, weight: Tensor, grid: tuple[int, int]) -> Tensor:
    """What of each cell and its neighbours is unexplained, [1,3,gh,gw]: noise, which cancels out within a block, is not."""
    sums = F.avg_pool2d(torch.cat((missed * weight, weight), dim=1), BLOCK, ceil_mode=True, count_include_pad=False)
    error, known = sums.chunk(2, dim=1)
    cells = F.adaptive_avg_pool2d(torch.cat((error.abs(), known), dim=1), grid)
    error, known = softened(cells).chunk(2, dim=1)
    return error / known.clamp(min=1e-3)


def softened(field: Tensor) -> Tensor:
    """A field [1,C,gh,gw] smoothed by [1 2 1] in both directions."""
    kernel = field.new_tensor((1.0, 2.0, 1.0)) / 4
    grown = F.pad(field, (1, 1, 1, 1), mode="replicate")
    count = field.shape[1]
    return F.conv2d(grown, (kernel[:, None] * kernel).expand(count, 1, 3, 3), groups=count)


def _median(values: Tensor, weight: Tensor) -> float:
    """The median of the values that weigh something."""
    some = values[weight > 0.05 * float(weight.max())]
    return float(some.median()) if some.numel() else 0.0


def _calm(flow: Tensor) -> Tensor:
    """Length of the motion that neighbouring pixels share, [1,h/4,w/4]: jitter cancels out."""
    shared = F.avg_pool2d(F.pad(flow, (2, 2, 2, 2), mode="replicate"), 8, 4, ceil_mode=True, count_include_pad=False)
    return shared.square().sum(1).sqrt()


def _cells(flow: Tensor, grid: tuple[int, int]) -> Tensor:
    """The mean motion of each cell [2,gh,gw], in cells."""
    scale = flow.new_tensor((grid[1] / flow.shape[-1], grid[0] / flow.shape[-2])).view(2, 1, 1)
    return F.adaptive_avg_pool2d(flow, grid)[0] * scale
