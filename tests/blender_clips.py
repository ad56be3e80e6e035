"""Clips whose frames say their number: bit b of it is the b-th of ten bars across the middle, white for 1."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10


def numbered(
    path: Path, frames: int, rate: Fraction = Fraction(24), *, size: tuple[int, int] = (160, 90), codec: str = "ffv1"
) -> Path:
    """Write a clip of ``frames`` frames, counted from 0; lossless with FFV1."""
    width, height = size
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            picture = np.full((height, width, 3), 64, np.uint8)
            for bit in range(BITS):
                picture[height // 3 : 2 * height // 3, bit * width // BITS : (bit + 1) * width // BITS] = 255 * (
                    number >> bit & 1
                )
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(stream.encode(None))
    return path
