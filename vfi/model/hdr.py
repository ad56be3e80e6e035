"""Unbounded light (HDR) for models that take codes in 0..1.

Knows nothing of any particular network or of files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..core import Interpolator
from ..pixels.transfer import Transfer, named
from .wrappers import Wrapper, at, encode, prepare

LARGEST = 65504.0
"""The light of code 1: the largest float16 number."""

BLACK, WHITE = 0.05, 0.7
"""The codes of light 0 and 1. Networks estimate motion less well at lower contrast: with RIFE 4.25, sRGB loses 0.1 dB when
scaled to 0.7, 0.4 dB at 0.5, and 1.2 dB as a logarithm over the whole range."""

BEND = 13.0
"""Curvature of the logarithm above 1: its slope at 1 is that of sRGB below, to one in a thousand."""

_SRGB = named("srgb")
_STEP = (1 - WHITE) / math.log1p(BEND * (LARGEST - 1))


def code(light: Tensor) -> Tensor:
    """Codes in 0..1 for light of any value: scaled sRGB from -0.006 up to 1, and a logarithm above.

    Infinities are taken for the ends of the range, NaN for black.
    """
    light = light.nan_to_num(0.0, LARGEST, -LARGEST)
    below = BLACK + (WHITE - BLACK) * _SRGB.code(light.clamp(max=1))
    above = _STEP * torch.log1p(BEND * (light - 1).clamp(min=0))
    return (below + above).clamp(0, 1)


def light(code: Tensor) -> Tensor:
    """The inverse of `code`."""
    below = _SRGB.light((code.clamp(max=WHITE) - BLACK) / (WHITE - BLACK))
    above = torch.expm1((code - WHITE).clamp(min=0) / _STEP) / BEND
    return below + above


class Lit(Wrapper):
    """Runs the model on the `code` of the frames' light, which may be below 0 or above 1, and returns frames like them.

    ``curve``: transfer function of the frames.
    """

    def __init__(self, model: Interpolator, curve: Transfer) -> None:
        super().__init__(model)
        self.curve = curve

    def encode(self, rgb: Tensor) -> tuple[Tensor, Any]:
        coded = code(self.curve.light(rgb))
        return coded, encode(self.model, coded)

    def prepare(self, features: Sequence[tuple[Tensor, Any]], frames: Sequence[Tensor]) -> Any:
        return prepare(self.model, [inner for _, inner in features], [coded for coded, _ in features])

    def at(self, prepared: Any, t: Tensor) -> Tensor:
        return self.curve.code(light(at(self.model, prepared, t)))
