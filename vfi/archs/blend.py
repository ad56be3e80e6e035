"""The honest floor: what in-between frames look like without any motion. ``linear`` cross-fades, ``nearest`` repeats.

Knows nothing of motion, and needs no weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..core import Options, Spec
from ..ops.checks import check_no_network


class Linear:
    """The cross-fade: (1 - t) of the frame before and t of the one after."""

    spec = Spec("linear", activations=10, licence="MIT")

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        return self.at(window.unbind(1), t)

    def prepare(self, features: Sequence[None], frames: Sequence[Tensor]) -> Sequence[Tensor]:
        return frames

    def at(self, prepared: Sequence[Tensor], t: Tensor) -> Tensor:
        before, after = prepared
        return torch.lerp(before, after, t.to(before).view(-1, 1, 1, 1))


class Nearest:
    """The frame that is nearer in time; the one before at t = 1/2."""

    spec = Spec("nearest", activations=10, licence="MIT")

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        return self.at(window.unbind(1), t)

    def prepare(self, features: Sequence[None], frames: Sequence[Tensor]) -> Sequence[Tensor]:
        return frames

    def at(self, prepared: Sequence[Tensor], t: Tensor) -> Tensor:
        before, after = prepared
        return torch.where(t.view(-1, 1, 1, 1) <= 0.5, before, after)


def linear(options: Options) -> Linear:
    """Raises `InputError` for the options of a network."""
    check_no_network("linear", options)
    return Linear()


def nearest(options: Options) -> Nearest:
    """Raises `InputError` for the options of a network."""
    check_no_network("nearest", options)
    return Nearest()


BUILTIN = {"linear": linear, "nearest": nearest}
