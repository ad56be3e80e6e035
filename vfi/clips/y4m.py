"""YUV4MPEG2 (.y4m), the uncompressed format that programs pipe into each other: read and written sample by sample.

A text header (size, rate, interlacing, pixel aspect, chroma, range), then each frame after a line of its own. Owns the header
and the bytes; `yuv` owns the arithmetic of colour. The format has one frame rate, no sound, no alpha and no colour tags but the
range. Written after y4m(5) of mjpegtools and after what FFmpeg reads and writes: ``C420p10``, ``Cmono12``, ``XCOLORRANGE``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import BinaryIO, Protocol

import av
import numpy as np
import torch

from ..core import Frame, InputError
from ..parse import quoted
from ..pixels.transfer import Change, named
from ..pixels.uint8 import floats
from ..timing.grids import FASTEST
from . import yuv
from .clip import (
    DEFAULT_ENCODING,
    Colour,
    DamagedError,
    Encoding,
    Info,
    Source,
    Staged,
    Writer,
    from_shown_at,
    name_of,
    transfer_of,
)
from .standard import Closed, Incoming, Outgoing, is_standard, outgoing

MAGIC = b"YUV4MPEG2 "
FRAME = b"FRAME\n"

LONGEST = 4096
"""Bytes of the longest line of a header; real ones have about a hundred."""

MOST_PIXELS = 2**28
"""As FFmpeg allows."""

DEPTHS = (8, 9, 10, 12, 14, 16)
CHROMA = {"420": "yuv420p", "422": "yuv422p", "444": "yuv444p", "411": "yuv411p", "mono": "gray"}
SITED = {"jpeg": "centre", "mpeg2": "left", "paldv": "top-left"}
"""Where chroma samples lie, by the end of ``C420...``; ``C420`` alone is ``C420jpeg``, and deep samples lie as in MPEG-2."""

BEFORE = {"420jpeg": "420jpeg", "420mpeg2": "420mpeg2", "420paldv": "420paldv"}
"""``XYSCSS`` of old files, as ``C``."""

ORDERS = {"t": "top", "b": "bottom", "m": "", "?": "", "p": ""}

NAMES = {
    "matrix": {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc"},
    "primaries": {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020", 11: "smpte431", 12: "smpte432"},
    "transfer": {
        1: "bt709",
        6: "smpte170m",
        8: "linear",
        13: "iec61966-2-1",
        14: "bt2020-10",
        16: "smpte2084",
        18: "arib-std-b67",
    },
}
"""Colour tags by the codes of ITU-T H.273, as FFmpeg names them."""


@dataclass(frozen=True)
class Header:
    """The first line of a stream. ``rate`` is None if it states none (``F0:0``); ``siting`` is as `Info.siting`.

    ``chroma`` is 420, 422, 444, 411 or mono, of ``depth`` bits per sample, with ``alpha`` in 444alpha. ``interlaced``:
    ``order`` is the field shown first, top or bottom, or "" if unknown. ``full``: None if no range is stated.
    """

    width: int
    height: int
    rate: Fraction | None
    chroma: str = "420"
    depth: int = 8
    siting: str = "centre"
    alpha: bool = False
    interlaced: bool = False
    order: str = ""
    aspect: Fraction = Fraction(1)
    full: bool | None = None

    @classmethod
    def parse(cls, line: bytes, name: str) -> Header:
        """The header in a line without its end. Raises `InputError`, which calls the clip ``name``."""
        words = line[len(MAGIC) :].decode("ascii", "replace").split()
        found = {word[0]: word[1:] for word in words if word[0] != "X"}
        extra = dict(word[1:].partition("=")[::2] for word in words if word[0] == "X")
        width, height = (_number(found.get(key, ""), key, name) for key in "WH")
        if not 0 < width * height <= MOST_PIXELS:
            raise InputError(f"{name} states frames of {width}x{height}: from 1 to 2^28 pixels are possible")
        old = extra.get("YSCSS", "").lower()
        chroma, depth, siting, alpha = _chroma(found.get("C") or BEFORE.get(old, old) or "420", name)
        fields = found.get("I", "p")
        if fields not in ORDERS:
            raise InputError(f"{name} states the interlacing {quoted(fields)}: p, t, b, m and ? are known")
        aspect = _ratio(found.get("A", "0:0"), "A", name)
        rate = _ratio(found.get("F", "0:0"), "F", name)
        if rate is not None and not Fraction(1, FASTEST) <= rate <= FASTEST:
            raise InputError(f"{name} states {float(rate):g} frames per second: from 1/{FASTEST} to {FASTEST} are possible")
        full = {"FULL": True, "LIMITED": False}.get(extra.get("COLORRANGE", "").upper())
        return cls(
            width, height, rate, chroma, depth, siting, alpha, fields in "tbm", ORDERS[fields], aspect or Fraction(1), full
        )

    def line(self) -> bytes:
        """The line, with its end."""
        deep = "" if self.depth == 8 else f"p{self.depth}"
        if self.chroma == "420" and not deep:
            chroma = "420" + next(word for word, siting in SITED.items() if siting == self.siting)
        elif self.chroma == "mono":
            chroma = f"mono{deep[1:]}"
        else:
            chroma = f"{self.chroma}{deep}"
        assert self.rate is not None
        fields = {"top": "t", "bottom": "b"}.get(self.order, "?") if self.interlaced else "p"
        words = [
            f"W{self.width}",
            f"H{self.height}",
            f"F{self.rate.numerator}:{self.rate.denominator}",
            f"I{fields}",
            f"A{self.aspect.numerator}:{self.aspect.denominator}",
            f"C{chroma}",
        ]
        words += [] if self.chroma == "mono" else [f"XYSCSS={chroma.upper()}"]
        words += [] if self.full is None else [f"XCOLORRANGE={'FULL' if self.full else 'LIMITED'}"]
        return MAGIC + " ".join(words).encode("ascii") + b"\n"

    @property
    def layout(self) -> av.VideoFormat:
        """The pixel format of a frame."""
        base = "yuva444p" if self.alpha else CHROMA[self.chroma]
        deep = f"{self.depth}le" if self.depth > 8 else ""
        return av.VideoFormat(base + deep)

    @property
    def size(self) -> int:
        """Bytes of a frame, without its line."""
        layout = self.layout
        across, down = (1, 1) if self.chroma == "mono" else yuv.subsampling(layout)
        chroma = -(-self.width // across) * -(-self.height // down)
        planes = len(layout.components)
        samples = self.width * self.height * (1 if planes == 1 else planes - 2) + (0 if planes == 1 else 2 * chroma)
        return samples * (1 if self.depth == 8 else 2)

    def info(self, rate: Fraction, frames: int | None, path: Path | None) -> Info:
        """The description of the clip."""
        return Info(
            width=self.width,
            height=self.height,
            path=path,
            rate=rate,
            frames=frames,
            duration=None if frames is None else frames / rate,
            depth=self.depth,
            chroma="grey" if self.chroma == "mono" else yuv.chroma_of(self.layout),
            alpha=self.alpha,
            colour=Colour(full=self.full),
            sample_aspect_ratio=self.aspect,
            interlaced=self.interlaced,
            codec="rawvideo",
            time_base=1 / rate,
            start=Fraction(0),
            siting=self.siting,
            field_order=self.order,
        )


def _number(text: str, key: str, name: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise InputError(f"{name} is a y4m stream whose header states {key}{text[:20]}: a whole number is needed")
    return int(text)


def _ratio(text: str, key: str, name: str) -> Fraction | None:
    """A ratio such as ``24:1``; None if a side is 0, which means unknown."""
    one, colon, other = text.partition(":")
    above, below = _number(one, key, name), _number(other if colon else "", key, name)
    return Fraction(above, below) if above and below else None


def _chroma(word: str, name: str) -> tuple[str, int, str, bool]:
    """Chroma, depth, siting and whether there is alpha, by the word after ``C``."""
    word = word.lower()
    mono = re.fullmatch(r"mono(9|10|12|14|16)?", word)
    if mono:
        return "mono", int(mono[1] or 8), "left", False
    if word == "444alpha":
        return "444", 8, "left", True
    if word.startswith("420") and (word[3:] or "jpeg") in SITED:
        return "420", 8, SITED[word[3:] or "jpeg"], False
    plain = re.fullmatch(r"(420|422|444|411)(?:p(9|10|12|14|16))?", word)
    if plain is None or (plain[1] == "411" and plain[2]):
        raise InputError(
            f"{name} has the y4m chroma {quoted(word)}: 420, 422, 444, 411 and mono, of 8 to 16 bits, are supported"
        )
    return plain[1], int(plain[2] or 8), "left", False


class _Bytes(Protocol):
    def whole(self, size: int) -> bytes: ...


@dataclass
class _File:
    """A file as `Incoming` reads."""

    file: BinaryIO

    def whole(self, size: int) -> bytes:
        """The next ``size`` bytes; fewer only at the end."""
        return self.file.read(size)


def is_y4m(source: Source) -> bool:
    """Whether a file begins as a y4m stream does."""
    if isinstance(source, BytesIO):
        return source.getvalue()[: len(MAGIC)] == MAGIC
    path = Path(source)
    if not path.is_file():
        return False
    with suppress(OSError), path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC
    return False


def read_header(stream: _Bytes, name: str) -> tuple[Header, int]:
    """The header of a stream, and its bytes. Raises `InputError`."""
    line = stream.whole(len(MAGIC))
    if line != MAGIC:
        raise InputError(f"{name} is not a y4m stream: it must begin with YUV4MPEG2")
    line += _rest_of_line(stream)
    if not line.endswith(b"\n"):
        raise InputError(f"{name} is a y4m stream whose header has no end: it is damaged or truncated")
    return Header.parse(line[:-1], name), len(line)


def _rest_of_line(stream: _Bytes) -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < LONGEST and (more := stream.whole(1)):
        line += more
    return line


def read_frame(stream: _Bytes, header: Header) -> bytes | None:
    """The samples of the next frame; None at the end of the stream. Raises `DamagedError` if it is no whole frame."""
    line = stream.whole(len(FRAME))
    if not line:
        return None
    if line != FRAME:
        line += b"" if line.endswith(b"\n") else _rest_of_line(stream)  # a line of one frame may have words of its own
        if not line.startswith(FRAME[:-1]) or not line.endswith(b"\n"):
            raise DamagedError("no frame follows")
    samples = stream.whole(header.size)
    if len(samples) < header.size:
        raise DamagedError("the frame is not whole")
    return samples


def picture_of(samples: bytes | memoryview, header: Header) -> av.VideoFrame:
    """A frame's samples as a picture."""
    picture = av.VideoFrame(header.width, header.height, header.layout.name)
    at, samples = 0, memoryview(samples)
    for plane in yuv.planes_of(picture):
        end = at + plane.nbytes
        plane[:] = np.frombuffer(samples[at:end], plane.dtype).reshape(plane.shape)
        at = end
    return picture


