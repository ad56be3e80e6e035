"""What a timeline needs: for each clip, the media it names, and the places of the frames to make, handles included.

Owns the search for media and the arithmetic of handles. Knows nothing of models, codecs or formats.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import count, pairwise
from pathlib import Path
from typing import Literal

from ..clips.clip import IMAGE_ENDINGS
from ..clips.open import open_clip
from ..clips.video.facts import start_timecode
from ..core import InputError
from ..timeline.clip import Left, Timeline, TimelineClip
from ..timeline.paths import media_name

Only = Literal["slow", "retimed", "rate", "all"]
ONLY: tuple[Only, ...] = ("slow", "retimed", "rate", "all")

MOST = 10**6
"""The most frames of a clip on a timeline: eleven hours at 24 per second."""


@dataclass(frozen=True)
class Media:
    """A file of ``frames`` frames at ``rate`` frames per second, whose first frame has the timecode ``start``, in seconds."""

    path: Path
    rate: Fraction
    frames: int
    duration: Fraction
    start: Fraction
    sound: bool


@dataclass(frozen=True)
class Job:
    """A clip of a timeline, the ``index``-th, and its media, with ``before`` and ``after`` frames of handles."""

    clip: TimelineClip
    index: int
    media: Media
    before: int
    after: int
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        """The frames of the new media."""
        return self.before + self.clip.frames + self.after

    @cached_property
    def places(self) -> tuple[Fraction, ...]:
        """The second of the media, from its first frame, that each frame of the new media shows."""
        return tuple(place(self.clip, self.media, frame) for frame in range(-self.before, self.clip.frames + self.after))

    @property
    def source_frames(self) -> list[Fraction]:
        """The frame of the media that each frame of the clip shows; fractions lie between two."""
        return [at * self.media.rate for at in self.places[self.before : self.before + self.clip.frames]]

    @property
    def nothing_to_do(self) -> bool:
        """Whether the clip shows frame after frame of media at the timeline's own rate."""
        shown = self.source_frames
        played = self.clip.media_rate or self.media.rate
        return (
            played == self.clip.rate
            and all(at.denominator == 1 for at in shown)
            and all(late - early == 1 for early, late in pairwise(shown))
        )

    def asked(self, only: Only) -> bool:
        """Whether the clip is one of those that are ``only`` wanted."""
        speeds = {(late - early) * self.clip.rate for early, late in pairwise(self.places)}
        retimed = any(speed != 1 for speed in speeds)
        if self.nothing_to_do:
            return False
        if only == "slow":
            return any(0 < abs(speed) < 1 for speed in speeds)
        if only == "retimed":
            frozen = speeds <= {0} and self.source_frames[0].denominator == 1
            return retimed and not frozen
        return not retimed if only == "rate" else True


def place(clip: TimelineClip, media: Media, frame: int) -> Fraction:
    """The second of ``media``, from its first frame, that a frame of ``clip`` shows."""
    at = clip.place(frame) - (media.start if clip.by_timecode else 0)
    return at if clip.media_rate is None else at * clip.media_rate / media.rate


@dataclass
class Search:
    """Where media is looked for: at its path, from the timeline's ``folder``; with the start of the path replaced by one of
    ``maps``; and by its name in the folders ``find``."""

    folder: Path
    maps: Sequence[tuple[str, str]] = ()
    find: Sequence[Path] = ()
    _known: dict[str, Media] = field(default_factory=dict)
    _names: dict[str, list[Path]] | None = None

    def media(self, name: str) -> Media:
        """The media that a timeline names. Raises `InputError`."""
        if name not in self._known:
            self._known[name] = _media(self._path(name))
        return self._known[name]

    def _path(self, name: str) -> Path:
        if not name:
            raise InputError("its media has no name")
        for old, new in self.maps:
            if name.startswith(old):
                name = new + name[len(old) :]
                break
        path = self.folder / name
        if path.exists():
            return path
        found = self._by_name(media_name(name))
        if not found:
            more = "" if self.find else ", or give its folder with --find"
            raise InputError(f"its media {name} does not exist: replace the start of its path with --map{more}")
        sizes = {one.stat().st_size for one in found}
        if len(sizes) > 1:
            raise InputError(f"its media {name} was found as {found[0]} and {found[1]}: give the folder of one with --find")
        return found[0]

    def _by_name(self, name: str) -> list[Path]:
        if self._names is None:
            self._names = {}
            for folder in self.find:
                for one in _files(folder):
                    self._names.setdefault(one.name.lower(), []).append(one)
                    self._names.setdefault(one.stem.lower(), []).append(one)
        found = self._names.get(name.lower(), [])
        return sorted(set(found))


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: --find takes folders")
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(parent) / name for name in sorted(names) if not name.startswith("."))


def _media(path: Path) -> Media:
    if path.is_dir() or path.suffix.lower() in IMAGE_ENDINGS:
        raise InputError(f"its media {path.name} is not a video file")
    info = open_clip(path).info
    if not info.rate or not info.frames:
        raise InputError(f"its media {path.name} states no frame rate or length")
    duration = info.duration or info.frames / info.rate
    return Media(path, info.rate, info.frames, duration, start_timecode(path, info.rate), info.audio)


def jobs_of(timeline: Timeline, search: Search, handles: int) -> tuple[list[Job], list[Left]]:
    """What each clip needs, with up to ``handles`` frames on each side, and the clips that stay as they are."""
    jobs: list[Job] = []
    left = list(timeline.left)
    for index, clip in enumerate(timeline.clips):
        try:
            if clip.frames > MOST:
                raise InputError(f"it lasts {clip.frames} frames: at most {MOST} are possible")
            media = search.media(clip.media)
            jobs.append(_job(clip, index, media, handles))
        except InputError as error:
            still = clip.media.lower().endswith(IMAGE_ENDINGS)
            left.append(Left(clip.name, "it is a still" if still else str(error), clip.line, missed=not still))
    return jobs, left


def _job(clip: TimelineClip, index: int, media: Media, handles: int) -> Job:
    first, last = clip.defined
    end = (media.frames - 1) / media.rate

    def reach(step: int, edge: int, wanted: int) -> int:
        """How many frames beyond ``edge`` the map and the media have, up to ``wanted``."""
        for number in count():
            frame = edge + step * (number + 1)
            defined = (first is None or frame >= first) and (last is None or frame <= last)
            if number == wanted or not defined or not 0 <= place(clip, media, frame) <= end:
                return number
        raise AssertionError

    wanted = [max(handles, needed) for needed in clip.handles]
    before, after = reach(-1, 0, wanted[0]), reach(1, clip.frames - 1, wanted[1])
    notes = list(clip.notes)
    places = [place(clip, media, frame) for frame in range(clip.frames)]
    outside = sum(not 0 <= at < end + 1 / media.rate for at in places)
    if outside:
        notes.append(f"its media has {media.frames} frames: {outside} frames of the clip lie outside and hold the nearest one")
    if before < clip.handles[0] or after < clip.handles[1]:
        notes.append("a transition beside it needs more frames than its media has")
    return Job(clip, index, media, before, after, tuple(notes))
