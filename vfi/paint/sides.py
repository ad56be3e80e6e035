"""What the keys before and after a frame tell of it, joined: per pixel one of the two, and seams hidden in the gradient domain.

Owns the choice and its steadiness in time. Knows nothing of motion: it is given what was carried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .carry import Carried
from .fill import filled
from .planes import Array, averaged, finite
from .poisson import HELD, blended, slopes

TIME = 0.06
"""Error by which the nearer key is preferred at the other one's place."""

UNSEEN = 0.5
"""Error of a pixel that a key does not show."""

SOFT = 0.03
"""Difference of errors between the one key alone and the other alone."""

LAST = 0.01
"""Error by which the choice of the frame before is preferred."""

SMOOTH = 3
"""Radius over which errors are averaged before a choice."""

NEAR = 1 / 24
"""Inverse of the distance, in pixels, over which a seam is spread."""


class Side(NamedTuple):
    """A frame as a key paints it: ``layer`` [H,W,4], paint multiplied by its cover, the last plane, 0 to 1; how surely each
    pixel is ``seen`` [H,W] in the key; ``far``: how far the key is, 1 at the other key."""

    layer: Array
    seen: Array
    far: float


def share_of(before: Carried, after: Carried, far: float, last: Array | None) -> Array:
    """The share of the key ``after`` in each pixel [H,W], 0 to 1, of a frame ``far`` on the way to it.

    ``last``: that share of the frame before, carried here.
    """
    one = before.error + UNSEEN * (1 - before.seen) + TIME * far
    other = after.error + UNSEEN * (1 - after.seen) + TIME * (1 - far)
    better = averaged((one - other).astype(np.float32), SMOOTH)
    if last is not None:
        better = better + LAST * (2 * last - 1)
    share: Array = np.clip(0.5 + better / SOFT, 0, 1).astype(np.float32)
    return share


def painted(picture: Array, sides: Sequence[Side], share: Array | None, *, whole: bool) -> Array:
    """The ``picture`` [H,W,3] painted by one side, or by two with the ``share`` of the second, see `share_of`.

    ``whole``: all of it is painted, and what no key shows is filled; otherwise that stays as it is, and pixels that nothing
    covers are bit-identical.
    """
    changes = [side.layer[..., :3] - side.layer[..., 3:] * picture for side in sides]
    if len(sides) == 1 or share is None:
        change, seen = changes[0], sides[0].seen
    else:
        change = _joined((sides[0], sides[1]), (changes[0], changes[1]), share)
        seen = sides[0].seen + share * (sides[1].seen - sides[0].seen)
    if whole:
        made = picture + change
        if float(seen.min()) < 1:
            told = filled(finite(made), finite(picture), seen * seen)
            made += (1 - seen)[..., None] * (told - made)
        return made
    change = change * np.clip(2 * seen, 0, 1)[..., None]
    return np.where(change == 0, picture, picture + change)


def _joined(sides: tuple[Side, Side], changes: tuple[Array, Array], share: Array) -> Array:
    """The change of both sides, joined without a seam."""
    part = share[..., None]
    covered = ((1 - part) * sides[0].layer[..., 3:] + part * sides[1].layer[..., 3:]) > 0
    chosen = changes[0] + part * (changes[1] - changes[0])
    sure = [side.seen * (1 - side.far) + 1e-3 for side in sides]
    even = (sure[1] / (sure[0] + sure[1]))[..., None]
    near = np.where(covered, changes[0] + even * (changes[1] - changes[0]), 0)
    (across, down), (across_after, down_after) = (slopes(change) for change in changes)
    across += (part[:, 1:] + part[:, :-1]) / 2 * (across_after - across)
    down += (part[1:] + part[:-1]) / 2 * (down_after - down)
    weight = np.where(covered[..., 0], np.float32(NEAR**2), np.float32(HELD))
    return np.where(covered, blended(across, down, near, weight, np.where(covered, chosen, 0)), 0)
