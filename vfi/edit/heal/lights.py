"""Flashes, dark frames and corrupt frames: which odd runs are faults, and which belong to what was filmed.

Lightning decays or comes in bursts, strobes beat, fades come gradually, and fast motion is odd for many frames: none of these is
a fault. Knows nothing of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from .findings import Finding
from .measures import Measure
from .outliers import Odd

BURST = 8
"""Flashes at most this many frames apart belong to what was filmed: lightning and strobes."""

GRADUAL = 0.3
"""Share of a flash's change of light by which the light may change in the frames beside it."""

BROKEN = 0.06
"""Least share of the picture that is off in a corrupt frame."""

ALONE = 8
"""Frames around a corrupt one that must not be odd: fast motion is odd again and again."""

UNLIKE = 25.0
"""Difference of both sides, of 255, from which they do not continue one another."""

CLEAR = 4.0
"""How many times as far off a corrupt frame must be as both sides are from one another."""

NEWS = 2.5
"""How many times as much of a corrupt frame must be unexplained as is usual around it."""

SHORT = 4
"""The longest run of corrupt frames: things that come and go naturally stay longer."""

NEAR = 5
"""Frames on each side that say what is usual."""


def lights(frames: Sequence[Measure], odd: Sequence[Odd]) -> list[Finding]:
    """The faults among the ``odd`` runs of a clip."""
    found = [_finding(one, _certainty(one)) for one in _single(odd) if not _gradual(frames, one)]
    return [*found, *(_finding(one, _certainty(one)) for one in odd if one.kind == "corrupt" and _is_broken(frames, odd, one))]


def _finding(one: Odd, sure: float) -> Finding:
    return Finding(one.kind, one.first, one.last, one.last - one.first + 1, sure, "remake")


def _certainty(one: Odd) -> float:
    """From how far off the frames are, and on how much of the picture."""
    return min(0.5 + one.area / 2, 1.0) * min(one.off / 24, 1.0) ** 0.5


def _single(odd: Sequence[Odd]) -> list[Odd]:
    """The flashes and dark frames that come alone."""
    runs = [one for one in odd if one.kind != "corrupt"]
    close = {one.first for pair in pairwise(runs) if pair[1].first - pair[0].last <= BURST for one in pair}
    return [one for one in runs if one.first not in close]


def _gradual(frames: Sequence[Measure], one: Odd) -> bool:
    """Whether the light changes before the run, goes on changing after it, or decays within it."""
    light = [sum(frame.mean) / 3 for frame in frames]
    change = GRADUAL * abs(one.shift)
    before = one.first >= 2 and not frames[one.first - 1].cut and abs(light[one.first - 1] - light[one.first - 2]) > change
    after = one.last + 2 < len(light) and not frames[one.last + 2].cut and abs(light[one.last + 2] - light[one.last + 1]) > change
    inside = light[one.first : one.last + 1]
    decays = len(inside) > 2 and all(abs(late - light[one.last + 1]) < abs(early - light[one.last + 1]) for early, late in pairwise(inside))
    return before or after or (decays and abs(inside[0] - inside[-1]) > change)


def _is_broken(frames: Sequence[Measure], odd: Sequence[Odd], one: Odd) -> bool:
    if one.area < BROKEN or one.sides > UNLIKE or one.off < CLEAR * one.sides or one.last - one.first >= SHORT:
        return False
    if any(other is not one and other.first - one.last <= ALONE and one.first - other.last <= ALONE for other in odd):
        return False
    around = [frame.left for frame in frames[max(one.first - NEAR, 1) : one.first] + frames[one.last + 2 : one.last + 2 + NEAR]]
    usual = median(around) if around else 0.0
    return min(frames[one.first].left, frames[one.last + 1].left) > NEWS * usual
