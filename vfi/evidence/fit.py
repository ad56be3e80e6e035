"""The relation of features and errors of one clip: fitted on frames whose error is known, and pulled towards a prior.

Owns how much the prior counts, and how a frame is summed up from its cells. Knows nothing of how frames are made or read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from .calibration import Misses
from .regression import Array, Basis, Equations, columns, in_codes, in_logarithms

FEWEST = 8
"""Remade frames from which a clip's own fit is worth its name; with fewer, the prior is used as it is."""

FOLDS = 5
"""Parts of a clip: each frame is scored by a fit that knows nothing of its part."""

CELLS = 2048
"""The most cells that are kept of a remade frame."""

BAND = (0.05, 0.5, 0.95)
"""Levels of a frame's 90 % band, with the expected value between."""


@dataclass(frozen=True)
class Sample:
    """A frame whose error is known: ``columns`` [cells,columns] float16 and ``errors`` [cells] of some cells, squared codes,
    and its whole mean squared error."""

    columns: Array
    errors: Array
    error: float

    @classmethod
    def of(cls, cells: Array, errors: Array, error: float, names: tuple[str, ...], seed: int) -> Sample:
        """Of all cells, or of `CELLS` drawn at random."""
        every, flat = columns(cells, names), errors.reshape(-1)
        if len(flat) > CELLS:
            drawn = np.random.default_rng(seed).choice(len(flat), CELLS, replace=False)
            every, flat = every[drawn], flat[drawn]
        return cls(every.astype(np.float16), flat.astype(np.float32), error)


@dataclass(frozen=True)
class Prior:
    """What other clips teach: the features' ``names``, the basis, equations and misses of cells and of frames.

    A frame's logarithm is ``line[0] + line[1]`` times its summed-up score. ``drop`` [bins], at the centres of ``cells``, is
    what logarithms of errors lose when a step is halved and features stay: frames that were left out are made over twice the
    step. Even then a clip's own fit is off by a bit for all its frames alike: by one of ``shifts``, which are equally likely.
    ``frames`` are the misses of frames by such fits, ``alone`` those by the prior as it is.
    """

    names: tuple[str, ...]
    basis: Basis
    equations: Equations
    cells: Misses
    line: tuple[float, float]
    frames: Misses
    drop: Array
    shifts: Array
    alone: Misses

    def halved(self, sample: Sample, weights: Array) -> tuple[Array, float]:
        """The logarithms of a sample's errors, [cells] and of the frame, as over half the step; ``weights`` score its cells."""
        scores = self.basis(sample.columns) @ weights
        logs = in_logarithms(sample.errors)
        less = logs - np.interp(scores, self.cells.centres, self.drop)
        return less, float(in_logarithms(np.array(sample.error))) - summed(logs) + summed(less)


@dataclass(frozen=True)
class Fit:
    """The relation that a clip is judged by; ``own`` is how many of its frames it was fitted on, 0: the prior alone.

    ``slopes`` [columns] say how much the logarithm of the error grows with each column alone, in the basis' units. ``missed``
    is the median of what the frames' scores missed by, as logarithms.
    """

    names: tuple[str, ...]
    basis: Basis
    weights: Array
    cells: Misses
    line: tuple[float, float]
    frames: Misses
    slopes: Array
    own: int = 0
    missed: float = 0.0

    def scores(self, samples: Array) -> Array:
        """The scores of cells with these columns [cells,columns]: [cells], logarithms."""
        found: Array = self.basis(samples) @ self.weights
        return found

    def summed(self, scores: Array, areas: Array | None = None) -> float:
        """The score of a frame from those of its cells and their ``areas``, [cells]."""
        return self.line[0] + self.line[1] * summed(scores, areas)

    def band(self, score: float) -> tuple[float, float, float]:
        """Mean squared error of a frame of this score: low, expected, high, in codes squared."""
        low, middle, high = in_codes(self.frames.at(np.array([score]), BAND))[:, 0].tolist()
        return low, middle, high

    def doubt(self, scores: Array, codes: float) -> Array:
        """The probability, 0..1, that cells of these scores are off by more than so many codes (root mean square)."""
        return self.cells.above(scores, float(in_logarithms(np.array(codes**2))))


def summed(scores: Array, areas: Array | None = None) -> float:
    """The logarithm of the mean error that cells of these scores have."""
    return float(in_logarithms(np.average(in_codes(scores), weights=areas)))


def fitted(samples: Sequence[Sample], prior: Prior, trust: float = 1.0) -> Fit:
    """The fit of a clip to its remade frames, in their order; with fewer than `FEWEST`, the prior's. ``trust``: how much more
    the prior's equations count than they say."""
    base = prior.equations.times(trust)
    if len(samples) < FEWEST:
        return Fit(prior.names, prior.basis, base.solved(), prior.cells, prior.line, prior.alone, base.slopes())
    weights = base.solved()
    halved = [prior.halved(one, weights) for one in samples]
    logs = [log for log, _ in halved]
    every = [Equations.of(prior.basis(one.columns), log) for one, log in zip(samples, logs, strict=True)]
    total = reduce(add, every, base)
    scores: list[Array] = []
    for part in np.array_split(np.arange(len(samples)), FOLDS):
        weights = reduce(lambda sum_, k: sum_ - every[k], part, total).solved()
        scores += [prior.basis(samples[k].columns) @ weights for k in part]
    missed = np.concatenate([log - score for log, score in zip(logs, scores, strict=True)])
    cells = prior.cells.with_own(np.concatenate(scores), missed, len(samples))
    seen = np.array([prior.line[0] + prior.line[1] * summed(one) for one in scores])
    true = np.array([error for _, error in halved])
    off = true - seen
    spread = (off[:, None] + prior.shifts).reshape(-1)
    frames = prior.frames.with_own(np.repeat(seen, len(prior.shifts)), spread, len(samples))
    return Fit(
        prior.names, prior.basis, total.solved(), cells, prior.line, frames, total.slopes(), len(samples), float(np.median(off))
    )
