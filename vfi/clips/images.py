"""Image input and output: single pictures, and folders of numbered images as clips.

Each image is decoded as a clip of one frame by the code that reads video. That keeps depth, palette, CMYK and transparency,
and makes a damaged image an error, never half a picture. Float images hold linear light of any value; others hold codes.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from itertools import islice, pairwise
from math import ceil, lcm
from pathlib import Path
from typing import Literal, TypeAlias, cast, get_args

import av
import torch
from av.video.codeccontext import VideoCodecContext
from torch import Tensor

from ..core import Frame, InputError
from ..parse import exact
from ..pixels import transfer as light
from ..pixels.uint8 import floats
from . import exr, orientation, stills, yuv
from .animation import AnimationReader, is_animation
from .clip import (
    DEFAULT_ENCODING,
    DEFAULT_RATE,
    IMAGE_ENDINGS,
    NUMBER,
    Colour,
    Encoding,
    Info,
    Staged,
    Writer,
    is_pattern,
    transfer_of,
)
from .video.reader import decoded, describe, first_look, opened, pictures_of, video_of

RGB = Colour(matrix=0, full=True)
LINEAR = replace(RGB, transfer=8)
PATTERN, FLOAT_PATTERN = "%06d.png", "%06d.exr"
# By ending: the encoder, its pixel formats by depth and alpha, and its options.
WRITTEN = {
    ".png": (
        "png",
        {(8, False): "rgb24", (8, True): "rgba", (16, False): "rgb48be", (16, True): "rgba64be"},
        {"pred": "mixed", "compression_level": "1"},
    ),
    ".tif": (
        "tiff",
        {(8, False): "rgb24", (8, True): "rgba", (16, False): "rgb48le", (16, True): "rgba64le"},
        {"compression_algo": "deflate"},
    ),
    ".exr": (
        "exr",
        {(16, False): "gbrpf32le", (16, True): "gbrapf32le", (32, False): "gbrpf32le", (32, True): "gbrapf32le"},
        {"compression": "zip16"},
    ),
}
HALF = 65504.0  # the largest 16-bit float
FAINT = 1e-6  # EXR colours are divided by alpha only above this alpha
Gaps: TypeAlias = Literal["close", "hold"]
GAPS: tuple[Gaps, ...] = get_args(Gaps)
"""How missing numbers of a series are treated, see `ImageReader`."""


def read_image(path: str | os.PathLike[str]) -> Frame:
    """The only picture in an image file, upright, at time 0.

    Reads 8 and 16 bit, float, grey, palette, CMYK and transparency. The format is recognised by the file's content, not by its
    name. Raises `InputError` if the file is not an image, is damaged, or holds more than one picture.
    """
    return _load(Path(path))[0]


def read_described(path: str | os.PathLike[str]) -> tuple[Frame, Info]:
    """As `read_image`, with the description of the file."""
    return _load(Path(path))


def read_still(data: bytes, name: str) -> tuple[Frame, Info]:
    """As `read_described`, of a file's bytes; ``name`` is for errors."""
    return _picture(data, Path(name))


