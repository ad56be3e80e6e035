"""Borders of chunks within a shot: a step of light that stays, between two stretches in which the light is steady.

A generator that makes a clip chunk by chunk begins each in slightly other colours. A lamp that is switched on lights some parts
of a picture more than others: a step of a border is the same in all. Knows nothing of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .course import Course, agreed, courses
from .findings import Finding
from .pictures import Picture
from .record import Record

SIDE = 8
"""Frames on each side whose light must be steady, and how far borders are apart."""

FEWEST = 4
"""The fewest such frames, where a shot begins or ends."""

BLUR = 2
"""Frames on each side over which a step may extend: coding and blending of chunks smear it."""

STEP = 0.02
"""Least step of a channel, as a logarithm."""

FAR = 0.2
"""Largest step of a channel: the light of a scene changes more."""

STEADY = 0.2
"""Share of the step by which the light of both sides may go up and down, in most frames: some may pulse."""

SMEAR = 0.2
"""Share of the main step from which the changes right beside it belong to it."""

SUDDEN = 0.6
"""Least share of the step that comes with one frame, and that is left after `BLUR` frames: pulses return at once."""

SAME = 0.8
"""Least share of the parts of the picture in which the step is the same."""


def borders(frames: Record) -> list[Finding]:
    """The borders within the shots of a clip whose faults are `course.calm`, each with its step of light."""
    return [one for course in courses(frames) for one in _borders(course)]


def steps_of(course: Course, found: Sequence[Finding]) -> Picture:
    """The light [n,3] that the borders among the findings add to a course."""
    light = np.zeros_like(course.steps)
    for one in found:
        if one.kind == "border" and one.light and 0 < one.first - course.first < len(course):
            light[one.first - course.first :] += one.light[0]
    return light


def _borders(course: Course) -> list[Finding]:
    light = course.light
    edge = FEWEST + BLUR
    steps = {k: step for k in range(edge, len(course) - edge) if (step := _step(course, light, k)) is not None}
    found: list[Finding] = []
    for k, step in sorted(steps.items(), key=lambda one: -_size(one[1])):
        index = course.first + k
        if all(abs(index - other.first) >= SIDE for other in found):
            red, green, blue = step.tolist()
            found.append(Finding("border", index, index, 1, _sure(step), "bridge", light=((red, green, blue),)))
    return found


def _size(step: Picture) -> float:
    return float(np.abs(step).max())


def _sure(step: Picture) -> float:
    return min(0.6 + 0.4 * (_size(step) - STEP) / 0.04, 1.0)


def _step(course: Course, light: Picture, k: int) -> Picture | None:
    """The step before frame ``k`` of a course, if there is one that stays."""
    near = np.r_[max(k - BLUR - SIDE, 1) : k - BLUR, k + BLUR + 1 : min(k + BLUR + SIDE + 1, len(course))]
    usual = np.median(course.steps[near], axis=0)
    here = course.steps[k - BLUR : k + BLUR + 1] - usual
    if _size(here[BLUR]) < STEP / 2:
        return None
    main = int(np.abs(here[BLUR]).argmax())
    share = here[:, main] / here[BLUR, main]
    apart = np.flatnonzero(share < SMEAR)
    begin, end = max(apart[apart < BLUR], default=-1) + 1, min(apart[apart > BLUR], default=len(here))
    step: Picture = here[begin:end].sum(axis=0)
    size = _size(step)
    if not STEP < size < FAR or np.abs(share).argmax() != BLUR:
        return None
    if min(here[BLUR, main], here[:, main].sum(), key=lambda change: change / step[main]) / step[main] < SUDDEN:
        return None
    for side in (light[max(k - BLUR - SIDE, 0) : k - BLUR], light[k + BLUR : k + BLUR + SIDE]):
        if _size(1.48 * np.median(np.abs(_straightened(side)), axis=0)) > STEADY * size:
            return None
    parts = course.parts[k : k + 1] - usual
    return step if agreed(here[BLUR][None], parts, here[BLUR][None]) >= SAME else None


def _straightened(light: Picture) -> Picture:
    """What a straight line leaves of ``light`` [n,3]."""
    x = np.arange(len(light)) - (len(light) - 1) / 2
    rest: Picture = light - light.mean(axis=0) - np.outer(x, x @ light / (x @ x))
    return rest
