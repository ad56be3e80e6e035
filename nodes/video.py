"""VIDEO as a clip that is read frame by frame, and a new clip as VIDEO.

A VIDEO may be a file, a part of one, or frames and sound in memory; all become one `Clip`. Knows nothing of models.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import Input, InputImpl

from ..vfi import media
from ..vfi.core import Frame
from ..vfi.time import Timing, exact_rate
from ..vfi.video import VideoReader, VideoWriter
from . import bridge, sound

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """The frames of a VIDEO, read one at a time; what is known of them; and a file with the sound that goes with them.

    ``notes`` gains a sentence for each thing that was odd about them while they are read.
    """

    frames: Iterable[Frame]
    info: media.Info
    sound: media.Source | None
    notes: Sequence[str] = ()

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
        return cls(between(reader, start, end), part(reader.info, start, end), heard, reader.notes)

    @classmethod
    def of_components(cls, components: Any, depth: int) -> Clip:
        """The clip of frames and sound that are in memory."""
        images, rate = bridge.checked(components.images), exact_rate(float(components.frame_rate))
        count, height, width, channels = images.shape
        info = media.Info(width, height, None, rate, count, count / rate, depth, alpha=channels == 4)
        return cls(bridge.frames_of(images, rate), info, components.audio and sound.of_audio(components.audio))


def part(info: media.Info, start: Fraction, end: Fraction | None) -> media.Info:
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


def write(made: Iterable[Frame], clip: Clip, asked: Timing, encoding: media.Encoding) -> tuple[Input.Video, int]:
    """Encode a clip into ComfyUI's temporary folder: the VIDEO, and how many frames it has."""
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"inbetween_{secrets.token_hex(8)}.mp4"
    info = replace(clip.info, rate=asked.rate)
    audio = clip.sound if asked.keeps_time() else None
    tick = asked.tick(clip.info.time_base, clip.info.duration)
    count = 0
    with VideoWriter(path, info, encoding=encoding, time_base=tick, audio=audio) as writer:
        for frame in made:
            writer.write(frame)
            count += 1
    for note in (*clip.notes, *writer.notes):
        log.info("Interpolate Video: %s", note)
    return InputImpl.VideoFromFile(str(path)), count
