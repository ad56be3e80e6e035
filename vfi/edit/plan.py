"""The plan of a clip, as data: its shots, fades, flashes, repeats and findings, how each is handled, and the output that
is wanted.

It can be saved as JSON, edited and loaded again: frames are marked by their exact times. Owns that data and its text. `find`
detects what goes into it, `run` acts on the marks.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from ..clips.clip import Edited, Reader
from ..core import Across, Frame, InputError
from ..parse import Fields, anything, count, one_of, or_none, positive, read_json, seconds, share
from ..timing.grids import Timing, exact_rate, timing
from .duplicates import Repeats
from .heal.findings import BETWEEN, COURSES, Finding
from .heal.mend import DURATIONS, Duration, Mending, mending

T = TypeVar("T")

Cuts: TypeAlias = 'Across | Literal["interpolate"]'
"""Shown between two shots: the last frame of the earlier, held; a blend; or motion, as if there were no cut."""

Duplicates: TypeAlias = Literal["keep", "spread"]
"""How repeated frames are handled: kept, or motion is spread over their time."""

Flashes: TypeAlias = Literal["keep", "remake"]
"""How flashes are handled: kept, or made anew from the frames around them."""

CUTS: tuple[Cuts, ...] = ("hold", "blend", "interpolate")
DUPLICATES: tuple[Duplicates, ...] = get_args(Duplicates)
FLASHES: tuple[Flashes, ...] = get_args(Flashes)

FORMAT = 1
"""Version of the JSON format, under ``plan``."""

LISTED = 8
"""At most this many times are listed in a sentence."""


@dataclass(frozen=True)
class Source:
    """Facts about the clip of a plan; times in seconds, ``rate`` in frames per second."""

    frames: int
    duration: Fraction
    rate: Fraction | None
    width: int
    height: int


@dataclass(frozen=True)
class Shot:
    """``frames`` frames from the time ``start`` on; ``across`` says what is shown between the previous shot and this one.

    ``score`` is the share of the picture that neither motion nor light explains, None if it was not measured.
    """

    start: Fraction
    frames: int
    across: Cuts = "hold"
    score: float | None = None


@dataclass(frozen=True)
class Event:
    """A fade through black or white, or a flash: ``frames`` frames from ``start`` on. A fade is only reported."""

    kind: Literal["fade", "flash"]
    start: Fraction
    frames: int


@dataclass(frozen=True)
class Output:
    """The frames to make, as arguments of `grids.timing`."""

    times: int | None = None
    fps: Fraction | None = None
    slow: Fraction | None = None

    def timing(self, rate: Fraction | None) -> Timing:
        """The timing for a clip of ``rate`` frames per second. Raises `InputError`."""
        return timing(rate, times=self.times, fps=self.fps, slow=self.slow)


TWICE = Output()
"""The default: twice as many frames."""


@dataclass(frozen=True)
class Plan:
    """What a clip contains and what to make of it; see the parts. Shots, events and repeats are in time order."""

    source: Source
    shots: tuple[Shot, ...]
    events: tuple[Event, ...] = ()
    repeats: tuple[Repeats, ...] = ()
    duplicates: Duplicates = "keep"
    output: Output = TWICE
    flashes: Flashes = "keep"
    findings: tuple[Finding, ...] = ()
    duration: Duration = "keep"

    def marked(self, frames: Iterable[Frame], stated: int | None = None) -> Iterator[Frame]:
        """The frames of the clip, marked as planned. ``stated``: how many its file says there are, for messages.

        Raises `InputError` if no frame begins at a time in the plan, or if the clip has more frames than the plan's, or fewer.
        """
        wanted = self._wanted()
        before: Frame | None = None
        repeating = number = 0
        for number, frame in enumerate(frames, start=1):
            if number > self.source.frames:
                raise self._of_another("more" if stated is None or stated < number else str(stated))
            while wanted and wanted[-1][0] < frame.time:
                raise _missing(*wanted[-1][:2], before, frame)
            cut: Across | None = None
            while wanted and wanted[-1][0] == frame.time:
                _, _, across, count = wanted.pop()
                cut, repeating = across or cut, count or repeating
            if before is None:
                cut = None
            yield replace(frame, cut=cut, repeat=repeating > 0) if cut or repeating else frame
            before, repeating = frame, max(repeating - 1, 0)
        if wanted:
            raise _missing(*wanted[-1][:2], before, None)
        if number < self.source.frames:
            raise self._of_another(str(number))

    def _of_another(self, frames: str) -> InputError:
        """The error for a clip of so many ``frames``, in words, which the plan is not of."""
        length = f"{_counted(self.source.frames, 'frame')} ({float(self.source.duration):.3f} s)"
        return InputError(f"the plan is of a clip of {length}, and this one has {frames}: give the plan of this clip")

    def applied(self, clip: Reader) -> Edited:
        """The clip with its frames `marked`, and mended as the findings ask."""
        if not self.findings:
            return Edited(clip.info, clip.notes, lambda: self.marked(clip, clip.info.frames))
        mended = self.mending
        return Edited(mended.info(clip.info), clip.notes, lambda: mended.frames(self.marked(clip, clip.info.frames)))

    @property
    def mending(self) -> Mending:
        """What the findings ask to be done."""
        source = self.source
        cuts = [shot.start for shot in self.shots[1:] if shot.across != "interpolate"]
        return mending(
            self.findings, self.duration, frames=source.frames, begin=self.shots[0].start, lasts=source.duration, cuts=cuts
        )

    def _wanted(self) -> list[tuple[Fraction, str, Across | None, int]]:
        """The marks, last first: time, name, what is shown across the cut, and how many frames repeat."""
        marks: list[tuple[Fraction, str, Across | None, int]] = [
            (shot.start, "a shot", None if shot.across == "interpolate" else shot.across, 0) for shot in self.shots
        ]
        if self.duplicates == "spread":
            marks += [(run.start, "a repeat", None, run.frames) for run in self.repeats]
        marks += [(flash.start, "a flash", None, flash.frames) for flash in self._remade]
        return sorted(marks, key=lambda mark: mark[0], reverse=True)

    @property
    def _remade(self) -> list[Event]:
        """The flashes that are made anew."""
        return [event for event in self.events if event.kind == "flash"] if self.flashes == "remake" else []

    def with_policies(self, cuts: Cuts | None, duplicates: Duplicates | None, flashes: Flashes | None = None) -> Plan:
        """A copy with other policies for all of its cuts, repeats and flashes; None keeps them."""
        planned = self.shots if cuts is None else tuple(replace(shot, across=cuts) for shot in self.shots)
        return replace(self, shots=planned, duplicates=duplicates or self.duplicates, flashes=flashes or self.flashes)

    def with_findings(self, found: Sequence[Finding]) -> Plan:
        """The plan with these findings in place of its own.

        What a fault looks like is no cut, repeat or flash of the clip: such marks of the frames of findings are left out.
        """
        times = [(one.start, one.end, one.action == "remake") for one in found if one.kind not in (*BETWEEN, *COURSES)]
        faults = [(start, end, remade) for start, end, remade in times if start is not None and end is not None]

        def sound(time: Fraction) -> bool:
            return not any(start <= time < end for start, end, _ in faults)

        first, *others = self.shots
        kept = [first]
        for shot in others:
            if any(start <= shot.start <= end for start, end, remade in faults if remade):
                kept[-1] = replace(kept[-1], frames=kept[-1].frames + shot.frames)
            else:
                kept.append(shot)
        return replace(
            self,
            shots=tuple(kept),
            events=tuple(event for event in self.events if sound(event.start)),
            repeats=tuple(run for run in self.repeats if sound(run.start)),
            findings=tuple(found),
        )

    def timing(self) -> Timing:
        """Timing of the output. Raises `InputError`."""
        return self.output.timing(self.source.rate)

    def expected(self) -> int | None:
        """Number of output frames."""
        return self.timing().expected(self.source.frames, self.source.duration, "hold")

    def notes(self) -> list[str]:
        """The cuts, repeats and remade flashes and how they are handled, one sentence each."""
        told = []
        if len(self.shots) > 1:
            policies = sorted({shot.across for shot in self.shots[1:]})
            told.append(f"{_at('cut', [shot.start for shot in self.shots[1:]])} ({', '.join(policies)})")
        repeats = sum(run.frames for run in self.repeats)
        mends = self.duplicates == "keep" and any(one.kind == "repeat" and one.action != "keep" for one in self.findings)
        if repeats and not mends:
            told.append(f"{_counted(repeats, 'repeat')} in {self.source.frames} frames ({self.duplicates})")
        if self._remade:
            told.append(f"{_at('flash', [flash.start for flash in self._remade])} (remake)")
        return [*told, *(self.mending.notes(repeats if mends else 0) if self.findings else ())]

    def event_notes(self) -> list[str]:
        """The fades and the flashes that stay, one sentence each."""
        stay = [event for event in self.events if event not in self._remade]
        starts = {kind: [event.start for event in stay if event.kind == kind] for kind in ("fade", "flash")}
        return [_at(kind, times) for kind, times in starts.items() if times]

    def cadence(self, shot: int) -> str:
        """How long the pictures of a shot are held, in words such as "on twos"; empty if none is held."""
        first, last = self.shots[shot].start, self.shots[shot + 1].start if shot + 1 < len(self.shots) else None
        runs = [run.frames for run in self.repeats if run.start >= first and (last is None or run.start < last)]
        if not runs:
            return ""
        frames, repeats = self.shots[shot].frames, sum(runs)
        holds = Counter(count + 1 for count in runs)
        holds[1] = frames - repeats - len(runs)
        hold, often = holds.most_common(1)[0]
        words = {2: "twos", 3: "threes", 4: "fours", 5: "fives", 6: "sixes"}
        mostly = "" if often == frames - repeats else "mostly "
        return f"{mostly}on {words.get(hold, hold)}, {_counted(repeats, 'repeat')}" if hold > 1 else _counted(repeats, "repeat")

    def to_json(self) -> str:
        """The plan as JSON, for `from_json`; times are exact, such as "1001/24000"."""
        data: dict[str, Any] = {
            "plan": FORMAT,
            "source": {
                "frames": self.source.frames,
                "duration": str(self.source.duration),
                "rate": None if self.source.rate is None else str(self.source.rate),
                "width": self.source.width,
                "height": self.source.height,
            },
            "shots": [
                {"start": str(shot.start), "frames": shot.frames, "across": shot.across, "score": shot.score}
                for shot in self.shots
            ],
            "events": [{"kind": one.kind, "start": str(one.start), "frames": one.frames} for one in self.events],
            "flashes": self.flashes,
            "duplicates": self.duplicates,
            "repeats": [{"start": str(run.start), "frames": run.frames} for run in self.repeats],
            "output": {
                "times": self.output.times,
                "fps": None if self.output.fps is None else str(self.output.fps),
                "slow": None if self.output.slow is None else str(self.output.slow),
                "frames": self.expected(),
            },
        }
        data["shots"][0].pop("across")
        if self.findings:
            data |= {"duration": self.duration, "findings": [one.as_dict() for one in self.findings]}
        return _compact(data)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Parse a plan. Raises `InputError`, which names the wrong field and what it may hold.

        ``source.frames`` must be those of the clip. The rest of ``source``, and the ``frames`` of shots and ``output``, are
        informative: they only appear in messages.
        """
        top = Fields(read_json(text, "the plan is"), "", "the plan")
        if (form := top.take("plan", count(1))) != FORMAT:
            raise InputError(f"plan is {form}: this version reads format {FORMAT}")
        source, output = Fields(top.take("source", anything), "source"), Fields(top.take("output", anything, {}), "output")
        shots = top.objects("shots")
        if not shots:
            raise InputError("shots is empty: a clip has at least one")
        events = top.objects("events", [])
        repeats = top.objects("repeats", [])
        findings = top.objects("findings", [])
        read = cls(
            Source(
                source.take("frames", count(1)),
                source.take("duration", seconds),
                source.take("rate", or_none(_rate), None),
                source.take("width", count(1)),
                source.take("height", count(1)),
            ),
            tuple(
                Shot(
                    one.take("start", seconds),
                    one.take("frames", count(0), 0),
                    one.take("across", one_of(CUTS), "hold"),
                    one.take("score", or_none(share), None),
                )
                for one in shots
            ),
            tuple(
                Event(one.take("kind", one_of(("fade", "flash"))), one.take("start", seconds), one.take("frames", count(0), 0))
                for one in events
            ),
            tuple(Repeats(one.take("start", seconds), one.take("frames", count(1), 1)) for one in repeats),
            top.take("duplicates", one_of(DUPLICATES), "keep"),
            Output(
                output.take("times", or_none(count(1)), None),
                output.take("fps", or_none(_rate), None),
                output.take("slow", or_none(positive), None),
            ),
            top.take("flashes", one_of(FLASHES), "keep"),
            tuple(Finding.of(one) for one in findings),
            top.take("duration", one_of(DURATIONS), "keep"),
        )
        output.take("frames", or_none(count(0)), None)
        for part in (top, source, output, *shots, *events, *repeats, *findings):
            part.end()
        for name, starts in (("shots", [shot.start for shot in read.shots]), ("repeats", [run.start for run in read.repeats])):
            for index, (before, start) in enumerate(pairwise(starts), start=1):
                if start <= before:
                    raise InputError(f"{name}[{index}].start is {start}: it must be after the one before, {before}")
        read.timing()
        if read.findings and not read.source.duration:
            raise InputError("source.duration is 0: findings need the length of the clip")
        _ = read.mending
        return read


