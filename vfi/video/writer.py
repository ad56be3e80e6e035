"""Video files out: frames encoded one at a time, with exact times, beside the sound of another file.

Owns time stamps, muxing and the copying of sound. Which pixel format and tags suit a clip is `codecs`' to say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer, OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from .. import light, pixels
from ..core import Frame, InputError
from ..media import DEFAULT_ENCODING, Colour, DamagedError, Encoding, Info, Source, Staged, Writer, name_of
from . import codecs
from .reader import opened, origin_of

MAX_TICKS = 10**9  # a second: libvpx's limit; MP4's is 2^31
FLICKS = 705_600_000  # a second: whole for every usual frame rate, NTSC's included


class VideoWriter(Writer):
    """Encodes frames into a video file, which gets its name only when it is whole.

    ``info`` says what comes: size, rate, depth, chroma, alpha, colour tags, pixel aspect. What is not asked for in
    ``encoding`` follows it where the codec can, and ``notes`` says where it cannot. Light in floats becomes BT.1886 of 0..1.
    Time stamps are exact when all times and ends are multiples of ``time_base`` (default: a frame at ``info.rate``), up to
    10^9 ticks a second, else rounded to 1/705600000 s; Matroska and WebM round to milliseconds. ``audio`` is the file whose
    sound is copied, packet by packet and untouched, at its place in time.

    Raises `InputError`, before anything is encoded, where the file cannot be written, or cannot hold the codec, the size or
    the sound.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        info: Info,
        *,
        encoding: Encoding = DEFAULT_ENCODING,
        time_base: Fraction | None = None,
        audio: Source | None = None,
    ) -> None:
        path = Path(path)
        codec = codecs.choose(path.suffix.lower(), encoding.codec)
        options = codecs.quality(codec, encoding.crf)
        self._layout, self.notes = codecs.layout_for(codec, info, encoding.depth or info.depth)
        self._colour = codecs.tags_for(codec, self._layout, info.colour)
        self._change: light.Change | None = None
        if info.floats and light.of(info).name == "linear":
            self._change, self._colour = light.named("bt1886").code, replace(self._colour, transfer=1)
            self.notes.append("light above 1 is clipped in a video: .exr images keep it")
        self._interval = 1 / (info.rate or Fraction(25))
        ticks = (time_base or self._interval).denominator
        self._tick = Fraction(1, ticks if ticks <= MAX_TICKS else FLICKS)
        self._count = 0
        self._last = self._end = 0  # the start and the end of the last frame, in ticks
        self._durations: dict[int, int] = {}
        self._lead: int | None = None  # how far the first packet comes before it is shown
        for source in (info.path, audio):
            if isinstance(source, str | os.PathLike) and path.exists() and path.samefile(source):
                raise InputError(f"{path} is the input itself: give the output another name")
        self._staged = Staged(path)
        self._files = ExitStack()
        try:
            self._output = self._files.enter_context(_created(self._staged.path, self._tick))
            self._stream = self._add_picture(codec, options, info)
            self._sound = None if audio is None else self._files.enter_context(_copied(audio, self._output, path))
            self._output.start_encoding()
        except av.FFmpegError as error:
            self.discard()
            raise InputError(f"{codec} cannot encode pictures of {info.width}x{info.height} ({error.strerror})") from error
        except BaseException:
            self.discard()
            raise

    def write(self, frame: Frame) -> None:
        start = round(frame.time / self._tick)
        end = round((frame.time + (frame.duration or self._interval)) / self._tick)
        if self._count and start <= self._last:
            raise ValueError(f"the frame at {float(frame.time):.6f} s does not come after the one before it")
        self._count += 1
        self._last, self._end = start, end
        self._durations[start] = end - start
        rgb = frame.rgb if self._change is None else self._change(frame.rgb.float())
        picture = pixels.encode(rgb, frame.alpha, self._layout, self._colour)
        picture.pts, picture.time_base = start, self._tick
        _tag(picture, self._colour)
        with self._reported():
            for packet in self._stream.encode(picture):
                self._mux(packet)

    def commit(self) -> Path:
        return self._finished(sound=True).commit()

    def keep_partial(self) -> Path | None:
        if not self._count:
            self.discard()
            return None
        return self._finished(sound=False).keep()

    def discard(self) -> None:
        try:
            self._files.close()
        finally:
            self._staged.discard()

    def _finished(self, *, sound: bool) -> Staged:
        """Write what the encoder still holds, the rest of the sound if asked for, and the index."""
        try:
            if not self._count:
                raise InputError(f"{self._staged.target} was not written: there were no frames")
            with self._reported():
                packets = self._stream.encode(None)
                for packet in packets:
                    if self._count < 3:
                        packet.dts = packet.pts  # x265 leaves it unset then
                    self._mux(packet, last=packet is packets[-1])
                if self._sound is not None:
                    self._sound.copy(None if sound else self._end * self._tick)
                self._files.close()
        except BaseException:
            self.discard()
            raise
        return self._staged

    def _mux(self, packet: av.Packet, *, last: bool = False) -> None:
        """Add a packet, and the sound before it. With B-frames the last is not the last frame, yet it ends the track."""
        assert packet.pts is not None
        assert packet.dts is not None
        packet.duration = self._durations.pop(packet.pts)
        if self._lead is None:
            self._lead = packet.pts - packet.dts
        if last and packet.pts != self._last:
            packet.duration = self._end - max(packet.dts + self._lead, packet.pts)
        if self._sound is not None:
            self._sound.copy(packet.dts * self._tick)
        self._output.mux(packet)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError as error:
            raise InputError(f"{self._staged.target} cannot be written: {error.strerror}") from error

    def _add_picture(self, codec: str, options: dict[str, str], info: Info) -> VideoStream:
        encoder = codecs.CODECS[codec].encoder
        if encoder == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "0")  # it writes to standard error by itself
        stream = cast(VideoStream, self._output.add_stream(encoder, rate=1 / self._interval, options=options))
        stream.width, stream.height, stream.pix_fmt = info.width, info.height, self._layout.name
        context = stream.codec_context
        context.time_base = self._tick
        context.color_primaries, context.color_trc = self._colour.primaries, self._colour.transfer
        _tag(context, self._colour)
        if info.sample_aspect_ratio != 1:
            context.sample_aspect_ratio = info.sample_aspect_ratio
            if self._staged.target.suffix.lower() in (".mkv", ".webm") and codec not in ("h264", "hevc"):
                self.notes.append(f"{self._staged.target} does not keep the pixel aspect of {info.sample_aspect_ratio}")
        if codec == "hevc" and self._output.format.name in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the tag that Apple's players know
        return stream


