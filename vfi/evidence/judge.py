"""The verdict on every made frame of a clip: expected PSNR with a band, the cells to doubt, and the cause.

Owns what is said of a frame. Knows nothing of files, and nothing of how a fit was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import log10
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import Frame, InputError
from .causes import CAUSES, Causes
from .features import CELL, areas
from .fit import Fit
from .real import Asked
from .regression import Array, columns
from .remade import colours
from .witness import Between, Witness

WORSE = 12.0
"""Root mean square error of a cell, in codes of 255, above which it counts as wrong, unless another is asked for."""

LIKELY = 0.5
"""Probability from which a cell is doubtful."""

BEST = 0.1
"""The least mean squared error, in codes squared: 58 dB. Rounding to 8 bits makes about as much."""


@dataclass(frozen=True)
class Verdict:
    """What is said of the frame with this ``number`` in its clip, shown at ``time``, made after frame ``after`` of the source.

    ``psnr`` is expected, in dB; with a probability of 90 % the true one lies from ``low`` to ``high``. ``doubtful`` is the
    share of the picture, 0 to 1, that is more likely wrong than not, and ``cause`` a name in `causes.CAUSES`. ``box`` is drawn
    around the largest doubtful area: left, top, width, height in pixels; None if nothing is doubtful.
    """

    number: int
    after: int
    time: Fraction
    t: float
    psnr: float
    low: float
    high: float
    doubtful: float
    cause: str
    box: tuple[int, int, int, int] | None

    @property
    def words(self) -> str:
        """The cause, in words."""
        return CAUSES[self.cause].words

    def as_dict(self) -> dict[str, Any]:
        """For JSON: times in seconds, shares and PSNR as rounded numbers."""
        return {
            "frame": self.number,
            "after": self.after,
            "time": round(float(self.time), 6),
            "t": round(self.t, 6),
            "psnr": round(self.psnr, 2),
            "low": round(self.low, 2),
            "high": round(self.high, 2),
            "doubtful": round(self.doubtful, 4),
            "cause": self.cause,
            "box": None if self.box is None else list(self.box),
        }


@dataclass(frozen=True)
class Judged:
    """A verdict with the frame that it is on, and its ``doubt`` [rows,columns], 0..1: how likely each cell is wrong.

    ``around`` are the real frames before and after it.
    """

    verdict: Verdict
    frame: Frame
    doubt: Array
    around: tuple[Frame, Frame]


def judged(asked: Iterable[Asked], witness: Witness, fit: Fit, worse: float = WORSE) -> Iterator[Judged]:
    """The verdict on each frame that is ``asked`` for; a cell is wrong if it is off by more than ``worse`` codes.

    Frames that are yet to be made are made by the model of ``witness``. Holds one gap between two neighbours. Raises
    `InputError` if a frame differs in size from its neighbours.
    """
    causes = Causes(fit)
    window: tuple[Frame, ...] = ()
    between: Between | None = None
    for one in asked:
        if between is None or one.window != window:
            window, between = one.window, witness.between([colours(frame) for frame in one.window])
        made = between.made(one.t) if one.made is None else colours(one.made)
        size = window[0].rgb.shape[-2:]
        if made.shape[-2:] != size:
            given = f"{made.shape[-1]}x{made.shape[-2]}"
            raise InputError(f"a made frame of {given} was given for a source of {size[1]}x{size[0]}: both must have one size")
        frame = one.made or Frame(made, one.time, made=True)
        yield _judged(one, frame, between, made, fit, causes, worse)


def _judged(one: Asked, frame: Frame, between: Between, made: Tensor, fit: Fit, causes: Causes, worse: float) -> Judged:
    cells = between.cells(made, one.t)
    shape = cells.shape[1:]
    seen = columns(cells, fit.names)
    scores = fit.scores(seen)
    weights = areas(*made.shape[-2:]).reshape(-1)
    low, middle, high = (10 * log10(255**2 / max(error, BEST)) for error in fit.band(fit.summed(scores, weights))[::-1])
    doubt = fit.doubt(scores, worse)
    wrong = doubt >= LIKELY
    share = float(np.average(wrong, weights=weights))
    box = _box(wrong.reshape(shape), made.shape[-2], made.shape[-1])
    verdict = Verdict(one.number, one.after, one.time, one.t, middle, low, high, share, causes.of(seen, scores, doubt), box)
    middle = len(one.window) // 2
    around = one.window[middle - 1], one.window[middle]
    return Judged(verdict, frame, doubt.reshape(shape).astype(np.float32), around)


def _box(wrong: Array, height: int, width: int) -> tuple[int, int, int, int] | None:
    """The box around the largest connected group of doubtful cells, in pixels."""
    import cv2

    count, _, stats, _ = cv2.connectedComponentsWithStats(wrong.astype(np.uint8), connectivity=8)
    if count < 2:
        return None
    left, top, wide, tall, _ = (int(value) for value in stats[1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())])
    right, bottom = min((left + wide) * CELL, width), min((top + tall) * CELL, height)
    return left * CELL, top * CELL, right - left * CELL, bottom - top * CELL


def mask_of(doubt: Array, height: int, width: int) -> Tensor:
    """The doubt of cells as a mask of the frame's size, [1,height,width] float32, 0..1; each pixel has its cell's."""
    cells = torch.from_numpy(np.ascontiguousarray(doubt, np.float32))[None, None]
    return F.interpolate(cells, scale_factor=CELL, mode="nearest")[0, :, :height, :width]
