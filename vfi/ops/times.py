"""A time per frame, or one per pixel, as a plane that networks take among their features.

Zhong et al., "Clearer Frames, Anytime: Resolving Velocity Ambiguity in Video Frame Interpolation", ECCV 2024, call a time per
pixel a distance map: how much of its way a pixel has gone. Knows nothing of any particular network.
"""

from __future__ import annotations

from torch import Tensor


def time_planes(t: Tensor) -> Tensor:
    """``t`` [B] as planes [B,1,1,1], which broadcast to any size; a time per pixel, [B,1,H,W], stays as it is."""
    return t.reshape(-1, 1, 1, 1) if t.ndim == 1 else t