def samples_of(picture: av.VideoFrame) -> bytes:
    """The samples of a picture, as a frame has them."""
    return b"".join(plane.tobytes() for plane in yuv.planes_of(picture))


def frame_of(samples: bytes, header: Header, index: int, rate: Fraction, device: torch.device | str) -> Frame:
    """Frame ``index`` of a clip."""
    siting = {"centred": header.siting == "centre", "level": header.siting == "top-left"}
    colour = Colour(full=header.full)
    rgb, alpha = yuv.decode(picture_of(samples, header), colour, device=device, **siting)  # type: ignore[arg-type]
    return Frame(rgb, index / rate, 1 / rate, alpha)


def rate_of(header: Header, rate: Fraction | None, name: str) -> Fraction:
    """The frame rate of a stream: the one that is given, else its own. Raises `InputError` if it states none."""
    if rate is not None:
        return rate
    if header.rate is None:
        raise InputError(f"{name} states no frame rate (F0:0): give it with --in-fps, or as rate")
    return header.rate


def notes_on(header: Header, rate: Fraction) -> list[str]:
    """What the viewer should know of a stream that is read at ``rate`` frames per second."""
    notes = []
    if header.interlaced:
        notes.append("the clip is interlaced: the two fields of a frame are treated as one picture")
    if header.rate is not None and header.rate != rate:
        notes.append(f"the y4m header states {header.rate} frames per second: {rate} was given and replaces it")
    return notes