def _rate(value: Any) -> Fraction:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError('it must be a frame rate such as "60" or "30000/1001"')
    return exact_rate(value)


def _missing(time: Fraction, what: str, before: Frame | None, after: Frame | None) -> InputError:
    """The error for a ``time`` at which no frame begins, between two that do."""
    near = min((frame.time for frame in (before, after) if frame), key=lambda begins: abs(begins - time), default=None)
    nearest = "the clip has no frames" if near is None else f"the nearest frame begins at {near} ({float(near):.3f} s)"
    return InputError(f"the plan has {what} at {time} ({float(time):.3f} s), where no frame begins: {nearest}")


def _at(kind: str, times: Sequence[Fraction]) -> str:
    """The number of a kind and their times, in words."""
    counted = _counted(len(times), kind)
    listed = ", ".join(f"{float(time):.3f}" for time in times[:LISTED])
    return f"{counted}, at {listed} s" if len(times) <= LISTED else f"{counted}, at {listed} s and later"


def _counted(count: int, kind: str) -> str:
    """1 cut, 2 cuts, 2 flashes."""
    return f"{count} {kind}{'' if count == 1 else 'es' if kind.endswith('sh') else 's'}"


def _compact(data: dict[str, Any]) -> str:
    """JSON with one line per list entry, which is easy to edit."""
    parts = []
    for key, value in data.items():
        text = json.dumps(value)
        if isinstance(value, list) and value:
            text = "[\n" + ",\n".join(f"    {json.dumps(one)}" for one in value) + "\n  ]"
        parts.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
