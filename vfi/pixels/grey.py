"""Pictures as OpenCV's finders of points want them: grey, in codes of 8 bits."""

from __future__ import annotations

import torch
from torch import Tensor

from .uint8 import codes, floats

LUMA = (0.299, 0.587, 0.114)
"""Rec. 601, as OpenCV and kornia have it."""


def grey(rgb: Tensor) -> Tensor:
    """A picture [3,H,W], of codes or 0..1, as [H,W] uint8 on the CPU."""
    return codes(torch.einsum("chw,c->hw", floats(rgb.detach().cpu()), torch.tensor(LUMA)))
