"""Synthetic cels: filled shapes with outlines that move in known ways, anti-aliased, and measures of drawn pictures.

Every picture can be drawn at any time between two keys, so an in-between has a truth. Knows nothing of models.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
import torch
from torch import Tensor

FINE = 8
"""Pictures are drawn this many times larger, and averaged down."""

PAPER, INK = (250, 246, 238), (28, 22, 34)
SKIN, SHIRT, SKY = (246, 200, 170), (70, 120, 200), (150, 214, 150)

Outline: TypeAlias = np.ndarray
"""Points [N,2] in pixels, (x, y)."""


def blob(radius: float, *, lobes: int = 0, depth: float = 0.0, phase: float = 0.0, squash: float = 1.0) -> Outline:
    """A closed outline around (0, 0): a disc, with ``lobes`` waves of relative ``depth``; ``squash`` widens and flattens it."""
    angle = np.linspace(0, 2 * math.pi, 240, endpoint=False)
    reach = radius * (1 + depth * np.cos(lobes * (angle - phase)))
    return np.stack((reach * np.cos(angle) * squash, reach * np.sin(angle) / squash), axis=1)


def placed(outline: Outline, x: float, y: float, degrees: float = 0.0) -> Outline:
    """An outline turned by ``degrees`` around (0, 0), then moved."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return outline @ np.array(((cos, sin), (-sin, cos))) + (x, y)


class Canvas:
    """A picture [height, width] with colours and coverage; what is drawn later covers what was drawn before."""

    def __init__(self, height: int, width: int) -> None:
        self.size = height, width
        self.rgb = np.zeros((height * FINE, width * FINE, 3), np.uint8)
        self.cover = np.zeros((height * FINE, width * FINE), np.uint8)

    def shape(self, outline: Outline, fill: tuple[int, int, int] | None, line: float = 2.5, ink: tuple[int, ...] = INK) -> None:
        """Draw a closed outline, filled and inked ``line`` pixels wide."""
        points = np.round((outline + 0.5) * FINE).astype(np.int32)[None]
        for plane, inside, border in ((self.rgb, fill, ink), (self.cover, 255 if fill else None, 255)):
            if inside is not None:
                cv2.fillPoly(plane, points, inside)
            cv2.polylines(plane, points, True, border, round(line * FINE))

    def on_paper(self) -> Tensor:
        """The picture on paper, [3,H,W] uint8."""
        rgb, alpha = self._averaged()
        return _picture(rgb + (1 - alpha) * np.array(PAPER, np.float32))

    def cel(self) -> tuple[Tensor, Tensor]:
        """Straight colours [3,H,W] and alpha [1,H,W], uint8; black where nothing is drawn."""
        rgb, alpha = self._averaged()
        straight = np.where(alpha > 0, rgb / np.maximum(alpha, 1e-6), 0)
        return _picture(straight), _picture(alpha * 255)

    def _averaged(self) -> tuple[np.ndarray, np.ndarray]:
        """Premultiplied colours 0..255 and coverage 0..1, averaged down."""
        height, width = self.size
        cover = self.cover.astype(np.float32) / 255
        rgb = self.rgb * cover[..., None]
        small = (cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in (rgb, cover))
        colours, alpha = small
        return colours, alpha[..., None]


def _picture(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.clip(np.round(pixels), 0, 255).astype(np.uint8)).permute(2, 0, 1).contiguous()


Scene: TypeAlias = Callable[[float], Canvas]


def slide(t: float) -> Canvas:
    """A ball crosses before a block that stands still."""
    canvas = Canvas(144, 192)
    canvas.shape(placed(blob(34, lobes=4, depth=0.12), 120, 80), SHIRT)
    canvas.shape(placed(blob(26), 50 + 34 * t, 66 + 8 * t), SKIN)
    return canvas


def turn(t: float) -> Canvas:
    """A star turns by 24 degrees."""
    canvas = Canvas(144, 192)
    canvas.shape(placed(blob(48, lobes=5, depth=0.3), 96, 72, 24 * t), SKIN)
    canvas.shape(placed(blob(14), 96, 72), SHIRT)
    return canvas


