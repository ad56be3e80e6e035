"""Flat colour: areas between lines get the colour that their like has in the key, exactly.

A picture falls into areas, which are even in colour, and the lines between them. The colours of a key's areas are handed on
from frame to frame: the pixels of an area vote along the motion. Lines, and the soft edges of everything, keep their place
between the two colours at their ends. Owns areas, votes and edges. Knows nothing of files or of how motion is found.

Gaps in lines are closed as by a ball that does not fit through them: Zhang, Chen, Fu, Dobashi and Nishita, "Vectorizing Cartoon
Animations", IEEE TVCG 2009.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .carry import Flows, Motion
from .planes import Array, length, places

Labels = npt.NDArray[np.int32]

EVEN = 8 / 255
"""Largest step to a neighbour within an area."""

BALL = 2.5 / 540
"""Radius of the ball that closes gaps, in shares of the height: gaps of twice as much are closed."""

SMALL = 6
"""Pixels below which an area is taken for a part of a line."""

SAME = 6 / 255
"""Difference of a pixel from its area's colour that is no other colour."""

COVERED, PURE = 0.6, 0.97
"""Share of a picture that lies in areas, and share of these that has the area's own colour, from which it is of flat colour."""

SURE = 0.5
"""Share of an area's pixels that must agree; otherwise the likest area close by tells."""

ENDS = 3
"""Pixels within which the two colours of a soft edge are looked for."""

NEARER = 0.3
"""Confidence that a key loses on the way to the other one."""


class Areas(NamedTuple):
    """The areas of a picture: the number of each pixel's, ``labels`` [H,W], 0 on lines; of each the mean colour, ``colours``
    [N,3], the number of pixels, ``sizes`` [N], and their middle, ``centres`` [N,2] (x, y). Number 0 stands for the lines."""

    labels: Labels
    colours: Array
    sizes: Array
    centres: Array


class Told(NamedTuple):
    """The number of the key's colour of each area, ``which`` [N], -1 if unknown, and how ``sure`` [N] that is, 0 to 1."""

    which: Labels
    sure: Array


def areas(picture: Array) -> Areas:
    """The areas of a picture [H,W,3]."""
    import cv2

    height, width = picture.shape[:2]
    across = np.abs(np.diff(picture, axis=1)).max(-1) > EVEN
    down = np.abs(np.diff(picture, axis=0)).max(-1) > EVEN
    uneven = np.zeros((height, width), bool)
    uneven[:, 1:] |= across
    uneven[:, :-1] |= across
    uneven[1:] |= down
    uneven[:-1] |= down
    even = (~uneven).astype(np.uint8)
    _, whole = cv2.connectedComponents(even, connectivity=4)
    room = cv2.distanceTransform(even, cv2.DIST_L2, 5)
    seeds = (room > max(BALL * height, 1)).astype(np.uint8)
    count, seeded = cv2.connectedComponents(seeds, connectivity=4)
    labels = np.where(even > 0, 0, -1).astype(np.int32)
    if count > 1:
        _, nearest = cv2.distanceTransformWithLabels(1 - seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP)
        number = np.zeros(nearest.max() + 1, np.int32)
        number[nearest[seeds > 0]] = seeded[seeds > 0]
        of_whole = np.zeros(count, np.int32)
        of_whole[seeded[seeds > 0]] = whole[seeds > 0]
        grown = number[nearest]
        labels = np.where((even > 0) & (of_whole[grown] == whole), grown, labels)
    more, rest = cv2.connectedComponents((labels == 0).astype(np.uint8), connectivity=4)
    labels = np.where(labels == 0, rest + count - 1, np.maximum(labels, 0)).astype(np.int32)
    sizes = np.bincount(labels.ravel(), minlength=count + more - 1)
    kept = sizes >= SMALL
    kept[0] = True
    numbers = np.where(kept, np.cumsum(kept) - 1, 0)
    return _measured(numbers[labels].astype(np.int32), picture)


