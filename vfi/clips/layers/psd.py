"""Photoshop files, read by psd-tools, the extra ``psd``: RGB or greyscale of 8 or 16 bits.

Owns what of them is taken. Knows nothing of other layered formats.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ...core import Frame, InputError
from ...parse import shown
from ..clip import Info
from .layer import Layer, Layered, changed, check_canvas, laid

MODES = {0: "a bitmap", 1: "greyscale", 2: "indexed colour", 3: "RGB", 4: "CMYK", 7: "multichannel", 8: "duotone", 9: "Lab"}
READ = (1, 3)
DEPTHS = (8, 16)
HEADER = struct.Struct(">4sH6xHIIHH")
FAULTS = (
    *(AssertionError, AttributeError, EOFError, IndexError, KeyError, OSError, OverflowError, TypeError, ValueError),
    *(struct.error, NotImplementedError),
)
"""What psd-tools raises for a damaged file."""


def read_psd(path: Path) -> Layered:
    """The layers of a file, decoded when they are asked for. Raises `InputError`, also if psd-tools is missing."""
    try:
        with path.open("rb") as file:
            head = file.read(HEADER.size)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if len(head) < HEADER.size or not head.startswith(b"8BPS"):
        raise InputError(f"{path} is no Photoshop file: such a file begins with 8BPS")
    _, _, _, height, width, depth, mode = HEADER.unpack(head)
    if mode not in READ:
        raise InputError(f"{path} is {MODES.get(mode, f'of colour mode {mode}')}: convert it to RGB or greyscale")
    if depth not in DEPTHS:
        raise InputError(f"{path} has {depth} bits per channel: convert it to 8 or 16")
    check_canvas(path, width, height)
    try:
        from psd_tools import PSDImage
    except ImportError as error:
        raise InputError(
            f"{path} needs psd-tools, the extra 'psd', to be read ({error}): install it, or save as .ora"
        ) from error
    try:
        notes: list[str] = []
        with _quiet():
            layers = list(_layers(path, PSDImage.open(path), "", (width, height), depth, notes))
    except FAULTS as error:
        raise InputError(f"{path} is damaged, or of a kind that psd-tools cannot read: {error!r}") from error
    return Layered(width, height, layers, notes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Within, psd-tools does not log what it finds damaged: an error tells."""
    log = logging.getLogger("psd_tools")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _layers(
    path: Path, around: Iterable[Any], group: str, size: tuple[int, int], depth: int, notes: list[str]
) -> Iterator[Layer]:
    """The layers of a group of psd-tools, which lists them from the bottom up."""
    for one in reversed(list(around)):
        name = one.name.strip()
        if one.is_group():
            notes += changed("group", name or "without a name", _changes(one))
            yield from _layers(path, one, name or group, size, depth, notes)
            continue
        layer = Layer(group, name, partial(_read, path, one, size, depth))
        if not one.has_pixels() and one.kind != "pixel":
            notes.append(f"layer {shown(layer.place)} is of the kind {one.kind}: it has no pixels and is left out")
            continue
        notes += changed("layer", layer.place, _changes(one))
        yield layer


def _changes(one: Any) -> dict[str, bool]:
    """What changes a layer or group of psd-tools on the canvas. Some programs write its opacity as that of its fill."""
    return {
        "an opacity": min(one.opacity, getattr(one, "fill_opacity", 255)) < 255,
        "a blend mode": getattr(one.blend_mode, "name", "NORMAL") not in ("NORMAL", "PASS_THROUGH"),
        "a mask": one.has_mask() and not one.mask.disabled,
        "a clipping mask": bool(getattr(one, "clipping", False)),
    }


def _read(path: Path, layer: Any, size: tuple[int, int], depth: int) -> tuple[Frame, Info]:
    try:
        with _quiet():
            colour, alpha = (layer.numpy(part) for part in ("color", "shape"))
    except FAULTS as error:
        raise InputError(f"layer {shown(layer.name)} of {path} is damaged: {error!r}") from error
    if colour is None or not colour.size:
        empty = torch.zeros(4, size[1], size[0])
        return Frame(empty[:3], Fraction(0), alpha=empty[3:]), Info(*size, depth=depth, alpha=True)
    rgb = torch.from_numpy(colour.copy()).permute(2, 0, 1)[:3]
    rgb = rgb.expand(3, -1, -1) if rgb.shape[0] == 1 else rgb
    cover = None if alpha is None else torch.from_numpy(alpha.copy()).permute(2, 0, 1)[:1]
    info = Info(rgb.shape[2], rgb.shape[1], depth=depth, alpha=cover is not None)
    x, y = layer.offset
    return laid(Frame(rgb, Fraction(0), alpha=cover), info, x, y, size)
