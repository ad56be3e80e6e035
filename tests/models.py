"""Small models with known results."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vfi.core import InputError, Interpolator, Motion, Spec


class Blend:
    """A linear blend that counts its calls."""

    def __init__(self, **spec) -> None:
        self.spec = Spec("blend", **spec)
        self.calls = 0

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        height, width = window.shape[-2:]
        spec = self.spec
        if height % spec.multiple or width % spec.multiple or min(height, width) < spec.min_size:
            raise InputError(f"{width}x{height} does not suit the network")
        middle = window.shape[1] // 2
        weight = t[:, None, None, None]
        return window[:, middle - 1] * (1 - weight) + window[:, middle] * weight


class Bare:
    """``model`` as one that estimates no motion and computes nothing per frame or pair, with a ``spec`` of its own."""

    def __init__(self, model: Interpolator, spec: Spec) -> None:
        self.model, self.spec = model, spec

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        return self.model(window, t)


class Encoding(Blend):
    """A blend that counts its calls per frame (``encode``) and per pair (``prepare``)."""

    def __init__(self, **spec) -> None:
        super().__init__(**spec)
        self.encoded = self.prepared = 0

    def encode(self, rgb: Tensor) -> Tensor:
        self.encoded += 1
        return rgb * 2

    def prepare(self, features: list[Tensor], frames: Sequence[Tensor]) -> Tensor:
        self.prepared += 1
        return torch.stack(features, dim=1) / 2

    def at(self, prepared: Tensor, t: Tensor) -> Tensor:
        return Blend.__call__(self, prepared, t)

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        return self.at(self.prepare([self.encode(rgb) for rgb in window.unbind(1)], window.unbind(1)), t)


class Shift(Blend):
    """A blend whose motion is ``dx`` pixels to the right everywhere."""

    def __init__(self, dx: float, **spec) -> None:
        super().__init__(**spec)
        self.dx = dx

    def motion_at(self, window: Tensor, t: Tensor) -> Motion:
        flow = torch.zeros(t.shape[0], 2, *window.shape[-2:])
        flow0, flow1 = flow.clone(), flow.clone()
        flow0[:, 0] = -self.dx * t[:, None, None]
        flow1[:, 0] = self.dx * (1 - t[:, None, None])
        return Motion(flow0, flow1, torch.full_like(flow[:, :1], 0.5))


class Lopsided(Blend):
    """Leaves a mark in the top left corner and leans towards the first frame, so that every flip and swap shows."""

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        made = super().__call__(window, t**2)
        mark = torch.zeros_like(made)
        mark[..., 0, 0] = 1
        return made + mark
