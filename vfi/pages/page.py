"""Pages of reports, as data: facts, figures along a clip, pictures before and after, tables and notes.

Owns what a page can hold. Knows nothing of how it looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Tone: TypeAlias = Literal["before", "after"]
"""Whether a line shows the clip as it was, or what became of it."""


@dataclass(frozen=True)
class Picture:
    """An encoded picture and its size in pixels; ``mime`` names the format of ``data``, image/jpeg or image/png."""

    data: bytes
    width: int
    height: int
    mime: str = "image/jpeg"


@dataclass(frozen=True)
class Series:
    """A line: ``values`` at ``places``, which never decrease, in the unit of the figure. NaN breaks the line."""

    name: str
    tone: Tone
    places: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Chart:
    """Lines over one another. ``least`` and ``most`` bound the values if they have natural bounds; less than ``span`` is never
    made to fill the chart. ``peaks``: rare peaks may leave the chart, and their value is told."""

    title: str
    unit: str
    series: tuple[Series, ...]
    least: float | None = None
    most: float | None = None
    span: float = 0.0
    peaks: bool = False


@dataclass(frozen=True)
class Mark:
    """A place from ``begin`` to ``end`` with a short ``label``; ``told`` says what it is, and ``target`` is the anchor of the
    section about it. ``hollow``: it is told, and nothing was done."""

    begin: float
    end: float
    label: str
    told: str
    target: str = ""
    hollow: bool = False


@dataclass(frozen=True)
class Lane:
    """A named row of marks."""

    name: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Figure:
    """Rows over one axis of time, from ``begin`` to ``end`` seconds: pictures of the clip, lanes of marks, and charts.

    ``film`` holds pictures and their times; ``cuts`` are times, and ``bands`` spans that are tinted in all charts. ``alt`` says
    in words what is seen. A figure that is not ``wide`` stands beside other parts.
    """

    begin: float
    end: float
    alt: str
    film: tuple[tuple[float, Picture], ...] = ()
    cuts: tuple[float, ...] = ()
    lanes: tuple[Lane, ...] = ()
    bands: tuple[tuple[float, float], ...] = ()
    charts: tuple[Chart, ...] = ()
    caption: str = ""
    wide: bool = True


@dataclass(frozen=True)
class Moment:
    """One instant before and after; a text stands for a picture that there is not. ``inside``: it is what the section is
    about, not what surrounds it."""

    label: str
    before: Picture | str
    after: Picture | str | None = None
    inside: bool = True


@dataclass(frozen=True)
class Pairs:
    """Moments in order, small; ``key`` is one of them, large. If ``after`` is None in all, only one side is shown.

    ``sides`` are what the two sides are called.
    """

    moments: tuple[Moment, ...]
    key: Moment
    subject: str
    sides: tuple[str, str] = ("before", "after")

    @property
    def both(self) -> bool:
        """Whether there is anything to show after."""
        return any(one.after is not None for one in (*self.moments, self.key))


@dataclass(frozen=True)
class Wipe:
    """Named pictures of one instant, of one size, over each other: a divider wipes from one to another.

    ``below`` stand small beneath them. ``subject`` says in words what they show.
    """

    sides: tuple[tuple[str, Picture], ...]
    below: tuple[tuple[str, Picture], ...]
    subject: str


@dataclass(frozen=True)
class Link:
    """A text that leads to the section with the anchor ``target``."""

    text: str
    target: str


@dataclass(frozen=True)
class Table:
    """Rows under ``heads``; the columns in ``numbers`` are set right. The first column names its row."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str | Link, ...], ...]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Notes:
    """Sentences, one below the other."""

    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """Parts under a heading. ``number`` and ``where`` stand beside it; ``lead`` below. A ``card`` is one of several alike."""

    title: str
    parts: tuple[Part, ...]
    anchor: str = ""
    number: str = ""
    where: str = ""
    lead: str = ""
    card: bool = False


Part: TypeAlias = "Figure | Pairs | Wipe | Table | Notes | Section"


@dataclass(frozen=True)
class Page:
    """A page: ``kind`` of report, ``title``, one sentence of result, and facts as pairs of name and value."""

    kind: str
    title: str
    lead: str
    facts: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    footer: str = field(default="")
