"""Drawn tracks: points, the curve through them and its timing, stored as JSON.

`js/track_math.js` is the browser's version and describes the format; one fixture file tests both. Owns the data and its JSON.
Knows nothing of pictures, nor of other programs' formats.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, get_args

import torch
from torch import Tensor

from ..core import InputError
from ..parse import Fields, known, numbers, plain, read_json, short
from .curves import Interp, Offset, along, chain
from .easing import EASES, Ease, backwards, eased
from .easing import checked as checked_ease
from .sampled import Size, Tracks, Watch, instants

FORMAT = 1
"""Version of the JSON format, stored under ``v``."""

COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
"""Colours assigned to tracks in turn, safe for colour-blind viewers (Okabe and Ito, "Color Universal Design", 2008)."""

_FORGIVEN = 1e-9


@dataclass(frozen=True)
class Point:
    """A point of a track: ``x`` and ``y`` in pixels, and the ``time``, 0 to 1, at which it is passed; None: see `Track.times`.

    ``into`` and ``out``: handles of a smooth curve towards the previous and the next point, (dx, dy) from this one; None for
    automatic handles.
    """

    x: float
    y: float
    time: float | None = None
    into: Offset | None = None
    out: Offset | None = None


@dataclass(frozen=True)
class Track:
    """One point's drawn path through a clip. A track of a single point is an anchor, which stands still.

    ``interp``: see `curves.chain`. ``ease`` runs from each timed point (the first, the last and those with a time) to the next.
    ``span``: start and end of the track's visibility only. ``on``: whether the track is used. Raises `InputError`.
    """

    points: tuple[Point, ...]
    id: str = "1"
    name: str = "Track 1"
    colour: str = COLOURS[0]
    on: bool = True
    interp: Interp = "catmull"
    ease: Ease = "linear"
    span: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        for key, text in (("id", self.id), ("name", self.name), ("color", self.colour)):
            if not isinstance(text, str):
                raise InputError(f"{key} is {short(text)}: it must be a text")
        if not isinstance(self.on, bool):
            raise InputError(f"on is {short(self.on)}: it must be true or false")
        if self.interp not in get_args(Interp):
            raise InputError(f"interp is {short(self.interp)}: it must be catmull, linear or pchip")
        try:
            checked_ease(self.ease)
        except InputError as error:
            raise InputError(
                f"ease is {short(self.ease)}: it must be {', '.join(EASES)} or [x1, y1, x2, y2] with x1 and x2 within 0 and 1"
            ) from error
        if not numbers(self.span, 2) or not 0 <= self.span[0] <= self.span[1] <= 1:
            raise InputError(f"span is {short(self.span)}: it must be [start, end] within 0 and 1")
        if not self.points:
            raise InputError("pts is []: it must be a list of points")
        for index, (before, time) in enumerate(pairwise(self.times), start=1):
            if not time > before:
                raise InputError(f"pts[{index}] is passed at {plain(time)}: it must be after the one before, {plain(before)}")

    @property
    def times(self) -> tuple[float, ...]:
        """The time of each point: by default 0 for the first and 1 for the last; others without one are spaced evenly."""
        ends = {len(self.points) - 1: 1.0, 0: 0.0}
        keys = [
            (index, ends[index] if point.time is None else point.time)
            for index, point in enumerate(self.points)
            if point.time is not None or index in ends
        ]
        times = [keys[0][1]]
        for (before, start), (after, end) in pairwise(keys):
            times += [start + (end - start) * (index - before) / (after - before) for index in range(before + 1, after)]
            times.append(end)
        return tuple(times)

    def at(self, times: Tensor) -> Tensor:
        """Positions of the track at ``times`` [T] from 0 to 1: [T,2] float64."""
        times = times.double()
        places = torch.tensor([(point.x, point.y) for point in self.points], dtype=torch.float64, device=times.device)
        if len(places) == 1:
            return places.expand(len(times), 2).clone()
        passed = places.new_tensor(self.times)
        last = len(passed) - 1
        keys = [index for index, point in enumerate(self.points) if index in (0, last) or point.time is not None]
        stretches = passed[keys]
        index = (torch.searchsorted(stretches, times.contiguous(), right=True) - 1).clamp(0, len(keys) - 2)
        start, length = stretches[index], stretches[index + 1] - stretches[index]
        curve_time = start + length * eased(self.ease, (times - start) / length)
        handles = [(point.into, point.out) for point in self.points]
        return along(chain(places, passed, self.interp, handles), passed, curve_time)

    def visible(self, times: Tensor) -> Tensor:
        """Whether the track is visible at ``times`` [T]: [T] bool."""
        start, end = self.span
        return (times >= start - _FORGIVEN) & (times <= end + _FORGIVEN)

    def scaled(self, size: Size, wanted: Size) -> Track:
        """The track on the same picture at another size."""
        sx, sy = wanted[0] / size[0], wanted[1] / size[1]

        def grown(offset: Offset | None) -> Offset | None:
            return offset and (offset[0] * sx, offset[1] * sy)

        points = tuple(
            Point((p.x + 0.5) * sx - 0.5, (p.y + 0.5) * sy - 0.5, p.time, grown(p.into), grown(p.out)) for p in self.points
        )
        return replace(self, points=points)

    def reversed(self) -> Track:
        """The track played backwards: at t where this one is at 1 - t."""
        points = tuple(Point(p.x, p.y, None if p.time is None else 1 - p.time, p.out, p.into) for p in reversed(self.points))
        return replace(self, points=points, ease=backwards(self.ease), span=(1 - self.span[1], 1 - self.span[0]))


@dataclass(frozen=True)
class Document:
    """Drawn tracks on a picture of ``size`` (width, height) pixels. Raises `InputError`."""

    size: Size
    tracks: tuple[Track, ...] = ()

    def __post_init__(self) -> None:
        if not numbers(self.size, 2) or not all(side > 0 for side in self.size):
            raise InputError(f"size is {short(self.size)}: it must be [width, height] in pixels, both above 0")

    def sampled(self, frames: int, watch: Watch = iter) -> Tracks:
        """The tracks that are on, at ``frames`` frames, with float64 positions. Raises `InputError` for no frames.

        ``watch`` passes the tracks on, so that a caller can stop between two.
        """
        return self.at(instants(frames), watch)

    def at(self, times: Tensor | Sequence[float], watch: Watch = iter) -> Tracks:
        """The tracks that are on, at any ``times`` [T] from 0 to 1; ``watch`` as in `sampled`."""
        times = torch.as_tensor(times, dtype=torch.float64)
        on = [track for track in self.tracks if track.on]
        path = torch.stack([track.at(times) for track in watch(on)], dim=1) if on else times.new_zeros((len(times), 0, 2))
        visible = [track.visible(times) for track in on]
        return Tracks(path, torch.stack(visible, dim=1) if on else times.new_zeros((len(times), 0)).bool(), self.size)

    def scaled(self, size: Size) -> Document:
        """The same document on pictures of another ``size``."""
        return Document(size, tuple(track.scaled(self.size, size) for track in self.tracks))

    def reversed(self) -> Document:
        """The tracks of the clip played backwards."""
        return replace(self, tracks=tuple(track.reversed() for track in self.tracks))

    def beside(self, other: Document) -> Document:
        """These tracks, then those of ``other`` rescaled to this size, with new ids for those already taken."""
        joined = list(self.tracks)
        for track in other.scaled(self.size).tracks:
            taken = {one.id for one in joined}
            free = next(str(number) for number in range(1, len(taken) + 2) if str(number) not in taken)
            joined.append(replace(track, id=free) if track.id in taken else track)
        return Document(self.size, tuple(joined))

    @classmethod
    def through(cls, tracks: Tracks, tolerance: float = 1.0, order: Iterable[int] | None = None) -> Document:
        """Simplify ``tracks`` to few timed points, joined by straight lines, that deviate by at most ``tolerance`` pixels.

        The deviation is measured at equal times (Meratnia and de By, "Spatiotemporal Compression Techniques for Moving Point
        Objects", EDBT 2004). Each track runs from its first to its last visible frame, which is also its span; tracks that are
        never visible are off. ``order`` gives the indices of the tracks, one by one, so that a caller can watch and stop.

        Raises `InputError` unless ``tolerance`` is 0 or more.
        """
        if not tolerance >= 0:
            raise InputError(f"a tolerance of {tolerance} pixels was given: it must be 0 or more")
        times = instants(tracks.frames).tolist()
        drawn = []
        for index in range(tracks.count) if order is None else order:
            path = [(float(x), float(y)) for x, y in tracks.path[:, index].tolist()]
            seen = tracks.visible[:, index].nonzero().flatten().tolist()
            first, last = (seen[0], seen[-1]) if seen else (0, tracks.frames - 1)
            kept = _kept(path, times, first, last, tolerance)
            still = len(kept) == 2 and path[kept[0]] == path[kept[1]]
            points = tuple(Point(*path[k], None if still else times[k]) for k in (kept[:1] if still else kept))
            span = (times[first], times[last])
            drawn.append(Track(points, **labels(index), on=bool(seen), interp="linear", span=span))
        return cls(tracks.size, tuple(drawn))

    def to_json(self, watch: Watch = iter) -> str:
        """The document as JSON, readable by `from_json`; ``watch`` as in `sampled`."""
        return json.dumps(
            {
                "v": FORMAT,
                "size": plain(self.size),
                "tracks": [
                    {
                        "id": track.id,
                        "name": track.name,
                        "color": track.colour,
                        "on": track.on,
                        "interp": track.interp,
                        "ease": plain(track.ease),
                        "span": plain(track.span),
                        "pts": [_row(point) for point in track.points],
                    }
                    for track in watch(self.tracks)
                ],
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str) -> Document:
        """Parse a document from JSON. Raises `InputError`, which names the wrong line or field."""
        return cls.of_data(read_json(text, "the tracks are"))

    @classmethod
    def of_data(cls, data: Any) -> Document:
        """The document from parsed JSON. Raises `InputError`."""
        _checked(data, "the document", ("v", "size", "tracks"))
        if data.get("v") != FORMAT or isinstance(data["v"], bool):
            raise InputError(f"v is {short(data.get('v', ...))}: this version reads tracks of form {FORMAT}")
        size = data.get("size", ...)
        document = cls(tuple(size) if isinstance(size, list) else size)
        listed = data.get("tracks", ...)
        if not isinstance(listed, list):
            raise InputError(f"tracks is {short(listed)}: it must be a list, [...]")
        return replace(document, tracks=tuple(_track(one, f"tracks[{index}]", index) for index, one in enumerate(listed)))


def labels(index: int) -> dict[str, Any]:
    """Default id, name and colour of a track by its index in a document."""
    return {"id": str(index + 1), "name": f"Track {index + 1}", "colour": COLOURS[index % len(COLOURS)]}


def _track(data: Any, where: str, index: int) -> Track:
    names = {"id": "id", "name": "name", "color": "colour", "on": "on", "interp": "interp", "ease": "ease", "span": "span"}
    _checked(data, where, (*names, "pts"))
    given: dict[str, Any] = labels(index)
    for key in names.keys() & data.keys():
        given[names[key]] = tuple(data[key]) if isinstance(data[key], list) else data[key]
    pts = data.get("pts", ...)
    if not isinstance(pts, list) or not pts:
        raise InputError(f"{where}.pts is {short(pts)}: it must be a list of points")
    points = tuple(_point(one, f"{where}.pts[{at}]") for at, one in enumerate(pts))
    try:
        return Track(points, **given)
    except InputError as error:
        raise InputError(f"{where}.{error}") from error


def _checked(data: Any, where: str, names: Sequence[str]) -> None:
    """Raise `InputError` unless ``data`` is an object with no other fields than ``names``."""
    Fields(data, where)
    known(data, names, where)


def _point(data: Any, where: str) -> Point:
    rest = data[2:] if isinstance(data, list) and len(data) in (3, 7) else []
    time, into, out = rest[0] if rest else None, rest[1:3] or [None, None], rest[3:5] or [None, None]
    shaped = isinstance(data, list) and len(data) in (2, 3, 7) and numbers(data[:2], 2)
    if (
        not shaped
        or not all(pair == [None, None] or numbers(pair, 2) for pair in (into, out))
        or not (time is None or numbers([time], 1))
    ):
        raise InputError(f"{where} is {short(data)}: a point is [x, y], [x, y, time] or [x, y, time, in x, in y, out x, out y]")
    if time is not None and not 0 <= time <= 1:
        raise InputError(f"{where}[2] is {short(time)}: a time lies within 0 and 1")
    handles = [None if pair[0] is None else (pair[0], pair[1]) for pair in (into, out)]
    return Point(data[0], data[1], time, *handles)


def _row(point: Point) -> list[Any]:
    into, out = point.into or (None, None), point.out or (None, None)
    row = [point.x, point.y, point.time, *into, *out]
    used = 7 if point.into or point.out else 2 if point.time is None else 3
    return [plain(value) for value in row[:used]]


def _kept(path: Sequence[Offset], times: Sequence[float], first: int, last: int, tolerance: float) -> list[int]:
    """The frames from ``first`` to ``last`` to keep as points."""
    kept, open_parts = {first, last}, [(first, last)]
    while open_parts:
        start, end = open_parts.pop()
        worst, most = -1, tolerance
        for index in range(start + 1, end):
            share = (times[index] - times[start]) / (times[end] - times[start])
            there = [a + (b - a) * share for a, b in zip(path[start], path[end], strict=True)]
            if (distance := math.dist(there, path[index])) > most:
                worst, most = index, distance
        if worst >= 0:
            kept.add(worst)
            open_parts += [(start, worst), (worst, end)]
    return sorted(kept)
