"""Measures of a clip, frame by frame, from one pass over small pictures: light, motion to both neighbours, and runs of frames
that neither side explains.

Holds `WINDOW` thumbnails, two from before, and a `record` of what it measured. Knows nothing of files or models, and nothing of
what a measure means: the modules beside it judge.
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
    apart,
    grey_of,
    light_between,
    light_of,
    moved_by,
    new_flow,
    place_of,
    rounded,
    thumbnail,
    warped,
)
from .record import SPAN, Measure, Record, Spans

WINDOW = LONGEST + 3
"""Thumbnails that are held."""


@dataclass
class Measures:
    """The measures of all frames of a clip, of the spans of its shots, and its runs of odd frames, all in order; ``end`` is the
    clip's, in seconds."""

    frames: Record = field(default_factory=Record)
    spans: Spans = field(default_factory=Spans)
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
        self.sound: _Small | None = None  # the frame before the last odd run, and before those it adjoins
        self.begun: _Small | None = None  # where a span begins

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
        self._span(here)

    def _span(self, here: _Small) -> None:
        """Measure the span that ends with a frame, if one does."""
        before = self.begun
        if before is not None and not here.cut and here.index - before.index < SPAN:
            return
        self.begun = here
        if before is not None and not here.cut:
            back, forth = self.flow.calc(here.grey, before.grey, None), self.flow.calc(before.grey, here.grey, None)
            self.into.spans.append(before.index, light_between(before.fine, here.fine, back, forth))

    def _search(self, first: int) -> None:
        """Look for a run that begins with frame ``first``, unless it lies within the one before. What follows that at once is
        seen from the sound frame before both."""
        start = first - 1 - self.seen[0].index
        if first <= self.settled or start < 0:
            return
        if self.seen[start + 1].new < AREA:
            return
        before = self.sound if self.sound is not None and first - 1 == self.settled else self.seen[start]
        found = oddity([one.rgb for one in (before, *list(self.seen)[start + 1 :])], first, self.flow)
        if found is not None:
            self.into.odd.append(found)
            self.settled, self.sound = found.last, before
