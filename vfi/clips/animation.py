"""Animated WebP and APNG as clips: every stored picture, drawn on the canvas as the file asks, with its own duration.

Owns both containers and how pictures are blended and disposed of, in float. FFmpeg decodes each stored picture as a
still image: it knows no animated WebP, and blends no 16-bit APNG. Knows nothing of folders of images.

Sources: "WebP Container Specification" (RFC 9649); "Portable Network Graphics (PNG) Specification (Third Edition)", animation.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from io import BytesIO
from itertools import accumulate
from math import lcm
from pathlib import Path
from typing import BinaryIO, Literal, cast

import av
import torch
from av.video.codeccontext import VideoCodecContext
from torch import Tensor

from ..core import Frame, InputError
from . import orientation, yuv
from .clip import Colour, DamagedError, Info, Source, name_of

PNG = b"\x89PNG\r\n\x1a\n"
UNSTATED = Fraction(1, 10)
"""The duration of a picture that states none, in seconds: that of browsers."""

LARGEST = 2**28
"""The most pixels of a canvas, as FFmpeg has it for pictures."""

MOST = 10**6
"""The most pictures of an animation."""

FINEST = 10**6
"""The finest unit of times that is kept, as a part of a second; every duration of an APNG may have a unit of its own."""

Disposal = Literal["keep", "clear", "restore"]


@dataclass(frozen=True)
class _Part:
    """A stored picture: its place on the canvas, its duration in seconds, and the file's bytes that hold it (start, length).

    It is drawn ``over`` the canvas or replaces it. ``disposal`` is what happens to its place afterwards. ``clear``: it may be
    transparent.
    """

    left: int
    top: int
    width: int
    height: int
    lasts: Fraction
    disposal: Disposal
    over: bool
    clear: bool
    data: tuple[tuple[int, int], ...]


@dataclass
class _File:
    """What the container says. ``head``: the chunks that each picture of a PNG needs; ``besides``: what is not read."""

    kind: Literal["webp", "apng"]
    width: int
    height: int
    depth: int = 8
    loops: int = 1
    parts: list[_Part] = field(default_factory=list)
    whole: bool = True
    head: bytes = b""
    turn: orientation.Turn = orientation.TAGS[1]
    besides: list[str] = field(default_factory=list)

    def covers(self, part: _Part) -> bool:
        """Whether a picture fills the canvas."""
        return (part.width, part.height) == (self.width, self.height)


class AnimationReader:
    """The frames of an animated WebP or APNG, one pass of its loops, in RGB on ``device``.

    A picture that states no duration lasts `UNSTATED` seconds. Only the file's index and two canvases are in memory. `since`
    decodes from the picture before that depends on no other. Raises `InputError`, and `DamagedError` if the file is damaged;
    with ``damaged_ok`` the frames before the damage are read, and a note says so.
    """

    def __init__(self, source: Source, *, damaged_ok: bool = False, device: torch.device | str = "cpu") -> None:
        self.source, self.notes = source, list[str]()
        self._name, self._damaged_ok, self._device = name_of(source), damaged_ok, device
        with _bytes_of(source) as file:
            try:
                found = _webp(file) if _kind(file) == "webp" else _apng(file)
            except InputError:
                raise
            except (struct.error, ValueError, IndexError) as error:
                raise DamagedError(f"{self._name} states impossible values: it is damaged or truncated") from error
        if not found.parts:
            raise DamagedError(f"{self._name} has no picture that can be decoded: it is damaged or truncated")
        if found.width * found.height > LARGEST:
            raise InputError(f"{self._name} is {found.width}x{found.height}: an animation has at most 2^28 pixels")
        self._file = found
        durations = [part.lasts or UNSTATED for part in found.parts]
        self._times = [Fraction(0), *accumulate(durations)]
        if lcm(*{one.denominator for one in durations}) > FINEST:
            self._times = [Fraction(round(time * FINEST), FINEST) for time in self._times]
            self.notes.append(f"the times of {self._name} are rounded to 1/{FINEST} s: together they are finer than a video's")
        count, end = len(durations), self._times[-1]
        width, height = (found.height, found.width) if found.turn.swap else (found.width, found.height)
        self.info = Info(
            width=width,
            height=height,
            path=None if isinstance(source, BytesIO) else Path(source),
            rate=count / end,
            frames=count,
            duration=end,
            depth=found.depth,
            colour=Colour(matrix=0, full=True),
            codec=found.kind,
            time_base=Fraction(1, lcm(*{time.denominator for time in self._times})),
            start=Fraction(0),
        )
        if self._may_be_clear:  # many files promise transparency and have none
            transparent = (not bool((alpha == 1).all()) for _, _, alpha in self._drawn(0, ok=True))
            self.info = replace(self.info, alpha=any(transparent))
        self.notes += list(self._said())

    def __iter__(self) -> Iterator[Frame]:
        return self.since(Fraction(0))

    def since(self, time: Fraction, before: int = 0) -> Iterator[Frame]:
        """As `clip.Seeks.since`."""
        first = max(min(bisect_right(self._times, time), len(self._file.parts)) - 1 - before, 0)
        for index, rgb, alpha in self._drawn(first):
            start, end = self._times[index : index + 2]
            turned = self._file.turn(alpha) if self.info.alpha else None
            yield Frame(self._file.turn(rgb), start, end - start, turned)

    @cached_property
    def _may_be_clear(self) -> bool:
        first, *_ = parts = self._file.parts
        return not self._file.covers(first) or any(part.clear or part.disposal == "clear" for part in parts)

    def _said(self) -> Iterator[str]:
        """The notes on the file."""
        loops, unstated = self._file.loops, sum(not part.lasts for part in self._file.parts)
        if loops != 1 and len(self._file.parts) > 1:
            yield f"{self._name} loops {f'{loops} times' if loops else 'without end'}: one pass is read"
        if unstated:
            pictures = "picture states" if unstated == 1 else "pictures state"
            yield f"{unstated} {pictures} no duration in {self._name}: each lasts {float(UNSTATED)} s, as in browsers"
        if self._file.besides:
            yield f"{self._name} holds {', '.join(self._file.besides)}: only the pictures are kept"

    def _drawn(self, first: int, *, ok: bool | None = None) -> Iterator[tuple[int, Tensor, Tensor]]:
        """The number, colours [3,H,W] and alpha [1,H,W] of each frame from ``first`` on; ``ok``: damage ends them silently."""
        parts, height, width = self._file.parts, self._file.height, self._file.width
        begin = max(index for index in range(first + 1) if self._independent(index))
        base = torch.zeros(4, height, width, device=self._device)
        with _bytes_of(self.source) as file:
            for index in range(begin, len(parts)):
                part = parts[index]
                try:
                    shown = _on(base, self._decoded(file, part), part)
                except (av.FFmpegError, ValueError) as error:
                    if not ok:
                        self._damaged(self._times[index], index, error)
                    return
                if index >= first:
                    yield index, shown[:3], shown[3:]
                base = base if part.disposal == "restore" else shown
                if part.disposal == "clear":
                    base = base.clone()
                    _place(base, part).zero_()
        if not self._file.whole and not ok:
            self._damaged(self._times[-1], len(parts), None)

    def _damaged(self, time: Fraction, count: int, cause: Exception | None) -> None:
        if not self._damaged_ok:
            raise DamagedError(f"{self._name} is damaged at {float(time):.3f} s, after {count} frames") from cause
        note = f"{self._name} is damaged at {float(time):.3f} s: the {count} frames before it were used"
        self.notes += [] if note in self.notes else [note]

    def _independent(self, index: int) -> bool:
        """Whether a frame can be drawn without those before it."""
        part, before = self._file.parts[index], self._file.parts[index - 1]
        if not index or (before.disposal == "clear" and self._file.covers(before)):
            return True
        return self._file.covers(part) and part.disposal != "restore" and not (part.over and part.clear)

    def _decoded(self, file: BinaryIO, part: _Part) -> Tensor:
        """The stored picture [4,h,w], with its alpha."""
        chunks, png = [_read(file, start, length) for start, length in part.data], self._file.kind == "apng"
        data = _still_png(self._file.head, part, chunks) if png else _still_webp(part, chunks[0])
        decoder = cast(VideoCodecContext, av.CodecContext.create("png" if png else "webp", "r"))
        pictures = decoder.decode(av.Packet(data))
        if [(one.width, one.height) for one in pictures] != [(part.width, part.height)] or pictures[0].is_corrupt:
            raise ValueError("a picture of another size than stated, or none")
        # Grey PNG is of full range. WebP is BT.601 of limited range at any size (RFC 9649), with chroma between the columns.
        rgb, alpha = yuv.decode(pictures[0], Colour(matrix=5, full=png), centred=True, device=self._device)
        alpha = torch.ones_like(rgb[:1]) if alpha is None or not part.clear else alpha
        return torch.cat((rgb.clamp_(0, 1), alpha))


def is_animation(source: Source) -> bool:
    """Whether a file is an animated WebP or APNG, by its content; False if it cannot be read."""
    try:
        with _bytes_of(source) as file:
            return _kind(file) is not None
    except (OSError, InputError):
        return False


def _kind(file: BinaryIO) -> Literal["webp", "apng"] | None:
    head = _some(file, 0, 21)
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) == 21 and head[20] & 2:
        return "webp"
    if head[:8] == PNG:
        for name, _, _ in _png_chunks(file):
            if name in (b"acTL", b"IDAT"):
                return "apng" if name == b"acTL" else None
    return None


@contextmanager
def _bytes_of(source: Source) -> Iterator[BinaryIO]:
    if isinstance(source, BytesIO):
        yield BytesIO(source.getvalue())
        return
    if not Path(source).is_file():
        raise InputError(f"{source} is not a file" if Path(source).exists() else f"{source} does not exist")
    with Path(source).open("rb") as file:
        yield file


def _some(file: BinaryIO, start: int, length: int) -> bytes:
    """At most ``length`` bytes from ``start`` on."""
    file.seek(start)
    return file.read(length)


def _read(file: BinaryIO, start: int, length: int) -> bytes:
    """Exactly ``length`` bytes from ``start`` on. Raises `ValueError` if there are fewer."""
    data = _some(file, start, length)
    if len(data) < length:
        raise ValueError("the file ends too early")
    return data


def _size(file: BinaryIO) -> int:
    return file.seek(0, 2)


def _on(base: Tensor, picture: Tensor, part: _Part) -> Tensor:
    """The canvas [4,H,W] with a picture drawn on it; ``base`` is unchanged."""
    canvas = base.clone()
    place = _place(canvas, part)
    if not part.over or not part.clear:
        place.copy_(picture)
        return canvas
    above, below = picture[3:], place[3:]
    alpha = above + below * (1 - above)
    mixed = (picture[:3] * above + place[:3] * below * (1 - above)) / alpha.clamp(min=1e-12)
    place[:3] = torch.where(above > 0, mixed, place[:3])  # also without rounding where nothing is drawn
    place[3:] = torch.where(above > 0, alpha, below)
    return canvas


def _place(canvas: Tensor, part: _Part) -> Tensor:
    """The place of a picture on a canvas, as a view."""
    return canvas[:, part.top : part.top + part.height, part.left : part.left + part.width]


def _checked(found: _File, part: _Part) -> None:
    """Add a picture. Raises `ValueError` if it leaves the canvas, `InputError` if there are too many."""
    if part.left + part.width > found.width or part.top + part.height > found.height or not part.width * part.height:
        raise ValueError("a picture outside of the canvas")
    if len(found.parts) == MOST:
        raise InputError(f"the animation has more than {MOST} pictures: that is the most")
    found.parts.append(part)


# WebP: RIFF chunks of a name, a size and that many bytes, padded to an even number.


def _riff_chunks(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The name, start and length of each chunk between two offsets; a chunk may end after ``end`` if the file is cut."""
    while start + 8 <= end:
        name, length = struct.unpack("<4sI", _read(file, start, 8))
        yield name, start + 8, length
        start += 8 + length + length % 2


