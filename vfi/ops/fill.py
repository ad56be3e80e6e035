"""Fills the unknown pixels of a picture from those around them.

Known pixels are averaged over ever larger squares, and each gap takes the mean of the smallest squares that hold some: the
pull and push of Gortler, Grzeszczuk, Szeliski and Cohen, "The Lumigraph", SIGGRAPH 1996.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def filled(picture: Tensor, known: Tensor) -> Tensor:
    """``picture`` [B,C,H,W] where ``known`` [B,1,H,W] is 1, and smoothly what lies around where it is 0; zero if nothing is."""
    height, width = picture.shape[-2:]
    if min(height, width) < 2 or bool((known >= 1).all()):
        return picture * known + _mean(picture, known) * (1 - known)
    held = torch.cat((picture * known, known), dim=1)
    small = F.avg_pool2d(held, 2, ceil_mode=True, count_include_pad=False)
    weight = small[:, -1:]
    around = filled(small[:, :-1] / weight.clamp(min=1e-6), weight.clamp(max=0.25) * 4)
    return torch.lerp(F.interpolate(around, size=(height, width), mode="bilinear"), picture, known)


def _mean(picture: Tensor, known: Tensor) -> Tensor:
    total = known.sum((-2, -1), keepdim=True)
    return (picture * known).sum((-2, -1), keepdim=True) / total.clamp(min=1e-6)
