"""Follows the motion of a shot from a key, frame by frame: where in the key each pixel of a frame lies, and whether it is seen
there.

A frame's offsets to the key are those of the frame before it, continued by one step of flow. They are then corrected twice, so
that errors do not add up: by the flow to the key's original as it is carried here, and, where that does not fit, by comparing
patches at whole pixels close by. Patches are compared by their picture, their edges, the painting that came before, and how
far they are from where the flow leads. Owns these guides and their weights. Knows nothing of how paint is put on.

Forward-backward check: Sundaram, Brox and Keutzer, "Dense Point Trajectories by GPU-accelerated Large Displacement Optical
Flow", ECCV 2010.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, Protocol

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from .even import contrast_of, evened
from .light import light_of, lit
from .planes import Array, array_of, averaged, finite, length, luma, mean_of, outside, sampled, tensor_of

PATCH = 2
"""Radius of the patches that are compared."""

LONG_SIDE = 1280
"""Longest side, in pixels, of the picture in which motion is estimated."""

EDGE, BEFORE = 1.0, 0.5
"""Weights of edges and of the painting that came before, relative to the picture's."""

POSITION = 0.004
"""Error of a patch one pixel from where the flow leads; it grows with the distance."""

NEEDED = 0.03
"""Error of a patch from which others are searched."""

PLAIN = 0.01
"""Contrast of a patch up to which there is nothing to compare."""

FITS, FAILS = 0.04, 0.16
"""Error of a patch up to which a pixel is certainly that of the key, and from which it is certainly not."""

FAINT, UNLIKE = 0.06, 1.2
"""The latter where contrast is low: from ``FAINT`` on, an error of ``UNLIKE`` times the contrast is that of another texture."""


class Flows(Protocol):
    """Estimates the motion between two pictures [1,3,h,w], 0..1.

    Returns the flow from the first to the second, and the flow back, [1,2,h,w] (dx, dy) in pixels.
    """

    def __call__(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]: ...


class Guides(NamedTuple):
    """What of a frame is compared: its ``picture`` [H,W,3], its ``edges`` [H,W], the slope of its luma, and the ``contrast``
    [H,W] of each patch."""

    picture: Array
    edges: Array
    contrast: Array

    @classmethod
    def of(cls, picture: Array) -> Guides:
        """The guides of a picture [H,W,3]."""
        import cv2

        picture = finite(picture)
        grey = luma(picture)
        across, down = (cv2.Sobel(grey, cv2.CV_32F, *axis, scale=0.25) for axis in ((1, 0), (0, 1)))
        return cls(picture, np.hypot(across, down), contrast_of(picture))


class Carried(NamedTuple):
    """A frame as a key sees it: the ``offset`` [H,W,2] to the key, the ``error`` [H,W] of the key's original carried here, how
    surely each pixel is ``seen`` [H,W] in the key, 0 to 1, and its ``light`` [h,w,3], see `light`."""

    offset: Array
    error: Array
    seen: Array
    light: Array


@dataclass(frozen=True)
class Search:
    """How patches are searched: up to ``radius`` pixels from where the flow leads, 0 to 8."""

    radius: int = 2


class Motion:
    """Flow between two pictures [H,W,3], estimated in small ones if they are large."""

    def __init__(self, flows: Flows) -> None:
        self._flows = flows

    def __call__(self, before: Array, after: Array) -> tuple[Array, Array]:
        """The flow from ``before`` to ``after``, and the flow back, [H,W,2]."""
        height, width = before.shape[:2]
        share = min(LONG_SIDE / max(height, width), 1.0)
        size = max(round(height * share), 1), max(round(width * share), 1)
        forth, back = self._flows(_shrunk(before, size), _shrunk(after, size))
        return _grown(forth, (height, width)), _grown(back, (height, width))


