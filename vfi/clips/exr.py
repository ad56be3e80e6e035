"""What FFmpeg passes over in OpenEXR files: missing parts, which it decodes as black, and which layer is the picture.

Knows the layout of the file (openexr.com, "OpenEXR File Layout") and nothing of pictures.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ..core import InputError

MAGIC = b"\x76\x2f\x31\x01"
TILED, PARTS = 0x200, 0x1000
HALF, FLOAT = 1, 2
"""Kinds of samples that make a picture; the third is whole numbers."""

PICTURE = ("R", "G", "B", "A", "Y", "RY", "BY")
"""Names of the channels that make a picture."""

BEAUTY = ("combined", "rgba", "rgb", "beauty")
"""Names of layers that hold the finished picture, the best first."""


def is_cut(data: bytes) -> bool:
    """Whether a part of an EXR file is missing; False if the data is not EXR."""
    if not data.startswith(MAGIC):
        return False
    try:
        return _is_cut(data)
    except (struct.error, ValueError, IndexError):
        return True


@dataclass(frozen=True)
class Layer:
    """The channels of an EXR file that make one picture: those of a layer ("" for channels without one) in a part."""

    part: int
    name: str
    title: str


@dataclass(frozen=True)
class _Part:
    """A part of a file: its name and type, "" if it states none, its channels' kinds by their names, and its header's bytes."""

    title: str
    kind: str
    channels: dict[str, int]
    chunks: int
    header: bytes


def chosen(data: bytes, name: str, like: Layer | None = None) -> Layer:
    """The beauty pass of an EXR file; messages call the file ``name``. ``like``: the one that it must be, if it is not None.

    Of the layers and parts that hold a picture, the first one called Combined (Blender), RGBA, RGB or Beauty; before them,
    channels without a layer in a file of one part; after them, the first in the file. Raises `InputError` if there is none.
    """
    try:
        parts = _parts(data)
    except (struct.error, ValueError, IndexError, KeyError) as error:
        raise InputError(f"{name} cannot be decoded: its header is damaged or truncated") from error
    flat = [number for number, part in enumerate(parts) if not part.kind.startswith("deep")]
    found = [layer for layer, channels in _layers(parts) if layer.part in flat and _is_picture(channels)]
    if not found:
        names = ", ".join(channel for part in parts for channel in part.channels) or "none"
        raise InputError(f"{name} has the channels {names}: R, G and B, or Y, all half or all float, are needed")
    if like is not None and like not in found:
        raise InputError(f"{name} lacks {like.title or 'the channels R, G, B'}, which the images before it have: choose others")
    return like or min(found, key=lambda layer: _rank(layer, len(parts)))


def unread(data: bytes, layer: Layer) -> str | None:
    """A note on all that an EXR file holds besides ``layer``; None if there is nothing."""
    left = []
    for other, channels in _layers(_parts(data)):
        if (other.part, other.name) != (layer.part, layer.name):
            left.append(f"{other.title} ({', '.join(channels)})" if other.title else ", ".join(channels))
        elif more := [channel for channel in channels if channel.upper() not in PICTURE]:
            left.append(", ".join(more))
    return f"not kept from the EXR images besides {layer.title or 'their picture'}: {', '.join(left)}" if left else None


def _rank(layer: Layer, parts: int) -> int:
    if not layer.name and parts == 1:
        return 0
    last = layer.title.rpartition(".")[2].lower()
    return 1 + (BEAUTY.index(last) if last in BEAUTY else len(BEAUTY))


def _is_picture(channels: dict[str, int]) -> bool:
    """Whether channels, with their kinds, make a picture that FFmpeg decodes."""
    kinds = {name.upper(): kind for name, kind in channels.items() if name.upper() in PICTURE}
    whole = {"R", "G", "B"} <= kinds.keys() or ("Y" in kinds and not {"RY", "BY"} & kinds.keys())
    return whole and set(kinds.values()) in ({HALF}, {FLOAT})


def _layers(parts: list[_Part]) -> Iterator[tuple[Layer, dict[str, int]]]:
    """Each layer of each part, with its channels, without the layer's name, and their kinds."""
    for number, part in enumerate(parts):
        for name in dict.fromkeys(channel.rpartition(".")[0] for channel in part.channels):
            own = {channel: kind for channel, kind in part.channels.items() if channel.rpartition(".")[0] == name}
            yield Layer(number, name, name or part.title), {channel.rpartition(".")[2]: own[channel] for channel in own}


