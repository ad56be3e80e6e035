"""Heatmaps of tracks as Framer's ControlNet was trained on: a stamp at each visible point.

Wang et al., "Framer: Interactive Frame Interpolation", ICLR 2025. Owns the stamp and its placement, including the oddities that
the weights were trained with. Knows nothing of networks.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from .sampled import Tracks, Watch

SIDE = 20
"""Half the side of a stamp, in pixels."""

_TEMPLATE, _SIGMA = 200, 40


def heatmaps(tracks: Tracks, side: int = SIDE, watch: Watch = iter) -> Tensor:
    """One map per frame, [T,H,W] uint8, 0 to 255, at the tracks' own size; the network takes it unscaled, as three channels.

    Later tracks cover earlier ones, including with the black corners of their square. At a border the stamp is squeezed rather
    than cropped; the outermost rows and columns stay black. Points outside the picture leave no stamp.
    ``watch`` passes the frames on, so that a caller can stop between two.
    """
    import cv2

    width, height = (round(length) for length in tracks.size)
    maps = np.zeros((tracks.frames, height, width), np.uint8)
    for canvas, places, seen in watch(zip(maps, tracks.path.tolist(), tracks.visible.tolist(), strict=True)):
        for (x, y), visible in zip(places, seen, strict=True):
            if not visible or not (0 <= x < width and 0 <= y < height):
                continue
            left, right = int(max(x - side, 1)), int(min(x + side, width - 1))
            top, bottom = int(max(y - side, 1)), int(min(y + side, height - 1))
            if left < right and top < bottom:
                size = (right - left, bottom - top)
                canvas[top:bottom, left:right] = cv2.resize(template(), size, interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(maps)


@cache
def template() -> np.ndarray:
    """The stamp, [200,200] uint8: a Gaussian inside a disc, 255 in the middle."""
    import cv2

    middle = _TEMPLATE // 2
    away = (np.arange(_TEMPLATE) - middle) ** 2
    gauss = np.exp(-(away[:, None] + away) / (2 * _SIGMA**2))
    disc = cv2.circle(np.zeros((_TEMPLATE, _TEMPLATE), np.uint8), (middle, middle), middle, 1, -1)
    stamp = gauss * disc
    return (stamp / stamp.max() * 255).astype(np.uint8)
