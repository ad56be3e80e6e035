"""What stands still, held still: its texture is averaged over the frames around.

Still is what does not move by the motion between frames, and whose changes do not grow with time: flicker goes back and forth,
motion goes on. A lasting change in a still place stays where it is in time. Knows nothing of light or of how motion is found.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core import Frame
from ...pixels.uint8 import LUMA, floats

BLOCK = 4
"""Side, in pixels, of the blocks in which frames are compared."""

CREEPS, MOVES = 0.12, 0.35
"""Motion per frame, in pixels of the picture in which it is found, up to which a place is still, and from which it moves."""

FLICKER = 0.04, 0.09
"""Mean change of a block up to which it is flicker, and from which it is something else."""

GROWS = 1.25, 1.6
"""Change over two frames, relative to that over one, up to which a place is still, and from which it moves."""

ALIKE = 1.5, 2.5
"""Change between two frames, relative to the usual one, up to which they show the same, and from which they do not."""

LEAST = 0.5 / 255
"""Change that is nothing."""


@dataclass
class Moment:
    """A frame on its way: ``frame`` as it came, its light made even in ``rgb`` [3,H,W] float, and ``speed`` [1,h,w], the
    motion to the next frame, in pixels of a smaller picture; None if that is not known."""

    frame: Frame
    rgb: Tensor
    speed: Tensor | None = None


class _Held:
    """A moment in the window, with its change from each of those before, nearest first, and where it stands still."""

    def __init__(self, moment: Moment, before: Iterable[_Held], radius: int) -> None:
        self.moment = moment
        luma = torch.einsum("chw,c->hw", moment.rgb, moment.rgb.new_tensor(LUMA))
        self.luma = luma if moment.frame.alpha is None else luma * floats(moment.frame.alpha)[0]
        earlier = list(before)[: -radius - 1 : -1]
        self.apart = [_blocks((self.luma - one.luma).abs()) for one in earlier]


def held(moments: Iterable[Moment], radius: int, strength: float) -> Iterator[tuple[Frame, Tensor]]:
    """The frames of a shot as they came, each with its picture held still by ``strength``, 0 to 1.

    Looks ``radius`` frames back and ahead, and holds so many.
    """
    window: deque[_Held] = deque(maxlen=2 * radius + 1)
    waiting = 0
    for moment in moments:
        window.append(_Held(moment, window, radius))
        waiting += 1
        if waiting > radius:
            yield _shown(window, len(window) - 1 - radius, radius, strength)
            waiting -= 1
    for place in range(len(window) - waiting, len(window)):
        yield _shown(window, place, radius, strength)


def _shown(window: deque[_Held], place: int, radius: int, strength: float) -> tuple[Frame, Tensor]:
    near = list(window)[max(place - radius, 0) : place + radius + 1]
    middle = min(place, radius)
    here = near[middle].moment
    found = _weights(near, middle)
    if found is None:
        return here.frame, here.rgb
    weights, usual = found
    size = here.rgb.shape[-2:]
    total = here.rgb.new_ones(1, *size)
    change = torch.zeros_like(here.rgb)
    for other, weight in weights:
        full = _grown(weight, size)
        total += full
        change.addcmul_(near[other].moment.rgb - here.rgb, full)
    change /= total
    bound = _grown(2.5 * usual, size)
    return here.frame, here.rgb + strength * torch.maximum(torch.minimum(change, bound), -bound)


def _weights(near: list[_Held], middle: int) -> tuple[list[tuple[int, Tensor]], Tensor] | None:
    """The weight of each neighbour of the middle one, [1,h,w] in blocks, and the usual change of a block from frame to frame.

    None if nothing is to be held still.
    """
    steps = [one.apart[0] for one in near[1:]]
    wider = [one.apart[1] for one in near[2:]]
    if len(near) < 3 or not wider:
        return None
    usual = torch.stack(steps).median(0).values
    if not bool((usual > LEAST / 4).any()):
        return None
    growth = torch.stack(wider).median(0).values / (usual + LEAST / 4)
    still = _falls(growth, *GROWS) * _falls(usual, *FLICKER)
    found = []
    for direction in (-1, 1):
        calm = still
        other = middle + direction
        while 0 <= other < len(near):
            earlier = near[min(other, other - direction)].moment
            if earlier.speed is None:
                break
            slow = _falls(earlier.speed, CREEPS, MOVES)
            calm = torch.minimum(calm, F.interpolate(slow[None], usual.shape[-2:], mode="bilinear")[0])
            apart = near[max(other, middle)].apart[abs(other - middle) - 1]
            weight = calm * _falls(apart, *(factor * usual + LEAST for factor in ALIKE))
            weight = -F.max_pool2d(-weight[None], 3, 1, 1)[0]
            if bool((weight > 0.01).any()):
                found.append((other, weight))
            other += direction
    return (found, usual) if found else None


def _blocks(change: Tensor) -> Tensor:
    """The mean of each block and its neighbours, [1,h,w], of a plane [H,W]."""
    pooled = F.avg_pool2d(change[None, None], BLOCK, ceil_mode=True, count_include_pad=False)
    return F.avg_pool2d(F.pad(pooled, (1, 1, 1, 1), mode="replicate"), 3, 1)[0]


def _falls(value: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """1 up to ``low``, 0 from ``high`` on."""
    return ((high - value) / (high - low)).clamp(0, 1)


def _grown(blocks: Tensor, size: torch.Size | tuple[int, ...]) -> Tensor:
    """A plane of blocks [1,h,w] at the size of the frame."""
    height, width = blocks.shape[-2] * BLOCK, blocks.shape[-1] * BLOCK
    full = F.interpolate(blocks[None], (height, width), mode="bilinear")[0]
    return full[..., : size[0], : size[1]]
