"""The sound of a part of a clip as a separate file: copied if MP4 holds the codec, else encoded as AAC.

Knows nothing of pictures. `sound` fits sound to a new speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from math import lcm
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from ..clip import Source, name_of
from .reader import joined, opened
from .sound import LAYOUTS

HELD = {"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "mp3float", "opus", "pcm_s16be", "pcm_s16le", "pcm_s24le", "vorbis"}
"""The codecs that MP4 can hold, by FFmpeg's names."""


def sound_between(source: Source, start: Fraction, end: Fraction | None) -> Source | None:
    """The sound from ``start`` to ``end`` seconds, with ``start`` as zero; None if there is none.

    Returns ``source`` itself if all of it is wanted and MP4 can hold its codecs.
    """
    with opened(source, name_of(source)) as container:
        streams = container.streams.audio
        if not streams:
            return None
        held = all(stream.codec_context.name in HELD for stream in streams)
        if held and not start and end is None:
            return source
        file = BytesIO()
        clock = lcm(*(stream.time_base.denominator for stream in streams if stream.time_base))  # makes every start exact
        with av.open(file, "w", format="mp4", options={"movie_timescale": str(min(clock, 2**31 - 1))}) as output:
            if held:
                copies = {stream.index: output.add_stream_from_template(stream) for stream in streams}
                for packet in _packets(container, start, end):
                    packet.stream = copies[packet.stream.index]
                    output.mux(packet)
            else:
                encoders = {
                    stream.index: output.add_stream("aac", stream.rate, layout=LAYOUTS.get(stream.channels, "stereo"))
                    for stream in streams
                }
                for packet in _packets(container, start, end):
                    for sound in cast("list[av.AudioFrame]", packet.decode()):
                        output.mux(encoders[packet.stream.index].encode(sound))
                for encoder in encoders.values():
                    output.mux(encoder.encode(None))
    return file


def _packets(container: InputContainer, start: Fraction, end: Fraction | None) -> Iterator[av.Packet]:
    """The packets of sound that begin between two times, shifted so that ``start`` is zero, to the sample."""
    zero = Fraction(container.start_time or 0, av.time_base) + start
    for packet in joined(container):
        if packet.stream.type != "audio" or packet.pts is None or packet.dts is None:
            continue
        unit = Fraction(1, cast(AudioStream, packet.stream).rate)  # AVI counts in blocks of many samples
        packet.pts, packet.dts = (round((stamp * packet.time_base - zero) / unit) for stamp in (packet.pts, packet.dts))
        packet.duration = round((packet.duration or 0) * packet.time_base / unit)
        packet.time_base = unit
        if packet.pts >= 0 and (end is None or packet.pts * unit < end - start):
            yield packet
