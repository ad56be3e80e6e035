"""The report of a clip as a page: from what was observed and planned to facts, figures, pictures and tables.

Owns what is said and shown. Knows nothing of how pages look, or where they go.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import exp, isfinite, nan
from typing import Literal, TypeAlias

from ...pages.curves import clock, reach, shown
from ...pages.page import Chart, Figure, Lane, Link, Mark, Moment, Notes, Page, Pairs, Part, Picture, Section, Series, Table
from ...pages.pictures import encoded
from ...timecode import DROPPED, written
from ..plan import Plan
from .findings import BETWEEN, COURSES, KINDS, Finding
from .observed import Observed
from .stills import Moves, Still, around, inside, key_of
from .traces import Trace

LISTED = 1000
"""The most findings that the table lists."""

LONG = 0.25
"""Share of the clip from which a finding is not tinted in the curves: tint is to show a place."""

BESIDE = 10
"""Frames on each side of a finding in the curves beside its pictures, at least."""

Measured: TypeAlias = Literal["light", "red", "blue", "motion"]

CHARTS: dict[Measured, Chart] = {
    "light": Chart("Brightness", "mean luma, 0 to 255", (), 0, 255, 8),
    "red": Chart("Colour, green to red", "mean R - G", (), -255, 255, 8),
    "blue": Chart("Colour, yellow to blue", "mean B - (R + G) / 2", (), -255, 255, 8),
    "motion": Chart("Motion", "% of the longer side per frame", (), 0, None, 0.2, True),
}
"""Titles, units and bounds of the curves."""

NEAR: dict[str, tuple[Measured, ...]] = {"drift": ("light", "red", "blue"), "pulse": ("light", "red", "blue")}
"""The curves beside the pictures of a finding; brightness and motion of all other kinds."""

TITLES = {
    "flash": "Flash",
    "dark": "Dark",
    "corrupt": "Corrupt",
    "missing": "Missing",
    "repeat": "Repeated",
    "freeze": "Frozen",
    "junk": "Junk",
    "border": "Border inside a shot",
    "drift": "Drift",
    "pulse": "Pulse",
    "uneven": "Uneven motion",
}

DONE = {
    "remake": "remade from the frames around {}",
    "spread": "motion goes on through {}",
    "drop": "left out",
    "cut": "cut off",
    "bridge": "the step is spread over the frames around it",
    "regrade": "the light is corrected",
    "retime": "each frame is shown at its true time, and even times are made",
}
"""What is done about a finding."""

GONE = {"cut": "cut off", "drop": "left out"}
"""What stands in place of a frame that is not there afterwards."""

HOW = (
    "Measured on each frame, averaged down to at most 128 pixels on the longer side. Motion is what nine tenths of the pixels "
    "stay below; there is none across a cut.",
    "Curves of long clips show the lowest and the highest value of every column, so that no single frame is lost.",
)


@dataclass(frozen=True)
class Names:
    """The clip's name, that of what was made of it (None: nothing was made), and what made the new frames."""

    clip: str
    made: str | None = None
    model: str = ""
    version: str = ""


def page(names: Names, plan: Plan, seen: Observed, notes: Sequence[str] = ()) -> Page:
    """The report on a clip whose ``plan`` was followed, or only listed; ``notes`` are sentences of its reader and writer."""
    return _Sheet(names, plan, seen).page(notes)


