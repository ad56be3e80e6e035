"""Gradient-domain blending: the picture whose slopes are those asked for, held near another picture where that is asked for.

Minimises the sum over neighbours of (u_i - u_j - slope_ij)^2 and over pixels of w_i (u_i - c_i)^2, by multigrid: sweeps of
damped Jacobi on ever coarser grids. Knows nothing of what the pictures are.

Perez, Gangnet and Blake, "Poisson Image Editing", SIGGRAPH 2003; Bhat et al., "GradientShop", ACM TOG 2010 (screened).
Briggs, Henson and McCormick, "A Multigrid Tutorial", SIAM 2000.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from .planes import Array

SWEEPS = 2
"""Sweeps of Jacobi before and after each coarser grid."""

DAMPING = 0.8

SMALLEST = 4
"""Side at which no coarser grid is made."""

HELD = 1e4
"""Weight that holds a pixel."""


def blended(across: Array, down: Array, near: Array, weight: Array, start: Array, *, cycles: int = 4) -> Array:
    """The picture [H,W,C] with slopes ``across`` [H,W-1,C] and ``down`` [H-1,W,C], held near the picture ``near`` [H,W,C] by
    ``weight`` [H,W], above 0 somewhere.

    A slope is a pixel less the one to its left, or above. ``start`` is a first guess.
    """
    wanted = weight[..., None] * near
    wanted[:, 1:] += across
    wanted[:, :-1] -= across
    wanted[1:] += down
    wanted[:-1] -= down
    made = start.copy()
    for _ in range(cycles):
        made = _cycle(made, wanted, weight)
    return made


def slopes(picture: Array) -> tuple[Array, Array]:
    """The slopes of a picture [H,W,C], across and down."""
    return np.diff(picture, axis=1), np.diff(picture, axis=0)


def _cycle(made: Array, wanted: Array, weight: Array) -> Array:
    import cv2

    height, width = weight.shape
    degree = weight[..., None] + _neighbours(height, width)
    made = _swept(made, wanted, degree, SWEEPS if min(height, width) > SMALLEST else 20)
    if min(height, width) <= SMALLEST:
        return made
    left = wanted - degree * made + _summed(made)
    size = (width + 1) // 2, (height + 1) // 2
    means = (cast(Array, cv2.resize(one, size, interpolation=cv2.INTER_AREA)) for one in (left, weight))
    coarse, coarse_weight = (4 * mean for mean in means)
    coarse = coarse.reshape(*coarse_weight.shape, -1)
    error = _cycle(np.zeros_like(coarse), coarse, coarse_weight)
    made = made + cv2.resize(error, (width, height), interpolation=cv2.INTER_LINEAR).reshape(made.shape)
    return _swept(made, wanted, degree, SWEEPS)


def _swept(made: Array, wanted: Array, degree: Array, sweeps: int) -> Array:
    for _ in range(sweeps):
        made = (1 - DAMPING) * made + DAMPING * (wanted + _summed(made)) / degree
    return made


def _summed(picture: Array) -> Array:
    """The sum of each pixel's neighbours."""
    total = np.zeros_like(picture)
    total[1:] += picture[:-1]
    total[:-1] += picture[1:]
    total[:, 1:] += picture[:, :-1]
    total[:, :-1] += picture[:, 1:]
    return total


def _neighbours(height: int, width: int) -> Array:
    """How many neighbours each pixel has, [H,W,1]."""
    return _summed(np.ones((height, width, 1), np.float32))
