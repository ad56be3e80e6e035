"""Missing frames: steps in which everything moves twice as far as before and after, or three or four times.

Two witnesses are asked. By motion, the frames at such a gap lie unevenly between their neighbours by the same factor: the
earlier close to the one before it, the later close to the one after. By difference, the pictures at a gap differ as those do
beside it that lie two steps apart, or more. Motion is known where it is large, differences where it is small: their sum tells.
Knows nothing of pictures.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import log

from .findings import Finding
from .record import Measure

LEAST = 0.6
"""How uneven the places of both frames must be: 2/3 where one frame is missing, 1/2 where none is."""

STEPS = (1.7, 2.75, 3.85, 5.5)
"""What both witnesses say together from which one, two and three frames are missing, and up to which three. Each counts even
motion as 0 and a step of two as 1; motion counts one of three as 1.6."""

TOLD = 1.1
"""How many times as much pictures two steps apart must differ as those one step apart for their differences to tell."""

AGREED = 0.38
"""Least share of the moving pixels that agree on a frame's place."""

KNOWN = 0.06
"""Least share of all pixels that must tell."""

BESIDE = 0.105
"""How far from even the motion beside a gap may be: where all motion is uneven, a large step is no gap."""


def gaps(frames: Sequence[Measure], busy: Sequence[bool]) -> list[Finding]:
    """The missing frames; ``busy`` tells the frames that are something else, near which motion says nothing."""
    found = []
    for before, after in pairwise(frames[1:-1]):
        k = after.index
        if any(busy[max(k - 2, 0) : k + 2]) or any(frames[j].cut for j in range(k - 1, min(k + 2, len(frames)))):
            continue
        early, late = before.place, after.place
        agreed = min(early.agreed, late.agreed)
        if min(1 - early.at, late.at) < LEAST or min(early.known, late.known) < KNOWN or agreed < AGREED:
            continue
        if not (_is_even(frames, k - 2) and _is_even(frames, k + 1)):
            continue
        moved = (_logit(late.at) - _logit(early.at)) / 2 - log(_longer(frames, k))
        told = moved / log(2) + _differs(frames, busy, k)
        lost = bisect_right(STEPS, told)
        if 1 <= lost < len(STEPS):
            sure = 0.5 + agreed / 4 + min(told - STEPS[0], 1.0) / 4
            found.append(Finding("missing", k, k, lost, min(sure, 1.0), "insert"))
    return found


def _differs(frames: Sequence[Measure], busy: Sequence[bool], k: int) -> float:
    """How far the step to frame ``k`` is by its difference: 0 if it is as those beside it, 1 if as two of them are together."""

    def steps(first: int, last: int) -> bool:
        """Whether the steps to these frames are motion within a shot."""
        inside = first > 0 and last < len(frames)
        return inside and not any(busy[first - 1 : last + 1]) and not any(one.cut for one in frames[first : last + 1])

    once = [frames[j].width for j in (k - 2, k - 1, k + 1, k + 2) if steps(j, j)]
    twice = [frames[j].twice for j in (k - 1, k + 2) if steps(j - 1, j)]
    if not once or not twice or min(*once, *twice) <= 0:
        return 0.0
    single = sum(map(log, once)) / len(once)
    rise = sum(map(log, twice)) / len(twice) - single
    return (log(max(frames[k].width, 1e-3)) - single) / rise if rise > log(TOLD) else 0.0


def _is_even(frames: Sequence[Measure], k: int) -> bool:
    """Whether frame ``k`` lies about midway between its neighbours, as far as it can be told."""
    if not 0 < k < len(frames) - 1 or frames[k].cut or frames[k + 1].cut or frames[k].place.known < KNOWN:
        return True
    return abs(frames[k].place.at - 0.5) < BESIDE


def _longer(frames: Sequence[Measure], k: int) -> float:
    """How many times as long as the steps beside it the one before frame ``k`` lasts: what takes longer moves further."""
    times = [one.time for one in frames[k - 2 : k + 2]]
    sides = [late - early for early, late in (times[:2], times[2:])]
    return float(2 * (times[2] - times[1]) / sum(sides)) if len(times) == 4 and sum(sides) > 0 else 1.0


def _logit(share: float) -> float:
    share = min(max(share, 0.02), 0.98)
    return log(share / (1 - share))
