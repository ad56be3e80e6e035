"""Light without bounds, for models that take codes of 0..1.

Knows nothing of any particular network, nor of files.
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
"""The light of code 1: the largest number of 16 bits."""

BLACK, WHITE = 0.05, 0.7
"""The codes of no light and of 1. Networks find motion worse in less contrast: with RIFE 4.25 sRGB loses 0.1 dB when it is
shrunk to 0.7, 0.4 dB at 0.5, and 1.2 dB as a logarithm over the whole range."""

BEND = 13.0
"""How the logarithm above 1 runs: its slope at 1 is that of sRGB below, to one in a thousand."""

_SRGB = named("srgb")
_STEP = (1 - WHITE) / math.log1p(BEND * (LARGEST - 1))


def code(light: Tensor) -> Tensor:
    """Codes in 0..1 for light of any value: sRGB, shrunk, from -0.006 up to 1 and a logarithm from there.

    What is not finite is taken for the end of the range, or for black.
    """
    light = light.nan_to_num(0.0, LARGEST, -LARGEST)
    below = BLACK + (WHITE - BLACK) * _SRGB.code(light.clamp(max=1))
    above = _STEP * torch.log1p(BEND * (light - 1).clamp(min=0))
    return (below + above).clamp(0, 1)


def light(code: Tensor) -> Tensor:
    """Undo `code`."""
    below = _SRGB.light((code.clamp(max=WHITE) - BLACK) / (WHITE - BLACK))
    above = torch.expm1((code - WHITE).clamp(min=0) / _STEP) / BEND
    return below + above


class Lit(Wrapper):
    """Runs the model on `code` of the light of frames, below 0 and above 1 too, and gives back frames like them.

    ``curve`` says what light the frames mean.
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
