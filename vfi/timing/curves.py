"""Speed ramps: how fast a clip plays, or which of its instants is shown, at every instant of the output.

A curve is data: a polynomial from each keyframe to the next, so that speed integrates to position in exact fractions. `Along`
is the grid of output times that follows a curve. Knows nothing of frames, files or models.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from math import ceil, comb, floor, sqrt
from typing import Any, Literal, Protocol, TypeAlias

from ..core import InputError
from ..parse import exact, number, quoted, read_json
from .grids import Knots, Tail, bounded

Kind = Literal["speed", "position"]
Polynomial: TypeAlias = "tuple[Fraction, ...]"
"""Coefficients, constant term first."""
Easing: TypeAlias = "tuple[tuple[Fraction, Polynomial], ...]"
"""The pieces of an easing: the u from which each applies, and its polynomial in u."""

MOST_KEYS = 1000
"""The most keyframes or points of a curve."""

LONGEST = 100
"""The most characters of a keyframe."""

CLOSE = Fraction(1, 100)
"""Tolerance of `Along.knots`: how far its straight lines may miss the curve, in seconds of the input."""


def _power(degree: int) -> dict[str, Easing]:
    """Penner's easings of one degree: slow at the start, at the end, and, in two halves, at both."""
    zero, half = Fraction(0), Fraction(1, 2)
    into = (*[zero] * degree, Fraction(1))
    rest = tuple(Fraction(comb(degree, k) * (-1) ** k) for k in range(degree + 1))  # (1 - u) ** degree
    out = (1 - rest[0], *(-c for c in rest[1:]))
    steep = 2 ** (degree - 1)
    second = (1 - steep * rest[0], *(-steep * c for c in rest[1:]))
    both = ((zero, tuple(steep * c for c in into)), (half, second))
    return {"in": ((zero, into),), "out": ((zero, out),), "in-out": both}


def _easings() -> dict[str, Easing]:
    whole: dict[str, tuple[int, ...]] = {
        "linear": (0, 1),
        "hold": (0,),
        "ease": (0, 0, 3, -2),
        "ease-in-out": (0, 0, 3, -2),
        "smoother": (0, 0, 0, 10, -15, 6),
    }
    easings: dict[str, Easing] = {}
    for name, coefficients in whole.items():
        easings[name] = ((Fraction(0), tuple(map(exact, coefficients))),)
    easings |= {f"ease-{name}": parts for name, parts in _power(2).items() if name != "in-out"}
    for degree, named in ((2, "quad"), (3, "cubic"), (4, "quart"), (5, "quint")):
        easings |= {f"ease-{name}-{named}": parts for name, parts in _power(degree).items()}
    return easings


EASINGS = _easings()
"""Easings by name: how a value moves from one keyframe to the next as u goes from 0 to 1.

``hold`` stays and then jumps; ``ease`` and ``ease-in-out`` are the smooth step 3u^2 - 2u^3; ``ease-in`` and ``ease-out`` are
of degree 2. None overshoots: a value stays between those of its two keyframes.
"""


@dataclass(frozen=True)
class Key:
    """A keyframe: ``value`` at ``time``, in seconds of the output, and the easing to the next."""

    time: Fraction
    value: Fraction
    ease: str = "linear"


@dataclass(frozen=True)
class Span:
    """One piece of a curve, from ``start`` until the next: a polynomial in u = (time - ``origin``) / ``length``."""

    start: Fraction
    origin: Fraction
    length: Fraction
    polynomial: Polynomial

    def at(self, time: Fraction) -> Fraction:
        u, value = (time - self.origin) / self.length, Fraction(0)
        for coefficient in reversed(self.polynomial):
            value = value * u + coefficient
        return value

    def integral(self, base: Fraction) -> Span:
        """The integral from ``start`` on, with ``base`` as its initial value."""
        gathered = tuple(c * self.length / (power + 1) for power, c in enumerate(self.polynomial))
        span = Span(self.start, self.origin, self.length, (Fraction(0), *gathered))
        return Span(self.start, self.origin, self.length, (base - span.at(self.start), *gathered))


@dataclass(frozen=True)
class TimeCurve:
    """A value over output time, from 0 on; the last span never ends.

    ``speed``: 1 as filmed, 0 a freeze, 2 twice as fast, below 0 backwards. ``position``: seconds from the clip's first frame.
    """

    kind: Kind
    spans: tuple[Span, ...]
    forward: bool  # the clip never plays backwards

    def at(self, time: Fraction) -> Fraction:
        return self.spans[max(bisect_right(self._starts, time) - 1, 0)].at(time)

    @cached_property
    def _starts(self) -> list[Fraction]:
        return [span.start for span in self.spans]

    @property
    def end(self) -> Fraction:
        """The time of the last keyframe."""
        return self.spans[-1].start

    def position(self, start: Fraction) -> TimeCurve:
        """The position at this speed, from ``start`` on: its exact integral."""
        spans = []
        for span, following in pairwise((*self.spans, None)):
            assert span is not None
            spans.append(span.integral(start))
            start = start if following is None else spans[-1].at(following.start)
        return TimeCurve("position", tuple(spans), self.forward)


