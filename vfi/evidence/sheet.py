"""An audit as a page: figures along the clip, and the worst frames beside maps of their doubt.

Keeps pictures of `SHOWN` frames only, however long the clip is. Knows nothing of how pages look, or where they go.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..clips.clip import Info, transfer_of
from ..core import Frame
from ..edit.heal.traces import FILM, SIDE
from ..pages.curves import clock
from ..pages.page import Chart, Figure, Lane, Link, Mark, Moment, Notes, Page, Pairs, Part, Picture, Section, Series, Table
from ..pages.pictures import encoded
from ..pixels.view import view
from .judge import Judged, Verdict, mask_of
from .summary import FIRST, Summary, counted

SHOWN = 12
"""Frames that are pictured."""

LARGE = 720
"""Longer side of their pictures, in pixels."""

LISTED = 1000
"""The most frames that the table lists."""

TINT = (214, 40, 40)
"""Colour of doubt."""

HOW = (
    "PSNR is expected, not measured: nobody knows the true frame. In 90 of 100 cases the true value lies within the band.",
    "A cell of 8x8 pixels is tinted by the probability that it is wrong. It is doubtful from 50 % on.",
    "Low PSNR is not always ugly: texture that lies half a pixel off costs as much as a torn edge.",
    "Errors of timing do not count: where the clip moves unevenly, frames are judged at the instant that they show.",
)


@dataclass(frozen=True)
class Names:
    """The clip's name, the model that the audit used, the version, and the rule by which real frames were found, if any."""

    clip: str
    model: str
    version: str = ""
    rule: str = ""


@dataclass
class Gallery:
    """Pictures of the worst frames, and a film along the clip, caught as the judged frames pass.

    ``made``: the frames were given, not made for the audit.
    """

    info: Info
    made: bool = False
    film: list[tuple[float, Picture]] = field(default_factory=list)
    _worst: list[tuple[float, int, Picture, Picture]] = field(default_factory=list)

    def take(self, found: Iterable[Judged]) -> Iterator[Judged]:
        """The judged frames, unchanged."""
        every = 1
        for index, one in enumerate(found):
            if index % every == 0:
                if len(self.film) == FILM:
                    self.film, every = self.film[::2], 2 * every
                if index % every == 0:
                    self.film.append((float(one.verdict.time), encoded(self._view(one.frame, SIDE))))
            self._catch(one)
            yield one

    @property
    def pictures(self) -> dict[int, tuple[Picture, Picture]]:
        """Of each pictured frame, by its number: itself, and with its doubt tinted."""
        return {number: (plain, tinted) for _, number, plain, tinted in self._worst}

    def _catch(self, one: Judged) -> None:
        rank = -one.verdict.psnr, -one.verdict.number
        if len(self._worst) == SHOWN and rank <= (self._worst[0][0], -self._worst[0][1]):
            return
        plain = self._view(one.frame, LARGE)
        push = heapq.heappush if len(self._worst) < SHOWN else heapq.heappushpop
        height, width = one.frame.rgb.shape[-2:]
        tint = self._view(Frame(mask_of(one.doubt, height, width).expand(3, -1, -1), one.frame.time), LARGE, plainly=True)
        push(self._worst, (rank[0], one.verdict.number, encoded(plain), encoded(tinted(plain, tint[..., 0] / 255))))

    def _view(self, frame: Frame, side: int, *, plainly: bool = False) -> Any:
        if plainly:
            return view(frame, side)
        return view(frame, side, transfer_of(self.info), self.info.colour.primaries)


def tinted(picture: Any, doubt: Any) -> Any:
    """A picture [h,w,3] uint8 in grey, with ``doubt`` [h,w], 0..1, as red over it."""
    grey = picture.astype(np.float32).mean(axis=2, keepdims=True) * 0.7
    share = 0.75 * doubt[..., None]
    return (grey * (1 - share) + np.array(TINT, np.float32) * share).round().astype(np.uint8)


