"""Flicker check: whether made frames alternate with input frames in brightness or colour, as when a model shifts either.

Knows nothing of how frames are made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import Frame
from .uint8 import floats

LUMA = (0.2126, 0.7152, 0.0722)
"""Luma weights of BT.709."""


@dataclass(frozen=True)
class Flicker:
    """Brightness of made frames relative to the input frames around them, as a fraction of the clip's mean luma.

    ``shift`` is the mean difference of luma, ``colour`` that of red, green and blue; ``noise`` is the standard error of
    ``shift``, and ``frames`` is how many made frames were compared.
    """

    shift: float = 0.0
    colour: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise: float = 0.0
    frames: int = 0

    @property
    def seen(self) -> bool:
        """Whether luma or a colour alternates by at least 0.3 % and at least four standard errors."""
        return max(map(abs, (self.shift, *self.colour))) >= max(0.003, 4 * self.noise)


def flicker(frames: Iterable[Frame]) -> Flicker:
    """Compare the mean colour of each made frame (`core.Frame.made`) with those of the input frames on either side.

    These are weighted by nearness in time, so that an even fade adds nothing and an alternation counts in full. Made frames
    without input frames on both sides in their shot are left out. Holds only mean colours.
    """
    differences: list[Tensor] = []
    levels: list[Tensor] = []
    waiting: list[tuple[Frame, Tensor]] = []
    before: tuple[Frame, Tensor] | None = None
    for frame in frames:
        mean = floats(frame.rgb).double().mean(dim=(1, 2)).cpu()
        if before is not None and frame.shot != before[0].shot:
            before, waiting = None, []
        if frame.made:
            waiting.append((frame, mean))
            continue
        if before is not None:
            span = frame.time - before[0].time
            for made, colour in waiting:
                differences.append(colour - torch.lerp(before[1], mean, float((made.time - before[0].time) / span)))
        levels.append(mean)
        before, waiting = (frame, mean), []
    if not differences:
        return Flicker()
    weights = torch.tensor(LUMA, dtype=torch.float64)
    each = torch.stack(differences) / (torch.stack(levels).mean(dim=0) @ weights).clamp(min=1e-6)
    luma = each @ weights
    noise = float(luma.std(correction=0)) / len(luma) ** 0.5
    red, green, blue = each.mean(dim=0).tolist()
    return Flicker(float(luma.mean()), (red, green, blue), noise, len(luma))
