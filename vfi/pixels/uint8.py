"""Conversion between uint8 pictures (0..255) and the float pictures (0..1) that models take.

Knows nothing of frames, of alpha or of files.
"""

from __future__ import annotations

import torch
from torch import Tensor

TOP = 255
"""The code that means 1."""

LINES = 128
"""Rows rounded at once on a CPU: at 1280x720, this many stay in its cache from one step to the next."""


LUMA = (0.299, 0.587, 0.114)
"""Luma weights of Rec. 601, as in OpenCV and kornia."""


def floats(picture: Tensor) -> Tensor:
    """A uint8 picture as float32, 0..1; a float picture as float32."""
    return picture.float().div_(TOP) if picture.dtype == torch.uint8 else picture.float()


def codes(picture: Tensor) -> Tensor:
    """A float picture [..,H,W] rounded to uint8; values outside 0..1 are clipped."""
    made = torch.empty_like(picture, dtype=torch.uint8)
    lines = LINES if picture.device.type == "cpu" else picture.shape[-2]
    for plain, rounded in zip(picture.split(lines, -2), made.split(lines, -2), strict=True):
        # Via int16: float straight to uint8 has no vector instruction and takes four times as long.
        rounded.copy_((plain * TOP).round_().clamp_(0, TOP).to(torch.int16))
    return made


def like(one: Tensor, picture: Tensor) -> Tensor:
    """A float ``picture`` converted to the device and dtype of ``one``; to codes if that is uint8."""
    return (codes(picture) if one.dtype == torch.uint8 else picture).to(one)


def grey(rgb: Tensor) -> Tensor:
    """Luma of a picture [3,H,W], uint8 or 0..1, as [H,W] uint8 on the CPU."""
    return codes(torch.einsum("chw,c->hw", floats(rgb.detach().cpu()), torch.tensor(LUMA)))
