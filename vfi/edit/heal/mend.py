"""Mending: findings become marks, frames left out or put in, other times of frames, and the map of time that sound follows.

Frames to remake are marked as repeats, so that whoever makes frames goes on through their time. Frames that lie unevenly get
their true times as time stamps, and the frames of the even times are made. Wrong light is taken out by `grade`. Owns what
becomes of the duration. Knows nothing of models or files.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal, TypeAlias, get_args

from ...clips.clip import Info
from ...core import Across, Frame, InputError
from ...parse import exact
from ...timing.eased import Ease, Eased, bridged
from ...timing.grids import Subdivide, Timing, Uniform
from .findings import Finding, overlap
from .grade import graded, ramp

Duration: TypeAlias = Literal["keep", "grow"]
"""What missing frames do to the duration. ``keep``: the motion of the frames around a gap is spread over it, at the clip's own
frame times. ``grow``: the lost frames are made, and the clip lasts as much longer."""

DURATIONS: tuple[Duration, ...] = get_args(Duration)

SPREAD = 4
"""Frames on each side, per lost frame, over whose time the motion of a gap is spread."""

BRIDGE = 8
"""Frames on each side of a border over whose time its step of speed is spread."""

SAME = Fraction(1, 50)
"""Frames that show what lies less than this apart, in frames, show the same."""

EXACT = 1000
"""True times are fractions of a frame with denominators up to this, so that those of a pattern are exact."""

AROUND = Fraction(1, 5)
"""Seconds of sound on each side of inserted time that are stretched over it."""


@dataclass(frozen=True)
class Span:
    """The part from ``start`` to ``end`` of a clip's time, shown in ``length`` seconds; None for ``end`` is the clip's end."""

    start: Fraction
    end: Fraction | None
    length: Fraction | None = None


@dataclass(frozen=True)
class Mending:
    """What to do to a clip whose frames last ``step`` seconds on average and begin at ``begin``; ``cuts`` are the times of its
    cuts, and ``end`` its end. The findings are in order, and each has its time.
    """

    findings: tuple[Finding, ...]
    duration: Duration
    step: Fraction
    begin: Fraction
    end: Fraction
    cuts: tuple[Fraction, ...] = ()

    @property
    def changes_time(self) -> bool:
        """Whether frames are left out, or time is put in."""
        return any(
            one.action in ("cut", "drop") or (one.action == "insert" and self.duration == "grow") for one in self.findings
        )

    @property
    def moves_frames(self) -> bool:
        """Whether frames get other times, at which no output may lie."""
        return any(one.action == "retime" or (one.action == "bridge" and one.speed != 1) for one in self.findings)

    @property
    def regrades(self) -> bool:
        """Whether frames get other light."""
        return any(one.light and one.action in ("regrade", "bridge") for one in self.findings)

    def frames(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames of the clip, mended as far as that needs no new pictures; the rest is marked.

        Raises `InputError` if a finding does not fit the clip, or if no frame is left.
        """
        return self._retimed(self._marked(frames)) if self.moves_frames else (frame for _, _, frame in self._marked(frames))

    def _marked(self, frames: Iterable[Frame]) -> Iterator[tuple[int, Fraction, Frame]]:
        """The frames, each with the number and the time of that of the clip which it is, or which follows it."""
        remade = self._numbers("remake", "spread")
        gone = self._numbers("cut", "drop")
        gaps = {one.first: one.count for one in self.findings if one.action == "insert" and self.duration == "grow"}
        checked = {one.first: one for one in self.findings}
        moved = Fraction(0)
        index, last, cut = -1, None, None
        for index, frame in enumerate(self._graded(frames)):
            if index in checked:
                _check(checked[index], frame)
            if index in gone:
                moved -= frame.duration
                cut = cut or frame.cut
                continue
            for lost in range(gaps.get(index, 0) if last is not None else 0):
                assert last is not None
                put = replace(last, time=frame.time + moved + lost * self.step, duration=self.step, cut=None, repeat=True)
                yield index, frame.time, put
            if last is not None:
                moved += gaps.get(index, 0) * self.step
            begun: Across | None = (cut or frame.cut) if last is not None else None
            last, cut = frame, None
            marked = replace(frame, time=frame.time + moved, cut=begun, repeat=frame.repeat or index in remade)
            yield index, frame.time, marked
        worst = max(self.findings, key=lambda one: one.last, default=None)
        if worst is not None and worst.last > index:
            raise InputError(f"the plan has {_named(worst)} at frame {worst.last}: the clip has only {index + 1} frames")
        if last is None and index >= 0:
            raise InputError(f'all {index + 1} frames would be cut: keep some of the findings, with "action": "keep" in a plan')

    def _graded(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames, in the light that findings ask for."""
        lit = [one for one in self.findings if one.light]
        ramps = [ramp(one, self._time(one), self.step, self._walls()) for one in lit if one.action == "bridge"]
        return graded(frames, [one for one in lit if one.action == "regrade"], ramps)

    def _retimed(self, frames: Iterable[tuple[int, Fraction, Frame]]) -> Iterator[Frame]:
        """The frames at their true times. What shows the same as the frame before repeats it, until the next is due."""
        before: Fraction | None = None
        same: list[Frame] = []
        end = self.end
        for index, stamp, frame in frames:
            begins = before is None or frame.cut is not None
            time = frame.time if begins else frame.time + self._late(index, stamp)
            end = frame.time + frame.duration
            if before is not None and not begins:
                if time < before - SAME * self.step:
                    raise InputError(f"frame {index} would be shown before frame {index - 1}: its offset may be 1 more at most")
                if time < before + SAME * self.step:
                    same.append(frame)
                    continue
            if before is not None:
                yield from _between(same, before, time)
                same = []
            yield replace(frame, time=time, duration=max(end - time, SAME * self.step))
            before = time
        if before is not None:
            yield from _between(same, before, max(end, before))

    def _late(self, index: int, stamp: Fraction) -> Fraction:
        """How many seconds after its time in the clip, which is ``stamp``, frame ``index`` is due."""
        late = -self._offsets[index] * self.step if index in self._offsets else Fraction(0)
        for center, width, speed in self._bridges:
            place = (stamp - center) / width
            if abs(place) < 1:
                late += exact(bridged(float(place), speed) - float(place)).limit_denominator(EXACT) * width
        return late

    @cached_property
    def _offsets(self) -> dict[int, Fraction]:
        """How many frames too late each frame that is to be retimed is shown, when frames are put in and left out."""
        found: dict[int, Fraction] = {}
        put = {one.first: one.count for one in self.findings if one.action == "insert" and self.duration == "grow"}
        gone = self._numbers("drop")
        for one in self.findings:
            if one.action != "retime":
                continue
            late: dict[int, Fraction] = {}
            places: dict[int, int] = {}
            place = -1
            for k, offset in enumerate(one.offsets, start=one.first):
                place += (k not in gone) + (put.get(k, 0) if late else 0)
                places[k] = place
                late[k] = exact(offset).limit_denominator(EXACT) + place - (k - one.first)
            over = late[one.last] / max(places[one.last], 1) if places[one.last] != one.last - one.first else Fraction(0)
            found |= {k: late[k] - over * places[k] for k in late}  # the clip goes on at another pace
        return found

    @cached_property
    def _bridges(self) -> tuple[tuple[Fraction, Fraction, float], ...]:
        """The steps of speed that are spread: when each happens, over how many seconds on each side, and its factor."""
        steps = [(self._time(one) - self.step / 2, one.speed) for one in self.findings if one.action == "bridge"]
        walls = self._walls()
        found = []
        for number, (at, speed) in enumerate(steps):
            near = [*walls]
            if number:
                near.append((steps[number - 1][0] + at) / 2)
            if number + 1 < len(steps):
                near.append((at + steps[number + 1][0]) / 2)
            width = min([BRIDGE * self.step, *(abs(at - wall) for wall in near)])
            if width >= self.step and speed != 1:
                found.append((at, width, speed))
        return tuple(found)

    def _walls(self) -> list[Fraction]:
        """The times over which nothing is spread."""
        return sorted({self.begin, self.end, *self.cuts, *(self._time(one) for one in self.findings if one.action == "cut")})

    def info(self, info: Info) -> Info:
        """The description of the mended clip."""
        if not self.changes_time:
            return info
        gone = len(self._numbers("cut", "drop"))
        put = sum(one.count for one in self.findings if one.action == "insert" and self.duration == "grow")
        lasts = None if info.duration is None else info.duration + self._longer()
        return replace(info, frames=None if info.frames is None else max(info.frames + put - gone, 1), duration=lasts)

    def timing(self, asked: Timing) -> Timing:
        """The timing of an output: where motion is spread over gaps, outputs show other instants at the same times; where
        frames have other times, outputs lie evenly all the same."""
        eases = self._eases()
        grid = asked.grid
        if not eases and not (self.moves_frames and isinstance(grid, Subdivide | Uniform)):
            return asked
        if isinstance(grid, Subdivide) and not grid.late:
            grid = Uniform(grid.times / grid.stretch / self.step, grid.stretch)
        if not isinstance(grid, Uniform):
            raise InputError("missing frames cannot be spread along a curve of speed: insert them instead, with duration grow")
        return replace(asked, grid=Eased(grid, eases, self.step / 16))

    def spans(self) -> list[Span]:
        """The parts of the clip's time that are heard, in order."""
        changes: list[
            tuple[Fraction, Fraction, Fraction]
        ] = []  # start and end of what is left out, and the time that is put in
        for one in self.findings:
            at = self._time(one)
            if one.action in ("cut", "drop"):
                changes.append((at, self._end(one), Fraction(0)))
            elif one.action == "insert" and self.duration == "grow":
                changes.append((at, at, one.count * self.step))
        found = []
        start = Fraction(0)
        for number, (at, until, longer) in enumerate(changes):
            if longer:
                before = start
                after = changes[number + 1][0] if number + 1 < len(changes) else self.end
                around = max(min(AROUND, (at - before) / 2, (after - at) / 2), Fraction(0))
                found += [Span(start, at - around), Span(at - around, at + around, 2 * around + longer)]
                start = at + around
            else:
                found.append(Span(start, at))
                start = until
        ends = bool(changes) and changes[-1][1] >= self.end
        return [
            span
            for span in (*found, *(() if ends else (Span(start, None),)))
            if span.end is None or span.end > span.start or span.length
        ]

    def notes(self, kept: int = 0) -> list[str]:
        """What is done, a sentence for each kind; ``kept`` are the repeats besides that stay as they are."""
        told = []
        for action, words in WORDS.items():
            some = [one for one in self.findings if one.action == action]
            if some:
                kinds = ", ".join(sorted({one.kind for one in some}))
                listed = ", ".join(one.where for one in some[:8]) + (" and later" if len(some) > 8 else "")
                frames = sum(one.count for one in some)
                how = words if action != "insert" or self.duration == "grow" else "motion is spread over the gap"
                if kept and kinds == "repeat":
                    how, kept = f"{how}; {kept} other repeat{'s are' if kept != 1 else ' is'} kept", 0
                told.append(f"{frames} frame{'s' if frames != 1 else ''} ({kinds}) at frame {listed}: {how}")
        if longer := self._longer():
            told.append(f"the clip lasts {float(abs(longer)):.3f} s {'longer' if longer > 0 else 'less'}")
        return told

    def _numbers(self, *actions: str) -> set[int]:
        return {k for one in self.findings if one.action in actions for k in range(one.first, one.last + 1)}

    def _time(self, one: Finding) -> Fraction:
        return self.begin + one.first * self.step if one.start is None else one.start

    def _end(self, one: Finding) -> Fraction:
        return self._time(one) + (one.last - one.first + 1) * self.step if one.end is None else one.end

    def _longer(self) -> Fraction:
        gone = sum((self._end(one) - self._time(one) for one in self.findings if one.action in ("cut", "drop")), Fraction(0))
        put = [one.count * self.step for one in self.findings if one.action == "insert" and self.duration == "grow"]
        return sum(put, Fraction(0)) - gone

    def _gone(self, at: Fraction) -> Fraction:
        """How much time is left out before ``at``."""
        gone = [
            self._end(one) - self._time(one) for one in self.findings if one.action in ("cut", "drop") and self._time(one) < at
        ]
        return sum(gone, Fraction(0))

    def _eases(self) -> tuple[Ease, ...]:
        """The spread of gaps; where frames have their true times, nothing else is needed."""
        if self.duration == "grow":
            return ()
        gaps = [
            (self._time(one), one.count) for one in self.findings if one.action == "insert" and one.first not in self._offsets
        ]
        walls = self._walls()
        eases = []
        for number, (at, lost) in enumerate(gaps):
            widest = SPREAD * lost * self.step
            earlier, later = bisect_left(walls, at), bisect_right(walls, at)
            early = walls[earlier - 1] if earlier else self.begin
            late = walls[later] if later < len(walls) else self.end
            if number:
                early = max(early, (gaps[number - 1][0] + at) / 2)
            if number + 1 < len(gaps):
                late = min(late, (at + gaps[number + 1][0]) / 2)
            before, after = min(at - self.step - early, widest), min(late - self.step - at, widest)
            if before > 0 and after > 0:
                here = at - self._gone(at)
                eases.append(Ease(here - self.step - before, here - self.step, here, here + after, lost * self.step))
        return tuple(eases)


WORDS = {
    "remake": "remade from the frames around them",
    "insert": "made",
    "spread": "motion goes on through them",
    "drop": "left out",
    "cut": "cut off",
    "regrade": "their light is made even",
    "bridge": "the step is spread over the frames around it",
    "retime": "shown at their true times",
}


def _between(same: Sequence[Frame], before: Fraction, after: Fraction) -> Iterator[Frame]:
    """Repeats of a frame shown at ``before``, evenly over the time until ``after``."""
    step = (after - before) / (len(same) + 1)
    for number, frame in enumerate(same, start=1):
        yield replace(frame, time=before + number * step, duration=step, repeat=True)


def _named(one: Finding) -> str:
    return f"a finding of {one.kind}"


def _check(one: Finding, frame: Frame) -> None:
    if one.start is not None and one.start != frame.time:
        raise InputError(
            f"the plan has {_named(one)} at frame {one.first}, at {float(one.start):.3f} s: this frame of the clip begins at "
            f"{float(frame.time):.3f} s, so the plan belongs to another clip"
        )


def mending(
    findings: Sequence[Finding],
    duration: Duration,
    *,
    frames: int,
    begin: Fraction,
    lasts: Fraction,
    cuts: Sequence[Fraction] = (),
) -> Mending:
    """The mending of a clip of ``frames`` frames from ``begin`` seconds on, which last ``lasts``. Raises `InputError` if
    findings overlap."""
    found = tuple(sorted((one for one in findings if one.action != "keep"), key=lambda one: (one.first, one.last)))
    running: list[Finding] = []
    for one in found:
        running = [other for other in running if other.last >= one.first]
        if (other := next((other for other in running if overlap(one, other)), None)) is not None:
            kinds = f"{other.kind} and {one.kind}"
            raise InputError(f"findings overlap at frame {one.first}, {kinds}: set the action of one to keep")
        running.append(one)
    return Mending(found, duration, lasts / frames, begin, begin + lasts, tuple(cuts))
