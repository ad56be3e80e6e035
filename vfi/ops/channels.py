"""Joining feature maps along their channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def side_by_side(parts: Sequence[Tensor]) -> Tensor:
    """Concatenate [B,C,H,W] along the channels; parts of batch 1 are broadcast to the batch of the others."""
    batch = max(part.shape[0] for part in parts)
    return torch.cat([part.expand(batch, -1, -1, -1) for part in parts], dim=1)
