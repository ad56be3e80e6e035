"""When memory runs out: fewer timesteps at once, then the frame in tiles, as small as needed.

Each step is remembered and logged. Tiles cost time, because they overlap, and a little quality where motion crosses a seam:
no frame is tiled before memory has run out. Knows nothing of devices or of any particular model.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor

from ..core import InputError, Interpolator, Motion
from ..ops.times import is_map
from . import wrappers

T = TypeVar("T")
Make: TypeAlias = Callable[[Any, Tensor], Tensor]

log = logging.getLogger(__name__)

OVERLAP = 96
"""Minimum overlap of neighbouring tiles, in pixels. RIFE 4.25 in four tiles agrees with the untiled frame to within 54 dB."""

REFUSED = ("can't allocate memory", "not enough memory", "out of memory")
"""Messages of errors for which torch has no type: from the CPU allocators of Linux and Windows, and from Apple's."""


class Tile(NamedTuple):
    """A part of a frame, in pixels, and its blending weights down [h,1] and across [w], which fall off in the overlap."""

    top: int
    left: int
    down: Tensor
    across: Tensor

    def of(self, plane: Tensor) -> Tensor:
        return plane[..., self.top : self.top + len(self.down), self.left : self.left + len(self.across)]


@dataclass(eq=False)
class Features:
    """A frame [B,3,H,W], and the model's features of the whole frame, once ``known``."""

    rgb: Tensor
    inner: Any = None
    known: bool = False


@dataclass(eq=False)
class Prepared:
    """The frames of a window, and what the model prepares of the whole frames, once ``known``."""

    features: Sequence[Features]
    inner: Any = None
    known: bool = False