class Y4mReader:
    """The frames of a y4m file, or of one in memory, with exact times; see `clip.Seeks`.

    ``rate`` replaces what the file states. Raises `InputError`, and `DamagedError` at a frame that is not whole; with
    ``damaged_ok`` the clip ends before it, and a note tells.
    """

    def __init__(
        self, source: Source, *, rate: Fraction | None = None, damaged_ok: bool = False, device: torch.device | str = "cpu"
    ) -> None:
        self.source, self._name = source, name_of(source)
        self._damaged_ok, self._device = damaged_ok, device
        with self._opened() as file:
            self._header, self._begin = read_header(_File(file), self._name)
            size = file.seek(0, os.SEEK_END)
        self._rate = rate_of(self._header, rate, self._name)
        self._step = len(FRAME) + self._header.size
        self._count, rest = divmod(size - self._begin, self._step)
        self._plain = not rest  # no line of a frame has words of its own
        if not self._count:
            raise InputError(f"{self._name} has no picture that can be decoded: it is damaged or truncated")
        path = None if isinstance(source, BytesIO) else Path(source)
        self.info = self._header.info(self._rate, self._count, path)
        self.notes: list[str] = notes_on(self._header, self._rate)

    def __iter__(self) -> Iterator[Frame]:
        return self._from(0)

    def since(self, time: Fraction, before: int = 0) -> Iterator[Frame]:
        """As `clip.Seeks.since`."""
        if not self._plain:
            return from_shown_at(self, time, before, lambda frame: frame.time + frame.duration)
        return self._from(max(min(int(time * self._rate), self._count - 1) - before, 0))

    def _from(self, first: int) -> Iterator[Frame]:
        with self._opened() as file:
            file.seek(self._begin + first * self._step)
            for index in count(first):
                try:
                    samples = read_frame(_File(file), self._header)
                except DamagedError as error:
                    self._damaged(index, error)
                    return
                if samples is None:
                    return
                yield frame_of(samples, self._header, index, self._rate, self._device)

    def _damaged(self, index: int, error: DamagedError) -> None:
        where = f"{self._name} is damaged at {float(index / self._rate):.3f} s, after {index} frames"
        if not self._damaged_ok:
            raise DamagedError(where) from error
        note = f"{where}: the frames before were used"
        self.notes += [] if note in self.notes else [note]

    def _opened(self) -> BinaryIO:
        try:
            return BytesIO(self.source.getvalue()) if isinstance(self.source, BytesIO) else Path(self.source).open("rb")
        except OSError as error:
            raise InputError(f"{self._name} cannot be read: {error.strerror}") from error


