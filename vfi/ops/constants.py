"""Small tables of numbers on a device, copied there once: a copy of a list waits until the device has done all its work.

Knows nothing of what the numbers mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

KNOWN = "known_numbers"
"""The attribute of a constant on a device that holds its numbers, rounded as they are there."""


def constant(values: Sequence[float], device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    """``values`` as a tensor [N] that is shared: never change it in place."""
    return _constant(tuple(values), device, dtype)


def numbers(t: Tensor) -> list[float]:
    """The numbers of a tensor [N]. If `constant` made it, the device is not waited for."""
    known: list[float] | None = getattr(t, KNOWN, None)
    return t.tolist() if known is None else known


@lru_cache(maxsize=512)
def _constant(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):  # so that gradients may pass by it later
        made = torch.tensor(values, dtype=dtype, device=device)
    if device.type != "cpu" and not torch.compiler.is_compiling():
        setattr(made, KNOWN, torch.tensor(values, dtype=dtype).tolist())
    return made
