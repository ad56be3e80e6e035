"""Mending: findings become marks, frames left out or put in, and the map of time that sound follows.

Frames to remake are marked as repeats, so that whoever makes frames goes on through their time. Owns what becomes of the
duration. Knows nothing of pictures, models or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

from ...clips.clip import Info
from ...core import Across, Frame, InputError
from ...timing.eased import Ease, Eased
from ...timing.grids import Subdivide, Timing, Uniform
from .findings import Finding, overlap

Duration: TypeAlias = Literal["keep", "grow"]
"""What missing frames do to the duration. ``keep``: the motion of the frames around a gap is spread over it, at the clip's own
frame times. ``grow``: the lost frames are made, and the clip lasts as much longer."""

DURATIONS: tuple[Duration, ...] = get_args(Duration)

SPREAD = 4
"""Frames on each side, per lost frame, over whose time the motion of a gap is spread."""

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

    def frames(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames of the clip, mended as far as that needs no new pictures; the rest is marked.

        Raises `InputError` if a finding does not fit the clip, or if no frame is left.
        """
        remade = self._numbers("remake", "spread")
        gone = self._numbers("cut", "drop")
        gaps = {one.first: one.count for one in self.findings if one.action == "insert" and self.duration == "grow"}
        checked = {one.first: one for one in self.findings}
        moved = Fraction(0)
        index, last, cut = -1, None, None
        for index, frame in enumerate(frames):
            if index in checked:
                _check(checked[index], frame)
            if index in gone:
                moved -= frame.duration
                cut = cut or frame.cut
                continue
            for lost in range(gaps.get(index, 0) if last is not None else 0):
                assert last is not None
                yield replace(last, time=frame.time + moved + lost * self.step, duration=self.step, cut=None, repeat=True)
            if last is not None:
                moved += gaps.get(index, 0) * self.step
            begun: Across | None = (cut or frame.cut) if last is not None else None
            last, cut = frame, None
            yield replace(frame, time=frame.time + moved, cut=begun, repeat=frame.repeat or index in remade)
        worst = max(self.findings, key=lambda one: one.last, default=None)
        if worst is not None and worst.last > index:
            raise InputError(f"the plan has {_named(worst)} at frame {worst.last}: the clip has only {index + 1} frames")
        if last is None and index >= 0:
            raise InputError(f'all {index + 1} frames would be cut: keep some of the findings, with "action": "keep" in a plan')

    def info(self, info: Info) -> Info:
        """The description of the mended clip."""
        if not self.changes_time:
            return info
        gone = len(self._numbers("cut", "drop"))
        put = sum(one.count for one in self.findings if one.action == "insert" and self.duration == "grow")
        lasts = None if info.duration is None else info.duration + self._longer()
        return replace(info, frames=None if info.frames is None else max(info.frames + put - gone, 1), duration=lasts)

    def timing(self, asked: Timing) -> Timing:
        """The timing of an output: where motion is spread over gaps, outputs show other instants at the same times."""
        eases = self._eases()
        grid = asked.grid
        if not eases:
            return asked
        if isinstance(grid, Subdivide) and not grid.late:
            grid = Uniform(grid.times / grid.stretch / self.step, grid.stretch)
        if not isinstance(grid, Uniform):
            raise InputError("missing frames cannot be spread along a curve: insert them first, with vfi heal --duration grow")
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

    def notes(self) -> list[str]:
        """What is done, a sentence for each kind."""
        told = []
        for action, words in WORDS.items():
            some = [one for one in self.findings if one.action == action]
            if some:
                kinds = ", ".join(sorted({one.kind for one in some}))
                listed = ", ".join(_span(one) for one in some[:8]) + (" and later" if len(some) > 8 else "")
                frames = sum(one.count for one in some)
                how = words if action != "insert" or self.duration == "grow" else "motion is spread over the gap"
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

    def _eases(self) -> tuple[Ease, ...]:
        if self.duration == "grow":
            return ()
        gaps = [(self._time(one), one.count) for one in self.findings if one.action == "insert"]
        walls = sorted({self.begin, self.end, *self.cuts, *(self._time(one) for one in self.findings if one.action == "cut")})
        eases = []
        for number, (at, lost) in enumerate(gaps):
            widest = SPREAD * lost * self.step
            early = max([wall for wall in walls if wall < at] or [self.begin])
            late = min([wall for wall in walls if wall > at] or [self.end])
            if number:
                early = max(early, (gaps[number - 1][0] + at) / 2)
            if number + 1 < len(gaps):
                late = min(late, (at + gaps[number + 1][0]) / 2)
            before, after = min(at - self.step - early, widest), min(late - self.step - at, widest)
            if before > 0 and after > 0:
                eases.append(Ease(at - self.step - before, at - self.step, at, at + after, lost * self.step))
        return tuple(eases)


WORDS = {
    "remake": "remade from the frames around them",
    "insert": "made",
    "spread": "motion goes on through them",
    "drop": "left out",
    "cut": "cut off",
}


def _span(one: Finding) -> str:
    return str(one.first) if one.first == one.last else f"{one.first}-{one.last}"


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