def _measured(labels: Labels, picture: Array) -> Areas:
    flat, count = labels.ravel(), int(labels.max()) + 1
    sizes = np.bincount(flat, minlength=count).astype(np.float32)
    least = np.maximum(sizes, 1)
    colours = np.stack([np.bincount(flat, picture[..., c].ravel(), count) / least for c in range(3)], -1)
    x, y = (np.broadcast_to(one, labels.shape).ravel() for one in places(*labels.shape))
    centres = np.stack([np.bincount(flat, one, count) / least for one in (x, y)], -1)
    return Areas(labels, colours.astype(np.float32), sizes, centres.astype(np.float32))


def common(painted: Array, found: Areas) -> Array:
    """The most common colour of each area in ``painted`` [H,W,3], in steps of 8 bits: [N,3]."""
    codes = np.rint(painted.clip(0, 1) * 255).astype(np.int64)
    packed = (codes[..., 0] << 16) | (codes[..., 1] << 8) | codes[..., 2]
    pairs, counts = np.unique((found.labels.astype(np.int64) << 24 | packed).ravel(), return_counts=True)
    order = np.lexsort((counts, pairs >> 24))
    best = pairs[order]
    last = np.flatnonzero(np.diff(best >> 24, append=-1))
    made = np.zeros((len(found.sizes), 3), np.float32)
    picked = best[last]
    made[picked >> 24] = np.stack([picked >> 16 & 255, picked >> 8 & 255, picked & 255], -1).astype(np.float32) / 255
    return made


def is_flat(original: Array, painted: Array) -> bool:
    """Whether a key is of flat colour: fills of areas that are even in its frame too."""
    found = areas(original)
    inside = found.labels > 0
    if len(found.sizes) < 3 or float(inside.mean()) < COVERED:
        return False
    for picture in (original, painted):
        off = np.abs(picture - common(picture, found)[found.labels]).max(-1)
        if float((off[inside] <= SAME).mean()) < PURE:
            return False
    return True


class Colours:
    """The colours of a key of flat colour, handed on to the frames that follow, in either direction of time.

    ``table`` [N,3] holds the colours, and ``ink`` [3] what the key adds to its lines.
    """

    def __init__(self, original: Array, painted: Array, flows: Flows) -> None:
        self._found, self._picture = areas(original), original
        own = common(painted, self._found)
        changed = np.abs(own - common(original, self._found)).max(-1) > SAME
        table, which = np.unique(own[1:], axis=0, return_inverse=True)
        self.table: Array = np.concatenate((table, np.full((1, 3), np.nan))).astype(np.float32)
        numbers = np.concatenate(([-1], np.where(changed[1:], which.ravel(), len(table)))).astype(np.int32)
        self._told = Told(numbers, np.ones(len(numbers), np.float32))
        self._step = Motion(flows)
        lines = self._found.labels == 0
        dark = lines & (original.mean(-1) <= np.quantile(original.mean(-1)[lines], 0.3)) if lines.any() else lines
        ink = np.median((painted - original)[dark], axis=0) if dark.any() else np.zeros(3)
        self.ink: Array = np.where(np.abs(ink) > SAME, ink, 0).astype(np.float32)

    def step(self, picture: Array, found: Areas) -> Told:
        """What the key tells of the areas ``found`` in the next frame's ``picture``."""
        if np.array_equal(picture, self._picture):
            return self._told
        forth, back = self._step(self._picture, picture)
        height, width = found.labels.shape
        x, y = places(height, width)
        columns = np.rint(back[..., 0] + x).clip(0, width - 1).astype(np.int32)
        rows = np.rint(back[..., 1] + y).clip(0, height - 1).astype(np.int32)
        last = self._found.labels[rows, columns]
        count, kinds = len(found.sizes), len(self.table)
        which = self._told.which[last]
        known = (which >= 0) & (found.labels > 0)
        weight = self._told.sure[last][known]
        votes = np.bincount(found.labels[known] * kinds + which[known], weight, count * kinds).reshape(count, kinds)
        sure = (votes.max(1) / np.maximum(found.sizes, 1)).astype(np.float32)
        best = np.where(votes.max(1) > 0, votes.argmax(1), -1).astype(np.int32)
        for area in np.flatnonzero(sure < SURE):
            other = self._likest(int(area), found, forth)
            if area and other is not None and self._told.sure[other] * SURE > sure[area]:
                best[area], sure[area] = self._told.which[other], self._told.sure[other] * SURE
        self._found, self._picture, self._told = found, picture, Told(best, sure)
        return self._told

    def _likest(self, area: int, found: Areas, forth: Array) -> int | None:
        """The area of the frame before that is likest in place, size and colour; None if none is like it."""
        before = self._found
        if len(before.sizes) < 2:
            return None
        at = np.rint(before.centres).astype(np.int32)
        moved = before.centres + forth[at[:, 1], at[:, 0]]
        far = length(moved - found.centres[area]) / np.sqrt(found.sizes[area])
        larger = np.abs(np.log(np.maximum(before.sizes, 1) / found.sizes[area]))
        colour = np.abs(before.colours - found.colours[area]).max(-1) / (4 * SAME)
        cost = far + larger + colour
        cost[0] = np.inf
        likest = int(cost.argmin())
        return likest if cost[likest] < 1.5 and self._told.which[likest] >= 0 else None