def _parts(data: bytes) -> list[_Part]:
    (flags,) = struct.unpack_from("<I", data, 4)
    parts: list[_Part] = []
    begin = 8
    while not parts or (flags & PARTS and data[begin]):
        attributes = dict(_attributes(data, begin))

        def text(name: str, places: dict[str, int] = attributes) -> str:
            place = places.get(name)
            return "" if place is None else data[place:][: struct.unpack_from("<I", data, place - 4)[0]].decode("latin-1")

        channels: dict[str, int] = {}
        place = attributes["channels"]
        while data[place]:
            end = data.index(b"\0", place)
            (channels[data[place:end].decode("latin-1")],) = struct.unpack_from("<i", data, end + 1)
            place = end + 17  # kind, linearity and the sampling
        (chunks,) = struct.unpack_from("<I", data, attributes["chunkCount"]) if flags & PARTS else (0,)
        parts.append(_Part(text("name"), text("type"), channels, chunks, data[begin : attributes[""]]))
        begin = attributes[""]
    return parts


def alone(data: bytes, layer: Layer, name: str) -> bytes:
    """A file of one part, that of ``layer``; messages call the file ``name``.

    Of several parts, FFmpeg's option ``part`` decodes another one or black. Raises `InputError` if the file is cut off.
    """
    try:
        return _alone(data, layer)
    except (struct.error, ValueError) as error:
        raise InputError(f"{name} cannot be decoded: it is damaged or truncated") from error


def _alone(data: bytes, layer: Layer) -> bytes:
    (flags,) = struct.unpack_from("<I", data, 4)
    if not flags & PARTS:
        return data
    if _is_cut(data):
        raise ValueError("another part is cut off")
    parts = _parts(data)
    part = parts[layer.part]
    table = 8 + sum(len(one.header) for one in parts) + 1 + 8 * sum(one.chunks for one in parts[: layer.part])
    tiled = part.kind == "tiledimage"
    head = MAGIC + struct.pack("<I", (flags & ~(PARTS | TILED)) | (TILED if tiled else 0)) + part.header
    starts, chunks, place = [], [], len(head) + 8 * part.chunks
    for start in struct.unpack_from(f"<{part.chunks}Q", data, table):
        size = 4 + (16 if tiled else 4)  # of the part's number and the chunk's position
        end = start + size + 4 + struct.unpack_from("<I", data, start + size)[0]
        if end > len(data):
            raise ValueError("a chunk is cut off")
        starts.append(place)
        chunks.append(data[start + 4 : end])
        place += len(chunks[-1])
    return head + struct.pack(f"<{len(starts)}Q", *starts) + b"".join(chunks)


def _is_cut(data: bytes) -> bool:
    (flags,) = struct.unpack_from("<I", data, 4)
    place = _end_of_header(data, 8)
    while flags & PARTS and data[place]:
        place = _end_of_header(data, place)
    place += bool(flags & PARTS)
    chunks: list[int] = []
    first = len(data)
    while place < first:  # the chunk table ends where the first chunk begins
        chunks.append(*struct.unpack_from("<Q", data, place))
        first = min(first, chunks[-1])
        place += 8
    if flags & PARTS:  # each part may have its own layout
        return max(chunks) >= len(data) or 0 in chunks
    before = 16 if flags & TILED else 4  # bytes for the chunk's position in the picture
    return any(start + before + 4 + struct.unpack_from("<i", data, start + before)[0] > len(data) for start in chunks)


def _attributes(data: bytes, place: int) -> Iterator[tuple[str, int]]:
    """The name of each attribute from ``place`` on and the offset of its value; "" and the offset after them at the end.

    Each has a name, a type, a size and that many bytes.
    """
    while data[place : place + 1] != b"\0":
        end = data.index(b"\0", place)
        name = data[place:end].decode("latin-1")
        place = data.index(b"\0", end + 1) + 1
        (size,) = struct.unpack_from("<I", data, place)  # unsigned: a negative size would lead backwards, for ever
        yield name, place + 4
        place += 4 + size
    yield "", place + 1


def _end_of_header(data: bytes, place: int) -> int:
    """The offset after the attributes that begin at ``place``."""
    return dict(_attributes(data, place))[""]
