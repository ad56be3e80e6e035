"""Backward warping: look up, for every pixel, where it comes from.

Two conventions are in use and trained weights know only one of them; each has its own name here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def warp_corners(image: Tensor, flow: Tensor) -> Tensor:
    """Sample ``image`` at ``position + flow``, the border repeated, pixel centres at whole numbers.

    This is ``grid_sample(align_corners=True)`` as RIFE, IFRNet and AMT use it. ``image`` is [B,C,H,W] of any float type,
    ``flow`` is [B,2,H,W] (dx, dy) in pixels. Sampling is always float32: half-precision grids wobble, and on some
    CPUs they fail. Returns [B,C,H,W] of ``image``'s type. A batch of 1 in either serves the whole batch of the other.
    """
    height, width = image.shape[-2:]
    flow = flow.float()
    x = torch.arange(width, device=flow.device, dtype=torch.float32)
    y = torch.arange(height, device=flow.device, dtype=torch.float32)
    grid_x = (x + flow[:, 0]) * (2 / max(width - 1, 1)) - 1
    grid_y = (y[:, None] + flow[:, 1]) * (2 / max(height - 1, 1)) - 1
    grid = torch.stack((grid_x, grid_y), dim=-1)
    batch = max(image.shape[0], grid.shape[0])
    source = image.float().expand(batch, -1, -1, -1)
    grid = grid.expand(batch, -1, -1, -1)
    return F.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=True).to(image.dtype)