def joined(one: Told, other: Told, far: float) -> tuple[Told, npt.NDArray[np.bool_]]:
    """What two keys tell of a frame, ``far`` on the way from the one to the other, area by area; True where that is the
    other's."""
    first = np.where(one.which >= 0, one.sure * (1 - NEARER * far), -1)
    second = np.where(other.which >= 0, other.sure * (1 - NEARER * (1 - far)), -1)
    later = second > first
    told = Told(np.where(later, other.which, one.which), np.where(later, other.sure, one.sure))
    return told, later


def coloured(picture: Array, found: Areas, paint: Array, ink: Array) -> Array:
    """The ``picture`` [H,W,3] with areas in the colours ``paint`` [N,3]; not a number leaves an area as it is.

    Soft edges are mixed of the new colours as they are of the old ones; ``ink`` [3] is added to lines.
    """
    keep = np.isnan(paint[:, 0])
    made: Array = paint[found.labels]
    stays = keep[found.labels]
    made = np.where(stays[..., None], picture, made)
    rows, columns = np.nonzero(found.labels == 0)
    if not len(rows):
        return made
    made[rows, columns] = _edges(picture, found, paint, keep, ink, rows, columns)
    return made


def _edges(
    picture: Array,
    found: Areas,
    paint: Array,
    keep: npt.NDArray[np.bool_],
    ink: Array,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
) -> Array:
    """The colours of pixels on lines and edges: each lies between its nearest area and the pixel close by that is unlikest.

    The border of an area is no part of it, since it has an uneven neighbour: a border that has the area's colour is painted
    with it.
    """
    import cv2

    height, width = found.labels.shape
    _, nearest = cv2.distanceTransformWithLabels(
        (found.labels == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    area_of = np.zeros(nearest.max() + 1, np.int32)
    inside = found.labels > 0
    area_of[nearest[inside]] = found.labels[inside]
    area = area_of[nearest[rows, columns]]
    here, base = picture[rows, columns], found.colours[area]
    border = (np.abs(here - base).max(-1) <= SAME) & ~keep[area]
    owner = found.labels.copy()
    owner[rows[border], columns[border]] = area[border]
    farthest = np.full(len(rows), -1, np.float32)
    end, end_area = base.copy(), area.copy()
    for dy in range(-ENDS, ENDS + 1):
        for dx in range(-ENDS, ENDS + 1):
            y, x = (rows + dy).clip(0, height - 1), (columns + dx).clip(0, width - 1)
            there = picture[y, x]
            apart = np.square(there - base).sum(-1) - 1e-4 * (dx * dx + dy * dy)
            better = apart > farthest
            farthest = np.where(better, apart, farthest)
            end = np.where(better[:, None], there, end)
            end_area = np.where(better, owner[y, x], end_area)
    span = end - base
    share = ((here - base) * span).sum(-1) / np.maximum(np.square(span).sum(-1), 1e-6)
    share = share.clip(0, 1)[:, None]
    start_paint = np.where(keep[area][:, None], base, paint[area])
    stays = keep[end_area] | (end_area == 0)
    end_paint = np.where(stays[:, None], end + np.where((end_area == 0)[:, None], ink, 0), paint[end_area])
    rest = here - (base + share * span)
    made: Array = start_paint + share * (end_paint - start_paint) + rest
    same = keep[area] & stays & (not ink.any())
    return np.where(same[:, None], here, made.clip(0, 1)).astype(np.float32)
