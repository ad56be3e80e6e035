"""Skips static areas: the model only sees the region of the frame that moves.

Knows nothing of any particular model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import Interpolator, Motion
from ..ops.times import is_map, time_plane
from . import wrappers

EQUAL = 2 / 255
"""Colours that differ by at most this count as equal: compression alone causes as much."""

CELL = 4
"""Side of the cells in which frames are compared, in pixels."""

MARGIN, ALIGNED = 32, 64
"""Margin of the moving region, and the multiple that its sides are rounded to, in pixels. With both, RIFE 4.25 at half size
loses 0.01 dB; with a margin of 64 and sides of any length, 0.04 dB."""

MOST = 0.6
"""Moving share above which the whole frame is processed: its features serve two pairs, those of a region only one."""


class Box(NamedTuple):
    """A part of a frame, in pixels; ``bottom`` and ``right`` are exclusive."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, plane: Tensor) -> Tensor:
        return plane[..., self.top : self.bottom, self.left : self.right]

    def share(self, frame: Tensor) -> float:
        """The share of the pixels of ``frame`` that lie inside."""
        return (self.bottom - self.top) * (self.right - self.left) / (frame.shape[-2] * frame.shape[-1])


@dataclass(eq=False)
class Features:
    """A frame [B,3,H,W] and its features by ``model``, computed on first use."""

    model: Interpolator
    rgb: Tensor

    @cached_property
    def whole(self) -> Any:
        return wrappers.encode(self.model, self.rgb)


class Prepared(NamedTuple):
    """Everything of a window that is independent of t: its middle two frames, the moving ``box`` and the model's part of it.

    The last two are None if nothing moves."""

    before: Tensor
    after: Tensor
    box: Box | None
    inner: Any


class MovingRegion(wrappers.Wrapper):
    """Gives the model the moving region of the frames, with a margin, and blends the rest, which is the same in both.

    The model must take any size.
    """

    def encode(self, rgb: Tensor) -> Features:
        return Features(self.model, rgb)

    def prepare(self, features: Sequence[Features], frames: Sequence[Tensor]) -> Prepared:
        before, after = frames[len(frames) // 2 - 1], frames[len(frames) // 2]
        box = moving(before, after)
        if box is None:
            return Prepared(before, after, None, None)
        if box.share(before) > MOST:
            box = Box(0, before.shape[-2], 0, before.shape[-1])
            return Prepared(before, after, box, wrappers.prepare(self.model, [feature.whole for feature in features], frames))
        parts = [box.of(rgb) for rgb in frames]
        inner = wrappers.prepare(self.model, [wrappers.encode(self.model, part) for part in parts], parts)
        return Prepared(before, after, box, inner)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        before, after, box, inner = prepared
        if box is not None and box.share(before) == 1:
            return wrappers.at(self.model, inner, t)
        made = torch.lerp(before, after, time_plane(t).to(before))
        if box is not None:
            box.of(made).copy_(wrappers.at(self.model, inner, box.of(t) if is_map(t) else t))
        return made

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """No motion outside the moving region."""
        before, _, box, inner = prepared
        share = 1 - time_plane(t)
        if box is None:
            none = share.new_zeros((len(t), 2, *before.shape[-2:]))
            return Motion(none, none, share + none[:, :1])
        found = super().motion_at(inner, box.of(t) if is_map(t) else t)
        around = (box.left, before.shape[-1] - box.right, box.top, before.shape[-2] - box.bottom)
        laid = found.mapped(lambda plane: F.pad(plane, around))
        inside = F.pad(torch.ones_like(found.mask), around)
        return replace(laid, mask=laid.mask + (1 - inside) * share)


def moving(before: Tensor, after: Tensor) -> Box | None:
    """The region in which two frames [B,3,H,W] differ, with a margin; None if they do not."""
    differ = F.max_pool2d((after - before).abs().amax((0, 1))[None], CELL, ceil_mode=True)[0] > EQUAL
    sides = []
    for other, side in ((1, before.shape[-2]), (0, before.shape[-1])):
        found = differ.any(dim=other).nonzero()
        if not len(found):
            return None
        first, last = int(found[0]) * CELL - MARGIN, int(found[-1] + 1) * CELL + MARGIN
        sides += [max(first // ALIGNED * ALIGNED, 0), min(-(-last // ALIGNED) * ALIGNED, side)]
    return Box(*sides)
