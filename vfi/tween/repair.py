"""Redraws the doubtful areas of a clip's frames, between frames that are not in doubt.

Owns which frames and which part of the picture are drawn together, and the compositing over the clip: no pixel outside the
doubtful areas changes. The caller draws the frames. Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import InputError
from .fit import Fit, Pixels, shaped
from .framer import FRAMES, SIZE
from .keyframes import CELL

Redraw: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
"""(pictures [F,3,h,w] 0..1, mask [F,h/8,w/8], 1 where to redraw, 0 throughout the first and last frame) -> [F,3,h,w]"""


@dataclass(frozen=True)
class Repair:
    """Settings of a repair. Raises `InputError`.

    ``threshold``, 0 to 1: pixels with a larger doubt are redrawn. ``grow``: mask feather, in pixels, over which the new
    picture blends into the old. ``frames``: number drawn together, if the clip has as many, at ``size`` (width, height).
    """

    threshold: float = 0.15
    grow: int = 16
    frames: int = FRAMES
    size: Pixels = SIZE

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise InputError(f"a threshold of {self.threshold:g} was given: it must be between 0 and 1")
        if self.grow < 0 or self.frames < 3:
            raise InputError(f"{self.grow} pixels around and {self.frames} frames were given: at least 0 and 3 are needed")

    def shares(self, doubt: Tensor) -> Tensor:
        """Blend weight of the redrawn picture per pixel, [T,H,W] 0..1; always 0 in the first and last frame."""
        shares = torch.zeros_like(doubt, dtype=torch.float32)
        for share, own in zip(shares[1:-1], doubt[1:-1], strict=True):
            doubted = own > self.threshold
            if doubted.any():
                share[:] = grown(doubted.float(), self.grow // 2)
        return shares

    def windows(self, shares: Tensor) -> list[range]:
        """The runs of frames to draw together, for the `shares` of a clip: see `windows`."""
        return windows(shares.flatten(1).any(1).tolist(), self.frames)


def repaired(clip: Tensor, shares: Tensor, redraw: Redraw, repair: Repair | None = None) -> Tensor:
    """The ``clip`` [T,3,H,W] 0..1, redrawn and blended in by ``shares`` [T,H,W]: see `Repair.shares`.

    Raises `InputError`.
    """
    repair = repair or Repair()
    if clip.ndim != 4 or clip.shape[1] != 3 or shares.shape != clip[:, 0].shape or len(clip) < 3:
        raise InputError(
            f"a clip of shape {list(clip.shape)} and doubt of {list(shares.shape)} were given: "
            "[frames, 3, height, width] and [frames, height, width] of 3 frames or more are needed"
        )
    clip, shares = clip.clone(), shares.clone()
    for window in repair.windows(shares):
        frames = slice(window.start, window.stop)
        fit = around(shares[frames].any(0), repair.size)
        share, old = fit.cut(shares[frames]), fit.cut(clip[frames])
        cells = F.adaptive_max_pool2d((share > 0).float(), (fit.size[1] // CELL, fit.size[0] // CELL))
        drawn = fit.back(redraw(fit.pictures(clip[frames]), cells)).to(clip)
        new = torch.lerp(old, drawn, share[:, None].to(clip))
        old[:] = torch.where(share[:, None] > 0, new, old)
        shares[frames] = 0  # no longer in doubt: the next window may start on these frames
    return clip


def grown(doubted: Tensor, half: int) -> Tensor:
    """Feather a mask [H,W]: 1 inside, falling to 0 over 2 * ``half`` pixels around it."""
    plane = doubted[None, None]
    for side in ((half, 0), (0, half)):
        plane = F.max_pool2d(plane, (2 * side[0] + 1, 2 * side[1] + 1), 1, side)
    plane = F.pad(plane, (half,) * 4, mode="replicate")
    for side in ((half, 0), (0, half)):
        plane = F.avg_pool2d(plane, (2 * side[0] + 1, 2 * side[1] + 1), 1)
    return plane[0, 0]


def windows(marked: Sequence[bool], frames: int) -> list[range]:
    """Runs of frames that together cover all ``marked`` ones; the clip's first and last frame must not be marked.

    Each run starts and ends on a frame that is not marked or was in an earlier run. It has ``frames`` frames, fewer only if
    the clip is shorter, and more only if more are marked in a row.
    """
    found: list[range] = []
    index, last = 1, len(marked) - 1
    while index < last:
        if not marked[index]:
            index += 1
            continue
        stop = index
        while marked[stop]:
            stop += 1
        missing = max(frames - (stop - index + 2), 0)
        start = max(index - 1 - (missing - missing // 2), 0)
        stop = min(max(stop + missing // 2, start + frames - 1), last)
        start = max(min(start, stop - frames + 1), 0)
        while marked[stop]:
            stop += 1
        found.append(range(start, stop + 1))
        index = stop + 1
    return found


def around(marked: Tensor, size: Pixels) -> Fit:
    """The crop that holds everything ``marked`` [H,W], at least as large as ``size`` and with its aspect ratio if possible.

    In a picture too small for that, the crop has another aspect ratio and is stretched to ``size``.
    """
    height, width = marked.shape
    rows, columns = marked.any(1).nonzero(), marked.any(0).nonzero()
    ends = [(int(side.min()), int(side.max()) + 1) for side in (columns, rows)]
    spans = [stop - start for start, stop in ends]
    grown = max(1.0, *(span / side for span, side in zip(spans, size, strict=True)))
    part = tuple(round(grown * side) for side in size)
    if part[0] > width or part[1] > height:
        inner = shaped((width, height), size)
        part = tuple(max(*pair) for pair in zip(inner, spans, strict=True))
    corner = (
        min(max((start + stop - length) // 2, 0), whole - length)
        for (start, stop), length, whole in zip(ends, part, (width, height), strict=True)
    )
    return Fit((next(corner), next(corner)), (part[0], part[1]), size)
