"""The motion in runs of frames, step by step: how far everything moves, as far as the places of frames tell it.

A run has no cut. Knows nothing of pictures, or of what a step means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import Any, TypeAlias

import numpy as np

from .measures import Measures
from .pictures import MOVES
from .record import Measure, Record

Numbers: TypeAlias = "np.ndarray[Any, Any]"

SHORTEST = 12
"""The fewest frames whose evenness can be told."""

AGREED = 0.35
"""Least share of the moving pixels that agree on a frame's place."""

KNOWN = 0.08
"""Least share of all pixels that must tell."""

RESTS = 0.2
"""A frame stands still if it moves by less than this share of the widest step near it."""

NEAR = 0.4
"""A frame that stands still differs by less than this share of the widest difference near it."""

LINKED, OWN, LOOSE = 100.0, 12.0, 0.2
"""Weights: of what a frame tells of the steps on both sides, of how far a step moves by itself, and of steps being alike."""


@dataclass(frozen=True)
class Steps:
    """The motion in a run of frames, from ``first`` on. All but ``told`` have an entry per step, from each frame to the next.

    ``lasts``: its time, in frames. ``moved``: its motion, see `Measure`. ``rests``: whether nothing moves. ``told`` are the
    logarithms of each inner frame's step ahead over its step behind, nan if nothing tells; entry 0 is that of the second frame.
    """

    first: int
    lasts: Numbers
    moved: Numbers
    rests: Numbers
    told: Numbers

    @property
    def frames(self) -> int:
        return len(self.lasts) + 1

    @property
    def off(self) -> Numbers:
        """How far from even the time stamps say each inner frame is."""
        off: Numbers = self.told - np.diff(np.log(self.lasts))
        return off

    def widths(self) -> Numbers:
        """Logarithms of the lengths of the steps, up to a constant: the least squares of what the frames between them tell, and
        less surely what each step moves."""
        count = len(self.lasts)
        links = np.where(np.isnan(self.told), LOOSE, LINKED)
        links[self.rests[1:] | self.rests[:-1]] = LOOSE
        rise = np.where(links > LOOSE, np.nan_to_num(self.told), 0.0)
        own = np.where(self.rests | (self.moved < 2 * MOVES), 1e-3, OWN)
        sides = np.log(np.maximum(self.moved, MOVES)) * own
        diagonal = own.copy()
        diagonal[1:] += links
        diagonal[:-1] += links
        sides[1:] += links * rise
        sides[:-1] -= links * rise
        for k in range(1, count):  # elimination in a matrix of three diagonals
            share = links[k - 1] / diagonal[k - 1]
            diagonal[k] -= share * links[k - 1]
            sides[k] += share * sides[k - 1]
        found = np.zeros(count)
        for k in reversed(range(count)):
            found[k] = (sides[k] + (links[k] * found[k + 1] if k + 1 < count else 0.0)) / diagonal[k]
        return found


def steps_of(seen: Measures, apart: Collection[int] = ()) -> Iterator[Steps]:
    """The runs of at least `SHORTEST` frames without a cut or a frame that is ``apart``."""
    frames = seen.frames
    if len(frames) < SHORTEST:
        return
    step = float(seen.end - frames[0].time) / len(frames)
    walls = [0, *(one.index for one in frames if one.cut and one.index), len(frames)]
    walls = sorted({*walls, *apart, *(k + 1 for k in apart)})
    for begin, end in pairwise(walls):
        if end - begin >= SHORTEST and begin not in apart:
            yield _steps(frames[begin:end], step)


def _steps(frames: Record, step: float) -> Steps:
    lasts = np.array([float(late.time - early.time) for early, late in pairwise(frames)]) / step
    moved, width = (frames.column(name)[1:].astype(float) for name in ("moved", "width"))
    still = (moved < RESTS * _most(moved)) & (width < NEAR * _most(width)) & (_most(moved) > 2 * MOVES)
    told = np.array([_told(one) for one in frames[1:-1]])
    told[still[1:] | still[:-1]] = np.nan
    return Steps(frames[0].index, np.maximum(lasts, 1e-3), moved, still, told)


def _most(values: Numbers) -> Numbers:
    """The largest of each number and the three on each side."""
    wide = np.pad(values, 3)
    most: Numbers = np.lib.stride_tricks.sliding_window_view(wide, 7).max(axis=1)
    return most


def _told(one: Measure) -> float:
    place = one.place
    if place.known < KNOWN or place.agreed < AGREED:
        return float("nan")
    at = min(max(place.at, 0.05), 0.95)
    return log((1 - at) / at)
