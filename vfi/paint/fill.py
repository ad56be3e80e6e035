"""Paints what no key shows: what the picture becomes where it is painted, as a local linear model, tells the rest.

Owns the scales of the model. Knows nothing of keys or motion.

He, Sun and Tang, "Guided Image Filtering", IEEE TPAMI 2013, here with weights.
"""

from __future__ import annotations

import numpy as np

from .planes import Array, averaged

RADII = (48, 16, 6)
"""Radii of the squares within which a model is fitted, in 540ths of the height, after one for the whole picture."""

ENOUGH = 0.1
"""Share of a square that must be known for its model to count in full."""

LEAST = 1e-3
"""Variance of the picture below which its paint is taken for even."""


def filled(painted: Array, picture: Array, known: Array) -> Array:
    """``painted`` [H,W,3] as it is told by ``picture`` [H,W,3], wherever it is; ``known`` [H,W], 0 to 1, weighs what it is
    told from."""
    weight = known[..., None]
    total = float(weight.sum())
    if total < 1:
        return picture
    low, high = painted[known > 0.5].min(0, initial=1.0), painted[known > 0.5].max(0, initial=0.0)
    sums = [weight, weight * picture, weight * painted, weight * picture * painted, weight * picture * picture]
    made = _told(picture, *[np.divide(one.sum((0, 1)), total, dtype=np.float32) for one in sums[1:]])
    for radius in RADII:
        side = max(round(radius * picture.shape[0] / 540), 2)
        share, *means = (averaged(one, side).reshape(*known.shape, -1) for one in sums)
        least = np.maximum(share, 1e-6, dtype=np.float32)
        near = _told(picture, *[np.divide(mean, least, dtype=np.float32) for mean in means])
        made += (near - made) * np.clip(share / ENOUGH, 0, 1)
    clipped: Array = np.clip(made, np.minimum(low, high), np.maximum(low, high)).astype(np.float32)
    return clipped


def _told(picture: Array, mean: Array, painted: Array, product: Array, square: Array) -> Array:
    slope = (product - mean * painted) / (square - mean * mean + LEAST)
    told: Array = painted + slope * (picture - mean)
    return told
