"""Makes the new media of a timeline's clips, with the command's own settings.

Owns its names, which tell the content, and what of the old media is read. Knows nothing of timelines' formats.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ..clips.open import ClipSource, open_clip
from ..clips.video.codecs import CONTAINERS
from ..clips.video.facts import sound_facts, uneven
from ..clips.video.sound import Audio
from ..core import InputError
from ..model import load
from ..parse import shown
from ..render.conform import Job
from ..render.journal import identity
from ..timeline.clip import Left, NewMedia
from ..timing.grids import Timing
from ..timing.places import along_places
from .model_options import home_of
from .output import Settings, make_clip
from .parallel import Crew
from .shot_options import ShotOptions

MARGIN = 48
"""Frames of the media that are read before and after those that a clip needs, so that cuts are found near its ends."""


@dataclass(frozen=True)
class Maker:
    """Makes the new media of clips in ``folder``, named by content: what exists is not made again."""

    settings: Settings
    marks: ShotOptions
    crew: Crew
    folder: Path
    trusted: bool
    console: Console

    def made(self, jobs: Sequence[Job]) -> tuple[dict[int, NewMedia], list[Left]]:
        """The new media by the index of its clip, and the clips whose media could not be made.

        Raises `KeyboardInterrupt` on Ctrl-C.
        """
        new: dict[int, NewMedia] = {}
        failed: list[Left] = []
        paths: dict[str, Path] = {}
        for job in jobs:
            try:
                key = self._key(job)
                path = paths.setdefault(key, self.folder.absolute() / f"{_plain(job.clip.name)}_{key}{self._ending}")
                for note in (*job.notes, *_uneven(job)):
                    self.console.print(escape(f"note: {shown(job.clip.name)}: {note}"))
                if not self._exists(path, job):
                    self._make(job, path)
                new[job.index] = _new_media(job, path)
            except InputError as error:
                failed.append(Left(job.clip.name, str(error), job.clip.line))
        return new, failed

    @property
    def _codec(self) -> str:
        return self.settings.encoding.codec or "prores"

    @property
    def _ending(self) -> str:
        return ".mov" if self._codec in CONTAINERS[".mov"][1] else ".mkv"

    def _key(self, job: Job) -> str:
        """Eight digits that are the same for the same frames: the same source, places and settings."""
        found = job.media.path.stat()
        decisions = [
            *(job.media.path.resolve(), found.st_size, found.st_mtime_ns),
            *(job.clip.rate, job.places, job.clip.sound, self.marks, self._codec, self.settings.encoding),
            *(self.settings.shutter, self.settings.transfer, replace(self.settings.choice, models=())),
            *(identity(load.source(str(member.source))) for member in self.settings.choice.members),
        ]
        return hashlib.sha256("\n".join(map(str, decisions)).encode()).hexdigest()[:8]

    def _exists(self, path: Path, job: Job) -> bool:
        """Whether the media exists, whole. Raises `InputError` if another file has its name."""
        if not path.exists():
            return False
        if not self.trusted:
            info = open_clip(path).info
            if info.frames != job.frames or info.rate != job.clip.rate:
                raise InputError(f"{path} exists and is not the media of this clip: move it away, or give another --media")
        self.console.print(escape(f"{path}: exists already"))
        return True

    def _make(self, job: Job, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        source, places = _part(job)
        reader = source.open(home_of(self.settings.device))
        grid = along_places(places, job.clip.rate, reader.info.duration or max(places))
        clip = self.marks.found(reader) if grid.path.forward or self.crew.several else self.marks.looked_at(reader)
        encoding = replace(self.settings.encoding, codec=self._codec)
        settings = replace(self.settings, path=path, encoding=encoding, json=False)
        decisions = {"command": "conform", "input": source, "shots": self.marks}
        audio: Audio = "auto" if job.clip.sound and job.media.sound else "drop"
        asked = Timing(grid, grid.rate)
        code = make_clip(clip, asked, settings, decisions, source=source, audio=audio, crew=self.crew, extras=False)
        if code:
            raise KeyboardInterrupt


def _part(job: Job) -> tuple[ClipSource, tuple[Fraction, ...]]:
    """The part of the media that a clip needs, and the places from its beginning."""
    media = job.media
    first = max(int(min(job.places) * media.rate) - MARGIN, 0)
    last = int(max(job.places) * media.rate) + 1 + MARGIN
    if not first and last >= media.frames:
        return ClipSource(media.path), job.places
    begin = open_clip(media.path).info.start or Fraction(0)
    start = first / media.rate
    end = None if last >= media.frames else begin + last / media.rate
    return ClipSource(media.path, start=begin + start if first else Fraction(0), end=end), tuple(
        at - start for at in job.places
    )


def _uneven(job: Job) -> Iterator[str]:
    if uneven(job.media.path):
        yield "its media has a variable frame rate: editors take it as constant, and may show another frame"


def _new_media(job: Job, path: Path) -> NewMedia:
    info = open_clip(path).info
    channels, rate = sound_facts(path)
    return NewMedia(path, job.frames, job.before, info.width, info.height, channels, rate)


def _plain(name: str) -> str:
    """A name for a file: letters, digits, and a few signs that every system takes."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._")[:60] or "clip"
