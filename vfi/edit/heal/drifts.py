"""Drift of brightness and colour: light that goes one way along a shot, the same in all parts of the picture.

Sunrise, a lamp or a shadow change some parts more than others; a fade goes further than any drift. Owns what a drift is
measured from, its anchor. Knows nothing of pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from .course import FADE, Course, agreed, changes, level, lights
from .findings import Finding, Light

HALF = 16
"""Frames on each side that say how the light goes."""

FAR = 0.05
"""Least drift of brightness or of colour, as a logarithm, in a shot of at most `LENGTH` frames: errors of steps add up."""

LENGTH = 96

ONE_WAY = 0.6
"""Least share of all changes that is left at the farthest frame: what goes to and fro is no drift."""

SPAN = 8
"""Frames within which at most `FAST` of a drift may happen: more is light that changes, not a drift."""

FAST = 0.7

SAME = 0.65
"""Least share of the parts of the picture in which the drift is the same."""


def drifts(course: Course) -> list[Finding]:
    """The drift of a shot whose pulses are taken out, from its first frame on; one at most."""
    way = level(course.light, HALF)
    way -= way[0]
    size = np.maximum(np.abs(way).max(axis=1), np.ptp(way, axis=1) / 1.5)
    end = int(size.argmax())
    far, needed = float(size[end]), FAR * max(len(course) / LENGTH, 1.0) ** 0.5
    if not needed <= far or np.abs(way).max() > FADE:
        return []
    steps = changes(way)
    travelled = float(np.abs(steps @ way[end]).sum()) / float(way[end] @ way[end])
    fastest = max(float((way[min(k + SPAN, end)] - way[k]) @ way[end]) for k in range(end)) / float(way[end] @ way[end])
    if travelled * ONE_WAY > 1 or fastest > FAST:
        return []
    along = np.broadcast_to(way[end], steps.shape)[: end + 1]
    same = agreed(steps[: end + 1], course.parts[: end + 1], along)
    if same < SAME:
        return []
    sure = 0.4 + 0.3 * min(far / needed - 1, 1.0) + 0.3 * (same - SAME) / (1 - SAME)
    last = course.first + len(course) - 1
    return [Finding("drift", course.first, last, len(course), min(sure, 0.95), "regrade", light=lights(way))]
