"""Flashes, dark frames and corrupt frames: which odd runs are faults, and which belong to what was filmed.

Lightning decays or comes in bursts, strobes beat, fades come gradually, and fast motion is odd for many frames: none of
these is a fault. Knows nothing of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from .findings import Finding
from .measures import Measure
from .outliers import SHORT, Odd

BURST = 8
"""Flashes at most this many frames apart belong to what was filmed: lightning and strobes."""

GRADUAL = 0.3
"""Share of a flash's change of light by which the light may change in the frames beside it."""

DECAY = 0.7
"""Share of a flash's first change of light below which the last one shows that it decays, as lightning does."""

UNSTEADY = 0.06
"""Change of light of all channels, as a logarithm, that shows near a flash that the light flickers by itself."""

ALONE = 8
"""Frames around a corrupt one that must not be odd: fast motion is odd again and again."""

NEWS = 2.5
"""How many times as much of a corrupt frame must be unexplained as is usual around it."""

NEAR = 5
"""Frames on each side that say what is usual."""


def lights(frames: Sequence[Measure], odd: Sequence[Odd]) -> list[Finding]:
    """The faults among the ``odd`` runs of a clip."""
    found = [_finding(one, _certainty(one)) for one in _single(odd) if not _gradual(frames, one)]
    runs = _merged(odd)
    return [
        *found,
        *(
            _finding(one, _certainty(one))
            for before, one, after in zip([None, *runs], runs, [*runs[1:], None], strict=False)
            if one.kind == "corrupt" and _is_broken(frames, one, [other for other in (before, after) if other is not None])
        ),
    ]


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
    change = GRADUAL * abs(one.shift)
    before = one.first >= 2 and not frames[one.first - 1].cut and abs(_step(frames, one.first - 1)) > change
    after = one.last + 2 < len(frames) and not frames[one.last + 2].cut and abs(_step(frames, one.last + 2)) > change
    off = [abs(_light(frame) - _light(frames[one.last + 1])) for frame in frames[one.first : one.last + 1]]
    decays = len(off) > 1 and off[-1] < DECAY * off[0] and all(late < early for early, late in pairwise(off))
    near = [*frames[max(one.first - BURST, 1) : one.first], *frames[one.last + 2 : one.last + 2 + BURST]]
    return before or after or decays or any(min(map(abs, other.gain)) > UNSTEADY for other in near if not other.cut)


def _light(frame: Measure) -> float:
    return sum(frame.mean) / 3


def _step(frames: Sequence[Measure], k: int) -> float:
    """How much lighter a frame is than the one before."""
    return _light(frames[k]) - _light(frames[k - 1])


def _merged(odd: Sequence[Odd]) -> list[Odd]:
    """The runs, corrupt ones that follow one another at once as one: each of their frames is broken in its own way."""
    runs: list[Odd] = []
    for one in odd:
        if runs and one.kind == runs[-1].kind == "corrupt" and one.first == runs[-1].last + 1:
            runs[-1] = replace(runs[-1], last=one.last, area=min(runs[-1].area, one.area))
        else:
            runs.append(one)
    return runs


def _is_broken(frames: Sequence[Measure], one: Odd, beside_it: Sequence[Odd]) -> bool:
    """Whether a corrupt run, with the runs before and after it, is a fault."""
    if one.last - one.first >= SHORT:
        return False
    if any(other.first - one.last <= ALONE and one.first - other.last <= ALONE for other in beside_it):
        return False
    beside = (*frames[max(one.first - 3, 1) : one.first], *frames[one.last + 2 : one.last + 4])
    if any(frame.cut for frame in beside):  # a short shot, not a broken frame
        return False
    near = (*frames[max(one.first - NEAR, 1) : one.first], *frames[one.last + 2 : one.last + 2 + NEAR])
    around = [frame.left for frame in near]
    usual = median(around) if around else 0.0
    return min(frames[one.first].left, frames[one.last + 1].left) > NEWS * usual
