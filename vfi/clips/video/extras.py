"""What a video file holds besides picture and sound: tags, chapters, subtitles, attachments, cover pictures and a timecode.

Owns what an output keeps of them, and the note that names the rest. Knows nothing of pixels and samples; `writer` puts the kept
ones into its file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, cast

import av
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from ...core import InputError
from ...timecode import DROPPED, base, counted, written
from ...timing.grids import Knots
from ...timing.positions import Position
from ..clip import Source, name_of
from .reader import opened, origin_of, video_of

SUBTITLES = {
    "mp4": {"mov_text", "dvd_subtitle"},
    "mov": {"mov_text"},
    "matroska": {"subrip", "ass", "ssa", "webvtt", "dvd_subtitle", "dvb_subtitle", "hdmv_pgs_subtitle", "hdmv_text_subtitle"},
    "webm": {"webvtt"},
}
"""The codecs of subtitles that a container holds, by FFmpeg's names."""

TEXT = {"mov_text", "subrip", "text", "ass", "ssa", "webvtt"}
"""The codecs of subtitles that are text; others are pictures."""

CONVERTED = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
"""What text becomes in a container that does not hold its codec."""

COVERS = {"mjpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png")}
"""Codecs of cover pictures that MP4 and Matroska hold, with their file ending and media type."""

STALE = re.compile(
    r"major_brand|minor_version|compatible_brands|encoder|duration|timecode|bps(-.*)?|number_of_(frames|bytes)(-.*)?|_statistics.*|"
    r"source_id|vendor_id|handler_name|alpha_mode|rotate|stereo_mode",
    re.IGNORECASE,
)
"""Names of tags that describe the old file or its coding; the output has its own."""

PLAIN = {
    *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping", "lyrics"),
    *("description", "synopsis", "show", "episode_id", "network", "keywords", "track", "disc", "creation_time", "language"),
}
"""Tags that MP4 has a place for; others are written as keys of their own."""


@dataclass(frozen=True)
class Extras:
    """All that ``source`` holds besides picture and sound, from ``start`` to just before ``end`` seconds.

    ``knots`` are pairs of times of this part and of the output; None: time is kept.
    """

    source: Source
    start: Fraction = Fraction(0)
    end: Fraction | None = None
    knots: Knots | None = None

    def along(self, knots: Knots | None) -> Extras:
        """The same for an output whose time follows ``knots``."""
        return replace(self, knots=knots)

    @property
    def forwards(self) -> bool:
        """Whether the output never plays backwards."""
        return self.knots is None or all(before <= after for (before, _), (after, _) in pairwise(self.knots))

    def shown(self, start: Fraction, end: Fraction) -> tuple[Fraction, Fraction] | None:
        """When the output shows an interval of the file, counted from the clip's start; None if it does not."""
        if end <= self.start or (self.end is not None and start >= self.end):
            return None
        low, high = max(start, self.start), end if self.end is None else min(end, self.end)
        return self._at(low - self.start), self._at(high - self.start)

    def _at(self, time: Fraction) -> Fraction:
        if self.knots is None:
            return time
        after = min(max(bisect_right([here for here, _ in self.knots], time), 1), len(self.knots) - 1)
        (here, there), (end, final) = self.knots[after - 1], self.knots[after]
        if end == here:
            return there
        return there + (min(time, end) - here) / (end - here) * (final - there)

    @contextmanager
    def opened(self, container: str, rate: Fraction | None) -> Iterator[Kept]:
        """What a ``container``, by FFmpeg's name, keeps of them, beside a picture of ``rate`` frames per second."""
        name = name_of(self.source)
        with opened(self.source, name) as file:
            yield Kept(self, file, name, container, rate)

    def left_out(self, container: str = "") -> str | None:
        """A note that names what an output of this kind does not keep; "" holds nothing but pictures."""
        with self.opened(container, None) as kept:
            return kept.note


