"""Augmentation of an example: flips, transposition, time reversal, channel permutation.

Motion changes along with the picture. Knows nothing of where examples come from.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from .samples import PICTURES, Sample


def varied(one: Sample, chance: random.Random) -> Sample:
    """Randomly augment an example: flipped left to right, flipped top to bottom, transposed if square, and reversed in time,
    each with probability 1/2; its channels permuted with probability 1/5."""
    if chance.random() < 0.5:
        one = mirrored(one, across=True)
    if chance.random() < 0.5:
        one = mirrored(one, across=False)
    if chance.random() < 0.5 and one.truth.shape[-1] == one.truth.shape[-2]:
        one = transposed(one)
    if chance.random() < 0.5:
        one = reversed_in_time(one)
    if chance.random() < 0.2:
        one = recoloured(one, chance.sample(range(3), 3))
    return one


def mirrored(one: Sample, across: bool) -> Sample:
    """Flip left to right if ``across``, else top to bottom."""
    signs = one.flow.new_tensor([-1, 1, -1, 1] if across else [1, -1, 1, -1]).view(4, 1, 1)
    dim = -1 if across else -2
    return _mapped(one, lambda plane: plane.flip(dim), lambda flow: flow.flip(dim) * signs)


def transposed(one: Sample) -> Sample:
    """Swap rows and columns; combined with a flip, a rotation by 90 degrees."""
    return _mapped(one, lambda plane: plane.transpose(-1, -2), lambda flow: flow.transpose(-1, -2)[[1, 0, 3, 2]])


def reversed_in_time(one: Sample) -> Sample:
    return replace(one, before=one.after, after=one.before, t=1 - one.t, flow=one.flow[[2, 3, 0, 1]])


def recoloured(one: Sample, order: list[int]) -> Sample:
    """Permute red, green and blue by ``order``."""
    return replace(one, **{name: getattr(one, name)[order] for name in PICTURES})


def _mapped(one: Sample, plane: Callable[[Tensor], Tensor], flow: Callable[[Tensor], Tensor]) -> Sample:
    """Apply ``plane`` to pictures and error, ``flow`` to the motion."""
    planes = {name: plane(getattr(one, name)) for name in (*PICTURES, "error")}
    return replace(one, flow=flow(one.flow), **planes)
