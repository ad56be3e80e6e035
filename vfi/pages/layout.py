"""Where everything in a figure goes: a figure and a width become shapes, which `markup` and `drawn` show alike.

Coordinates are pixels from the top left corner. Owns that geometry. Knows nothing of colours, or of what is measured.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal, TypeAlias

from . import curves
from .page import Chart, Figure, Lane, Mark, Picture, Series

Role: TypeAlias = Literal["rule", "grid", "band", "mark", "hollow", "cut", "before", "after", "ink", "quiet"]
"""What a shape is for; a renderer gives it its colour and its width."""

Anchor: TypeAlias = Literal["start", "middle", "end"]

FILM, LANE, CHART, TITLE, AXIS, GAP = 58, 20, 84, 20, 22, 14
"""Heights of the rows, and the gap between them."""

LETTER = 6.4
"""Width of a letter, about."""

THIN = 3.0
"""Least width of a mark."""

DOT = 6.0
"""Width of a line of one frame."""

PEAK = 2.5
"""Rare peaks leave a chart if they are this many times as high as nearly all values."""

NEARLY = 0.98


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    width: float
    height: float
    role: Role
    told: str = ""
    target: str = ""


@dataclass(frozen=True)
class Line:
    points: tuple[tuple[float, float], ...]
    role: Role


@dataclass(frozen=True)
class Words:
    """``y`` is that of the base line."""

    x: float
    y: float
    text: str
    role: Role
    anchor: Anchor = "start"


@dataclass(frozen=True)
class Image:
    """A picture that fills its place; what does not fit is cut off evenly."""

    x: float
    y: float
    width: float
    height: float
    picture: Picture


Shape: TypeAlias = "Box | Line | Words | Image"


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    shapes: tuple[Shape, ...]


def laid_out(figure: Figure, width: int) -> Drawing:
    """The shapes of a figure that is ``width`` pixels wide."""
    return _Layout(figure, width).drawing()


class _Layout:
    def __init__(self, figure: Figure, width: int) -> None:
        self.figure, self.width = figure, width
        names = [len(lane.name) for lane in _lanes(figure)]
        self.left = max(44.0, 14 + LETTER * max(names, default=0))
        series = [len(one.name) for chart in figure.charts for one in chart.series if len(chart.series) > 1]
        self.right = width - max(10.0, 12 + LETTER * max(series, default=0))
        self.span = (figure.end - figure.begin) or 1.0
        self.shapes: list[Shape] = []
        self.y = 0.0

    def drawing(self) -> Drawing:
        figure = self.figure
        ticks = curves.instants(figure.begin, figure.begin + self.span, max(int((self.right - self.left) / 84), 2))
        if figure.film:
            self._film()
        lanes_from = self.y
        for lane in _lanes(figure):
            self._lane(lane)
        if self.y > lanes_from:
            self.y += GAP / 2
        charts_from = self.y
        for chart in figure.charts:
            self._chart(chart, ticks)
        for time, label in ticks:
            self.shapes.append(Words(self.x(time), self.y + 13, label, "quiet", "middle"))
        under = [Line(((self.x(time), lanes_from), (self.x(time), charts_from)), "grid") for time, _ in ticks]
        return Drawing(self.width, round(self.y + AXIS), (*under, *self.shapes))

    def x(self, time: float) -> float:
        share = (time - self.figure.begin) / self.span
        return self.left + min(max(share, 0.0), 1.0) * (self.right - self.left)

    def _film(self) -> None:
        """As many pictures of the clip as fit, each near its time."""
        film = self.figure.film
        picture = film[0][1]
        height = FILM if picture.width >= picture.height else FILM * 1.4
        wide = min(height * picture.width / picture.height, (self.right - self.left) / 2)
        count = max(min(round((self.right - self.left) / (wide + 2)), len(film)), 1)
        cell = (self.right - self.left) / count
        for k in range(count):
            middle = self.figure.begin + (k + 0.5) * self.span / count
            one = min(film, key=lambda item: abs(item[0] - middle))[1]
            self.shapes.append(Image(self.left + k * cell + 1, 0, cell - 2, height, one))
        self.y = height + 8

    def _lane(self, lane: Lane) -> None:
        y, middle = self.y, self.y + LANE / 2
        self.shapes.append(Line(((self.left, middle), (self.right, middle)), "rule"))
        self.shapes.append(Words(self.left - 8, middle + 4, lane.name, "ink", "end"))
        spans = [self._extent(mark) for mark in lane.marks]
        for k, (mark, (begin, end)) in enumerate(zip(lane.marks, spans, strict=True)):
            role: Role = "cut" if lane.name == CUTS else "hollow" if mark.hollow else "mark"
            self.shapes.append(Box(begin, y + 4, end - begin, LANE - 8, role, mark.told, mark.target))
            after = spans[k + 1][0] if k + 1 < len(spans) else self.right
            ahead = spans[k - 1][1] if k else self.left
            room = LETTER * len(mark.label) + 6
            if mark.label and after - end > room:
                self.shapes.append(Words(end + 3, middle + 4, mark.label, "quiet"))
            elif mark.label and k + 1 == len(spans) and begin - ahead > 2 * room:
                self.shapes.append(Words(begin - 3, middle + 4, mark.label, "quiet", "end"))
        self.y += LANE

    def _extent(self, mark: Mark) -> tuple[float, float]:
        begin, end = self.x(mark.begin), self.x(mark.end)
        if end - begin < THIN:
            begin = min(max((begin + end - THIN) / 2, self.left), self.right - THIN)
            end = begin + THIN
        return begin, end

    def _chart(self, chart: Chart, ticks: Sequence[tuple[float, str]]) -> None:
        self.shapes.append(Words(self.left, self.y + 12, chart.title, "ink"))
        top, bottom = self.y + TITLE, self.y + TITLE + CHART
        low, high, peak = _range(chart, self.figure.begin, self.figure.begin + self.span)
        above = "" if peak is None else f"peaks reach {curves.shown(peak)}"
        beside = self.left + LETTER * len(chart.title) + 10
        if beside + LETTER * (len(chart.unit) + len(above)) + 12 < self.right:
            self.shapes.append(Words(beside, self.y + 12, chart.unit, "quiet"))

        def y(value: float) -> float:
            return bottom - (min(max(value, low), high) - low) / (high - low) * (bottom - top)

        for begin, end in _merged([(self.x(a), self.x(b)) for a, b in self.figure.bands]):
            self.shapes.append(Box(begin, top, end - begin, bottom - top, "band"))
        self.shapes += [Line(((self.x(time), top), (self.x(time), bottom)), "grid") for time, _ in ticks]
        for value in curves.round_numbers(low, high, 3):
            self.shapes.append(Line(((self.left, y(value)), (self.right, y(value))), "grid"))
            self.shapes.append(Words(self.left - 6, y(value) + 4, curves.shown(value), "quiet", "end"))
        self.shapes += [Line(((self.x(time), top), (self.x(time), bottom)), "cut") for time in self.figure.cuts]
        columns = max(int(self.right - self.left), 1)
        for one in chart.series:
            for line in curves.lines(one.places, one.values, self.figure.begin, self.figure.begin + self.span, columns):
                points = [(self.x(place), y(value)) for place, value in line]
                if len(points) == 1:
                    points.append((points[0][0] + DOT, points[0][1]))
                self.shapes.append(Line(tuple(points), one.tone))
        if above:
            self.shapes.append(Words(self.right, self.y + 12, above, "quiet", "end"))
        if len(chart.series) > 1:
            self.shapes += _labels(chart.series, y, top, bottom, self.right + 6)
        self.y = bottom + GAP


CUTS = "cut"
"""Name of the lane of cuts."""


def _lanes(figure: Figure) -> tuple[Lane, ...]:
    """The lanes of a figure; where there are some, cuts have one too."""
    if not figure.lanes or not figure.cuts:
        return figure.lanes
    cuts = tuple(Mark(time, time, "", f"cut at {time:.3f} s") for time in figure.cuts)
    return (Lane(CUTS, cuts), *figure.lanes)


def _range(chart: Chart, begin: float, end: float) -> tuple[float, float, float | None]:
    """The lowest and the highest value of a chart, and the highest peak that leaves it, if one does."""
    seen = {one.tone: _within(one, begin, end) for one in chart.series}
    known = [reach for values in seen.values() if (reach := curves.reach(values)) is not None]
    if not known:
        return chart.least or 0.0, (chart.least or 0.0) + (chart.span or 1.0), None
    low, high = min(low for low, _ in known), max(high for _, high in known)
    peak = None
    if chart.peaks:
        usual = sorted(curves.finite(seen.get("after") or seen["before"]).tolist())
        nearly = usual[int(NEARLY * (len(usual) - 1))] if usual else high
        if high - low > PEAK * max(nearly - low, chart.span):
            peak, high = high, low + PEAK * max(nearly - low, chart.span)
    pad = max((chart.span - (high - low)) / 2, 0.06 * (high - low), 1e-6)
    low, high = low - pad, high + pad * (peak is None)
    if chart.least is not None and low < chart.least:
        low, high = chart.least, max(high, chart.least + chart.span)
    if chart.most is not None and high > chart.most:
        low, high = min(low, chart.most - chart.span), chart.most
    return low, high, peak


def _within(one: Series, begin: float, end: float) -> Sequence[float]:
    return one.values[bisect_left(one.places, begin) : bisect_right(one.places, end)]


def _merged(spans: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Spans, at least a pixel and a half wide, and those that touch as one: tints would add up."""
    current: tuple[float, float] | None = None
    for begin, end in sorted((begin, max(end, begin + 1.5)) for begin, end in spans):
        if current is not None and begin <= current[1]:
            current = current[0], max(current[1], end)
            continue
        if current is not None:
            yield current
        current = begin, end
    if current is not None:
        yield current


def _labels(series: Sequence[Series], y: Callable[[float], float], top: float, bottom: float, x: float) -> Iterator[Words]:
    """The name of each line beside its end, none over another."""
    ends = []
    for one in series:
        last = next((value for value in reversed(one.values) if isfinite(value)), None)
        if last is not None:
            ends.append((y(last), one))
    ends.sort(key=lambda item: item[0])
    places = [place for place, _ in ends]
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + 13)
    over = max((places[-1] - bottom) if places else 0.0, 0.0)
    for place, (_, one) in zip(places, ends, strict=True):
        yield Words(x, min(max(place - over, top), bottom) + 4, one.name, one.tone)
