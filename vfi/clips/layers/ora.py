"""OpenRaster: a zip of PNG layers and stack.xml, which says how they lie on each other.

Baseline of the OpenRaster specification 0.0.5 (freedesktop.org); offsets of layers count from the canvas, those of stacks are
not used. Knows nothing of other layered formats.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core import Frame, InputError
from ...parse import shown
from ...pixels.alpha import premultiplied, straight
from ...pixels.uint8 import floats
from ...timeline.markup import Document, Element, attribute
from ..clip import Info
from ..images import ImageEncoder, read_still
from .layer import Layer, Layered, changed, check_canvas, laid

MIMETYPE = "image/openraster"
LARGEST = 2**30
"""The most bytes of a file inside."""

THUMBNAIL = 256
"""The most pixels of a side of the thumbnail."""


def read_ora(path: Path) -> Layered:
    """The layers of a file, read when they are asked for. Raises `InputError`."""
    data = _member(path, "stack.xml")
    document = Document(data, f"stack.xml of {path}")
    root = document.root
    size = _whole(document, root, "w"), _whole(document, root, "h")
    if root.tag != "image" or min(size) < 1:
        raise InputError(f"{path} is no picture of layers: its stack.xml must begin with an image of a width and a height")
    check_canvas(path, *size)
    notes: list[str] = []
    stacks = [one for one in root.children if one.tag == "stack"]
    whole = stacks[0] if len(root.children) == len(stacks) == 1 else root  # that of all layers, whose name is no group's
    notes += changed("the stack of", "all layers", _changes(whole))
    layers = list(_layers(path, document, whole, "", size, notes))
    return Layered(*size, layers, notes)


def _layers(
    path: Path, document: Document, around: Element, group: str, size: tuple[int, int], notes: list[str]
) -> Iterator[Layer]:
    for one in around.children:
        if one.tag == "stack":
            name = one.get("name").strip()
            notes += changed("group", name or "without a name", _changes(one))
            yield from _layers(path, document, one, name or group, size, notes)
        elif one.tag == "layer":
            layer = Layer(group, one.get("name").strip(), partial(_read, path, document, one, size))
            notes += changed("layer", layer.place, _changes(one))
            yield layer


def _changes(element: Element) -> dict[str, bool]:
    """What changes a layer or group on the canvas. Programs write an opacity of 1 with any number of zeros."""
    try:
        opaque = float(element.get("opacity") or 1) == 1
    except ValueError:
        opaque = False
    return {"an opacity": not opaque, "a blend mode": element.get("composite-op", OVER) != OVER}


OVER = "svg:src-over"


def _read(path: Path, document: Document, element: Element, size: tuple[int, int]) -> tuple[Frame, Info]:
    source = element.get("src")
    if not source:
        raise InputError(f"{document.where(element)} has no src: a layer names its picture there")
    place = _whole(document, element, "x", 0), _whole(document, element, "y", 0)
    frame, info = read_still(_member(path, source), f"{source} of {path}")
    return laid(frame, info, *place, size)


def _member(path: Path, name: str) -> bytes:
    """A file of the zip. Raises `InputError`."""
    try:
        with ZipFile(path) as archive:
            if archive.getinfo(name).file_size > LARGEST:
                raise InputError(f"{name} of {path} has {archive.getinfo(name).file_size} bytes: at most {LARGEST} are read")
            return archive.read(name)
    except KeyError as error:
        raise InputError(
            f"{path} lacks {shown(name)}: an OpenRaster file holds stack.xml and all layers that it names"
        ) from error
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise InputError(f"{path} is no OpenRaster file, or damaged ({error}): it must be a zip with stack.xml") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _whole(document: Document, element: Element, name: str, default: int | None = None) -> int:
    """An attribute that is a whole number, as some programs write it with a fraction of 0. Raises `InputError`."""
    text = element.get(name) or ("" if default is None else str(default))
    try:
        number = float(text)
        if not number.is_integer() or abs(number) > 10**6:
            raise ValueError(text)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{document.where(element)} has the {name} {shown(text)}: it must be a whole number") from error
    return int(number)


@dataclass(frozen=True)
class Written:
    """A layer to write: its name, its picture in a PNG file, that picture, and whether it is visible."""

    name: str
    png: bytes
    frame: Frame
    visible: bool


def written_ora(groups: Iterable[tuple[str, Iterable[Written]]]) -> bytes:
    """An OpenRaster file of groups of layers, from the bottom up; only one layer is held decoded at a time.

    The canvas is as large as the largest layer; all lie in its upper left corner.
    """
    out = BytesIO()
    whole = torch.zeros(4, 1, 1)
    stacks: list[str] = []
    with ZipFile(out, "w", ZIP_STORED) as archive:
        archive.writestr("mimetype", MIMETYPE)
        count = 0
        for group, layers in groups:
            lines: list[str] = []
            for layer in layers:
                source = f"data/layer{count:04d}.png"
                count += 1
                archive.writestr(source, layer.png)
                whole = _over(whole, layer.frame, shown=layer.visible)
                seen = "visible" if layer.visible else "hidden"
                lines.append(f'<layer name={attribute(layer.name)} src="{source}" x="0" y="0" visibility="{seen}"/>')
            stacks.append("\n".join((f"<stack name={attribute(group)}>", *reversed(lines), "</stack>")))
        height, width = whole.shape[1:]
        tree = "\n".join(("<stack>", *reversed(stacks), "</stack>"))
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<image version="0.0.5" w="{width}" h="{height}">\n{tree}\n</image>\n'
        archive.writestr("stack.xml", text)
        archive.writestr("mergedimage.png", _png(whole))
        scale = min(1.0, THUMBNAIL / max(width, height))
        size = [max(round(side * scale), 1) for side in (height, width)]
        archive.writestr("Thumbnails/thumbnail.png", _png(F.interpolate(whole[None], size=size, mode="area")[0]))
    return out.getvalue()


def _over(whole: Tensor, frame: Frame, *, shown: bool) -> Tensor:
    """A picture over a premultiplied one [4,H,W], which grows to hold it."""
    height, width = (max(sides) for sides in zip(whole.shape[1:], frame.rgb.shape[1:], strict=True))
    whole = F.pad(whole, (0, width - whole.shape[2], 0, height - whole.shape[1]))
    if shown:
        alpha = torch.ones_like(frame.rgb[:1], dtype=torch.float32) if frame.alpha is None else floats(frame.alpha)
        part = whole[:, : alpha.shape[1], : alpha.shape[2]]
        part.copy_(torch.cat((premultiplied(frame), alpha)) + part * (1 - alpha))
    return whole


def _png(picture: Tensor) -> bytes:
    """A premultiplied picture [4,H,W] as a PNG file."""
    rgb, alpha = straight(picture[:3], picture[3:]), picture[3:].clamp(0, 1)
    info = Info(picture.shape[2], picture.shape[1], alpha=True)
    return ImageEncoder(".png", info).encoded(Frame(rgb, Fraction(0), alpha=alpha))


def as_png(data: bytes, frame: Frame, info: Info) -> bytes:
    """A picture as a PNG file: ``data``, its own file, if that is one."""
    return data if info.codec == "png" else ImageEncoder(".png", info).encoded(frame)


def layers_of(pictures: Sequence[tuple[str, Path, bool]]) -> Iterator[Written]:
    """Layers to write, from their names, files and whether they are visible. Raises `InputError`."""
    for name, path, visible in pictures:
        data = path.read_bytes()
        frame, info = read_still(data, str(path))
        yield Written(name, as_png(data, frame, info), frame, visible)
