"""Similarity of two thumbnails: enough to tell a repeat from motion, or a loop point from a cut.

Knows nothing of time, or of what is done with the result.
"""

from __future__ import annotations

from torch import Tensor

from ..core import Frame
from .area import area_mean
from .uint8 import floats

SMALL = (36, 64)
"""Height and width of the thumbnails."""


def small(frame: Frame) -> Tensor:
    """Colours of a frame, averaged down to [3,36,64], which also averages out noise and coding errors."""
    return area_mean(floats(frame.rgb), SMALL)


def apart(one: Tensor, other: Tensor) -> float:
    """Mean absolute difference of two thumbnails: 0 for equal pictures, 1 for black against white."""
    return float((one - other).abs().mean())
