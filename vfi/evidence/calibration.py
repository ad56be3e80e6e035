"""From a score to a distribution: what errors were seen where the score was about this high.

Quantiles of what the regression missed, per bin of scores, pooled from a prior and a clip's own frames. Knows nothing of
features, frames or pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .regression import Array

LEVELS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
"""Quantiles that are kept."""

MASS = np.diff([0.0, *((one + other) / 2 for one, other in pairwise(LEVELS)), 1.0])
"""The share of a distribution that each of its quantiles stands for."""


def quantiles(values: Array, weights: Array) -> Array:
    """The quantiles at `LEVELS` of ``values`` [n], each of which counts as much as its weight."""
    order = np.argsort(values)
    share = np.cumsum(weights[order]) - weights[order] / 2
    found: Array = np.interp(LEVELS, share / weights.sum(), values[order])
    return found


@dataclass(frozen=True)
class Misses:
    """What scores missed by: ``quantiles`` [bins,levels], at `LEVELS`, around the scores ``centres`` [bins], which increase.

    They count as much as ``weight`` frames of the clip that they are pooled with.
    """

    centres: Array
    quantiles: Array
    weight: float

    @classmethod
    def of(cls, scores: Array, misses: Array, bins: int, weight: float) -> Misses:
        """The misses [n] at ``scores`` [n], in ``bins`` of as many each."""
        parts = np.array_split(np.argsort(scores, kind="stable"), bins)
        found = [quantiles(misses[part], np.ones(len(part))) for part in parts]
        return cls(np.array([scores[part].mean() for part in parts]), np.array(found), weight)

    def with_own(self, scores: Array, misses: Array, frames: float) -> Misses:
        """Pooled with the misses [n] at ``scores`` [n] of so many frames of a clip."""
        edges = (self.centres[1:] + self.centres[:-1]) / 2
        bins = np.searchsorted(edges, scores)
        each = frames / max(len(scores), 1)
        found = []
        for index, known in enumerate(self.quantiles):
            own = misses[bins == index]
            # a bin of the prior counts in proportion to the cells that the clip has there
            prior = MASS * self.weight * each * max(len(own), 1) / frames if frames else MASS
            found.append(quantiles(np.concatenate([known, own]), np.concatenate([prior, np.full(len(own), each)])))
        return Misses(self.centres, np.array(found), self.weight + frames)

    def at(self, scores: Array, levels: Sequence[float]) -> Array:
        """What errors at ``scores`` [n] stay below with the probabilities ``levels``: [levels,n], as logarithms."""
        each = np.array([np.interp(scores, self.centres, column) for column in self.quantiles.T])  # [LEVELS,n]
        place = np.interp(levels, LEVELS, np.arange(len(LEVELS)))
        low = np.minimum(place.astype(int), len(LEVELS) - 2)
        part = (place - low)[:, None]
        found: Array = scores + (1 - part) * each[low] + part * each[low + 1]
        return found

    def above(self, scores: Array, limit: float) -> Array:
        """The probability that errors at ``scores`` [n] exceed ``limit``, a logarithm: [n], 0..1."""
        bounds = np.array([np.interp(scores, self.centres, column) for column in self.quantiles.T]) + scores  # [LEVELS,n]
        below = (bounds <= limit).sum(axis=0)  # how many of the quantiles the limit exceeds
        low, high = np.maximum(below - 1, 0), np.minimum(below, len(LEVELS) - 1)
        nth = np.arange(len(scores))
        under, over = bounds[low, nth], bounds[high, nth]
        part = np.where(over > under, (limit - under) / np.maximum(over - under, 1e-9), 0.5)
        known = np.array(LEVELS)
        inside = known[low] + part.clip(0, 1) * (known[high] - known[low])
        ends = np.array([known[0] / 2, (1 + known[-1]) / 2])
        share = np.where(below == 0, ends[0], np.where(below == len(LEVELS), ends[1], inside))
        found: Array = 1 - share
        return found
