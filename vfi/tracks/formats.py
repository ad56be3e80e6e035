"""Tracks in other programs' formats: the JSON of KJNodes, LTX-Video and Framer, and all kinds of track files.

Owns the formats and their detection. Only our own document stores the picture's size; for all others the caller passes it.
Knows nothing of the use of tracks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch

from ..core import InputError
from ..parse import finite, read_json, short
from .arrays import of_ati, of_core, of_npy, of_pred_tracks
from .document import Document, Point, Track, labels
from .sampled import Size, Tracks, Watch

TRACK_ENDINGS = (".json", ".npy", ".npz", ".pth", ".pt")
"""Endings of the files that `read_tracks` knows."""

Read: TypeAlias = "Document | Tracks"
"""The content of a format: points of a curve, or positions at frames."""

Form = Literal["document", "samples", "flat", "store", "framer"]
"""Formats that `dumps` writes: our own document; KJNodes' ``coord_str``, which nodes of LTX-Video, ATI and Wan-Move also read;
KJNodes' variant of that for a single track; KJNodes' ``points_store``; and the lists of points of Framer and DragNUWA."""


def tracks_of(read: Read, frames: int, watch: Watch = iter) -> Tracks:
    """Sample the tracks at ``frames`` frames; ``watch`` as in `dumps`."""
    return read.sampled(frames, watch) if isinstance(read, Document) else read.resampled(frames)


def document_of(read: Read, tolerance: float = 1.0) -> Document:
    """Convert to an editable document; see `Document.through`."""
    return read if isinstance(read, Document) else Document.through(read, tolerance)


def loads(text: str, size: Size | None = None) -> Read:
    """Read tracks from JSON in any supported format.

    These are our own document; KJNodes' ``points_store``; samples such as ``[[{"x": 1, "y": 2}, ...], ...]``, nested, flat or
    as a list of strings, also in single quotes; ``[[[x, y], ...], ...]`` of Framer and DragNUWA; TRACKS and PREDTRACKS with
    lists for tensors. ``size`` (width, height) is that of the picture: our own document is rescaled to it, all others need it.
    Samples run from the first keyframe to the last; equally long tracks of samples become `Tracks`, all else a `Document`.
    Raises `InputError`, which names the line, or the track and point, of the mistake.
    """
    return of_data(_json(text), size)


def read_tracks(path: Path | str, size: Size | None = None) -> Read:
    """Read a track file: JSON, ATI's .npz or .pth, or Wan-Move's track.npy, with its visibility.npy if there is one beside it.

    A .pth file is never unpickled: only the bytes of its array are extracted. Raises `InputError`.
    """
    path = Path(path).expanduser()
    try:
        data = path.read_bytes()
        if path.suffix == ".npy":
            beside = path.with_name(path.name.replace("track", "visibility"))
            seen = beside.read_bytes() if beside != path and beside.is_file() else None
            return of_npy(data, seen, _needed(size))
        if path.suffix in (".npz", ".pth", ".pt"):
            return of_ati(data, _needed(size))
        return loads(data.decode("utf-8-sig"), size)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is neither text nor an array: JSON, .npy, .npz or .pth is needed") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def of_data(data: Any, size: Size | None = None) -> Read:
    """As `loads`, from parsed JSON or dictionaries of tensors."""
    if isinstance(data, Mapping):
        if "track_path" in data or "pred_tracks" in data:
            return of_core(data, _needed(size)) if "track_path" in data else of_pred_tracks(data, _needed(size))
        if "points" in data or "x" in data:
            return of_data([data], size)
        document = Document.of_data(data)
        return document if size is None else document.scaled(size)
    if not isinstance(data, list):
        raise InputError(f"the tracks are {short(data)}: a list or an object is needed")
    if not data:
        return Document(_needed(size))
    first = data[0]
    if isinstance(first, str):
        return of_data([_strip(one, index) for index, one in enumerate(data)], size)
    if isinstance(first, Mapping):
        return _store(data, _needed(size)) if "points" in first else _samples([data], _needed(size))
    if isinstance(first, list) and first and not isinstance(first[0], list | Mapping):
        data = [data]
    if isinstance(data[0], list) and data[0] and isinstance(data[0][0], list):
        return _framer(data, _needed(size))
    return _samples(data, _needed(size))


def dumps(read: Read, form: Form, frames: int | None = None, watch: Watch = iter) -> str:
    """Write tracks as JSON in a ``form``; formats of samples take ``frames`` frames (default: those of the tracks).

    Only our own document stores visibility, timing and easing; samples contain the timing implicitly. ``watch`` passes the
    tracks on, so that a caller can stop between two. Raises `InputError` if the format cannot hold the tracks.
    """
    if form == "document":
        return document_of(read).to_json(watch)
    if form == "store":
        return _compact([_stored(track) for track in watch(document_of(read).tracks)])
    if form == "framer":
        return _compact([[[p.x, p.y] for p in track.points] for track in watch(document_of(read).tracks) if track.on])
    if form not in ("samples", "flat"):
        raise InputError(f"{form!r} is not a format of tracks: document, samples, flat, store and framer are")
    if frames is None and isinstance(read, Document):
        raise InputError("no number of frames was given: samples need one")
    tracks = read if frames is None else tracks_of(read, frames, watch)
    assert isinstance(tracks, Tracks)
    if form == "flat" and tracks.count != 1:
        raise InputError(f"{tracks.count} tracks were given for one flat list: it holds exactly one")
    paths = watch(tracks.path.transpose(0, 1))
    texts = [_compact([{"x": x, "y": y} for x, y in path.tolist()]) for path in paths]  # objects take more memory than text
    return texts[0] if form == "flat" else f"[{','.join(texts)}]"


def _json(text: str) -> Any:
    single = "'" in text and '"' not in text
    return read_json(text.replace("'", '"') if single else text, "the tracks are")


def _strip(text: Any, index: int) -> Any:
    """The track in one string of a list of strings."""
    if not isinstance(text, str):
        raise InputError(f"track {index} is {short(text)}, and those before are text: all must be of one kind")
    try:
        track = _json(text)
    except InputError as error:
        raise InputError(f"track {index}: {error}") from error
    nested = isinstance(track, list) and len(track) == 1 and isinstance(track[0], list)
    return track[0] if nested and isinstance(track[0][0] if track[0] else None, Mapping) else track


def _samples(data: list[Any], size: Size) -> Read:
    paths = [_places(track, f"track {index}", _xy) for index, track in enumerate(data)]
    if len({len(path) for path in paths}) == 1 and len(paths[0]) > 1:
        path = torch.tensor(paths, dtype=torch.float64).transpose(0, 1)
        return Tracks(path, torch.ones(path.shape[:2], dtype=torch.bool), size)
    return _drawn(paths, size, "linear")


def _framer(data: list[Any], size: Size) -> Document:
    return _drawn([_places(track, f"track {index}", _pair) for index, track in enumerate(data)], size, "pchip")


def _drawn(paths: list[list[tuple[float, float]]], size: Size, interp: Literal["linear", "pchip"]) -> Document:
    tracks = [Track(tuple(Point(x, y) for x, y in path), **labels(index), interp=interp) for index, path in enumerate(paths)]
    return Document(size, tuple(tracks))


def _store(data: list[Any], size: Size) -> Document:
    tracks = []
    for index, one in enumerate(data):
        where = f"track {index}"
        if not isinstance(one, Mapping) or "points" not in one:
            raise InputError(f"{where} is {short(one)}: an object with points is needed")
        points = _places(one["points"], where, _with_handles)
        given = labels(index)
        given |= {ours: one[key] for key, ours in (("name", "name"), ("color", "colour")) if isinstance(one.get(key), str)}
        tracks.append(Track(tuple(points), **given))
    return Document(size, tuple(tracks))


def _stored(track: Track) -> dict[str, Any]:
    """A track of KJNodes' ``points_store``, in which handles are absolute positions."""
    points = []
    for point in track.points:
        row = {"x": point.x, "y": point.y}
        for name, offset in (("h1", point.into), ("h2", point.out)):
            if offset is not None:
                row |= {f"{name}x": point.x + offset[0], f"{name}y": point.y + offset[1]}
        points.append(row)
    single = {"isSinglePoint": True} if len(points) == 1 else {}
    return {"points": points, "color": track.colour, "name": track.name, **single}


