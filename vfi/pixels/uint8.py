"""Pictures of 8 bits as the floats that models take, and back.

Knows nothing of frames, of alpha or of files.
"""

from __future__ import annotations

import torch
from torch import Tensor

TOP = 255
"""The code that means 1."""

LINES = 128
"""Of a picture in 1280x720 so many are rounded at once on a CPU: they stay in its cache from one step to the next."""


LUMA = (0.299, 0.587, 0.114)
"""Rec. 601, as OpenCV and kornia have it."""


def floats(picture: Tensor) -> Tensor:
    """Codes of 8 bits as float32, 0..1; a picture of floats as float32."""
    return picture.float().div_(TOP) if picture.dtype == torch.uint8 else picture.float()


def codes(picture: Tensor) -> Tensor:
    """The nearest codes of 8 bits, uint8, of a picture [..,H,W] of floats; what lies outside 0..1 is clipped."""
    made = torch.empty_like(picture, dtype=torch.uint8)
    lines = LINES if picture.device.type == "cpu" else picture.shape[-2]
    for plain, rounded in zip(picture.split(lines, -2), made.split(lines, -2), strict=True):
        # By way of int16: from float to uint8 itself there is no vector instruction, and it takes four times as long.
        rounded.copy_((plain * TOP).round_().clamp_(0, TOP).to(torch.int16))
    return made


def like(one: Tensor, picture: Tensor) -> Tensor:
    """``picture`` of floats as ``one`` is: on its device, in its type, of codes where that is."""
    return (codes(picture) if one.dtype == torch.uint8 else picture).to(one)


def grey(rgb: Tensor) -> Tensor:
    """A picture [3,H,W], of codes or 0..1, as [H,W] uint8 on the CPU."""
    return codes(torch.einsum("chw,c->hw", floats(rgb.detach().cpu()), torch.tensor(LUMA)))
