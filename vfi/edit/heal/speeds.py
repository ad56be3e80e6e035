"""Steps of speed within a shot: where a generator began its next chunk, all motion goes on faster or slower at once.

Real motion speeds up over several frames, and what starts or stops moves on one side only. Knows nothing of pictures.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from math import exp, log

import numpy as np

from .findings import SPEED_RANGE, Finding
from .measures import Measures
from .steps import Numbers, Steps, steps_of

BESIDE = 8
"""Steps on each side of a border that say what the speed is."""

LEAST = log(1.3)
"""Least change of speed, as a logarithm."""

STEADY = 0.3
"""How far the steps on each side may lie from a steady change of speed, as a share of the step of speed."""

SEEN = 0.4
"""Pixels of a thumbnail by which the fastest tenth must move on both sides."""

TOLD = 0.7
"""Least share of the frames on both sides whose places are known."""

AT_ONCE = 0.6
"""Share of the step that the frame at the border must tell by itself."""

TOGETHER = 8
"""A step of light and one of speed at most this many frames apart are the same border."""


def speed_steps(seen: Measures, apart: Collection[int] = (), lost: Collection[int] = ()) -> list[Finding]:
    """The borders at which the speed of motion steps, with that after over that before. ``apart``: frames that do not count;
    ``lost``: those before which frames are missing."""
    found: list[Finding] = []
    for steps in steps_of(seen, apart):
        best: list[tuple[float, Finding]] = []
        for size, one in _steps(steps, lost):
            if best and one.first - best[-1][1].first <= BESIDE:
                best[-1] = max(best[-1], (size, one), key=lambda pair: pair[0])
            else:
                best.append((size, one))
        found += [one for _, one in best]
    return found


def joined(light: Sequence[Finding], speed: Sequence[Finding]) -> list[Finding]:
    """The borders of ``light``, and those of ``speed``; two at the same place are one that carries both."""
    found, rest = [], list(speed)
    for one in light:
        near = min(rest, key=lambda other: abs(other.first - one.first), default=None)
        if near is not None and abs(near.first - one.first) <= TOGETHER:
            rest.remove(near)
            one = replace(one, speed=near.speed, confidence=max(one.confidence, near.confidence))
        found.append(one)
    return [*found, *rest]


def _steps(steps: Steps, lost: Collection[int]) -> Iterator[tuple[float, Finding]]:
    """Each frame from which on the speed is another, and how clear that is."""
    widths = steps.widths() - np.log(steps.lasts)
    off = np.nan_to_num(steps.off)
    told = ~np.isnan(steps.told)
    for k in range(BESIDE, len(widths) - BESIDE + 1):
        before, after = slice(k - BESIDE, k), slice(k, k + BESIDE)
        frame = steps.first + k  # the step before it is the last of the old speed
        if not told[k - 1] or min(np.median(steps.moved[before]), np.median(steps.moved[after])) < SEEN:
            continue
        if min(told[k - BESIDE : k].mean(), told[k - 1 : k + BESIDE - 1].mean()) < TOLD:
            continue
        if any(frame - BESIDE <= one <= frame + BESIDE for one in lost) or steps.rests[k - BESIDE : k + BESIDE].any():
            continue
        (early, loose), (late, free) = _line(widths[before], BESIDE - 0.5), _line(widths[after], -0.5)
        jump = late - early
        whole = float(np.median(widths[after]) - np.median(widths[before]))
        size = min(abs(jump), abs(whole))
        if size < LEAST or jump * whole < 0 or max(loose, free) > STEADY * size:
            continue
        if off[k - 1] * jump < AT_ONCE * jump * jump:
            continue
        speed = min(max(exp(jump), 1 / SPEED_RANGE), SPEED_RANGE)
        sure = min(0.5 + 0.3 * size + 0.3 * (1 - max(loose, free) / (STEADY * size)), 0.95)
        yield size - max(loose, free), Finding("border", frame + 1, frame + 1, 1, sure, "bridge", speed=speed)


def _line(values: Numbers, at: float) -> tuple[float, float]:
    """Where a line through values 0, 1, 2, ... is ``at`` that place, and how far the values lie from it."""
    places = np.arange(len(values))
    slope, start = np.polyfit(places, values, 1)
    return float(start + slope * at), float(np.abs(values - start - slope * places).max())