def _places(data: Any, where: str, read: Callable[[Any, str], Any]) -> list[Any]:
    if not isinstance(data, list):
        raise InputError(f"{where} is {short(data)}: a list of points is needed")
    if not data:
        raise InputError(f"{where} has no points: at least one is needed")
    return [read(one, f"{where}, point {index}") for index, one in enumerate(data)]


def _xy(data: Any, where: str) -> tuple[float, float]:
    if not isinstance(data, Mapping):
        raise InputError(f'{where} is {short(data)}: {{"x": ..., "y": ...}} is needed')
    return _number(data, "x", where), _number(data, "y", where)


def _with_handles(data: Any, where: str) -> Point:
    x, y = _xy(data, where)
    handles = [
        (_number(data, f"{name}x", where) - x, _number(data, f"{name}y", where) - y) if f"{name}x" in data else None
        for name in ("h1", "h2")
    ]
    return Point(x, y, None, *handles)


def _pair(data: Any, where: str) -> tuple[float, float]:
    if not isinstance(data, list) or len(data) != 2:
        raise InputError(f"{where} is {short(data)}: [x, y] is needed")
    return _finite(data[0], where), _finite(data[1], where)


def _number(data: Mapping[str, Any], key: str, where: str) -> float:
    if key not in data:
        raise InputError(f"{where} is {short(data)}: it has no {key}")
    return _finite(data[key], f"{key} of {where}")


def _finite(value: Any, where: str) -> float:
    if not finite(value):
        raise InputError(f"{where} is {short(value)}: a finite number is needed")
    return float(value)


def _needed(size: Size | None) -> Size:
    if size is None:
        raise InputError("these tracks do not store the size of their picture: give its width and height")
    return size


def _compact(data: Sequence[Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
