"""Which frames of an interpolated clip are the source's own, and between which of these the others lie.

Found by comparing small pictures, whatever program made the clip. Knows nothing of how frames are judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from typing import TypeAlias

import numpy as np

from ..core import Frame, InputError
from ..edit.heal.pictures import Picture, thumbnail
from ..parse import quoted, whole
from ..timing.grids import Subdivide, resample

LOOKED_AT = 300
"""Frames of the source by which the rule is found."""

MOST_TIMES = 8
"""The most frames that are looked for per frame of the source, where their times do not tell."""

SAME = 3.0
"""Mean difference of small pictures, of 255, below which one may be the other, coded again."""

CLEARLY = 0.35
"""The same as a share of the difference from one frame of the source to the next."""

MOST_UNTIMED = 0.75
"""Share of the source's frames at whose times none may be made: 24 to 60 frames per second meet at every second one."""

NEAR = Fraction(1, 8)
"""Part of a step of the source within which two times are one."""


@dataclass(frozen=True)
class Every:
    """Frame ``first`` is real, and every ``step``-th from there on: frame k of the source is number ``first`` + k ``step``."""

    step: int
    first: int = 0

    @classmethod
    def parse(cls, text: str) -> Every:
        """``every:2``, or ``every:2+1`` if the first real frame is number 1. Raises `InputError`."""
        name, _, rest = text.partition(":")
        step, _, first = rest.partition("+")
        try:
            found = cls(whole(step), whole(first) if first else 0)
        except ValueError:
            found = cls(0)
        if name != "every" or found.step < 2:
            raise InputError(
                f"{quoted(text)} was given as the real frames: give every:2, every:4 or, from frame 1 on, every:2+1"
            )
        return found

    def __str__(self) -> str:
        return f"every:{self.step}" + (f"+{self.first}" if self.first else "")


@dataclass(frozen=True)
class ByTime:
    """Frames are real that are shown at the time of a frame of the source; others lie between by their time."""

    def __str__(self) -> str:
        return "those at the times of the source's frames"


Rule: TypeAlias = Every | ByTime


@dataclass(frozen=True)
class Asked:
    """A frame to judge: its ``number`` and ``time`` in its clip, and the ``window`` of real frames.

    It lies at ``t`` between the middle two; ``after`` is the number of the first of these in the source. ``made`` is None if it
    is yet to be made."""

    number: int
    after: int
    time: Fraction
    t: float
    window: tuple[Frame, ...]
    made: Frame | None


@dataclass(frozen=True)
class _Gap:
    """Two frames of the source that follow one another within a shot, and the window around them."""

    index: int
    window: tuple[Frame, ...]
    start: Fraction
    end: Fraction


