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
from itertools import pairwise
from math import ceil, floor, lcm
from typing import Literal, Protocol, TypeAlias

from ..core import Frame, InputError

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


Knots: TypeAlias = "tuple[tuple[Fraction, Fraction], ...]"
"""Input and output seconds from the first frame; time runs evenly from one knot to the next.

Output times never decrease. Input times do where the clip runs backwards, and stay where it stands still.
"""


class Grid(Protocol):
    """Which instants of the input the output shows, and when: all in seconds."""

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        """(input time, output time) of each output that shows an instant of [start, end), the interval of one input frame.

        ``first`` is the time of the first frame, in the input and in the output.
        """
        ...

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        """How many outputs ``frames`` input frames give; ``span`` is in seconds, to the last frame or to its end."""
        ...

    def knots(self, span: Fraction) -> Knots:
        """How the first ``span`` seconds of the input run in the output."""
        ...


@dataclass(frozen=True)
class Subdivide:
    """``times`` outputs for each input frame, evenly over the time until the next: constant rates and variable ones alike.

    The output runs ``stretch`` times slower. Each output shows what is to be seen ``late``, a fraction of the time until
    the next, after its own instant.
    """

    times: int
    stretch: Fraction = Fraction(1)
    late: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        if self.times < 1:
            raise InputError(f"{self.times} is not a number of times: it must be a whole number from 1 up")

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        step = (end - start) / self.times
        for time in (start + step * k for k in range(self.times)):
            yield time + step * self.late, first + (time - first) * self.stretch

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return frames * self.times if tail == "hold" else (frames - 1) * self.times + 1

    def knots(self, span: Fraction) -> Knots:
        return (Fraction(0), Fraction(0)), (span, span * self.stretch)


@dataclass(frozen=True)
class Uniform:
    """Outputs at k / ``rate`` seconds from the first frame, whatever the input's rate, ``stretch`` times slower.

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
        return ceil(steps) if tail == "hold" else floor(steps) + 1

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
    """The ``grid`` of a clip whose first frame is at ``first``, where reading begins at the frame at ``begin``."""

    grid: Grid
    first: Fraction
    begin: Fraction

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        return self.grid.within(start, end, self.first)

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return self.grid.count(frames, span, tail)

    def knots(self, span: Fraction) -> Knots:
        """How ``span`` seconds of the input run in the output, both from ``begin`` on."""
        early = self.begin - self.first
        return tuple((place, self.grid.knots(early + place)[-1][1] - early) for place in (Fraction(0), span))


@dataclass(frozen=True)
class Timing:
    """What is asked of time: the instants that the output shows, and its frame rate.

    ``rate`` is None where the input's is not known or not constant.
    """

    grid: Grid
    rate: Fraction | None = None

    def expected(self, frames: int | None, duration: Fraction | None, tail: Tail) -> int | None:
        """How many outputs an input of so many ``frames`` and ``duration`` seconds gives; None where these are not known."""
        if not frames or duration is None:
            return None
        span = duration if tail == "hold" else duration * (frames - 1) / frames
        return self.grid.count(frames, span, tail)

    def length(self, duration: Fraction) -> Fraction:
        """How long the output of an input of ``duration`` seconds lasts."""
        return self.grid.knots(duration)[-1][1]

    def keeps_time(self, duration: Fraction | None = None) -> bool:
        """Whether every instant of an input of ``duration`` seconds is shown at its own time, so that its sound fits."""
        span = duration or Fraction(1)
        knots = self.grid.knots(span)
        return knots[-1][0] == span and all(there == here for there, here in knots)

    def tick(self, source: Fraction | None, duration: Fraction | None) -> Fraction | None:
        """A unit of time of which every output time, and the end, is a multiple; None when none is known.

        ``source`` is such a unit of the input's times, ``duration`` how long the input lasts.
        """
        units = [self.rate and 1 / self.rate, duration and self.length(duration)]
        if isinstance(self.grid, Subdivide):
            units.append(source and source * self.grid.stretch / self.grid.times)
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
        return Timing(Uniform(fps, stretch), fps)
    if times is None:
        times = 2 if slow is None else 1
    rate = None if source is None else source * times
    if stretch.denominator == 1:
        return Timing(Subdivide(times * stretch.numerator, stretch), rate)
    if rate is None:
        raise InputError(
            f"{float(stretch)} times slower needs the clip's frame rate, which is unknown: give the frames a second"
        )
    return Timing(Uniform(rate, stretch), rate)


@dataclass(frozen=True)
class Instant:
    """One output frame, still to be made.

    It shows what is to be seen at ``place`` in the input: at ``t`` in [0,1) between the middle two frames of ``window``, and
    at t = 0 it *is* the earlier of them. ``blend`` says that they are of two shots and mixed, with no regard to motion.
    ``time`` and ``duration`` are the output's, in seconds; ``shot`` counts shots from 0.
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

    ``frames`` come in order of time; their marks (see `core.Frame`) are heeded: no window reaches across a cut, and motion
    goes on through repeats. Distinct frames are read ``window // 2`` ahead. The first and last frame of a shot are repeated
    where a window reaches past them. Output ends with the last frame (``tail="stop"``) or holds it for its duration
    (``"hold"``). The last output lasts until the held end, or as long as the one before it. Raises `InputError` when the
    times do not increase.
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
    """A frame, when it and its repeats begin, when they end, its shot, and the frame that follows, None after the last."""

    frame: Frame
    starts: list[Fraction]
    end: Fraction
    shot: int
    following: Frame | None = None

    def instant(self, window: tuple[Frame, ...], place: Fraction, time: Fraction) -> Instant:
        """What shows the instant ``place``, from the start of this frame up to that of the following, at ``time``."""
        if self.following is None or self.following.cut == "hold":
            return Instant(window, Fraction(0), place, time, shot=self.shot)
        t = (place - self.starts[0]) / (self.end - self.starts[0])
        if self.following.cut == "blend":
            return Instant((self.frame, self.following), t, place, time, blend=True, shot=self.shot)
        return Instant(window, t, place, time, shot=self.shot)


def _windows(frames: Iterable[Frame], size: int) -> Iterator[tuple[_Held, tuple[Frame, ...]]]:
    """Each distinct frame, and the frames around it, of which it stands just left of the middle."""
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
