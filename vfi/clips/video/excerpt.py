"""The sound of a part of a clip, and sound that a container cannot hold, as a separate file.

Knows nothing of pictures. `sound` fits sound to a new speed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from io import BytesIO
from math import lcm
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from ...core import InputError
from ..clip import Source, name_of
from .codecs import CONTAINERS
from .reader import heard, joined, opened, sounds_of, zero_of_sound
from .sound import codec_for
from .tape import made_for, tape_file

EXACT = ("mp4", "mov", "nut")
"""Containers that keep the start of sound to the sample, in order of preference."""


def holds(container: str, streams: Sequence[AudioStream]) -> bool:
    """Whether a container, by FFmpeg's name, can hold the sound of ``streams`` as it is."""
    try:
        with av.open(BytesIO(), "w", format=container) as output:
            for stream in streams:
                output.add_stream_from_template(stream)
            output.start_encoding()
    except (ValueError, av.FFmpegError):
        return False
    return True


def sound_between(source: Source, start: Fraction, end: Fraction | None) -> Source | None:
    """The sound from ``start`` to ``end`` seconds, with ``start`` as zero; None if there is none.

    Returns ``source`` itself if all of it is wanted. A part is copied, or encoded as AAC if no exact container holds its codec.
    """
    name = name_of(source)
    with opened(source, name) as container:
        streams = sounds_of(container, name)
        if not streams:
            return None
        if not start and end is None:
            return source
        exact = next((known for known in EXACT if holds(known, streams)), None)
        file = BytesIO()
        clock = lcm(*(stream.time_base.denominator for stream in streams if stream.time_base))  # makes every start exact
        options = {"movie_timescale": str(min(clock, 2**31 - 1))} if exact != "nut" else {}
        empty = True
        with av.open(file, "w", format=exact or "mp4", options=options) as output:
            if exact is None:
                packets = _encoded(container, streams, name, output, "aac", start, end)
            else:
                copies = {stream.index: output.add_stream_from_template(stream) for stream in streams}
                packets = _copied(container, copies, start, end)
            with heard(name):
                for packet in packets:
                    empty = False
                    output.mux(packet)
    return None if empty else file


def sound_for(source: Source, ending: str, file: Path) -> tuple[Source, str | None]:
    """The sound of ``source`` in codecs that files of ``ending`` hold, and a note if it was encoded anew, into ``file``.

    Raises `InputError`, also if sound that must be encoded is damaged.
    """
    name = name_of(source)
    with opened(source, name) as container:
        streams = sounds_of(container, name)
        if not streams or holds(CONTAINERS[ending][0], streams):
            return source, None
        codec = codec_for(ending)
        with tape_file(file) as output:
            for packet in _encoded(container, streams, name, output, codec, Fraction(0), None):
                output.mux(packet)
        found = ", ".join(sorted({stream.codec_context.name for stream in streams}))
        spoken = {"aac": "AAC", "libopus": "Opus"}[codec]
    return file, f"{ending} files cannot hold {found} sound: it is encoded anew as {spoken}"


def _copied(
    container: InputContainer, copies: dict[int, AudioStream], start: Fraction, end: Fraction | None
) -> Iterator[av.Packet]:
    for packet in _packets(container, start, end):
        copy = copies[packet.stream.index]
        packet = without_header(packet)
        packet.stream = copy
        yield packet


def without_header(packet: av.Packet) -> av.Packet:
    """The packet without a repeated header of its stream, as FLV holds them: Matroska would write that one over others.

    A stream whose header changes cannot be copied. Raises `InputError`.
    """
    if not packet.has_sidedata("new_extradata"):
        return packet
    stream = packet.stream
    assert stream.codec_context is not None
    if bytes(packet.get_sidedata("new_extradata")) != stream.codec_context.extradata:
        raise InputError("the sound changes its header, so that it cannot be copied: drop the sound")
    plain = av.Packet(bytes(packet))
    plain.pts, plain.dts, plain.duration = packet.pts, packet.dts, packet.duration
    plain.time_base, plain.is_keyframe = packet.time_base, packet.is_keyframe
    return plain


def _encoded(
    container: InputContainer,
    streams: Sequence[AudioStream],
    name: str,
    output: av.container.OutputContainer,
    codec: str,
    start: Fraction,
    end: Fraction | None,
) -> Iterator[av.Packet]:
    encoders = {stream.index: made_for(stream.channels, stream.rate, output, codec)[0] for stream in streams}
    with heard(name):
        for packet in _packets(container, start, end):
            for sound in cast("list[av.AudioFrame]", packet.decode()):
                yield from encoders[packet.stream.index].encode(sound)
        for stream in streams:
            for sound in stream.codec_context.decode(None):
                yield from encoders[stream.index].encode(sound)
    for encoder in encoders.values():
        yield from encoder.encode(None)


def _packets(container: InputContainer, start: Fraction, end: Fraction | None) -> Iterator[av.Packet]:
    """The packets of sound that begin between two times, shifted so that ``start`` is zero, to the sample."""
    zero = zero_of_sound(container) + start
    for packet in joined(container):
        if packet.stream.type != "audio" or packet.pts is None or packet.dts is None:
            continue
        unit = Fraction(1, cast(AudioStream, packet.stream).rate)  # AVI counts in blocks of many samples
        packet.pts, packet.dts = (round((stamp * packet.time_base - zero) / unit) for stamp in (packet.pts, packet.dts))
        packet.duration = round((packet.duration or 0) * packet.time_base / unit)
        packet.time_base = unit
        if packet.pts >= 0 and (end is None or packet.pts * unit < end - start):
            yield packet
