"""Traces of a clip: brightness, colour and motion of each frame as plain numbers, for curves, and small pictures along it.

Numbers of a frame take 24 bytes, and the pictures are bounded in number. Knows nothing of findings or pages.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import nan

from ...core import Frame
from ...pixels.transfer import TRANSFERS, Transfer
from ...pixels.uint8 import LUMA
from ...pixels.view import view
from .measures import Measures
from .pictures import LONG_SIDE, SHORT_SIDE, Picture, grey_of, moved_by, new_flow, rounded, thumbnail

FILM = 32
"""The most pictures of a film; at least half as many, if the clip has that many frames."""

SIDE = 128
"""Longer side of its pictures."""


def _doubles() -> array[float]:
    return array("d")


def _floats() -> array[float]:
    return array("f")


@dataclass
class Trace:
    """One number per frame: its time in seconds, its mean luma (0..255), its mean colour from green to red and from yellow to
    blue (differences of 255), and its motion since the frame before, in percent of the longer side, which nine tenths of the
    pixels stay below. The first frame has no motion. ``end`` is the time at which the last frame ends.
    """

    times: array[float] = field(default_factory=_doubles)
    light: array[float] = field(default_factory=_floats)
    red: array[float] = field(default_factory=_floats)
    blue: array[float] = field(default_factory=_floats)
    motion: array[float] = field(default_factory=_floats)
    end: float = 0.0

    def take(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames, unchanged, while they are measured as `Measures` does, but for what curves do not show; what was
        measured before is forgotten."""
        for numbers in (self.times, self.light, self.red, self.blue, self.motion):
            del numbers[:]
        flow, before = new_flow(), None
        for frame in frames:
            rgb = rounded(thumbnail(frame))
            grey = grey_of(rgb)
            moved = 0.0 if before is None else moved_by(flow.calc(grey, before, None))
            self._add(float(frame.time), rgb.mean(axis=(0, 1)).tolist(), moved, max(grey.shape))
            self.end, before = float(frame.time + frame.duration), grey
            yield frame

    def add(self, seen: Measures, side: int) -> None:
        """Add the frames that were measured, on thumbnails whose longer side is ``side`` pixels."""
        for one in seen.frames:
            self._add(float(one.time), one.mean, one.moved, side)
        self.end = float(seen.end)

    def __len__(self) -> int:
        return len(self.times)

    def ends(self, index: int) -> float:
        """When a frame ends."""
        return self.times[index + 1] if index + 1 < len(self.times) else self.end

    def _add(self, time: float, mean: Sequence[float], moved: float, side: int) -> None:
        red, green, blue = mean
        self.times.append(time)
        self.light.append(sum(weight * value for weight, value in zip(LUMA, mean, strict=True)))
        self.red.append(red - green)
        self.blue.append(blue - (red + green) / 2)
        self.motion.append(100 * moved / side if len(self.motion) else nan)


def thumbnail_side(frame: Frame) -> int:
    """The longer side of the thumbnail on which a frame is measured."""
    return max(min(LONG_SIDE, max(frame.rgb.shape[-2:])), SHORT_SIDE)


@dataclass
class Film:
    """Small pictures along a clip, [h,w,3] uint8, with their times: at most `FILM`, evenly spaced, however long it is."""

    transfer: Transfer = TRANSFERS["srgb"]
    primaries: int = 1
    pictures: list[tuple[Fraction, Picture]] = field(default_factory=list)

    def take(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames, unchanged."""
        self.pictures = []
        every = 1
        for index, frame in enumerate(frames):
            if index % every == 0:
                if len(self.pictures) == FILM:
                    self.pictures, every = self.pictures[::2], 2 * every
                if index % every == 0:
                    self.pictures.append((frame.time, view(frame, SIDE, self.transfer, self.primaries)))
            yield frame
