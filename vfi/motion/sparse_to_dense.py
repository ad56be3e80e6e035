"""From the motion of a few points to that of every pixel: how far each point reaches, and what it changes there.

A point has a position at t and in both frames. The model's own motion tells what moves along with the point: pixels that move
as it does get the same correction, mostly one of timing. If the model has lost the point, nearby pixels take the point's
motion as it is. That motion must explain both frames, and the model's own must explain neither end of it: uniform ground fits
any motion, and static things must not be dragged along. Knows nothing of models, or of where points come from.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops.warp import sample, targets, warp_corners

WORKING = 256
"""The longer side, in pixels, at which the reach of points is computed; for larger frames, the change is upscaled."""

FAR, NEAR, CORE = 0.58, 0.2, 0.03
"""Reach of a point, as fractions of the frame's diagonal: to pixels that move as it does; to those that its motion explains
better than the model's own; and to any others."""

MISSED, MISSED_SHARE = 4.0, 0.2
"""A point counts as lost if the model's own motion misses its motion between the frames by more than this: a number of
pixels, plus a share of its length."""

BETTER = 0.04
"""How much better a motion must explain both frames, in colour 0..1, to be certain."""

WELL = 0.08
"""Colour difference of both frames, 0..1, up to which a motion explains them well; from twice that on, it does not."""

WINDOW = 7
"""Side of the windows in which frames are compared, in pixels."""

CELL, AROUND = 8, 5
"""Surroundings of a pixel: the side of a cell, in pixels, and the number of cells both ways."""

SOFT = 4.0
"""If several points reach a pixel, they are weighted by 1 / (d^2 + this), d pixels away."""


class Points(NamedTuple):
    """N points at one instant, in pixels: positions ``at`` [N,2], and those in the frames ``before`` and ``after`` [N,2].

    ``drawn`` [N] bool: to be obeyed whatever the frames show, not merely found. ``reach`` holds, for each, the plane [H,W]
    0..1 that it moves at this instant, or None if that is estimated.
    """

    at: Tensor
    before: Tensor
    after: Tensor
    drawn: Tensor
    reach: tuple[Tensor | None, ...]

    def scaled(self, size: list[int], growth: Tensor) -> Points:
        """The points on frames of another ``size``, (height, width), ``growth`` [2] times as wide and high."""
        at, before, after = ((plane + 0.5) * growth - 0.5 for plane in (self.at, self.before, self.after))
        return Points(
            at, before, after, self.drawn, tuple(None if one is None else resized(one[None], size)[0] for one in self.reach)
        )


class Led(NamedTuple):
    """Led motion at one instant: ``motion`` [4,H,W] to both frames, (dx, dy) in pixels, and the ``share`` [1,H,W] 0..1 that
    points have in it. ``hidden`` [2,H,W] 0..1: where it leads to a thing in the frame before, or after, that is elsewhere
    at this instant."""

    motion: Tensor
    share: Tensor
    hidden: Tensor


def led(own: Tensor, before: Tensor, after: Tensor, points: Points) -> Led:
    """The motion led by ``points``, given the model's ``own`` [4,H,W] to both frames, [3,H,W]."""
    height, width = own.shape[-2:]
    shrink = WORKING / max(height, width)
    if shrink >= 1:
        return _led(own, before, after, points)
    size = [max(round(side * shrink), 1) for side in (height, width)]
    growth = own.new_tensor((size[1] / width, size[0] / height))
    along = growth.repeat(2).view(4, 1, 1)
    small = resized(own, size) * along
    found = _led(small, resized(before, size), resized(after, size), points.scaled(size, growth))
    change, share, hidden = (resized(planes, [height, width]) for planes in (found.motion - small, *found[1:]))
    return Led(own + change / along, share, hidden)


def resized(planes: Tensor, size: list[int]) -> Tensor:
    """``planes`` [C,H,W] at another ``size``, (height, width)."""
    return F.interpolate(planes[None], size=size, mode="bilinear", antialias=True)[0]


def astray(own: Tensor, points: Points) -> Tensor:
    """Distance, in pixels, by which ``own`` [4,H,W] misses each point's motion between the frames: [N]."""
    return _astray(_at(own, points.at), points.after - points.before)


def lost(own: Tensor, points: Points) -> Tensor:
    """Share of each point's motion that ``own`` [4,H,W] misses: [N], 0 (none) to 1 (all)."""
    return _lost(_at(own, points.at), points.after - points.before)


def _astray(seen: Tensor, way: Tensor) -> Tensor:
    return torch.linalg.vector_norm(seen[:, 2:] - seen[:, :2] - way, dim=1)


def _lost(seen: Tensor, way: Tensor) -> Tensor:
    return 1 - torch.exp(-((_astray(seen, way) / (MISSED + MISSED_SHARE * torch.linalg.vector_norm(way, dim=1))) ** 2))


