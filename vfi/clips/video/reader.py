"""Video file input: frames with exact times, decoded one at a time.

Owns the handling of containers, time stamps and damage. The arithmetic of colour is in `yuv`.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from itertools import chain, islice
from math import floor, lcm
from pathlib import Path
from typing import Any, TypeAlias, cast

import av
import torch
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from torch import Tensor

from ...core import Frame, InputError
from ...parse import number
from .. import orientation, yuv
from ..clip import Colour, DamagedError, Info, Source, from_shown_at, name_of
from ..standard import is_standard
from . import fields
from .fields import Deinterlace, Shown
from .light import light_of

CENTRED = {"mjpeg", "webp"}  # codecs that put chroma samples between the columns
SEEMING_ALPHA = {"gif", "mjpeg", "webp"}  # decoded with an alpha plane even if the file has none

REPEATS = {"mpeg2video", "h264"}  # codecs that repeat fields by flags

FORMATS = (
    *(
        "mp4",
        "matroska",
        "webm",
        "avi",
        "mpeg",
        "mpegts",
        "flv",
        "live_flv",
        "asf",
        "ogg",
        "mxf",
        "nut",
        "gxf",
        "wtv",
        "rm",
        "dv",
    ),
    *(
        "ivf",
        "obu",
        "av1",
        "h264",
        "hevc",
        "vvc",
        "evc",
        "m4v",
        "mpegvideo",
        "vc1",
        "dirac",
        "cavsvideo",
        "h261",
        "h263",
        "mjpeg",
    ),
    *("yuv4mpegpipe", "smjpeg", "flic", "swf", "gif", "apng", "jpegxl_anim", "aac", "ac3", "eac3", "mp3", "flac", "wav", "w64"),
    *("aiff", "caf", "au", "dts", "truehd", "amr", "ape", "tta", "wv"),
    *(
        f"{image}_pipe"
        for image in (
            *(
                "bmp",
                "dds",
                "dpx",
                "exr",
                "gem",
                "gif",
                "hdr",
                "j2k",
                "jpeg",
                "jpegls",
                "jpegxl",
                "pam",
                "pbm",
                "pcx",
                "pfm",
                "pgm",
            ),
            *("pgx", "phm", "png", "ppm", "psd", "qoi", "sgi", "sunrast", "tiff", "webp", "xbm", "xpm", "xwd"),
        )
    ),
)
"""The containers that are read, by FFmpeg's names. Playlists and descriptions (HLS, DASH, SDP, ffconcat, numbered images, SVG)
are not among them: they name other files and addresses, which FFmpeg would open."""

ONLY_THIS = {"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS)}


@contextmanager
def opened(source: Source, name: str) -> Iterator[InputContainer]:
    """The container in a file, recognised by its content; messages call it ``name``. Raises `InputError`.

    Only this file is read, whatever it names: see `FORMATS`. Bytes of its tags that are not UTF-8 are replaced.
    """
    target: Any = source
    if isinstance(source, BytesIO):
        target = BytesIO(source.getvalue())
    elif not Path(source).exists():
        raise InputError(f"{name} does not exist")
    elif not Path(source).is_file():
        raise InputError(f"{name} is not a file")
    elif not Path(source).stat().st_size:
        raise InputError(f"{name} is empty")
    else:
        target = f"file:{os.fspath(source)}"
    try:
        container = av.open(target, container_options=ONLY_THIS, metadata_errors="replace")
    except PermissionError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from error
    except (av.FFmpegError, *ODD) as error:
        raise InputError(f"{name} is not a readable video or image: it is something else, damaged or truncated") from error
    with container:
        if _is_animated_webp(source):
            raise InputError(f"{name} is an animated WebP, which FFmpeg cannot read: open it with `open_clip`")
        yield container


def _is_animated_webp(source: Source) -> bool:
    """By its header; FFmpeg skips every picture of one."""
    if isinstance(source, BytesIO):
        head = source.getvalue()[:21]
    else:
        with Path(source).open("rb") as file:
            head = file.read(21)
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20:] and head[20] & 2)


ODD = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What PyAV raises besides its own errors where a file states impossible values."""


