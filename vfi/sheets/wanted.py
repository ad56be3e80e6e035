"""The in-betweens that a sheet asks for: each tick between the drawings around it, with its time between them.

Owns the spacing of ticks, even, in time or by spacing charts. Knows nothing of cels or file formats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

from ..core import InputError
from ..parse import shown
from ..timing.charts import REST, Charts, Row
from .sheet import Entry, Exposure, Place, Sheet

Spacing: TypeAlias = Literal["ticks", "frames"]
SPACINGS: tuple[Spacing, ...] = get_args(Spacing)
"""The ticks between two drawings divide the way evenly, or each lies where its frame lies in time."""


@dataclass(frozen=True)
class Wanted:
    """An in-between that is shown from ``frame`` for ``frames`` frames, in the layer of index ``layer``.

    It lies at ``t``, in (0, 1), between the drawings ``before`` and ``after``. ``drawing`` is the number that the sheet gives
    it, or nothing. ``reverse``: it is meant to show the in-between of the same two drawings in the other order again. ``again``
    are the frames at which its number is entered once more.
    """

    layer: int
    frame: int
    frames: int
    drawing: str
    before: Entry
    after: Entry
    t: Fraction
    reverse: bool = False
    again: tuple[int, ...] = ()

    @property
    def places(self) -> list[Place]:
        """Where it is entered in the sheet."""
        return [(self.layer, frame) for frame in (self.frame, *self.again)]


@dataclass(frozen=True)
class Left:
    """Something that a layer asks for at ``frame`` and that cannot be made, with the ``reason``; ``drawing`` as in `Wanted`."""

    layer: int
    frame: int
    drawing: str
    reason: str


def wanted(sheet: Sheet, spacing: Spacing = "ticks", charts: Charts | None = None) -> tuple[list[Wanted], list[Left]]:
    """Every in-between that a sheet asks for, layer by layer, and those that no two drawings enclose.

    A tick that the sheet never shows, since it lies outside, is not asked for; it still takes its share of the way.
    ``charts`` space the ticks of the layers that they name, or of all others if they have a `REST`: each run of ticks
    between two drawings is as many frames of the chart, whatever its own number of frames. Raises `InputError` for charts
    that do not suit the sheet.
    """
    rows = {} if charts is None else _rows(charts, sheet)
    found: list[Wanted | Left] = []
    for index, layer in enumerate(sheet.layers):
        row = rows.get(layer.name, rows.get(REST))
        ticks: list[Exposure] = []
        before: Exposure | None = None
        for exposure in layer.exposures(sheet.frames):
            if exposure.entry.mark in ("tick", "reverse"):
                ticks.append(exposure)
                continue
            after = exposure if exposure.entry.mark == "drawing" else None
            found += _between(index, before, after, ticks, sheet.frames, row or spacing)
            before, ticks = after, []
        found += _between(index, before, None, ticks, sheet.frames, row or spacing)
    return [one for one in found if isinstance(one, Wanted)], [one for one in found if isinstance(one, Left)]


def _rows(charts: Charts, sheet: Sheet) -> dict[str, Row]:
    """The charts by layer. Raises `InputError`."""
    layers = [layer.name for layer in sheet.layers]
    for row in charts.rows:
        if row.mask or row.tracks:
            raise InputError(f"the chart of {shown(row.name)} has a mask or tracks: in a sheet, a whole layer is a part")
        if row.name != REST and row.name not in layers:
            raise InputError(f"there is a chart of {shown(row.name)}: the sheet has the layers {', '.join(map(shown, layers))}")
    return {row.name: row for row in charts.rows}


def _between(
    layer: int,
    before: Exposure | None,
    after: Exposure | None,
    ticks: Sequence[Exposure],
    frames: int,
    spacing: Spacing | Row,
) -> Iterator[Wanted | Left]:
    """The ticks between two drawings that a sheet of ``frames`` frames shows; they are left if one drawing is missing, or
    if a chart puts them on it."""
    for count, tick in enumerate(ticks, start=1):
        entry = tick.entry
        if tick.end <= 0 or tick.start >= frames:
            continue
        if before is None or after is None:
            lacks = "before it" if before is None else "after it"
            reason = f"no drawing stands {lacks}: an in-between needs one on each side"
            yield Left(layer, tick.start, entry.drawing, reason)
            continue
        try:
            t = _place(spacing, count, len(ticks), Fraction(tick.start - before.start, after.start - before.start))
        except InputError as error:
            yield Left(layer, tick.start, entry.drawing, f"its chart: {error}")
            continue
        if t in (0, 1):
            drawing = (after if t else before).entry.drawing
            yield Left(
                layer, tick.start, entry.drawing, f"its chart puts it on drawing {drawing}: enter that instead of a tick"
            )
            continue
        shown, reverse = tick.end - tick.start, entry.mark == "reverse"
        yield Wanted(layer, tick.start, shown, entry.drawing, before.entry, after.entry, t, reverse, tick.again)


def _place(spacing: Spacing | Row, count: int, ticks: int, in_time: Fraction) -> Fraction:
    """The place of the tick ``count`` of ``ticks``, whose frame lies at ``in_time`` of the way. Raises `InputError`."""
    if isinstance(spacing, Row):
        return spacing.chart(ticks).places(ticks)[count - 1]
    return in_time if spacing == "frames" else Fraction(count, ticks + 1)
