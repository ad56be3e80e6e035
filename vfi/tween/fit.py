"""Fits pictures to the size at which a network draws, and back, by cropping and resizing.

Owns the choice of the crop. Knows nothing of networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ..tracks import Tracks

Pixels = tuple[int, int]
"""Width and height."""


@dataclass(frozen=True)
class Fit:
    """A crop of size ``part`` at ``corner`` (x, y), resized to ``size``."""

    corner: Pixels
    part: Pixels
    size: Pixels

    @classmethod
    def middle(cls, whole: Pixels, size: Pixels) -> Fit:
        """The largest centred crop of a ``whole`` picture with the aspect ratio of ``size``."""
        part = shaped(whole, size)
        return cls(((whole[0] - part[0]) // 2, (whole[1] - part[1]) // 2), part, size)

    def cut(self, pictures: Tensor) -> Tensor:
        """The crop of [...,H,W], not resized."""
        (x, y), (width, height) = self.corner, self.part
        return pictures[..., y : y + height, x : x + width]

    def pictures(self, pictures: Tensor) -> Tensor:
        """[B,C,H,W] 0..1 -> [B,C,h,w], cropped and resized; bit-exact if the crop already has the right size."""
        return resized(self.cut(pictures), self.size)

    def tracks(self, tracks: Tracks) -> Tracks:
        """Convert tracks on the whole picture to tracks on the resized crop."""
        moved = tracks.moved((-self.corner[0], -self.corner[1]))
        return Tracks(moved.path, moved.visible, self.part).scaled(self.size)

    def back(self, pictures: Tensor) -> Tensor:
        """Resize [B,C,h,w] 0..1 back to the size of the crop."""
        return resized(pictures, self.part)


def shaped(within: Pixels, shape: Pixels) -> Pixels:
    """The largest size inside ``within`` with the aspect ratio of ``shape``, in whole pixels."""
    (width, height), (wide, high) = within, shape
    if width * high > height * wide:
        return max(round(height * wide / high), 1), height
    return width, max(round(width * high / wide), 1)


def resized(pictures: Tensor, size: Pixels) -> Tensor:
    """Resize [B,C,H,W] 0..1 to ``size`` (width, height): bicubic, antialiased when shrinking."""
    if (pictures.shape[-1], pictures.shape[-2]) == size:
        return pictures
    return F.interpolate(pictures, (size[1], size[0]), mode="bicubic", antialias=True).clamp(0, 1)