@contextmanager
def first_look(name: str) -> Iterator[None]:
    """Any error of PyAV between opening a file and its first picture becomes a `DamagedError`."""
    try:
        yield
    except InputError:
        raise
    except (av.FFmpegError, *ODD) as error:
        raise DamagedError(
            f"{name} cannot be read: it states impossible values, so it is damaged or of an unknown kind"
        ) from error


@contextmanager
def heard(name: str) -> Iterator[None]:
    """Any error of PyAV while the sound of a file is read or copied becomes an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except (av.FFmpegError, ArithmeticError, TypeError, ValueError) as error:
        said = getattr(error, "strerror", None) or "it states impossible values"
        raise InputError(f"the sound of {name} is damaged ({said}): drop the sound") from error


Begun: TypeAlias = Callable[..., Iterator[av.VideoFrame]]


class Decoded:
    """The pictures of an open container as frames; ``info`` describes the clip once `_look` has seen its first picture."""

    info: Info
    _turn: orientation.Turn
    _first: int | None

    def __init__(self, source: Source, *, damaged_ok: bool, device: torch.device | str) -> None:
        self.source = source
        self.notes: list[str] = []
        self._damaged_ok = damaged_ok
        self.device = device

    def _look(self, container: InputContainer, stream: VideoStream, picture: av.VideoFrame | None) -> _Clock:
        """Describe the clip by its first picture; returns its clock."""
        if picture is None:
            name = name_of(self.source)
            raise InputError(f"{name} has no picture that can be decoded: it is damaged, truncated or too large")
        self._turn = orientation.of_picture(picture)
        self.info = describe(self.source, container, stream, picture, self._turn.swap)
        clock = _Clock(stream, origin_of(container), self.info.rate)
        self._first = picture.pts
        start = None if picture.pts is None else clock.of(picture.pts)
        self.info = replace(self.info, time_base=clock.unit, start=start)
        return clock

    def _shown(
        self,
        container: InputContainer,
        stream: VideoStream,
        clock: _Clock,
        key: _Key | None = None,
        begun: Begun | None = None,
    ) -> Iterator[tuple[av.VideoFrame, Fraction, Fraction]]:
        """Each picture from ``key`` on, to which the container must be seeked, with its time and duration.

        ``begun`` continues to read pictures of which the first was looked at; it takes the last three calls of `pictures_of`.
        """
        name = name_of(self.source)
        damaged: list[Fraction] = []

        def damage(pts: int | None) -> None:
            if not clock.count and not _stated(stream):
                return  # a recording without an index may start anywhere, even before its first key frame
            time = clock.next if pts is None else clock.of(pts)
            if not self._damaged_ok:
                total = f" of {stream.frames}" if stream.frames else ""
                done = f", after {clock.count}{total} frames" if key is None else ""
                raise DamagedError(f"{name} is damaged at {float(time):.3f} s{done}")
            damaged.append(time)

        waiting: tuple[av.VideoFrame, Fraction] | None = None

        def silent(end: Fraction) -> None:
            self._note(f"the sound of {name} is damaged: it breaks off at {float(end - origin_of(container)):.3f} s")

        def seam(at: Fraction) -> None:
            time = float(at - origin_of(container))
            self._note(f"{name} is joined from parts at {time:.3f} s: the frame before may be incomplete")

        pictures = pictures_of(container, stream, damage, key, silent, seam) if begun is None else begun(damage, silent, seam)
        for picture in pictures:
            time = clock.tell(picture.pts)
            if waiting is not None:
                before, start = waiting
                yield before, start, time - start
                if (before.width, before.height) != (picture.width, picture.height):
                    raise InputError(
                        f"{name} changes from {before.width}x{before.height} to {picture.width}x{picture.height} "
                        f"at {float(time):.3f} s: all frames of a clip must have one size"
                    )
            waiting = picture, time
        if waiting is not None:
            yield *waiting, clock.last(waiting[0], whole=not damaged)
        if damaged:
            self._broken(min(damaged))
        if clock.moved:
            self._note(f"{clock.moved} frames had no usable time stamp: they follow the frame before them at the frame rate")

    def _broken(self, time: Fraction) -> None:
        """Tell that frames are damaged, first at ``time``."""
        name = name_of(self.source)
        self._note(f"{name} is damaged, first at {float(time):.3f} s: all frames that could be decoded were used")

    def _frame(self, picture: av.VideoFrame, time: Fraction, duration: Fraction) -> Frame:
        rgb, alpha = decoded(picture, self.info, self.device)
        if not self.info.alpha and yuv.has_alpha(picture.format) and not yuv.is_opaque(picture):
            self._note(
                f"the clip becomes transparent at {float(time):.3f} s, but its first picture cannot be: its alpha is dropped"
            )
        return Frame(self._turn(rgb), time, duration, None if alpha is None else self._turn(alpha))

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


class VideoReader(Decoded):
    """The frames of a video file, in order, with exact times from the start of the clip (sound may start before the picture).

    Each iteration opens the file and reads it from its start, one frame ahead. Pictures are upright, in RGB on ``device`` (see
    `yuv.decode`). Interlaced ones become whole frames, telecined ones film frames, as ``deinterlace`` says; see `fields`. With
    "auto", pictures are interlaced as flagged, and 3:2 pulldown is looked for in the first ones of a clip that is flagged, at
    30000/1001 per second. Time stamps that the container rounds (Matroska: to milliseconds) are snapped back to the grid of the
    frame rate if it is less than one tick away. A frame whose time stamp is missing, or not after that of the frame before,
    follows that frame by one frame interval, and a note says so. The last frame lasts until the end stated by the container,
    else for its own stated duration.

    `since` starts at any time: MP4, QuickTime and Matroska are read from the key frame before it, others from their start.

    Raises `InputError` if the file holds no video and, during reading, if the frame size changes. Raises `DamagedError` at the
    first missing or damaged frame; with ``damaged_ok`` it decodes on and adds a note instead. FFmpeg refuses pictures of more
    than about 2^28 pixels before it allocates them.
    """

    def __init__(
        self,
        source: Source,
        *,
        damaged_ok: bool = False,
        device: torch.device | str = "cpu",
        deinterlace: Deinterlace = "auto",
    ) -> None:
        super().__init__(source, damaged_ok=damaged_ok, device=device)
        name = name_of(source)
        with opened(source, name) as container, first_look(name):
            stream = video_of(container, name)
            pictures = pictures_of(container, stream, lambda pts: None)
            picture = next(pictures, None)
            self._look(container, stream, picture)
            assert picture is not None
            alpha = self.info.alpha
            if alpha and _may_seem(picture, self.info.codec):  # the first picture of a GIF is often opaque, later ones are not
                alpha = not all(map(yuv.is_opaque, chain((picture,), pictures)))
            self.info = replace(self.info, alpha=alpha)
            self._mend_fields(deinterlace, stream, picture, pictures)

    def _mend_fields(
        self, asked: Deinterlace, stream: VideoStream, picture: av.VideoFrame, pictures: Iterator[av.VideoFrame]
    ) -> None:
        """Decide how pictures of two fields are read, by the first ones, and describe the result."""
        info, self._asked = self.info, asked
        self._order = fields.stated_order(info.codec, stream.codec_context.field_order)
        flagged = self._flagged = info.interlaced or self._order is not None
        self._film = self._soft = False
        if asked == "telecine":
            layout = yuv.unpacked(picture).format.name
            if info.rate is None or not fields.kept(fields.FILM, layout):
                found = "no frame rate" if info.rate is None else f"pictures in {layout}"
                raise InputError(
                    f"{name_of(self.source)} has {found}: only Y'CbCr of 8 bits at a stated frame rate can be telecined film"
                )
            self._film = True
        elif asked == "auto" and flagged and info.codec == "hevc":
            self._asked = "off"
            self._note(
                "the clip is interlaced: HEVC holds each field as a picture, and they are read as frames of half the height"
            )
        elif asked == "auto" and info.interlaced and info.rate == fields.NTSC:
            self._film = fields.telecined(chain((picture,), pictures)) and fields.kept(
                fields.FILM, yuv.unpacked(picture).format.name
            )
        elif asked == "auto" and not flagged and info.codec in REPEATS:
            varies = stream.average_rate != stream.base_rate or info.rate == fields.NTSC
            self._soft = varies and picture.pts is not None and self._is_cadence()
        if self._film and info.rate is not None:
            frames = None if info.frames is None else info.frames - info.frames // fields.CYCLE
            self.info = replace(
                info,
                rate=info.rate * (fields.CYCLE - 1) / fields.CYCLE,
                frames=frames,
                time_base=info.time_base and info.time_base / (fields.CYCLE - 1),
                interlaced=False,
            )
            self._interval = 1 / info.rate
            self._note(f"the clip is telecined film: 3:2 pulldown is removed, which leaves {self.info.rate} frames per second")
        elif self._soft:
            rate = fields.NTSC * (fields.CYCLE - 1) / fields.CYCLE
            frames = _shown(stream) or (None if info.duration is None else round(info.duration * rate))
            clock = _Clock(stream, origin_of(cast(InputContainer, stream.container)), rate, fields.FIELD)
            self.info = replace(info, rate=rate, frames=frames, time_base=clock.unit / 2)
            self._note(
                "the clip is film whose fields are repeated by flags: its frames follow evenly, at 24000/1001 per second"
            )
        elif flagged and self._asked == "auto":
            self.info = replace(info, interlaced=False)
            self._note("the clip is interlaced: its frames are deinterlaced, at the same frame rate")
        elif flagged and asked == "off":
            self._note("the clip is interlaced: the two fields of a frame are treated as one picture")

    def _is_cadence(self) -> bool:
        """Whether the first pictures are film whose fields are repeated by flags."""
        with opened(self.source, name_of(self.source)) as container:
            stream = video_of(container, name_of(self.source))
            packets = (packet for packet in joined(container) if packet.stream.index == stream.index)
            stamps = sorted(packet.pts for packet in islice(packets, fields.LOOKED_AT) if packet.pts is not None)
            tick = stream.time_base or Fraction(0)
        return fields.is_cadence(pts * tick for pts in stamps[: -fields.CYCLE])  # the last may lack those decoded later

    def __iter__(self) -> Iterator[Frame]:
        return (self._frame(*shown) for shown in self._whole(None))

    def since(self, time: Fraction, before: int = 0) -> Iterator[Frame]:
        """As `clip.Seeks.since`: decoded from the key frame before, if the container gives its position."""
        shown = self._near(time, before)
        return (self._frame(*one) for one in from_shown_at(shown, time, before, lambda one: one[1] + one[2]))

    def _near(self, time: Fraction, before: int) -> Iterator[Shown]:
        """As `_whole`, from the key frame that leaves room for ``before`` pictures, and for those that mending looks at."""
        if self._film:
            return self._whole(self._key(time - 2 * (before + fields.CYCLE) * self._interval, 0))
        room = before + 2 * self._soft  # evened frames begin later, so one more may be shown
        if self._asked == "auto" and not self._flagged:
            key = self._key(time, room)
            if key is None:
                return self._whole(None)
            with closing(self._timed(key)) as shown:
                first = next(shown, None)
            if first is None or not first[0].interlaced_frame:
                return self._whole(key)
        return self._whole(self._key(time, room + (self._asked != "off")))

    def _whole(self, key: _Key | None) -> Iterator[Shown]:
        """Each picture from ``key`` on, its fields mended; the first after a key frame is left out if it lacks a neighbour."""
        shown: Iterator[Shown] = self._timed(key)
        if self._film:
            yield from fields.without_pulldown(shown, self.info.start or Fraction(0), self._interval, within=key is not None)
        elif self._asked == "off":
            for one in shown:
                if one[0].interlaced_frame and not self._flagged:
                    self._note("the clip is interlaced in parts: the two fields of a frame are treated as one picture")
                yield one
        else:
            first = next(shown, None)
            if first is not None:
                alone = key is not None and (first[0].interlaced_frame or self._order is not None)
                whole = fields.deinterlaced(chain((first,), shown), self._order, self._begins, self._refused)
                whole = islice(whole, alone, None)
                yield from islice(fields.evened(whole), key is not None, None) if self._soft else whole

    def _begins(self, time: Fraction) -> None:
        if self._flagged:
            return
        self._note("the clip is interlaced in parts: these frames are deinterlaced, at the same frame rate")

    def _refused(self, layout: str) -> None:
        self._note(
            f"the clip is interlaced, but pictures in {layout} cannot be deinterlaced: two fields are treated as one picture"
        )

    def _key(self, time: Fraction, before: int) -> _Key | None:
        """The key frame to decode from to get the frame shown at ``time`` and ``before`` earlier ones; None for the start."""
        if self._first is None:
            return None
        name = name_of(self.source)
        with opened(self.source, name) as container:
            stream = video_of(container, name)
            clock = _Clock(stream, origin_of(container), self.info.rate)
            return _key_before(container, stream, clock.stamp(time), self._first, before)

    def _timed(self, key: _Key | None) -> Generator[Shown, None, None]:
        """Each picture from ``key`` on, with its time and duration."""
        name = name_of(self.source)
        with opened(self.source, name) as container:
            stream = video_of(container, name)
            clock = _Clock(stream, origin_of(container), self.info.rate, fields.FIELD if self._soft else None)
            if key is not None and self._first is not None:
                container.seek(key.target, stream=stream)
                clock.resume(clock.of(self._first))
            yield from self._shown(container, stream, clock, key)


class _Clock:
    """Converts the time stamps of pictures to times, in seconds from the start of the clip.

    Rounded ones are snapped to the grid of the frame rate, if it is steady, or to a ``grid`` in seconds.
    """

    def __init__(self, stream: VideoStream, origin: Fraction, rate: Fraction | None, grid: Fraction | None = None) -> None:
        self.count = self.moved = 0
        self.next = Fraction(0)
        self._stream = stream
        self._origin = origin
        self._tick = stream.time_base or Fraction(1, 1000)
        self._interval = 1 / (rate or Fraction(25)) if grid is None else 2 * grid
        self._first = self._before = Fraction(0)
        steady = stream.average_rate == stream.guessed_rate == stream.base_rate is not None
        self._grid = self._interval if grid is None else grid
        self._rounded = (steady or grid is not None) and (self._grid / self._tick).denominator != 1

    @property
    def unit(self) -> Fraction:
        """The unit of which all times are multiples."""
        units = self._tick.denominator, self._origin.denominator, self._grid.denominator if self._rounded else 1
        return Fraction(1, lcm(*units))

    def of(self, pts: int) -> Fraction:
        """The time of a time stamp."""
        return pts * self._tick - self._origin

    def stamp(self, time: Fraction) -> int:
        """The time stamp of ``time``, or the one just before it; rounded time stamps may be off by a tick."""
        return floor((time + self._origin) / self._tick) - self._rounded

    def resume(self, first: Fraction) -> None:
        """Continue within a clip whose first picture was shown at ``first``."""
        self.count = 1
        self._first = first
        self._before = first

    def tell(self, pts: int | None) -> Fraction:
        """The time of the next picture."""
        time = self.next if pts is None else self.of(pts)
        if not self.count:
            self._first = time
        else:
            if self._rounded:
                ideal = self._first + round((time - self._first) / self._grid) * self._grid
                time = ideal if abs(ideal - time) < self._tick else time
            if pts is None or time <= self._before:
                time = self.next
                self.moved += 1
        self.count += 1
        self._before, self.next = time, time + self._interval
        return time

    def last(self, picture: av.VideoFrame, *, whole: bool) -> Fraction:
        """The duration of the last picture; ``whole`` means that no part of the stream is missing."""
        stream = self._stream
        rest = Fraction(0)
        if whole and _stated(stream) and stream.duration is not None:
            rest = self.of((stream.start_time or 0) + stream.duration) - self._before
        if rest <= 0:
            rest = picture.duration * self._tick
        return self._interval if rest <= 0 or (self._rounded and abs(rest - self._interval) < self._tick) else rest


def origin_of(container: InputContainer) -> Fraction:
    """The start of the clip on the container's clock: the earliest start of picture and sound."""
    streams = (*container.streams.video, *container.streams.audio)
    starts = [stream.start_time * stream.time_base for stream in streams if stream.start_time is not None and stream.time_base]
    return min(starts, default=Fraction(0))


