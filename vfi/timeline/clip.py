"""A clip on a timeline: its rate, its length, and the instant of its media that each of its frames shows.

Owns what every format's reader gives and what its writer takes. Knows nothing of formats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Protocol

from .maps import TimeMap


@dataclass(frozen=True)
class TimelineClip:
    """A video clip of ``frames`` frames at ``rate`` frames per second, whose frame k shows its media at ``place(k)`` seconds.

    ``map`` gives the time of the media at ``start + k / rate``; ``origin`` is what that time is at the media's first frame. If
    ``by_timecode``, it also counts the media's start timecode, which the timeline does not tell. ``media`` is the path that
    the timeline gives (see `paths`), relative to the timeline's folder, or a name, as in an EDL. ``media_rate`` is the rate at
    which the timeline plays the media's frames; None: their own. ``sound``: the clip also carries its sound. Transitions
    need the ``handles``: frames before the first and after the last. ``notes`` are for the user; ``line`` is where the clip
    stands in its file.
    """

    name: str
    media: str
    rate: Fraction
    frames: int
    map: TimeMap
    start: Fraction = Fraction(0)
    origin: Fraction = Fraction(0)
    by_timecode: bool = False
    media_rate: Fraction | None = None
    sound: bool = False
    handles: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()
    line: int | None = None

    def place(self, frame: int) -> Fraction:
        """The second of the media that a frame shows, for any whole ``frame``; 0 is the media's first frame."""
        return self.map.at(self.start + frame / self.rate) - self.origin

    @property
    def defined(self) -> tuple[int | None, int | None]:
        """The first and the last whole frame at which the map is defined; None: without end."""
        first, last = self.map.first, self.map.last
        return (
            None if first is None else ceil((first - self.start) * self.rate),
            None if last is None else floor((last - self.start) * self.rate),
        )


@dataclass(frozen=True)
class Left:
    """A clip that stays as it is, and why: one sentence. ``line`` is where it stands in its file.

    ``missed``: it may lack frames, unlike a title or a still.
    """

    name: str
    reason: str
    line: int | None = None
    missed: bool = True


@dataclass(frozen=True)
class NewMedia:
    """A new file of ``frames`` frames at the timeline's rate, for one clip, which starts at frame ``start`` of it.

    ``width`` and ``height`` are in pixels; ``channels`` and ``sample_rate`` are 0 without sound.
    """

    path: Path
    frames: int
    start: int
    width: int
    height: int
    channels: int = 0
    sample_rate: int = 0


class Timeline(Protocol):
    """A timeline that was read from a file: its clips, and those that stay as they are."""

    @property
    def clips(self) -> Sequence[TimelineClip]: ...

    @property
    def left(self) -> Sequence[Left]: ...

    def with_media(self, new: Mapping[int, NewMedia]) -> bytes:
        """The file with new media for some clips, by their index in ``clips``; all else is unchanged, byte for byte."""
        ...
