"""Motion where there is nothing to see it by: in a plain sky or on a plain wall it is that of the edges around.

There, estimated flow is a guess, and paint on it would warp within a frame. So each flow is spread from where the picture has
contrast and the flow explains it, over places of like colour. Owns this trust and its limits. Knows nothing of keys.

Min, Choi, Lu, Ham, Sohn and Do, "Fast Global Image Smoothing Based on Weighted Least Squares", IEEE TIP 2014, of a flow with
weights.
"""

from __future__ import annotations

import numpy as np

from .planes import Array, averaged, mean_of, resized, sampled

PLAIN = 0.03
"""Contrast of a patch, in shares of white, from which its own flow counts in full."""

FIT = 0.3
"""Error of a flow, in shares of the patch's contrast, from which it is hardly trusted; at least `SLIGHT`."""

SLIGHT = 0.01

LIKE = 0.04
"""Difference of two neighbours over which flow spreads less."""

REACH = 1 / 6
"""How far flow spreads, in shares of the height."""

LITTLE = np.float32(1e-5)
"""Weight of no motion at all, which holds where no flow is trusted: before and after a white frame."""

COARSE = 4
"""Flow is spread in a picture this many times smaller."""

ROUNDS = 3
PATCH = 2


def contrast_of(picture: Array) -> Array:
    """The contrast [H,W] of each patch of a picture [H,W,3]: its mean difference from its mean."""
    return averaged(mean_of(np.abs(picture - averaged(picture, PATCH))), PATCH)


def evened(flow: Array, picture: Array, other: Array, contrast: Array) -> Array:
    """The ``flow`` [H,W,2] from ``picture`` to ``other`` [H,W,3], spread to where the picture is plain, by its ``contrast``."""
    height, width = flow.shape[:2]
    small = max(width // COARSE, 1), max(height // COARSE, 1)
    error = contrast_of(np.abs(picture - sampled(other, flow)))  # without even changes of light
    trust = np.clip(contrast / PLAIN, 0, 1) * np.exp(-np.square(error / np.maximum(FIT * contrast, SLIGHT)))
    weight = np.square(trust)
    held, guide = (resized(one, small) for one in (np.dstack((flow * weight[..., None], weight + LITTLE)), picture))
    spread = resized(_spread(held, guide, (REACH * height / COARSE) ** 2), (width, height))
    around = spread[..., :2] / spread[..., 2:]
    made: Array = around + trust[..., None] * (flow - around)
    return made


def _spread(planes: Array, picture: Array, strength: float) -> Array:
    """``planes`` [H,W,C] smoothed over places of like colour in ``picture``: rows and columns in turn."""
    links = [np.exp(-np.abs(np.diff(picture, axis=axis)).max(-1) / np.float32(LIKE)) for axis in (0, 1)]
    for number in range(ROUNDS):
        part = 1.5 * 4 ** (ROUNDS - 1 - number) / (4**ROUNDS - 1) * strength
        planes = _along(planes, links[0] * np.float32(part))
        planes = _along(planes.transpose(1, 0, 2), links[1].T * np.float32(part)).transpose(1, 0, 2)
    return planes


def _along(planes: Array, links: Array) -> Array:
    """``planes`` [N,M,C] smoothed along their first axis, where ``links`` [N-1,M] say how closely neighbours go together.

    The solution of (1 + a + b) u[n] - a u[n-1] - b u[n+1] = planes[n], with the links a and b on both sides.
    """
    none = np.zeros_like(planes[:1, :, 0])
    before, after = (np.concatenate(pair) for pair in ((none, links), (links, none)))
    made, back = np.empty_like(planes), np.empty_like(before)
    share, last = none[0], np.zeros_like(planes[0])
    for n, (a, b) in enumerate(zip(before, after, strict=True)):
        whole = 1 + a + b - a * share
        last = (planes[n] + a[:, None] * last) / whole[:, None]
        share = b / whole
        made[n], back[n] = last, share
    for n in range(len(made) - 2, -1, -1):
        made[n] += back[n][:, None] * made[n + 1]
    return made
