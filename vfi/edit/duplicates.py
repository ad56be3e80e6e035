"""Duplicates: frames that show the one before once more, as animation on twos does and clips padded to a higher frame rate.

None is equal bit by bit once it was encoded; each is much nearer to the frame before than the steps on both sides of it. Holds
the frames of the longest hold, and small copies of two. Knows nothing of models or files, nor of where motion goes instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from torch import Tensor

from ..core import Frame, InputError
from ..pixels.thumbnails import apart, small

LONGEST = 6
"""A picture that is shown for more frames than this stands still on purpose, and is left."""

NEAR = 0.2
"""The most that a repeat differs, as a share of the steps around it; of small copies, which average coding errors away."""

STILL = 0.5 / 255
"""Steps below this are no motion: nothing is repeated where nothing moves."""

FAR = 2 / 255
"""The most that a repeat differs: measured on generated clips, up to 1.7 of 255 at full size."""


@dataclass(frozen=True)
class Repeats:
    """Frames in a row that show the frame before them again: ``frames`` from ``start`` (seconds) on."""

    start: Fraction
    frames: int


def duplicates(
    frames: Iterable[Frame], found: list[Repeats] | None = None, *, mark: bool = True, longest: int = LONGEST
) -> Iterator[Frame]:
    """The same frames, of which those that repeat are marked; with ``mark`` off they are only looked for.

    A run of repeats lies between two steps of motion, or between one and the end of a shot, which ``frames`` are marked with
    already. One that holds its picture for more than ``longest`` frames is left, and black or white repeats nothing. ``found``
    gains the runs. Holds up to ``longest`` frames. Raises `InputError` when ``longest`` is below 1.
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
    """Frames in a row that may be repeats; ``before`` is the step before them, None where a shot begins."""

    def __init__(self, found: list[Repeats], mark: bool, longest: int) -> None:
        self.found, self.mark, self.longest = found, mark, longest
        self.waiting: list[Frame] = []
        self.widths: list[float] = []
        self.before: float | None = None

    def goes_on(self, frame: Frame, width: float) -> Iterator[Frame]:
        """The next frame, ``width`` from the one before. Yields those that are settled by it."""
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
        """The frames of the run, which a step, or with None the end of the shot, follows."""
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
