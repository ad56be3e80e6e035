"""Frames of a clip drawn anew where they are in doubt, between frames that are not.

Owns which frames and which part of the picture are drawn at once, and how what was drawn is laid over the clip: outside of what
is in doubt no pixel changes. How frames are drawn comes from outside. Knows nothing of networks.
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
"""(pictures [F,3,h,w] 0..1, mask [F,h/8,w/8], 1 where they are to be drawn anew and 0 in the first and last) -> [F,3,h,w]"""


@dataclass(frozen=True)
class Repair:
    """What is drawn anew. Raises `InputError`.

    What doubts more than ``threshold``, 0 to 1, is, and up to ``grow`` pixels around it, where the new picture fades into the
    old. ``frames`` are drawn at once, where the clip has them, at ``size`` (width, height).
    """

    threshold: float = 0.15
    grow: int = 16
    frames: int = FRAMES
    size: Pixels = SIZE

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise InputError(f"a threshold of {self.threshold:g} was given: it lies between 0 and 1")
        if self.grow < 0 or self.frames < 3:
            raise InputError(f"{self.grow} pixels around and {self.frames} frames were given: 0 and 3 are the least")

    def shares(self, doubt: Tensor) -> Tensor:
        """How much of each pixel of a clip is to be new, [T,H,W] 0..1; nothing of the first and the last frame."""
        shares = torch.zeros_like(doubt, dtype=torch.float32)
        for share, own in zip(shares[1:-1], doubt[1:-1], strict=True):
            doubted = own > self.threshold
            if doubted.any():
                share[:] = grown(doubted.float(), self.grow // 2)
        return shares

    def windows(self, shares: Tensor) -> list[range]:
        """Which frames are drawn at once, for the `shares` of a clip: see `windows`."""
        return windows(shares.flatten(1).any(1).tolist(), self.frames)


def repaired(clip: Tensor, shares: Tensor, redraw: Redraw, repair: Repair | None = None) -> Tensor:
    """A ``clip`` [T,3,H,W] 0..1, of whose pixels those ``shares`` [T,H,W] are drawn anew: see `Repair.shares`.

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
        shares[frames] = 0  # no longer in doubt: the next window may begin with them
    return clip


def grown(doubted: Tensor, half: int) -> Tensor:
    """1 where [H,W] is 1, falling to 0 over twice ``half`` pixels around."""
    plane = doubted[None, None]
    for side in ((half, 0), (0, half)):
        plane = F.max_pool2d(plane, (2 * side[0] + 1, 2 * side[1] + 1), 1, side)
    plane = F.pad(plane, (half,) * 4, mode="replicate")
    for side in ((half, 0), (0, half)):
        plane = F.avg_pool2d(plane, (2 * side[0] + 1, 2 * side[1] + 1), 1)
    return plane[0, 0]


def windows(marked: Sequence[bool], frames: int) -> list[range]:
    """Runs of a clip that hold all ``marked`` frames, neither the first nor the last of which is one.

    Each begins and ends with a frame that is not marked or is in an earlier one, and has as many as ``frames`` where the clip
    has them, or more where more than that are marked in a row.
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
    """The part of a picture that holds all that is ``marked`` [H,W]: of the shape of ``size`` and no smaller, where it can be.

    Where the picture is too small for that it is of another shape, and squeezed.
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
