"""Pages as text: facts, tables and notes in columns of letters, and curves as rows of blocks.

Knows nothing of clips, or of where the text goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import east_asian_width

from . import curves
from .page import Figure, Link, Notes, Page, Part, Section, Table, Wipe

COLUMNS = 60
"""Width of strips and curves, in letters."""

BLOCKS = "▁▂▃▄▅▆▇█"


def text(page: Page) -> str:
    """The page as lines of text, without its pictures."""
    lines = [f"{page.kind}: {page.title}", page.lead, ""]
    wide = max((_width(name) for name, _ in page.facts), default=0)
    lines += [f"{_padded(name, wide)}  {value}" for name, value in page.facts]
    lines += [line for part in page.parts for line in _lines(part)]
    return "\n".join([*lines, *(["", page.footer] if page.footer else [])]) + "\n"


def _lines(part: Part) -> Iterator[str]:
    if isinstance(part, Section):
        inside = [line for one in part.parts for line in _lines(one)]
        if part.card or not inside:
            return  # the table says the same
        yield from ("", part.title, "-" * _width(part.title), *([part.lead] if part.lead else []), *inside)
    elif isinstance(part, Table):
        yield from ([part.caption] if part.caption else [])
        yield from _table(part)
    elif isinstance(part, Wipe):
        yield f"{part.subject}: {', '.join(name for name, _ in (*part.sides, *part.below))}"
    elif isinstance(part, Notes):
        yield from (f"- {one}" for one in part.sentences)
    elif isinstance(part, Figure) and part.wide:
        yield from _figure(part)


def _figure(figure: Figure) -> Iterator[str]:
    """The lanes as dots with marks, and each curve as blocks: the highest of each column stands."""
    span = (figure.end - figure.begin) or 1.0
    names = [
        *(lane.name for lane in figure.lanes),
        *(f"{one.title}, {line.name}" for one in figure.charts for line in one.series),
    ]
    wide = max(map(_width, names), default=0)

    def column(place: float) -> int:
        return min(max(int((place - figure.begin) / span * COLUMNS), 0), COLUMNS - 1)

    for lane in figure.lanes:
        row = ["·"] * COLUMNS
        for mark in lane.marks:
            for k in range(column(mark.begin), column(max(mark.end - 1e-9, mark.begin)) + 1):
                row[k] = "o" if mark.hollow else "#"
        yield f"{_padded(lane.name, wide)}  {''.join(row)}"
    for chart in figure.charts:
        known = [reach for one in chart.series if (reach := curves.reach(one.values)) is not None]
        if not known:
            continue
        low, high = min(low for low, _ in known), max(high for _, high in known)
        for one in chart.series:
            row = [_block(top, low, high) for top in curves.tops(one.places, one.values, figure.begin, figure.end, COLUMNS)]
            yield f"{_padded(f'{chart.title}, {one.name}', wide)}  {''.join(row)}  {curves.shown(low)} to {curves.shown(high)}"


def _block(value: float | None, low: float, high: float) -> str:
    if value is None:
        return " "
    share = (value - low) / ((high - low) or 1.0)
    return BLOCKS[min(max(round(share * (len(BLOCKS) - 1)), 0), len(BLOCKS) - 1)]


def _table(table: Table) -> Iterator[str]:
    rows = [table.heads, *(tuple(one.text if isinstance(one, Link) else one for one in row) for row in table.rows)]
    wide = [max(_width(row[k]) for row in rows) for k in range(len(table.heads))]
    for row in rows:
        yield "  ".join(_padded(one, wide[k], right=k in table.numbers) for k, one in enumerate(row)).rstrip()


def _width(text: str) -> int:
    """How many columns a text takes in a terminal."""
    return sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def _padded(text: str, width: int, *, right: bool = False) -> str:
    room = " " * max(width - _width(text), 0)
    return room + text if right else text + room
