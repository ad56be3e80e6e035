"""Duplicates: frames that repeat the one before, as in animation on twos or clips padded to a higher frame rate.

After encoding, none is bit-identical; each is much closer to the frame before than the steps on both sides of it. Holds the
frames of the longest hold, and thumbnails of two. Knows nothing of models or files, or of how motion is spread instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from torch import Tensor

from ..core import Frame, InputError
from ..pixels.thumbnails import apart, small

LONGEST = 6
"""A hold longer than this, in frames, counts as intentional and is kept."""

NEAR = 0.2
"""Largest difference of a repeat, as a share of the steps around it; on thumbnails, which average out coding errors."""

STILL = 0.5 / 255
"""Steps below this are not motion: without motion, nothing counts as a repeat."""

FAR = 2 / 255
"""Largest difference of a repeat: on generated clips it measured up to 1.7 of 255 at full size."""


@dataclass(frozen=True)
class Repeats:
    """Consecutive frames that repeat the frame before them: ``frames`` from ``start`` (seconds) on."""

    start: Fraction
    frames: int


def duplicates(
    frames: Iterable[Frame], found: list[Repeats] | None = None, *, mark: bool = True, longest: int = LONGEST
) -> Iterator[Frame]:
    """Mark the frames that repeat the one before; with ``mark`` off, only look for them.

    A run of repeats lies between two steps of motion, or between one and the end of a shot; shots must be marked already. A
    run that holds its picture for more than ``longest`` frames is kept, and black or white frames are never repeats. Appends
    the runs to ``found``. Holds up to ``longest`` frames. Raises `InputError` if ``longest`` is below 1.
    """
    if longest < 1:
        raise InputError(f"a longest hold of {longest} frames was given: a whole number from 1 up is needed")
    run = _Run([] if found is None else found, mark, longest)
    last: Tensor | None = None
    for frame in frames:
        picture = small(frame)
        if last is None or frame.cut is not None or _blank(picture):
            yield from run.ends(None)
            run.before = None
            yield frame
        else:
            yield from run.goes_on(frame, apart(last, picture))
        last = picture
    yield from run.ends(None)


class _Run:
    """Consecutive frames that may be repeats; ``before`` is the step before them, None at the start of a shot."""

    def __init__(self, found: list[Repeats], mark: bool, longest: int) -> None:
        self.found, self.mark, self.longest = found, mark, longest
        self.waiting: list[Frame] = []
        self.widths: list[float] = []
        self.before: float | None = None

    def goes_on(self, frame: Frame, width: float) -> Iterator[Frame]:
        """Take the next frame, ``width`` from the one before. Yields the frames that it settles."""
        if self.before is not None:
            near = width < NEAR * self.before
        else:
            near = width < STILL or not self.widths or width * NEAR <= max(self.widths)
        if width > FAR or not near:
            yield from self.ends(width)
            self.before = width
            yield frame
            return
        self.waiting.append(frame)
        self.widths.append(width)
        if len(self.waiting) == self.longest:
            self.before = max(self.widths)
            yield from self._clear()

    def ends(self, after: float | None) -> Iterator[Frame]:
        """End the run at a step of ``after``, or, with None, at the end of the shot. Yields its frames."""
        steps = [step for step in (self.before, after) if step is not None]
        if self.widths and steps and min(steps) >= STILL and max(self.widths) < NEAR * min(steps):
            self.found.append(Repeats(self.waiting[0].time, len(self.waiting)))
            if self.mark:
                self.waiting = [replace(frame, repeat=True) for frame in self.waiting]
        yield from self._clear()

    def _clear(self) -> Iterator[Frame]:
        yield from self.waiting
        self.waiting, self.widths = [], []


def _blank(picture: Tensor) -> bool:
    return float(picture.max()) < FAR or float(picture.min()) > 1 - FAR
