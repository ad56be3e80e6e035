"""Networks restructured: the same function of the same weights, in less time and memory.

`archs` holds networks as they were published; a module here turns one of them into another form of itself. Knows nothing of
files or of who asks.
"""

from __future__ import annotations

from ...archs.rife import Rife
from ...core import Interpolator
from .rife import restructured


def fast(model: Interpolator) -> Interpolator:
    """The fastest form that is known of ``model``: for making frames, not for training. Takes its weights over."""
    if isinstance(model, Rife):
        return restructured(model)
    return model
