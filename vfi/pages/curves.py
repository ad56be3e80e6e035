"""Numbers on their way into a drawing: lines thinned without losing a peak, ranges, and round numbers for an axis.

Knows nothing of pages or of how anything looks.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from math import ceil, floor, isfinite, log10

Points = list[tuple[float, float]]

SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
"""Steps of an axis of time, in seconds."""


def lines(places: Sequence[float], values: Sequence[float], begin: float, end: float, columns: int) -> Iterator[Points]:
    """The unbroken lines between ``begin`` and ``end``.

    If there are more than two points per column, the lowest and the highest of each column stay, in their order: no peak is
    lost, however narrow. A value that is not finite breaks a line.
    """
    first, last = bisect_left(places, begin), bisect_right(places, end)
    whole = last - first <= 2 * columns
    line: Points = []
    column: Points = []
    at = -1
    for k in range(first, last):
        place, value = places[k], values[k]
        if not isfinite(value):
            line += _ends(column)
            if line:
                yield line
            line, column = [], []
        elif whole:
            line.append((place, value))
        else:
            here = int((place - begin) / ((end - begin) or 1) * columns)
            if here != at:
                line += _ends(column)
                column, at = [], here
            column.append((place, value))
    line += _ends(column)
    if line:
        yield line


def _ends(column: Points) -> Points:
    """The lowest and the highest of some points, in their order."""
    if len(column) < 3:
        return column
    low, high = min(column, key=lambda one: one[1]), max(column, key=lambda one: one[1])
    return sorted({low, high})


def reach(values: Sequence[float]) -> tuple[float, float] | None:
    """The least and the greatest of the finite values; None if there are none."""
    finite = [one for one in values if isfinite(one)]
    return (min(finite), max(finite)) if finite else None


def round_numbers(least: float, most: float, count: int) -> list[float]:
    """About ``count`` round numbers from ``least`` to ``most``."""
    if not most > least:
        return [least]
    rough = (most - least) / max(count, 1)
    power = 10.0 ** floor(log10(rough))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= rough * 0.999)
    first, last = ceil(least / step - 1e-9), floor(most / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def instants(begin: float, end: float, count: int) -> list[tuple[float, str]]:
    """About ``count`` round times from ``begin`` to ``end``, in seconds, each as on a clock."""
    span = end - begin
    fits = [step for step in SECONDS if span / step <= count]
    step = fits[0] if fits else SECONDS[-1] * ceil(span / SECONDS[-1] / count)
    if span < SECONDS[0]:
        step = span or 1.0
    first, last = ceil(begin / step - 1e-9), floor(end / step + 1e-9)
    return [(k * step, clock(k * step, end, step)) for k in range(first, last + 1)]


def clock(seconds: float, end: float, step: float = 1.0) -> str:
    """A time as on a clock, as long as one that shows ``end`` needs to be."""
    parts = 0 if step >= 1 else 1 if step >= 0.1 else 3
    if end < 60:
        return f"{seconds:.{parts}f} s"
    ticks = round(seconds * 10**parts)
    whole, rest = divmod(ticks, 10**parts)
    tail = f".{rest:0{parts}}" if parts else ""
    minutes, left = divmod(whole, 60)
    if end < 3600:
        return f"{minutes}:{left:02}{tail}"
    return f"{minutes // 60}:{minutes % 60:02}:{left:02}{tail}"


def shown(value: float) -> str:
    """A number with three digits or so."""
    if not isfinite(value):
        return ""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