class Kept:
    """The extras of a file that an output keeps; ``note`` names those it does not, None if it keeps all.

    ``converted`` names the subtitles whose codec changes; None if none does.
    """

    def __init__(self, extras: Extras, file: InputContainer, name: str, container: str, rate: Fraction | None) -> None:
        self._extras, self._file, self._name, self._container = extras, file, name, container
        self._origin = origin_of(file)
        self.sounds = [labels(stream) for stream in file.streams.audio]
        self.pictures: tuple[dict[str, str], Disposition] = ({}, Disposition(0))
        main: VideoStream | None = None
        if file.streams.video:
            main = video_of(file, name)
            self.pictures = labels(main)
        self.tags = described(file.metadata)
        if "matroska" in file.format.name:  # it writes names in capitals, others by convention do not
            self.tags = {key.lower() if key.isupper() else key: value for key, value in self.tags.items()}
        self.timecode = self._timecode(main, rate)
        movie = container in ("mp4", "mov", "matroska", "webm")
        shown = list(self._chapters())
        self.chapters = shown if movie and extras.forwards else []
        held = SUBTITLES.get(container, set())
        wanted = held | (TEXT if held else set()) if extras.forwards else set()
        self.subtitles: list[Stream] = [stream for stream in file.streams.subtitles if codec_of(stream) in wanted]
        changed = [stream for stream in self.subtitles if codec_of(stream) not in held]
        self._converting = {stream.index: CONVERTED[container] for stream in changed}
        covers = [stream for stream in file.streams.video if stream.disposition & Disposition.attached_pic]
        room = container == "matroska" or (container == "mp4" and not self._foreign)  # FFmpeg writes either these or a cover
        self.covers = [stream for stream in covers if room and codec_of(stream) in COVERS]
        attached = [stream for stream in file.streams if stream.type == "attachment"]
        self.attachments: list[Any] = attached if container == "matroska" else []
        others = [stream for stream in file.streams.video if stream not in covers and stream is not main]
        data = [stream for stream in file.streams if stream.type in ("data", "unknown") and not self._known(stream)]
        told = (
            list(amount(len(others), "other video stream")),
            ["the tags"] if self.tags and not movie else [],
            ["the timecode"] if self.timecode is None and self._stated(main) else [],
            list(amount(len(shown) - len(self.chapters), "chapter")),
            list(grouped("subtitle track", (codec_of(one) for one in file.streams.subtitles if one not in self.subtitles))),
            list(amount(len(covers) - len(self.covers), "cover picture")),
            list(amount(len(attached) - len(self.attachments), "attachment")),
            list(grouped("data track", map(codec_of, data))),
        )
        lost = [one for some in told for one in some]
        self.note = f"not kept from {name}: {', '.join(lost)}" if lost else None
        self.converted: str | None = None
        if changed:
            which = ", ".join(grouped("subtitle track", map(codec_of, changed)))
            self.converted = f"{which} of {name}: converted to {CONVERTED[container]}, which keeps text and simple styles"
        self.tell: Callable[[str], object] = bool  # takes notes that come up while packets are copied
        self._waiting: Iterator[av.Packet] = iter(())
        self._copies: dict[int, Stream] = {}

    @property
    def _foreign(self) -> bool:
        """Whether there are tags that MP4 has no place for."""
        return any(key.lower() not in PLAIN for key in self.tags)

    @property
    def options(self) -> dict[str, str]:
        """Options that the muxer needs to keep them as they are."""
        if self._container in ("mp4", "mov"):
            return {"movflags": "+faststart+use_metadata_tags"} if self._foreign else {}
        return {"default_mode": "passthrough"} if self._container in ("matroska", "webm") else {}

    def add(self, output: OutputContainer, picture: Stream) -> None:
        """Add all to a new file whose streams of picture and sound exist already."""
        output.metadata.update(self.tags)
        label(picture, (self.pictures[0], self.pictures[1] | Disposition.default))
        if self.timecode is not None:
            (picture if self._container in ("mp4", "mov") else output).metadata["timecode"] = self.timecode
        for stream in self.subtitles:
            copy = self._text(output, stream) if stream.index in self._converting else output.add_stream_from_template(stream)
            self._copies[stream.index] = label(copy, labels(stream))
        if self.chapters:
            output.set_chapters(self.chapters)
        for stream in self.attachments:
            output.add_attachment(stream.name or "attachment", stream.mimetype or "application/octet-stream", stream.data)
        self._add_covers(output)
        if self.subtitles:
            packets = self._packets(self._file.demux(*self.subtitles))
            self._waiting = self._apart(packets) if self._container in ("mp4", "mov") else packets
        self._next = next(self._waiting, None)

    def start(self, output: OutputContainer) -> None:
        """Write what comes before everything else."""
        for packet in self._pictures:
            output.mux(packet)

    def copy(self, output: OutputContainer, until: Fraction | None) -> None:
        """Write the subtitles that begin before ``until`` seconds, or all of them if it is None."""
        while self._next is not None:
            packet = self._next
            assert packet.pts is not None
            if until is not None and packet.pts * packet.time_base >= until:
                return
            output.mux(packet)
            self._next = next(self._waiting, None)

    def _packets(self, packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
        unit = Fraction(1, av.time_base)
        try:
            for packet in packets:
                if packet.pts is None or not packet.size:
                    continue
                start = packet.pts * packet.time_base - self._origin
                shown = self._extras.shown(start, start + max(packet.duration or 0, 1) * packet.time_base)
                if shown is None:
                    continue
                index, lasting = packet.stream.index, bool(packet.duration)
                if index in self._converting:
                    changed = self._changed(cast("av.Packet[SubtitleStream]", packet))
                    if changed is None:
                        continue
                    packet = changed
                packet.stream, packet.time_base = self._copies[index], unit
                packet.pts = packet.dts = round(shown[0] / unit)
                packet.duration = round(shown[1] / unit) - packet.pts if lasting else 0
                yield packet
        except av.FFmpegError:
            return  # the reader of the picture reports damage

    def _apart(self, packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
        """The packets, each cut where the next of its track begins: a track of MP4 shows one text at a time."""
        held: dict[int, av.Packet] = {}
        for packet in packets:
            before = held.get(packet.stream.index)
            held[packet.stream.index] = packet
            if before is None:
                continue
            assert before.pts is not None
            assert packet.pts is not None
            if before.duration and before.pts + before.duration > packet.pts:
                before.duration = packet.pts - before.pts
                self.tell(
                    f"some subtitles of {self._name} overlap: in {self._container} files, each ends where the next begins"
                )
            if before.pts < packet.pts:
                yield before
        yield from sorted(held.values(), key=lambda packet: packet.pts or 0)

    def _text(self, output: OutputContainer, stream: Stream) -> Stream:
        """A new track whose encoder takes the text of ``stream``."""
        decoder = cast(SubtitleCodecContext, stream.codec_context)
        decoder.open(strict=False)
        copy = cast(SubtitleStream, output.add_stream(cast(Any, self._converting[stream.index])))
        copy.codec_context.subtitle_header = decoder.subtitle_header
        copy.codec_context.time_base = Fraction(1, 1000)
        return copy

    def _changed(self, packet: av.Packet[SubtitleStream]) -> av.Packet[Any] | None:
        """A packet of text for the new track; None for a pause, and for what is not UTF-8, which is told."""
        try:
            text = packet.stream.decode2(packet)
            copy = cast(SubtitleStream, self._copies[packet.stream.index])
            return None if text is None else copy.codec_context.encode_subtitle(text)
        except av.FFmpegError:
            self.tell(f"some subtitles of {self._name} are left out: they are damaged or not UTF-8")
            return None

    def _add_covers(self, output: OutputContainer) -> None:
        self._pictures: list[av.Packet] = []
        if not self.covers:
            return
        with opened(self._extras.source, self._name) as file:
            for number, cover in enumerate(self.covers, start=1):
                stream = file.streams[cover.index]
                packet = next((packet for packet in file.demux(stream) if packet.size), None)
                if packet is None:
                    continue
                ending, kind = COVERS[codec_of(cover)]
                if self._container == "matroska":
                    name = cover.metadata.get("filename", f"cover{'' if number == 1 else number}.{ending}")
                    output.add_attachment(name, kind, bytes(packet))
                else:
                    copy = output.add_stream_from_template(stream)
                    copy.disposition = Disposition.attached_pic
                    packet.stream, packet.pts, packet.dts = copy, 0, 0
                    self._pictures.append(packet)

    def _chapters(self) -> Iterator[Any]:
        unit = Fraction(1, 1_000_000)
        for number, chapter in enumerate(self._file.chapters()):
            base = chapter["time_base"] or unit
            ends = (chapter[side] * base - self._origin for side in ("start", "end"))
            shown = self._extras.shown(*ends)
            if shown is not None:
                start, end = (round(time / unit) for time in shown)
                yield {**chapter, "id": number + 1, "start": start, "end": end, "time_base": unit}

    def _stated(self, main: VideoStream | None) -> str | None:
        tags = {key.lower(): value for key, value in (*self._file.metadata.items(), *(main.metadata.items() if main else ()))}
        return tags.get("timecode")

    def _timecode(self, main: VideoStream | None, rate: Fraction | None) -> str | None:
        """The timecode of the output's first frame; None if there is none, or if time or the frame rate is not kept."""
        stated, own = self._stated(main), main and main.average_rate
        if stated is None or not rate or not own or self._extras.knots is not None or not self._container:
            return None
        try:
            return timecode(stated, own, rate, self._extras.start)
        except InputError:
            return None

    def _known(self, stream: Stream) -> bool:
        """Whether a stream of data only repeats the timecode or, in MP4, the chapters."""
        codec = codec_of(stream)
        tag = stream.codec_context.codec_tag if stream.codec_context is not None else ""
        return "tmcd" in (codec, tag) or (codec == "bin_data" and bool(self._file.chapters())) or "timecode" in stream.metadata


def described(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that still hold for a new file."""
    return {key: value for key, value in tags.items() if not STALE.fullmatch(key)}


def labels(stream: Stream) -> tuple[dict[str, str], Disposition]:
    """What tells a track from the others: its tags, such as language and title, and its flags."""
    return described(stream.metadata), Disposition(stream.disposition)


def label(stream: Stream, named: tuple[dict[str, str], Disposition]) -> Stream:
    """Give a new stream the tags and flags that `labels` found; returns it."""
    stream.metadata.update(named[0])
    stream.disposition = named[1]
    return stream


def codec_of(stream: Stream) -> str:
    """The name of a stream's codec; "unknown" if FFmpeg does not know it."""
    if stream.codec_context is None:
        return getattr(stream, "name", None) or "unknown"
    return stream.codec_context.codec.canonical_name


def timecode(text: str, rate: Fraction, wanted: Fraction, later: Fraction = Fraction(0)) -> str:
    """The timecode at ``wanted`` frames per second, ``later`` seconds after the one ``text`` at ``rate``. Raises `InputError`.

    Hours, minutes and seconds stay; the count of frames follows the frame rate.
    """
    start = Position.parse(text)
    if start.unit != "timecode":
        raise InputError(f"{text!r} is not a timecode: 01:02:03:04 is one")
    day = counted(24 * 3600, 0, rate, start.drop, text)
    now = written((start.timecode_frame(rate) + round(later * rate)) % day, rate, start.drop)
    clock, _, frame = now.rpartition(":")
    mark = ";" if start.drop and wanted in DROPPED else ":"
    return f"{clock}{mark}{int(frame) * base(wanted) // base(rate):02}"


def amount(number: int, kind: str) -> Iterator[str]:
    """``number`` things in words; nothing for none."""
    if number:
        yield f"{number} {kind}{'s' if number > 1 else ''}"


def grouped(kind: str, codecs: Iterable[str]) -> Iterator[str]:
    """How many tracks of a ``kind`` there are, by codec."""
    for codec, number in Counter(codecs).items():
        yield from (f"{words} ({codec})" for words in amount(number, kind))
