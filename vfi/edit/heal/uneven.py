"""Uneven motion: the true time of each frame, where a change of rate or a generator put frames at other times.

Steps from frame to frame give the places of the frames along their path. An even clip moves along it at a smooth speed, so a
frame's true time is that at which smooth motion would be where the frame is. A change of rate that took the nearest frames
leaves whole steps of its source, in a pattern that gives the true times exactly. Knows nothing of pictures.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from functools import cache
from math import sqrt

import numpy as np

from .findings import OFFSET_RANGE, Finding
from .measures import Measures
from .steps import Numbers, Steps, steps_of

PAIRS = 8
"""The fewest pairs of neighbouring frames whose places are known."""

SPREAD = 0.28
"""Least spread of the logarithms of steps, beyond smooth motion and the error of measuring."""

SURE = 2.5
"""How many standard errors that spread must be from none."""

RATES = (12, 15, 16, 18, 20, 24, 25, 30, 48, 50, 60)
"""Frame rates that clips are changed from and to; NTSC rates have the same ratios."""

PERIOD = 15
"""The longest period of a pattern, in frames of the clip; that of repeats, which are plain to see, may be longer."""

PULLED = Fraction(2, 5)
"""Film shown at 60 a second, each picture twice or three times. Drawn animation holds its pictures so long too, but not in
turn, so that more periods must be seen."""

EXPLAINED = 0.6
"""Least share of the unevenness that a pattern explains."""

WILD = 1.5
"""No frame counts as further from even, as a logarithm."""

UNEVEN = 0.06
"""Least mean square of the logarithms of how far frames are from even, for a pattern without repeats."""

FEW = 0.1
"""Most repeats, as a share of the frames, where a pattern has none."""

TURNS = 2.5
"""How many periods of a pattern must be seen."""

REST = 0.1
"""Spread of the logarithms of steps in time from which a pattern leaves something unexplained."""

AROUND = 7
"""Frames on each side that say what smooth motion is."""

TAPER = 8
"""Frames at both ends of a shot over which offsets fall to none."""

MOST = 2.0
"""The most frames by which a frame lies from its true time; more is an error."""

LEAST = 0.1
"""Least true time between two frames, as a share of a frame's."""


def uneven(seen: Measures, apart: Collection[int] = (), lost: Collection[int] = ()) -> list[Finding]:
    """The shots, or parts of shots between the frames ``apart``, whose frames lie unevenly. ``lost`` are the frames before
    which frames are known to be missing."""
    return [found for steps in steps_of(seen, apart) if (found := _judged(steps, lost)) is not None]


def _judged(steps: Steps, lost: Collection[int]) -> Finding | None:
    rests = steps.rests
    if (found := _pattern(steps)) is not None:
        offsets, sure = found
        rests = np.diff(offsets) > 1 - LEAST
        early = bool(offsets[-1] >= 0)  # then the last frame is shown at its own time too, and all others are exact
    else:
        spread, sure, pairs = _unevenness(steps, steps.off, lost)
        if pairs < PAIRS or spread < SPREAD or sure < SURE:
            return None
        offsets, sure, early = _smooth(steps), min(0.4 + 0.06 * sure + 0.3 * spread, 0.95), False
    offsets = _ordered(steps, offsets if early else _tapered(offsets), rests)
    last = steps.first + len(offsets) - 1
    return Finding("uneven", steps.first, last, len(offsets), sure, "keep", offsets=tuple(map(float, offsets)))


def _unevenness(steps: Steps, off: Numbers, lost: Collection[int] = ()) -> tuple[float, float, int]:
    """The spread of the logarithms of steps in time, in how many standard errors it differs from none, and from how many
    pairs of frames that is known, if the frames are ``off`` from even as `Steps.off` says.

    A step that takes longer makes the frame before it early and the one after it late. Errors of measuring do not know
    of one another, and speed that changes makes neighbours early or late alike.
    """
    off = off.copy()
    for k in lost:
        for near in (k - 1, k):
            if 0 <= near - steps.first - 1 < len(off):
                off[near - steps.first - 1] = np.nan
    early, late = off[:-1].clip(-WILD, WILD), off[1:].clip(-WILD, WILD)
    known = ~np.isnan(early + late)
    pairs = int(known.sum())
    if not pairs:
        return 0.0, 0.0, 0
    shared, size = -(early[known] * late[known]).mean(), (early[known] ** 2 + late[known] ** 2).mean() / 2
    return sqrt(max(shared, 0.0)), float(shared * sqrt(pairs) / max(size, 1e-9)), pairs


