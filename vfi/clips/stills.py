"""What FFmpeg passes over in the headers of still images: TGA, some portable anymaps, and which DPX holds a logarithm.

Knows nothing of pictures. EXR has a module of its own, `exr`.
"""

from __future__ import annotations

import struct

LOGARITHMS = {1: "printing density", 3: "a logarithm"}
"""Transfer characteristics of DPX (SMPTE 268M, table 5A) whose codes are logarithmic."""


def is_tga(data: bytes) -> bool:
    """Whether the header is that of a TGA image (Truevision, TGA File Format Specification 2.0): its fields fit together."""
    if len(data) < 18:
        return False
    mapped, kind, depth = data[1], data[2], data[16]
    width, height = struct.unpack_from("<HH", data, 12)
    depths = {1: (8,), 2: (15, 16, 24, 32), 3: (8,)}.get(kind & 7, ()) if kind in (1, 2, 3, 9, 10, 11) else ()
    return mapped <= 1 and (mapped == 1 or kind & 7 != 1) and depth in depths and width > 0 and height > 0


def states_alpha(tga: bytes) -> bool:
    """Whether the pixels of a TGA image have attribute bits, which are its alpha."""
    return bool(tga[17] & 15)


def known(data: bytes) -> bytes:
    """The same image with a header that FFmpeg recognises: it knows only portable anymaps that go on in a new line."""
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return data[:2] + b"\n" + data[2:].lstrip()
    return data


def logarithm(data: bytes) -> str | None:
    """The name of the logarithm that a DPX image holds; None for other curves and other formats."""
    return LOGARITHMS.get(data[801]) if data[:4] in (b"SDPX", b"XPDS") and len(data) > 801 else None
