"""Missing frames: steps in which everything moves twice as far as before and after, or three or four times.

The two frames at such a gap lie unevenly between their neighbours by the same factor: the earlier close to the one before it,
the later close to the one after. Knows nothing of pictures.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import exp, log

from .findings import Finding
from .record import Measure

LEAST = 0.55
"""How uneven the places of both frames must be: 2/3 where one frame is missing, 1/2 where none is."""

STEPS = (1.68, 2.3, 3.2, 5.5)
"""How many times as wide as those beside it a step is from which one, two and three frames are missing, and up to which
three. Even clips measured up to 1.53; flow finds wide steps a little too short."""

AGREED = 0.38
"""Least share of the moving pixels that agree on a frame's place."""

WIDE = 0.28
"""The same for more than one missing frame: flow is less sure there."""

FAINT = 0.1
"""The same where the differences alone show the gap: fast motion is known less well."""

JUMP = 1.58
"""How many times as wide as both steps beside it a gap must be, by its difference or by what its fastest tenth moves: of two
uneven steps one after the other, neither is a gap."""

PLAIN = 1.35
"""The same for a gap that the differences alone show."""

LEVEL = 1.4
"""How many times as wide as the narrowest the widest of the two steps on each side of such a gap may be."""

ALIKE = 0.6
"""How unlike, as a logarithm, the steps on both sides of such a gap may be."""

KNOWN = 0.08
"""Least share of all pixels that must tell."""

SEEN = 0.4
"""Pixels of a thumbnail by which the fastest tenth must move in a gap: a smaller jump is not seen, nor well measured."""

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
        if min(1 - early.at, late.at) < LEAST or min(early.known, late.known) < KNOWN:
            continue
        if after.moved < SEEN:
            continue
        step = exp((_logit(late.at) - _logit(early.at)) / 2) / _longer(frames, k)
        lost = bisect_right(STEPS, step)
        agreed = min(early.agreed, late.agreed)
        if not 1 <= lost < len(STEPS) or not (_is_even(frames, k - 2) and _is_even(frames, k + 1)):
            continue
        if _jump(frames, k) < JUMP or not (agreed >= (AGREED if lost == 1 else WIDE) or _is_plain(frames, k, agreed)):
            continue
        sure = 0.5 + agreed / 4 + min(step - STEPS[0], 1.0) / 4
        found.append(Finding("missing", k, k, lost, min(sure, 1.0), "insert"))
    return found


def _jump(frames: Sequence[Measure], k: int) -> float:
    """How many times as wide as both steps beside it the step to frame ``k`` is."""
    before, here, after = frames[k - 1 : k + 2]
    differs = here.width / max(before.width, after.width, 1e-3)
    return max(differs, here.moved / max(before.moved, after.moved, 1e-3))


def _is_plain(frames: Sequence[Measure], k: int, agreed: float) -> bool:
    """Whether the differences alone show a gap before frame ``k``: the steps around it are alike, and narrower."""
    around = [frames[j].width for j in (k - 2, k - 1, k + 1, k + 2) if 0 < j < len(frames)]
    unlike = abs(_logit(frames[k - 1].place.at) + _logit(frames[k].place.at))
    wider = frames[k].width / max(frames[k - 1].width, frames[k + 1].width, 1e-3)
    return agreed >= FAINT and unlike < ALIKE and wider >= PLAIN and max(around) <= LEVEL * min(around)


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
