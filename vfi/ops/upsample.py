"""Flow upsampling: each fine pixel is a learned mean of the coarse ones around it. Knows nothing of how it is learned."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def upsample_convex(flow: Tensor, weight: Tensor, factor: int) -> Tensor:
    """Upsample ``flow`` [B,2,H,W] by ``factor`` and scale its vectors (RAFT: Teed and Deng, ECCV 2020).

    ``weight`` is [B,9*factor**2,H,W]: logits for the coarse pixel and its eight neighbours, row by row, each with one
    channel per fine pixel, row by row. Returns [B,2,factor*H,factor*W], float32 or better.
    """
    batch, _, height, width = flow.shape
    share = weight.to(flow.dtype).reshape(batch, 1, 9, factor**2, height, width).softmax(dim=2)
    around = F.unfold(factor * flow, 3, padding=1).reshape(batch, 2, 9, 1, height, width)
    return F.pixel_shuffle((share * around).sum(dim=2).flatten(1, 2), factor)
