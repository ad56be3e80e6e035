"""Facts of a video file that editors need, read without decoding: its start timecode and its sound.

Knows nothing of timelines.
"""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

from ...core import InputError
from ...timing.positions import Position
from .reader import opened, sounds_of, video_of

LOOKED_AT = 500
"""Packets that tell whether a file's frame rate varies."""


def start_timecode(path: Path, rate: Fraction) -> Fraction:
    """The seconds that a file's start timecode counts at ``rate`` frames per second; 0 without one. Raises `InputError`."""
    with opened(path, path.name) as container:
        tags = [container.metadata, *(stream.metadata for stream in container.streams)]
        for one in tags:
            for key, value in one.items():
                if key.lower() == "timecode":
                    with suppress(InputError):  # a timecode that does not exist at this rate, or another notation
                        return Position.parse(value).timecode_frame(rate) / rate
    return Fraction(0)


def sound_facts(path: Path) -> tuple[int, int]:
    """The channels and the sample rate of a file's first sound; (0, 0) without any. Raises `InputError`."""
    with opened(path, path.name) as container:
        for stream in sounds_of(container, path.name):
            return stream.channels, stream.sample_rate or 0
    return 0, 0


def uneven(path: Path) -> bool:
    """Whether the frames at the start of a file last differently long, beyond the rounding of its time base."""
    with opened(path, path.name) as container:
        stream = video_of(container, path.name)
        stamps = sorted(packet.pts for packet in islice(container.demux(stream), LOOKED_AT) if packet.pts is not None)
    steps = [late - early for early, late in pairwise(stamps[:-4])]  # the last ones may still wait for frames between them
    return bool(steps) and max(steps) - min(steps) > 1
