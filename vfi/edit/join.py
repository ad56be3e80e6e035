"""Joins: clips one after the other, with no frame doubled, no jump of colour and no jolt at the seam.

Owns what happens at a seam: which frames both clips show, how the colours of one become those of the other, and which frames
are made anew so that motion runs on. Knows nothing of models, files or how frames are made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, pairwise
from math import ceil, lcm
from statistics import median

import torch
from torch import Tensor

from ..clips.clip import Info
from ..core import Frame, InputError
from ..pixels.thumbnails import apart, small
from ..pixels.uint8 import floats

LONGEST = 24
"""The most frames that two clips are searched for having in common."""

ALIKE = 0.3
"""Frames that differ by less than this share of a step from frame to frame are the same."""

STILL = 0.5 / 255
"""A step of less than this is none."""

BRIDGE = 4
"""The most frames on each side of a seam that are made anew by themselves: further, motion across it cannot be guessed."""

STEADY = 1.5
"""A seam that is no wider than this, in steps, is not seen."""


@dataclass(frozen=True)
class Colours:
    """A change of colour, ``rgb * gain + offset``, with one number of each for each channel."""

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def of(self, rgb: Tensor) -> Tensor:
        """``rgb`` [3,H,W] so changed, in 0..1 or up to its own maximum where that is above 1; itself where nothing changes."""
        if self == Colours():
            return rgb
        rgb = floats(rgb)
        gain, offset = (rgb.new_tensor(values)[:, None, None] for values in (self.gain, self.offset))
        return (rgb * gain + offset).clamp(0, max(1.0, float(rgb.max())))

    def after(self, other: Colours) -> Colours:
        """First ``other``, then this."""
        gain = tuple(ours * theirs for ours, theirs in zip(self.gain, other.gain, strict=True))
        moved = zip(self.gain, other.offset, self.offset, strict=True)
        return Colours(gain, tuple(ours * theirs + offset for ours, theirs, offset in moved))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Seam:
    """How a clip follows the one before it.

    Its first ``overlap`` frames are those that the one before ends with, and are left out. ``colours`` makes its colours those
    of the one before. ``bridge`` frames on each side are made anew. ``width_before`` and ``width_after`` are how far the clips
    were and are apart at the seam, in steps from frame to frame; ``shift`` is by how much the mean colour was off, in 1/255.
    """

    overlap: int = 0
    colours: Colours = Colours()
    bridge: int = 0
    width_before: float = 1.0
    width_after: float = 1.0
    shift: float = 0.0


def seam(
    before: Iterable[Frame],
    after: Iterable[Frame],
    *,
    overlap: int | None = None,
    match: bool = True,
    bridge: int | None = None,
) -> Seam:
    """Look at the end of one clip and the beginning of the next; only small copies of `LONGEST` frames of each are kept.

    ``overlap`` and ``bridge`` are found when None; ``match`` says whether colours are matched: by least squares over
    the frames that both show, or by mean and spread where there are none (Reinhard, Ashikhmin, Gooch and Shirley, "Color
    Transfer between Images", 2001). Raises `InputError` when a clip is empty or shorter than what is asked for.
    """
    ends = list(deque(map(small, before), maxlen=LONGEST + BRIDGE + 1))
    starts = [small(frame) for frame in islice(after, LONGEST + BRIDGE + 1)]
    if not ends or not starts:
        raise InputError("a clip without frames was given: clips that are joined need at least one each")
    step = median([apart(*pair) for clip in (ends, starts) for pair in pairwise(clip)] or [0.0])
    shared = _shared(ends, starts, step) if overlap is None else overlap
    _check("overlap", shared, min(len(ends), len(starts) - 1))
    colours = _matched(ends, starts, shared) if match else Colours()
    matched = [colours.of(one) for one in starts[shared:]]

    def width(sides: int) -> float:
        distance = apart(ends[-1 - sides], matched[sides]) / (2 * sides + 1)
        return distance / step if step > STILL else 1.0

    room = min(len(ends), len(matched)) - 1
    if bridge is None:
        bridge = min(ceil((width(0) - 1) / 2), BRIDGE, room) if width(0) > STEADY else 0
    _check("bridge", bridge, room)
    raw = apart(ends[-1], starts[0]) / step if step > STILL else 1.0
    off = (ends[-1].mean(dim=(1, 2)) - starts[shared and shared - 1].mean(dim=(1, 2))).abs().mean()
    return Seam(shared, colours, bridge, raw, width(bridge), float(off) * 255)


def joined(clips: Sequence[Iterable[Frame]], seams: Sequence[Seam]) -> Iterator[Frame]:
    """The frames of all clips, one after the other in time; those to be made anew are marked as repeats.

    There is one seam fewer than clips. Holds no more frames than the longest bridge. Raises `InputError` when sizes differ.
    """
    size: torch.Size | None = None
    end = Fraction(0)
    colours = Colours()
    sides = (Seam(), *seams, Seam())
    for number, (clip, begins, ends) in enumerate(zip(clips, sides[:-1], sides[1:], strict=True), start=1):
        colours = colours.after(begins.colours)
        moved: Fraction | None = None
        waiting: deque[Frame] = deque()
        for index, frame in enumerate(islice(_unclipped(clip), begins.overlap, None)):
            size = size or frame.rgb.shape
            if frame.rgb.shape != size:
                raise InputError(
                    f"clip {number} is {frame.rgb.shape[2]}x{frame.rgb.shape[1]}, those before it {size[2]}x{size[1]}: "
                    "clips that are joined must have one size"
                )
            moved = end - frame.time if moved is None else moved
            anew = frame.repeat or index < begins.bridge
            frame = replace(frame, rgb=colours.of(frame.rgb), time=frame.time + moved, repeat=anew)
            waiting.append(frame)
            if len(waiting) > ends.bridge:
                yield waiting.popleft()
        yield from (replace(one, repeat=True) for one in waiting)
        end = frame.time + frame.duration


def described(infos: Sequence[Info], seams: Sequence[Seam]) -> Info:
    """What is known of all clips together, from what is known of each."""
    rate = infos[0].rate if len({info.rate for info in infos}) == 1 else None
    units = [info.time_base.denominator for info in infos if info.time_base]
    whole = replace(infos[0], rate=rate, frames=None, duration=None, audio=False, time_base=Fraction(1, lcm(*units)))
    counts, lengths = [info.frames for info in infos], [info.duration for info in infos]
    if rate is None or None in counts or None in lengths:
        return whole
    shared = sum(found.overlap for found in seams)
    return replace(whole, frames=sum(filter(None, counts)) - shared, duration=sum(filter(None, lengths)) - shared / rate)


def seam_in_words(number: int, found: Seam) -> str:
    """What is done at seam ``number``, in words."""
    parts = [
        f"{found.overlap} shared frames left out" if found.overlap else "no frame in common",
        f"colours were {found.shift:.1f}/255 off",
        f"{2 * found.bridge} frames made anew" if found.bridge else "motion runs on",
        f"{found.width_before:.1f} steps wide before, {found.width_after:.1f} after",
    ]
    return f"seam {number}: {', '.join(parts)}"


def _unclipped(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The frames of a clip, the last shown no shorter than any other: a trim that falls between two frames leaves a sliver."""
    held: Frame | None = None
    shortest = Fraction(0)
    for frame in frames:
        if held is not None:
            shortest = min(shortest or held.duration, held.duration)
            yield held
        held = frame
    if held is not None:
        yield replace(held, duration=max(held.duration, shortest))


def _shared(ends: Sequence[Tensor], starts: Sequence[Tensor], step: float) -> int:
    """How many frames at the end of one clip are those at the beginning of the other, whatever their colours."""
    alike = max(ALIKE * step, STILL)
    found = []
    for count in range(1, min(len(ends), len(starts) - 1, LONGEST) + 1):
        pairs = list(zip(ends[-count:], starts, strict=False))
        difference = sum(apart(one, _matched([one], [other], 0).of(other)) for one, other in pairs) / count
        found.append((difference, count))
    difference, count = min(found, default=(torch.inf, 0))
    return count if difference < alike else 0


def _matched(ends: Sequence[Tensor], starts: Sequence[Tensor], shared: int) -> Colours:
    """What makes the colours of ``starts`` those of ``ends``."""
    count = shared or 1
    wanted, given = (torch.stack(list(side), dim=1).flatten(1) for side in (ends[-count:], starts[:count]))
    mean, target = given.mean(dim=1), wanted.mean(dim=1)
    spread = given.var(dim=1, correction=0)
    if shared:
        gain = ((given - mean[:, None]) * (wanted - target[:, None])).mean(dim=1) / spread.clamp(min=1e-6)
    else:
        gain = (wanted.var(dim=1, correction=0) / spread.clamp(min=1e-6)).sqrt()
    gain = torch.where(spread > STILL**2, gain.clamp(0.5, 2), torch.ones_like(gain))
    return Colours(tuple(gain.tolist()), tuple((target - gain * mean).tolist()))


def _check(name: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        raise InputError(f"a {name} of {value} frames was asked for: these clips allow 0 to {most}")
