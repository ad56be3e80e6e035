"""The measure of a frame, and the record of a clip: the measures of all its frames, packed, and of spans of frames.

A clip of hours has hundreds of thousands of frames, so a record keeps `ROW` of each, and makes a `Measure` when one is asked
for. Knows nothing of pictures, or of what a measure means.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import overload

import numpy as np

from .pictures import PARTS, UNTOLD, Picture, Place

ROW = np.dtype(
    [
        ("numerator", "i8"),
        ("denominator", "i4"),
        ("cut", "?"),
        ("mean", "f4", 3),
        ("spread", "f4"),
        ("width", "f4"),
        ("twice", "f4"),
        ("moved", "f4"),
        ("moving", "f4"),
        ("gain", "f4", 3),
        ("parts", "f4", (PARTS * PARTS, 3)),
        ("left", "f4"),
        ("place", "f4", 3),
    ]
)
"""What is kept of a frame: its time as a fraction, then the numbers of its `Measure`."""

SPAN = 8
"""Frames over which the light is measured at once too."""

BLOCK = 1024
"""Rows that get their memory at once."""

NEAR = 64
"""Measures made last that are at hand: whoever looks at a frame looks at those around it too."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One frame. Differences are of 255; motion is in pixels of the thumbnail.

    ``cut``: it begins a shot. ``mean`` and ``spread`` are those of its colours and of its grey. ``width`` is the mean
    difference to the frame before, and ``twice`` that to the one before it; ``moved`` the motion since the frame before, nine
    tenths of the pixels move less, and ``moving`` the share of pixels that move. ``gain`` is the change of light per channel
    since then, along the motion, as logarithms, and ``parts`` that of parts of the picture, NaN where nothing tells: see
    `pictures.light_of`; ``left`` is the difference that remains. ``place``: see `pictures.Place`.
    """

    index: int
    time: Fraction
    cut: bool
    mean: tuple[float, float, float]
    spread: float
    width: float = 0.0
    twice: float = 0.0
    moved: float = 0.0
    moving: float = 0.0
    gain: tuple[float, float, float] = (0.0, 0.0, 0.0)
    parts: Picture | None = field(default=None, compare=False)
    left: float = 0.0
    place: Place = UNTOLD


class Spans:
    """The changes of light over `SPAN` frames, measured at once: the errors of single steps add up, and these hardly do."""

    def __init__(self) -> None:
        self._firsts, self._lights = array("q"), array("f")

    def append(self, first: int, light: Picture) -> None:
        """Add the change [1 + parts,3] from frame ``first`` to the one `SPAN` later, of the whole and of parts, in order."""
        self._firsts.append(first)
        self._lights.extend(light.ravel())

    def within(self, first: int, last: int) -> Iterator[tuple[int, Picture]]:
        """The spans from frame ``first`` on that end up to frame ``last``."""
        many = 3 * (PARTS * PARTS + 1)
        for place in range(bisect_left(self._firsts, first), bisect_right(self._firsts, last - SPAN)):
            light = np.array(self._lights[many * place : many * (place + 1)])
            yield self._firsts[place], light.reshape(-1, 3)


class Record(Sequence[Measure]):
    """The measures of frames 0, 1, 2, ... in single precision, or of a slice of them; a slice keeps nothing of its own."""

    def __init__(self, measures: Iterable[Measure] = ()) -> None:
        self._blocks: list[Picture] = []
        self._long: dict[int, Fraction] = {}  # times that a row has no room for
        self._altered: Mapping[int, Measure] = {}
        self._numbers = range(0)
        self._measure = lru_cache(NEAR)(self._made)
        for one in measures:
            self.append(one)

    def append(self, one: Measure) -> None:
        """Add the measure of the next frame; not to a slice."""
        place = len(self) % BLOCK
        if place == 0:
            self._blocks.append(np.empty(BLOCK, ROW))
        up, down = one.time.as_integer_ratio()
        if abs(up) >= 2**63 or down >= 2**31:
            self._long[one.index], up, down = one.time, 0, 1
        parts = np.nan if one.parts is None else one.parts
        self._blocks[-1][place] = (
            *(up, down, one.cut, one.mean, one.spread, one.width, one.twice, one.moved, one.moving),
            *(one.gain, parts, one.left, one.place),
        )
        self._numbers = range(len(self) + 1)

    def altered(self, measures: Iterable[Measure]) -> Record:
        """This record with ``measures`` in place of those of the same frames; only they are kept anew."""
        made = copy(self)
        made._altered = {**self._altered, **{one.index: one for one in measures}}
        return made

    def column(self, name: str) -> Picture:
        """One of the numbers of all measures, ``gain`` say, [n,...] float32; not for slices with a step."""
        first, last = (self._numbers[0], self._numbers[-1]) if self._numbers else (0, -1)
        blocks = [block[name] for block in self._blocks[first // BLOCK : last // BLOCK + 1]]
        made: Picture = np.concatenate([np.empty((0, *ROW[name].shape), np.float32), *blocks])
        made = made[first % BLOCK : first % BLOCK + len(self)]
        for number in self._altered.keys() & self._numbers:
            value = getattr(self._altered[number], name)
            made[number - first] = np.nan if value is None else value
        return made

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, key: int) -> Measure: ...
    @overload
    def __getitem__(self, key: slice) -> Record: ...
    def __getitem__(self, key: int | slice) -> Measure | Record:
        if isinstance(key, slice):
            made = copy(self)
            made._numbers = self._numbers[key]
            return made
        number = self._numbers[key]
        return self._altered.get(number) or self._measure(number)

    def _made(self, number: int) -> Measure:
        row = self._blocks[number // BLOCK][number % BLOCK]
        up, down, cut, mean, spread, width, twice, moved, moving, gain, parts, left, place = row.item()
        time = self._long.get(number) or Fraction(up, down)
        mean, gain, place = tuple(mean.tolist()), tuple(gain.tolist()), Place(*place.tolist())
        return Measure(number, time, cut, mean, spread, width, twice, moved, moving, gain, parts, left, place)