class Path(Protocol):
    """A position over output time: seconds from the clip's first frame."""

    @property
    def forward(self) -> bool:
        """Whether the clip never plays backwards."""
        ...

    @property
    def spans(self) -> tuple[Span, ...]: ...

    def at(self, time: Fraction) -> Fraction: ...


def _through(spans: Sequence[Span], kind: Kind) -> TimeCurve:
    """The curve of monotone spans, whose values at both ends tell whether it runs backwards."""
    ends = [value for span, following in pairwise(spans) for value in (span.at(span.start), span.at(following.start))]
    ends.append(spans[-1].at(spans[-1].start))
    return TimeCurve(kind, tuple(spans), min(ends) >= 0 if kind == "speed" else ends == sorted(ends))


def keyed(keys: Iterable[Key], kind: Kind) -> TimeCurve:
    """The curve through keyframes, constant before the first and after the last. Raises `InputError`."""
    keys = list(keys)
    if not keys:
        raise InputError(f"a {kind} curve needs at least one keyframe, such as 0:1")
    _few(len(keys), kind)
    if keys[0].time < 0 or any(late.time <= early.time for early, late in pairwise(keys)):
        raise InputError(f"the times of a {kind} curve must increase from 0 up")
    spans = [_constant(Fraction(0), keys[0].value)] if keys[0].time else []
    for key, following in pairwise(keys):
        length, change = following.time - key.time, following.value - key.value
        for start, easing in EASINGS[named_easing(key.ease)]:
            eased = (key.value + change * easing[0], *(change * c for c in easing[1:]))
            spans.append(Span(key.time + start * length, key.time, length, eased))
    return _through([*spans, _constant(keys[-1].time, keys[-1].value)], kind)


def drawn(points: Iterable[tuple[Any, Any]], kind: Kind, *, smooth: bool, width: Fraction, height: Fraction) -> TimeCurve:
    """The curve through drawn points, x and y from 0 to 1: ``width`` seconds of output, and values up to ``height``.

    ``smooth``: the monotone cubic of ComfyUI's curve editor (Fritsch and Carlson 1980); otherwise straight lines.
    """
    points = list(points)
    _few(len(points), kind)
    try:
        at = sorted({number(str(x)): number(str(y)) for x, y in points}.items())
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"a point of the {kind} curve is not two numbers: {error}") from error
    if not smooth or len(at) < 2:
        return keyed([Key(x * width, y * height) for x, y in at], kind)
    if at[0][0] < 0:
        raise InputError(f"the points of a {kind} curve must not lie before 0")
    slopes = _slopes(at)
    spans = [_constant(Fraction(0), at[0][1] * height)] if at[0][0] else []
    for ((x, y), (following, goal)), (slope, later) in zip(pairwise(at), pairwise(slopes), strict=True):
        length, rise = following - x, goal - y
        begins, ends = slope * length, later * length
        cubic = (y, begins, 3 * rise - 2 * begins - ends, begins + ends - 2 * rise)
        spans.append(Span(x * width, x * width, length * width, tuple(c * height for c in cubic)))
    return _through([*spans, _constant(at[-1][0] * width, at[-1][1] * height)], kind)


def _slopes(at: Sequence[tuple[Fraction, Fraction]]) -> list[Fraction]:
    """The slope at each point: the mean of both sides, 0 at a peak, limited so that no span overshoots."""
    steps = [(above - below) / (later - early) for (early, below), (later, above) in pairwise(at)]
    means = [(left + right) / 2 if left * right > 0 else Fraction(0) for left, right in pairwise(steps)]
    slopes = [steps[0], *means, steps[-1]]
    for index, step in enumerate(steps):
        if step == 0:
            slopes[index] = slopes[index + 1] = step
            continue
        steepness = (slopes[index] ** 2 + slopes[index + 1] ** 2) / step**2
        if steepness > 9:
            less = Fraction(floor(3 / sqrt(steepness) * 10**9), 10**9)
            slopes[index], slopes[index + 1] = slopes[index] * less, slopes[index + 1] * less
    return slopes


def _constant(start: Fraction, value: Fraction) -> Span:
    return Span(start, start, Fraction(1), (value,))


def _few(count: int, kind: Kind) -> None:
    if count > MOST_KEYS:
        raise InputError(f"a {kind} curve of {count} keyframes was given: at most {MOST_KEYS} are possible")


