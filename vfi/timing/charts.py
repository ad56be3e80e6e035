"""Spacing charts, as animators draw them: where each drawing between two keyframes lies on the way from A to B.

A chart is a line from A to B with a tick per drawing. Drawings are shown in order, each on one frame or held on twos or threes.
Each part of a picture may have its own chart; ``*`` is the chart of everything else. Owns charts, their presets and their JSON.
Knows nothing of pictures, masks or models: what a row names as its mask is only a text here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias, TypeVar

from ..core import InputError
from ..parse import Fields, count, number, or_none, quoted, read_json, short
from .curves import EASINGS, Key, keyed

T = TypeVar("T")

REST = "*"
"""The name of everything that is in no part."""

FORMAT = 1
"""Version of the JSON."""

HOLDS = {"ones": 1, "twos": 2, "threes": 3, "fours": 4}
"""How many frames each drawing is shown for."""

MOST_FRAMES = 1000
MOST_ROWS = 100
MOST_NAME = 100

Spacing: TypeAlias = "str | tuple[Fraction, ...]"
"""The name of a preset, or the place of each drawing: 0 is A, 1 is B."""


@dataclass(frozen=True)
class Chart:
    """The places of the drawings between A (0) and B (1), in the order in which they are shown.

    ``hold``: frames per drawing; None: all drawings are shown equally long. A chart may go backwards, but never beyond A or B:
    nothing shows what lies there. Raises `InputError`.
    """

    ticks: tuple[Fraction, ...]
    hold: int | None = None

    def __post_init__(self) -> None:
        for tick in self.ticks:
            if not 0 <= tick <= 1:
                raise InputError(
                    f"a tick at {float(tick):g} was given: a drawing lies between A, 0, and B, 1; an overshoot needs a "
                    "keyframe of its own"
                )
        if self.hold is not None and self.hold < 1:
            raise InputError(f"a hold of {self.hold} frames was given: it must be at least 1")

    def drawings(self, frames: int) -> list[int]:
        """The drawing that each of ``frames`` frames between A and B shows, from 1; 0 is A. Raises `InputError`."""
        drawn = len(self.ticks)
        most = frames // (self.hold or 1)
        if drawn > most:
            held = f", each drawing held for {self.hold}" if self.hold and self.hold > 1 else ""
            raise InputError(f"{drawn} ticks were given for {frames} frames{held}: at most {most} fit")
        if self.hold:
            return [min(frame // self.hold, drawn) for frame in range(1, frames + 1)]
        return [frame * (drawn + 1) // (frames + 1) for frame in range(1, frames + 1)]

    def places(self, frames: int) -> tuple[Fraction, ...]:
        """The place that each of ``frames`` frames between A and B shows. Raises `InputError`."""
        return tuple((Fraction(0), *self.ticks)[drawing] for drawing in self.drawings(frames))


Maker: TypeAlias = "Callable[[int], list[Fraction]]"
"""The places of a number of drawings."""


def _curve(of: Callable[[Fraction], Fraction]) -> Maker:
    """Drawings that are even in time, at the places that a curve gives them."""
    return lambda drawings: [of(Fraction(k, drawings + 1)) for k in range(1, drawings + 1)]


def _out_of_a(share: Fraction) -> Maker:
    """Ever further from A: the last drawing has ``share`` of the way behind it, each before it ``share`` of that."""
    return lambda drawings: [share**k for k in range(drawings, 0, -1)]


def _into_b(share: Fraction) -> Maker:
    """Ever closer to B: the mirror of `_out_of_a`."""
    return lambda drawings: [1 - share**k for k in range(1, drawings + 1)]


def _both(share: Fraction, first: Fraction) -> Maker:
    """Closer together towards A and towards B, ``first`` next to the middle; an odd drawing is half-way."""

    def made(drawings: int) -> list[Fraction]:
        out = [first * share**k for k in range(drawings // 2 - 1, -1, -1)]
        return [*out, *[Fraction(1, 2)] * (drawings % 2), *(1 - place for place in reversed(out))]

    return made


def _presets() -> dict[str, Maker]:
    half, third = Fraction(1, 2), Fraction(1, 3)
    presets: dict[str, Maker] = {
        "even": _curve(lambda u: u),
        "halves": _both(half, half**2),
        "halves-a": _out_of_a(half),
        "halves-b": _into_b(half),
        "thirds": _both(third, third),
        "thirds-a": _out_of_a(third),
        "thirds-b": _into_b(third),
        "favour-a": _curve(lambda u: u / (2 - u)),
        "favour-b": _curve(lambda u: 2 * u / (1 + u)),
    }
    for name in EASINGS:
        if name != "linear":
            curve = keyed([Key(Fraction(0), Fraction(0), name), Key(Fraction(1), Fraction(1))], "position")
            presets[name] = _curve(curve.at)
    return presets


PRESETS = _presets()
"""Charts by name, for any number of drawings.

