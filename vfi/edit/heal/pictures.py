"""Small pictures and what is computed from two of them: tiles, motion, and the change of light along it.

Pictures are thumbnails, [h,w,3] or [h,w] uint8; flows are [h,w,2] in their pixels. Knows nothing of clips.
"""

from __future__ import annotations

from math import nan
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ...core import Frame
from ...pixels.area import area_mean
from ...pixels.uint8 import floats

Picture: TypeAlias = "np.ndarray[Any, Any]"

LONG_SIDE = 128
"""Length of a thumbnail's longer side, in pixels."""

SHORT_SIDE = 32
"""Least length of a side, which optical flow needs."""

SOLID = 0.5
"""Alpha from which a colour counts as it is."""

TILE = 8
"""Side of the tiles in which pictures are compared."""

MOVES = 0.12
"""Pixels from which something moves: less is within the error of the flow."""

LIT = (4, 250)
"""Range of samples, of 255, whose change of light is measured: others may be clipped."""

PARTS = 3
"""Parts of a picture in each direction, whose light is compared."""

AGREES = 2.5
"""How many times as much as the median a sample may differ from what all agree on."""

TELLING = 64
"""Fewer pixels than this tell nothing."""

MEETS = 1.0
"""Pixels by which the motion from one picture to another and back may miss, and a tenth of its length more."""

LEAST = 0.2
"""The share of a part whose motion must meet so that it tells how light changes over several frames."""


def thumbnail(frame: Frame) -> Picture:
    """The colours of a frame, averaged down to [h,w,3] float32, 0..255, by their alpha; more transparent than half is darker,
    down to black."""
    height, width = frame.rgb.shape[-2:]
    scale = min(LONG_SIDE / max(height, width), 1.0)
    size = max(round(height * scale), SHORT_SIDE), max(round(width * scale), SHORT_SIDE)
    small = area_mean(floats(frame.rgb), size)
    if frame.alpha is not None:
        alpha = floats(frame.alpha)
        small = area_mean(floats(frame.rgb) * alpha, size) / area_mean(alpha, size).clamp_min(SOLID)
    small = small.nan_to_num().clamp(0, 1)
    found: Picture = (small.movedim(0, -1) * 255).cpu().contiguous().numpy()
    return found


def rounded(picture: Picture) -> Picture:
    """A thumbnail in whole codes, uint8."""
    codes: Picture = picture.round().astype(np.uint8)
    return codes


def grey_of(rgb: Picture) -> Picture:
    """The luma of a colour picture, as BT.601 weighs it."""
    found: Picture = np.dot(rgb.astype(np.float32), (0.299, 0.587, 0.114)).round().astype(np.uint8)
    return found


def new_flow() -> Any:
    """What estimates motion between two grey pictures: ``calc(one, other, None)`` says where the pixels of one lie in other."""
    import cv2

    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow.setFinestScale(0)
    return flow


def moved_by(flow: Picture) -> float:
    """The length of a flow that nine tenths of the pixels stay below, in pixels."""
    return float(np.percentile(np.hypot(flow[..., 0], flow[..., 1]), 90))


def warped(picture: Picture, flow: Picture, share: float = 1.0) -> Picture:
    """``picture`` fetched along ``share`` of ``flow``; its border goes on."""
    import cv2

    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    x, y = columns + share * flow[..., 0], rows + share * flow[..., 1]
    moved: Picture = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved


def tiles(plane: Picture) -> Picture:
    """The mean of each whole tile of [h,w] numbers."""
    height, width = (side // TILE for side in plane.shape)
    cut = plane[: height * TILE, : width * TILE]
    means: Picture = cut.reshape(height, TILE, width, TILE).mean(axis=(1, 3))
    return means


def apart(one: Picture, other: Picture) -> Picture:
    """The mean difference of two colour pictures in each tile, of 255."""
    return tiles(np.abs(one.astype(np.float32) - other).mean(axis=2))


def coarse(one: Picture, other: Picture) -> Picture:
    """The difference of the mean light of two colour pictures in each tile, of 255: small motion leaves it as it is."""
    means: Picture = np.abs(tiles(one.mean(axis=2)) - tiles(other.mean(axis=2)))
    return means


class Place(NamedTuple):
    """Where a frame lies between its neighbours by their motion, 0 to 1; 1/2 if motion is even.

    ``agreed`` is the share of the moving pixels that say so within a tenth, and ``known`` the share of all pixels that tell.
    """

    at: float = 0.5
    agreed: float = 0.0
    known: float = 0.0


UNTOLD = Place()
"""The place of a frame whose motion tells nothing."""


def place_of(back: Picture, forth: Picture) -> Place:
    """The place of a frame whose motion to both neighbours is given: the weighted median of what its pixels say."""
    to, fro = np.hypot(back[..., 0], back[..., 1]), np.hypot(forth[..., 0], forth[..., 1])
    both = to + fro
    moving = both > 3 * MOVES
    tells = moving & ((back * forth).sum(axis=-1) <= -0.7 * to * fro)
    known = float(tells.mean())
    if tells.sum() < TELLING:
        return Place(known=known)
    share, weight = to[tells] / both[tells], both[tells]
    order = np.argsort(share)
    at = float(share[order][np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)])
    agreed = tells & (np.abs(to - at * both) < 0.1 * both)
    return Place(at, float(agreed.sum() / moving.sum()), known)


