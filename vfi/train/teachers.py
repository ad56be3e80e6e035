"""Teachers' results for the windows of a shard: their motion, and their frames as softer targets than the true frame.

Computed once and cached beside the shard, so that a small network learns from large ones quickly. Knows nothing of the
learning itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import InputError, Interpolator
from ..model.weights.files import read, write
from ..model.wrappers import Wrapper, estimates_motion
from ..ops.warp import warp_corners
from ..pixels.uint8 import codes

GRID = 4
"""Pixels of the picture per cell of the stored motion, along each side."""


def beside(shard: Path, kind: str) -> Path:
    """The file of a teacher's results for a shard."""
    return shard.with_suffix(f".{kind}.safetensors")


def teach_motion(shard: Path, model: Interpolator, name: str) -> None:
    """Store the motion that ``model`` estimates in each window; an existing file is kept.

    The file holds float16 ``flow`` [N,4,h,w], (dx, dy) in pixels of the picture from the true frame's time to both ends, and
    ``error`` [N,1,h,w]: mean absolute difference, 0..1, between the blend of the warped ends and the true frame.

    Raises `InputError` if the model does not estimate motion.
    """
    if beside(shard, "motion").is_file():
        return
    if not (estimates_motion(model) and isinstance(model, Wrapper)):
        raise InputError(f"{name} does not estimate motion: a motion teacher must")
    flows, errors = [], []
    for window, t, truth in each(shard):
        motion = model.motion(window, t)
        warped0, warped1 = warp_corners(window[:, 0], motion.flow0), warp_corners(window[:, 1], motion.flow1)
        error = (torch.lerp(warped1, warped0, motion.mask) - truth).abs().mean(dim=1, keepdim=True)
        flows.append(F.avg_pool2d(torch.cat((motion.flow0, motion.flow1), dim=1), GRID).half())
        errors.append(F.avg_pool2d(error, GRID).half())
    write(beside(shard, "motion"), {"flow": torch.cat(flows), "error": torch.cat(errors)}, {"teacher": name})


def teach_pictures(shard: Path, model: Interpolator, name: str, longest: int) -> None:
    """Store the frame that ``model`` makes for each window, uint8 ``picture`` [N,3,H,W]; an existing file is kept.

    If the ends of a window are more than ``longest`` frames apart, the true frame is stored instead.
    """
    if beside(shard, "picture").is_file():
        return
    ends = read(shard)["windows"]
    near = (ends[:, 2] - ends[:, 0] <= longest).tolist()
    pictures = [model(window, t) if asked else truth for asked, (window, t, truth) in zip(near, each(shard), strict=True)]
    write(beside(shard, "picture"), {"picture": codes(torch.cat(pictures).cpu())}, {"teacher": name})


@torch.inference_mode()
def each(shard: Path, every: int = 1) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The windows of a shard, or only each ``every``-th: both ends [1,2,3,H,W], t [1] and the true frame [1,3,H,W]."""
    tensors = read(shard)
    for (before, at, after), t in zip(tensors["windows"][::every].tolist(), tensors["times"][::every], strict=True):
        ends = tensors["frames"][[before, after]].float() / 255
        yield ends[None], t[None], tensors["frames"][at, None].float() / 255
