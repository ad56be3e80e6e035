"""Light without bounds, for models that take codes of 0..1.

Knows nothing of any particular network, nor of files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .core import Interpolator, Motion
from .wrap import Wrapper, at, encode, prepare

LARGEST = 65504.0
"""The light of code 1: the largest number of 16 bits."""

TOE, BLACK = 0.02, 0.1
"""The light below which codes run evenly, and the code of no light; below that is light down to -0.055."""

_SCALE = (1 - BLACK) / math.asinh(LARGEST / TOE)


def code(light: Tensor) -> Tensor:
    """Codes in 0..1 for light of any value: an inverse hyperbolic sine, which runs evenly near black and as a logarithm above.

    Mid grey, 0.18, becomes 0.27 and white, 1, 0.36. What is not finite is taken for the end of the range, or for black.
    """
    return (BLACK + _SCALE * torch.asinh(light.nan_to_num(0.0, LARGEST, -LARGEST) / TOE)).clamp(0, 1)


def light(code: Tensor) -> Tensor:
    """Undo `code`."""
    return TOE * torch.sinh((code - BLACK) / _SCALE)


class Lit(Wrapper):
    """Runs the model on `code` of frames that hold light, below 0 and above 1 too, and gives light back."""

    def __init__(self, model: Interpolator) -> None:
        super().__init__(model)

    def encode(self, rgb: Tensor) -> tuple[Tensor, Any]:
        coded = code(rgb)
        return coded, encode(self.model, coded)

    def prepare(self, features: Sequence[tuple[Tensor, Any]], window: Tensor) -> Any:
        return prepare(self.model, [inner for _, inner in features], torch.stack([coded for coded, _ in features], dim=1))

    def at(self, prepared: Any, t: Tensor) -> Tensor:
        return light(at(self.model, prepared, t))

    def motion(self, window: Tensor, t: Tensor) -> Motion:
        return super().motion(code(window), t)
