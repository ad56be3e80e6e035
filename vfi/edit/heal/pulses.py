"""Pulses and flicker: light that goes up and down around an even course, the same in all parts of the picture.

A regular pulse is the mean of its periods: frames between its beats stay as they are. Flicker is what an even course leaves.
Knows nothing of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .course import FADE, SHORTEST, Course, agreed, changes, level, lights
from .findings import Finding
from .pictures import Picture

HALF = 24
"""Frames on each side that say what the even course is: more than the period of any pulse."""

MOST = 240
"""Frames of a longer shot that are judged at once: light may pulse in a part of it."""

STRENGTH = 0.007
"""Least root of the mean square of a pulse, as a logarithm, and of its changes from frame to frame."""

FLICKER = 0.012
"""Least change from frame to frame of flicker, which most of its frames reach."""

SAME = 0.8
"""Least share of the parts of the picture in which the pulse is the same."""

LONGEST = 24
"""Longest period, in frames."""

CYCLES = 2.5
"""How often a regular pulse must return."""

REGULAR = 0.75
"""Share of a regular pulse that returns in every period."""


def pulses(course: Course) -> list[Finding]:
    """The pulses and the flicker of a shot."""
    found = []
    for piece in course.stretches(MOST):
        if len(piece) >= SHORTEST and (one := _pulse(piece)) is not None:
            found.append(one)
    return found


def offsets_of(course: Course, found: Sequence[Finding]) -> Picture:
    """The light [n,3] that the pulses of a course add to it."""
    light = np.zeros_like(course.steps)
    for one in found:
        light[one.first - course.first : one.last + 1 - course.first] = one.light
    return light


def _pulse(course: Course) -> Finding | None:
    regular, share = _regular(course)
    light = course.light
    even = level(light - regular, HALF, straight=True)
    off = regular if share >= REGULAR else light - even
    steps = changes(off)
    strength = min(_strength(off), _strength(steps)) / STRENGTH
    if share < REGULAR:
        strength = min(strength, _usual(steps) / FLICKER)
    if strength < 1 or np.ptp(light, axis=0).max() > FADE:
        return None
    parts = course.parts - (course.steps - steps)[:, None]
    same = agreed(steps, parts, steps)
    if same < SAME:
        return None
    sure = 0.5 + 0.3 * min(strength / 2 - 0.5, 1.0) + 0.2 * max(share, 0.0)
    last = course.first + len(course) - 1
    return Finding("pulse", course.first, last, len(course), min(sure, 1.0), "regrade", light=lights(off))


def _strength(light: Picture) -> float:
    """The root of the mean square of the channel that changes most."""
    return float(np.sqrt((light**2).mean(axis=0)).max())


def _usual(steps: Picture) -> float:
    """The same of most frames: a few large changes are no flicker."""
    return float(1.48 * np.median(np.abs(steps), axis=0).max())


def _regular(course: Course) -> tuple[Picture, float]:
    """The light of a regular pulse [n,3], 0 in most frames if it beats in few, and the share of all fast changes that it is."""
    steps = course.steps[1:] - level(course.steps[1:], HALF)
    whole = float((steps**2).sum())
    shares = {}
    for period in range(2, min(LONGEST, int(len(steps) / CYCLES)) + 1):
        rest = float(((steps - _folded(steps, period)) ** 2).sum())
        free = len(steps) / max(len(steps) - period, 1)  # a longer period explains more by chance
        shares[period] = 1 - rest / max(whole, 1e-12) * free
    best = max(shares.values(), default=0.0)
    if best <= 0:
        return np.zeros_like(course.steps), 0.0
    period = next(period for period, share in shares.items() if share >= 0.95 * best)
    pulse = np.cumsum(np.concatenate([np.zeros((1, 3)), _folded(steps, period)]), axis=0)
    pulse -= np.median(pulse, axis=0)
    return pulse, shares[period]


def _folded(steps: Picture, period: int) -> Picture:
    """The mean of the steps at each phase of the period, at every step; over a period they add up to nothing."""
    phases = np.arange(len(steps)) % period
    means = np.stack([steps[phases == phase].mean(axis=0) for phase in range(period)])
    found: Picture = (means - means.mean(axis=0))[phases]
    return found