class Tiled(wrappers.Wrapper):
    """Makes a model of any size do as much at once as memory allows, which is everything until it runs out.

    First it halves the number of timesteps made at once. Then, if ``spec.tiles`` allows it, it cuts the frame into ever
    smaller tiles whose sides are multiples of ``multiple``. Raises `InputError` if nothing is left to try.
    """

    def __init__(self, model: Interpolator, multiple: int = 1) -> None:
        super().__init__(model)
        self.multiple = multiple
        self.batch: int | None = None
        self.room: float = float("inf")
        """Maximum pixels per tile."""

    def encode(self, rgb: Tensor) -> Features:
        seen = Features(rgb)
        self._trying(rgb, lambda: self._known(seen))
        return seen

    def prepare(self, features: Sequence[Features], frames: Sequence[Tensor]) -> Prepared:
        prepared = Prepared(features)
        self._trying(frames[0], lambda: self._ready(prepared))
        return prepared

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        return self._made(prepared, t, lambda inner, t: wrappers.at(self.model, inner, t))

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        def planes(inner: Any, t: Tensor) -> Tensor:
            motion = super(Tiled, self).motion_at(inner, t)
            parts = (motion.flow0, motion.flow1, motion.mask, motion.occlusion)
            return torch.cat([part for part in parts if part is not None], dim=1)

        made = self._made(prepared, t, planes)
        return Motion(made[:, :2], made[:, 2:4], made[:, 4:5], made[:, 5:] if made.shape[1] > 5 else None)

    def _known(self, seen: Features) -> Any:
        """The model's features of a whole frame; None once frames are tiled."""
        if self._cuts(seen.rgb):
            seen.inner = None
        elif not seen.known:
            seen.inner, seen.known = wrappers.encode(self.model, seen.rgb), True
        return seen.inner

    def _ready(self, prepared: Prepared) -> Any:
        """What the model prepares of a whole window; None once frames are tiled."""
        parts = [self._known(seen) for seen in prepared.features]
        if self._cuts(prepared.features[0].rgb):
            prepared.inner = None
        elif not prepared.known:
            frames = [seen.rgb for seen in prepared.features]
            prepared.inner, prepared.known = wrappers.prepare(self.model, parts, frames), True
        return prepared.inner

    def _made(self, prepared: Prepared, t: Tensor, make: Make) -> Tensor:
        """The output of ``make`` at ``t`` [B], from what the model prepares."""
        made: list[Tensor] = []
        while len(t):
            made.append(self._trying(prepared.features[0].rgb, partial(self._some, prepared, t, make), len(t)))
            t = t[len(made[-1]) :]
        return made[0] if len(made) == 1 else torch.cat(made)

    def _some(self, prepared: Prepared, t: Tensor, make: Make) -> Tensor:
        """The frames at the first of ``t``, as many as fit in memory; at all if each has a window of its own."""
        frames = [seen.rgb for seen in prepared.features]
        if len(frames[0]) == 1 and self.batch is not None and len(t) > self.batch:  # a slice is no known constant
            t = t[: self.batch]
        inner = self._ready(prepared)
        if not self._cuts(frames[0]):
            return make(inner, t)
        total: Tensor | None = None
        for tile in self._tiles(frames[0]):
            parts = [tile.of(rgb) for rgb in frames]
            there = wrappers.prepare(self.model, [wrappers.encode(self.model, part) for part in parts], parts)
            made = make(there, tile.of(t) if is_map(t) else t)
            if total is None:
                total = made.new_zeros(*made.shape[:2], *frames[0].shape[-2:])
            tile.of(total).add_(made * tile.down * tile.across)
        assert total is not None
        return total

    def _trying(self, rgb: Tensor, work: Callable[[], T], batch: int = 1) -> T:
        """The result of ``work``, which keeps to the current limits; they are lowered and it is retried if memory runs out."""
        while True:
            try:
                return work()
            except RuntimeError as error:
                if not of_memory(error):
                    raise
            # Outside the handler: only here is the memory free that the error's traceback held.
            self._give_way(rgb, batch if len(rgb) == 1 else 1)

    def _give_way(self, rgb: Tensor, batch: int) -> None:
        """Lower the limits below what was just tried. Raises `InputError` if that is impossible."""
        height, width = rgb.shape[-2:]
        batch = min(batch, self.batch or batch)
        if batch > 1:
            self.batch = batch // 2
            log.warning("memory ran out with %d frames at once: %d at once from here on", batch, self.batch)
            return
        tall, wide = self._sizes(height, width) or (height, width)
        self.room = tall * wide - 1
        smaller = self._sizes(height, width) if self.spec.tiles else None
        if smaller is None:
            asked = f"{self.spec.name} ran out of memory at {wide}x{tall} pixels of a frame of {width}x{height}"
            raise InputError(f"{asked}: use smaller frames, another model or a device with more memory")
        log.warning(
            "memory ran out at %dx%d pixels: frames are made in tiles of %dx%d from here on", wide, tall, *smaller[::-1]
        )

    def _cuts(self, rgb: Tensor) -> bool:
        return rgb.shape[-2] * rgb.shape[-1] > self.room

    def _sizes(self, height: int, width: int) -> tuple[int, int] | None:
        """Height and width of the largest tiles that fit in memory; None if they would be all overlap."""
        sides, counts = (height, width), [1, 1]
        while True:
            tall, wide = (self._size(side, count) for side, count in zip(sides, counts, strict=True))
            if tall * wide <= self.room:
                return tall, wide
            if max(tall, wide) <= 2 * OVERLAP + self.multiple:
                return None
            counts[wide > tall] += 1

    def _size(self, side: int, count: int) -> int:
        """Length of each of ``count`` tiles that cover ``side`` pixels."""
        size = ceil((side + (count - 1) * OVERLAP) / count)
        return min(side, -(-size // self.multiple) * self.multiple)

    def _tiles(self, rgb: Tensor) -> Iterator[Tile]:
        height, width = rgb.shape[-2:]
        sizes = self._sizes(height, width)
        assert sizes is not None
        rows, columns = (_spread(side, size, rgb.device) for side, size in zip((height, width), sizes, strict=True))
        return (Tile(top, left, down[:, None], across) for top, down in rows for left, across in columns)


def _spread(side: int, size: int, device: torch.device) -> list[tuple[int, Tensor]]:
    """Starts of pieces of ``size`` along ``side`` pixels, and their weights [size], which sum to 1 at each pixel."""
    count = 1 if size == side else ceil((side - OVERLAP) / (size - OVERLAP))
    starts = [index * (side - size) // max(count - 1, 1) for index in range(count)]
    place = torch.arange(size, device=device) + 0.5
    total = torch.zeros(side, device=device)
    weights = []
    for start in starts:
        within = place if start else place + OVERLAP, size - place if start + size < side else size - place + OVERLAP
        weights.append(torch.minimum(*within).div(OVERLAP).clamp(max=1))
        total[start : start + size] += weights[-1]
    return [(start, weight / total[start : start + size]) for start, weight in zip(starts, weights, strict=True)]


def of_memory(error: RuntimeError) -> bool:
    """Whether ``error`` says that memory ran out, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in REFUSED)
