"""Clips, whether video files or images: their description, and the interfaces that read and write them.

Owns `Info`, the options of writing and the promise of a safe output. Knows nothing of codecs or pixels.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Container, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from itertools import chain, count
from math import lcm
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Protocol, TypeAlias, TypeVar, runtime_checkable

import torch

from ..core import Frame, InputError
from ..pixels.transfer import TAGGED, UNTAGGED, Colour, Transfer, named
from .standard import is_standard

T = TypeVar("T")
Source: TypeAlias = "str | os.PathLike[str] | BytesIO"

VIDEO_ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
Y4M = ".y4m"
IMAGE_ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".exr"),
    *(".dpx", ".tga", ".ppm", ".pgm", ".pnm", ".jp2", ".j2k"),
)
DEFAULT_RATE = Fraction(24)


class DamagedError(InputError):
    """Some frames of a file cannot be read."""


@dataclass(frozen=True)
class Light:
    """What a clip states about HDR light: SMPTE ST 2086 and CTA-861.3, with the names of metadata that change per frame.

    ``display`` is that of the mastering display: x and y of red, green, blue and white, then its lowest and highest luminance.
    ``levels`` are the highest luminance of a pixel and of a frame's average (MaxCLL and MaxFALL). Luminance is in cd/m2.
    """

    display: tuple[Fraction, ...] | None = None
    levels: tuple[int, int] | None = None
    dynamic: tuple[str, ...] = ()


@dataclass(frozen=True)
class Info:
    """The description of a clip, known before its frames are read; for a writer, of the clip to write.

    ``width`` and ``height`` are those of the upright picture. ``rate`` is the average frame rate; ``frames`` and ``duration``
    (seconds) are as stated by the file. ``depth`` is 8, 9, 10, 12, 14, 16 or 32 bits per sample; ``chroma`` is rgb, grey, 444,
    422 or 420. ``floats`` means that samples are numbers of any size; others lie outside 0..1 only below black and above white.
    ``curve`` names the transfer function (see `transfer`) and overrides the tags of ``colour``. ``path`` is None for a clip in
    memory. All frame times and durations are multiples of ``time_base`` seconds, and the first frame is shown at ``start``, as
    far as these are known. ``interlaced``: frames hold two fields. ``siting`` says where chroma samples lie: left (between the
    lines, as in MPEG-2), centre (between the columns too, as in JPEG) or top-left. ``field_order`` is the field of an
    interlaced clip that is shown first, top or bottom, or "" if unknown. ``live``: frames come from a program, which may bring
    none for a while.
    """

    width: int
    height: int
    path: Path | None = None
    rate: Fraction | None = None
    frames: int | None = None
    duration: Fraction | None = None
    depth: int = 8
    chroma: str = "rgb"
    alpha: bool = False
    colour: Colour = UNTAGGED
    sample_aspect_ratio: Fraction = Fraction(1)
    interlaced: bool = False
    audio: bool = False
    codec: str = ""
    time_base: Fraction | None = None
    floats: bool = False
    curve: str | None = None
    start: Fraction | None = None
    light: Light = Light()
    siting: str = "left"
    field_order: str = ""
    live: bool = False


@dataclass(frozen=True)
class Encoding:
    """Options for writing a clip; None leaves the choice to the file's ending and to the clip.

    ``codec`` is one of `video.CODECS`; ``crf`` its quality, lower is better; ``depth`` the bits per sample. ``repeatable``: the
    same frames always give bit-identical output, even if that makes the file larger.
    """

    codec: str | None = None
    crf: int | None = None
    depth: int | None = None
    repeatable: bool = False


DEFAULT_ENCODING = Encoding()


class Reader(Protocol):
    """A clip: each iteration reads it from the start, one frame at a time.

    While frames are read, messages for the viewer are added to ``notes``, one sentence each.
    """

    info: Info
    notes: list[str]

    def __iter__(self) -> Iterator[Frame]: ...


@runtime_checkable
class Seeks(Reader, Protocol):
    """A clip that can also be read from any time within it."""

    def since(self, time: Fraction, before: int = 0) -> Iterator[Frame]:
        """The same frames at the same times, starting ``before`` frames ahead of the one shown at ``time``.

        There may be fewer than ``before``. A ``time`` after the end of the clip means its last frame.
        """
        ...


@runtime_checkable
class Costly(Reader, Protocol):
    """A clip whose frames are made while they are read, at a cost."""

    def costly(self, since: Fraction | None) -> Generator[Frame, None, None]:
        """All frames, from the start; the pictures of those before the time ``since`` are not needed, and may be another."""
        ...


@dataclass
class Edited:
    """A clip made by changing the frames of other clips; each call of ``frames`` reads them from the start."""

    info: Info
    notes: list[str]
    frames: Callable[[], Iterator[Frame]]

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()


class Trimmed:
    """The part of a clip from ``start`` to just before ``end`` seconds (None: its end), with times counted from ``start``.

    It begins with the frame that is shown at ``start``, cut to what remains of it. A clip that can seek is read from the key
    frame before ``start``, any other from its beginning.
    """

    def __init__(self, clip: Reader, start: Fraction = Fraction(0), end: Fraction | None = None) -> None:
        self.notes = clip.notes
        self._clip, self._start, self._end = clip, start, end
        info = clip.info
        if info.duration is not None:
            duration = max(min(end or info.duration, info.duration) - start, Fraction(0))
            info = replace(info, duration=duration, frames=round(duration * info.rate) if info.rate else None)
        if info.start is not None:
            info = replace(info, start=max(info.start - start, Fraction(0)))
        if info.time_base is not None:
            cut = () if end is None or (clip.info.duration is not None and end >= clip.info.duration) else (end,)
            info = replace(info, time_base=Fraction(1, lcm(*(unit.denominator for unit in (info.time_base, start, *cut)))))
        self.info = info

    def __iter__(self) -> Iterator[Frame]:
        return self._within(read_since(self._clip, self._start) if self._start else iter(self._clip))

    def since(self, time: Fraction, before: int = 0) -> Iterator[Frame]:
        """As `Seeks.since`."""
        if self._end is None or self._start + time < self._end:
            return self._within(read_since(self._clip, self._start + time, before))
        return from_shown_at(self, time, before, lambda frame: frame.time + frame.duration)

    def _within(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if self._end is not None and frame.time >= self._end:
                return
            ends = frame.time + frame.duration
            if frame.time < self._start and ends <= self._start:
                continue
            begins, ends = max(frame.time, self._start), ends if self._end is None else min(ends, self._end)
            yield replace(frame, time=begins - self._start, duration=ends - begins)


@dataclass(frozen=True)
class Done:
    """The finished part of an output: the number of frames, shown from ``start`` to ``end`` seconds."""

    frames: int = 0
    start: Fraction = Fraction(0)
    end: Fraction = Fraction(0)

    def with_frame(self, frame: Frame) -> Done:
        """The same part with one more frame."""
        return Done(self.frames + 1, self.start if self.frames else frame.time, frame.time + frame.duration)


class Writer(ABC):
    """Writes a clip, which gets its name only when it is complete.

    As a context manager it commits on success, keeps the frames written so far on Ctrl-C (in ``partial``), and leaves nothing
    behind on any other error. ``notes`` lists what the output could not keep, one sentence each. ``done`` is the part left by
    an earlier run, if the writer can resume it: write only the frames after it.
    """

    notes: list[str]
    partial: Path | None = None
    done: Done = Done()

    @abstractmethod
    def write(self, frame: Frame) -> None:
        """Add a frame; times must increase."""

    @abstractmethod
    def commit(self) -> Path:
        """Finish the clip and give it its name, replacing an existing clip of that name."""

    @abstractmethod
    def keep_partial(self) -> Path | None:
        """Finish the frames written so far under a name that marks them as partial; None if there are none."""

    @abstractmethod
    def discard(self) -> None:
        """Leave nothing behind."""

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.commit()
        elif issubclass(kind, KeyboardInterrupt):
            self.partial = self.keep_partial()
        else:
            self.discard()


def read_since(clip: Reader, time: Fraction, before: int = 0) -> Iterator[Frame]:
    """As `Seeks.since`, for any clip: one that cannot seek is read from its start.

    Frames marked as repeats come with the frame that they repeat, and ``before`` does not count them.
    """
    if isinstance(clip, Seeks):
        return clip.since(time, before)
    return from_shown_at(clip, time, before, lambda frame: frame.time + frame.duration, lambda frame: frame.repeat)


def from_shown_at(
    items: Iterable[T],
    time: Fraction,
    before: int,
    end: Callable[[T], Fraction],
    repeats: Callable[[T], bool] = lambda _: False,
) -> Iterator[T]:
    """The part of ``items`` that `Seeks.since` gives; each is shown until ``end``, and ``repeats`` tells which are repeats."""
    early: deque[list[T]] = deque(maxlen=before + 1)
    items = iter(items)
    for item in items:
        if early and repeats(item):
            early[-1].append(item)
        else:
            early.append([item])
        if end(item) > time:
            break
    yield from chain.from_iterable(early)
    yield from items


def transfer_of(info: Info) -> Transfer:
    """The transfer function of a clip: as named or tagged, else sRGB for samples stored as RGB and BT.1886 otherwise."""
    return named(info.curve or TAGGED.get(info.colour.transfer, "srgb" if info.colour.matrix == 0 else "bt1886"))


def unbound(info: Info) -> Transfer | None:
    """The transfer function of a clip that reaches above white, for `hdr.Lit`; None if models take its codes directly.

    Models expect sRGB. PQ and log have less contrast: `hdr.Lit` gains RIFE 4.25 0.4 and 0.5 dB on them, but nothing on HLG.
    """
    transfer = transfer_of(info)
    return transfer if info.floats or float(transfer.light(torch.ones(()))) > 1 + 1e-3 else None


def same_size(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The frames, unchanged. Raises `InputError` at one that differs in size from those before it."""
    size: torch.Size | None = None
    for frame in frames:
        size = size or frame.rgb.shape
        if frame.rgb.shape != size:
            raise InputError(
                f"the frame at {float(frame.time):.3f} s is {frame.rgb.shape[2]}x{frame.rgb.shape[1]}, "
                f"those before it {size[2]}x{size[1]}: all frames of a clip must have one size"
            )
        yield frame


