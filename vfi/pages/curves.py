"""Numbers on their way into a drawing: lines thinned without losing a peak, ranges, and round numbers for an axis.

Knows nothing of pages or of how anything looks.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from math import ceil, floor, isfinite, log10
from typing import Any, TypeAlias

import numpy as np

Numbers: TypeAlias = "np.ndarray[Any, Any]"
Points = list[tuple[float, float]]

SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
"""Steps of an axis of time, in seconds."""


def lines(places: Sequence[float], values: Sequence[float], begin: float, end: float, columns: int) -> Iterator[Points]:
    """The unbroken lines between ``begin`` and ``end``.

    If there are more than two points per column, the lowest and the highest of each column stay, in their order: no peak is
    lost, however narrow. A value that is not finite breaks a line.
    """
    first, last = bisect_left(places, begin), bisect_right(places, end)
    x, y = np.asarray(places[first:last], float), np.asarray(values[first:last], float)
    known = np.flatnonzero(np.isfinite(y))
    if not len(known):
        return
    ends = np.flatnonzero(np.diff(known) > 1) + 1
    for some in np.split(known, ends):
        kept = some if last - first <= 2 * columns else _outline(x, y, some, begin, end, columns)
        yield list(zip(x[kept].tolist(), y[kept].tolist(), strict=True))


def _outline(x: Numbers, y: Numbers, some: Numbers, begin: float, end: float, columns: int) -> Numbers:
    """The lowest and the highest point of each column, among those numbered in ``some``, and both ends."""
    column = ((x[some] - begin) / ((end - begin) or 1.0) * columns).astype(int)
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    kept = {0, len(some) - 1}
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(some)], strict=True):
        part = y[some[start:stop]]
        kept |= {start + int(part.argmin()), start + int(part.argmax())}
    return some[sorted(kept)]


def reach(values: Sequence[float]) -> tuple[float, float] | None:
    """The least and the greatest of the finite values; None if there are none."""
    known = finite(values)
    return (float(known.min()), float(known.max())) if len(known) else None


def finite(values: Sequence[float]) -> Numbers:
    """The finite values."""
    every = np.asarray(values, float)
    found: Numbers = every[np.isfinite(every)]
    return found


def tops(places: Sequence[float], values: Sequence[float], begin: float, end: float, columns: int) -> list[float | None]:
    """The highest finite value in each column; a column without one has that before it."""
    x, y = np.asarray(places, float), np.asarray(values, float)
    x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    highest = np.full(columns, -np.inf)
    column = np.clip(((x - begin) / ((end - begin) or 1.0) * columns).astype(int), 0, columns - 1)
    np.maximum.at(highest, column, y)
    found: list[float | None] = []
    for value in highest.tolist():
        found.append(value if isfinite(value) else found[-1] if found else None)
    return found


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