def _webp(file: BinaryIO) -> _File:
    size = _size(file)
    end = 8 + struct.unpack("<I", _read(file, 4, 4))[0]
    wide, high = (1 + int.from_bytes(_read(file, start, 3), "little") for start in (24, 27))
    found = _File("webp", wide, high, whole=end <= size + 1)  # a last byte of padding may lack
    for name, start, length in _riff_chunks(file, 12, min(end, size)):
        if start + length > size:
            found.whole = False
        elif name == b"ANIM":
            (found.loops,) = struct.unpack("<H", _read(file, start + 4, 2))
        elif name == b"ANMF":
            _checked(found, _webp_part(file, start, length))
        elif name == b"EXIF":
            data = _read(file, start, length).removeprefix(b"Exif\0\0")
            found.turn = orientation.of_photograph(data)
            found.besides.append("EXIF data" if b"workflow:" not in data else "a ComfyUI workflow")
        elif name in (b"XMP ", b"ICCP"):
            found.besides.append("XMP data" if name == b"XMP " else "a colour profile")
    return found


def _webp_part(file: BinaryIO, start: int, length: int) -> _Part:
    head = _read(file, start, 16)
    left, top, wide, high, lasts = (int.from_bytes(head[at : at + 3], "little") for at in range(0, 15, 3))
    clear = False
    for name, at, _ in _riff_chunks(file, start + 16, start + length):
        # The bit after both sizes of a VP8L picture, of 14 bits each and after one byte, states its alpha.
        clear = clear or name == b"ALPH" or (name == b"VP8L" and bool(_read(file, at, 5)[4] & 0x10))
    place = (2 * left, 2 * top, wide + 1, high + 1)
    disposal: Disposal = "clear" if head[15] & 1 else "keep"
    return _Part(*place, Fraction(lasts, 1000), disposal, not head[15] & 2, clear, ((start + 16, length - 16),))


