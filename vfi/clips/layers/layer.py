"""A layered picture as data: its layers, each with the group around it, on the canvas of the whole.

Owns how a layer is laid on the canvas. Knows no file format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...core import Frame, InputError
from ...parse import shown
from ..clip import Info

MOST = 2**28
"""The most pixels of a canvas: 16384 x 16384."""


@dataclass(frozen=True)
class Layer:
    """A layer called ``name`` in the innermost group ``group``, or in none; ``read`` gives its picture on the whole canvas.

    ``read`` raises `InputError`. Opacity, blending, masks and visibility are not applied.
    """

    group: str
    name: str
    read: Callable[[], tuple[Frame, Info]]

    @property
    def place(self) -> str:
        """The layer in words."""
        name = self.name or "without a name"
        return f"{self.group}/{name}" if self.group else name


@dataclass(frozen=True)
class Layered:
    """A layered picture of ``width`` x ``height`` pixels, topmost layer first; ``notes`` say what is left out of it."""

    width: int
    height: int
    layers: Sequence[Layer]
    notes: Sequence[str]


def check_canvas(path: object, width: int, height: int) -> None:
    """Raises `InputError` for a canvas that is too large to hold its layers."""
    if width * height > MOST:
        raise InputError(f"{path} is {width}x{height}: layers on a canvas of at most {MOST} pixels can be read")


def changed(what: str, place: str, changes: dict[str, bool]) -> list[str]:
    """A note for each change that the pixels of a layer or group are taken without."""
    without = "its pixels are" if what == "layer" else "the pixels of its layers are"
    return [f"{what} {shown(place)} has {name}: {without} taken without it" for name, found in changes.items() if found]


def laid(frame: Frame, info: Info, x: int, y: int, size: tuple[int, int]) -> tuple[Frame, Info]:
    """A picture with its corner at ``x`` and ``y`` of a canvas of ``size`` (width, height), transparent around it.

    What reaches beyond the canvas is cut. A picture that covers it exactly is returned as it is.
    """
    width, height = size
    if (x, y, info.width, info.height) == (0, 0, width, height):
        return frame, info
    alpha = torch.ones_like(frame.rgb[:1]) if frame.rgb.is_floating_point() else torch.full_like(frame.rgb[:1], 255)
    alpha = alpha if frame.alpha is None else frame.alpha
    moved = [_on(plane, x, y, width, height) for plane in (frame.rgb, alpha)]
    return replace(frame, rgb=moved[0], alpha=moved[1]), replace(info, width=width, height=height, alpha=True)


def _on(plane: Tensor, x: int, y: int, width: int, height: int) -> Tensor:
    canvas = plane.new_zeros((plane.shape[0], height, width))
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + plane.shape[2], width), min(y + plane.shape[1], height)
    if left < right and top < bottom:
        canvas[:, top:bottom, left:right] = plane[:, top - y : bottom - y, left - x : right - x]
    return canvas