class Carrier:
    """Carries a key through the frames that follow it, in either direction of time.

    ``original`` is the key's own frame, ``painted`` [H,W,3] what it was made into. ``back`` is the last step of motion: from
    each pixel of the frame to its place in the frame before.
    """

    def __init__(self, original: Array, painted: Array, flows: Callable[[], Flows], search: Search = Search()) -> None:
        self._key, self._painted = Guides.of(original), finite(painted)
        self._stack = np.dstack((self._key.picture, self._key.edges * EDGE**0.5, self._painted * BEFORE**0.5))
        self._last = self._key
        self._step, self._rest = Motion(flows()), Motion(flows())
        self._search = search
        plane = np.zeros(original.shape[:2], np.float32)
        self.back = np.zeros((*plane.shape, 2), np.float32)
        self._carried = Carried(self.back, plane, plane + 1, np.ones((1, 1, 3), np.float32))

    def step(self, picture: Array) -> Carried:
        """The next frame's ``picture`` [H,W,3] as the key sees it."""
        now, last, before = Guides.of(picture), self._last, self._carried
        forth, back = self._step(last.picture, now.picture)
        forth = evened(forth, last.picture, now.picture, last.contrast)
        back = evened(back, now.picture, last.picture, now.contrast)
        missed = length(back + sampled(forth, back))
        bound = np.sqrt(0.01 * (np.square(back).sum(-1) + np.square(forth).sum(-1)) + 0.5)
        came = np.clip(2 - missed / bound, 0, 1) * ~outside(back)
        offset = back + sampled(before.offset, back)
        earlier = self._before(before.offset, back)
        kept = sampled(before.seen, back) * came
        there = sampled(self._key.picture, offset)
        light = light_of(now.picture, there, kept)
        offset, error = self._corrected(now, offset, lit(there, light), light)
        if self._search.radius and float((error > NEEDED).mean()) > 0.0005:
            offset = self._searched(now, offset, error, earlier, light)
            error = self._error(now, self._lit(offset, light))
        fails = np.clip(UNLIKE * now.contrast, FAINT, FAILS)
        fits = np.clip((fails - error) / (fails - FITS), 0, 1)
        direct = np.clip(2 - error / FITS, 0, 1) * ~outside(offset)
        seen = np.maximum(np.minimum(kept, fits), 0.9 * direct * fits).astype(np.float32)
        self.back, self._last, self._carried = back, now, Carried(offset, error, seen, light)
        return self._carried

    def _before(self, offset: Array, back: Array) -> Array:
        """The painting of the frame before, carried here."""
        return sampled(sampled(self._painted, offset), back)

    def _lit(self, offset: Array, light: Array) -> Array:
        """The key's original, carried to a frame and in its light."""
        return lit(sampled(self._key.picture, offset), light)

    @staticmethod
    def _error(now: Guides, carried: Array) -> Array:
        """The error of each patch of the key's original, ``carried`` here, in shares of white; even changes of light count
        half."""
        off = now.picture - carried
        mean = averaged(off, PATCH)
        detail = mean_of(np.abs(off - mean) + 0.5 * np.abs(mean))
        return averaged(detail, PATCH)

    def _corrected(self, now: Guides, offset: Array, carried: Array, light: Array) -> tuple[Array, Array]:
        """The offsets, corrected by the flow to the key's original as it is ``carried`` here, where that fits better."""
        error = self._error(now, carried)
        there, _ = self._rest(now.picture, carried)
        there = evened(there, now.picture, carried, now.contrast)
        corrected = there + sampled(offset, there)
        after = self._error(now, self._lit(corrected, light))
        better = after < error
        return np.where(better[..., None], corrected, offset), np.where(better, after, error)

    def _searched(self, now: Guides, offset: Array, error: Array, earlier: Array, light: Array) -> Array:
        """The offsets, taken from the best patch close by where that of the flow does not fit."""
        here = np.dstack((now.picture, now.edges * EDGE**0.5, earlier * BEFORE**0.5))
        reach, (height, width) = self._search.radius, error.shape
        there, around = (_bordered(one, reach) for one in (lit(sampled(self._stack, offset), light), offset))
        best = np.full(error.shape, np.inf, np.float32)
        right, down = (np.full(error.shape, reach, np.intp) for _ in range(2))
        sides = range(2 * reach + 1)
        wanted = (error > NEEDED) & (now.contrast > PLAIN)
        steps = sorted(product(sides, sides), key=lambda step: math.hypot(step[0] - reach, step[1] - reach))
        for x, y in steps:
            far = math.hypot(x - reach, y - reach)
            off = here - there[y : y + height, x : x + width]
            differ = averaged(np.einsum("hwc,hwc->hw", off, off), PATCH)
            cost = np.sqrt(np.maximum(differ, 0) / 3) + np.float32(POSITION * far)
            better = cost < best
            if far:
                better &= wanted
            best = np.where(better, cost, best)
            right[better], down[better] = x, y
        rows, columns = np.ogrid[:height, :width]
        steps_taken = np.stack((right - reach, down - reach), -1).astype(np.float32)
        found: Array = around[rows + down, columns + right] + steps_taken
        return found


def _bordered(picture: Array, width: int) -> Array:
    """The picture with its edges continued by ``width`` pixels."""
    made: Array = np.pad(picture, ((width, width), (width, width), (0, 0)), mode="edge")
    return made


def voted(picture: Array, carried: Carried) -> Array:
    """A key's ``picture`` [H,W,C] carried along: each pixel is the mean of what the patches of 3x3 pixels around it say, those
    that fit better counting more."""
    total = np.zeros((*carried.error.shape, 1), np.float32)
    made = np.zeros_like(picture)
    weight = _bordered(np.reciprocal(carried.error + np.float32(0.01))[..., None], 1)
    offset, (height, width) = _bordered(carried.offset, 1), carried.error.shape
    for y, x in product(range(3), range(3)):
        part = slice(y, y + height), slice(x, x + width)
        share = weight[part] * np.float32(4 if x == y == 1 else 1)
        made += share * sampled(picture, offset[part], cubic=True).reshape(made.shape)
        total += share
    made /= total
    return made


def _shrunk(picture: Array, size: tuple[int, int]) -> Tensor:
    tensor = tensor_of(picture)[None].clamp(0, 1)
    return tensor if tensor.shape[-2:] == size else F.interpolate(tensor, size, mode="bilinear", antialias=True)


def _grown(flow: Tensor, size: tuple[int, int]) -> Array:
    height, width = size
    if flow.shape[-2:] != size:
        growth = flow.new_tensor((width / flow.shape[-1], height / flow.shape[-2])).view(1, 2, 1, 1)
        flow = F.interpolate(flow.float(), size, mode="bilinear") * growth
    return array_of(flow[0])