class ImageReader:
    """Images as a clip of ``rate`` frames per second: those of a folder or pattern, in natural order, or the files listed.

    Other files in a folder are ignored; a pattern is a path such as ``shot/%05d.png``. If numbers are missing in a series, the
    images around each gap follow one another; with ``gaps`` "hold", the image before a gap lasts until the next one's own time.
    ``times`` are the starts of all images, and the end, in seconds. Frames are on ``device``. Raises `InputError` if there are
    no images or a folder mixes formats, and during reading if an image is damaged or differs in size.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        rate: Fraction = DEFAULT_RATE,
        *,
        gaps: Gaps = "close",
        device: torch.device | str = "cpu",
    ) -> None:
        self.notes: list[str] = []
        self._device = device
        path = Path(source) if isinstance(source, str | os.PathLike) else None
        self._files = image_files(path) if path else [Path(file) for file in cast(Sequence[str], source)]
        data, name = self._files[0].read_bytes() if self._files[0].is_file() else b"", str(self._files[0])
        _, info = _load(self._files[0])
        self._layer = exr.chosen(data, name) if info.codec == "exr" else None
        places = _places(self._files) if path else list(range(len(self._files)))
        held = places if gaps == "hold" else range(len(self._files))
        curve = stills.logarithm(data)
        notes = (
            _gap(self._files, places, gaps),
            self._layer and exr.unread(data, self._layer),
            curve and f"the DPX images hold {curve}: frames are blended in these log codes",
        )
        self.notes += [note for note in notes if note]
        self.times = [exact(place) / rate for place in (*held, held[-1] + 1)]
        self.info = replace(
            info,
            path=path,
            rate=rate,
            frames=len(self._files),
            duration=self.times[-1],
            time_base=Fraction(1, lcm(rate.numerator, *(time.denominator for time in self.times))),
        )

    def __iter__(self) -> Iterator[Frame]:
        return self.since(Fraction(0))

    def since(self, time: Fraction, before: int = 0) -> Iterator[Frame]:
        """As `clip.Seeks.since`."""
        count = len(self._files)
        for index in range(max(min(bisect_right(self.times, time), count) - 1 - before, 0), count):
            file = self._files[index]
            frame, info = _load(file, self._device, self._layer)
            if (info.width, info.height) != (self.info.width, self.info.height):
                raise InputError(
                    f"{file} is {info.width}x{info.height}, but {self._files[0]} is {self.info.width}x{self.info.height}: "
                    "all images of a clip must have one size"
                )
            if frame.alpha is not None and not self.info.alpha:
                note = f"{file} has transparency, which is dropped, as from all images of a clip whose first one has none"
                if not any("transparency" in before for before in self.notes) and bool((frame.alpha < 1).any()):
                    self.notes.append(note)
                frame = replace(frame, alpha=None)
            start, end = self.times[index : index + 2]
            yield replace(frame, time=start, duration=end - start)


class ImageEncoder:
    """Encodes pictures, one by one, as files with the ending ``ending``, a key of `WRITTEN`.

    The depth follows ``depth`` or ``info``: 8 bits, or 16 for anything more. EXR holds linear light as 16-bit floats, or 32-bit
    for that depth: codes are converted, and colours are multiplied by alpha. In other formats linear float light becomes sRGB,
    clipped to 0..1.
    """

    def __init__(self, ending: str, info: Info, depth: int | None = None) -> None:
        curve = transfer_of(info)
        self._encoder, layouts, self._options = WRITTEN[ending]
        self.notes: list[str] = []
        wanted = depth or info.depth
        depth = min((depth for depth, _ in layouts), key=lambda depth: (depth < wanted, abs(depth - wanted)))
        self._layout = av.VideoFormat(layouts[depth, info.alpha])
        self._half = ending == ".exr" and depth == 16
        self._change: light.Change | None = None
        if ending == ".exr":
            self._options = {**self._options, "format": "half" if self._half else "float"}
            self._change = curve.light
        elif info.floats and curve.name == "linear":
            self._change = light.named("srgb").code
            self.notes.append(f"light above 1 is clipped in {ending} images: .exr keeps it")

    def encoded(self, frame: Frame) -> bytes:
        """The file of a picture."""
        rgb, alpha = frame.rgb if self._change is None else self._change(floats(frame.rgb)), frame.alpha
        if yuv.is_float(self._layout):
            rgb, alpha = floats(rgb), None if alpha is None else floats(alpha)
            rgb = rgb if alpha is None else torch.where(alpha > FAINT, rgb * alpha, rgb)
            rgb, alpha = self._rounded(rgb), None if alpha is None else self._rounded(alpha)
        picture = yuv.encode(rgb, alpha, self._layout, RGB)
        encoder = cast(VideoCodecContext, av.CodecContext.create(self._encoder, "w"))
        encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, picture.format.name
        encoder.time_base, encoder.options = Fraction(1), self._options
        return b"".join(bytes(packet) for packet in (*encoder.encode(picture), *encoder.encode(None)))

    def _rounded(self, plane: Tensor) -> Tensor:
        """A plane rounded and clamped to half floats, if the file holds those: FFmpeg truncates instead of rounding."""
        return torch.where(plane.isfinite(), plane.clamp(-HALF, HALF), plane).half() if self._half else plane


class ImageWriter(Writer):
    """Writes every frame as an image, in a folder that gets its name only when it is complete.

    ``path`` is a folder, whose images are named by `PATTERN` (`FLOAT_PATTERN` for a float clip), or a pattern such as
    ``shot/%05d.tif``; numbers start at ``first``. The images are those of `ImageEncoder`, in the depth of ``encoding``. Raises
    `InputError`, before anything is written, if the folder is not empty or cannot be made, or if ``encoding`` asks for a codec.
    """

    def __init__(
        self, path: str | os.PathLike[str], info: Info, *, encoding: Encoding = DEFAULT_ENCODING, first: int = 0
    ) -> None:
        path = Path(path)
        usual = FLOAT_PATTERN if info.floats else PATTERN
        folder, self._pattern = (path.parent, path.name) if is_pattern(path) else (path, usual)
        ending = Path(self._pattern).suffix.lower()
        if len(NUMBER.findall(self._pattern)) != 1 or ending not in WRITTEN:
            raise InputError(f"{path} is not an image pattern: use one such as %06d{' or %06d'.join(WRITTEN)}")
        if encoding.codec is not None or encoding.crf is not None:
            raise InputError(f"codec or crf was set, but {path} is written as images: only video files take them")
        self._encoder = ImageEncoder(ending, info, encoding.depth)
        self.notes = self._encoder.notes
        self._first, self._count = first, 0
        self._rate, self._time, self._uneven = info.rate, Fraction(0), False
        self._staged = Staged(folder, folder=True)

    def write(self, frame: Frame) -> None:
        if self._count > 1 and self._rate is not None and frame.time - self._time != 1 / self._rate and not self._uneven:
            self._uneven = True
            self.notes.append("images hold no times: the frames last unevenly, which is lost; --fps makes them even")
        self._time = frame.time
        data = self._encoder.encoded(frame)
        try:
            (self._staged.path / numbered(self._pattern, self._first + self._count)).write_bytes(data)
        except OSError as error:
            raise InputError(f"{self._staged.target} cannot be written: {error.strerror}") from error
        self._count += 1

    def commit(self) -> Path:
        if not self._count:
            self.discard()
            raise InputError(f"{self._staged.target} was not written: there were no frames")
        return self._staged.commit()

    def keep_partial(self) -> Path | None:
        if not self._count:
            self.discard()
            return None
        return self._staged.keep()

    def discard(self) -> None:
        self._staged.discard()


def join(folders: Iterable[Path], whole: Path) -> None:
    """Move the images of ``folders`` into ``whole``, which may already hold some of them."""
    whole.mkdir(exist_ok=True)
    for folder in folders:
        for image in folder.iterdir():
            image.replace(whole / image.name)


def numbered(pattern: str, number: int) -> str:
    """The name of image ``number`` by a pattern."""
    return NUMBER.sub(lambda place: f"{number:0{place[1] or 1}d}", pattern)


def image_files(path: Path) -> list[Path]:
    """The images of a folder or a pattern, in natural order. Raises `InputError` if there are none, or several formats."""
    folder, named = path, re.compile(".*")
    if is_pattern(path):
        if len(NUMBER.findall(path.name)) > 1:
            raise InputError(f"{path} has several numbers: a pattern has exactly one %d, such as %05d.png")
        head, tail = map(re.escape, NUMBER.split(path.name)[::2])
        folder, named = path.parent, re.compile(rf"{head}\d+{tail}")
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder" if folder.exists() else f"{folder} does not exist")
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in IMAGE_ENDINGS and named.fullmatch(file.name) and not file.name.startswith(".")
    ]
    if not files:
        raise InputError(f"{path} has no images: they must end in one of {', '.join(IMAGE_ENDINGS)}")
    files.sort(key=_natural)
    endings = sorted({file.suffix.lower() for file in files})
    if len(endings) > 1:
        series = next((_series(file) for file in files if _series(file)), None)
        advice = "leave those of one" if series is None else f"choose one by a pattern such as {folder / '%d'.join(series)}"
        raise InputError(f"{path} mixes images of {', '.join(endings)}: {advice}")
    return files


def _series(file: Path) -> tuple[str, str] | None:
    """What comes before and after the number in an image's name; None if it has none."""
    found = re.fullmatch(r"(.*?)\d+(\D*)", file.name)
    return found and (found[1], found[2])


