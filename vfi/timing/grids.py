"""Exact time: which instants the output shows, and between which input frames each of them lies.

Everything is resampling in rational seconds. Doubling, 24 to 60, slow motion and variable frame rates differ only in the grid
of output times. Knows nothing of pictures or models.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, lcm
from typing import Literal, Protocol, TypeAlias

from ..core import Frame, InputError
from ..parse import exact, number, quoted

Tail = Literal["stop", "hold"]

MOST_FRAMES = 10**8
"""The most frames of an output: seven weeks at 24 per second."""

FASTEST = 10**6
"""The highest frame rate; its inverse is the lowest."""

MOST_TIMES = 10**5
"""The largest factor by which frames may become more, or a clip slower."""


def exact_rate(value: int | float | str | Fraction) -> Fraction:
    """A frame rate as an exact fraction.

    Takes 60, "60", "30000/1001", "23.976" or 29.97. A decimal that is an NTSC rate rounded to two or three places
    (23.976, 29.97, 59.94, 119.88) means that rate, n * 1000/1001, and so does its float. Raises `InputError` unless it is a
    number above 0, within `FASTEST`, of two whole numbers that a container can hold.
    """
    try:
        rate = number(value) if isinstance(value, str) else exact(value)
        rate = rate.limit_denominator(1001) if isinstance(value, float) else rate
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise InputError(f"{quoted(value)} is not a frame rate: give a number such as 60, 23.976 or 30000/1001") from error
    if rate <= 0:
        raise InputError(f"{value} is not a frame rate: it must be above 0")
    if not Fraction(1, FASTEST) <= rate <= FASTEST or max(rate.numerator, rate.denominator) >= 2**31:
        raise InputError(
            f"{quoted(str(value))} is not a frame rate: it must be from 1/{FASTEST} to {FASTEST}, of whole numbers below 2**31"
        )
    if 1 < rate.denominator <= 1000:
        whole = round(rate * Fraction(1001, 1000))
        ntsc = Fraction(whole * 1000, 1001)
        if abs(rate - ntsc) <= Fraction(1, 200 if rate.denominator <= 100 else 2000) and whole % 6 == 0:
            return ntsc
    return rate


def bounded(frames: int) -> int:
    """A number of output frames. Raises `InputError` if it is above `MOST_FRAMES`."""
    if frames > MOST_FRAMES:
        raise InputError(f"this makes {float(min(frames, 10**300)):.3g} frames: at most {MOST_FRAMES} are possible")
    return frames


Knots: TypeAlias = "tuple[tuple[Fraction, Fraction], ...]"
"""Pairs of input and output seconds from the first frame; time is linear between them.

