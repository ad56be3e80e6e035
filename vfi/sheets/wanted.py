"""The in-betweens that a sheet asks for: each tick between the drawings around it, with its time between them.

Owns the spacing of ticks. Knows nothing of cels or file formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

from .sheet import Entry, Exposure, Sheet

Spacing: TypeAlias = Literal["ticks", "frames"]
SPACINGS: tuple[Spacing, ...] = get_args(Spacing)
"""The ticks between two drawings divide the way evenly, or each lies where its frame lies in time."""


@dataclass(frozen=True)
class Wanted:
    """An in-between that is shown from ``frame`` for ``frames`` frames, in the layer of index ``layer``.

    It lies at ``t``, in (0, 1), between the drawings ``before`` and ``after``. ``drawing`` is the number that the sheet gives
    it, or nothing. ``reverse``: it is meant to show the in-between of the same two drawings in the other order again.
    """

    layer: int
    frame: int
    frames: int
    drawing: str
    before: Entry
    after: Entry
    t: Fraction
    reverse: bool = False


@dataclass(frozen=True)
class Left:
    """Something that a layer asks for at ``frame`` and that cannot be made, with the ``reason``; ``drawing`` as in `Wanted`."""

    layer: int
    frame: int
    drawing: str
    reason: str


def wanted(sheet: Sheet, spacing: Spacing = "ticks") -> tuple[list[Wanted], list[Left]]:
    """Every in-between that a sheet asks for, layer by layer, and those that no two drawings enclose.

    A tick that the sheet never shows, since it lies outside, is not asked for; it still takes its share of the way.
    """
    asked: list[Wanted] = []
    left: list[Left] = []
    for index, layer in enumerate(sheet.layers):
        ticks: list[Exposure] = []
        before: Exposure | None = None
        for exposure in layer.exposures(sheet.frames):
            if exposure.entry.mark in ("tick", "reverse"):
                ticks.append(exposure)
                continue
            after = exposure if exposure.entry.mark == "drawing" else None
            _between(index, before, after, ticks, spacing, asked, left)
            before, ticks = after, []
        _between(index, before, None, ticks, spacing, asked, left)
    asked = [one for one in asked if one.frame + one.frames > 0 and one.frame < sheet.frames]
    return asked, [one for one in left if one.frame < sheet.frames]


def _between(
    layer: int,
    before: Exposure | None,
    after: Exposure | None,
    ticks: Sequence[Exposure],
    spacing: Spacing,
    asked: list[Wanted],
    left: list[Left],
) -> None:
    """Add the ticks between two drawings to those that are asked for, or to those that are left if one drawing is missing."""
    for count, tick in enumerate(ticks, start=1):
        drawing = tick.entry.drawing
        if before is None or after is None:
            lacks = "before it" if before is None else "after it"
            left.append(Left(layer, tick.start, drawing, f"no drawing stands {lacks}: an in-between needs one on each side"))
            continue
        t = Fraction(count, len(ticks) + 1)
        if spacing == "frames":
            t = Fraction(tick.start - before.start, after.start - before.start)
        reverse = tick.entry.mark == "reverse"
        asked.append(Wanted(layer, tick.start, tick.end - tick.start, drawing, before.entry, after.entry, t, reverse=reverse))
