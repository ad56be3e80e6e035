"""Runs of frames that belong to neither side: flashes, dark frames and corrupt frames.

A run of up to `LONGEST` frames is odd if the frames on its two sides continue one another, and none of its frames lies on
their way. Owns that test and what such frames show. Knows nothing of clips, or of what is done about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from .pictures import Picture, apart, coarse, grey_of, tiles, warped

LONGEST = 6
"""The longest run, in frames."""

OFF = 12.0
"""Mean difference of a tile, of 255, from which it is off."""

AGREE = 0.4
"""Both sides agree on a tile where they differ by less than this share of what it is off."""

AREA = 0.04
"""Least share of the picture that is off."""

BROKEN = 0.06
"""Least share of the picture that is off in a corrupt frame."""

UNLIKE = 25.0
"""Difference of both sides, of 255, from which they do not continue one another."""

CLEAR = 4.0
"""How many times as far off a corrupt frame must be as both sides are from one another."""

ALIKE = 1 / 3
"""Frames of one run are off on areas that differ by no more than this factor: a flash is no part of a fast gesture."""

SHORT = 4
"""The longest run of corrupt frames: things that come and go naturally stay longer."""

AROUND = (-0.25, 0.0, 0.25)
"""Shares of the way from one side to the other by which a frame may be early or late: motion is rarely even."""

FLAT = 5.0
"""Spread, of 255, below which a picture shows nothing."""

BLACK, WHITE = 40, 215
"""Level, of 255, below and above which such a picture is dark or a flash."""

REST, BY_MOTION = 0.05, 2.0
"""Most of what is left of a frame in another light, as shares of its variance, when each level of what lies between both sides
has become one other level; and how many times as much as is left of one side by the other, which motion leaves."""

LEVELS = 16
"""Codes that count as one level."""

ONE_WAY = 0.9
"""Share of tiles that are lighter, or darker, in another light."""


@dataclass(frozen=True)
class Odd:
    """A run of frames of the clip. ``shift`` is the mean change of their light, of 255; ``area`` the least share of
    the picture that is off, by ``off`` of 255 on average. ``sides`` is how much both sides differ along their motion, of 255.
    """

    kind: Literal["flash", "dark", "corrupt"]
    first: int
    last: int
    shift: float
    area: float
    off: float
    sides: float


def oddity(pictures: Sequence[Picture], first: int, flow: Any) -> Odd | None:
    """The run that begins with the second of ``pictures``, the frame ``first``, if there is one; what follows it is needed
    too."""
    if len(pictures) < 3:
        return None
    before, one = pictures[:2]
    jump = apart(before, one)
    if (jump > OFF).mean() < AREA:
        return None
    runs = []
    for length in range(1, min(LONGEST, len(pictures) - 2) + 1):
        after = pictures[length + 1]
        returns = (apart(before, after) < 0.8 * jump) | (coarse(before, after) < 0.5 * coarse(before, one))
        back = (jump > OFF) & returns
        if back.mean() >= AREA and (found := _run(before, pictures[1 : length + 1], after, first, flow)):
            runs.append(found)
    return min(runs, key=lambda run: run.sides, default=None)  # a part of a run has a broken side


class _Look(NamedTuple):
    """What was seen of one frame of a run."""

    kind: Literal["flash", "dark", "corrupt"]
    shift: float
    area: float
    off: float
    sides: float


def _run(before: Picture, run: Sequence[Picture], after: Picture, first: int, flow: Any) -> Odd | None:
    there, back = flow.calc(grey_of(before), grey_of(after), None), flow.calc(grey_of(after), grey_of(before), None)
    looks = []
    for number, one in enumerate(run, start=1):
        look = _look(one, before, after, there, back, number / (len(run) + 1))
        if look.area < AREA:
            return None
        looks.append(look)
    if min(look.area for look in looks) < ALIKE * max(look.area for look in looks):
        return None
    new, gone = _news(run[0], before, flow), _news(run[-1], after, flow)
    if (new & gone if len(run) == 1 else np.minimum(new.mean(), gone.mean())).mean() < AREA:
        return None
    kinds = [look.kind for look in looks]
    kind = kinds[0] if len(set(kinds)) == 1 else "corrupt" if "corrupt" in kinds else max(kinds, key=kinds.count)
    area = min(look.area for look in looks)
    off = min(look.off for look in looks)
    shift, sides = sum(look.shift for look in looks) / len(looks), max(look.sides for look in looks)
    if sides > UNLIKE or (kind == "corrupt" and (area < BROKEN or off < CLEAR * sides or len(run) > SHORT)):
        return None
    return Odd(kind, first, first + len(run) - 1, shift, area, off, sides)


def _news(one: Picture, side: Picture, flow: Any) -> Picture:
    """The tiles of a frame at an end of a run that the frame beside it, moved, does not explain: natural motion is
    explained."""
    tiles: Picture = apart(one, warped(side, flow.calc(grey_of(one), grey_of(side), None))) > OFF
    return tiles


def _look(one: Picture, before: Picture, after: Picture, there: Picture, back: Picture, share: float) -> _Look:
    """Compare a frame with what lies at ``share`` of the way between both sides."""
    ways = [(warped(before, back, share + late), warped(after, there, 1 - share - late)) for late in AROUND]
    best = np.minimum.reduce([np.minimum(apart(one, early), apart(one, late)) for early, late in ways])
    early, late = ways[AROUND.index(0.0)]
    sides = apart(early, late)
    off = (best > OFF) & (sides < AGREE * best)
    shown = (early.astype(np.float32) + late) / 2
    grey, wanted = grey_of(one), grey_of(shown)
    shift = float(one.mean() - shown.mean())
    kind = _kind(grey, wanted, shift, REST + BY_MOTION * _left(grey_of(early), grey_of(late)))
    area, by = float(off.mean()), float(best[off].mean()) if off.any() else 0.0
    return _Look(kind, shift, area, by, float(sides.mean()))


def _kind(grey: Picture, wanted: Picture, shift: float, most: float) -> Literal["flash", "dark", "corrupt"]:
    """What a frame shows where ``wanted`` should be: the same in another light, if at ``most`` that share is left."""
    if grey.std() < FLAT:
        level = float(grey.mean())
        return "dark" if level < BLACK else "flash" if level > WHITE else "corrupt"
    change = (tiles(grey) - tiles(wanted)) * (1 if shift > 0 else -1)
    if wanted.std() >= FLAT / 2 and _left(grey, wanted) <= most and (change >= -1).mean() >= ONE_WAY:
        return "flash" if shift > 0 else "dark"
    return "corrupt"


def _left(grey: Picture, by: Picture) -> float:
    """The share of a grey picture's variance that is left when the level of another tells its own: 0 if it is that picture in
    another light, even if clipped; 1 if it has nothing to do with it."""
    level, values = (by // LEVELS).ravel(), grey.ravel().astype(np.float64)
    many, sums = np.bincount(level), np.bincount(level, values)
    told = sums[many > 0] ** 2 / many[many > 0]
    whole = float(values.var() * len(values))
    return 1 - (float(told.sum()) - float(values.sum()) ** 2 / len(values)) / max(whole, 1e-6)