Output times never decrease. Input times decrease where the clip runs backwards, and stay constant where it is frozen.
"""


class Grid(Protocol):
    """The instants of the input that the output shows, and when it shows them, in seconds."""

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        """(input time, output time) of each output that shows an instant of [start, end), the interval of one input frame.

        ``first`` is the time of the first frame, in the input and in the output.
        """
        ...

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        """Number of outputs for ``frames`` input frames; ``span`` is in seconds, to the last frame or to its end."""
        ...

    def knots(self, span: Fraction) -> Knots:
        """The knots of the first ``span`` seconds of the input."""
        ...


@dataclass(frozen=True)
class Subdivide:
    """``times`` outputs per input frame, evenly over the time until the next, at constant or variable frame rates.

    The output runs ``stretch`` times slower. Each output shows the instant ``late`` after its own, as a fraction of the time
    until the next output.
    """

    times: int
    stretch: Fraction = Fraction(1)
    late: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        if self.times < 1:
            raise InputError(f"{self.times} was given as the frame multiple: it must be a whole number from 1 up")

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        step = (end - start) / self.times
        for time in (start + step * k for k in range(self.times)):
            yield time + step * self.late, first + (time - first) * self.stretch

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return bounded(frames * self.times if tail == "hold" else (frames - 1) * self.times + 1)

    def knots(self, span: Fraction) -> Knots:
        return (Fraction(0), Fraction(0)), (span, span * self.stretch)


@dataclass(frozen=True)
class Uniform:
    """Outputs at k / ``rate`` seconds from the first frame, whatever the input's rate, played ``stretch`` times slower.

    ``late``: as in `Subdivide`.
    """

    rate: Fraction
    stretch: Fraction = Fraction(1)
    late: Fraction = Fraction(0)

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        step = 1 / (self.rate * self.stretch)
        k = max(ceil((start - first) / step - self.late), 0)
        while (time := first + (k + self.late) * step) < end:
            yield time, first + k / self.rate
            k += 1

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        steps = span * self.stretch * self.rate
        return bounded(ceil(steps) if tail == "hold" else floor(steps) + 1)

    def knots(self, span: Fraction) -> Knots:
        return (Fraction(0), Fraction(0)), (span, span * self.stretch)


@dataclass(frozen=True)
class At:
    """Outputs at the given times, which must not decrease."""

    times: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        if any(later < earlier for earlier, later in pairwise(self.times)):
            raise InputError("output times must not decrease")

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        return ((time, time) for time in self.times[bisect_left(self.times, start) : bisect_left(self.times, end)])

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return len(self.times)

    def knots(self, span: Fraction) -> Knots:
        return (Fraction(0), Fraction(0)), (span, span)


@dataclass(frozen=True)
class Within:
    """The ``grid`` of a clip that starts at ``first`` and is read from the frame at ``begin`` on."""

    grid: Grid
    first: Fraction
    begin: Fraction

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        return self.grid.within(start, end, self.first)

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return self.grid.count(frames, span, tail)

    def knots(self, span: Fraction) -> Knots:
        """The knots of ``span`` seconds of the input, counted from ``begin`` in input and output."""
        early = self.begin - self.first
        return tuple((place, self.grid.knots(early + place)[-1][1] - early) for place in (Fraction(0), span))


@dataclass(frozen=True)
class Timing:
    """Timing of the output: its grid and its frame rate.

    ``rate`` is None if the input's rate is unknown or not constant.
    """

    grid: Grid
    rate: Fraction | None = None

    def expected(self, frames: int | None, duration: Fraction | None, tail: Tail) -> int | None:
        """Number of outputs for an input of ``frames`` frames and ``duration`` seconds; None if either is unknown."""
        if not frames or duration is None:
            return None
        span = duration if tail == "hold" else duration * (frames - 1) / frames
        return self.grid.count(frames, span, tail)

    def length(self, duration: Fraction) -> Fraction:
        """Duration of the output for an input of ``duration`` seconds."""
        return self.grid.knots(duration)[-1][1]

    def keeps_time(self, duration: Fraction | None = None) -> bool:
        """Whether every instant of an input of ``duration`` seconds is shown at its own time, so that its sound fits."""
        span = duration or Fraction(1)
        knots = self.grid.knots(span)
        return knots[-1][0] == span and all(there == here for there, here in knots)

    def tick(self, source: Fraction | None, duration: Fraction | None, start: Fraction | None = None) -> Fraction | None:
        """A time base of which every output time, and the end, is a multiple; None if none is known.

        ``source`` is the time base of the input, ``duration`` its length, and ``start`` the time of its first frame.
        """
        spacing, end = self.rate and 1 / self.rate, duration and self.length(duration)
        units = [source, spacing, end]  # the first frame of the input may be shown at any multiple of its unit
        if source and isinstance(self.grid, Subdivide):
            units = [source, source * self.grid.stretch / self.grid.times]  # an average rate may be an odd fraction
        elif source and isinstance(self.grid, Uniform):
            units = [source, source * self.grid.stretch, spacing] if start is None else [start, spacing, end]
        known = [unit.denominator for unit in units if unit]
        return Fraction(1, lcm(*known)) if known else None


def timing(
    source: Fraction | None, *, times: int | None = None, fps: Fraction | None = None, slow: Fraction | None = None
) -> Timing:
    """The timing for ``times`` as many frames, or ``fps`` frames per second, of a clip played ``slow`` times slower.

    ``source`` is the input's frame rate. Without options, frames are doubled. With only ``slow``, the frame rate stays: a
    whole number subdivides every frame's own time, any other needs ``source``. Raises `InputError`.
    """
    if times is not None and fps is not None:
        raise InputError(f"both {times} times as many frames and {fps} frames per second were given: drop one of the two")
    stretch = Fraction(1) if slow is None else slow
    if stretch <= 0:
        raise InputError(f"{stretch} times slower was given: it must be above 0")
    if stretch > MOST_TIMES:
        raise InputError(f"{float(stretch):g} times slower was given: it must be at most {MOST_TIMES}")
    if times is not None and times > MOST_TIMES:
        raise InputError(f"{quoted(times)} times as many frames were given: at most {MOST_TIMES} are possible")
    if fps is not None:
        return Timing(Uniform(fps, stretch), fps)
    if times is None:
        times = 2 if slow is None else 1
    rate = None if source is None else source * times
    if stretch.denominator == 1:
        return Timing(Subdivide(times * stretch.numerator, stretch), rate)
    if rate is None:
        raise InputError(f"{float(stretch)} times slower needs the clip's frame rate, which is unknown: give a frame rate")
    return Timing(Uniform(rate, stretch), rate)


@dataclass(frozen=True)
class Instant:
    """One output frame, not yet made.

    It shows the input at ``place``: at ``t`` in [0,1) between the middle two frames of ``window``; at t = 0 it *is* the
    earlier one. ``blend``: the two belong to different shots and are cross-faded, without motion. ``time`` and ``duration``
    are the output's, in seconds; ``shot`` counts shots from 0.
    """

    window: tuple[Frame, ...]
    t: Fraction
    place: Fraction
    time: Fraction
    duration: Fraction = Fraction(0)
    blend: bool = False
    shot: int = 0

    @property
    def before(self) -> Frame:
        return self.window[len(self.window) // 2 - 1]


def resample(frames: Iterable[Frame], grid: Grid, *, tail: Tail = "stop", window: int = 2) -> Iterator[Instant]:
    """Place each output of ``grid`` among the input frames.

    ``frames`` come in time order. Their marks (see `core.Frame`) are respected: no window reaches across a cut, and motion
    continues through repeats. Reads ``window // 2`` distinct frames ahead. Windows that reach past a shot repeat its first or
    last frame. Output ends with the last frame (``tail="stop"``) or holds it for its duration (``"hold"``). The last output
    lasts until the held end, or as long as the one before it. Raises `InputError` if the times do not increase.
    """
    first = end = Fraction(0)
    waiting: Instant | None = None
    spacing = Fraction(0)
    for held, around in _windows(frames, window):
        first = held.starts[0] if waiting is None else first
        for start, end in pairwise((*held.starts, held.end)):
            last = held.following is None and end == held.end
            if end <= start and not last:
                raise InputError(f"frame times must increase: {float(end):.6f} s follows {float(start):.6f} s")
            places = grid.within(start, start + 1 if last and tail == "stop" else end, first)
            for place, time in places:
                if last and tail == "stop" and place != start:
                    break
                instant = held.instant(around, place, time)
                if waiting is not None:
                    spacing = instant.time - waiting.time
                    yield replace(waiting, duration=spacing)
                waiting = instant
    if waiting is not None:
        rest = first + grid.knots(end - first)[-1][1] - waiting.time
        yield replace(waiting, duration=rest if tail == "hold" else spacing)


@dataclass
class _Held:
    """A frame, the start times of it and its repeats, their end, its shot, and the frame that follows (None after the last)."""

    frame: Frame
    starts: list[Fraction]
    end: Fraction
    shot: int
    following: Frame | None = None

    def instant(self, window: tuple[Frame, ...], place: Fraction, time: Fraction) -> Instant:
        """The output at ``time`` that shows ``place``, an instant from the start of this frame up to the following one."""
        if self.following is None or self.following.cut == "hold":
            return Instant(window, Fraction(0), place, time, shot=self.shot)
        t = (place - self.starts[0]) / (self.end - self.starts[0])
        if self.following.cut == "blend":
            return Instant((self.frame, self.following), t, place, time, blend=True, shot=self.shot)
        return Instant(window, t, place, time, shot=self.shot)


def _windows(frames: Iterable[Frame], size: int) -> Iterator[tuple[_Held, tuple[Frame, ...]]]:
    """Each distinct frame with its window, in which it stands just left of the middle."""
    half = size // 2
    around: deque[_Held] = deque(maxlen=size - 1)
    for held in _held(frames):
        if not around:
            around.extend([held] * (half - 1))
        ends = held.following is None or held.following.cut is not None
        after = held.frame if held.following is None or ends else held.following
        for _ in range(half if ends else 1):
            around.append(held)
            if len(around) == size - 1:
                yield around[half - 1], (*(one.frame for one in around), after)
        if ends:
            around.clear()


def _held(frames: Iterable[Frame]) -> Iterator[_Held]:
    held: _Held | None = None
    shot = 0
    for frame in frames:
        if held is not None and frame.repeat and frame.cut is None:
            held.starts.append(frame.time)
        else:
            if held is not None:
                held.end, held.following = frame.time, frame
                yield held
                shot += frame.cut is not None
            held = _Held(frame, [frame.time], frame.time, shot)
        held.end = frame.time + frame.duration
    if held is not None:
        yield held
