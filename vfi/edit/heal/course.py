"""The course of light along each shot of a clip: changes from frame to frame, added up, of the whole picture and of its parts.

Owns what borders, pulses and drift are found in, and the smoothing they share. Knows nothing of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

import numpy as np

from .findings import Light
from .pictures import Picture
from .record import SPAN, Record, Spans

SHORTEST = 12
"""Frames of the shortest shot whose course is judged."""

AROUND = 6
"""Frames on each side of a fault that say how the light goes on through it."""

LIKE = (0.4, 1.7)
"""Least and largest change of a part of the picture, over that of the whole, that is the same change of light."""

ROUNDS = 6
"""Rounds in which samples that do not fit are weighed down."""

FADE = 0.35
"""The largest change of light, as a logarithm: fades, and light that really changes, go further."""

AT_ONCE = 4096
"""Frames smoothed at once: limits memory."""


@dataclass(frozen=True, eq=False)
class Course:
    """The shot that begins with frame ``first``: the change of light before each of its n frames, as logarithms, ``steps``
    [n,3], and that of its parts, ``parts`` [n,parts,3], NaN where they tell nothing. The first change is 0."""

    first: int
    steps: Picture
    parts: Picture

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def light(self) -> Picture:
        """How much brighter each frame is than the first, [n,3]."""
        found: Picture = self.steps.cumsum(axis=0)
        return found

    def less(self, light: Picture) -> Course:
        """The course without ``light`` [n,3], which all parts share."""
        steps = changes(light)
        return replace(self, steps=self.steps - steps, parts=self.parts - steps[:, None].astype(self.parts.dtype))

    def tied(self, spans: Spans, unlike: Sequence[bool]) -> Course:
        """The course whose changes add up to those of ``spans``: what they differ by is spread evenly over their frames. Spans
        from or to frames that are ``unlike`` those around them say nothing."""
        steps, parts = self.steps.copy(), self.parts.copy()
        for first, light in spans.within(self.first, self.first + len(self) - 1):
            if unlike[first] or unlike[first + SPAN]:
                continue
            here = slice(first - self.first + 1, first - self.first + 1 + SPAN)
            for one, change in ((steps, light[0]), (parts, light[1:])):
                one[here] += np.nan_to_num(change - one[here].sum(axis=0)) / SPAN
        return replace(self, steps=steps, parts=parts)

    def stretches(self, most: int) -> list[Course]:
        """The course in equal pieces of at most ``most`` frames."""
        pieces = -(-len(self) // most)
        ends = [len(self) * piece // pieces for piece in range(pieces + 1)]
        return [Course(self.first + a, self.steps[a:b], self.parts[a:b]) for a, b in pairwise(ends)]


def calm(frames: Record, busy: Sequence[bool]) -> Record:
    """The frames, with the light that goes on through those that are ``busy``: faults, whose own light says nothing."""
    late = [index for index, one in enumerate(frames) if busy[index] or (index and busy[index - 1])]
    changed = set(late)
    made = []
    for index in late:
        if frames[index].cut:
            continue
        near = [
            frames[k].gain
            for k in range(max(index - AROUND, 1), min(index + AROUND + 1, len(frames)))
            if k not in changed and not frames[k].cut
        ]
        red, green, blue = (median(channel) for channel in zip(*near, strict=True)) if near else (0.0, 0.0, 0.0)
        made.append(replace(frames[index], gain=(red, green, blue), parts=None))
    return frames.altered(made)


def courses(frames: Record) -> list[Course]:
    """The courses of the shots that are long enough."""
    begins = [0, *(one.index for one in frames if one.cut and one.index), len(frames)]
    return [_course(frames[begin:end]) for begin, end in pairwise(begins) if end - begin >= SHORTEST]


def _course(frames: Record) -> Course:
    steps, parts = frames.column("gain").astype(float), frames.column("parts")
    steps[0], parts[0] = 0, 0
    return Course(frames[0].index, steps, parts)


def agreed(whole: Picture, parts: Picture, along: Picture) -> float:
    """The share of the parts whose light changes as that of the whole does: what the light of a scene seldom does.

    Changes are [n,3] and [n,parts,3]; compared is what of them lies ``along`` [n,3], added up. Parts that tell less than half
    of it do not count; if none tells, none agrees.
    """
    tells = np.isfinite(parts).all(axis=2)
    theirs = np.einsum("npc,nc->p", np.nan_to_num(parts), along)
    of_whole = (whole * along).sum(axis=1)
    wanted = of_whole @ tells
    known = wanted > of_whole.sum() / 2
    if not known.any():
        return 0.0
    same = theirs[known] / wanted[known]
    return float(((same > LIKE[0]) & (same < LIKE[1])).mean())


def level(light: Picture, half: int, straight: bool = False) -> Picture:
    """A curve [n,3] through ``light`` [n,3] that single frames do not move: at each, a parabola, or a line if it is to be
    ``straight``, fitted to the ``half`` frames on both sides, from which what lies far off is left out."""
    length = len(light)
    width = min(2 * half + 1, length)
    made = np.empty_like(light)
    for begin in range(0, length, AT_ONCE):
        here = np.arange(begin, min(begin + AT_ONCE, length))
        starts = np.clip(here - width // 2, 0, length - width)
        places = starts[:, None] + np.arange(width)
        x = (places - here[:, None]) / half
        made[here] = _fitted(np.stack([x**power for power in range(2 if straight else 3)], axis=-1), light[places])
    return made


def _fitted(powers: Picture, y: Picture) -> Picture:
    """The values at 0 of the curves fitted to ``y`` [n,w,3] by ``powers`` [n,w,degree + 1], by least squares with Tukey's
    weights."""
    x = np.abs(powers[..., 1])
    near = (1 - np.minimum(x / (x.max(axis=1, keepdims=True) + 0.1), 1) ** 3) ** 3
    weight = near
    for _ in range(ROUNDS):
        weighed = (powers * weight[..., None]).swapaxes(1, 2)
        fit = np.linalg.solve(weighed @ powers + 1e-9 * np.eye(powers.shape[2]), weighed @ y)
        rest = np.abs(y - powers @ fit).max(axis=2)
        scale = 6 * np.median(rest, axis=1, keepdims=True) + 1e-3
        weight = near * (1 - np.minimum(rest / scale, 1) ** 2) ** 2
    found: Picture = fit[:, 0]
    return found


def changes(light: Picture) -> Picture:
    """The change of ``light`` [n,3] before each frame, 0 before the first."""
    steps: Picture = np.diff(light, axis=0, prepend=light[:1])
    return steps


def lights(rows: Picture) -> tuple[Light, ...]:
    """``rows`` [n,3] as the light of a finding."""
    return tuple((red, green, blue) for red, green, blue in rows.tolist())
