"""Scores of cells: the logarithm of the error that the features of a cell speak for.

Linear regression on logarithms, of the cell's own features and of their means around it, each with a bend. Data enter as normal
equations, one set per frame, which add up: pooling a clip with a prior is a sum, and so is leaving frames out. Knows nothing of
where features or errors come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array: TypeAlias = "np.ndarray[Any, Any]"

AROUND = 2
"""Cells on each side of a cell whose mean is a feature too: errors lie beside what speaks for them."""

FLOORS = {
    "hidden": 0.02,
    "spread": 0.01,
    "astray": 0.05,
    "loop": 0.05,
    "length": 0.1,
    "contrast": 0.5,
    "soft": 0.2,
    "sharp": 0.2,
}
"""What is added to a feature before its logarithm; less than this is noise."""

FLOOR = 0.3
"""Of all other features, in codes: rounding to 8 bits."""

LEAST = 1.0
"""What is added to a squared error before its logarithm: codes squared that nobody sees."""

RIDGE = 1e-3
"""Share of a column's own size that is added to the diagonal: some features say nearly the same."""


def columns(cells: Array, names: tuple[str, ...]) -> Array:
    """The logarithms of features [features,rows,columns] called ``names``, of each cell and around it: [cells,2 features]."""
    floors = np.array([FLOORS.get(name, FLOOR) for name in names], np.float32)[:, None, None]
    cells = cells.astype(np.float32)
    side = 2 * AROUND + 1
    wide = np.pad(cells, ((0, 0), (AROUND, AROUND), (AROUND, AROUND)), mode="edge")
    rows = sliding_window_view(wide, side, axis=1).mean(axis=-1)
    around = sliding_window_view(rows, side, axis=2).mean(axis=-1)
    found: Array = np.log(np.concatenate([cells + floors, around + floors])).reshape(2 * len(names), -1).T
    return found


def in_logarithms(errors: Array) -> Array:
    """Squared errors, in codes squared, as the regression sees them."""
    found: Array = np.log(errors + LEAST)
    return found


def in_codes(logarithms: Array) -> Array:
    """The squared errors of `in_logarithms`."""
    found: Array = np.maximum(np.exp(logarithms) - LEAST, 0.0)
    return found


@dataclass(frozen=True)
class Basis:
    """How columns become regressors: a constant, each column as it is, and each where it exceeds its bend.

    ``centre`` and ``scale`` make columns alike; ``bends`` are in their units then. All are [columns].
    """

    centre: Array
    scale: Array
    bends: Array

    @classmethod
    def of(cls, samples: Array) -> Basis:
        """The basis that suits ``samples`` [cells,columns]: bends at their medians."""
        centre, scale = samples.mean(axis=0), samples.std(axis=0) + 1e-3
        return cls(centre, scale, np.median((samples - centre) / scale, axis=0))

    def __call__(self, samples: Array) -> Array:
        """The regressors of samples [cells,columns]: [cells,1 + 2 columns], float64."""
        like = (samples.astype(np.float64) - self.centre) / self.scale
        return np.concatenate([np.ones((len(like), 1)), like, np.maximum(like - self.bends, 0)], axis=1)


@dataclass(frozen=True)
class Equations:
    """Normal equations: the mean products of regressors, [n,n], and of regressors and errors, [n], times a ``weight``."""

    square: Array
    side: Array
    weight: float

    @classmethod
    def of(cls, regressors: Array, logarithms: Array) -> Equations:
        """The equations of the cells of one frame, which count as 1."""
        count = len(regressors)
        return cls(regressors.T @ regressors / count, regressors.T @ logarithms / count, 1.0)

    def __add__(self, other: Equations) -> Equations:
        return Equations(self.square + other.square, self.side + other.side, self.weight + other.weight)

    def __sub__(self, other: Equations) -> Equations:
        return self + other.times(-1)

    def times(self, factor: float) -> Equations:
        """The same, counting ``factor`` times as much."""
        return Equations(self.square * factor, self.side * factor, self.weight * factor)

    def solved(self) -> Array:
        """The weights of the regressors, [n]."""
        diagonal = RIDGE * self.square.diagonal().copy()
        diagonal[0] = 0
        found: Array = np.linalg.solve(self.square + np.diag(diagonal), self.side)
        return found

    def slopes(self) -> Array:
        """How much errors grow with each column alone, [columns]."""
        count = (len(self.side) - 1) // 2
        mean, error = self.square[0, 1 : count + 1] / self.weight, self.side[0] / self.weight
        spread = self.square.diagonal()[1 : count + 1] / self.weight - mean**2
        together = self.side[1 : count + 1] / self.weight - mean * error
        found: Array = together / np.maximum(spread, 1e-6)
        return found