_NUMBER = r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:/\d{1,40})?"
_KEY = re.compile(rf"(?:({_NUMBER})\s{{0,9}}(?:s\s{{0,9}})?[:=])?\s{{0,9}}({_NUMBER})(?:\s{{1,9}}([A-Za-z][\w -]{{0,40}}))?")


def parse(text: str, kind: Kind) -> TimeCurve:
    """Parse a curve from text such as ``0:1, 2:0.25 ease-in-out, 4:1``: time in seconds, value, and easing to the next.

    A single number is a constant. Keyframes are separated by commas, semicolons or line breaks. Raises `InputError`.
    """
    parts = [part.strip() for part in re.split(r"[,;\n]", text) if part.strip()]
    keys = []
    for part in parts:
        found = _KEY.fullmatch(part) if len(part) <= LONGEST else None
        if found is None or (found[1] is None and len(parts) > 1):
            raise InputError(
                f"{quoted(part)} is not a keyframe of a {kind} curve: write time:value and an easing, such as 2:0.25 ease-in"
            )
        keys.append(Key(_number(found[1] or "0"), _number(found[2]), named_easing(found[3] or "linear")))
    return keyed(keys, kind)


def of_json(text: str, duration: Fraction, length: Fraction | None = None) -> TimeCurve:
    """Parse a curve from JSON, for a clip of ``duration`` seconds. Raises `InputError`.

    Takes ``{"speed": [[0, 1], [2, 0.25, "ease-in-out"], [4, 1]]}``, the same with ``position``, or the output of ComfyUI's
    curve editor, ``{"points": [[0, 0], [1, 1]], "interpolation": "monotone_cubic"}``. The latter is a position, where 1 is
    the end of the clip, over an output of ``length`` seconds (default: ``duration``).
    """
    try:
        data = read_json(text, "the curve is", parse_float=number, parse_int=number)
        if isinstance(data, Mapping) and "points" in data:
            smooth = data.get("interpolation", "monotone_cubic") != "linear"
            points = [(x, y) for x, y in data["points"]]
            return drawn(points, "position", smooth=smooth, width=length or duration, height=duration)
        ((kind, rows),) = data.items()
        if kind not in ("speed", "position"):
            raise KeyError(kind)
        return keyed([Key(number(str(time)), number(str(value)), *ease) for time, value, *ease in rows], kind)
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
        raise InputError(
            'this JSON is not a curve: give {"speed": [[0, 1], [2, 0.25, "ease-in-out"]]}, the same with position, '
            'or {"points": [[0, 0], [1, 1]]}'
        ) from error


def named_easing(name: str) -> str:
    """An easing's name as in `EASINGS`; also takes easeInOutCubic or ease_in_out_cubic. Raises `InputError`."""
    if not isinstance(name, str) or len(name) > LONGEST:
        raise InputError(f"{quoted(name)} is not an easing: choose from {', '.join(EASINGS)}")
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name.strip())
    plain = re.sub(r"[\s_-]+", "-", plain).lower()
    if plain not in EASINGS:
        raise InputError(f"{name!r} is not an easing: choose from {', '.join(EASINGS)}")
    return plain


def _number(text: str) -> Fraction:
    try:
        return number(text)
    except ZeroDivisionError as error:
        raise InputError(f"{text} is not a number: it divides by zero") from error
    except ValueError as error:
        raise InputError(f"{quoted(text)} is not a number that can be used: {error}") from error


