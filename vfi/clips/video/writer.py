"""Video file output: frames encoded one at a time, with exact times, alongside the sound of another file.

Owns muxing and the copying of sound. `encoder` turns frames into packets.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from itertools import chain, pairwise
from math import lcm
from pathlib import Path
from tempfile import TemporaryDirectory

import av
from av.container import InputContainer, OutputContainer

from ...core import Frame, InputError
from ..clip import DEFAULT_ENCODING, Encoding, Info, Source, Staged, Writer, name_of
from . import codecs
from .encoder import Encoder, Pictures
from .excerpt import sound_for, without_header
from .extras import Extras, Kept, label, labels
from .reader import heard, joined, opened, zero_of_sound


class VideoWriter(Writer):
    """Encodes frames into a video file, which gets its name only when it is complete.

    ``info`` describes the clip: size, rate, depth, chroma, alpha, colour tags, pixel aspect. Anything not set in ``encoding``
    follows it if the codec allows; ``notes`` lists the exceptions. Linear float light becomes BT.1886, clipped to 0..1.
    Time stamps are exact if all times and ends are multiples of ``time_base`` (default: one frame at ``info.rate``), up to
    10^9 ticks per second, else rounded to 1/705600000 s (H.264 and HEVC in MP4 and QuickTime: 9 * 10^6 and 1/3600000 s);
    Matroska and WebM round to milliseconds. ``audio`` is a file whose sound is copied packet by packet, unchanged and in sync,
    or encoded anew if the container cannot hold its codec. ``extras`` are what else the clip's file holds.

    Raises `InputError`, before anything is encoded, if the file cannot be written or cannot hold the codec or the size.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        info: Info,
        *,
        encoding: Encoding = DEFAULT_ENCODING,
        time_base: Fraction | None = None,
        audio: Source | None = None,
        extras: Extras | None = None,
    ) -> None:
        path = Path(path)
        self._pictures = Pictures(path.suffix.lower(), info, encoding, time_base)
        self.notes = self._pictures.notes
        self._lead: int | None = None  # ticks from decoding the first packet to showing it
        for source in (info.path, audio):
            if isinstance(source, str | os.PathLike) and path.exists() and path.samefile(source):
                raise InputError(f"{path} is an input: give the output another name")
        self._staged = Staged(path)
        self._files = ExitStack()
        try:
            if audio is not None:
                folder = Path(self._files.enter_context(TemporaryDirectory(prefix="vfi-")))
                audio, note = sound_for(audio, path.suffix.lower(), folder / "sound.mp4")
                self.notes += [note] if note else []
            container = codecs.CONTAINERS[path.suffix.lower()][0]
            self._kept = None if extras is None else self._files.enter_context(extras.opened(container, info.rate))
            options = {} if self._kept is None else self._kept.options
            self._output = self._files.enter_context(_created(self._staged.path, _clock(self._pictures.tick, audio), options))
            self._stream = self._pictures.stream(self._output)
            self._encoder = Encoder(self._pictures, self._stream)
            self._sound = None if audio is None else self._files.enter_context(_copied(audio, self._output))
            if self._kept is not None:
                self._keep(self._kept)
            self._output.start_encoding()
            if self._kept is not None:
                self._kept.start(self._output)
        except av.FFmpegError as error:
            self.discard()
            size = f"{info.width}x{info.height}"
            raise InputError(f"{self._pictures.codec} cannot encode pictures of {size} ({error.strerror})") from error
        except BaseException:
            self.discard()
            raise

    def _keep(self, kept: Kept) -> None:
        """Put in what is neither picture nor sound, and label the tracks of sound as in the clip's file."""
        kept.tell = lambda note: None if note in self.notes else self.notes.append(note)
        kept.add(self._output, self._stream)
        for stream, named in zip(self._output.streams.audio, kept.sounds, strict=False):
            label(stream, named)
        self.notes += [note for note in (kept.note, kept.converted) if note is not None]

    def write(self, frame: Frame) -> None:
        with self._reported():
            for packet in self._encoder.encode(frame):
                self._mux(packet)

    def take(self, packets: Iterable[av.Packet]) -> None:
        """Add all packets, part after part, from encoders with the same parameters, instead of frames."""
        before: int | None = None
        with self._reported():
            for packet, following in pairwise(chain(packets, (None,))):
                assert packet is not None
                assert packet.dts is not None
                packet.stream, packet.time_base = self._stream, self._pictures.tick
                if before is not None:  # an encoder's first dts may lie before the last part's
                    packet.dts = max(packet.dts, before + 1)
                before = packet.dts
                self._encoder.passed(packet)
                self._mux(packet, last=following is None)

    def commit(self) -> Path:
        return self._finished(sound=True).commit()

    def keep_partial(self) -> Path | None:
        if not self._encoder.count:
            self.discard()
            return None
        return self._finished(sound=False).keep()

    def discard(self) -> None:
        with suppress(av.FFmpegError, OSError, ValueError):  # a full disk fails again: the first error is told
            self._files.close()
        self._staged.discard()

    def _finished(self, *, sound: bool) -> Staged:
        """Write the encoder's remaining packets, the rest of the sound if ``sound`` is set, and the index."""
        try:
            if not self._encoder.count:
                raise InputError(f"{self._staged.target} was not written: there were no frames")
            with self._reported():
                packets = self._encoder.rest()
                for packet in packets:
                    self._mux(packet, last=packet is packets[-1])
                if self._sound is not None:
                    self._sound.copy(None if sound else self._encoder.end * self._pictures.tick)
                if self._kept is not None:
                    self._kept.copy(self._output, None if sound else self._encoder.end * self._pictures.tick)
                self._files.close()
        except BaseException:
            self.discard()
            raise
        return self._staged

    def _mux(self, packet: av.Packet, *, last: bool = False) -> None:
        """Add a packet and the sound before it. With B-frames the last packet is not the last frame, but it ends the track."""
        assert packet.pts is not None
        assert packet.dts is not None
        packet.stream, packet.time_base = self._stream, self._pictures.tick
        if self._lead is None:
            self._lead = packet.pts - packet.dts
        if last and packet.pts != self._encoder.last:
            packet.duration = self._encoder.end - max(packet.dts + self._lead, packet.pts)
        if self._sound is not None:
            self._sound.copy(packet.dts * self._pictures.tick)
        if self._kept is not None:
            self._kept.copy(self._output, packet.dts * self._pictures.tick)
        self._output.mux(packet)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError as error:
            raise InputError(f"{self._staged.target} cannot be written: {error.strerror}") from error


