"""Detects truncated OpenEXR files: FFmpeg silently decodes missing parts as black.

Knows the layout of the file (openexr.com, "OpenEXR File Layout") and nothing of pictures.
"""

from __future__ import annotations

import struct

MAGIC = b"\x76\x2f\x31\x01"
TILED, PARTS = 0x200, 0x1000


def is_cut(data: bytes) -> bool:
    """Whether a part of an EXR file is missing; False if the data is not EXR."""
    if not data.startswith(MAGIC):
        return False
    try:
        return _is_cut(data)
    except (struct.error, ValueError, IndexError):
        return True


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


def _end_of_header(data: bytes, place: int) -> int:
    """The offset after the attributes that begin at ``place``; each has a name, a type, a size and that many bytes."""
    while data[place : place + 1] != b"\0":
        for _ in ("name", "type"):
            place = data.index(b"\0", place) + 1
        (size,) = struct.unpack_from("<I", data, place)  # unsigned: a negative size would lead backwards, for ever
        place += 4 + size
    return place + 1
