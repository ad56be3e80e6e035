"""What stands still is not made anew: the model works on the part of the frame in which something moves.

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
from . import wrappers

EQUAL = 2 / 255
"""Colours that differ by no more than this are one: coding alone does as much."""

CELL = 4
"""The side of the cells, in pixels, in which frames are compared."""

MARGIN, ALIGNED = 32, 64
"""How far around what moves the model still sees, and of what the sides of that part are multiples, in pixels: with both,
RIFE 4.25 at half the size loses 0.01 dB by it, with a margin of 64 and sides of any length 0.04."""

MOST = 0.6
"""The share that moves from which all is done: features of a whole frame serve two pairs, those of a part one."""


class Box(NamedTuple):
    """A part of a frame, in pixels; ``bottom`` and ``right`` lie outside."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, plane: Tensor) -> Tensor:
        return plane[..., self.top : self.bottom, self.left : self.right]

    def share(self, frame: Tensor) -> float:
        """Of the pixels of ``frame``, how many lie inside."""
        return (self.bottom - self.top) * (self.right - self.left) / (frame.shape[-2] * frame.shape[-1])


@dataclass(eq=False)
class Features:
    """A frame [B,3,H,W], and what ``model`` computes of it alone once that is asked for."""

    model: Interpolator
    rgb: Tensor

    @cached_property
    def whole(self) -> Any:
        return wrappers.encode(self.model, self.rgb)


class Prepared(NamedTuple):
    """Of a window, whatever t: its middle two frames, the ``box`` in which something moves, what the model prepared of that.

    The last two are None where nothing moves."""

    before: Tensor
    after: Tensor
    box: Box | None
    inner: Any


class MovingRegion(wrappers.Wrapper):
    """Gives the model the part of the frames that moves, with a margin, and blends the rest, which is the same in both.

    The model takes any size.
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
        made = torch.lerp(before, after, t.to(before).view(-1, 1, 1, 1))
        if box is not None:
            box.of(made).copy_(wrappers.at(self.model, inner, t))
        return made

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """None outside of the part that moves."""
        before, _, box, inner = prepared
        share = (1 - t.float()).view(-1, 1, 1, 1)
        if box is None:
            none = share.new_zeros((len(t), 2, *before.shape[-2:]))
            return Motion(none, none, share + none[:, :1])
        found = super().motion_at(inner, t)
        around = (box.left, before.shape[-1] - box.right, box.top, before.shape[-2] - box.bottom)
        laid = found.mapped(lambda plane: F.pad(plane, around))
        inside = F.pad(torch.ones_like(found.mask), around)
        return replace(laid, mask=laid.mask + (1 - inside) * share)


def moving(before: Tensor, after: Tensor) -> Box | None:
    """The part of frames [B,3,H,W] in which two of them differ, and a margin; None where they do not."""
    differ = F.max_pool2d((after - before).abs().amax((0, 1))[None], CELL, ceil_mode=True)[0] > EQUAL
    sides = []
    for other, side in ((1, before.shape[-2]), (0, before.shape[-1])):
        found = differ.any(dim=other).nonzero()
        if not len(found):
            return None
        first, last = int(found[0]) * CELL - MARGIN, int(found[-1] + 1) * CELL + MARGIN
        sides += [max(first // ALIGNED * ALIGNED, 0), min(-(-last // ALIGNED) * ALIGNED, side)]
    return Box(*sides)
