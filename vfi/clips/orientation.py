"""Turns stored pictures upright: display matrices of containers, orientation tags of photographs.

Knows nothing of how pictures are decoded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import av
from torch import Tensor

from .video.carried import carried_by


@dataclass(frozen=True)
class Turn:
    """Swap rows and columns, then mirror left to right, then top to bottom."""

    swap: bool = False
    mirror: bool = False
    flip: bool = False

    def __call__(self, picture: Tensor) -> Tensor:
        """The upright picture [..,H,W]."""
        picture = picture.transpose(-1, -2) if self.swap else picture
        axes = [axis for axis, turned in ((-1, self.mirror), (-2, self.flip)) if turned]
        return picture.flip(axes) if axes else picture.contiguous()


# The values of the orientation tag 0x0112 of TIFF 6.0 and EXIF 2.3.
TAGS = {
    1: Turn(),
    2: Turn(mirror=True),
    3: Turn(mirror=True, flip=True),
    4: Turn(flip=True),
    5: Turn(swap=True),
    6: Turn(swap=True, mirror=True),
    7: Turn(swap=True, mirror=True, flip=True),
    8: Turn(swap=True, flip=True),
}


def of_picture(picture: av.VideoFrame) -> Turn:
    """The turn that a decoded picture's display matrix asks for, to the nearest quarter."""
    try:
        matrix = struct.unpack("=9i", dict(carried_by(picture))["DISPLAYMATRIX"][:36])
    except KeyError:
        return Turn()
    except ValueError:  # side data of a kind unknown to PyAV hides the rest: only the angle is left
        return {0: Turn(), 1: TAGS[8], 2: TAGS[3], 3: TAGS[6]}[round(picture.rotation / 90) % 4]
    a, b, _, c, d = matrix[:5]
    swap = abs(b) > abs(a)
    across, down = (c, b) if swap else (a, d)
    return Turn(swap, across < 0, down < 0)


def of_photograph(data: bytes) -> Turn:
    """The turn that the EXIF or TIFF orientation tag of an image file asks for; the identity if there is no tag."""
    start = _exif(data)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[start : start + 4])
    if order is None or len(data) < start + 8:
        return Turn()
    directory = start + struct.unpack_from(order + "I", data, start + 4)[0]
    if len(data) < directory + 2:
        return Turn()
    (entries,) = struct.unpack_from(order + "H", data, directory)
    for at in range(directory + 2, min(directory + 2 + 12 * entries, len(data) - 11), 12):
        tag, _, _, value = struct.unpack_from(order + "HHIH", data, at)
        if tag == 0x0112:
            return TAGS.get(value, Turn())
    return Turn()


def _exif(data: bytes) -> int:
    """The offset of the TIFF structure; EXIF holds one, whatever image format surrounds it."""
    for head, mark, skip in ((b"\xff\xd8", b"Exif\0\0", 6), (b"\x89PNG", b"eXIf", 4), (b"RIFF", b"EXIF", 8)):
        if data.startswith(head) and (found := data.find(mark)) >= 0:
            exif_prefix = data.startswith(b"Exif\0\0", found + skip)
            return found + skip + (6 if exif_prefix else 0)
    return 0