NUMBER = re.compile(r"%(?:0(\d{1,2}))?d")
"""Where the number of an image stands in a pattern; any other percent sign is itself."""


def is_pattern(path: Path) -> bool:
    """Whether ``path`` is a pattern of numbered images such as ``shot/%05d.png``: an existing file or folder never is."""
    return NUMBER.search(path.name) is not None and path.suffix.lower() not in (*VIDEO_ENDINGS, Y4M) and not path.exists()


def is_images(path: Path) -> bool:
    """Whether ``path`` is a folder or a pattern of images, not a file."""
    return path.is_dir() or is_pattern(path)


def name_of(source: Source) -> str:
    """The name of a clip in messages."""
    if is_standard(source):
        return "standard input"
    return "the clip in memory" if isinstance(source, BytesIO) else os.fspath(source)


def aimed(path: Path) -> Path:
    """The path to write for an output: itself, or what it names if it is a symbolic link. Raises `InputError` for a circle."""
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise InputError(f"{path} is a symbolic link in a circle: give a file or a folder")
    return target


class Staged:
    """A file or folder made under a hidden name beside ``target``, and renamed to it when it is complete.

    A symbolic link is kept, and the file that it names is written. The hidden name holds the process id, so that leftovers of
    dead processes can be deleted. Raises `InputError` at once if it cannot be made, also if ``target`` is write-protected.
    """

    _making: ClassVar[set[Path]] = set()

    def __init__(self, target: Path, *, folder: bool = False) -> None:
        ending, target = target.suffix, aimed(target)
        self.target = target
        if target.exists() and target.is_dir() != folder:
            raise InputError(
                f"{target} is a {'file' if folder else 'folder'}: the output must be a {'folder' if folder else 'file'}"
            )
        if folder and target.exists() and any(target.iterdir()):
            raise InputError(f"{target} is not empty: give a new or an empty folder")
        if not folder and target.exists():
            if not target.is_file():
                raise InputError(f"{target} is a device or a pipe: the output must be a file")
            if not os.access(target, os.W_OK) or not target.stat().st_mode & 0o222:  # root may write to any
                raise InputError(f"{target} is write-protected: give another name, or allow writing to it")
        maker = f".{target.stem}.partial-{_host()}"
        _clear(target.parent, re.compile(rf"{re.escape(maker)}-(\d+)-[0-9a-f]{{8}}{re.escape(ending)}"), self._making)
        self.path = target.with_name(f"{maker}-{os.getpid()}-{secrets.token_hex(4)}{ending}")
        self._making.add(self.path)
        try:
            if folder:
                self.path.mkdir()
            else:
                self.path.touch(exist_ok=False)
        except FileNotFoundError as error:
            raise InputError(f"{target} cannot be written: there is no folder {target.parent}") from error
        except OSError as error:
            raise InputError(f"{target} cannot be written: {error.strerror}") from error

    def filled(self, data: bytes) -> Path:
        """Write ``data`` as the whole file and `commit` it. Raises `InputError`, and then leaves nothing behind."""
        with self._or_nothing():
            self.path.write_bytes(data)
        return self.commit()

    def commit(self) -> Path:
        """Give it its final name, replacing a file of that name, once it is on the disk; the name is then on the disk too."""
        with self._or_nothing():
            _flush(self.path)
            if self.target.is_dir():
                self.target.rmdir()
            made = self._renamed(self.target)
            _flush_names(made.parent)
        return made

    def keep(self) -> Path:
        """Give it an unused name that marks it as partial."""
        names = (f"{self.target.stem}.partial{number}{self.target.suffix}" for number in chain([""], count(2)))
        return self._renamed(next(path for name in names if not (path := self.target.with_name(name)).exists()))

    def discard(self) -> None:
        """Leave nothing behind, as far as possible: the error that led here is the one to tell."""
        with suppress(OSError):
            if self.path.is_dir():
                shutil.rmtree(self.path)
            else:
                self.path.unlink(missing_ok=True)
        self._making.discard(self.path)

    @contextmanager
    def _or_nothing(self) -> Iterator[None]:
        """Leave nothing behind on any error, and say what the system says."""
        try:
            yield
        except BaseException as error:  # memory may run out here too
            self.discard()
            if isinstance(error, OSError):
                raise InputError(f"{self.target} cannot be written: {error.strerror}") from error
            raise

    def _renamed(self, name: Path) -> Path:
        made = self.path.replace(name)
        self._making.discard(self.path)
        return made


def _host() -> str:
    """A short text for this machine: processes are numbered anew on each."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _clear(folder: Path, hidden: re.Pattern[str], making: Container[Path]) -> None:
    """Delete what processes that are gone have left in ``folder`` under a ``hidden`` name, which holds their number."""
    if os.name != "posix":
        return  # there is no safe way to ask for a process
    with suppress(OSError):
        for path in folder.iterdir():
            if (found := hidden.fullmatch(path.name)) and path not in making and not _runs(int(found[1])):
                own = path.lstat()
                if own.st_uid == os.geteuid() and not path.is_symlink():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _runs(process: int) -> bool:
    """Whether another process of this number runs; this one knows by itself what it makes."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return process != os.getpid()


def _flush(path: Path) -> None:
    """Wait until a file, or the files of a folder, are on the disk: else a name may reach it before the content."""
    for file in path.iterdir() if path.is_dir() else (path,):
        with file.open("rb+") as opened:
            os.fsync(opened.fileno())
    if path.is_dir():
        _flush_names(path)


def _flush_names(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, if it can be opened and its file system flushes folders."""
    if os.name != "posix":
        return
    try:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # a folder may be written to, and not read
        return
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # as of some network file systems
            raise
    finally:
        os.close(number)
