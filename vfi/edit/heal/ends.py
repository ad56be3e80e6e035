"""Junk at the ends: a few frames of another shot, or in another light, before the first frame that belongs to a clip or after
the last. Knows nothing of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from .findings import Finding
from .record import Measure

FEW = 6
"""The most junk frames at an end."""

REST = 4
"""How many times as long as the junk the shot beside it must be."""

LIGHT = 0.14
"""Least step of light, as a logarithm, in all channels."""

STEADY = 0.02
"""The light around such a step changes by less than this."""


def ends(frames: Sequence[Measure]) -> list[Finding]:
    """The junk frames at both ends of a clip."""
    cuts = [one.index for one in frames if one.cut and one.index]
    length = len(frames)
    found = []
    first, last = cuts[:1], cuts[-1:]
    if first and first[0] <= FEW and (cuts[1] if len(cuts) > 1 else length) - first[0] >= REST * max(first[0], 3):
        found.append(Finding("junk", 0, first[0] - 1, first[0], _sure(frames, first[0]), "cut"))
    if last and length - last[0] <= FEW and last[0] - (cuts[-2] if len(cuts) > 1 else 0) >= REST * max(length - last[0], 3):
        found.append(Finding("junk", last[0], length - 1, length - last[0], _sure(frames, last[0]), "cut"))
    if length > REST * FEW:
        begin = _step(frames, range(1, FEW + 1))
        end = _step(frames, range(length - FEW, length))
        if begin is not None and not any(one.first == 0 for one in found):
            found.append(Finding("junk", 0, begin - 1, begin, 0.7, "cut"))
        if end is not None and not any(one.last == length - 1 for one in found):
            found.append(Finding("junk", end, length - 1, length - end, 0.7, "cut"))
    return found


def _sure(frames: Sequence[Measure], cut: int) -> float:
    usual = median(one.left for one in frames[1:])
    return min(1.0, 0.6 + 0.4 * min(frames[cut].left / max(8 * usual, 1.0), 1.0))


def _step(frames: Sequence[Measure], places: range) -> int | None:
    """The one frame among ``places`` at which the light changes at once and stays."""
    steps = [k for k in places if _least(frames[k].gain) > LIGHT]
    if len(steps) != 1 or frames[steps[0]].cut:
        return None
    near = [k for k in range(max(steps[0] - 3, 1), min(steps[0] + 4, len(frames))) if k != steps[0]]
    steady = all(max(map(abs, frames[k].gain)) < STEADY for k in near)
    return steps[0] if steady else None


def _least(gain: tuple[float, float, float]) -> float:
    """The least change of a channel, if all change the same way."""
    return min(map(abs, gain)) if len({one > 0 for one in gain}) == 1 else 0.0
