"""A small page that holds every kind of part, for the tests of all that shows pages."""

from __future__ import annotations

from math import nan, sin

import numpy as np

from vfi.pages.page import Chart, Figure, Lane, Link, Mark, Moment, Notes, Page, Pairs, Section, Series, Table, Wipe
from vfi.pages.pictures import encoded

NASTY = "a \"b\" <script>alert(1)</script> & 'c' 名前 \ud800"
"""A name as files can have it: markup, quotes, other scripts, and half of a surrogate pair."""


def flat(shade: int, height: int = 36, width: int = 64):
    return encoded(np.full((height, width, 3), shade, np.uint8))


def figure(frames: int = 100, *, wide: bool = True, marks: int = 3) -> Figure:
    places = [k / 25 for k in range(frames)]
    before = [50 + 20 * sin(k / 9) + 150 * (k == frames // 2) for k in range(frames)]
    after = [50 + 20 * sin(k / 9) for k in range(frames)]
    after[0] = nan
    every = tuple(Mark(k / 25, (k + 1) / 25, str(k + 1), f"mark {k} of {NASTY}", "f1", k == 1) for k in range(marks))
    lines = Series("before", "before", places, before), Series("after", "after", places, after)
    charts = (Chart("Brightness", "mean luma", lines, 0, 255, 8), Chart("Motion", "%", lines, 0, None, 0.2, True))
    film = ((0.0, flat(40)), (frames / 50, flat(200)))
    lanes = (Lane("flash", every),) if marks else ()
    return Figure(0.0, frames / 25, f"A clip of {NASTY}", film, (1.0,), lanes, ((0.5, 0.6),), charts, "What is seen.", wide)


def page() -> Page:
    shown = Moment("frame 7", flat(255), flat(90))
    moments = (Moment("frame 6", flat(80), flat(80), inside=False), shown, Moment("frame 8", flat(90), "cut off"))
    card = Section(
        "Flash", (Pairs(moments, shown, "flash, frame 7"), figure(20, wide=False, marks=0)), "f1", "1", "frame 7", card=True
    )
    table = Table("All of them.", ("No.", "Finding"), ((Link("1", "f1"), NASTY),), frozenset({0}))
    parts = (
        Section("Along the clip", (figure(),), "clip"),
        Section("Before and after", (card,), lead="One is shown."),
        Section("All findings", (table,), "findings"),
        Section("Notes", (Notes((NASTY, "Two.")),)),
    )
    return Page("Clip report", NASTY, "1 finding.", (("Picture", "64 × 36"), ("Name", NASTY)), parts, "Made by a test.")


def wiped() -> Page:
    """A page whose pictures lie over each other."""
    sides = ("real", flat(20)), (NASTY, flat(120)), ("third", flat(220))
    wipe = Wipe(sides, (("difference", flat(5)),), "frame 7")
    return Page("Comparison", NASTY, "Two models.", (), (Section("Frame 7", (wipe,), "f7"),))
