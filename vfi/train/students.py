"""Networks to train: new ones with random weights, and existing ones from disk.

Knows nothing of data or losses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from ..archs.inbetween import Inbetween
from ..archs.rife import PUBLISHED, Rife
from ..core import InputError, Options
from ..model import registry, weights


def _rife(version: str) -> Rife:
    """RIFE of the paper, with the teacher for its training."""
    config = next(config for config, versions in PUBLISHED.items() if version in versions)
    return Rife(replace(config, teacher=config.widths[-1]))


FRESH: dict[str, Callable[[], nn.Module]] = {
    "inbetween-s": Inbetween,
    "rife-eccv": lambda: _rife("eccv"),
    "rife-eccv-m": lambda: _rife("eccv-m"),
}
"""Networks that can be trained from scratch."""


def student(network: str, start: str, seed: int, refine: bool = True) -> nn.Module:
    """The network to train, float32, with gradients on: that of ``start``, a model's name or file, or else a new ``network``.
    ``refine``: as in `core.Options`, for ``start``.

    Raises `InputError` if there is no such network, or if it has no weights.
    """
    if start:
        model = registry.build(weights.read(weights.find(start)), Options(refine=refine))
    else:
        if network not in FRESH:
            raise InputError(f"no network called {network!r} can be trained from scratch: there are {', '.join(FRESH)}")
        torch.manual_seed(seed)
        model = FRESH[network]()  # type: ignore[assignment]
    if not isinstance(model, nn.Module):
        raise InputError(f"{start} has no weights: a network to train needs some")
    return model.train().requires_grad_(True).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