def _places(files: Sequence[Path]) -> list[Fraction]:
    """The place of each image in its series, counted in steps from the first; a step is the least one between two numbers."""
    numbers = [exact(number) for number in range(len(files))]
    if len({_series(file) for file in files}) == 1 and (series := _series(files[0])) is not None:
        head, tail = map(len, series)
        numbers = [Fraction(int(file.name[head : len(file.name) - tail])) for file in files]
    step = min((after - before for before, after in pairwise(numbers)), default=Fraction(1))
    return [(number - numbers[0]) / step for number in numbers] if step > 0 else [exact(number) for number in range(len(files))]


def _gap(files: Sequence[Path], places: Sequence[Fraction | int], gaps: Gaps) -> str | None:
    """A note if images are missing in their series."""
    steps = [after - before for before, after in pairwise(places)]
    wide = next((index for index, step in enumerate(steps) if step > 1), None)
    if wide is None:
        return None
    lacking = sum(ceil(step) - 1 for step in steps)
    closed = "the images around each gap follow one another, --gaps hold keeps their time"
    treated = "the time of these is kept" if gaps == "hold" else closed
    lacks = f"{lacking} {'image' if lacking == 1 else 'images'} of its series"
    return f"{files[0].parent} lacks {lacks}, first after {files[wide].name}: {treated}"


