"""Conversion of VIDEO to a clip that is read frame by frame, and of a new clip to VIDEO.

A VIDEO may be a file, a part of one, or frames and sound in memory; each becomes a `Clip`.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from weakref import finalize

import folder_paths
from comfy_api.v0_0_2 import Input, InputImpl

from ..vfi.clips.animation import is_animation
from ..vfi.clips.clip import Encoding, Info, Reader, Source, Trimmed, unbound
from ..vfi.clips.open import open_clip
from ..vfi.clips.video.excerpt import sound_between
from ..vfi.clips.video.extras import Extras
from ..vfi.clips.video.sound import Audio
from ..vfi.edit.plan import Plan
from ..vfi.model.pace import PaceMode
from ..vfi.parse import exact
from ..vfi.pixels.transfer import UNTAGGED, Colour
from ..vfi.render.convert import convert
from ..vfi.render.pipeline import Task, Watch
from ..vfi.render.run import batch_for
from ..vfi.render.splice import beside
from ..vfi.timing.grids import Timing, exact_rate
from ..vfi.timing.shutter import Shutter
from . import bridge, servers
from .audio import of_audio
from .model import Drawing, Model, over

log = logging.getLogger(__name__)

HLG, PQ = (Colour(matrix=9, primaries=9, transfer=transfer, full=False) for transfer in (18, 16))
"""The tags of BT.2020 with either transfer function, as ComfyUI means HDR and HDR PQ."""


@dataclass(frozen=True)
class Clip:
    """The frames of a VIDEO, read one at a time and any number of times, a file with their sound, and what else there is."""

    reader: Reader
    sound: Source | None = None
    extras: Extras | None = None

    @classmethod
    def of(cls, video: Input.Video) -> Clip:
        """The clip of a VIDEO."""
        if type(video).get_stream_source is Input.Video.get_stream_source:  # without a file, asking for one would encode it
            return cls.of_components(video.get_components(), video.get_bit_depth(), colour_of(video))
        source = video.get_stream_source()
        reader = open_clip(source)
        if edited(video, reader.info):
            return cls.of_edited(video)
        start, duration = (exact(seconds).limit_denominator(10**6) for seconds in video.get_active_trim_window())
        end = start + duration if duration else None
        part = reader if not start and end is None else Trimmed(reader, start, end)
        if is_animation(source):
            return cls(part)
        return cls(part, sound_between(source, start, end), Extras(source, start, end))

    @classmethod
    def of_components(cls, components: Any, depth: int, colour: Colour = UNTAGGED) -> Clip:
        """The clip of frames and sound in memory."""
        clip = bridge.clip_of(components.images, exact_rate(float(components.frame_rate)))
        clip = replace(clip, info=replace(clip.info, depth=depth, colour=colour))
        if components.alpha is not None and not clip.info.alpha:
            clip = bridge.transparent(clip, components.alpha)
        return cls(clip, components.audio and of_audio(components.audio))

    @classmethod
    def of_edited(cls, video: Input.Video) -> Clip:
        """The clip of a VIDEO with changes that its source lacks: ComfyUI applies them, frame by frame and without loss.

        The file is in ComfyUI's temporary folder until the clip is gone.
        """
        path = temporary(".mp4")
        try:
            video.save_to(str(path), crf=0, preset="ultrafast")
            reader = open_clip(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finalize(reader, path.unlink, missing_ok=True)
        return cls(reader, sound_between(path, Fraction(0), None), Extras(path, Fraction(0), None))

    @contextmanager
    def planned(self, plan: Plan | None, audio: Audio = "auto") -> Iterator[Clip]:
        """The same clip, its frames marked and mended by ``plan``, with the sound that goes with them."""
        if plan is None:
            yield self
            return
        reader = plan.applied(self.reader)
        with beside(plan.mending, self.sound, self.extras, ".mp4", reader.notes, audio) as (sound, extras):
            yield Clip(reader, sound, extras)


def edited(video: Input.Video, info: Info) -> bool:
    """Whether a VIDEO has another size or crop than its source, of this ``info``. Only ComfyUI after 0.25 makes such ones."""
    if hasattr(video, "has_pending_frame_edits"):
        return video.has_pending_frame_edits()
    return hasattr(video, "as_cropped") and sorted(video.get_dimensions()) != sorted((info.width, info.height))


def colour_of(video: Input.Video) -> Colour:
    """The colour tags of a VIDEO made of images, which ComfyUI after 0.25 states."""
    space = video.get_color_space() if hasattr(video, "get_color_space") else ""
    return {"HDR": HLG, "HDR PQ": PQ}.get(space, UNTAGGED)


def temporary(ending: str) -> Path:
    """A new name in ComfyUI's temporary folder, which ComfyUI empties when it starts."""
    path = Path(folder_paths.get_temp_directory()) / f"inbetween_{secrets.token_hex(8)}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def make_video(
    model: Model | Drawing,
    clip: Clip,
    asked: Timing,
    encoding: Encoding,
    shutter: Shutter | None = None,
    audio: Audio = "auto",
    seen: Watch = iter,
    pace: PaceMode = "off",
) -> tuple[Input.Video, int]:
    """Make the frames that are ``asked`` for: a VIDEO in ComfyUI's temporary folder, and its number of frames.

    ``shutter`` adds motion blur. The reader, the model and the encoder each have a thread. Sound is copied if the speed is
    kept, else time-stretched. ``seen`` passes the frames on, each before it is written. ``pace``: see `vfi.model.pace.paced`.
    """
    reader = clip.reader
    info = reader.info
    path = temporary(".mp4")
    last = info.duration * (info.frames - 1) / info.frames if info.duration and info.frames else None
    ready = over(model.ready((info.height, info.width), unbound(info), pace), last)
    task = Task(info, asked, batch=batch_for(ready, (info.height, info.width)), shutter=shutter, encoding=encoding)
    made = convert(
        reader,
        lambda: ready,
        task,
        path,
        sound=clip.sound,
        audio=audio,
        extras=clip.extras,
        watch=lambda frames: bridge.watched(seen(frames), task.total or 0),
        each=bridge.heard,
    )
    for note in made.notes:
        log.info("%s: %s", path.name, servers.told(note))
    return InputImpl.VideoFromFile(str(path)), made.done.frames