class _Sound:
    """The sound of another file, copied packet by packet and shifted so that the clip starts at zero."""

    def __init__(self, container: InputContainer, name: str, output: OutputContainer) -> None:
        self._name = name
        self._output = output
        self._origin = zero_of_sound(container)
        streams = container.streams.audio
        self._copies = {stream.index: output.add_stream_from_template(stream) for stream in streams}
        for stream in streams:
            label(self._copies[stream.index], labels(stream))
        self._packets = (packet for packet in joined(container) if packet.stream.index in self._copies)
        self._next = self._read()

    def copy(self, until: Fraction | None) -> None:
        """Add the packets that come before ``until`` seconds, or all of them if it is None."""
        while self._next is not None:
            packet = self._next
            assert packet.dts is not None
            assert packet.pts is not None
            shift = round(self._origin / packet.time_base)
            if until is not None and (packet.dts - shift) * packet.time_base >= until:
                return
            copy = self._copies[packet.stream.index]
            packet = without_header(packet)
            packet.stream = copy
            packet.dts, packet.pts = (packet.dts or 0) - shift, (packet.pts or 0) - shift
            try:
                self._output.mux(packet)
            except (av.error.ArgumentError, av.error.InvalidDataError) as error:  # others are the disk's
                raise InputError(f"the sound of {self._name} is damaged ({error.strerror}): drop the sound") from error
            self._next = self._read()

    def _read(self) -> av.Packet | None:
        with heard(self._name):
            return next((packet for packet in self._packets if packet.dts is not None), None)


def _clock(tick: Fraction, audio: Source | None) -> int:
    """Ticks per second that make the video's times exact and, if they fit in 31 bits, also the start of the sound.

    MP4 rounds the start of a stream down to this clock, so sound that begins within a frame would move to the frame's start.
    """
    if audio is None:
        return tick.denominator
    with opened(audio, name_of(audio)) as container:
        units = [stream.time_base.denominator for stream in container.streams.audio if stream.time_base]
    exact = lcm(tick.denominator, *units)
    return exact if exact < 2**31 else tick.denominator


@contextmanager
def _created(path: Path, clock: int, more: Mapping[str, str]) -> Iterator[OutputContainer]:
    """A new file without random identifiers; MP4 and QuickTime get their index first, and a clock that keeps times exact."""
    container = codecs.CONTAINERS[path.suffix.lower()][0]
    options = {"fflags": "+bitexact"}
    if container in ("mp4", "mov"):
        options |= {"movflags": "+faststart", "movie_timescale": str(clock)}
    options |= more
    with av.open(f"file:{path}", "w", format=container, options=options) as output:
        yield output


@contextmanager
def _copied(source: Source, output: OutputContainer) -> Iterator[_Sound]:
    name = name_of(source)
    with opened(source, name) as container:
        yield _Sound(container, name, output)