class _Sheet:
    def __init__(self, names: Names, plan: Plan, seen: Observed) -> None:
        self.names, self.plan, self.seen = names, plan, seen
        self.mends = names.made is not None
        self.trace, self.now = seen.trace, seen.now if self.mends else None
        self.begin = self.trace.times[0] if len(self.trace) else 0.0
        self.end = max(self.trace.end, self.begin)
        self.constant = _constant(self.trace, seen.info.rate)
        self.moves = Moves(plan.mending if self.mends and plan.findings else None)
        self.middles = [(time + self.trace.ends(k)) / 2 for k, time in enumerate(self.trace.times)]
        self.places: list[float] = []  # of what was made, at the same place of the clip
        if self.now is not None:
            halves = ((self.now.ends(k) - time) / 2 for k, time in enumerate(self.now.times))
            self.places = [self.moves.place(time) + half for time, half in zip(self.now.times, halves, strict=True)]
        self.cuts = [float(shot.start) for shot in plan.shots[1:] if shot.across != "interpolate"]
        self.motion = self._unbroken(self.middles, self.trace.motion)
        self.motion_now = [] if self.now is None else self._unbroken(self.places, self.now.motion)
        self.numbers = {id(one): number for number, one in enumerate(plan.findings, start=1)}

    def page(self, notes: Sequence[str]) -> Page:
        parts: list[Part] = [Section("Along the clip", (self._along(),), "clip")]
        if self.seen.stills.findings:
            parts.append(self._cards())
        if self.plan.findings:
            parts.append(Section("All findings", (self._table(),), "findings"))
        parts.append(Section("In numbers", (self._figures(),), "numbers"))
        said = [_sentence(one) for one in notes]
        parts.append(Section("Notes", (Notes((*said, *self._left_out(), *HOW)),), "notes"))
        made = f"Inbetween {self.names.version}".strip()
        return Page("Clip report", self.names.clip, self._lead(), self._facts(), tuple(parts), f"Made by {made}, vfi heal.")

    def _lead(self) -> str:
        found, frames = self.plan.findings, _counted(len(self.trace), "frame")
        if not found:
            return f"Nothing was found in {frames}."
        kinds = Counter(one.kind for one in found)
        told = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind])
        text = f"{_counted(len(found), 'finding')} in {frames}: {told}."
        if not self.mends:
            return f"{text} Nothing was changed."
        kept = sum(one.action == "keep" for one in found)
        if not kept:
            return f"{text} All are mended." if len(found) > 1 else f"{text} It is mended."
        return f"{text} {len(found) - kept} mended, {kept} left."

    def _facts(self) -> tuple[tuple[str, str], ...]:
        info, plan = self.seen.info, self.plan
        rate = info.rate
        facts = [("Picture", f"{plan.source.width} × {plan.source.height}"), ("Frames", f"{len(self.trace):,}")]
        if rate is not None:
            facts.append(("Rate", f"{float(rate):.6g} fps" + ("" if self.constant else ", variable")))
        facts.append(("Length", _lasts(self.end - self.begin)))
        facts.append(("Shots", str(len(plan.shots))))
        if self.names.made is not None:
            facts.append(("Mended clip", self.names.made))
            if self.now is not None and len(self.now):
                lasts = _lasts(self.now.end - self.now.times[0])
                facts.append(("Its frames", f"{len(self.now):,}, {lasts}"))
        if self.names.model:
            facts.append(("New frames by", self.names.model))
        return tuple(facts)

    def _along(self) -> Figure:
        """The strip and all curves."""
        found = self.plan.findings
        lanes = []
        for kind in dict.fromkeys([*KINDS, *(one.kind for one in found)]):
            if some := [one for one in found if one.kind == kind]:
                lanes.append(Lane(kind, tuple(map(self._mark, some))))
        film = tuple((float(time), encoded(pixels)) for time, pixels in self.seen.film.pictures)
        where = "; ".join(f"{lane.name} at {_listed([mark.begin for mark in lane.marks], self.end)}" for lane in lanes)
        alt = f"The clip from {clock(self.begin, self.end)} to {clock(self.end, self.end)}, {where or 'without findings'}, "
        alt += "and curves of its brightness, colour and motion" + (" before and after." if self.now is not None else ".")
        told = []
        if lanes:
            told.append("Marks are findings, by number" + ("; hollow ones are left as they are." if self._some_kept() else "."))
        if self.now is not None:
            told.append(
                "Broad line: before. Thin line: after, at the same place of the clip; unchanged frames lie on one another."
            )
        return Figure(
            self.begin,
            self.end,
            alt,
            film,
            tuple(self.cuts),
            tuple(lanes),
            self._bands(self.end - self.begin),
            self._charts(),
            " ".join(told),
        )

    def _some_kept(self) -> bool:
        return self.mends and any(one.action == "keep" for one in self.plan.findings)

    def _bands(self, span: float) -> tuple[tuple[float, float], ...]:
        spans = [self._span(one) for one in self.plan.findings]
        return tuple((begin, end) for begin, end in spans if end - begin < LONG * span)

    def _span(self, one: Finding) -> tuple[float, float]:
        """When a finding begins and ends; of what lies between two frames, the step from one to the other."""
        times = self.trace.times
        if not len(times):
            return self.begin, self.end
        last = min(one.last, len(times) - 1)
        if one.kind in BETWEEN:
            return self.middles[max(last - 1, 0)], self.middles[last]
        return times[min(one.first, last)], self.trace.ends(last)

    def _mark(self, one: Finding) -> Mark:
        begin, end = self._span(one)
        number = self.numbers[id(one)]
        target = f"f{number}" if any(one is other for other in self.seen.stills.findings) else "findings"
        told = f"{number}: {one.kind}, {self._frames(one)}, {self._stamp(one.first)}, {self._done(one)}"
        return Mark(begin, end, str(number), told, target, self.mends and one.action == "keep")

    def _charts(self) -> tuple[Chart, ...]:
        """The charts that have anything to show: a single frame has no motion."""
        every = (self._chart(name, self.begin, self.end) for name in CHARTS)
        return tuple(one for one in every if any(reach(line.values) for line in one.series))

    def _chart(self, name: Measured, begin: float, end: float) -> Chart:
        """A chart of both traces from ``begin`` to ``end``."""
        series = []
        pairs: list[tuple[Literal["before", "after"], Sequence[float], Sequence[float]]] = [
            ("before", self.middles, self.motion if name == "motion" else getattr(self.trace, name))
        ]
        if self.now is not None:
            pairs.append(("after", self.places, self.motion_now if name == "motion" else getattr(self.now, name)))
        for tone, places, values in pairs:
            first, last = max(bisect_left(places, begin) - 1, 0), bisect_right(places, end) + 1
            series.append(Series(tone, tone, places[first:last], values[first:last]))
        kind = CHARTS[name]
        return Chart(kind.title, kind.unit, tuple(series), kind.least, kind.most, kind.span, kind.peaks)

    def _unbroken(self, places: Sequence[float], values: Sequence[float]) -> list[float]:
        """Motion, with none across a cut."""
        found = list(values)
        for cut in self.cuts:
            at = bisect_left(places, cut - 1e-6)
            if at < len(found):
                found[at] = nan
        return found

    def _cards(self) -> Section:
        some = self.seen.stills.findings
        cards = tuple(map(self._card, some))
        left = len(self.plan.findings) - len(some)
        lead = ""
        if left:
            lead = (
                f"{len(some)} of {len(self.plan.findings)} findings are shown: of each kind the surest. All are listed below."
            )
        return Section("Before and after" if self.mends else "The findings", cards, "pictures", lead=lead)

    def _card(self, one: Finding) -> Section:
        number = self.numbers[id(one)]
        title = TITLES.get(one.kind, one.kind.capitalize())
        much = _amount(one)
        where = f"{self._frames(one)} · {self._stamp(one.first)} · {round(100 * one.confidence)} % sure"
        where += f" · {much}" if much else ""
        parts: list[Part] = []
        if (pairs := self._pairs(one)) is not None:
            parts.append(pairs)
        parts.append(self._beside(one))
        done = self._done(one)
        return Section(title, tuple(parts), f"f{number}", str(number), where, f"{done[0].upper()}{done[1:]}.", card=True)

    def _beside(self, one: Finding) -> Figure:
        """The curves around a finding."""
        begin, end = self._span(one)
        step = (self.end - self.begin) / max(len(self.trace), 1)
        room = max(BESIDE * step, (end - begin) / 2)
        walls = [self.begin, *self.cuts, self.end]  # another shot has another light
        left = max([wall for wall in walls if wall <= begin + 1e-6] or [self.begin])
        right = min([wall for wall in walls if wall >= end - 1e-6] or [self.end])
        begin, end = max(begin - room, left), min(end + room, right - 1e-6)
        names = NEAR.get(one.kind, ("light", "motion"))
        alt = f"Curves around it: {' and '.join(CHARTS[name].title.lower() for name in names)}."
        cuts = tuple(cut for cut in self.cuts if begin < cut <= end)
        found = [other for other in self.plan.findings if other.kind not in COURSES or other.kind in BETWEEN]
        bands = tuple(band for band in map(self._span, found) if band[1] > begin and band[0] < end)
        charts = tuple(self._chart(name, begin, end) for name in names)
        return Figure(begin, end, alt, cuts=cuts, bands=bands, charts=charts, wide=False)

    def _pairs(self, one: Finding) -> Pairs | None:
        before, after = around(one)
        within = inside(one)
        grows = one.action == "insert" and self.plan.duration == "grow"
        moments = [self._moment(k, one, inside=one.kind in BETWEEN and not grows and k == one.first - 1) for k in before]
        if grows and self.mends:
            moments += [self._put(one, n) for n in range(1, one.count + 1)]
        moments += [self._moment(k, one, inside=not grows) for k in within]
        moments += [self._moment(k, one, inside=False) for k in after]
        known = tuple(moment for moment in moments if moment is not None)
        key = self._put(one, 1, large=True) if grows and self.mends else self._moment(key_of(one), one, large=True)
        return None if key is None else Pairs(known, key, f"{one.kind}, {self._frames(one)}")

    def _moment(self, k: int, one: Finding, *, inside: bool = True, large: bool = False) -> Moment | None:
        old = self.seen.stills.old.get(k)
        if old is None:
            return None
        picture = (old.large or old.small) if large else old.small
        gone = self._gone(k)
        new = gone or (None if self.now is None else _still(self.seen.stills.new.get((k, 0)), large))
        return Moment(f"frame {k}", picture, new, inside)

    def _put(self, one: Finding, n: int, *, large: bool = False) -> Moment:
        """The nth frame that is put in before a finding."""
        name = "new" if one.count == 1 else f"new {n}"
        name = f"between frames {one.first - 1} and {one.first}" if large else name
        new = None if self.now is None else _still(self.seen.stills.new.get((one.first, n)), large)
        return Moment(name, "no frame here", new)

    def _gone(self, k: int) -> str | None:
        if not self.mends:
            return None
        return next((GONE[one.action] for one in self.plan.findings if one.action in GONE and one.first <= k <= one.last), None)

    def _table(self) -> Table:
        rows = []
        for one in self.plan.findings[:LISTED]:
            number = self.numbers[id(one)]
            shown = any(one is other for other in self.seen.stills.findings)
            first = Link(str(number), f"f{number}") if shown else str(number)
            sure = f"{round(100 * one.confidence)} %"
            rows.append((first, one.kind, self._frames(one), self._stamp(one.first), sure, self._done(one)))
        heads = ("No.", "Finding", "Where", "From", "Sure", "What is done" if self.mends else "What would be done")
        caption = "Frames are counted from 0." + (
            f" {len(self.plan.findings) - LISTED} more are not listed here." if len(self.plan.findings) > LISTED else ""
        )
        return Table(caption, heads, tuple(rows), frozenset({0, 4}))

    def _figures(self) -> Table:
        rows = []
        for name, chart in CHARTS.items():
            sides: list[tuple[str, Sequence[float], Sequence[float]]] = [
                ("before", self.middles, self.motion if name == "motion" else getattr(self.trace, name))
            ]
            if self.now is not None:
                sides.append(("after", self.places, self.motion_now if name == "motion" else getattr(self.now, name)))
            for side, places, values in sides:
                known = [value for value in values if isfinite(value)]
                if not known:
                    continue
                steps = self._steps(places, values)
                title = chart.title if len(sides) == 1 else f"{chart.title}, {side}"
                mean = sum(known) / len(known)
                rows.append((title, *map(shown, (mean, min(known), max(known))), shown(max(steps)) if steps else ""))
        heads = ("", "mean", "lowest", "highest", "largest step")
        return Table("From frame to frame, and never across a cut.", heads, tuple(rows), frozenset({1, 2, 3, 4}))

    def _steps(self, places: Sequence[float], values: Sequence[float]) -> list[float]:
        across = {bisect_left(places, cut - 1e-6) for cut in self.cuts}
        steps = (abs(late - early) for k, (early, late) in enumerate(pairwise(values), start=1) if k not in across)
        return [step for step in steps if isfinite(step)]

    def _left_out(self) -> list[str]:
        """What a reader could miss."""
        told = []
        if (
            self.now is not None
            and self.mends
            and len(self.now)
            and self.now.times[0] - self.begin > 1e-3
            and not self._cut_first()
        ):
            told.append("An earlier run made the first frames: their curves and pictures after mending are missing.")
        return told

    def _cut_first(self) -> bool:
        return any(one.first == 0 and one.action in GONE for one in self.plan.findings)

    def _frames(self, one: Finding) -> str:
        if one.kind == "missing":
            return f"{_counted(one.count, 'frame')} before frame {one.first}"
        if one.kind in BETWEEN:
            return f"before frame {one.first}"
        return f"frame {one.first}" if one.first == one.last else f"frames {one.first} to {one.last}"

    def _stamp(self, k: int) -> str:
        """The timecode of a frame, or the time on a clock where the rate varies."""
        rate = self.seen.info.rate
        if self.constant and rate is not None:
            return written(k, rate, rate in DROPPED, ";" if rate in DROPPED else ":")
        time = self.trace.times[min(k, len(self.trace) - 1)] if len(self.trace) else 0.0
        return f"{clock(time, 3600, 0.001)} s"

    def _done(self, one: Finding) -> str:
        if one.action == "keep":
            return "left as it is"
        if one.action == "insert":
            if self.plan.duration == "keep":
                return "the jump is spread over the frames around it"
            return "the lost frames are made" if one.count > 1 else "the lost frame is made"
        return DONE[one.action].format("them" if one.count > 1 else "it")


