"""The sound of a VIDEO as a file that an MP4 can take over: copied where MP4 holds the codec, else encoded as AAC."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
from av.container import InputContainer

from ..vfi.clips.clip import Source
from ..vfi.clips.video.sound import LAYOUTS

HELD = {"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus", "pcm_s16be", "pcm_s16le", "pcm_s24le", "vorbis"}
"""Codecs that MP4 holds, by FFmpeg's names."""


def of_file(source: Source, start: Fraction, end: Fraction | None) -> Source | None:
    """The sound from ``start`` until ``end``, with ``start`` as zero; the clip itself where all of it can be taken over."""
    with av.open(BytesIO(source.getvalue()) if isinstance(source, BytesIO) else source) as container:
        streams = container.streams.audio
        if not streams:
            return None
        held = all(stream.codec_context.name in HELD for stream in streams)
        if held and not start and end is None:
            return source
        file = BytesIO()
        with av.open(file, "w", format="mp4") as output:
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
                    for sound in packet.decode():
                        output.mux(encoders[packet.stream.index].encode(sound))
                for encoder in encoders.values():
                    output.mux(encoder.encode(None))
    return file


def of_audio(audio: dict[str, Any]) -> BytesIO:
    """An AUDIO, ``{"waveform": [1,C,S], "sample_rate": Hz}``; an unusual number of channels is mixed to one."""
    wave, rate = audio["waveform"][0].float().cpu(), int(audio["sample_rate"])
    if len(wave) not in LAYOUTS:
        wave = wave.mean(0, keepdim=True)
    file, layout = BytesIO(), LAYOUTS[len(wave)]
    with av.open(file, "w", format="mp4") as output:
        encoder = output.add_stream("aac", rate, layout=layout)
        sound = av.AudioFrame.from_ndarray(wave.contiguous().numpy(), format="fltp", layout=layout)
        sound.sample_rate, sound.pts = rate, 0
        output.mux(encoder.encode(sound))
        output.mux(encoder.encode(None))
    return file


def _packets(container: InputContainer, start: Fraction, end: Fraction | None) -> Iterator[av.Packet]:
    """The packets of sound that begin between two times, moved to where ``start`` is zero."""
    zero = Fraction(container.start_time or 0, av.time_base) + start
    for packet in container.demux(*container.streams.audio):
        if packet.pts is None or packet.dts is None:
            continue
        shift = round(zero / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        if packet.pts >= 0 and (end is None or packet.pts * packet.time_base < end - start):
            yield packet
