"""Restructured networks: the same function of the same weights, in less time and memory.

`archs` holds networks as they were published; each module here restructures one of them. Knows nothing of files or callers.
"""

from __future__ import annotations

from ...archs.rife import Rife
from ...core import Interpolator
from .rife import restructured


def fast(model: Interpolator) -> Interpolator:
    """The fastest known form of ``model``, for making frames, not for training. Takes over its weights."""
    if isinstance(model, Rife):
        return restructured(model)
    return model
