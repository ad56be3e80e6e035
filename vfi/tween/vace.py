"""What Wan VACE takes in place of keyframes: a control video and masks.

In a frame to make, the control video is mid-grey and its mask 1; in a known one, the mask is 0 (Jiang et al., *VACE*, 2025).
Owns these rules and the length of Wan's clips. Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ..core import InputError
from .fit import Pixels, resized, shaped

GROUP = 4
"""Wan's autoencoder takes the first frame alone and then groups of so many: a clip has a multiple of this, plus one."""

CELL = 16
"""Sides of a picture are multiples of this: 8 pixels per latent, 2 latents per token."""

UNKNOWN = 0.5
"""Grey of the control video where nothing is known."""


def check(frames: int, size: Pixels) -> None:
    """Raises `InputError` unless Wan can draw a clip of this length and size (width, height)."""
    if frames % GROUP != 1:
        below = max(frames - 1, 0) // GROUP * GROUP + 1
        raise InputError(
            f"a length of {frames} frames was asked for: Wan needs a multiple of 4 plus 1, such as {below} or {below + GROUP}"
        )
    if any(side % CELL for side in size):
        raise InputError(f"a size of {size[0]}x{size[1]} was asked for: Wan needs multiples of {CELL}")


def control(known: Iterable[tuple[int, Tensor]], frames: int, size: Pixels) -> tuple[Tensor, Tensor]:
    """The control video [T,3,h,w] 0..1 of a clip of which frames are ``known``, and whether each is to be made, [T] bool.

    ``known``: frame numbers with their pictures [3,h,w], which have the ``size`` (width, height).
    """
    video = torch.full((frames, 3, size[1], size[0]), UNKNOWN)
    unknown = torch.ones(frames, dtype=torch.bool)
    for index, picture in known:
        video[index] = picture
        unknown[index] = False
    return video, unknown


def reference(picture: Tensor, size: Pixels) -> Tensor:
    """A picture [3,H,W] 0..1 as VACE takes a reference: whole, in the middle of a white canvas [3,h,w] of ``size``."""
    width, height = shaped(size, (picture.shape[2], picture.shape[1]))
    canvas = torch.ones(3, size[1], size[0])
    x, y = (size[0] - width) // 2, (size[1] - height) // 2
    canvas[:, y : y + height, x : x + width] = resized(picture[None], (width, height))[0]
    return canvas
