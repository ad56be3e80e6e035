"""The instant of a clip that each output frame shows, as a list.

Owns the grid for such a list. Knows nothing of timelines, frames or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

from ..core import InputError
from .curves import Along, Span
from .grids import bounded


@dataclass(frozen=True)
class Places:
    """A position curve through ``places``, seconds from the clip's first frame, one per output frame at ``rate``.

    It implements `curves.Path`: straight lines from each place to the next, of which only the ends are ever shown.
    """

    places: tuple[Fraction, ...]
    rate: Fraction

    @cached_property
    def forward(self) -> bool:
        """Whether the clip never plays backwards."""
        return all(early <= late for early, late in pairwise(self.places))

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The longest straight lines; the last one never ends."""
        spans: list[Span] = []
        step = 1 / self.rate
        rise: Fraction | None = None
        for index, (early, late) in enumerate(pairwise(self.places)):
            if late - early != rise:
                rise = late - early
                spans.append(Span(index * step, index * step, step, (early, rise)))
        return tuple(spans) or (Span(Fraction(0), Fraction(0), Fraction(1), (self.places[0],)),)

    def at(self, time: Fraction) -> Fraction:
        """The place of the output frame shown at ``time``."""
        return self.places[min(max(int(time * self.rate), 0), len(self.places) - 1)]


def along_places(places: tuple[Fraction, ...], rate: Fraction, duration: Fraction) -> Along:
    """The grid that shows ``places`` of a clip of ``duration`` seconds at ``rate`` frames per second. Raises `InputError`."""
    if not places:
        raise InputError("no output frames were given: at least one is needed")
    count = bounded(len(places))
    return Along(Places(places, rate), rate, count / rate, duration, range(count))
