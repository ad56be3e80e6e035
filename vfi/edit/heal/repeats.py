"""Repeated frames, and frozen ends.

A repeat is much closer to the frame before it than the steps around it are. Drawn animation holds its pictures on purpose, and
so does whoever freezes a frame: what repeats often without the even pattern of a change of rate is left alone. Knows nothing
of pictures.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from statistics import median

from .findings import Finding
from .pictures import MOVES
from .record import Measure

NEAR = 0.2
"""Largest difference of a repeat, as a share of the steps around it."""

HALF = 0.4
"""The same, where motion shows that the frame stands still."""

RESTS = 0.1
"""A frame stands still if it moves by less than this share of the steps around it."""

FAR = 2.0
"""Largest difference of a repeat, of 255."""

MOVING = 1.0
"""Steps below this, of 255, are too small to tell a repeat from slow motion."""

LIT = 0.06
"""Change of light of all channels, as a logarithm, from which a step is one of light: it tells nothing of motion."""

PLAIN = 5.0
"""Spread of grey, of 255, below which a picture shows nothing that could repeat: black between two fades."""

FEW = 0.22
"""Share of repeats in a shot up to which they need no pattern."""

ON_TWOS = 0.05
"""How far from 2 frames the distance of repeats must be: nothing tells a doubled rate from animation on twos."""

LONGEST = 3
"""The longest run of repeats; longer ones are freezes."""

FROZEN = 3
"""The fewest repeats that make a frozen end."""

SPEED = 0.5
"""Share of the usual step with which a frozen end must begin or end: what comes to rest by itself is not frozen."""

MEANT = Fraction(1)
"""Seconds from which a frozen end is meant: a freeze-frame, or a title that stands."""

AROUND = 6
"""Steps that say what is usual."""


def repeats(frames: Sequence[Measure], apart: Collection[int] = ()) -> list[Finding]:
    """The repeats within shots, and the frozen frames at both ends of the clip. The steps to the frames ``apart`` are no
    motion: there is a flash, say, or the end of one, or a frame that is broken."""
    found = _frozen(frames, apart)
    taken = {len(frames), *(k for one in found for k in range(one.first, one.last + 1))}
    for begin, end in _shots(frames):
        shot = [one for one in frames[begin:end] if one.index == begin or one.index not in apart]
        ends = [[one.index for one in _at_end(shot[1:])], sorted(one.index for one in _at_end(shot[:0:-1]))]
        runs = sorted(run for run in (*filter(None, ends), *_runs(shot)) if run[0] not in taken and run[-1] + 1 not in taken)
        dips = _dips(shot)
        share = max(sum(map(len, runs)), len(dips)) / max(end - begin, 1)
        runs = [run for run in runs if len(run) <= LONGEST]
        if share > FEW and not (_even(runs) and _even([[k] for k in dips])):
            continue
        found += [_finding(frames, run) for run in runs]
    return found


def _finding(frames: Sequence[Measure], run: Sequence[int]) -> Finding:
    widths = [frames[k].width for k in run]
    steps = [frames[k].width for k in (run[0] - 1, run[-1] + 1) if 0 < k < len(frames)]
    sure = 1 - max(widths) / max(min(steps, default=1.0), 1e-6) / NEAR / 2
    return Finding("repeat", run[0], run[-1], len(run), min(max(sure, 0.5), 1.0), "spread")


def _shots(frames: Sequence[Measure]) -> list[tuple[int, int]]:
    begins = [0, *(one.index for one in frames if one.cut and one.index), len(frames)]
    return [(begin, end) for begin, end in pairwise(begins) if end > begin]


def _repeats(one: Measure, step: Measure) -> bool:
    """Whether a frame repeats the one before it, beside a ``step`` of motion: by its difference, or by its lack of motion where
    coding leaves differences."""
    if one.width > FAR or step.width < MOVING or min(map(abs, step.gain)) > LIT or one.spread < PLAIN:
        return False
    at_rest = step.moved > 2 * MOVES and one.moved < RESTS * step.moved
    return one.width < (HALF if at_rest else NEAR) * step.width


def _at_end(steps: Sequence[Measure]) -> Sequence[Measure]:
    """The steps from an end of a shot that rest, if motion begins at full speed behind them: there is one step of motion beside
    them only."""
    for count in range(1, min(LONGEST + 1, len(steps))):
        begins, moving = steps[count], [one.width for one in steps[count + 1 : count + 1 + AROUND]]
        if all(_repeats(one, begins) for one in steps[:count]) and moving and begins.width >= SPEED * median(moving):
            return steps[:count]
    return []


def _runs(frames: Sequence[Measure]) -> list[list[int]]:
    """The runs of repeats within a shot, by number: each lies between two steps of motion, among others."""
    found = []
    k = 2
    while k < len(frames):
        before, end = frames[k - 1], k
        while end < len(frames) and _repeats(frames[end], before):
            end += 1
        if k < end < len(frames) and all(_repeats(one, frames[end]) for one in frames[k:end]):
            around = [one.width for one in (*frames[max(k - AROUND, 1) : k], *frames[end : end + AROUND])]
            if median(around) >= SPEED * min(before.width, frames[end].width):
                found += _consecutive([frames[number].index for number in range(k, end)])
        k = max(end, k + 1)
    return found


def _consecutive(numbers: Sequence[int]) -> list[list[int]]:
    """Numbers in ascending order, parted where some are left out."""
    breaks = [0, *(k for k in range(1, len(numbers)) if numbers[k] > numbers[k - 1] + 1), len(numbers)]
    return [list(numbers[begin:end]) for begin, end in pairwise(breaks)]


def _dips(frames: Sequence[Measure]) -> list[int]:
    """The frames, by number, that come after a much smaller step than both beside it: repeats, and what may be some."""
    sides = zip(frames[1:], frames[2:], frames[3:], strict=False)
    return [
        one.index
        for before, one, after in sides
        if one.width < HALF * min(before.width, after.width) and min(before.width, after.width) >= MOVING
    ]


def _even(runs: Sequence[Sequence[int]]) -> bool:
    """Whether single repeats come as evenly as a change of rate makes them, and not with every second frame, as in
    animation. Some may be left out, where other frames are broken."""
    if any(len(run) > 1 for run in runs) or len(runs) < 3:
        return False
    places = [run[0] for run in runs]
    gaps = [after - before for before, after in pairwise(places)]
    usual = median(gaps)
    whole, some = range(len(places)), [0, *accumulate(max(round(gap / usual), 1) for gap in gaps)]
    return any(_on_beat(places, beats) for beats in (whole, some))


def _on_beat(places: Sequence[int], beats: Sequence[int]) -> bool:
    """Whether places lie less than a frame from these beats of one period, which is not 2."""
    period = (places[-1] - places[0]) / beats[-1]
    off = [place - places[0] - beat * period for place, beat in zip(places, beats, strict=True)]
    return max(off) - min(off) < 1 + 1e-9 and abs(period - 2) > ON_TWOS


def _frozen(frames: Sequence[Measure], apart: Collection[int]) -> list[Finding]:
    """The frozen frames at the beginning and the end; of each hold, one frame stays."""
    found = []
    (_, first_end), (last_begin, _) = _shots(frames)[0], _shots(frames)[-1]
    ahead = _held(frames, [k for k in range(1, first_end) if k not in apart])
    if ahead is not None and frames[ahead - 1].time - frames[0].time < MEANT:
        found.append(Finding("freeze", 0, ahead - 2, ahead - 1, 0.9, "cut"))
    behind = _held(frames, [k for k in range(len(frames) - 1, last_begin, -1) if k not in apart])
    if behind is not None and frames[-1].time - frames[behind].time < MEANT:
        found.append(Finding("freeze", behind + 1, len(frames) - 1, len(frames) - 1 - behind, 0.9, "cut"))
    return found


def _held(frames: Sequence[Measure], steps: Sequence[int]) -> int | None:
    """The number of the frame to which motion begins at full speed, if the ``steps`` to frames before it stand still."""
    widest = max((frames[k].width for k in steps[: FROZEN - 1]), default=0.0)
    for count in range(FROZEN, len(steps) // 2 + 1):
        widest = max(widest, frames[steps[count - 1]].width)
        begins = frames[steps[count]]
        if widest >= HALF * begins.width:  # no repeat: in hours of film, not all steps are looked at each time
            continue
        moving = [frames[k].width for k in steps[count : count + AROUND]]
        if begins.width >= SPEED * median(moving) and all(_repeats(frames[k], begins) for k in steps[:count]):
            return begins.index
    return None
