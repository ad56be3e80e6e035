"""Time that is eased over gaps and steps of speed: outputs show other instants, so that the jump is spread over the frames
around it.

Owns these maps. Knows nothing of pictures, or of how gaps are found.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from operator import attrgetter

from .grids import Knots, Tail, Uniform


@dataclass(frozen=True)
class Ease:
    """A gap between the frames at ``last`` and ``next``, in which ``lost`` seconds of motion are missing, spread over the
    time from ``start`` to ``end``. All are seconds of the input."""

    start: Fraction
    last: Fraction
    next: Fraction
    end: Fraction
    lost: Fraction

    def shown(self, place: Fraction) -> Fraction:
        """When the instant ``place``, within the ease, is shown."""
        return self.start + (self._moved(place) - self.start) * self._scale

    def place(self, shown: Fraction) -> Fraction:
        """The instant that is shown then."""
        moved = self.start + (shown - self.start) / self._scale
        if moved <= self.last:
            return moved
        far = self.next + self.lost
        if moved >= far:
            return moved - self.lost
        return self.last + (moved - self.last) * (self.next - self.last) / (far - self.last)

    @property
    def _scale(self) -> Fraction:
        return (self.end - self.start) / (self.end + self.lost - self.start)

    def _moved(self, place: Fraction) -> Fraction:
        """The place in motion: the gap is as much wider as time is lost in it."""
        if place <= self.last:
            return place
        if place >= self.next:
            return place + self.lost
        return place + self.lost * (place - self.last) / (self.next - self.last)


def bridged(place: float, speed: float) -> float:
    """When the instant ``place`` is shown if a step of speed at 0 is spread evenly over the time from -1 to 1.

    ``speed`` is that of the motion after the step over that before. ``place`` is from -1 to 1 too: both ends stay where they
    are, since what a spread over equal times advances before the step, it delays after it.
    """
    moved = 1 + place * (speed if place > 0 else 1)
    return 2 * moved / (1 + sqrt(1 + (speed - 1) * moved)) - 1


@dataclass(frozen=True)
class Eased:
    """The outputs of ``grid``, whose instants are moved by ``eases``, which are in order and do not overlap; there may be none.

    Outputs within ``near`` seconds of an input frame show that frame: times in files are rounded.
    """

    grid: Uniform
    eases: tuple[Ease, ...]
    near: Fraction = Fraction(0)

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        early, late = self._shown(start) - self.near, self._shown(end) - self.near
        for shown, time in self.grid.within(early, late, first):
            place = self._place(shown)
            yield (start if place - start < self.near else place), time

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return self.grid.count(frames, span, tail)

    def knots(self, span: Fraction) -> Knots:
        return self.grid.knots(span)

    def _shown(self, place: Fraction) -> Fraction:
        ease = self._around(place)
        return place if ease is None else ease.shown(place)

    def _place(self, shown: Fraction) -> Fraction:
        ease = self._around(shown)
        return shown if ease is None else ease.place(shown)

    def _around(self, instant: Fraction) -> Ease | None:
        """The ease in which an instant lies. Found by halving: two hours with a gap every second have thousands of eases."""
        number = bisect_left(self.eases, instant, key=attrgetter("start"))
        return self.eases[number - 1] if number and instant < self.eases[number - 1].end else None
