"""Opens and creates clips, whether video files, folders of images or streams; the kind is recognised from the source."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from itertools import islice
from pathlib import Path

import torch

from ..core import InputError
from ..timing.positions import Position
from . import images, standard, video, y4m
from .animation import AnimationReader, is_animation
from .clip import (
    DEFAULT_ENCODING,
    DEFAULT_RATE,
    IMAGE_ENDINGS,
    VIDEO_ENDINGS,
    Y4M,
    Encoding,
    Info,
    Reader,
    Source,
    Trimmed,
    Writer,
    is_images,
    is_pattern,
    name_of,
)
from .piped import PipedReader
from .video.excerpt import sound_between
from .video.extras import Extras
from .video.fields import Deinterlace
from .video.light import left_out


def open_clip(
    source: Source,
    *,
    rate: Fraction | None = None,
    gaps: images.Gaps | None = None,
    damaged_ok: bool = False,
    device: torch.device | str = "cpu",
    deinterlace: Deinterlace = "auto",
) -> Reader:
    """The clip in a video or an animated image, in a folder of images, in images of a pattern such as ``shot/%05d.png``, or,
    for ``-``, in standard input.

    All can seek (`Seeks`) but standard input, which can be read once: see `piped.PipedReader`. ``rate`` is for images, and
    replaces what y4m states; None means `DEFAULT_RATE` for images. ``gaps`` is for numbered images too: see
    `images.ImageReader`; None means "close". Files are recognised by their content, not
    by their names. ``damaged_ok`` reads as much as possible of a damaged video. Frames are converted to RGB on ``device``, so
    only the clip's own samples are transferred. ``deinterlace``: see `video.VideoReader`. Raises `InputError`.
    """
    if standard.is_standard(source):
        return PipedReader.of_process(rate, damaged_ok=damaged_ok, device=device)
    if isinstance(source, BytesIO) or not is_images(Path(source)):
        if y4m.is_y4m(source):
            return y4m.Y4mReader(source, rate=rate, damaged_ok=damaged_ok, device=device)
        if rate is not None:
            raise InputError(f"{name_of(source)} has its own frame rate: {rate} can only be set for a folder of images")
        if gaps is not None:
            raise InputError(f"{name_of(source)} has no numbers that can lack: gaps can only be set for a folder of images")
        if is_animation(source):
            return AnimationReader(source, damaged_ok=damaged_ok, device=device)
        return video.VideoReader(source, damaged_ok=damaged_ok, device=device, deinterlace=deinterlace)
    return images.ImageReader(Path(source), DEFAULT_RATE if rate is None else rate, gaps=gaps or "close", device=device)


def create_clip(
    path: str | os.PathLike[str],
    info: Info,
    *,
    encoding: Encoding = DEFAULT_ENCODING,
    time_base: Fraction | None = None,
    audio: Source | None = None,
    extras: Extras | None = None,
) -> Writer:
    """A writer for a video file, a folder of images or images named by a pattern, depending on ``path``.

    ``info`` describes the clip to be written: size, rate, depth, colour, ... . For ``time_base`` and ``audio`` see
    `video.VideoWriter`, and ``extras``; images and y4m have none of them. A file that ends in .y4m, and standard output
    (``-``), are y4m. Raises `InputError` before any work is done.
    """
    path = Path(path)
    if path.suffix.lower() == Y4M or standard.is_standard(path):
        lost = _lost(extras, info)
        return _noted(y4m.Y4mWriter(path, info, encoding=encoding), lost)
    if path.suffix.lower() in VIDEO_ENDINGS:
        return video.VideoWriter(path, info, encoding=encoding, time_base=time_base, audio=audio, extras=extras)
    if is_pattern(path) or not path.suffix or path.is_dir():
        lost = _lost(extras, info)  # first, since it reads a file, which may fail
        return _noted(images.ImageWriter(path, info, encoding=encoding), lost)
    if path.suffix.lower() in IMAGE_ENDINGS:
        ending = path.suffix if path.suffix.lower() in images.WRITTEN else ".png"
        raise InputError(
            f"{path} is a single image: give a folder, or a pattern such as {path.with_name(path.stem)}/%06d{ending}"
        )
    raise InputError(f"{path} has an unsupported ending: use {', '.join((*VIDEO_ENDINGS, Y4M))} or a folder")


def _lost(extras: Extras | None, info: Info) -> list[str]:
    """What an output that holds pictures only cannot keep: a note on each."""
    notes = (left_out(info.light), None if extras is None else extras.left_out())
    return [note for note in notes if note is not None]


def _noted(writer: Writer, notes: list[str]) -> Writer:
    writer.notes += notes
    return writer


@dataclass(frozen=True)
class ClipSource:
    """A clip on disk that can be opened any number of times, here or in another process; see `open_clip`.

    Standard input (``-``) can be opened here any number of times too, but read once.

    Only the part from ``start`` to just before ``end`` seconds is read; None: to the end of the clip.
    """

    path: Path
    rate: Fraction | None = None
    damaged_ok: bool = False
    start: Fraction = Fraction(0)
    end: Fraction | None = None
    gaps: images.Gaps | None = None
    deinterlace: Deinterlace = "auto"

    def open(self, device: torch.device | str = "cpu") -> Reader:
        """The clip, its frames on ``device``. Raises `InputError`."""
        clip = open_clip(
            self.path,
            rate=self.rate,
            gaps=self.gaps,
            damaged_ok=self.damaged_ok,
            device=device,
            deinterlace=self.deinterlace,
        )
        return clip if not self.start and self.end is None else Trimmed(clip, self.start, self.end)

    def sound(self) -> Source | None:
        """A file with the sound of the clip or of its part, starting at zero; None if it has none, as images and streams."""
        if self._only_pictures:
            return None
        return sound_between(self.path, self.start, self.end)

    def extras(self) -> Extras | None:
        """What the clip's file holds besides picture and sound, of this part; None for images and streams."""
        if self._only_pictures:
            return None
        return Extras(self.path, self.start, self.end)

    @property
    def _only_pictures(self) -> bool:
        return standard.is_standard(self.path) or is_images(self.path) or y4m.is_y4m(self.path) or is_animation(self.path)

    def broken(self) -> str | None:
        """How the stream of standard input broke off, in a sentence, once it is read; None if it did not."""
        return PipedReader.broken_of_process() if standard.is_standard(self.path) else None

    def between(self, start: Position | None, end: Position | None) -> ClipSource:
        """The part from ``start`` to just before ``end``. Raises `InputError` if no frame can lie between them."""
        if start is None and end is None:
            return self
        clip = self.open()
        first = Fraction(0) if start is None else _seconds(clip, start)
        last = None if end is None else _seconds(clip, end)
        length = clip.info.duration
        if first is None or (length is not None and first >= length):
            ends = "" if length is None else f" ends at {float(length):.3f} s"
            raise InputError(f"{name_of(self.path)}{ends}: the part cannot begin at {start.text if start else 0}")
        if last is not None and last <= first:
            raise InputError(
                f"the part runs from {start.text if start else 0} to {end.text if end else ''}: its end must be after its start"
            )
        return replace(self, start=first, end=last)


def _seconds(clip: Reader, position: Position) -> Fraction | None:
    """The time of ``position``, in seconds from the start of ``clip``; None if it is after the last frame."""
    if position.unit == "seconds":
        return position.number
    rate = clip.info.rate
    if position.unit == "timecode":
        if rate is None:
            raise InputError(
                f"timecode {position.text} was given, but the clip's frame rate is unknown: give seconds or a frame"
            )
        return position.timecode_frame(rate) / rate
    number = int(position.number)
    if isinstance(clip, PipedReader):
        if clip.info.start is None or not clip.steady or rate is None:
            raise InputError(f"frame {position.text} of standard input was given: a frame is known in y4m only, give seconds")
        return number / rate
    if isinstance(clip, images.ImageReader):
        return clip.times[number] if number < (clip.info.frames or 0) else None
    if isinstance(clip, y4m.Y4mReader) and rate is not None:
        return number / rate if number < (clip.info.frames or 0) else None
    return next(islice((frame.time for frame in clip), number, None), None)
