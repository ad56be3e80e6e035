"""Learns a prior from clips whose true frames are known: what features usually mean, and how far off a fit usually is.

Used by ``benchmarks/audit.py`` alone. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np

from .calibration import Misses
from .fit import Prior, Sample, fitted, summed
from .regression import Array, Basis, Equations, in_logarithms

BINS = 12
"""Bins of scores of cells."""

FEW = 100
"""Cells of a clip in a bin below which the clip tells nothing of it."""

WORTH = 16.0
"""How many frames of a clip the prior's equations and misses of cells count as."""

BANDS = 6.0
"""How many frames of a clip the prior's misses of frames count as."""

SHIFTS = (0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95)
"""Quantiles of the clips' shifts that are kept."""


@dataclass(frozen=True)
class Lesson:
    """A clip at half its rate. ``own`` are its frames that were left out and made again, as a user's clip has them; ``task``
    are those that it lacks, made over half the step, whose errors nobody knows but here."""

    own: tuple[Sample, ...]
    task: tuple[Sample, ...]


def learned(lessons: Sequence[Lesson], names: tuple[str, ...]) -> Prior:
    """The prior that these clips teach. Whatever is said of errors comes from clips that the weights do not know."""
    every = [one for lesson in lessons for one in (*lesson.own, *lesson.task)]
    basis = Basis.of(np.concatenate([one.columns[:: max(len(one.columns) // 200, 1)] for one in every]).astype(np.float32))
    sums = [_sum([(one, in_logarithms(one.errors)) for one in (*lesson.own, *lesson.task)], basis) for lesson in lessons]
    others = [(reduce(add, sums) - own).solved() for own in sums]
    scores = np.concatenate(
        [basis(one.columns) @ known for lesson, known in zip(lessons, others, strict=True) for one in lesson.task]
    )
    cells = Misses.of(scores, np.zeros(len(scores)), BINS, WORTH)
    drop = _drop(lessons, basis, others, cells.centres)
    none = _of_frames(np.zeros(2))
    prior = Prior(names, basis, reduce(add, sums), cells, (0.0, 1.0), none, drop, np.zeros(1), none)
    # once more, with all errors as over half the step
    sums = [_halved(lesson, prior, known) for lesson, known in zip(lessons, others, strict=True)]
    total = reduce(add, sums)
    prior = replace(prior, equations=total.times(WORTH / total.weight))
    found: list[Array] = []
    misses: list[Array] = []
    seen: list[float] = []
    for lesson, own in zip(lessons, sums, strict=True):
        weights = (total - own).solved()
        for one in lesson.task:
            found.append(basis(one.columns) @ weights)
            misses.append(in_logarithms(one.errors) - found[-1])
            seen.append(summed(found[-1]))
    true = np.array([float(in_logarithms(np.array(one.error))) for lesson in lessons for one in lesson.task])
    slope, level = np.polyfit(seen, true, 1)
    cells = Misses.of(np.concatenate(found), np.concatenate(misses), BINS, WORTH)
    prior = replace(
        prior, cells=cells, line=(float(level), float(slope)), drop=np.interp(cells.centres, prior.cells.centres, drop)
    )
    late, shifts = _late(lessons, sums, prior)
    alone = true - (level + slope * np.array(seen))
    return replace(prior, frames=_of_frames(late), shifts=np.quantile(shifts, SHIFTS), alone=_of_frames(alone))


def _of_frames(misses: Array) -> Misses:
    """The misses of frames, whatever their score."""
    return Misses.of(np.zeros(len(misses)), misses, 1, BANDS)


def _late(lessons: Sequence[Lesson], sums: Sequence[Equations], prior: Prior) -> tuple[Array, list[float]]:
    """By how much the true errors of all tasks differ from what the fit of each clip says, as logarithms; and by how much more
    than those of its own frames, in the median of each clip."""
    total = reduce(add, sums)
    found, shifts = [], []
    for lesson, own in zip(lessons, sums, strict=True):
        rest = total - own
        fit = fitted(lesson.own, replace(prior, equations=rest.times(WORTH / rest.weight)))
        true = in_logarithms(np.array([one.error for one in lesson.task]))
        found.append(true - np.array([fit.summed(fit.scores(one.columns)) for one in lesson.task]))
        if fit.own:
            shifts.append(float(np.median(found[-1])) - fit.missed)
    return np.concatenate(found), shifts


def _drop(lessons: Sequence[Lesson], basis: Basis, weights: Sequence[Array], centres: Array) -> Array:
    """By how much logarithms of errors drop when the step is halved, at scores ``centres``: the mean of the clips."""
    edges = (centres[1:] + centres[:-1]) / 2
    drops = []
    for lesson, known in zip(lessons, weights, strict=True):
        means = []
        for part in (lesson.own, lesson.task):
            scores = np.concatenate([basis(one.columns) @ known for one in part])
            misses = np.concatenate([in_logarithms(one.errors) for one in part]) - scores
            bins = np.searchsorted(edges, scores)
            counts = np.bincount(bins, minlength=len(centres))
            means.append(np.where(counts >= FEW, np.bincount(bins, misses, len(centres)) / np.maximum(counts, 1), np.nan))
        drops.append(means[0] - means[1])
    found: Array = np.nan_to_num(np.nanmean(drops, axis=0)).clip(min=0)
    return found


def _halved(lesson: Lesson, prior: Prior, weights: Array) -> Equations:
    own = [(one, prior.halved(one, weights)[0]) for one in lesson.own]
    return _sum([*own, *((one, in_logarithms(one.errors)) for one in lesson.task)], prior.basis)


def _sum(samples: Sequence[tuple[Sample, Array]], basis: Basis) -> Equations:
    return reduce(add, [Equations.of(basis(one.columns), logs) for one, logs in samples])