@dataclass(frozen=True)
class Along:
    """A `grids.Grid` along ``path``: outputs at k / ``rate`` seconds, ``length`` seconds in all.

    Before its first frame and past its end, at ``span`` seconds, the clip is frozen. ``outputs`` are the k, ordered by the
    position they show; `parts` splits them so.
    """

    path: Path
    rate: Fraction
    length: Fraction
    span: Fraction
    outputs: range

    def place(self, output: int) -> Fraction:
        """The position shown by an output, in seconds from the clip's first frame."""
        return self._kept(self.path.at(output / self.rate))

    def _kept(self, position: Fraction) -> Fraction:
        return min(max(position, Fraction(0)), self.span)

    def parts(self) -> Iterator[Along]:
        """The longest runs of outputs that show the clip forwards or, in reverse order, backwards."""
        if self.path.forward:
            yield self
            return
        begin, turn, before = 0, 0, self.place(0)
        for output in self.outputs[1:]:
            place = self.place(output)
            step = (place > before) - (place < before)
            if step * turn < 0:
                yield self._part(begin, output, turn)
                begin, step, turn = output, 0, 0
            turn, before = turn or step, place
        yield self._part(begin, len(self.outputs), turn)

    def _part(self, begin: int, end: int, turn: int) -> Along:
        return replace(self, outputs=range(end - 1, begin - 1, -1) if turn < 0 else range(begin, end))

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        since, until = (bisect_left(self.outputs, edge - first, key=self.place) for edge in (start, end))
        for output in self.outputs[since:until]:
            yield first + self.place(output), first + output / self.rate

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return len(self.outputs)

    def knots(self, span: Fraction) -> Knots:
        """Straight lines that miss the curve by at most `CLOSE`, from the start of the output to its end."""
        knots: list[tuple[Fraction, Fraction]] = []
        for one, following in pairwise((*self.path.spans, None)):
            assert one is not None
            start, end = one.start, self.length if following is None else min(following.start, self.length)
            if start >= end:
                continue
            pieces = _pieces(one, end)
            times = [start + (end - start) * k / pieces for k in range(pieces + 1)]
            for early, late in pairwise((time, one.at(time)) for time in times):
                for time, position in (early, *self._edges(early, late), late):
                    knot = self._kept(position), time
                    if not knots or knot != knots[-1]:
                        knots.append(knot)
        return tuple(knots)

    def _edges(self, early: tuple[Fraction, Fraction], late: tuple[Fraction, Fraction]) -> list[tuple[Fraction, Fraction]]:
        """Times and positions at which a straight line passes an end of the clip."""
        (start, low), (end, high) = early, late
        passed = [edge for edge in (Fraction(0), self.span) if min(low, high) < edge < max(low, high)]
        return sorted((start + (end - start) * (edge - low) / (high - low), edge) for edge in passed)


def _pieces(span: Span, end: Fraction) -> int:
    """Number of straight lines needed for a span until ``end``: a chord misses a curve by bend * length^2 / 8."""
    bends = [float(c * power * (power - 1)) for power, c in enumerate(span.polynomial)][2:]
    if not any(bends):
        return 1
    places = [float((span.start + (end - span.start) * k / 16 - span.origin) / span.length) for k in range(17)]
    bend = max(abs(sum(c * u**power for power, c in enumerate(bends))) for u in places) / float(span.length) ** 2
    return max(ceil(float(end - span.start) * sqrt(bend / float(8 * CLOSE))), 1)


def along(
    curve: TimeCurve,
    rate: Fraction | None,
    duration: Fraction | None,
    frames: int | None,
    *,
    start: Fraction | None = None,
    length: Fraction | None = None,
) -> Along:
    """The grid that plays a clip of ``duration`` seconds and ``frames`` frames along ``curve``, at ``rate`` frames per second.

    A speed begins at ``start`` seconds of the clip; by default at its first frame, or at its last if it begins backwards.
    ``length`` is the output's, in seconds. If None, a position lasts until its last keyframe; a speed lasts until it leaves
    the clip at either end, or comes to rest at its last keyframe. Raises `InputError` if the output has no length, or too
    little is known of the clip.
    """
    if rate is None:
        raise InputError("the clip's frame rate is unknown: give a frame rate for the output")
    if not duration or not frames:
        raise InputError("the clip's duration is unknown: a curve needs it")
    frame = duration / frames
    if curve.kind == "position":
        if start is not None:
            raise InputError("a start was given with a position curve: only a speed curve takes one")
        path = curve
        length = curve.end if length is None else length
    else:
        if start is None:
            start = duration - frame if curve.at(Fraction(0)) < 0 else Fraction(0)
        if not 0 <= start <= duration:
            raise InputError(f"a start at {float(start):g} s was given: the clip runs from 0 to {float(duration):g} s")
        path = curve.position(start)
        length = _used_up(path, curve.forward, rate, duration, -frame) if length is None else length
    if length <= 0:
        raise InputError(f"this {curve.kind} curve makes an output of no length: give its length in seconds")
    return Along(path, rate, length, duration, range(bounded(ceil(length * rate))))


def _used_up(path: TimeCurve, forward: bool, rate: Fraction, top: Fraction, bottom: Fraction) -> Fraction:
    """When a path leaves ``bottom`` to ``top`` (exact on straight lines, else at the next output) or comes to rest."""

    def outside(output: int) -> bool:
        return not bottom < path.at(output / rate) < top

    outputs = range(bounded(ceil(path.end * rate)))
    left = bisect_left(outputs, True, key=outside) if forward else next(filter(outside, outputs), len(outputs))
    at = left / rate if left < len(outputs) else path.end
    span = path.spans[bisect_right([one.start for one in path.spans], at) - 1]
    base, slope, *bends = (*span.polynomial, Fraction(0))
    if any(bends) or slope == 0:
        return at
    leaves = max(span.origin + ((top if slope > 0 else bottom) - base) / slope * span.length, span.start)
    return min(leaves, at) if left < len(outputs) else leaves