def zero_of_sound(container: InputContainer) -> Fraction:
    """The time on the container's clock at which the clip starts that its sound belongs to.

    In a file with video this is the start of the clip; a file with only sound counts from zero, even if it begins later.
    """
    return origin_of(container) if container.streams.video else Fraction(0)


def sounds_of(container: InputContainer, name: str) -> tuple[AudioStream, ...]:
    """The streams of sound. Raises `InputError` if the codec of one is unknown."""
    streams = tuple(container.streams.audio)
    if any(stream.codec_context is None for stream in streams):
        raise InputError(f"the sound of {name} has a codec that this build of PyAV does not know: drop the sound")
    return streams


def video_of(container: InputContainer, name: str) -> VideoStream:
    """The video stream that players show: of those that are not cover art, the default one, else the largest.

    Raises `InputError`.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if streams:
        known = [stream for stream in streams if stream.codec_context is not None]
        if not known:
            raise InputError(f"the video of {name} has a codec that this build of PyAV does not know: convert it first")
        stream = max(known, key=lambda one: (bool(one.disposition & Disposition.default), one.width * one.height))
        # Threads within a frame only: threads across frames lose decoding errors and hold many frames in memory.
        stream.thread_type = "SLICE"
        return stream
    found = "only sound" if container.streams.audio else "it is something else, damaged or truncated"
    raise InputError(f"{name} has no video: {found}")


def pictures_of(
    container: InputContainer,
    stream: VideoStream,
    damage: Callable[[int | None], None],
    key: _Key | None = None,
    silent: Callable[[Fraction], object] = bool,
    seam: Callable[[Fraction], object] = bool,
) -> Iterator[av.VideoFrame]:
    """The pictures of a stream; ``damage`` is called with the time stamp, or None, of each damaged or missing one.

    ``silent`` is called with the end of a track of sound whose last packets are missing, ``seam`` with the time of each seam of
    joined parts; both in seconds on the file's clock.
    With ``key``, only the pictures shown from this key frame on; the container must already be seeked to it.
    """
    decoder = _decoder(stream)
    packets = 0
    heard: Counter[int] = Counter()
    ends: dict[int, Fraction] = {}
    end = Fraction(0)
    first = None if key is None else key.stamp
    found = first is None
    try:
        for packet in joined(container, seam):
            if packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if packet.size and not packet.is_corrupt:
                heard[packet.stream.index] += 1
                ends[packet.stream.index] = end
            found = found or (packet.stream.index == stream.index and packet.pts == first)
            if packet.stream.index != stream.index or not found:
                continue
            packets += bool(packet.size)
            leading = first is not None and packet.pts is not None and packet.pts < first  # it refers to frames before the key
            if packet.is_corrupt and not leading:
                damage(packet.pts)
            try:
                pictures = decoder.decode(packet)
            except av.FFmpegError:
                if not leading:
                    damage(packet.pts)
                continue
            for picture in pictures:
                if first is not None and picture.pts is not None and picture.pts < first:
                    continue
                if picture.is_corrupt:
                    damage(picture.pts)
                yield picture
    except av.FFmpegError:
        damage(None)
    stated = Fraction(container.duration or 0, 1_000_000) if "matroska" in container.format.name else end
    if (first is None and packets < _stated(stream)) or stated - end > Fraction(1, 10):
        damage(None)
    if first is None and "mp4" in container.format.name:
        for sound in container.streams.audio:
            if heard[sound.index] < len(sound.index_entries):
                silent(ends.get(sound.index, Fraction(0)))


def joined(container: InputContainer, told: Callable[[Fraction], object] = bool) -> Iterator[av.Packet]:
    """All packets of a file. In MPEG-TS, parts that were joined follow on each other; ``told`` gets the time of each seam.

    A clock jumps if a track of picture or sound goes back, or ahead by more than ten seconds; all tracks share the jumps.
    """
    if "mpegts" not in container.format.name:
        yield from container.demux()
        return
    shifts = [Fraction(0)]
    passed: Counter[int] = Counter()
    own: dict[int, Fraction] = {}
    due: dict[int, Fraction] = {}
    seams: list[Fraction] = []

    def tell(at: Fraction) -> None:
        if not seams or abs(at - seams[-1]) > 1:  # one seam shows in every track
            seams.append(at)
            told(at)

    for packet, follows in _seams(container.demux()):
        if packet.dts is None or packet.pts is None or not packet.size:
            yield packet
            continue
        index, unit = packet.stream.index, packet.time_base
        shift = shifts[-1]
        if packet.stream.type in ("video", "audio"):
            time = packet.dts * unit
            wanted = due.get(index, time)
            if not Fraction(-1, 5) <= time + own.get(index, shift) - wanted <= 10:
                if passed[index] + 1 == len(shifts):
                    shifts.append(wanted - time)
                    tell(wanted)
                passed[index] += 1
                own[index] = max(shifts[passed[index]], wanted - time)  # the last part of this track may end a little later
            shift = own.setdefault(index, shift)
            due[index] = time + (packet.duration or 0) * unit + shift
        packet.dts, packet.pts = packet.dts + round(shift / unit), packet.pts + round(shift / unit)
        if follows:
            tell(packet.pts * unit)
        yield packet


def _seams(packets: Iterable[av.Packet]) -> Iterator[tuple[av.Packet, bool]]:
    """The packets, and whether each is a key frame just after a picture that seems cut off, as the last of a joined part does.

    Such a picture counts as whole.

    FFmpeg's parser may mark the picture before it instead.
    """
    held: list[av.Packet] = []
    later = 0
    for packet in packets:
        follows = False
        if held and packet.size and packet.stream.index == held[0].stream.index:
            later += 1
            follows = packet.is_keyframe
            if follows:
                held[0].is_corrupt = False
            if follows or packet.is_corrupt or later == 2:
                yield from ((one, False) for one in held)
                held = []
        if held or (packet.size and packet.is_corrupt and packet.stream.type == "video"):
            later = later if held else 0
            held.append(packet)
        else:
            yield packet, follows
    yield from ((one, False) for one in held)


SOUGHT = ("mp4", "matroska")
"""Containers, by FFmpeg's names, that index key frames and whose time stamps do not depend on where reading starts."""


