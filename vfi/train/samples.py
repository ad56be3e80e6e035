"""One training example, and batches of them.

Knows shapes, and nothing of where examples come from.
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
    """Two end frames and the ground truth at ``t``, in (0,1): pictures [3,H,W], float32, 0..1, with sides divisible by `GRID`.

    ``picture``: a teacher's frame, or the truth without a teacher. ``flow`` [4,H/4,W/4]: known motion, (dx, dy) in pixels of
    the picture, to the frame before, then to the one after. ``error`` [1,H/4,W/4]: difference, 0..1, of the picture warped by
    that flow from the truth; infinite where no motion is known.
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
        """Both end frames, [...,2,3,H,W]."""
        return torch.stack((self.before, self.after), dim=-4)


def sample(before: Tensor, after: Tensor, truth: Tensor, t: float) -> Sample:
    """An example without any teacher's data."""
    height, width = (side // GRID for side in truth.shape[-2:])
    unknown = truth.new_full((1, height, width), torch.inf)
    return Sample(before, after, truth, truth, torch.tensor(t), truth.new_zeros(4, height, width), unknown)


def batch(samples: Sequence[Sample]) -> Sample:
    """Stack samples along a leading batch dimension: [B,3,H,W] and so on, t [B]."""
    return Sample(*(torch.stack([getattr(one, field.name) for one in samples]) for field in fields(Sample)))
