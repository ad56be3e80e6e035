"""Light that changes along a shot: by how much each place of a frame is brighter than the key there. So a fade or a flash is
not taken for another thing, and paint is lit as what it lies on.

Light is broad: it is the ratio of means over a third of the height. It is told from cells whose detail is that of the key, so
that what passes in front is no light. Knows nothing of motion.
"""

from __future__ import annotations

import numpy as np

from .planes import Array, averaged, luma, resized

CELL = 16
"""Pixels of a cell, for which one ratio holds."""

REACH = 1 / 6
"""Radius of the square that is averaged, in shares of the height."""

DETAIL = 2
"""Radius of the patches whose means are no detail."""

STEADY = 0.02
"""Change of light that counts as none: noise, and motion that is not exact."""

MOST = 16.0
"""The largest ratio; the smallest is its inverse."""

DARK = 1 / 255
"""Added above and below, so that black tells nothing."""


def light_of(picture: Array, key: Array, seen: Array) -> Array:
    """How much brighter a ``picture`` [H,W,3] is than the ``key`` as it is carried there, by cells, [h,w,3].

    ``seen`` [H,W] weighs the pixels. Where nothing is seen it is as everywhere else.
    """
    height, width = seen.shape
    size = max(width // CELL, 1), max(height // CELL, 1)
    weight, alike = seen[..., None], _alike(picture, key, size)
    given, own = (resized(one * weight, size) * alike for one in (picture, key))
    sums = [averaged(one, max(round(REACH * size[1]), 1)) for one in (given, own)]
    whole = [one.mean((0, 1)) for one in (given, own)]
    near, far = (total + np.float32(0.1) * mean + DARK for total, mean in zip(sums, whole, strict=True))
    change = np.clip(near / far, 1 / MOST, MOST) - 1
    made: Array = (1 + np.sign(change) * np.maximum(np.abs(change) - STEADY, 0)).astype(np.float32)
    return made


def _alike(picture: Array, key: Array, size: tuple[int, int]) -> Array:
    """How well the detail of each cell goes with that of the key, whatever its contrast, [h,w,1], 0 to 1."""
    one, other = (grey - averaged(grey, DETAIL) for grey in (luma(picture), luma(key)))
    both, first, second = np.moveaxis(resized(np.dstack((one * other, one * one, other * other)), size), -1, 0)
    match = both / np.sqrt(first * second + np.float32(1e-12))
    made: Array = np.clip(match, 0, 1)[..., None] ** 4
    return made


def lit(picture: Array, light: Array) -> Array:
    """A key's ``picture`` [H,W,C] in the light of another frame, [h,w,3]: its first three planes."""
    if (light == 1).all():
        return picture
    made = picture.copy()
    made[..., :3] *= resized(light, (picture.shape[1], picture.shape[0]))
    return made