def _amount(one: Finding) -> str:
    """How far a course is off, in words."""
    if one.offsets:
        late = shown(max(map(abs, one.offsets)))
        return f"up to {late} frame{'' if late == '1' else 's'} from its true time"
    if not one.light:
        return f"{shown(one.speed)} times as fast from there on" if one.speed != 1 else ""
    most = max((channel for light in one.light for channel in light), key=abs)
    light = f"light off by up to {100 * (exp(most) - 1):+.1f} %"
    return light if one.speed == 1 else f"{light}, {shown(one.speed)} times as fast from there on"


def _constant(trace: Trace, rate: Fraction | None) -> bool:
    """Whether all frames lie at a constant rate, but for the rounding of files."""
    if rate is None or not len(trace):
        return False
    step, begin = float(1 / rate), trace.times[0]
    near = max(step / 8, 0.0011)
    return all(abs(time - begin - k * step) <= near for k, time in enumerate(trace.times))


def _still(one: Still | None, large: bool) -> Picture | str:
    if one is None:
        return "made by an earlier run"
    return (one.large or one.small) if large else one.small


def _listed(times: Sequence[float], end: float) -> str:
    listed = ", ".join(clock(time, end) for time in times[:6])
    return listed + (f" and {len(times) - 6} more" if len(times) > 6 else "")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _lasts(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds < 60 else clock(seconds, 3600, 0.001)


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}" + ("" if note.endswith((".", "!", "?")) else ".")