def _led(own: Tensor, before: Tensor, after: Tensor, points: Points) -> Led:
    height, width = own.shape[-2:]
    diagonal = math.hypot(height, width)
    x = torch.arange(width, device=own.device, dtype=own.dtype)
    y = torch.arange(height, device=own.device, dtype=own.dtype)[:, None]
    seen = _at(own, points.at)
    wanted = torch.cat((points.before - points.at, points.after - points.at), dim=1)
    claimed = torch.stack([own.new_zeros(height, width), *(one for one in points.reach if one is not None)]).amax(0)
    unexplained = _disagreement(before, after, own)
    ground = _ground(own, unexplained)
    velocity = own[2:] - own[:2]
    still = torch.zeros_like(velocity)
    # Pixels of the frame before, and of the one after, that are not where the model's own motion leads from there.
    ends = [_disagreement(before, after, torch.cat(way), 1) for way in ((still, velocity), (-velocity, still))]
    total, weight, free, hidden = (
        torch.zeros_like(own),
        torch.zeros_like(claimed),
        torch.ones_like(claimed),
        own.new_zeros(2, height, width),
    )
    for at, motion, there, missed, drawn, reach in zip(
        points.at, wanted, seen, _lost(seen, points.after - points.before), points.drawn.tolist(), points.reach, strict=True
    ):
        squared = (x - at[0]) ** 2 + (y - at[1]) ** 2
        apart = motion[:, None, None]
        way = motion[2:] - motion[:2]
        along = (torch.einsum("chw,c->hw", velocity, way) / (way.square().sum() + 1)).clamp(0, 1) * (1 - missed)
        if reach is None:
            away = squared.sqrt() / diagonal
            left = _disagreement(before, after, apart.expand_as(own))
            well = (2 - left / WELL).clamp(0, 1)
            needed = torch.minimum(*(_shown(end, motion) for end, motion in zip(ends, apart.chunk(2), strict=True)))
            better = _around(((unexplained - left) / BETTER + missed).clamp(0, 1) * well)
            better = better * (1 - missed * (1 - _closed((needed / BETTER).clamp(0, 1))))
            near = _plateau(away / NEAR) * better
            near = torch.lerp(near, (near > 0.5).to(near), missed)  # nothing moves by half of a motion
            reach = (1 - (away / FAR) ** 2).clamp(min=0) ** 2 * along + near * (1 - along)
            if drawn:
                reach = torch.maximum(reach, _plateau(away / CORE))
            reach = reach * (1 - claimed)
        share = reach / (squared + SOFT)
        total += share * (apart - own + along * (own - there[:, None, None]))
        weight += share
        free *= 1 - reach
        hidden = torch.maximum(hidden, torch.stack([_shown(reach, way) for way in (ground - apart).chunk(2)]))
    hidden = hidden * free * (unexplained / BETTER - 1).clamp(0, 1)
    motion = own + total / weight.clamp(min=1e-12) * (1 - free)
    return Led(torch.lerp(motion, ground, hidden.amax(0)), (1 - free)[None], hidden)


def _ground(own: Tensor, unexplained: Tensor) -> Tensor:
    """``own`` [4,H,W], replaced by the motion around it where it leaves the frames ``unexplained`` [H,W]."""
    height, width = own.shape[-2:]
    sure = (1 - unexplained / BETTER).clamp(0, 1)[None]
    cells = F.avg_pool2d(torch.cat((own * sure, sure))[None], CELL, ceil_mode=True)[0]
    motion, known = resized(F.avg_pool2d(cells, AROUND, 1, AROUND // 2), [height, width]).split((4, 1))
    return torch.lerp(torch.where(known > 1e-3, motion / known.clamp(min=1e-3), own), own, sure)


def _shown(plane: Tensor, flow: Tensor) -> Tensor:
    """``plane`` [H,W] at the places to which ``flow`` [2,H,W], or one vector for all pixels, leads; zero outside."""
    return sample(plane[None, None], *targets(flow.expand(-1, *plane.shape)[None]), outside="zeros")[0, 0]


def _around(plane: Tensor) -> Tensor:
    """Maximum of ``plane`` [H,W] over the windows that contain a pixel: a finding for a window holds for all of it."""
    rows = F.max_pool2d(plane[None], (WINDOW, 1), 1, (WINDOW // 2, 0))
    return F.max_pool2d(rows, (1, WINDOW), 1, (0, WINDOW // 2))[0]


def _closed(plane: Tensor) -> Tensor:
    """``plane`` [H,W] with holes smaller than a window filled."""
    return -_around(-_around(plane))


def _plateau(away: Tensor) -> Tensor:
    """1 up to half-way, then linearly down to 0 at 1."""
    return (2 * (1 - away)).clamp(0, 1)


def _disagreement(before: Tensor, after: Tensor, motion: Tensor, window: int = WINDOW) -> Tensor:
    """Colour difference of both frames along ``motion`` [4,H,W], averaged around each pixel: [H,W]."""
    one, other = warp_corners(before[None], motion[None, :2]), warp_corners(after[None], motion[None, 2:])
    apart = (one - other).abs().mean(dim=1, keepdim=True)
    return F.avg_pool2d(apart, window, 1, window // 2, count_include_pad=False)[0, 0]


def _at(planes: Tensor, places: Tensor) -> Tensor:
    """``planes`` [C,H,W] sampled at ``places`` [N,2] in pixels: [N,C]."""
    x, y = places.to(planes)[None, None].unbind(-1)
    return sample(planes[None], x, y, outside="border")[0, :, 0].T
