"""Alpha: colours are premultiplied before they are mixed and divided by alpha afterwards.

Knows nothing of how frames are made or stored.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..core import Frame, Motion
from ..ops.warp import warp_corners
from .uint8 import floats


def premultiplied(frame: Frame) -> Tensor:
    """Colour times alpha, [3,H,W] float32; the plain colour if the frame has no alpha."""
    rgb = floats(frame.rgb)
    return rgb if frame.alpha is None else rgb * floats(frame.alpha)


def straight(rgb: Tensor, alpha: Tensor, low: Any = 0.0, high: Any = 1.0) -> Tensor:
    """Undo `premultiplied`: [..,3,H,W] and [..,1,H,W] to colour in ``low`` to ``high``, black where alpha is 0.

    Both ends are numbers, or both tensors [] on the device.
    """
    return torch.where(alpha > 0, rgb / alpha.clamp(min=1e-6), torch.zeros_like(rgb)).clamp(low, high)


def moved(before: Tensor, after: Tensor, motion: Motion) -> Tensor:
    """Two planes warped along ``motion`` and blended by its mask: [B,1,H,W]."""
    mask = motion.mask
    return warp_corners(before, motion.flow0) * mask + warp_corners(after, motion.flow1) * (1 - mask)