def squash(t: float) -> Canvas:
    """A ball flattens while it falls."""
    canvas = Canvas(144, 192)
    canvas.shape(placed(blob(60, squash=1.7), 96, 150), SKY)
    canvas.shape(placed(blob(30, squash=1 + 0.3 * t), 90 + 6 * t, 52 + 22 * t), SKIN)
    canvas.shape(placed(blob(9, squash=1 + 0.3 * t), 84 + 6 * t, 46 + 22 * t), SHIRT)
    return canvas


def lines(t: float) -> Canvas:
    """Line art without fills: two outlines that move apart and turn."""
    canvas = Canvas(144, 192)
    canvas.shape(placed(blob(30, lobes=3, depth=0.2), 70 - 12 * t, 72, 18 * t), None, 2.0)
    canvas.shape(placed(blob(24, lobes=6, depth=0.1), 126 + 14 * t, 66 + 6 * t), None, 2.0)
    return canvas


SCENES: dict[str, Scene] = {"slide": slide, "turn": turn, "squash": squash, "lines": lines}


def palette(*keys: Tensor) -> np.ndarray:
    """The colours [N,3] of the flat areas of keys [3,H,W] uint8, and of their lines: those of a 500th of a key's pixels."""
    found = []
    for key in keys:
        colours, counts = np.unique(key.flatten(1).numpy(), axis=1, return_counts=True)
        found.append(colours.T[counts >= key[0].numel() / 500])
    return np.unique(np.concatenate(found), axis=0)


def _known(made: Tensor, keys: tuple[Tensor, ...]) -> np.ndarray:
    """Which pixels have a colour of the keys' palette, give or take 1."""
    rgb = made.permute(1, 2, 0).numpy().astype(np.int16)
    return np.any([np.abs(rgb - colour).max(-1) <= 1 for colour in palette(*keys).astype(np.int16)], axis=0)


def new_colours(made: Tensor, *keys: Tensor) -> float:
    """The share of the pixels that lie in flat areas and have a colour that no key has in its flat areas or lines."""
    rgb, square = made.permute(1, 2, 0).numpy(), np.ones((3, 3), np.uint8)
    flat = (cv2.dilate(rgb, square).astype(np.int16) - cv2.erode(rgb, square) <= 6).all(-1)
    return float((flat & ~_known(made, keys)).mean())


def soft(made: Tensor, *keys: Tensor) -> float:
    """The share of the pixels that have no colour of the keys: anti-aliased edges, and what is blurred or doubled."""
    return float(1 - _known(made, keys).mean())


def inked(picture: Tensor, size: int = 8) -> np.ndarray:
    """Where the lines of a picture [3,H,W] uint8 on paper are, at ``size`` times its size: darker than half way to the ink."""
    grey = picture.float().mean(0).numpy()
    large = cv2.resize(grey, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
    return large < (np.mean(INK) + np.mean(SHIRT)) / 2


def line_width(picture: Tensor) -> float:
    """The mean width of the lines, in pixels: twice the way to their borders, along their middle."""
    near = cv2.distanceTransform(inked(picture).astype(np.uint8), cv2.DIST_L2, 5)
    ridge = (near == cv2.dilate(near, np.ones((3, 3), np.uint8))) & (near > 2)
    return float((near[ridge].mean() * 2 - 1) / 8) if ridge.any() else 0.0


def ink(picture: Tensor) -> float:
    """The area of the lines, in pixels."""
    return float(inked(picture).sum() / 64)


def chamfer(made: Tensor, truth: Tensor) -> float:
    """The mean distance from the lines of one picture to those of the other, both ways, in pixels."""
    there = [inked(picture) for picture in (made, truth)]
    away = [cv2.distanceTransform((~one).astype(np.uint8), cv2.DIST_L2, 5) / 8 for one in there]
    if not all(one.any() for one in there):
        return math.inf
    return float((away[1][there[0]].mean() + away[0][there[1]].mean()) / 2)
