"""How alike two pictures are, seen small: enough to tell a repeat from a step, a wrap from a cut.

Knows nothing of time, and nothing of what is done about it.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..core import Frame
from .uint8 import floats

SMALL = (36, 64)
"""Height and width of the copies that are compared."""


def small(frame: Frame) -> Tensor:
    """The colours of a frame, averaged down to [3,36,64]; noise and coding errors are averaged away with them."""
    return F.adaptive_avg_pool2d(floats(frame.rgb), SMALL)


def apart(one: Tensor, other: Tensor) -> float:
    """The mean absolute difference of two such copies: 0 for equal pictures, 1 for black and white."""
    return float((one - other).abs().mean())
