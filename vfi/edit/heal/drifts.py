"""Drift of brightness and colour: light that goes one way along a shot, the same in most parts of the picture.

Sunrise, a lamp or a shadow change some parts more than others; a fade goes further than any drift. Owns what a drift is
measured from, its anchor. Knows nothing of pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from ...core import InputError
from .course import FADE, Course, agreed, changes, level, lights
from .findings import LIGHT_RANGE, Finding, Light
from .pictures import Picture
from .record import Measure

HALF = 16
"""Frames on each side that say how the light goes."""

BRIGHT = 0.05
"""Least drift of brightness, as a logarithm, in a shot of at most `LENGTH` frames."""

COLOUR = 0.03
"""Least drift of a channel against the others, in such a shot."""

SHORTEST = 32
"""Frames of the shortest shot whose drift is told from the light of its scene."""

LENGTH = 96
"""Frames; in longer shots the errors of steps add up, and a drift must be larger."""

ONE_WAY = 0.6
"""Least share of all changes that is left at the farthest frame, and of these at the end: what goes to and fro is no drift."""

SPAN = 8
"""Frames within which at most `FAST` of a drift may happen: light that changes at once is none."""

FAST = 0.7
"""See `SPAN`."""

SURE = 3.0
"""How many standard errors the change of a middling part of the picture must be from none."""

SAME = 0.5
"""Least share of the parts in which the drift is the same: what moves through a part changes it by more than any drift."""

EXACT = 0.002
"""Least error of such a change."""

FEWEST = 4
"""The fewest parts that must tell."""


def drifts(course: Course) -> list[Finding]:
    """The drift of a shot whose pulses are taken out, from its first frame on; one at most.

    Brightness and colour are judged apart: what is light of the scene in one of them stays.
    """
    way = level(course.light, HALF)
    way -= way[0]
    if len(course) < SHORTEST or np.abs(way).max() > FADE:
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
    along = way @ far / (far @ far)
    travelled = float(np.abs(np.diff(along[: end + 1])).sum())
    fastest = float((along[SPAN : end + 1] - along[: end + 1 - SPAN]).max()) if end >= SPAN else 1.0
    same = agreed(steps, parts[: end + 1], np.broadcast_to(far, steps.shape))
    clear = _clear(parts[: end + 1], far)
    if travelled * ONE_WAY > 1 or along[end:].min() < ONE_WAY or fastest > FAST or same < SAME or clear < SURE:
        return 0.0
    return min(0.4 + 0.3 * min(strength - 1, 1.0) + 0.3 * (same - SAME) / (1 - SAME), 0.95)


def _clear(parts: Picture, far: Picture) -> float:
    """How many standard errors the change along ``far`` [c] of a middling part is from none, given the steps of ``parts``
    [n,parts,c]; 0 if too few parts tell."""
    known = np.isfinite(parts).all(axis=2).mean(axis=0) > 0.5
    changed = (np.nan_to_num(parts[:, known]) @ far).sum(axis=0) / float(np.linalg.norm(far))
    if len(changed) < FEWEST:
        return 0.0
    middle = float(np.median(changed))
    spread = 1.48 * float(np.median(np.abs(changed - middle)))
    return middle / max(1.25 * spread / len(changed) ** 0.5, EXACT)


Anchor: TypeAlias = Literal["first", "median"] | Light
"""The light that a drift is measured from: that of its first frame, its median, or that of a picture, its mean colour, each
channel from 0 to 255."""


def anchored(found: Iterable[Finding], anchor: Anchor, frames: Sequence[Measure] = ()) -> tuple[Finding, ...]:
    """The findings, the light of drift measured from ``anchor``. For the light of a picture the ``frames`` of the clip are
    needed. Raises `InputError` if a picture is too bright or too dark for that."""
    return tuple(replace(one, light=_from(one, anchor, frames)) if one.kind == "drift" else one for one in found)


def _from(one: Finding, anchor: Anchor, frames: Sequence[Measure]) -> tuple[Light, ...]:
    light = np.array(one.light)
    if anchor == "first":
        return lights(light - light[0])
    if anchor == "median":
        return lights(light - np.median(light, axis=0))
    wanted, shown = (np.log(np.maximum(mean, 1.0)) for mean in (np.array(anchor, dtype=float), frames[one.first].mean))
    light += shown - wanted - light[0]
    if np.abs(light).max() > LIGHT_RANGE:
        raise InputError(
            f"the light of the anchor is {float(np.exp(np.abs(light).max())):.0f} times that of frames from {one.first} on, or "
            f"their light is that of it: at most {np.exp(LIGHT_RANGE):.0f} times can be made even"
        )
    return lights(light)
