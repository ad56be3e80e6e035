"""Pictures brought to the size at which a network draws, and back: a part is cut out and resized.

Owns which part that is. Knows nothing of networks.
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
    """The part of a picture that begins at ``corner`` (x, y) and has the size ``part``, brought to ``size``."""

    corner: Pixels
    part: Pixels
    size: Pixels

    @classmethod
    def middle(cls, whole: Pixels, size: Pixels) -> Fit:
        """The largest part of the shape of ``size`` in the middle of a picture of the size ``whole``."""
        part = shaped(whole, size)
        return cls(((whole[0] - part[0]) // 2, (whole[1] - part[1]) // 2), part, size)

    def cut(self, pictures: Tensor) -> Tensor:
        """The part of [...,H,W], as it is."""
        (x, y), (width, height) = self.corner, self.part
        return pictures[..., y : y + height, x : x + width]

    def pictures(self, pictures: Tensor) -> Tensor:
        """[B,C,H,W] 0..1 -> [B,C,h,w]; those of the right size are not touched."""
        return resized(self.cut(pictures), self.size)

    def tracks(self, tracks: Tracks) -> Tracks:
        """Tracks on the whole picture as tracks on the resized part."""
        moved = tracks.moved((-self.corner[0], -self.corner[1]))
        return Tracks(moved.path, moved.visible, self.part).scaled(self.size)

    def back(self, pictures: Tensor) -> Tensor:
        """[B,C,h,w] 0..1 at the size of the part."""
        return resized(pictures, self.part)


def shaped(within: Pixels, shape: Pixels) -> Pixels:
    """The largest size in ``within`` that is as wide for its height as ``shape`` is, in whole pixels."""
    (width, height), (wide, high) = within, shape
    if width * high > height * wide:
        return max(round(height * wide / high), 1), height
    return width, max(round(width * high / wide), 1)


def resized(pictures: Tensor, size: Pixels) -> Tensor:
    """[B,C,H,W] 0..1 at another size (width, height), bicubic, blurred where they shrink."""
    if (pictures.shape[-1], pictures.shape[-2]) == size:
        return pictures
    return F.interpolate(pictures, (size[1], size[0]), mode="bicubic", antialias=True).clamp(0, 1)
