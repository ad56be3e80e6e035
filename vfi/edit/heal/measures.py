"""Measures of a clip, frame by frame, from one pass over small pictures: light, motion to both neighbours, and runs of frames
that neither side explains.

Holds `WINDOW` thumbnails. Knows nothing of files or models, and nothing of what a measure means: the modules beside it judge.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from ...core import Frame
from .outliers import AREA, LONGEST, OFF, Odd, oddity
from .pictures import (
    MOVES,
    UNTOLD,
    Picture,
    Place,
    apart,
    grey_of,
    light_of,
    moved_by,
    new_flow,
    place_of,
    rounded,
    thumbnail,
    warped,
)

WINDOW = LONGEST + 3
"""Thumbnails that are held."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One frame. Differences are of 255; motion is in pixels of the thumbnail.

    ``cut``: it begins a shot. ``mean`` and ``spread`` are those of its colours and of its grey. ``width`` is the mean
    difference to the frame before, and ``twice`` that to the one before it; ``moved`` the motion since the frame before, nine
    tenths of the pixels move less, and ``moving`` the share of pixels that move. ``gain`` is the change of light per channel
    since then, along the motion, as logarithms, and ``parts`` that of parts of the picture: see `pictures.light_of`; ``left``
    is the difference that remains. ``place``: see `pictures.Place`.
    """

    index: int
    time: Fraction
    cut: bool
    mean: tuple[float, float, float]
    spread: float
    width: float = 0.0
    twice: float = 0.0
    moved: float = 0.0
    moving: float = 0.0
    gain: tuple[float, float, float] = (0.0, 0.0, 0.0)
    parts: Picture | None = field(default=None, compare=False)
    left: float = 0.0
    place: Place = UNTOLD


@dataclass
class Measures:
    """The measures of all frames of a clip, and its runs of odd frames, both in order; ``end`` is the clip's, in seconds."""

    frames: list[Measure] = field(default_factory=list)
    odd: list[Odd] = field(default_factory=list)
    end: Fraction = Fraction(0)

    def take(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames, unchanged, while they are measured. Marks of cuts are taken from them."""
        look = _Look(self)
        for frame in frames:
            look.at(frame)
            self.end = frame.time + frame.duration
            yield frame
        look.close()


class _Small:
    def __init__(self, index: int, frame: Frame) -> None:
        self.index, self.time, self.cut = index, frame.time, frame.cut is not None
        self.fine = thumbnail(frame)
        self.rgb = rounded(self.fine)
        self.grey = grey_of(self.rgb)
        self.new = 0.0  # the share of the picture that the frame before, moved, does not explain


def _difference(one: _Small, other: _Small) -> float:
    return float(np.abs(one.rgb.astype(np.int16) - other.rgb).mean())


class _Look:
    """The thumbnails around the frame that is measured next."""

    def __init__(self, into: Measures) -> None:
        self.into = into
        self.seen: deque[_Small] = deque(maxlen=WINDOW)
        self.flow = new_flow()
        self.settled = 0

    def at(self, frame: Frame) -> None:
        """Take the next frame."""
        self.seen.append(_Small(self.seen[-1].index + 1 if self.seen else 0, frame))
        if len(self.seen) > 1:
            self._measure(-2)
        self._search(self.seen[-1].index - LONGEST)

    def close(self) -> None:
        """End the clip."""
        if self.seen:
            self._measure(-1)
            for index in range(self.seen[-1].index - LONGEST + 1, self.seen[-1].index):
                self._search(index)

    def _measure(self, place: int) -> None:
        """Measure the last frame but one, or the last."""
        here = self.seen[place]
        before = self.seen[place - 1] if len(self.seen) > -place else None
        facts: dict[str, Any] = {}
        back = None
        if before is not None:
            back = self.flow.calc(here.grey, before.grey, None)
            size = np.hypot(back[..., 0], back[..., 1])
            moved = warped(before.rgb, back)
            facts["gain"], facts["parts"] = light_of(before.fine, here.fine, back)
            facts["left"] = float(np.abs(here.rgb - moved * np.exp(np.float32(facts["gain"]))).mean())
            here.new = float((apart(here.rgb, moved) > OFF).mean())
            facts["width"] = _difference(here, before)
            facts["twice"] = _difference(here, self.seen[place - 2]) if len(self.seen) > 1 - place else 0.0
            facts["moved"], facts["moving"] = moved_by(back), float((size > MOVES).mean())
        if back is not None and place == -2:
            facts["place"] = place_of(back, self.flow.calc(here.grey, self.seen[-1].grey, None))
        red, green, blue = here.rgb.mean(axis=(0, 1)).tolist()
        self.into.frames.append(Measure(here.index, here.time, here.cut, (red, green, blue), float(here.grey.std()), **facts))

    def _search(self, first: int) -> None:
        """Look for a run that begins with frame ``first``, unless it lies within the one before."""
        start = first - 1 - self.seen[0].index
        if first <= self.settled or start < 0:
            return
        if self.seen[start + 1].new < AREA:
            return
        found = oddity([one.rgb for one in list(self.seen)[start:]], first, self.flow)
        if found is not None:
            self.into.odd.append(found)
            self.settled = found.last