@dataclass(frozen=True)
class _Key:
    """A key frame by its time stamp, and the seek target that leads to it."""

    stamp: int
    target: int


def _key_before(container: InputContainer, stream: VideoStream, stamp: int, first: int, before: int) -> _Key | None:
    """The last key frame shown at ``stamp`` or earlier that leaves room for ``before`` pictures before the one at ``stamp``.

    None if the whole stream must be decoded. ``first`` is the time stamp of its first picture.
    """
    if not any(name in container.format.name for name in SOUGHT):
        return None
    target = stamp
    while target > first:
        container.seek(target, stream=stream)
        keys = (packet for packet in container.demux(stream) if packet.is_keyframe and packet.pts is not None)
        found = next(keys, None)
        if found is None:
            return None
        assert found.pts is not None
        if found.pts > stamp:  # it is decoded before the stamp but shown after it
            target = min(target, found.pts if found.dts is None else found.dts) - 1
        elif before:
            before -= 1
            stamp = target = found.pts - 1
        else:
            return _Key(found.pts, target) if found.pts > first else None
    return None


def _stated(stream: VideoStream) -> int:
    """The number of packets, if the container states it reliably, as MP4 and QuickTime do; else 0."""
    return stream.frames if "mp4" in stream.container.format.name else 0


def _decoder(stream: VideoStream) -> Any:
    """The stream's own decoder, or libvpx for VP8 and VP9 with transparency, which FFmpeg's own decoders drop."""
    libvpx = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    if libvpx is None or stream.metadata.get("alpha_mode") != "1":
        return stream.codec_context
    return av.CodecContext.create(libvpx, "r")


