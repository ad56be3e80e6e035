"""VIDEO as a clip that is read frame by frame, and a new clip as VIDEO.

A VIDEO may be a file, a part of one, or frames and sound in memory; all become one `Clip`.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import Input, InputImpl

from ..vfi.clips.clip import Edited, Encoding, Info, Reader, Source, unbound
from ..vfi.clips.video import VideoReader, VideoWriter
from ..vfi.clips.video.sound import Audio, fitted_sound
from ..vfi.core import Frame
from ..vfi.edit.plan import Plan
from ..vfi.render.pipeline import render_frames
from ..vfi.render.prefetch import Behind
from ..vfi.timing.grids import Timing, exact_rate
from ..vfi.timing.shutter import Shutter
from . import audio as sound
from . import bridge
from .model import Model, over

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """The frames of a VIDEO, read one at a time and as often as wanted, and a file with the sound that goes with them."""

    reader: Reader
    sound: Source | None = None

    @classmethod
    def of(cls, video: Input.Video) -> Clip:
        """The clip that a VIDEO stands for."""
        if type(video).get_stream_source is Input.Video.get_stream_source:  # no file of its own: it would be encoded
            return cls.of_components(video.get_components(), video.get_bit_depth())
        source = video.get_stream_source()
        reader = VideoReader(source)
        start, duration = (Fraction(seconds).limit_denominator(10**6) for seconds in video.get_active_trim_window())
        end = start + duration if duration else None
        heard = sound.of_file(source, start, end)
        if not start and end is None:
            return cls(reader, heard)
        return cls(Edited(part(reader.info, start, end), reader.notes, lambda: between(reader, start, end)), heard)

    @classmethod
    def of_components(cls, components: Any, depth: int) -> Clip:
        """The clip of frames and sound that are in memory."""
        clip = bridge.clip_of(components.images, exact_rate(float(components.frame_rate)))
        clip = replace(clip, info=replace(clip.info, depth=depth))
        return cls(clip, components.audio and sound.of_audio(components.audio))

    def planned(self, plan: Plan) -> Clip:
        """The same, its frames marked as ``plan`` says."""
        return replace(self, reader=plan.applied(self.reader))


def part(info: Info, start: Fraction, end: Fraction | None) -> Info:
    """What is known of a clip between two times."""
    if info.duration is None or not (start or end):
        return info
    duration = max(min(end or info.duration, info.duration) - start, Fraction(0))
    return replace(info, duration=duration, frames=round(duration * info.rate) if info.rate else None)


def between(frames: Iterable[Frame], start: Fraction, end: Fraction | None) -> Iterator[Frame]:
    """The frames from ``start`` until ``end``, with times from there on."""
    for frame in frames:
        if end is not None and frame.time >= end:
            return
        if frame.time >= start:
            shown = frame.duration if end is None else min(frame.duration, end - frame.time)
            yield replace(frame, time=frame.time - start, duration=shown)


def make(
    model: Model,
    clip: Clip,
    asked: Timing,
    encoding: Encoding,
    shutter: Shutter | None = None,
    audio: Audio = "auto",
) -> tuple[Input.Video, int]:
    """Make the frames that are asked for, as a VIDEO in ComfyUI's temporary folder; and how many they are.

    ``shutter`` blurs their motion. Reading, the model and the encoder each have a thread. Sound is kept where time is,
    else stretched.
    """
    reader = clip.reader
    info = reader.info
    path = Path(folder_paths.get_temp_directory()) / f"inbetween_{secrets.token_hex(8)}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    tick = asked.tick(info.time_base, info.duration)
    wanted = replace(info, rate=asked.rate)
    expected = asked.expected(info.frames, info.duration, "hold") or 0
    last = info.duration * (info.frames - 1) / info.frames if info.duration and info.frames else None
    ready = over(model.ready((info.height, info.width), unbound(info)), last)
    count = 0
    with (
        fitted_sound(clip.sound, reader, asked, path.suffix, audio) as heard,
        closing(render_frames(reader, ready, asked, shutter=shutter)) as made,
        Behind(lambda: VideoWriter(path, wanted, encoding=encoding, time_base=tick, audio=heard)) as writer,
    ):
        for frame in bridge.watched(made, expected):
            writer.write(frame)
            count += 1
    for note in (*reader.notes, *writer.notes):
        log.info("%s: %s", path.name, note)
    return InputImpl.VideoFromFile(str(path)), count
