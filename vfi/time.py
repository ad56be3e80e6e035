"""Exact time: which instants the output shows, and between which input frames each of them lies.

Everything is a re-sampling in rational seconds. Times 2, 24 to 60, slow motion and variable frame rates differ only in
the grid of output times. Knows nothing of pictures or models.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import repeat, takewhile
from math import ceil, floor, lcm
from typing import Literal, Protocol

from .core import Frame, InputError

Tail = Literal["stop", "hold"]


def exact_rate(value: int | float | str | Fraction) -> Fraction:
    """A frame rate as an exact fraction.

    Takes 60, "60", "30000/1001", "23.976" or 29.97. A decimal that is an NTSC rate rounded to two or three places
    (23.976, 29.97, 59.94, 119.88) means that rate, n * 1000/1001, and so does its float. Raises `InputError` unless it is a
    positive number.
    """
    try:
        rate = Fraction(value).limit_denominator(1001) if isinstance(value, float) else Fraction(value)
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise InputError(f"{value!r} is not a frame rate: give a number such as 60, 23.976 or 30000/1001") from error
    if rate <= 0:
        raise InputError(f"{value} is not a frame rate: it must be above 0")
    if 1 < rate.denominator <= 1000:
        whole = round(rate * Fraction(1001, 1000))
        ntsc = Fraction(whole * 1000, 1001)
        if abs(rate - ntsc) <= Fraction(1, 200 if rate.denominator <= 100 else 2000) and whole % 6 == 0:
            return ntsc
    return rate


class Grid(Protocol):
    """The output times, in the input's seconds."""

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[Fraction]:
        """The output times in [start, end), the interval of one input frame; ``first`` is the first frame's time."""
        ...

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        """How many outputs ``frames`` input frames give; ``span`` is in seconds, to the last frame or to its end."""
        ...


@dataclass(frozen=True)
class Subdivide:
    """``times`` outputs for each input frame, evenly over the time until the next: constant rates and variable ones alike."""

    times: int

    def __post_init__(self) -> None:
        if self.times < 1:
            raise InputError(f"{self.times} is not a number of times: it must be a whole number from 1 up")

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[Fraction]:
        return (start + (end - start) * k / self.times for k in range(self.times))

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return frames * self.times if tail == "hold" else (frames - 1) * self.times + 1


@dataclass(frozen=True)
class Uniform:
    """Outputs at k / ``rate`` seconds from the first frame, whatever the input's rate."""

    rate: Fraction

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[Fraction]:
        k = ceil((start - first) * self.rate)
        while (time := first + k / self.rate) < end:
            yield time
            k += 1

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return ceil(span * self.rate) if tail == "hold" else floor(span * self.rate) + 1


@dataclass(frozen=True)
class At:
    """Outputs at the given times, which must not decrease."""

    times: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        if any(later < earlier for earlier, later in zip(self.times, self.times[1:], strict=False)):
            raise InputError("output times must not decrease")

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[Fraction]:
        return iter(self.times[bisect_left(self.times, start) : bisect_left(self.times, end)])

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return len(self.times)


@dataclass(frozen=True)
class Timing:
    """What is asked of time: where the output lies in the input, and how far it is stretched.

    ``rate`` is the output's frame rate, None where the input's is not known or not constant.
    """

    grid: Grid
    stretch: Fraction = Fraction(1)
    rate: Fraction | None = None

    def expected(self, frames: int | None, duration: Fraction | None, tail: Tail) -> int | None:
        """How many outputs an input of so many ``frames`` and ``duration`` seconds gives; None where these are not known."""
        if not frames or duration is None:
            return None
        span = duration if tail == "hold" else duration * (frames - 1) / frames
        return self.grid.count(frames, span, tail)

    def tick(self, source: Fraction | None, duration: Fraction | None) -> Fraction | None:
        """A unit of time of which every output time, and the end, is a multiple; None when none is known.

        ``source`` is such a unit of the input's times, ``duration`` how long the input lasts.
        """
        units = [self.rate and 1 / self.rate, duration and duration * self.stretch]
        if isinstance(self.grid, Subdivide):
            units.append(source and source * self.stretch / self.grid.times)
        known = [unit.denominator for unit in units if unit]
        return Fraction(1, lcm(*known)) if known else None