def describe(
    source: Source, container: InputContainer, stream: VideoStream, picture: av.VideoFrame, swap: bool = False
) -> Info:
    """The description of a clip from its container and first picture; ``swap`` if turning upright swaps rows and columns."""
    context, layout = stream.codec_context, picture.format
    colour = Colour(0, context.color_primaries, context.color_trc, True)
    if not yuv.is_rgb(layout):
        colour = replace(colour, matrix=picture.colorspace, full=_full(picture, context.codec.canonical_name))
        if colour.matrix not in (0, 2, *yuv.COEFFICIENTS):
            raise InputError(
                f"{name_of(source)} has the colour matrix {colour.matrix} of H.273: "
                "BT.601, BT.709, BT.2020, FCC and SMPTE 240M are supported"
            )
    # FFmpeg times streams without time stamps, such as raw H.264, at 25 frames per second, whatever they state themselves.
    rates = (stream.average_rate, stream.guessed_rate)
    rate = _nominal(next(filter(None, reversed(rates) if picture.pts is None else rates), None))
    duration = _duration(container, stream, rate)
    measurable = picture.pts is not None and not is_standard(source)
    if measurable and (duration is None or "matroska" in container.format.name):
        end = end_of(source, stream.index)
        measured = None if end is None or stream.time_base is None else end - (stream.start_time or 0) * stream.time_base
        if measured and (duration is None or abs(measured - duration) > 2 / (rate or Fraction(25))):
            duration = round(measured * rate) / rate if rate else measured
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width, height = (picture.height, picture.width) if swap else (picture.width, picture.height)
    return Info(
        width=width,
        height=height,
        path=None if isinstance(source, BytesIO) or is_standard(source) else Path(source),
        rate=rate,
        frames=_shown(stream) or (round(duration * rate) if duration is not None and rate else None),
        duration=duration,
        depth=yuv.depth_of(layout),
        chroma=yuv.chroma_of(layout),
        alpha=yuv.has_alpha(layout),
        colour=colour,
        sample_aspect_ratio=1 / aspect if swap else aspect,
        interlaced=picture.interlaced_frame,
        audio=bool(container.streams.audio),
        codec=context.codec.canonical_name,
        light=light_of(picture),
    )