def _is_uneven(steps: Steps, off: Numbers) -> bool:
    spread, sure, _ = _unevenness(steps, off)
    return spread > REST and sure > SURE


@cache
def ratios() -> tuple[Fraction, ...]:
    """Frames of the source per frame of the clip, of all changes of rate that leave an uneven pattern."""
    found = {Fraction(old, new) for old in RATES for new in RATES}
    longest = {one: PERIOD if one > 1 else max(RATES) for one in found}
    known = (one for one in found if 1 < one.denominator <= longest[one] and Fraction(1, 2) < one < 4)
    return tuple(sorted([*known, PULLED]))


def _pattern(steps: Steps) -> tuple[Numbers, float] | None:
    """Offsets by the pattern of a change of rate, and how sure it is; None if there is none."""
    if np.abs(steps.lasts - 1).max() > 0.25:
        return None
    off = steps.off
    known = ~np.isnan(off)
    count = np.arange(steps.frames)
    best: tuple[float, Numbers, Fraction] | None = None
    size = float((off[known].clip(-WILD, WILD) ** 2).sum())
    moves = steps.rests.mean() < FEW and size > UNEVEN * known.sum()
    for ratio in ratios():
        if steps.frames < (3 if ratio == PULLED else 1) * TURNS * ratio.denominator:
            continue
        for phase in range(ratio.denominator):
            source = (count * ratio.numerator + phase) // ratio.denominator
            whole = np.diff(source)
            if ratio < 1:
                score = _like(steps, whole == 0)
            elif not moves or known.sum() < max(PAIRS, TURNS * ratio.denominator / 2):
                continue
            else:
                left = off - np.diff(np.log(whole))
                score = 1 - float((left[known].clip(-WILD, WILD) ** 2).sum()) / size
                if score > EXPLAINED and _is_uneven(steps, left):  # part of another pattern
                    continue
            if best is None or score > best[0]:
                best = score, source - source[0], ratio
    if best is None or best[0] < EXPLAINED:
        return None
    score, source, ratio = best
    return count - source * float(1 / ratio), min(score + 0.1, 1.0)


def _like(steps: Steps, rests: Numbers) -> float:
    """How well a pattern says which steps rest: 1 if it names them all and no others."""
    both = (rests & steps.rests).sum()
    named = 2 * float(both) / max(float(rests.sum() + steps.rests.sum()), 1.0)
    spread, _, _ = _unevenness(steps, steps.off)
    return (named - 0.8) / 0.2 if both >= TURNS and spread < SPREAD else 0.0


def _smooth(steps: Steps) -> Numbers:
    """Offsets from smooth motion along the path."""
    lengths = np.where(steps.rests, 0.0, np.exp(steps.widths()))
    stamps, path = (np.concatenate([[0.0], np.cumsum(each)]) for each in (steps.lasts, lengths))
    offsets = np.zeros(steps.frames)
    for k in range(steps.frames):
        near = slice(max(k - AROUND, 0), k + AROUND + 1)
        away = stamps[near] - stamps[k]
        weights = np.sqrt((1 - (np.abs(away) / (np.abs(away).max() + 1)) ** 3) ** 3)
        terms = np.stack([np.ones_like(away), away, away**2], axis=1)
        (place, speed, _), *_ = np.linalg.lstsq(terms * weights[:, None], (path[near] - path[k]) * weights, rcond=None)
        offsets[k] = place / max(speed, 0.25 * lengths[near][:-1].mean(), 1e-6)
    bounded: Numbers = offsets.clip(-MOST, MOST)
    return bounded


def _tapered(offsets: Numbers) -> Numbers:
    """The offsets with none at both ends."""
    count = np.arange(len(offsets))
    taper = min(TAPER, len(offsets) // 2)
    early, late = ((1 - place / taper).clip(0, 1) for place in (count, count[::-1]))
    tapered: Numbers = offsets - offsets[0] * early - offsets[-1] * late
    return tapered


def _ordered(steps: Steps, offsets: Numbers, rests: Numbers) -> Numbers:
    """The offsets in the order of the frames: what rests has the time of the frame before."""
    for k, lasts in enumerate(steps.lasts):
        latest = offsets[k] + lasts
        offsets[k + 1] = latest if rests[k] else min(offsets[k + 1], latest - LEAST * lasts)
    bounded: Numbers = offsets.clip(-OFFSET_RANGE, OFFSET_RANGE)
    return bounded
