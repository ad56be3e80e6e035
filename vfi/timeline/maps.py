"""Time maps: the time of the media as a function of the time of a retimed clip, in exact fractions of a second.

Owns the curves that editors draw between keyframes. Knows nothing of file formats.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, pairwise
from math import isqrt
from typing import Protocol

from ..core import InputError

ROOTS = 2**40
"""Square roots are rounded to 1 / ROOTS: far below a frame, at any rate."""


class TimeMap(Protocol):
    """The time of the media at each time of a retimed clip, in seconds.

    It is defined from ``first`` to ``last``; None: without end. Beyond them the picture is held, so that there are no handles.
    """

    @property
    def first(self) -> Fraction | None: ...

    @property
    def last(self) -> Fraction | None: ...

    def at(self, time: Fraction) -> Fraction: ...


@dataclass(frozen=True)
class Speed:
    """A constant ``speed`` from ``start`` seconds of the media at time 0: 1 as recorded, 0 a freeze, below 0 backwards."""

    speed: Fraction = Fraction(1)
    start: Fraction = Fraction(0)
    first: Fraction | None = None
    last: Fraction | None = None

    def at(self, time: Fraction) -> Fraction:
        return self.start + time * self.speed


@dataclass(frozen=True)
class Polyline:
    """Straight lines through ``points``, pairs of (time, media time)."""

    points: tuple[tuple[Fraction, Fraction], ...]

    def __post_init__(self) -> None:
        rising([time for time, _ in self.points])

    @property
    def first(self) -> Fraction:
        return self.points[0][0]

    @property
    def last(self) -> Fraction:
        return self.points[-1][0]

    @cached_property
    def _times(self) -> list[Fraction]:
        return [time for time, _ in self.points]

    def piece(self, time: Fraction) -> int:
        """The index of the straight line at a time: that of its first point."""
        return min(max(bisect_right(self._times, time) - 1, 0), max(len(self.points) - 2, 0))

    def slope(self, index: int) -> Fraction:
        """Seconds of media per second between a point and the next."""
        (early, low), (late, high) = self.points[index : index + 2]
        return (high - low) / (late - early)

    def at(self, time: Fraction) -> Fraction:
        index, time = self.piece(time), min(max(time, self.first), self.last)
        start, value = self.points[index]
        return value if len(self.points) < 2 else value + self.slope(index) * (time - start)


@dataclass(frozen=True)
class Smooth:
    """Final Cut's ``smooth2``: straight lines whose corners are rounded.

    Around point ``i`` a quadratic Bezier curve runs from ``reach[i][0]`` seconds before it to ``reach[i][1]`` seconds after
    it; its control point is the point itself.
    """

    points: tuple[tuple[Fraction, Fraction], ...]
    reach: tuple[tuple[Fraction, Fraction], ...]

    @cached_property
    def lines(self) -> Polyline:
        """The straight lines."""
        return Polyline(self.points)

    @property
    def first(self) -> Fraction:
        return self.lines.first

    @property
    def last(self) -> Fraction:
        return self.lines.last

    def at(self, time: Fraction) -> Fraction:
        near = self.lines.piece(time)
        for index in (near, near + 1):
            if not 0 < index < len(self.points) - 1:
                continue
            (corner, value), (before, after) = self.points[index], self.reach[index]
            if before + after and corner - before <= time <= corner + after:
                u = _bezier_u(time - corner, before, after)
                into, out = self.lines.slope(index - 1), self.lines.slope(index)
                return value - into * before * (1 - u) ** 2 + out * after * u**2
        return self.lines.at(time)


def _bezier_u(time: Fraction, before: Fraction, after: Fraction) -> Fraction:
    """The u from 0 to 1 at which ``-before (1-u)^2 + after u^2`` is ``time``."""
    if before == after:
        return (time + before) / (2 * before)
    # (after - before) u^2 + 2 before u - (before + time) = 0
    discriminant = before * before + (after - before) * (before + time)
    return (square_root(discriminant) - before) / (after - before)


def square_root(value: Fraction) -> Fraction:
    """The square root of a number from 0 up, rounded down to a multiple of 1 / `ROOTS`; exact if it is one."""
    return Fraction(isqrt(value.numerator * ROOTS**2 // value.denominator), ROOTS)


@dataclass(frozen=True)
class LastFrames:
    """A ``map`` whose times, where they fall, are the ends of the frames shown: each is ``frame`` seconds late there."""

    map: Polyline | Smooth
    frame: Fraction

    @property
    def first(self) -> Fraction:
        return self.map.first

    @property
    def last(self) -> Fraction:
        return self.map.last

    def at(self, time: Fraction) -> Fraction:
        lines = self.map if isinstance(self.map, Polyline) else self.map.lines
        falling = len(lines.points) > 1 and lines.slope(lines.piece(time)) < 0
        return self.map.at(time) - (self.frame if falling else 0)


@dataclass(frozen=True)
class Cubics:
    """Pieces of polynomials in u = (time - start) / (next start - start), and the value ``end`` at the last of ``starts``.

    ``starts`` holds one time more than ``pieces``.
    """

    starts: tuple[Fraction, ...]
    pieces: tuple[tuple[Fraction, ...], ...]
    end: Fraction

    def __post_init__(self) -> None:
        rising(list(self.starts))

    @property
    def first(self) -> Fraction:
        return self.starts[0]

    @property
    def last(self) -> Fraction:
        return self.starts[-1]

    def at(self, time: Fraction) -> Fraction:
        if time >= self.last:
            return self.end
        time = max(time, self.first)
        index = bisect_right(self.starts, time) - 1
        u = (time - self.starts[index]) / (self.starts[index + 1] - self.starts[index])
        value = Fraction(0)
        for coefficient in reversed(self.pieces[index]):
            value = value * u + coefficient
        return value


@dataclass(frozen=True)
class Summed:
    """A running sum: frame k, at ``k * step`` seconds, shows ``start + step * (speeds[0] + ... + speeds[k-1])``."""

    start: Fraction
    step: Fraction
    speeds: tuple[Fraction, ...]

    first: Fraction = Fraction(0)

    @property
    def last(self) -> Fraction:
        return self.step * len(self.speeds)

    @cached_property
    def _sums(self) -> list[Fraction]:
        return list(accumulate((speed * self.step for speed in self.speeds), initial=self.start))

    def at(self, time: Fraction) -> Fraction:
        index = min(max(time // self.step, 0), len(self.speeds))
        return self._sums[int(index)]


def rising(times: list[Fraction]) -> None:
    """Raise `InputError` unless there are times and each lies after the one before: otherwise they make no function."""
    if not times:
        raise InputError("a time map has no keyframes: it needs at least one")
    for early, late in pairwise(times):
        if late <= early:
            raise InputError(
                f"a time map has keyframes at {float(early):g} s and then at {float(late):g} s: their times must increase"
            )