class _Sound:
    """The sound of another file, packet by packet as it is, moved to where the clip starts at zero."""

    def __init__(self, container: InputContainer, name: str, output: OutputContainer, path: Path) -> None:
        self._name = name
        self._output = output
        self._origin = origin_of(container)
        streams = container.streams.audio
        try:
            self._copies = {stream.index: output.add_stream_from_template(stream) for stream in streams}
        except ValueError as error:
            sounds = ", ".join(sorted({stream.codec_context.name for stream in streams}))
            raise InputError(
                f"{path.suffix} files cannot hold the {sounds} sound of {name}: write to .mkv, or leave the sound out"
            ) from error
        self._packets = container.demux(*streams) if streams else iter(())
        self._next = self._read()

    def copy(self, until: Fraction | None) -> None:
        """Add the packets that come before ``until`` seconds; all of them when None."""
        while self._next is not None:
            packet = self._next
            assert packet.dts is not None
            assert packet.pts is not None
            shift = round(self._origin / packet.time_base)
            if until is not None and (packet.dts - shift) * packet.time_base >= until:
                return
            packet.stream = self._copies[packet.stream.index]
            packet.dts, packet.pts = packet.dts - shift, packet.pts - shift
            self._output.mux(packet)
            self._next = self._read()

    def _read(self) -> av.Packet | None:
        try:
            return next((packet for packet in self._packets if packet.dts is not None), None)
        except av.FFmpegError as error:
            raise DamagedError(f"the sound of {self._name} is damaged: {error.strerror}") from error


@contextmanager
def _created(path: Path, tick: Fraction) -> Iterator[OutputContainer]:
    """A new file; MP4 and QuickTime get their index first, and a clock on which the whole clip's length is exact."""
    container = codecs.CONTAINERS[path.suffix.lower()][0]
    options = {}
    if container in ("mp4", "mov"):
        options = {"movflags": "+faststart", "movie_timescale": str(tick.denominator)}
    with av.open(f"file:{path}", "w", format=container, options=options) as output:
        yield output


@contextmanager
def _copied(source: Source, output: OutputContainer, path: Path) -> Iterator[_Sound]:
    name = name_of(source)
    with opened(source, name) as container:
        yield _Sound(container, name, output, path)


def _tag(target: av.VideoFrame | VideoCodecContext, colour: Colour) -> None:
    target.colorspace = colour.matrix
    target.color_range = {None: 0, False: 1, True: 2}[colour.full]