def page(names: Names, info: Info, summary: Summary, gallery: Gallery, notes: Sequence[str] = ()) -> Page:
    """The report on an audit; ``notes`` are sentences of the clip's reader."""
    pictures = gallery.pictures
    parts: list[Part] = []
    if summary.verdicts:
        parts.append(Section("Along the clip", (_along(summary, gallery),), "clip"))
        shown = [one for one in summary.first(SHOWN) if one.number in pictures]
        cards = tuple(_card(one, place, pictures[one.number], gallery.made) for place, one in enumerate(shown, start=1))
        lead = f"The {len(cards)} frames of the lowest expected PSNR. Red: where the frame is likely wrong."
        parts.append(Section("Look at these first", cards, "pictures", lead=lead))
        parts.append(Section("All frames", (_table(summary, pictures, gallery.made),), "frames"))
    said = [f"{one[:1].upper()}{one[1:]}" + ("" if one.endswith(".") else ".") for one in (summary.ground, *notes)]
    parts.append(Section("Notes", (Notes((*said, *HOW)),), "notes"))
    made = f"Inbetween {names.version}".strip()
    lead = ". ".join(one[:1].upper() + one[1:] for one in summary.lines()[:2]) + "."
    return Page(
        "Audit of made frames", names.clip, lead, _facts(names, info, summary), tuple(parts), f"Made by {made}, vfi audit."
    )


def _facts(names: Names, info: Info, summary: Summary) -> tuple[tuple[str, str], ...]:
    facts = [("Picture", f"{info.width} × {info.height}"), ("Made frames", f"{len(summary.verdicts):,}")]
    if names.rule:
        facts.append(("Real frames", names.rule))
    facts.append(("Compared with" if names.rule else "Made by", names.model))
    facts.append(("Fitted on", counted(summary.own, "frame") if summary.own else "other clips"))
    facts.append(("Wrong means", f"off by more than {summary.worse:g} of 255"))
    return tuple(facts)


def _along(summary: Summary, gallery: Gallery) -> Figure:
    every = summary.verdicts
    times = [float(one.time) for one in every]
    step = (times[-1] - times[0]) / max(len(times) - 1, 1) or 1.0
    begin, end = times[0], times[-1] + step
    marks = tuple(
        Mark(float(one.time), float(one.time) + step, str(place), f"{place}: {_said(one)}", f"f{place}")
        for place, one in sorted(enumerate(summary.first(FIRST), start=1), key=lambda pair: pair[1].time)
    )
    likely = Series("expected", "before", times, [one.psnr for one in every])
    least = Series("at worst", "after", times, [one.low for one in every])
    wrong = Series("doubtful", "before", times, [100 * one.doubtful for one in every])
    charts = (
        Chart("PSNR", "dB, expected; 19 of 20 frames are better than the thin line", (likely, least), None, None, 6),
        Chart("Doubtful", "% of the picture", (wrong,), 0, 100, 2, True),
    )
    alt = f"Expected PSNR and doubtful share along the clip; lowest {clock(float(summary.first(1)[0].time), end)}."
    return Figure(begin, end, alt, tuple(gallery.film), (), (Lane("look first", marks),), (), charts)


def _card(one: Verdict, place: int, pictures: tuple[Picture, Picture], made: bool) -> Section:
    label = _place(one, made)
    moment = Moment(label, *pictures)
    share = f"{100 * one.doubtful:.1f} % doubtful"
    where = f"{label} · {float(one.time):.3f} s · {share}"
    title = f"{one.psnr:.1f} dB expected"
    lead = f"{one.low:.1f} to {one.high:.1f} dB. What stands out: {one.words}."
    return Section(
        title, (Pairs((moment,), moment, label, ("frame", "doubt")),), f"f{place}", str(place), where, lead, card=True
    )


def _table(summary: Summary, pictures: dict[int, tuple[Picture, Picture]], made: bool) -> Table:
    places = {one.number: place for place, one in enumerate(summary.first(SHOWN), start=1) if one.number in pictures}
    rows = []
    for one in sorted(summary.verdicts, key=lambda one: (one.psnr, one.number))[:LISTED]:
        name = _place(one, made)
        first: str | Link = Link(name, f"f{places[one.number]}") if one.number in places else name
        band = f"{one.low:.1f} to {one.high:.1f}"
        rows.append((first, f"{float(one.time):.3f} s", f"{one.psnr:.1f}", band, f"{100 * one.doubtful:.1f} %", one.words))
    left = len(summary.verdicts) - len(rows)
    caption = "Lowest expected PSNR first." + (f" {left} better ones are not listed." if left > 0 else "")
    return Table(
        caption, ("Frame", "At", "PSNR, dB", "90 % band", "Doubtful", "What stands out"), tuple(rows), frozenset({1, 2, 3, 4})
    )


def _place(one: Verdict, made: bool) -> str:
    return f"frame {one.number}" if made else f"after frame {one.after}"


def _said(one: Verdict) -> str:
    return f"{one.psnr:.1f} dB expected at {float(one.time):.3f} s, {one.words}"