``halves`` and ``thirds``: the way that is left is halved, or cut to a third, from drawing to drawing: towards A (``-a``),
towards B (``-b``) or both. ``favour-a``: a drawing half-way in time is a third of the way; ``favour-b`` is its mirror. The
others are `curves.EASINGS`.
"""


def preset(name: str, frames: int, hold: int = 1) -> Chart:
    """The chart of a preset for ``frames`` frames, each drawing held for ``hold``. Raises `InputError`."""
    if name not in PRESETS:
        raise InputError(f"{quoted(name)} is no preset of a spacing chart: choose from {', '.join(PRESETS)}")
    return Chart(tuple(PRESETS[name](frames // hold)), hold)


@dataclass(frozen=True)
class Row:
    """The chart of one part: its ``name``, or `REST`; its spacing; and how many frames each drawing is held for, None: one for
    a preset, for ticks as evenly as they fit.

    ``mask`` and ``mask_b`` name pictures that are white on the part in A and in B; whoever opens them knows where they are.
    Instead, ``tracks`` are the numbers, from 1, of the tracks that move the part.
    """

    name: str
    spacing: Spacing = "even"
    hold: int | None = None
    mask: str | None = None
    mask_b: str | None = None
    tracks: tuple[int, ...] = ()

    def chart(self, frames: int) -> Chart:
        """The chart for ``frames`` frames. Raises `InputError`."""
        if isinstance(self.spacing, str):
            return preset(self.spacing, frames, self.hold or 1)
        return Chart(self.spacing, self.hold)


@dataclass(frozen=True)
class Charts:
    """The charts of a picture's parts between A and B; a later part lies on top. What is in no part moves evenly, unless `REST`
    is there.

    ``frames``: the number between A and B; None if whoever uses the charts knows it. Raises `InputError`.
    """

    rows: tuple[Row, ...] = ()
    frames: int | None = None

    def __post_init__(self) -> None:
        names = [row.name for row in self.rows]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"{quoted(name)} has two charts: a part has one")
        if len(names) > MOST_ROWS:
            raise InputError(f"charts for {len(names)} parts were given: at most {MOST_ROWS} are possible")
        for row in self.rows:
            if row.name == REST and (row.mask or row.mask_b or row.tracks):
                raise InputError(f"a mask or tracks were given for {REST}, which is all that is in no part: leave them out")
            if row.mask and row.tracks:
                raise InputError(f"a mask and tracks were given for {row.name}: tracks that begin in the mask move it anyway")
            if not isinstance(row.spacing, str):
                self._of(row, lambda row: row.chart(MOST_FRAMES))
        if self.frames is not None:
            self.places(self.frames)

    @property
    def parts(self) -> tuple[Row, ...]:
        """The rows of all parts, without `REST`."""
        return tuple(row for row in self.rows if row.name != REST)

    @property
    def rest(self) -> Row:
        """The row of everything else."""
        return next((row for row in self.rows if row.name == REST), Row(REST))

    def places(self, frames: int) -> tuple[tuple[Fraction, ...], ...]:
        """For each of ``frames`` frames between A and B: the place of the rest, then of each part. Raises `InputError`."""
        if not 1 <= frames <= MOST_FRAMES:
            raise InputError(f"{frames} frames between A and B were asked for: 1 to {MOST_FRAMES} are possible")
        rows = (self.rest, *self.parts)
        return tuple(zip(*(self._of(row, lambda row: row.chart(frames).places(frames)) for row in rows), strict=True))

    @staticmethod
    def _of(row: Row, make: Callable[[Row], T]) -> T:
        """What ``make`` returns for a row; an `InputError` names it."""
        try:
            return make(row)
        except InputError as error:
            raise InputError(f"the chart of {row.name}: {error}") from error

    def to_json(self) -> str:
        """The charts as JSON, readable by `of_json`."""
        texts = [json.dumps(value, ensure_ascii=False) for row in self.rows for value in (row.name, _plain(row))]
        rows = ",".join(f"\n  {name}: {row}" for name, row in zip(texts[::2], texts[1::2], strict=True))
        frames = "" if self.frames is None else f' "frames": {self.frames},\n'
        return f'{{\n "v": {FORMAT},\n{frames} "charts": {{{rows}\n }}\n}}\n'


def of_json(text: str) -> Charts:
    """Charts from JSON such as ``{"frames": 7, "charts": {"*": "ease-in-out", "arm": {"spacing": [0.1, 0.5, 0.9], "on": 2,
    "mask": "arm.png"}}}``.

    A spacing is a list of ticks, each a number or a fraction such as "1/3", or a preset, also with its hold, such as "halves on
    twos". Raises `InputError`.
    """
    fields = Fields(read_json(text, "the charts are", object_pairs_hook=_once), "", "the JSON of charts")
    fields.take("v", _version, FORMAT)
    frames = fields.take("frames", or_none(count(1)), None)
    charts = fields.take("charts", _object)
    fields.end()
    return Charts(tuple(_row(name, value) for name, value in charts.items()), frames)


def named(text: str) -> tuple[str, int | None]:
    """A preset and its hold from text such as ``halves``, ``twos`` or ``ease-in on threes``. Raises `InputError`."""
    found = re.fullmatch(r"([\w -]{1,40}?)(?:\s+on\s+(\w{1,10}))?", text.strip().lower())
    word = re.sub(r"[\s_-]+", "-", found[1]).replace("favor-", "favour-") if found else text
    if found and found[2] is None and word in HOLDS:
        return "even", HOLDS[word]
    if not found or word not in PRESETS or (found[2] or "ones") not in HOLDS:
        raise InputError(
            f"{quoted(text)} is no preset of a spacing chart: choose from {', '.join(PRESETS)}, with on {', '.join(HOLDS)} if "
            "drawings are held"
        )
    return word, HOLDS[found[2]] if found[2] else None


def _row(name: str, value: Any) -> Row:
    if not name.strip() or len(name) > MOST_NAME or not name.isprintable():
        raise InputError(f"{quoted(name)} is no name of a part: give up to {MOST_NAME} letters")
    if not isinstance(value, dict):
        value = {"spacing": value}
    fields = Fields(value, f"charts.{name}")
    spacing, own = fields.take("spacing", _spacing, "even")
    hold = fields.take("on", or_none(_hold), None)
    masks = [fields.take(key, or_none(_text), None) for key in ("mask", "mask_b")]
    tracks = fields.take("tracks", _numbers, [])
    fields.end()
    if hold and own and hold != own:
        raise InputError(f"charts.{name} is on {own} and on {hold} at once: give one of them")
    return Row(name, spacing, hold or own, masks[0], masks[1], tracks)


def _spacing(value: Any) -> tuple[Spacing, int | None]:
    if isinstance(value, str):
        return named(value)
    if not isinstance(value, list):
        raise ValueError('it must be a list of ticks, such as [0.25, 0.5], or a preset, such as "halves"')
    if len(value) > MOST_FRAMES:
        raise ValueError(f"it must have at most {MOST_FRAMES} ticks")
    return tuple(_tick(tick) for tick in value), None


def _tick(value: Any) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("a tick must be a number from 0, A, to 1, B")
    return number(str(value))


def _version(value: Any) -> int:
    if value != FORMAT:
        raise ValueError(f"this version reads {FORMAT}")
    return FORMAT


def _hold(value: Any) -> int:
    if isinstance(value, str):
        value = HOLDS.get(value.strip().lower())
    if type(value) is not int or not 1 <= value <= MOST_FRAMES:
        raise ValueError(f"it must be {', '.join(HOLDS)}, or a number of frames")
    return value


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(count(1)(one) for one in (value if isinstance(value, list) else [value]))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("it must be the name of a picture")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError('it must be an object, {"*": "even", ...}')
    return value


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """An object none of whose fields is given twice."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{short(key)} is there twice")
        found[key] = value
    return found


def _plain(row: Row) -> Any:
    spacing: Any = row.spacing
    if not isinstance(spacing, str):
        spacing = [_shortest(tick) for tick in spacing]
    rest = {"on": row.hold, "mask": row.mask, "mask_b": row.mask_b, "tracks": list(row.tracks)}
    rest = {key: value for key, value in rest.items() if value}
    return {"spacing": spacing, **rest} if rest else spacing


def _shortest(tick: Fraction) -> int | float | str:
    """A tick as a number if that is exact, else as a fraction."""
    if tick.denominator == 1:
        return int(tick)
    return float(tick) if number(repr(float(tick))) == tick else str(tick)