def decoded(picture: av.VideoFrame, info: Info, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor | None]:
    """The colours and the alpha of a clip's picture; no alpha if ``info`` says that there is none."""
    colour = replace(info.colour, full=_full(picture, info.codec))
    rgb, alpha = yuv.decode(picture, colour, centred=info.codec in CENTRED, device=device)
    if alpha is not None and (not info.alpha or (_may_seem(picture, info.codec) and bool((alpha == 1).all()))):
        alpha = None
    return rgb, alpha


def _may_seem(picture: av.VideoFrame, codec: str) -> bool:
    """Whether a picture's format may have an alpha plane though nothing of the clip is transparent."""
    return codec in SEEMING_ALPHA or picture.format.has_palette


def _duration(container: InputContainer, stream: VideoStream, rate: Fraction | None) -> Fraction | None:
    """The duration of the video as stated by the file. Matroska has it in a tag, or else only that of the longest stream."""
    if stream.time_base is None or (stream.duration is None and container.duration is None):
        return None
    if stream.duration:
        return stream.duration * stream.time_base
    end = Fraction(container.duration or 0, 1_000_000)
    if tag := re.fullmatch(r"(\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d{0,12})?)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(number, tag.groups())
        end = hours * 3600 + minutes * 60 + seconds
    duration = end - (stream.start_time or 0) * stream.time_base
    whole = round(duration * rate) / rate if rate else duration
    stated = whole if abs(whole - duration) < Fraction(1, 500) else duration
    return stated if stated > 0 else None  # FLV in a pipe states an end of 0


def end_of(source: Source, index: int) -> Fraction | None:
    """The end of the last packet of a stream, in seconds on the file's clock: read from near the end, else from the start.

    Stated lengths are missing from recordings that were not finished, and stale in edited files.
    """
    for from_end in (True, False):
        with opened(source, name_of(source)) as container:
            try:
                if from_end:
                    if not container.duration or "mpegts" in container.format.name:
                        continue
                    container.seek((container.start_time or 0) + container.duration)
                ends = [
                    (packet.pts + (packet.duration or 0)) * packet.time_base
                    for packet in joined(container)
                    if packet.stream.index == index and packet.pts is not None and packet.size
                ]
            except av.FFmpegError:
                continue
        if ends:
            return max(ends)
    return None


def _shown(stream: VideoStream) -> int:
    """The number of frames that the container states, less those that an edit list hides."""
    if not _stated(stream):
        return stream.frames
    return stream.frames - sum(entry.is_discard for entry in stream.index_entries)


def _nominal(rate: Fraction | None) -> Fraction | None:
    """The whole or NTSC frame rate behind a container's rounding: Matroska's 19001/317 is 60000/1001."""
    if rate is None or rate < 1:
        return rate
    usual = Fraction(round(rate)), Fraction(round(rate * 1001 / 1000) * 1000, 1001)
    return next((ideal for ideal in usual if abs(rate / ideal - 1) < Fraction(1, 10**6)), rate)


def _full(picture: av.VideoFrame, codec: str) -> bool | None:
    return {1: False, 2: True}.get(int(picture.color_range), True if codec == "mjpeg" else None)
