"""Baselines without motion: ``linear`` cross-fades, ``nearest`` repeats frames.

Knows nothing of motion, and needs no weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..core import Options, Spec
from ..ops.checks import check_no_network


class Linear:
    """Cross-fade: (1 - t) of the frame before plus t of the one after."""

    spec = Spec("linear", activations=10, licence="MIT")

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        return self.at(window.unbind(1), t)

    def prepare(self, features: Sequence[None], frames: Sequence[Tensor]) -> Sequence[Tensor]:
        return frames

    def at(self, prepared: Sequence[Tensor], t: Tensor) -> Tensor:
        before, after = prepared
        return torch.lerp(before, after, t.to(before).view(-1, 1, 1, 1))


class Nearest:
    """Returns the frame that is nearer in time; at t = 1/2, the one before."""

    spec = Spec("nearest", activations=10, licence="MIT")

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        return self.at(window.unbind(1), t)

    def prepare(self, features: Sequence[None], frames: Sequence[Tensor]) -> Sequence[Tensor]:
        return frames

    def at(self, prepared: Sequence[Tensor], t: Tensor) -> Tensor:
        before, after = prepared
        return torch.where(t.view(-1, 1, 1, 1) <= 0.5, before, after)


def linear(options: Options) -> Linear:
    """Build the model. Raises `InputError` for options that only networks have."""
    check_no_network("linear", options)
    return Linear()


def nearest(options: Options) -> Nearest:
    """Build the model. Raises `InputError` for options that only networks have."""
    check_no_network("nearest", options)
    return Nearest()


BUILTIN = {"linear": linear, "nearest": nearest}

SUITS: dict[str, str] = {
    "linear": "cross-fades and comparison: what moves shows twice",
    "nearest": "comparison: repeats the nearer frame",
}
