"""Light over time, made even: what a series of logarithms of gains would be at its middle without flicker.

A robust local fit that keeps steps: a mean or a line through both sides, or through the past or the future alone, whichever
explains the series. Knows nothing of pictures.

Jump-preserving smoothing by one-sided fits: Qiu, "A Jump-Preserving Curve Fitting Procedure Based on Local Piecewise-Linear
Kernel Estimation", 2003. Redescending weights: Beaton and Tukey, 1974.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

FLOOR = 0.002
"""Least scatter, as a logarithm of gain: that of measuring it."""

OUTLIER = 4.685
"""Scatters from which a value has no weight."""

TINY = 0.0015
"""Correction below which there is none: it is within the error of measuring light."""

DOUBTFUL = 1.0
"""Share of the doubt of a change of light by which `TINY` is larger."""

FEW, ENOUGH = 2.0, 5.0
"""Places, as their weights count, up to which nothing is corrected, and from which all is."""

ROUNDS = 4


class _Fit(NamedTuple):
    """A candidate: the ``side`` of the middle that it looks at (-1 past, 0 both, 1 future), whether it is a line, the share of
    the plain mean's loss that it must not exceed to be preferred, and the share of the series that it sees."""

    side: int
    line: bool
    share: float
    near: float = 1.0


FITS = (
    _Fit(0, False, 1.0),
    _Fit(0, True, 0.6),
    _Fit(-1, False, 0.4),
    _Fit(1, False, 0.4),
    _Fit(-1, False, 0.3, 0.5),
    _Fit(1, False, 0.3, 0.5),
    _Fit(-1, True, 0.25),
    _Fit(1, True, 0.25),
)


def evened(series: Tensor, known: Tensor, doubt: Tensor, reach: float) -> Tensor:
    """The correction of the middle of a series [K,...], 0 there: what is to be added, [...], 0 if that is `TINY`.

    K is odd. ``known`` [K] weighs each place, 0 or 1. ``doubt`` [...] is how far the middle may be wrong: what is no larger is
    not corrected. Values further from the middle than ``reach`` count less, and from twice
    that on nothing: they are another light.
    """
    places = len(series)
    middle = places // 2
    values = series.reshape(places, -1).movedim(0, -1).double()
    at = torch.arange(-middle, places - middle, device=values.device, dtype=values.dtype)
    far = at.new_tensor([fit.near * middle + 1 for fit in FITS]).view(-1, 1, 1)
    kernel = (1 - (at / far).square()).clamp(min=0) * known.to(values)
    near = (2 - values.abs() / reach).clamp(0, 1)
    sides = at.new_tensor([fit.side for fit in FITS]).view(-1, 1, 1)
    lines = torch.tensor([fit.line for fit in FITS], device=at.device).view(-1, 1)
    shares = at.new_tensor([fit.share for fit in FITS]).view(-1, 1)
    weights = kernel * near * (at * sides >= 0)
    value, loss = _fitted(values, weights, at, _scatter(values, known), lines)
    count = weights.sum(-1).square() / weights.square().sum(-1).clamp(min=1e-9)
    allowed = count >= torch.where(lines, 4.0, 2.9)
    allowed[0] = True
    best = torch.where(allowed, (loss + 0.01) / shares, float("inf")).argmin(0, keepdim=True)
    found = (value * ((count - FEW) / (ENOUGH - FEW)).clamp(0, 1)).gather(0, best)[0]
    least = TINY + DOUBTFUL * doubt.reshape(-1).double()
    shrunk = found * (1 - (least / found.abs().clamp(min=1e-9)).square()).clamp(min=0)
    return shrunk.to(series.dtype).view(series.shape[1:])


def _scatter(values: Tensor, known: Tensor) -> Tensor:
    """The scatter of each series [N,K] from one place to the next, [N,1]; steps and trends hardly count."""
    pairs = (known[1:] > 0) & (known[:-1] > 0)
    if not bool(pairs.any()):
        return values.new_full((len(values), 1), FLOOR)
    steps = (values[:, 1:] - values[:, :-1])[:, pairs].abs()
    return (steps.median(-1, keepdim=True).values / (0.6745 * 2**0.5)).clamp(min=FLOOR)


def _fitted(values: Tensor, weights: Tensor, at: Tensor, scatter: Tensor, lines: Tensor) -> tuple[Tensor, Tensor]:
    """The value at the middle of each robust fit of series [N,K], with ``weights`` [F,N,K] and a slope where ``lines`` [F,1],
    and its mean loss, at most 1: both [F,N]."""
    now = weights
    for step in range(2 * ROUNDS + 1):
        total, first = now.sum(-1), (now * at).sum(-1)
        second = (now * at.square()).sum(-1)
        mean, lean = (now * values).sum(-1), (now * at * values).sum(-1)
        spread = total * second - first.square()
        slope = (total * lean - first * mean) / spread.clamp(min=1e-9)
        slope = torch.where(lines & (spread > 1e-6 * total.square()), slope, 0.0)
        level = (mean - slope * first) / total.clamp(min=1e-9)
        missed = (values - level[..., None] - slope[..., None] * at) / scatter
        outside = (1 - (missed / OUTLIER).square()).clamp(min=0)
        now = weights / (missed.abs() + 0.3) if step < ROUNDS else weights * outside.square() + 1e-6 * weights
    loss = (weights * (1 - outside**3)).sum(-1) / weights.sum(-1).clamp(min=1e-9)
    return level, loss
