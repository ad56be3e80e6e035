"""The cases: frame size, factor, and the minimum work of RIFE 4.25.

Knows nothing of the contenders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MULTIPLE = 64
"""RIFE 4.25 pads both sides to a multiple of this."""
BLOCKS, HEAD = 36_300, 3_050
"""FLOP per padded pixel of RIFE 4.25 that the picture depends on, a multiply-add being two: the five blocks per new frame,
without unread outputs, and the head per source frame."""


@dataclass(frozen=True)
class Case:
    """Frames of one size, to be multiplied by ``times``."""

    width: int
    height: int
    times: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height} x{self.times}"

    @property
    def grown(self) -> tuple[int, int]:
        """Padded height and width, as the network sees them."""
        return -(-self.height // MULTIPLE) * MULTIPLE, -(-self.width // MULTIPLE) * MULTIPLE

    @property
    def flops(self) -> int:
        """Minimum FLOP of RIFE 4.25 per new frame, with heads reused from pair to pair."""
        height, width = self.grown
        return round((BLOCKS + HEAD / (self.times - 1)) * height * width)

    def source_frames(self, new: int) -> int:
        """Source frames with about ``new`` new frames of 960x540 between them, at least three.

        Other sizes get more (at most four times) or fewer, so that a turn takes as long.
        """
        wanted = new * min(960 * 540 / (self.width * self.height), 4)
        return max(1 + round(wanted / (self.times - 1)), 3)

    def new_frames(self, source: int) -> int:
        return (source - 1) * (self.times - 1)


def size_of(text: str) -> tuple[int, int]:
    """Width and height of "WIDTHxHEIGHT". Raises `ValueError`."""
    if not re.fullmatch(r"\d+x\d+", text):
        raise ValueError(f"{text!r} was given as a size: it must be WIDTHxHEIGHT")
    width, height = map(int, text.split("x"))
    return width, height
