"""From the measures of a clip to what is wrong with it: asks each module for its kinds, and settles who is right where two
claim the same frames. Knows nothing of pictures or of what is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from .borders import borders, steps_of
from .course import calm, courses
from .drifts import drifts
from .ends import ends
from .findings import BETWEEN, Finding, ordered
from .gaps import gaps
from .lights import lights
from .measures import Measures
from .outliers import Odd
from .pulses import offsets_of, pulses
from .record import Record, Spans
from .repeats import repeats
from .speeds import joined, speed_steps
from .uneven import uneven


def findings(seen: Measures) -> tuple[Finding, ...]:
    """The findings of a clip, in order, each with its time."""
    frames = seen.frames
    if len(frames) < 3:
        return ()
    light = lights(frames, seen.odd)
    within = {k for one in light for k in range(one.first, one.last + 2)}
    begun = [frames[k] for k in sorted(within) if k < len(frames) and frames[k].cut]
    plain = frames.altered(replace(one, cut=False) for one in begun)  # a fault begins no shot
    junk = ends(plain)
    odd = [one for one in seen.odd if one.kind != "corrupt"]
    lit = {k for one in odd for k in range(one.first, one.last + 2)}
    held = [one for one in repeats(plain, within | lit) if within.isdisjoint(range(one.first, one.last + 1))]
    unlike = _marked(len(frames), [*light, *junk, *odd])
    busy = [one or other for one, other in zip(unlike, _marked(len(frames), held), strict=True)]
    lost = gaps(plain, busy)
    apart = {k for one in (*light, *junk, *held) if one.kind != "repeat" for k in range(one.first, one.last + 1)}
    moving, jumps = replace(seen, frames=plain), {one.first for one in lost}
    calmed = calm(plain, unlike)
    steps = borders(calmed)
    bordered = joined(steps, speed_steps(moving, apart, jumps))
    found = ordered(
        [*light, *held, *junk, *lost, *bordered, *_courses(calmed, steps, seen.spans, unlike), *uneven(moving, apart, jumps)]
    )
    return tuple(replace(one, start=frames[one.first].time, end=_end(seen, one)) for one in found)


def _marked(length: int, runs: Sequence[Finding | Odd]) -> list[bool]:
    """Which frames the runs hold."""
    marked = [False] * length
    for one in runs:
        marked[one.first : one.last + 1] = [True] * (one.last + 1 - one.first)
    return marked


def _courses(frames: Record, borders: Sequence[Finding], spans: Spans, unlike: Sequence[bool]) -> list[Finding]:
    """What is wrong with the course of light: without the steps of its borders, its pulses, and without these its drift, which
    the ``spans`` tell better than single steps."""
    found: list[Finding] = []
    for course in courses(frames):
        stepped = steps_of(course, borders)
        beats = pulses(course.less(stepped))
        found += [*beats, *drifts(course.tied(spans, unlike).less(stepped + offsets_of(course, beats)))]
    return found


def _end(seen: Measures, one: Finding) -> Fraction:
    """When the last frame of a finding ends; of what lies between two frames, when that is."""
    if one.kind in BETWEEN:
        return seen.frames[one.first].time
    return seen.frames[one.last + 1].time if one.last + 1 < len(seen.frames) else seen.end