def _still_webp(part: _Part, chunks: bytes) -> bytes:
    size = struct.pack("<I", part.width - 1)[:3] + struct.pack("<I", part.height - 1)[:3]
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([0x10 if part.clear else 0, 0, 0, 0]) + size
    body = b"WEBP" + extended + chunks
    return b"RIFF" + struct.pack("<I", len(body)) + body


# PNG: chunks of a size, a name, that many bytes and a checksum.


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """The name, start and length of each chunk; a last one may end after the file if that is cut."""
    start = len(PNG)
    while len(head := _some(file, start, 8)) == 8:
        length, name = struct.unpack(">I4s", head)
        yield name, start + 8, length
        start += 12 + length


def _apng(file: BinaryIO) -> _File:
    size = _size(file)
    wide, high, depth, kind = struct.unpack(">IIBB", _read(file, 16, 10))
    found = _File("apng", wide, high, depth=16 if depth == 16 else 8, whole=False)
    clear = kind in (4, 6)
    control: bytes | None = None
    data: list[tuple[int, int]] = []
    stated = number = 0

    def add() -> None:
        if control is None or not data:
            return
        across, down, left, top, delay, per, disposal, blend = struct.unpack(">IIIIHHBB", control)
        kept: Disposal = ("keep", "clear", "restore")[disposal]
        kept = "clear" if kept == "restore" and not found.parts else kept  # there is nothing to restore yet
        lasts = Fraction(delay, per or 100)
        _checked(found, _Part(left, top, across, down, lasts, kept, blend == 1, clear, tuple(data)))

    for name, start, length in _png_chunks(file):
        if start + length + 4 > size:
            return found
        if name == b"acTL":
            stated, found.loops = struct.unpack(">II", _read(file, start, 8))
        elif name in (b"PLTE", b"tRNS", b"IHDR"):
            found.head += _read(file, start - 8, length + 12)
            clear = clear or name == b"tRNS"
        elif name in (b"fcTL", b"fdAT"):
            if int.from_bytes(_read(file, start, 4), "big") != number:
                return found  # a picture is missing
            number += 1
            if name == b"fcTL":
                add()
                control, data = _read(file, start + 4, 22), []
            else:
                data.append((start - 8, length + 12))
        elif name == b"IDAT" and control is not None:  # else it is the picture of programs that know no APNG
            data.append((start - 8, length + 12))
        elif name == b"eXIf":
            found.turn = orientation.of_photograph(_read(file, start, length))
            found.besides.append("EXIF data")
        elif name in (b"tEXt", b"zTXt", b"iTXt", b"comf", b"iCCP"):
            workflow = _some(file, start, min(length, 9)) == b"workflow\0"
            besides = "a colour profile" if name == b"iCCP" else "a ComfyUI workflow" if workflow else "text"
            found.besides += [] if besides in found.besides else [besides]
        elif name == b"IEND":
            add()
            found.whole = len(found.parts) >= stated
            return found
    return found


def _still_png(head: bytes, part: _Part, chunks: list[bytes]) -> bytes:
    for chunk in chunks:
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise ValueError("a checksum is wrong")
    resized = _chunk(b"IHDR", struct.pack(">II", part.width, part.height) + head[16:21])
    data = b"".join(chunk[8:-4] if chunk[4:8] == b"IDAT" else chunk[12:-4] for chunk in chunks)
    return PNG + resized + head[25:] + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
