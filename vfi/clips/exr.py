"""What FFmpeg passes over in OpenEXR files: missing parts, which it decodes as black, and layers besides the picture.

Knows the layout of the file (openexr.com, "OpenEXR File Layout") and nothing of pictures.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAGIC = b"\x76\x2f\x31\x01"
TILED, PARTS = 0x200, 0x1000
PICTURE = ("R", "G", "B", "A", "Y", "RY", "BY")
"""Names of the channels that make a picture."""


def is_cut(data: bytes) -> bool:
    """Whether a part of an EXR file is missing; False if the data is not EXR."""
    if not data.startswith(MAGIC):
        return False
    try:
        return _is_cut(data)
    except (struct.error, ValueError, IndexError):
        return True


def unread(data: bytes) -> str | None:
    """A note on the channels and parts of an EXR file besides its picture; None if there are none."""
    try:
        return _unread(data)
    except (struct.error, ValueError, IndexError, KeyError):
        return None


def _unread(data: bytes) -> str | None:
    (flags,) = struct.unpack_from("<I", data, 4)
    names: list[str] = []
    place = parts = 0
    begin = 8
    while not parts or (flags & PARTS and data[begin]):
        attributes = dict(_attributes(data, begin))
        place = attributes.get("channels", place)
        while not parts and place and data[place]:
            end = data.index(b"\0", place)
            names.append(data[place:end].decode("latin-1"))
            place = end + 17  # kind, linearity and the sampling
        begin = _end_of_header(data, begin)
        parts += 1
    layers = sorted({name.rpartition(".")[0] for name in names})
    more = [name for name in names if name.rpartition(".")[0] != layers[0] or name.rpartition(".")[2] not in PICTURE]
    found = [f"the {'channel' if len(more) == 1 else 'channels'} {', '.join(more)}"] if more else []
    found += [f"{parts} parts"] if parts > 1 else []
    return f"EXR images hold {' and '.join(found)}: only one picture, in R, G, B and A, is read" if found else None


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
