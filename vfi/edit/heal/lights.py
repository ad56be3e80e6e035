"""Flashes, dark frames and corrupt frames: which odd runs are faults, and which belong to what was filmed.

Lightning decays or comes in bursts, strobes beat, fades come gradually, and fast motion is odd for many frames: none of
these is a fault. Knows nothing of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, takewhile
from math import log
from statistics import median

from .findings import Finding
from .outliers import ALIKE, SHORT, Odd
from .record import Measure

BURST = 8
"""Flashes at most this many frames apart belong to what was filmed: lightning and strobes."""

BEAT = 14
"""Three flashes, each at most this many frames after the one before it, belong to what was filmed: strobes, photographers."""

LIGHTER = 8.0
"""Mean change of light, of 255, from which an odd frame that is no flash may be one of a beat: one that lights a part."""

GRADUAL = 0.3
"""Share of a flash's change of light by which the light may change in the frames beside it."""

DECAY = 0.7
"""Share of a flash's first change of light below which the last one shows that it decays, as lightning does."""

UNSTEADY = 0.06
"""Change of light of all channels, as a logarithm, that shows near a flash that the light flickers by itself."""

SMALL = 0.2
"""Share of a flash's own change of light up to which such changes do not."""

OTHER = 5
"""How many times as much of a picture as is usual must be unexplained for a change of light to be one of pictures."""

ALONE = 8
"""Frames around a corrupt one that must not be as odd, but for other faults: fast motion is odd again and again."""

NEWS = 2.5
"""How many times as much of a corrupt frame must be unexplained as is usual around it."""

BETWEEN = 3
"""A corrupt frame between two cuts, each at most this many frames away, belongs to what was cut fast."""

WHOLE = 0.5
"""Share of the picture that is off in a short shot between two parts of another."""

RUNS_ON = 0.4
"""Within such a shot less than this share of what is new in its first frame is new: broken frames do not go on."""

SHOWN = 12.0
"""Spread of grey, of 255, of the frames of such a shot; broken ones may be plain."""

NEAR = 5
"""Frames on each side that say what is usual."""


def lights(frames: Sequence[Measure], odd: Sequence[Odd]) -> list[Finding]:
    """The faults among the ``odd`` runs of a clip."""
    alone = [one for one in _single(odd) if not _gradual(frames, one)]
    runs = _merged(odd)
    singly = {one.first for one in alone}
    others = [one for one in runs if one.first not in singly]
    lit = _beats(_bright(odd))
    broken = [
        one
        for before, one, after in zip([None, *others], others, [*others[1:], None], strict=False)
        if one.kind == "corrupt" and one.first not in lit
        if _is_broken(frames, one, [other for other in (before, after) if other is not None])
    ]
    return [_finding(one, _certainty(one)) for one in (*alone, *broken)]


def _finding(one: Odd, sure: float) -> Finding:
    return Finding(one.kind, one.first, one.last, one.last - one.first + 1, sure, "remake")


def _certainty(one: Odd) -> float:
    """From how far off the frames are, and on how much of the picture."""
    return min(0.5 + one.area / 2, 1.0) * min(one.off / 24, 1.0) ** 0.5


def _single(odd: Sequence[Odd]) -> list[Odd]:
    """The flashes and dark frames that come alone."""
    flashes, dark = ([one for one in odd if one.kind == kind] for kind in ("flash", "dark"))
    meant = _bursts(flashes) | _bursts(dark) | _beats(_bright(odd)) | _beats(dark)
    return [one for one in (*flashes, *dark) if one.first not in meant]


def _bright(odd: Sequence[Odd]) -> list[Odd]:
    """The flashes, and the runs in which a part of the picture is lit."""
    return [one for one in odd if one.kind == "flash" or (one.kind == "corrupt" and one.shift > LIGHTER)]


def _bursts(runs: Sequence[Odd]) -> set[int]:
    """The first frames of the runs that follow one another fast."""
    return {one.first for pair in pairwise(runs) if _apart(*pair) <= BURST for one in pair}


def _beats(runs: Sequence[Odd]) -> set[int]:
    """The first frames of three and more runs that follow one another."""
    threes = zip(runs, runs[1:], runs[2:], strict=False)
    return {one.first for three in threes if all(_apart(*pair) <= BEAT for pair in pairwise(three)) for one in three}


def _apart(one: Odd, other: Odd) -> int:
    return other.first - one.last


def _gradual(frames: Sequence[Measure], one: Odd) -> bool:
    """Whether the light changes before the run, goes on changing after it, or decays within it."""
    change = GRADUAL * abs(one.shift)
    before = one.first >= 2 and not frames[one.first - 1].cut and abs(_step(frames, one.first - 1)) > change
    after = one.last + 2 < len(frames) and not frames[one.last + 2].cut and abs(_step(frames, one.last + 2)) > change
    off = [abs(_light(frame) - _light(frames[one.last + 1])) for frame in frames[one.first : one.last + 1]]
    decays = len(off) > 1 and off[-1] < DECAY * off[0] and all(late < early for early, late in pairwise(off))
    near = _near(frames, one, BURST)
    unlike = OTHER * median([other.left for other in near] or [0.0])  # the picture changes too: a cut that nobody marked
    lit = [other for other in near if other.left <= unlike]
    sound = _light(frames[one.last + 1])
    flickers = max(UNSTEADY, SMALL * abs(log(max(sound + one.shift, 1.0) / max(sound, 1.0))))
    return before or after or decays or any(min(map(abs, other.gain)) > flickers for other in lit)


def _near(frames: Sequence[Measure], one: Odd, many: int) -> list[Measure]:
    """The frames of its shot before a run, and those after the frame that follows it, up to ``many`` on each side."""
    sides = (frames[max(one.first - many, 1) : one.first][::-1], frames[one.last + 2 : one.last + 2 + many])
    return [frame for side in sides for frame in takewhile(lambda frame: not frame.cut, side)]


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
    rivals = [other for other in beside_it if other.area >= ALIKE * one.area]
    if any(other.first - one.last <= ALONE and one.first - other.last <= ALONE for other in rivals):
        return False
    before, after = frames[max(one.first - BETWEEN, 1) : one.first], frames[one.last + 2 : one.last + 2 + BETWEEN]
    if any(frame.cut for frame in before) and any(frame.cut for frame in after):  # one of many short shots, not a broken frame
        return False
    if one.area > WHOLE and _runs_on(frames[one.first : one.last + 1]):
        return False
    usual = median([frame.left for frame in _near(frames, one, NEAR)] or [0.0])
    return min(frames[one.first].left, frames[one.last + 1].left) > NEWS * usual


def _runs_on(run: Sequence[Measure]) -> bool:
    """Whether frames are a short shot: each goes on from the one before it."""
    first, *rest = run
    shown = min(one.spread for one in run) > SHOWN
    return bool(rest) and shown and max(one.left for one in rest) < RUNS_ON * first.left
