"""Encodes frames into the packets of a container's video stream, with exact times.

Owns time stamps and durations. `codecs` chooses the pixel format and the tags; `writer` decides where packets go.
"""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from typing import cast

import av
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from ...core import Frame, InputError
from ...pixels.transfer import Change, named
from ...pixels.uint8 import floats
from .. import yuv
from ..clip import Colour, Encoding, Info, Light, transfer_of
from . import codecs, priority
from .light import left_out, options_for

MAX_TICKS = 10**9  # per second: libvpx's limit; MP4's is 2^31
FLICKS = 705_600_000  # per second: a multiple of every common frame rate, NTSC included
REORDERED, MAX_REORDERED, COARSE = ("h264", "hevc"), 9_000_000, 3_600_000
"""Codecs with B-frames. MP4 states in ticks how much later they are shown than decoded, and FFmpeg before 6 drops all of these
offsets if one passes 2^28: at this many ticks per second, when a picture is held for 30 s. A finer clock becomes the coarse
one, a multiple of the common frame rates."""
HELD = 2**26
"""Ticks for which a picture is held at most without a new start of such an encoder: B-frames reach across few pictures."""


SITINGS = {"centre": "center", "top-left": "topleft"}
"""FFmpeg's names for `Info.siting`."""


class Pictures:
    """The encoding parameters of a clip: codec, pixel format, tags and clock. See `writer.VideoWriter`.

    ``tick`` is the unit of time stamps; ``notes`` lists what the codec cannot keep. Raises `InputError` if it cannot encode it.
    """

    def __init__(self, ending: str, info: Info, encoding: Encoding, time_base: Fraction | None) -> None:
        self.info = info
        self.codec = codecs.choose(ending, encoding.codec)
        self.options = codecs.quality(self.codec, encoding.crf, repeatable=encoding.repeatable)
        self.layout, self.notes = codecs.layout_for(self.codec, info, encoding.depth or info.depth)
        self.colour = codecs.tags_for(self.codec, self.layout, info.colour)
        self.siting = info.siting if info.chroma == yuv.chroma_of(self.layout) == "420" else "left"
        if self.siting != "left":  # the default of all players
            self.options = {**self.options, "chroma_sample_location": SITINGS[self.siting]}
        self.change: Change | None = None
        if info.floats and transfer_of(info).name == "linear":
            self.change, self.colour = named("bt1886").code, replace(self.colour, transfer=1)
            self.notes.append("light above 1 is clipped in a video: .exr images keep it")
        light = Light() if self.change is not None else info.light
        for option, value in options_for(self.codec, light).items():
            self.options[option] = ":".join(filter(None, (self.options.get(option), value)))
        if (note := left_out(light, self.codec)) is not None:
            self.notes.append(note)
        if info.sample_aspect_ratio != 1 and ending in (".mkv", ".webm") and self.codec not in ("h264", "hevc"):
            self.notes.append(f"{ending} files of {self.codec} do not keep the pixel aspect of {info.sample_aspect_ratio}")
        self.interval = 1 / (info.rate or Fraction(25))
        ticks = (time_base or self.interval).denominator
        self.ending = ending
        self.reordered = reordered = ending not in (".mkv", ".webm") and self.codec in REORDERED
        most, coarse = (MAX_REORDERED, COARSE) if reordered else (MAX_TICKS, FLICKS)
        self.tick = Fraction(1, ticks if ticks <= most else coarse)
        fastest = 1000 if ending in (".mkv", ".webm") else coarse  # Matroska counts milliseconds
        if self.interval < Fraction(1, fastest):
            raise InputError(
                f"{float(1 / self.interval):g} frames per second were given: "
                f"{ending} files of {self.codec} hold at most {fastest}"
            )

    def stream(self, output: OutputContainer) -> VideoStream:
        """A new stream in a container, whose encoder uses these parameters."""
        encoder = codecs.CODECS[self.codec].encoder
        stream = cast(VideoStream, output.add_stream(encoder, rate=1 / self.interval, options=self.options))
        stream.width, stream.height, stream.pix_fmt = self.info.width, self.info.height, self.layout.name
        context = stream.codec_context
        context.time_base = self.tick
        context.color_primaries, context.color_trc = self.colour.primaries, self.colour.transfer
        _tag(context, self.colour)
        if self.info.sample_aspect_ratio != 1:
            context.sample_aspect_ratio = self.info.sample_aspect_ratio
        if self.codec == "hevc" and output.format.name in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the tag that Apple's players know
        if encoder == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "0")  # it logs to standard error
            with priority.kept():
                context.open()
        return stream


