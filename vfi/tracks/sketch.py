"""Pictures of tracks: an overlay on a frame, and a map of influence around the points.

Knows nothing of where tracks come from, nor of their use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..core import InputError
from .document import COLOURS
from .sampled import Tracks, Watch

_SHIFT = 4
"""Fractional bits of OpenCV's drawing coordinates: sixteenths of a pixel."""

_FAR = 1 << 24
"""Coordinates are clamped to this, in sixteenths of a pixel: no picture is that large."""


_HEAD = 5
"""Length of an arrowhead, in line widths."""


@dataclass(frozen=True)
class Style:
    """Style of drawn tracks.

    ``line``: the whole path, the trail behind the point, or none; ``hidden``: also draw it where the point is not visible.
    ``dots`` at the points, ``arrows`` at the ends of the lines. ``thickness`` in pixels; 0 chooses it by the picture's size.
    """

    line: Literal["path", "trail", "none"] = "path"
    hidden: bool = True
    dots: bool = True
    arrows: bool = False
    thickness: int = 0


PLAIN = Style()


def sketch(picture: Tensor, tracks: Tracks, frame: int, colours: Sequence[str] = COLOURS, style: Style = PLAIN) -> Tensor:
    """Draw the paths of all ``tracks`` on ``picture`` [3,H,W] float, with a dot for each point visible at ``frame``.

    ``colours``: one per track, cyclically, as #rrggbb; any other text is replaced by the default colour. Pixels that are not
    drawn over stay bit-exact, even outside 0..1.
    """
    import cv2

    plain = picture.movedim(0, -1).clamp(0, 1).mul(255).round().byte().numpy(force=True).copy()
    drawn = plain.copy()
    thick = style.thickness or max(1, round(min(plain.shape[:2]) / 240))
    fixed = (tracks.path.double() * 2**_SHIFT).round().clamp(-_FAR, _FAR).int()
    paths = fixed.transpose(0, 1).contiguous().numpy(force=True)
    inks = [_ink(colours[index % len(colours)], index) for index in range(tracks.count)]
    for path, seen, ink in zip(paths, tracks.visible.T.tolist(), inks, strict=True):
        for line in _lines(path, seen, frame, style):
            for shade, width in (((0, 0, 0), 3 * thick), (ink, thick)):
                cv2.polylines(drawn, [line], isClosed=False, color=shade, thickness=width, lineType=cv2.LINE_AA, shift=_SHIFT)
                if style.arrows and (head := _head(line, (_HEAD * thick + width - thick) << _SHIFT)) is not None:
                    cv2.fillConvexPoly(drawn, head, shade, cv2.LINE_AA, _SHIFT)
    for index, ink in enumerate(inks):
        if style.dots and tracks.visible[frame, index]:
            centre = tuple(paths[index, frame].tolist())
            for radius, shade in ((5 * thick, (255, 255, 255)), (4 * thick, ink)):
                cv2.circle(drawn, centre, radius << _SHIFT, shade, cv2.FILLED, cv2.LINE_AA, _SHIFT)
    changed = torch.from_numpy((drawn != plain).any(-1)).to(picture.device)
    return torch.where(changed, torch.from_numpy(drawn).to(picture).movedim(-1, 0) / 255, picture)


def _lines(path: np.ndarray, seen: Sequence[bool], frame: int, style: Style) -> Iterator[np.ndarray]:
    """The parts of a path [T,2] to draw as lines."""
    if style.line == "none":
        return
    end = frame + 1 if style.line == "trail" else len(path)
    for drawn, group in groupby(range(end), key=lambda at: style.hidden or seen[at]):
        part = path[list(group)]
        if drawn:
            yield part


def _head(line: np.ndarray, size: int) -> Any | None:
    """The corners [3,2] of an arrowhead at the end of a line; None if the line stands still."""
    away = line[-1] - line.astype(np.float64)
    far = np.linalg.norm(away, axis=1)
    behind = np.flatnonzero(far >= min(size, far.max()))[-1]
    if far[behind] == 0:
        return None
    along = away[behind] / far[behind] * size
    across = along[::-1] * (0.5, -0.5)
    return (
        np.stack((line[-1] + along / 2, line[-1] - along / 2 + across, line[-1] - along / 2 - across)).round().astype(np.int32)
    )


def influence(tracks: Tracks, radius: float, watch: Watch = iter) -> Tensor:
    """Proximity of each pixel to a visible point: [T,H,W] float, falling from 1 at the point to 0 at ``radius`` pixels.

    It is Tukey's biweight (1 - (d / radius)^2)^2 of the distance d to the nearest point. ``watch`` passes the frames on, so
    that a caller can stop between two. Raises `InputError` unless ``radius`` is above 0.
    """
    if not radius > 0:
        raise InputError(f"a radius of {radius} pixels was given: it must be above 0")
    width, height = (round(side) for side in tracks.size)
    maps = torch.zeros(tracks.frames, height, width)
    for canvas, places, seen in watch(zip(maps, tracks.path.tolist(), tracks.visible.tolist(), strict=True)):
        for (x, y), visible in zip(places, seen, strict=True):
            left, right = max(int(x - radius), 0), min(int(x + radius) + 2, width)
            top, bottom = max(int(y - radius), 0), min(int(y + radius) + 2, height)
            if not visible or left >= right or top >= bottom:
                continue
            dx, dy = torch.arange(left, right) - x, torch.arange(top, bottom) - y
            weight = (1 - (dx**2 + dy[:, None] ** 2) / radius**2).clamp(min=0) ** 2
            part = canvas[top:bottom, left:right]
            torch.maximum(part, weight, out=part)
    return maps


def _ink(colour: str, index: int) -> tuple[int, int, int]:
    known = colour if re.fullmatch("#[0-9a-fA-F]{6}", colour) else COLOURS[index % len(COLOURS)]
    return int(known[1:3], 16), int(known[3:5], 16), int(known[5:7], 16)
