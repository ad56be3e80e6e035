"""Where keyframes lie in a clip: frame numbers that a text lists, or that are spread evenly.

Owns the words for a place and its checks. Knows nothing of pictures or networks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

from ..core import InputError
from ..parse import number, quoted, whole

EVEN = "even"
"""The text that asks for even spacing."""

_FRAME = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_TIME = re.compile(r"(\d{1,9}(?:\.\d{0,20})?|\.\d{1,20})s", re.ASCII)


@dataclass(frozen=True)
class Place:
    """The frame of a keyframe, and the place that was asked for, in frames, which need not be a whole number."""

    frame: int
    wish: Fraction

    def words(self, rate: Fraction) -> str:
        """The place as text, with its distance from the wish; ``rate``: frames per second."""
        off = self.frame - self.wish
        text = f"frame {self.frame}, at {float(self.frame / rate):.3f} s"
        if not off:
            return text
        return f"{text}: {float(abs(off)):g} frames {'later' if off > 0 else 'earlier'} than asked"


@dataclass(frozen=True)
class Span:
    """A clip of ``frames`` at ``rate`` per second, of which the first ``before`` and the last ``after`` are already known."""

    frames: int
    rate: Fraction
    before: int = 0
    after: int = 0

    def places(self, text: str, count: int) -> list[Place]:
        """The place of each of ``count`` keyframes, in their order.

        ``text``: `EVEN`, or a list of one place per keyframe: a frame such as 24, counted from 0, or from the end such as -1;
        or a time such as 1.5s, of which the nearest frame is taken. Raises `InputError` if a word is none of these, a place is
        outside of the clip, known already or taken twice, or their number is not ``count``.
        """
        if text.strip().lower() == EVEN:
            return self._spread(count)
        words = [word for word in re.split(r"[\s,;]+", text) if word]
        if len(words) != count:
            raise InputError(
                f"the number of places is {len(words)}, and that of keyframes {count}: one place per keyframe is needed, or "
                f"the word {EVEN}"
            )
        return distinct([self._place(word) for word in words])

    def _place(self, word: str) -> Place:
        if time := _TIME.fullmatch(word):
            wish = number(time[1]) * self.rate
            place = Place(nearest(wish), wish)
        elif _FRAME.fullmatch(word):
            index = whole(word)
            frame = index + self.frames if word.startswith("-") else index
            place = Place(frame, Fraction(frame, 1))
        else:
            raise InputError(
                f"{quoted(word)} is not a place: frames such as 0, 24 or -1, times such as 1.5s, or the word {EVEN} are allowed"
            )
        if not 0 <= place.frame < self.frames:
            raise InputError(
                f"the place {word} was given: a clip of {self.frames} frames has 0 to {self.frames - 1}, "
                f"or -{self.frames} to -1 from its end"
            )
        if not self.before <= place.frame < self.frames - self.after:
            free = f"{self.before} to {self.frames - self.after - 1}"
            raise InputError(f"the place {word} was given, a frame that a clip already fills: frames {free} are free")
        return place

    def _spread(self, count: int) -> list[Place]:
        """Places at equal distances; the known frames next to the gap count as keyframes. A single one is at the beginning."""
        free = self.frames - self.before - self.after
        if count > free:
            raise InputError(
                f"the number of keyframes is {count}, and that of free frames {free}: at most one per frame is allowed"
            )
        first = self.before - 1 if self.before else 0
        last = self.frames - self.after if self.after else self.frames - 1
        ends = bool(self.before) + bool(self.after)
        step = Fraction(last - first, max(count - 1 + ends, 1))
        wishes = [first + step * (k + bool(self.before)) for k in range(count)]
        return [Place(nearest(wish), wish) for wish in wishes]


def snapped(places: Sequence[Place], step: int) -> list[Place]:
    """The same places at the nearest multiple of ``step``. Raises `InputError` if two fall together."""
    return distinct([replace(place, frame=step * nearest(Fraction(place.frame, step))) for place in places])


def distinct(places: Sequence[Place]) -> list[Place]:
    """The same places. Raises `InputError` if two keyframes have one frame."""
    holder: dict[int, int] = {}
    for number_of, place in enumerate(places, start=1):
        other = holder.setdefault(place.frame, number_of)
        if other != number_of:
            raise InputError(f"keyframes {other} and {number_of} both fall on frame {place.frame}: each needs one of its own")
    return list(places)


def nearest(wish: Fraction) -> int:
    """The nearest whole number; halves are rounded up."""
    return floor(wish + Fraction(1, 2))
