"""Sound that follows the picture: copied if time is unchanged, else time-stretched by the same map with its pitch kept.

Owns the map from the clip's time to the output's and what it does to sound; `tape` reads and stretches samples. Knows nothing
of pictures; `writer` puts sound into a clip's file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, cast, get_args

from av.audio.stream import AudioStream

from ...core import InputError
from ...timing.grids import Knots, Timing
from ..clip import Reader, Source, name_of
from .codecs import CONTAINERS
from .reader import end_of, opened, sounds_of, zero_of_sound
from .tape import Samples, Tape, crossfaded, encoded, exactly, fade_at, made_for, played, tape_file

Audio = Literal["auto", "copy", "stretch", "drop"]
AUDIO: tuple[Audio, ...] = get_args(Audio)
"""Sound modes. ``auto`` and ``stretch``: copied if time is unchanged, else stretched; ``copy``: always copied."""

SHORT = Fraction(1, 10)
"""Seconds by which sound and picture may end apart without a word."""


@contextmanager
def fitted_sound(
    source: Source | None, clip: Reader, asked: Timing, ending: str, audio: Audio = "auto"
) -> Iterator[Source | None]:
    """The sound for an output of ``clip``: ``source`` itself, None, or a temporary file with the stretched sound.

    ``ending`` is that of the output's name. Sound before the first frame is unchanged. Raises `InputError` if the sound cannot
    be stretched.
    """
    duration = clip.info.duration
    if source is None or audio == "drop":
        yield None
    elif ending.lower() not in CONTAINERS:
        clip.notes.append("images hold no sound: it is left out, and only a video file as the output keeps it")
        yield None
    elif audio == "copy" or asked.keeps_time(duration):
        yield source
    elif duration is None:
        raise InputError(f"{name_of(source)} states no duration: its sound can only be copied or dropped")
    else:
        with TemporaryDirectory(prefix="vfi-") as folder:
            path = Path(folder) / "sound.mp4"
            knots = _knots(clip, asked, duration)
            latest = max(here for here, _ in knots)
            longer = end_of_sound(source) - latest
            whole = latest - knots[1][0] > duration - SHORT  # otherwise the output was asked to show less
            if whole and longer > SHORT:
                (here, there), (end, final) = knots[-2:]
                if len(knots) == 4 and end > here:  # at one speed: it goes on at this speed
                    knots = (*knots, (end + longer, final + longer * (final - there) / (end - here)))
                else:
                    clip.notes.append(f"the last {float(longer):.3f} s of the sound are left out: they come after the picture")
            stretch(source, path, knots, codec_for(ending))
            yield path


def time_map(clip: Reader, asked: Timing) -> Knots | None:
    """The times of ``clip`` and of its output, counted from the clip's start; None if they are equal."""
    duration = clip.info.duration
    return None if asked.keeps_time(duration) else _knots(clip, asked, duration or Fraction(10**6))


def _knots(clip: Reader, asked: Timing, duration: Fraction) -> Knots:
    first = start_of(clip)
    knots = [(first + here, first + there) for here, there in asked.grid.knots(duration)]
    return (Fraction(0), Fraction(0)), (first, first), *knots


def start_of(clip: Reader) -> Fraction:
    """The time of the first frame, in seconds from the start of the clip."""
    return next((frame.time for frame in clip), Fraction(0)) if clip.info.start is None else clip.info.start


def end_of_sound(source: Source) -> Fraction:
    """The end of the longest track of sound, in seconds from the start of the clip."""
    with opened(source, name_of(source)) as container:
        origin, tracks = zero_of_sound(container), [stream.index for stream in container.streams.audio]
    ends = (end_of(source, index) for index in tracks)
    return max((end - origin for end in ends if end is not None), default=Fraction(0))


def codec_for(ending: str) -> str:
    """The codec for stretched sound: Opus in WebM, AAC in all others."""
    return "libopus" if ending.lower() == ".webm" else "aac"


def stretch(source: Source, path: Path, knots: Knots, codec: str = "aac") -> None:
    """Write the sound of a clip, time-stretched along ``knots`` (in seconds from the clip's start), to an MP4 file.

    Every sound stream ends at the last knot, exact to the sample. Sound plays backwards if the clip does. Raises `InputError`.
    """
    name = name_of(source)
    with tape_file(path) as output, opened(source, name) as container:
        tracks = [
            (stream.index, *made_for(stream.channels, stream.rate, output, codec)) for stream in sounds_of(container, name)
        ]
        output.start_encoding()
        for index, track, rate, layout in tracks:
            with opened(source, name) as own:
                tape = Tape(own, cast(AudioStream, own.streams[index]), rate, layout, name)
                for packet in encoded(track, _along(tape, knots), rate, layout):
                    output.mux(packet)


def _along(tape: Tape, knots: Knots) -> Iterator[Samples]:
    """The samples of a tape played along ``knots``, crossfaded from each segment into the next."""
    fade = fade_at(tape.rate)
    pieces = []
    for (here, start), (there, end) in pairwise(knots):
        count = round(end * tape.rate) - round(start * tape.rate)
        if count:
            piece = played(tape, float(here * tape.rate), float(there * tape.rate), count, fade)
            pieces.append(exactly(piece, count + 2 * fade, tape.channels))
    return crossfaded(pieces, fade)
