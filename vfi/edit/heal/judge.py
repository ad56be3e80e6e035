"""From the measures of a clip to what is wrong with it: asks each module for its kinds, and settles who is right where two
claim the same frames. Knows nothing of pictures or of what is done."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from .ends import ends
from .findings import Finding, ordered
from .gaps import gaps
from .lights import lights
from .measures import Measures
from .repeats import repeats


def findings(seen: Measures) -> tuple[Finding, ...]:
    """The findings of a clip, in order, each with its time."""
    frames = seen.frames
    if len(frames) < 3:
        return ()
    light = lights(frames, seen.odd)
    within = {k for one in light for k in range(one.first, one.last + 2)}
    plain = [replace(one, cut=False) if one.cut and one.index in within else one for one in frames]  # a fault begins no shot
    junk = ends(plain)
    held = [one for one in repeats(plain) if within.isdisjoint(range(one.first, one.last + 1))]
    busy = [False] * len(frames)
    for one in (*light, *held, *junk):
        for k in range(one.first, one.last + 1):
            busy[k] = True
    for odd in seen.odd:
        if odd.kind != "corrupt":
            for k in range(odd.first, odd.last + 1):
                busy[k] = True
    found = ordered([*light, *held, *junk, *gaps(plain, busy)])
    return tuple(replace(one, start=frames[one.first].time, end=_end(seen, one)) for one in found)


def _end(seen: Measures, one: Finding) -> Fraction:
    """When the last frame of a finding ends; of missing frames, when the gap does."""
    if one.kind == "missing":
        return seen.frames[one.first].time
    return seen.frames[one.last + 1].time if one.last + 1 < len(seen.frames) else seen.end