Gain: TypeAlias = tuple[float, float, float]


def light_of(earlier: Picture, here: Picture, flow: Picture) -> tuple[Gain, Picture]:
    """The change of light from one picture to another along the motion between them, as logarithms per channel: of the whole,
    and of `PARTS` x `PARTS` parts, [parts,3] float32, NaN for a part that tells nothing.

    The pictures are [h,w,3] float32, 0..255; ``flow`` says where the pixels of ``here`` lie in ``earlier``. What neither is too
    dark nor too bright tells, if it was within the picture. Whole pictures change by less than a code from frame to frame, so
    that means tell, not medians; what does not fit them, as what moves apart, is left out.
    """
    whole, *parts = _lights(earlier, here, flow)
    red, green, blue = np.nan_to_num(whole).tolist()
    return (red, green, blue), np.array(parts, dtype=np.float32)


def light_between(earlier: Picture, here: Picture, back: Picture, forth: Picture) -> Picture:
    """The same for pictures further apart, [1 + parts,3] float32: of the whole, then of the parts, NaN where too little tells.

    ``forth`` says where the pixels of ``earlier`` lie in ``here``. Only pixels tell whose motion there and back meets, and both
    ways are averaged, so that what comes into sight and what is hidden cancel out.
    """
    ways = []
    for one, other, there, again in ((earlier, here, back, forth), (here, earlier, forth, back)):
        apart = np.hypot(*np.moveaxis(warped(again, there) + there, -1, 0))
        meets = apart < MEETS + MEETS / 10 * np.hypot(there[..., 0], there[..., 1])
        ways.append(_lights(one, other, there, meets, LEAST))
    found: Picture = np.array((ways[0] - ways[1]) / 2, dtype=np.float32)
    return found


def _lights(earlier: Picture, here: Picture, flow: Picture, meets: Picture | None = None, least: float = 0.0) -> Picture:
    """The change of light of the whole and of each part, [1 + parts,3], by the pixels of ``meets``; NaN where less than the
    share ``least`` of them tells."""
    height, width = here.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    x, y = columns + flow[..., 0], rows + flow[..., 1]
    moved = warped(earlier, flow)
    low, high = np.minimum(moved.min(axis=2), here.min(axis=2)), np.maximum(moved.max(axis=2), here.max(axis=2))
    tells = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1) & (low > LIT[0]) & (high < LIT[1])
    if meets is not None:
        tells &= meets
    parts = [
        np.s_[height * row // PARTS : height * (row + 1) // PARTS, width * column // PARTS : width * (column + 1) // PARTS]
        for row in range(PARTS)
        for column in range(PARTS)
    ]
    found = np.full((1 + len(parts), 3), nan)
    for place, part in enumerate((np.s_[:, :], *parts)):
        if tells[part].mean() >= least:
            found[place] = _ratio(moved[part][tells[part]], here[part][tells[part]])
    return found


def _ratio(old: Picture, new: Picture) -> Picture:
    """The logarithms of how many times as bright the samples [n,3] of each channel are, by those that agree; NaN if too few
    tell."""
    if len(old) < TELLING:
        return np.full(3, nan)
    old, new = np.ascontiguousarray(old.T), np.ascontiguousarray(new.T)  # along the memory, which is twice as fast
    gain = _middle(new / old)
    for _ in range(3):
        rest = np.abs(new - gain * old)
        near = rest <= np.maximum(AGREES * _middle(rest), 1.0)
        gain = (new * near).sum(axis=1, keepdims=True) / (old * near).sum(axis=1, keepdims=True)
    found: Picture = np.log(gain[:, 0])
    return found


def _middle(samples: Picture) -> Picture:
    """The sample in the middle of each row of [c,n], as [c,1]."""
    middle = samples.shape[1] // 2
    found: Picture = np.partition(samples, middle, axis=1)[:, middle, None]
    return found
