"""What is made: a clip of some size, how many times as many frames, and the least work that takes.

Knows nothing of who makes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MULTIPLE = 64
"""RIFE 4.25 grows both sides to a multiple of this."""
BLOCKS, HEAD = 36_300, 3_050
"""FLOP a padded pixel of RIFE 4.25 that the picture depends on, two for a multiplication with its addition: the five blocks
for each new frame, without the outputs that nobody reads, and the head for each source frame."""


@dataclass(frozen=True)
class Case:
    """Frames of a size, ``times`` as many of them."""

    width: int
    height: int
    times: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height} x{self.times}"

    @property
    def grown(self) -> tuple[int, int]:
        """Height and width as the network sees them."""
        return -(-self.height // MULTIPLE) * MULTIPLE, -(-self.width // MULTIPLE) * MULTIPLE

    @property
    def flops(self) -> int:
        """What a new frame of RIFE 4.25 needs at the least, heads being kept from pair to pair."""
        height, width = self.grown
        return round((BLOCKS + HEAD / (self.times - 1)) * height * width)

    def source_frames(self, new: int) -> int:
        """How many source frames there are about ``new`` new ones between, three at the least; of frames smaller or larger than
        960x540 so many more or fewer that a turn takes as long, up to four times as many."""
        wanted = new * min(960 * 540 / (self.width * self.height), 4)
        return max(1 + round(wanted / (self.times - 1)), 3)

    def new_frames(self, source: int) -> int:
        return (source - 1) * (self.times - 1)


def size_of(text: str) -> tuple[int, int]:
    """Width and height of "WIDTHxHEIGHT". Raises `ValueError`."""
    if not re.fullmatch(r"\d+x\d+", text):
        raise ValueError(f"{text!r} is not a size: give WIDTHxHEIGHT")
    width, height = map(int, text.split("x"))
    return width, height