class Encoder:
    """Encodes frames with the encoder of a stream; each packet has the exact times and duration of its frame.

    ``count`` is the number of frames so far; ``last`` and ``end`` are the start and the end of the last one, in ticks.
    """

    def __init__(self, pictures: Pictures, stream: VideoStream) -> None:
        self.count = self.last = self.end = 0
        self._pictures = pictures
        self._stream = stream
        self._durations: dict[int, int] = {}
        self._begun = 0  # frames before those of the present encoder
        self._decoded: int | None = None  # when the last packet is decoded
        self._spare: OutputContainer | None = None

    def encode(self, frame: Frame) -> list[av.Packet]:
        """The packets that come out when a frame goes in: none, or those of earlier frames."""
        wanted = self._pictures
        start = round(frame.time / wanted.tick)
        end = round((frame.time + (frame.duration or wanted.interval)) / wanted.tick)
        if self.count and start <= self.last:
            raise InputError(
                f"the frame at {float(frame.time):.6f} s does not come after the one before it: "
                f"frames must be at least {float(wanted.tick):.1e} s apart"
            )
        packets = self._anew() if wanted.reordered and self.count and start - self.last > HELD else []
        self.count += 1
        self.last, self.end = start, end
        self._durations[start] = end - start
        rgb = frame.rgb if wanted.change is None else wanted.change(floats(frame.rgb))
        centred, level = wanted.siting == "centre", wanted.siting == "top-left"
        picture = yuv.encode(rgb, frame.alpha, wanted.layout, wanted.colour, centred=centred, level=level)
        picture.pts, picture.time_base = start, wanted.tick
        _tag(picture, wanted.colour)
        return packets + self._timed(self._stream.encode(picture))

    def _anew(self) -> list[av.Packet]:
        """The remaining packets of the encoder, which another with the same parameters follows."""
        packets = self.rest()
        self._begun = self.count
        self._spare = av.open(BytesIO(), "w", format=codecs.CONTAINERS[self._pictures.ending][0])  # stays empty
        self._stream = self._pictures.stream(self._spare)
        return packets

    def rest(self) -> list[av.Packet]:
        """The remaining packets of the encoder."""
        packets = self._stream.encode(None) if self._durations else []
        for packet in packets:
            if self.count - self._begun < 3:
                packet.dts = packet.pts  # x265 leaves it unset then
        return self._timed(packets)

    def passed(self, packet: av.Packet) -> None:
        """Count a packet from another encoder with the same parameters."""
        assert packet.pts is not None
        assert packet.duration is not None
        self.count += 1
        if self.count == 1 or packet.pts > self.last:
            self.last, self.end = packet.pts, packet.pts + packet.duration

    def _timed(self, packets: list[av.Packet]) -> list[av.Packet]:
        for packet in packets:
            assert packet.pts is not None
            packet.duration = self._durations.pop(packet.pts)
            if packet.dts is not None:
                if self._decoded is not None:  # an encoder's first dts may lie before the last one's
                    packet.dts = max(packet.dts, self._decoded + 1)
                self._decoded = packet.dts
        return packets


def _tag(target: av.VideoFrame | VideoCodecContext, colour: Colour) -> None:
    target.colorspace = colour.matrix
    target.color_range = {None: 0, False: 1, True: 2}[colour.full]