def _natural(file: Path) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.name)]


def _load(path: Path, device: torch.device | str = "cpu", layer: exr.Layer | None = None) -> tuple[Frame, Info]:
    """The picture in a file; ``layer``: that of an EXR, see `exr.chosen`."""
    name = str(path)
    if not path.is_file():
        raise InputError(f"{name} is a folder, not an image" if path.exists() else f"{name} does not exist")
    data = path.read_bytes()
    if is_animation(BytesIO(data)):
        animation = AnimationReader(path, device=device)
        if animation.info.frames != 1:
            raise InputError(f"{name} is an animation of {animation.info.frames} pictures: exactly one picture is needed")
        (frame,) = animation
        info = replace(animation.info, rate=None, frames=None, duration=None, time_base=None, start=None)
        return replace(frame, duration=Fraction(0)), info
    return _picture(data, path, device, layer)


def _picture(data: bytes, path: Path, device: torch.device | str = "cpu", layer: exr.Layer | None = None) -> tuple[Frame, Info]:
    """The picture in a file's bytes."""
    picture, info = _targa(data, path) if stills.is_tga(data) else _still(data, path, layer)
    info = replace(info, path=path)
    rgb, alpha = decoded(picture, info, device)
    if alpha is not None and info.codec == "exr":
        rgb = torch.where(alpha > FAINT, rgb / alpha, rgb)
    if alpha is not None and info.codec == "targa" and not stills.states_alpha(data) and not alpha.any():
        alpha = None
    floats = yuv.is_float(picture.format)
    rgb = rgb if floats else rgb.clamp_(0, 1)  # JPEG codes colours that no screen shows
    turn = orientation.of_photograph(data)
    frame = Frame(turn(rgb), Fraction(0), alpha=None if alpha is None else turn(alpha))
    height, width = frame.rgb.shape[1:]
    info = replace(info, width=width, height=height, chroma="rgb", colour=LINEAR if floats else RGB, floats=floats)
    info = replace(info, alpha=alpha is not None, duration=None)
    return frame, info


def _targa(data: bytes, path: Path) -> tuple[av.VideoFrame, Info]:
    """The picture of a TGA file, which FFmpeg knows by its name only."""
    try:
        (picture,) = cast(VideoCodecContext, av.CodecContext.create("targa", "r")).decode(av.Packet(data))
    except (av.FFmpegError, ValueError) as error:
        raise InputError(f"{path} cannot be decoded: it is damaged, truncated or too large") from error
    _widened(picture, "targa")
    depth, alpha = yuv.depth_of(picture.format), yuv.has_alpha(picture.format)
    return picture, Info(picture.width, picture.height, depth=depth, alpha=alpha, colour=RGB, codec="targa")


def _still(data: bytes, path: Path, layer: exr.Layer | None) -> tuple[av.VideoFrame, Info]:
    """The picture of a file that FFmpeg recognises by its content."""
    name, data = str(path), stills.known(data)
    if data.startswith(exr.MAGIC):
        layer = exr.chosen(data, name, layer)
        data = exr.alone(data, layer, name)
    with opened(BytesIO(data), name) as container, first_look(name):
        stream = video_of(container, name)
        if stream.codec_context.name == "mjpeg":
            stream.codec_context.options = {"err_detect": "explode"}  # else the rest of a truncated picture is grey

        def damage(pts: int | None) -> None:
            raise InputError(f"{name} cannot be decoded: it is damaged, truncated or too large")

        if exr.is_cut(data):
            damage(None)
        if layer is not None:
            stream.codec_context.options = {"layer": layer.name}
        pictures = list(islice(pictures_of(container, stream, damage), 2))
        if len(pictures) != 1:
            raise InputError(f"{name} holds {'a video' if pictures else 'no picture'}: exactly one picture is needed")
        _widened(pictures[0], stream.codec_context.name)
        return pictures[0], describe(BytesIO(data), container, stream, pictures[0])


def _widened(picture: av.VideoFrame, codec: str) -> None:
    """State full range where an image states none: grey images have it, and JPEG 2000 (ISO 15444-1, sYCC)."""
    if not picture.color_range and (len(picture.format.components) < 3 or codec == "jpeg2000"):
        picture.color_range = 2
