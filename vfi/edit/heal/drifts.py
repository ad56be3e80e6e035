"""Drift of brightness and colour: light that goes one way along a shot, the same in all parts of the picture.

Sunrise, a lamp or a shadow change some parts more than others; a fade goes further than any drift. Owns what a drift is
measured from, its anchor. Knows nothing of pictures.
"""

from __future__ import annotations

import numpy as np

from .course import FADE, Course, agreed, changes, level, lights
from .findings import Finding
from .pictures import Picture

HALF = 16
"""Frames on each side that say how the light goes."""

BRIGHT = 0.05
"""Least drift of brightness, as a logarithm, in a shot of at most `LENGTH` frames."""

COLOUR = 0.03
"""Least drift of a channel against the others, in such a shot."""

LENGTH = 96
"""Frames; in longer shots the errors of steps add up, and a drift must be larger."""

ONE_WAY = 0.6
"""Least share of all changes that is left at the farthest frame: what goes to and fro is no drift."""

SPAN = 8
"""Frames within which at most `FAST` of a drift may happen: light that changes at once is none."""

FAST = 0.7
"""See `SPAN`."""

SAME = 0.6
"""Least share of the parts of the picture in which the drift is the same."""


def drifts(course: Course) -> list[Finding]:
    """The drift of a shot whose pulses are taken out, from its first frame on; one at most.

    Brightness and colour are judged apart: what is light of the scene in one of them stays.
    """
    way = level(course.light, HALF)
    way -= way[0]
    if np.abs(way).max() > FADE:
        return []
    grey, parts = way.mean(axis=1, keepdims=True), course.parts.mean(axis=2, keepdims=True)
    whole = np.zeros_like(way)
    surest = 0.0
    for one, theirs, least in ((grey, parts, BRIGHT), (way - grey, course.parts - parts, COLOUR)):
        if (sure := _sure(one, theirs, least)) > 0:
            whole, surest = whole + one, max(surest, sure)
    last = course.first + len(course) - 1
    return [Finding("drift", course.first, last, len(course), surest, "regrade", light=lights(whole))] if surest else []


def _sure(way: Picture, parts: Picture, least: float) -> float:
    """How sure it is that the light goes a ``way`` [n,c] that is a drift, 0 if it is none; ``parts`` [n,parts,c] are the steps
    of the parts of the picture."""
    size = np.abs(way).max(axis=1)
    end = int(size.argmax())
    strength = float(size[end]) / least / max(len(way) / LENGTH, 1.0) ** 0.5
    if strength < 1:
        return 0.0
    far, steps = way[end], changes(way)[: end + 1]
    along = way[: end + 1] @ far / (far @ far)
    travelled = float(np.abs(steps @ far).sum()) / float(far @ far)
    fastest = float((along[SPAN:] - along[:-SPAN]).max()) if end >= SPAN else 1.0
    same = agreed(steps, parts[: end + 1], np.broadcast_to(far, steps.shape))
    if travelled * ONE_WAY > 1 or fastest > FAST or same < SAME:
        return 0.0
    return min(0.4 + 0.3 * min(strength - 1, 1.0) + 0.3 * (same - SAME) / (1 - SAME), 0.95)
