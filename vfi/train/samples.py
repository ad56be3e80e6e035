"""One example to learn from, and many as a batch.

Knows shapes and nothing of where examples come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .teachers import GRID

PICTURES = ("before", "after", "truth", "picture")


@dataclass(frozen=True)
class Sample:
    """Both ends and what lies between them at ``t``, in (0,1): pictures [3,H,W], float32, 0..1, of sides that `GRID` divides.

    ``picture`` is what a teacher makes of the ends, the truth where there is none. ``flow`` [4,H/4,W/4] is the motion that is
    known, (dx, dy) in pixels of the picture to the frame before and then to the one after, and ``error`` [1,H/4,W/4] how far
    off, 0..1, the picture is that it leads to: infinite where nothing is known.
    """

    before: Tensor
    after: Tensor
    truth: Tensor
    picture: Tensor
    t: Tensor
    flow: Tensor
    error: Tensor

    def to(self, device: torch.device | str) -> Sample:
        return Sample(*(getattr(self, field.name).to(device) for field in fields(self)))

    @property
    def window(self) -> Tensor:
        """Both ends, [...,2,3,H,W]."""
        return torch.stack((self.before, self.after), dim=-4)


def sample(before: Tensor, after: Tensor, truth: Tensor, t: float) -> Sample:
    """An example of which no teacher knows anything."""
    height, width = (side // GRID for side in truth.shape[-2:])
    unknown = truth.new_full((1, height, width), torch.inf)
    return Sample(before, after, truth, truth, torch.tensor(t), truth.new_zeros(4, height, width), unknown)


def batch(samples: Sequence[Sample]) -> Sample:
    """The same with a batch before everything: [B,3,H,W] and so on, t [B]."""
    return Sample(*(torch.stack([getattr(one, field.name) for one in samples]) for field in fields(Sample)))
