"""When the true frame of a window lies between its ends, by its own motion.

Frames that a change of rate left, or that a generator spaced unevenly, do not lie where their numbers say. A network that is
trained on them as if they did learns to blur, and a measure of quality favours blur. Knows nothing of sets or networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core import InputError
from .heal.pictures import Picture, grey_of, new_flow, place_of

STILL = 0.01
"""Share of the pixels that must tell a time; where fewer do, nearly nothing moves, and the frame's number will do."""

AGREED = 0.5
"""Share of the moving pixels that must agree on the time within a tenth."""

SMALLEST = 16
"""Least side of a picture whose motion can be measured."""

EVEN = 0.03
"""How far a frame may lie from its nominal time, in parts of the step between its neighbours, and still count as even."""


def instants(frames: Sequence[Tensor], windows: Tensor) -> Tensor:
    """The times [N] of the true frames of ``windows`` [N,3], from 0 to 1, of ``frames``, uint8 [3,H,W] each.

    NaN for a window whose parts move by different clocks: no single time is true of it.
    """
    greys = [_grey(frame) for frame in frames]
    flow = new_flow()
    found = [
        _instant(flow, greys[before], greys[at], greys[after], (at - before) / (after - before))
        for before, at, after in windows.tolist()
    ]
    return torch.tensor(found, dtype=torch.float32)


def is_even(before: Tensor, true: Tensor, after: Tensor, t: float) -> bool:
    """Whether the frame ``true`` lies within `EVEN` of its nominal time ``t``, 0 to 1, by its motion; uint8 [3,H,W] each.

    Raises `InputError` if a side is below 16 pixels.
    """
    if min(true.shape[1:]) < SMALLEST:
        size = f"{true.shape[2]}x{true.shape[1]}"
        raise InputError(f"the timing of a {size} picture was asked for: each side must be at least {SMALLEST}")
    return abs(_instant(new_flow(), _grey(before), _grey(true), _grey(after), t) - t) <= EVEN


def _grey(frame: Tensor) -> Picture:
    return grey_of(np.ascontiguousarray(frame.movedim(0, -1).cpu().numpy()))


def _instant(flow: Any, before: Picture, at: Picture, after: Picture, nominal: float) -> float:
    """The time of the grey picture ``at``; ``nominal`` where nearly nothing moves."""
    place = place_of(*(flow.calc(at, end, None) for end in (before, after)))
    if place.known < STILL:
        return nominal
    return place.at if place.agreed >= AGREED else math.nan