def _gaps(source: Iterable[Frame], size: int) -> Iterator[_Gap]:
    index = -1
    for instant in resample(source, Subdivide(2), window=size):
        if instant.t == 0:
            index += instant.place == instant.before.time  # half-way to a cut the frame is held
            continue
        after = instant.window[len(instant.window) // 2]
        yield _Gap(index, instant.window, instant.before.time, after.time)


def unmade(source: Iterable[Frame], size: int) -> Iterator[Asked]:
    """The frames half-way between those of ``source``, which are yet to be made, each with a window of ``size`` frames."""
    for gap in _gaps(source, size):
        yield Asked(2 * gap.index + 1, gap.index, (gap.start + gap.end) / 2, 0.5, gap.window, None)


def real_frames(made: Iterable[Frame], rule: Every) -> Iterator[Frame]:
    """The frames of an interpolated clip that are real by ``rule``; each lasts until the next."""
    waiting: Frame | None = None
    for number, frame in enumerate(made):
        if number >= rule.first and (number - rule.first) % rule.step == 0:
            if waiting is not None:
                yield replace(waiting, duration=frame.time - waiting.time)
            waiting = frame
    if waiting is not None:
        yield waiting


def between(made: Iterable[Frame], source: Iterable[Frame], rule: Rule, size: int) -> Iterator[Asked]:
    """The frames of ``made`` that are not real by ``rule``, each with a window of ``size`` frames of ``source``.

    Frames across a cut, before the first real frame or after the last are not judged. Holds the frames of one gap.
    """
    numbered = enumerate(made)
    waiting = next(numbered, None)
    origin = Fraction(0)
    first: Fraction | None = None
    if waiting is not None:
        origin = waiting[1].time
    for gap in _gaps(source, size):
        if first is None:
            first = gap.start if gap.index == 0 else None
        while waiting is not None:
            number, frame = waiting
            t = _place(rule, gap, number, frame.time - origin, gap.start - (first or Fraction(0)))
            if t >= 1:
                break
            if t > 0:
                yield Asked(number, gap.index, frame.time, float(t), gap.window, frame)
            waiting = next(numbered, None)


def _place(rule: Rule, gap: _Gap, number: int, time: Fraction, start: Fraction) -> Fraction:
    """Where a frame lies in a gap: 0 or less at its first frame and before, 1 or more at its last and after."""
    if isinstance(rule, Every):
        return Fraction(number - rule.first - gap.index * rule.step, rule.step)
    t = (time - start) / (gap.end - gap.start)
    return Fraction(round(t)) if abs(t - round(t)) < NEAR else t


SAY = "say which are, such as --real every:2"
"""What to do if the real frames are not found."""


def rule_of(made: Iterable[Frame], source: Iterable[Frame], *, timed: bool = True, advice: str = SAY) -> Rule:
    """How the real frames of ``made`` are found, from the beginning of both clips.

    ``timed``: both have times of their own, which may tell. Raises `InputError`, with ``advice``, if nothing fits.
    """
    true = [(frame.time, thumbnail(frame)) for frame in islice(source, LOOKED_AT)]
    given = [(frame.time, thumbnail(frame)) for frame in islice(made, LOOKED_AT * MOST_TIMES)]
    if len(true) < 2 or len(given) < 3:
        raise InputError(f"{len(given)} frames were given, made of {len(true)}: it takes 3 of 2 to have one between them")
    if true[0][1].shape != given[0][1].shape:
        raise InputError("the clip and its source differ in shape: made frames are judged against a source of the same shape")
    known = min(len(true), LOOKED_AT)
    scale = float(np.median([_apart(true[k][1], true[k + 1][1]) for k in range(known - 1)]))
    numbers = _at_times(true, given)
    missed = _missed(true, given, numbers) if timed else None
    tried: list[tuple[float, int, Rule]] = [] if missed is None else [(missed, 0, ByTime())]
    for step in range(2, MOST_TIMES + 1):
        for first in range(step):
            missed = _missed(true, given, [first + k * step for k in range(known)])
            tried += [] if missed is None else [(missed, 1 + len(tried), Every(step, first))]
    best = min(tried, key=lambda one: one[:2], default=None)
    clearly = min(SAME, max(CLEARLY * scale, SAME / 10))
    if best is None or best[0] > (SAME if _foretold(best[2], numbers, len(given)) else clearly):
        raise InputError(f"none of its frames are those of the source at even steps: {advice}")
    return best[2]


def _foretold(rule: Rule, numbers: list[int], given: int) -> bool:
    """Whether a rule agrees with the times of enough frames, or with how many there are. Then `SAME` is its only limit, as
    coding may hide small steps."""
    if isinstance(rule, ByTime):
        return numbers.count(-1) <= MOST_UNTIMED * len(numbers)
    return rule.first == 0 and given in (len(numbers) * rule.step, (len(numbers) - 1) * rule.step + 1)


def _at_times(true: list[tuple[Fraction, Picture]], given: list[tuple[Fraction, Picture]]) -> list[int]:
    """The number of the made frame at the time of each true one, -1 if there is none; times count from the first frames."""
    step = (true[-1][0] - true[0][0]) / (len(true) - 1)
    times = [float(time - given[0][0]) for time, _ in given]
    found = []
    for time, _ in true:
        wanted = float(time - true[0][0])
        nearest = min(max(int(np.searchsorted(times, wanted)), 0), len(times) - 1)
        near = min((nearest - 1, nearest), key=lambda k: abs(times[k] - wanted) if k >= 0 else 1e9)
        found.append(near if abs(times[near] - wanted) < float(step * NEAR) else -1)
    return found


def _missed(true: list[tuple[Fraction, Picture]], given: list[tuple[Fraction, Picture]], numbers: list[int]) -> float | None:
    """How far the true frames differ from those of these numbers, by those that are there; None if fewer than 2 are."""
    pairs = [(k, number) for k, number in enumerate(numbers) if 0 <= number < len(given)]
    if len(pairs) < 2 or (len(pairs) < len(true) / 4 and pairs[-1][1] < len(given) - 2):
        return None
    return float(np.median([_apart(true[k][1], given[number][1]) for k, number in pairs]))


def _apart(one: Picture, other: Picture) -> float:
    return float(np.abs(one - other).mean())
