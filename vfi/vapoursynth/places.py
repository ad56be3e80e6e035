"""Which instant of a clip each output frame shows, and how long it lasts, in exact fractions.

A place is the number of a source frame and t, the fraction of the way to the next one. Knows nothing of VapourSynth, of
pictures or of models.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from math import ceil, floor
from typing import Protocol, TypeAlias

from ..core import InputError
from ..parse import exact
from ..timing.curves import Along

Place: TypeAlias = "tuple[int, Fraction]"

LONGEST = 2**31 - 1
"""The most frames of a clip in VapourSynth."""

ENDLESS = 2**24
"""A clip of more frames has no known end: mpv gives one of 2**27 to its scripts."""

FEWEST = Fraction(1, 100)
"""The smallest factor."""


class Clock(Protocol):
    """When the frames of a clip are shown: the place at a time in seconds from its start."""

    def at(self, seconds: Fraction) -> Place: ...


@dataclass(frozen=True)
class Steady:
    """``frames`` frames at a constant ``rate``."""

    frames: int
    rate: Fraction

    def at(self, seconds: Fraction) -> Place:
        place = seconds * self.rate
        index = min(floor(place), self.frames - 1)
        return index, min(place - index, Fraction(1))


@dataclass(frozen=True)
class Uneven:
    """Frames of given ``durations``, in seconds. Raises `InputError` if one is not above 0."""

    durations: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        for number, duration in enumerate(self.durations):
            if duration <= 0:
                raise InputError(f"frame {number} has a duration of {duration} s: it must be above 0")

    @cached_property
    def _starts(self) -> list[Fraction]:
        return list(accumulate(self.durations, initial=Fraction(0)))

    @property
    def length(self) -> Fraction:
        """Seconds of all frames."""
        return self._starts[-1]

    def at(self, seconds: Fraction) -> Place:
        index = min(bisect_right(self._starts, seconds), len(self.durations)) - 1
        return index, min((seconds - self._starts[index]) / self.durations[index], Fraction(1))


class Places(Protocol):
    """The places that ``frames`` outputs show; ``rate`` is that of the output, None if it is not constant."""

    @property
    def frames(self) -> int: ...

    @property
    def rate(self) -> Fraction | None: ...

    def at(self, output: int) -> Place: ...


@dataclass(frozen=True)
class Multiplied:
    """``factor`` outputs per frame of ``source`` frames, evenly, whatever the durations; ``stretch`` times slower.

    A clip without a known end gives as many outputs as a clip can have. Raises `InputError` for a factor out of bounds.
    """

    source: int
    factor: Fraction
    rate: Fraction | None
    stretch: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        if self.source <= ENDLESS and self.source * self.factor > LONGEST:
            raise InputError(f"this makes {float(self.source * self.factor):.3g} frames: at most {LONGEST} are possible")

    @property
    def frames(self) -> int:
        return min(ceil(self.source * self.factor), LONGEST)

    def at(self, output: int) -> Place:
        place = output / self.factor
        index = min(floor(place), self.source - 1)
        return index, place - index

    @property
    def reach(self) -> int:
        """The most frames whose time one output covers."""
        return ceil(1 / self.factor) + 1

    def covered(self, output: int) -> list[tuple[int, Fraction]]:
        """The frames whose time an output covers, and what share of each; nothing lasts past the last frame."""
        start, end = output / self.factor, min((output + 1) / self.factor, exact(self.source))
        return [(index, min(end, exact(index + 1)) - max(start, exact(index))) for index in range(floor(start), ceil(end))]

    def duration(self, output: int, durations: Sequence[Fraction | None]) -> Fraction | None:
        """Seconds of an output, from the durations of the frames that it covers; None if one is unknown."""
        shares = [share for _, share in self.covered(output)]
        known = [one for one in durations if one is not None]
        if len(known) < len(shares):
            return None
        return sum((share * one for share, one in zip(shares, known, strict=True)), Fraction(0)) * self.stretch


@dataclass(frozen=True)
class Timed:
    """Outputs at ``rate``, of ``length`` seconds of a clip that ``clock`` describes."""

    clock: Clock
    rate: Fraction
    length: Fraction

    def __post_init__(self) -> None:
        if self.length * self.rate > LONGEST:
            raise InputError(f"this makes {float(self.length * self.rate):.3g} frames: at most {LONGEST} are possible")

    @property
    def frames(self) -> int:
        return ceil(self.length * self.rate)

    def at(self, output: int) -> Place:
        return self.clock.at(output / self.rate)


@dataclass(frozen=True)
class Curved:
    """Outputs along a curve of time."""

    clock: Clock
    along: Along

    @property
    def rate(self) -> Fraction:
        return self.along.rate

    @property
    def frames(self) -> int:
        return len(self.along.outputs)

    def at(self, output: int) -> Place:
        return self.clock.at(self.along.place(output))