def timing(
    source: Fraction | None, *, times: int | None = None, fps: Fraction | None = None, slow: Fraction | None = None
) -> Timing:
    """The timing for ``times`` as many frames, or ``fps`` frames a second, of a clip played ``slow`` times slower.

    ``source`` is the input's frame rate. Twice as many frames when nothing is asked. Slow motion alone keeps the frame rate:
    a whole number subdivides every frame's own time, any other needs ``source``. Raises `InputError`.
    """
    if times is not None and fps is not None:
        raise InputError(f"{times} times as many frames and {fps} frames a second were both asked for: give one")
    stretch = Fraction(1) if slow is None else slow
    if stretch <= 0:
        raise InputError(f"{stretch} times slower is not possible: it must be above 0")
    if fps is not None:
        return Timing(Uniform(fps * stretch), stretch, fps)
    if times is None:
        times = 2 if slow is None else 1
    rate = None if source is None else source * times
    if stretch.denominator == 1:
        return Timing(Subdivide(times * stretch.numerator), stretch, rate)
    if rate is None:
        raise InputError(
            f"{float(stretch)} times slower needs the clip's frame rate, which is unknown: give the frames a second"
        )
    return Timing(Uniform(rate * stretch), stretch, rate)


@dataclass(frozen=True)
class Instant:
    """One output frame, still to be made.

    It lies at ``t`` in [0,1) between the middle two frames of ``window``; at t = 0 it *is* the earlier of them.
    ``time`` and ``duration`` are the output's, in seconds.
    """

    window: tuple[Frame, ...]
    t: Fraction
    time: Fraction
    duration: Fraction

    @property
    def before(self) -> Frame:
        return self.window[len(self.window) // 2 - 1]


def resample(
    frames: Iterable[Frame], grid: Grid, *, tail: Tail = "stop", stretch: Fraction = Fraction(1), window: int = 2
) -> Iterator[Instant]:
    """Place each output time of ``grid`` among the input frames.

    ``frames`` come in order of time and are read ``window // 2`` ahead. The first and last frame are repeated where a
    window reaches past them. Output ends with the last frame (``tail="stop"``) or holds it for its duration
    (``"hold"``). Output times are the input's, ``stretch`` times as far from the first. The last output lasts until the
    held end, or as long as the one before it. Raises `InputError` when the times do not increase.
    """
    first = end = Fraction(0)
    waiting: Instant | None = None
    spacing = Fraction(0)
    for index, around in enumerate(_windows(frames, window)):
        before, after = around[window // 2 - 1], around[window // 2]
        first, start = (first if index else before.time), before.time
        last = after is before
        end = start + before.duration if last else after.time
        if not last and end <= start:
            raise InputError(f"frame times must increase: {float(end):.6f} s follows {float(start):.6f} s")
        times = grid.within(start, end, first)
        if last and tail == "stop":
            times = takewhile(start.__eq__, grid.within(start, start + 1, first))
        for time in times:
            t = Fraction(0) if last else (time - start) / (end - start)
            instant = Instant(around, t, first + (time - first) * stretch, Fraction(0))
            if waiting is not None:
                spacing = instant.time - waiting.time
                yield replace(waiting, duration=spacing)
            waiting = instant
    if waiting is not None:
        rest = first + (end - first) * stretch - waiting.time
        yield replace(waiting, duration=rest if tail == "hold" else spacing)


def _windows(frames: Iterable[Frame], size: int) -> Iterator[tuple[Frame, ...]]:
    """One window for each frame, which stands just left of the middle; the ends are repeated."""
    held: deque[Frame] = deque(maxlen=size)
    for frame in _repeat_ends(frames, size // 2):
        held.append(frame)
        if len(held) == size:
            yield tuple(held)


def _repeat_ends(frames: Iterable[Frame], half: int) -> Iterator[Frame]:
    last: Frame | None = None
    for frame in frames:
        if last is None:
            yield from repeat(frame, half - 1)
        yield frame
        last = frame
    if last is not None:
        yield from repeat(last, half)
