"""The timestep of a frame as a plane: one value for the whole frame, or a value for every pixel.

A timestep is t [B], or a map [B,1,H,W] with a time for every pixel of the new frame; both lie in (0, 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def is_map(t: Tensor) -> bool:
    """Whether ``t`` holds a time for every pixel."""
    return t.ndim == 4


def time_plane(t: Tensor) -> Tensor:
    """t [B] as float32 [B,1,1,1]; a map [B,1,H,W] as float32."""
    return t.float() if is_map(t) else t.float().reshape(-1, 1, 1, 1)


def time_at(plane: Tensor, size: Sequence[int]) -> Tensor:
    """A `time_plane` on a grid of ``size`` (h, w): a map is averaged or enlarged, one value [B,1,1,1] stays unchanged."""
    if plane.shape[-2:] == (1, 1) or list(plane.shape[-2:]) == list(size):
        return plane
    smaller = size[0] <= plane.shape[-2] and size[1] <= plane.shape[-1]
    return F.interpolate(plane, size=tuple(size), mode="area" if smaller else "bilinear")