@dataclass
class Piped:
    """The frames of a y4m stream that arrives, each as soon as it is whole; to be iterated once.

    If the stream breaks off, the frames end, and ``broken`` says so in a sentence.
    """

    stream: Incoming
    rate: Fraction | None = None
    device: torch.device | str = "cpu"
    broken: str | None = None
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        name = name_of("-")
        self._header, _ = read_header(self.stream, name)
        self._rate = rate_of(self._header, self.rate, name)
        self.info = self._header.info(self._rate, None, None)
        self.notes += notes_on(self._header, self._rate)

    def __iter__(self) -> Iterator[Frame]:
        for index in count():
            try:
                samples = read_frame(self.stream, self._header)
            except DamagedError as error:
                if not index:
                    raise InputError("standard input breaks off within its first frame: a clip needs at least one") from error
                if not self.stream.stopped:
                    self.broken = f"standard input breaks off at {float(index / self._rate):.3f} s, after {index} whole frames"
                return
            if samples is None:
                if not index and not self.stream.stopped:
                    raise InputError("standard input has no picture that can be decoded: only a header of y4m came")
                return
            yield frame_of(samples, self._header, index, self._rate, self.device)


class Y4mWriter(Writer):
    """Writes frames as y4m, to a file that gets its name when it is whole, or to standard output at once if ``path`` is -.

    ``info`` describes the clip: size, rate, depth, chroma, siting, range, interlacing, pixel aspect; they are kept. RGB becomes
    4:2:0. Raises `InputError` if there is no frame rate, or at a frame that is half a frame interval or more off it.
    """

    def __init__(self, path: str | os.PathLike[str], info: Info, *, encoding: Encoding = DEFAULT_ENCODING) -> None:
        name = "standard output" if is_standard(str(path)) else os.fspath(path)
        self._name = name
        if encoding.codec is not None or encoding.crf is not None:
            given = f"the codec {encoding.codec}" if encoding.codec is not None else f"crf {encoding.crf}"
            raise InputError(f"{given} was given for {name}: y4m is uncompressed and takes neither codec nor crf")
        if info.rate is None:
            raise InputError(f"{name} needs one frame rate, and the clip states none: give it with --fps")
        if max(info.rate.numerator, info.rate.denominator) >= 2**31:
            raise InputError(f"{name} cannot state the frame rate {info.rate}: give one of smaller numbers with --fps")
        wanted = encoding.depth or info.depth
        depth = min(DEPTHS, key=lambda depth: (depth < wanted, abs(depth - wanted)))
        chroma = {"rgb": "420", "grey": "mono"}.get(info.chroma, info.chroma)
        rgb = info.chroma == "rgb" or info.colour.matrix == 0
        self._colour = Colour(full=False) if rgb else info.colour  # players guess the matrix by the size, as `yuv` does
        self.header = Header(
            info.width,
            info.height,
            info.rate,
            chroma,
            depth,
            info.siting if (chroma, depth) == ("420", 8) else "left",
            interlaced=info.interlaced,
            order=info.field_order,
            aspect=info.sample_aspect_ratio,
            full=self._colour.full,
        )
        self._siting = {"centred": self.header.siting == "centre", "level": self.header.siting == "top-left"}
        self._change: Change | None = None
        self.notes = list(_losses(info, self._colour, depth, wanted))
        if info.floats and transfer_of(info).name == "linear":
            self._change = named("bt1886").code
            self.notes.append("light above 1 is clipped in y4m: .exr images keep it")
        self._first: Fraction | None = None
        self._count, self._off = 0, Fraction(0)
        self._staged: Staged | None = None
        self._file: BinaryIO | Outgoing
        if is_standard(str(path)):
            self._file = outgoing()
        else:
            path = Path(path)
            if info.path is not None and path.exists() and path.samefile(info.path):
                raise InputError(f"{path} is an input: give the output another name")
            self._staged = Staged(path)
            self._file = self._staged.path.open("wb")
        try:
            self._put(self.header.line())
        except BaseException:
            self.discard()
            raise

    def write(self, frame: Frame) -> None:
        self._keep_time(frame)
        rgb = frame.rgb if self._change is None else self._change(floats(frame.rgb))
        picture = yuv.encode(rgb, None, self.header.layout, self._colour, **self._siting)
        self._put(FRAME + samples_of(picture))
        self._count += 1

    def _keep_time(self, frame: Frame) -> None:
        """Check that a frame is shown where the frame rate puts it."""
        assert self.header.rate is not None
        self._first = frame.time if self._first is None else self._first
        off = abs(frame.time - self._first - self._count / self.header.rate)
        if off >= 1 / (2 * self.header.rate):
            raise InputError(
                f"the frame at {float(frame.time):.3f} s is off the rate of {float(self.header.rate):g} frames per second, and "
                "y4m has one rate: give it with --fps"
            )
        self._off = max(self._off, off)

    def _put(self, content: bytes) -> None:
        try:
            self._file.write(content)
        except OSError as error:
            raise InputError(f"{self._name} cannot be written: {error.strerror}") from error

    def _end(self) -> None:
        if self._off:
            moved = float(self._off * 1000)
            self.notes.append(f"y4m has one frame rate: frames moved by up to {moved:.3g} ms, --fps resamples them exactly")
        try:
            self._file.close()
        except OSError as error:
            raise InputError(f"{self._name} cannot be written: {error.strerror}") from error

    def commit(self) -> Path:
        if not self._count:
            self.discard()
            raise InputError(f"{self._name} was not written: there were no frames")
        try:
            self._end()
        except BaseException:
            self.discard()
            raise
        return Path(self._name) if self._staged is None else self._staged.commit()

    def keep_partial(self) -> Path | None:
        if not self._count:
            self.discard()
            return None
        self._end()
        return Path(self._name) if self._staged is None else self._staged.keep()

    def discard(self) -> None:
        with suppress(OSError, InputError, Closed):  # a full disk fails again: the first error is told
            self._file.close()
        if self._staged is not None:
            self._staged.discard()


def _losses(info: Info, colour: Colour, depth: int, wanted: int) -> Iterator[str]:
    """A note on each thing of a clip that y4m does not hold."""
    if info.audio:
        yield "y4m has no sound: it is left out"
    if info.alpha:
        yield "y4m has no alpha, so transparency is dropped: prores, ffv1, vp9 and PNG images keep it"
    if depth < wanted:
        yield f"y4m is written with {depth} bits per sample, not {wanted}"
    known = yuv.COEFFICIENTS.get(colour.matrix)
    guessed = yuv.COEFFICIENTS[5 if info.height < 720 else 1]
    tags = [
        (
            "matrix",
            colour.matrix,
            known not in (None, guessed),
        ),
        ("primaries", colour.primaries, colour.primaries not in (0, 1, 2, 5, 6)),
        ("transfer", colour.transfer, colour.transfer not in (0, 1, 2, 6, 14, 15)),
    ]
    lost = [f"{kind} {NAMES[kind].get(code, code)}" for kind, code, tells in tags if tells]
    if lost:
        yield f"y4m has no colour tags: give the next program those of the clip ({', '.join(lost)})"
