"""Joins: clips end to end, without doubled frames, colour jumps or jolts at the seam.

Owns the seam: which frames both clips show, how colours are matched, and which frames are re-interpolated so that motion
continues. Knows nothing of models, files or how frames are made.
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
"""Longest overlap that is searched for, in frames."""

ALIKE = 0.3
"""Frames that differ by less than this share of a frame-to-frame step are the same."""

STILL = 0.5 / 255
"""Steps below this are not motion."""

BRIDGE = 4
"""At most this many frames on each side of a seam are re-interpolated automatically: motion further apart is a guess."""

STEADY = 1.5
"""A seam no wider than this, in steps, is not visible."""


@dataclass(frozen=True)
class Colours:
    """A colour correction, ``rgb * gain + offset``, with one gain and one offset per channel."""

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def of(self, rgb: Tensor) -> Tensor:
        """``rgb`` [3,H,W] corrected, within 0..1 or its own range if that is wider; untouched if nothing changes."""
        if self == Colours():
            return rgb
        rgb = floats(rgb)
        gain, offset = (rgb.new_tensor(values)[:, None, None] for values in (self.gain, self.offset))
        return (rgb * gain + offset).clamp(min(0.0, float(rgb.min())), max(1.0, float(rgb.max())))

    def after(self, other: Colours) -> Colours:
        """First ``other``, then this."""
        gain = tuple(ours * theirs for ours, theirs in zip(self.gain, other.gain, strict=True))
        moved = zip(self.gain, other.offset, self.offset, strict=True)
        return Colours(gain, tuple(ours * theirs + offset for ours, theirs, offset in moved))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Seam:
    """How a clip follows the one before it.

    Its first ``overlap`` frames repeat the end of the one before and are left out. ``colours`` matches its colours to the one
    before. ``bridge`` frames on each side are re-interpolated. ``width_before`` and ``width_after`` are the jumps at the seam
    without and with that, in frame-to-frame steps; ``shift`` is the mean colour difference, in 1/255. ``leaves`` is the end of
    the clip before, and ``enters`` the time of the first frame that is kept, each in seconds of its own clip.
    """

    overlap: int = 0
    colours: Colours = Colours()
    bridge: int = 0
    width_before: float = 1.0
    width_after: float = 1.0
    shift: float = 0.0
    leaves: Fraction = Fraction(0)
    enters: Fraction = Fraction(0)


def seam(
    before: Iterable[Frame],
    after: Iterable[Frame],
    *,
    overlap: int | None = None,
    match: bool = True,
    bridge: int | None = None,
) -> Seam:
    """Analyse the end of one clip and the beginning of the next, in thumbnails of `LONGEST` + `BRIDGE` + 1 frames of each.

    ``overlap`` and ``bridge`` are estimated if None. ``match``: match colours by least squares over the frames that both
    show, or by mean and spread if there are none (Reinhard, Ashikhmin, Gooch and Shirley, "Color Transfer between Images",
    2001). Raises `InputError` if a clip is empty or too short for ``overlap`` or ``bridge``.
    """
    last = deque(((small(frame), frame.time + frame.duration) for frame in _unclipped(before)), maxlen=LONGEST + BRIDGE + 1)
    first = [(small(frame), frame.time) for frame in islice(after, LONGEST + BRIDGE + 1)]
    if not last or not first:
        raise InputError("a clip without frames was given: each clip needs at least one")
    ends, starts = [picture for picture, _ in last], [picture for picture, _ in first]
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
    return Seam(shared, colours, bridge, raw, width(bridge), float(off) * 255, last[-1][1], first[shared][1])


def joined(clips: Sequence[Iterable[Frame]], seams: Sequence[Seam]) -> Iterator[Frame]:
    """The frames of all clips, end to end; those to re-interpolate are marked as repeats.

    Takes one seam fewer than clips. Holds no more frames than the longest bridge. Raises `InputError` if sizes differ.
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
                    "clips to join must have the same size"
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
    """The info of all clips together, from that of each."""
    rate = infos[0].rate if len({info.rate for info in infos}) == 1 else None
    units = [info.time_base.denominator for info in infos if info.time_base]
    whole = replace(
        infos[0], rate=rate, frames=None, duration=None, audio=False, time_base=Fraction(1, lcm(*units)), start=None
    )
    counts, lengths = [info.frames for info in infos], [info.duration for info in infos]
    if rate is None or None in counts or None in lengths:
        return whole
    shared = sum(found.overlap for found in seams)
    return replace(whole, frames=sum(filter(None, counts)) - shared, duration=sum(filter(None, lengths)) - shared / rate)


def seam_in_words(number: int, found: Seam) -> str:
    """Describe what is done at seam ``number``."""
    parts = [
        f"{found.overlap} shared frames left out" if found.overlap else "no shared frames",
        f"colours were {found.shift:.1f}/255 off",
        f"{2 * found.bridge} frames re-interpolated" if found.bridge else "motion continues",
        f"{found.width_before:.1f} steps wide before, {found.width_after:.1f} after",
    ]
    return f"seam {number}: {', '.join(parts)}"


def _unclipped(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The frames of a clip, the last shown no shorter than any other: a trim between two frames leaves a sliver."""
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
    """Number of frames at the end of one clip that the other begins with, whatever their colours."""
    alike = max(ALIKE * step, STILL)
    found = []
    for count in range(1, min(len(ends), len(starts) - 1, LONGEST) + 1):
        pairs = list(zip(ends[-count:], starts, strict=False))
        difference = sum(apart(one, _matched([one], [other], 0).of(other)) for one, other in pairs) / count
        found.append((difference, count))
    difference, count = min(found, default=(torch.inf, 0))
    return count if difference < alike else 0


def _matched(ends: Sequence[Tensor], starts: Sequence[Tensor], shared: int) -> Colours:
    """The correction that matches the colours of ``starts`` to ``ends``."""
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
        raise InputError(f"a {name} of {value} frames was requested: these clips allow 0 to {most}")
