"""Pictures and planes as arrays, and the few things that are done with them everywhere: sampled along offsets, and averaged.

All are float32: a picture [H,W,C], a plane [H,W], an offset [H,W,2] (dx, dy) in pixels, from a pixel to where its content lies
in another picture. OpenCV does the work, on the CPU. Knows nothing of keys or clips.
"""

from __future__ import annotations

from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array: TypeAlias = "npt.NDArray[np.float32]"

LUMA = (0.299, 0.587, 0.114)


def array_of(picture: Tensor) -> Array:
    """A float picture [C,H,W] as an array [H,W,C]."""
    made: Array = np.ascontiguousarray(picture.detach().cpu().float().permute(1, 2, 0).numpy())
    return made


def finite(picture: Array) -> Array:
    """A picture in which numbers that are none are black, and infinite ones the largest that half a float holds."""
    made: Array = np.nan_to_num(picture, nan=0.0, posinf=65504.0, neginf=-65504.0)
    return made


def tensor_of(picture: Array) -> Tensor:
    """An array [H,W,C] as a picture [C,H,W]."""
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)


def places(height: int, width: int) -> tuple[Array, Array]:
    """The x and the y of every pixel, to be broadcast to [H,W]."""
    return np.arange(width, dtype=np.float32)[None], np.arange(height, dtype=np.float32)[:, None]


def sampled(picture: Array, offset: Array, *, cubic: bool = False) -> Array:
    """What lies at each pixel's ``offset``, bilinearly or by cubic convolution; edges are continued outside."""
    import cv2

    x, y = places(*offset.shape[:2])
    how = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    made = cv2.remap(picture, offset[..., 0] + x, offset[..., 1] + y, how, borderMode=cv2.BORDER_REPLICATE)
    return cast(Array, made)


def averaged(plane: Array, radius: int) -> Array:
    """The mean of the square of ``radius`` pixels around each pixel; edges are continued outside."""
    import cv2

    side = 2 * radius + 1
    return cast(Array, cv2.blur(plane, (side, side), borderType=cv2.BORDER_REPLICATE))


def resized(planes: Array, size: tuple[int, int]) -> Array:
    """Planes [H,W,C] in another ``size`` (width, height): smaller ones hold means, larger ones are interpolated linearly."""
    import cv2

    how = cv2.INTER_AREA if size[0] <= planes.shape[1] else cv2.INTER_LINEAR
    return cast(Array, cv2.resize(planes, size, interpolation=how))


def mean_of(planes: Array) -> Array:
    """The mean [H,W] of planes [H,W,C]: numpy's own takes several times as long."""
    made: Array = planes @ np.full(planes.shape[-1], 1 / planes.shape[-1], np.float32)
    return made


def luma(picture: Array) -> Array:
    """The luma [H,W] of a picture [H,W,3]."""
    made: Array = picture @ np.array(LUMA, np.float32)
    return made


def outside(offset: Array) -> npt.NDArray[np.bool_]:
    """Where ``offset`` leads out of the picture, [H,W]."""
    height, width = offset.shape[:2]
    x, y = places(height, width)
    x, y = offset[..., 0] + x, offset[..., 1] + y
    return (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)


def length(offset: Array) -> Array:
    """The length of each offset, [H,W]."""
    made: Array = np.sqrt(np.square(offset).sum(-1))
    return made
