"""Segments of an output, each of which can be made independently by anyone who opens the clip again.

Owns the start of a segment in the clip, the metadata of the frames it needs, and the clip read from there on. A segment's
frames are bit-identical to those of a single run. Knows nothing of processes, models or files.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby

import torch

from ..clips.clip import Info, Reader, from_shown_at, read_since
from ..core import Across, Frame, InputError
from ..timing.curves import Along
from ..timing.grids import Grid, Instant, resample

BEYOND = 3
"""Number of windows of frames included after the end of a segment: a model that makes a batch asks for the next two."""

_NOTHING = torch.empty(3, 0, 0)


@dataclass(frozen=True)
class Stamp:
    """An input frame without its picture; see `core.Frame`."""

    time: Fraction
    duration: Fraction
    cut: Across | None = None
    repeat: bool = False

    @classmethod
    def of(cls, frame: Frame) -> Stamp:
        """The stamp of a frame."""
        return cls(frame.time, frame.duration, frame.cut, frame.repeat)


@dataclass(frozen=True)
class Segment:
    """A run of ``frames`` outputs, from ``start`` seconds on, which come after ``before`` others.

    Only input frames of ``stamps`` are needed, though perhaps not all of them; None: any may be needed. The clip's first frame
    is at ``first``. ``number`` counts segments from 0; ``more``: the clip continues after the stamps.
    """

    number: int
    before: int
    frames: int
    start: Fraction
    first: Fraction
    stamps: tuple[Stamp, ...] | None = None
    more: bool = False


def segments(clip: Iterable[Frame], grid: Grid, *, window: int, length: int, skip: Iterable[int] = ()) -> Iterator[Segment]:
    """The outputs of ``grid`` in segments of ``length``, the last perhaps shorter, except for the numbers in ``skip``.

    ``clip`` is read once, only as far as needed. Its frames must be marked (see `core.Frame`); their pictures are not used. The
    last frame is held for its duration. A grid along a curve may show any frame at any time, so its segments have no stamps.
    ``window`` is the model's, see `grids.resample`. Raises `InputError` as that does.
    """
    done = frozenset(skip)
    found = _along(clip, grid, length) if isinstance(grid, Along) else _Cutting(clip, grid, window, length).cut(done)
    return (segment for segment in found if segment.number not in done)


def _along(clip: Iterable[Frame], grid: Along, length: int) -> Iterator[Segment]:
    first = next((frame.time for frame in clip), None)
    if first is None:
        raise InputError("the clip has no frames")
    count = len(grid.outputs)
    for number, before in enumerate(range(0, count, length)):
        yield Segment(number, before, min(length, count - before), first + before / grid.rate, first)


@dataclass
class _Open:
    """An incomplete segment: it begins at the input frame at ``begin``, and ``beyond`` windows after it are known."""

    segment: Segment
    begin: Fraction
    beyond: int = 0


class _Cutting:
    """Cuts the outputs of a grid into segments; holds the stamps of one segment and a few more."""

    def __init__(self, clip: Iterable[Frame], grid: Grid, window: int, length: int) -> None:
        self._clip = clip
        self._instants = resample(self._stamped(), grid, tail="hold", window=window)
        self._length = length
        self._stamps: deque[Stamp] = deque()
        self._first: Fraction | None = None

    def cut(self, skip: frozenset[int]) -> Iterator[Segment]:
        """All segments; those in ``skip`` have no stamps."""
        full: deque[_Open] = deque()
        growing: _Open | None = None
        time: Fraction | None = None
        for _, group in groupby(self._instants, key=_asked_of):
            for one in full:
                one.beyond += 1
            while full and full[0].beyond > BEYOND:
                yield replace(self._closed(full.popleft(), skip), more=True)
            for instant in group:
                if instant.time == time:
                    continue  # another moment of the same exposure
                time = instant.time
                if growing is not None and growing.segment.frames == self._length:
                    full.append(growing)
                    growing = self._opened(instant, growing.segment)
                growing = growing or self._opened(instant, None)
                growing.segment = replace(growing.segment, frames=growing.segment.frames + 1)
            self._forget((full[0] if full else growing), growing)
        yield from (self._closed(one, skip) for one in (*full, growing) if one is not None)

    def _opened(self, instant: Instant, last: Segment | None) -> _Open:
        assert self._first is not None
        number, before = (0, 0) if last is None else (last.number + 1, last.before + last.frames)
        return _Open(Segment(number, before, 0, instant.time, self._first), instant.window[0].time)

    def _closed(self, one: _Open, skip: frozenset[int]) -> Segment:
        if one.segment.number in skip:
            return one.segment
        return replace(one.segment, stamps=tuple(stamp for stamp in self._stamps if stamp.time >= one.begin))

    def _forget(self, *opened: _Open | None) -> None:
        begins = [one.begin for one in opened if one is not None]
        while begins and self._stamps[0].time < min(begins):
            self._stamps.popleft()

    def _stamped(self) -> Iterator[Frame]:
        for frame in self._clip:
            self._first = frame.time if self._first is None else self._first
            self._stamps.append(Stamp.of(frame))
            yield replace(frame, rgb=_NOTHING, alpha=None)


def _asked_of(instant: Instant) -> tuple[object, ...]:
    """The key by which `run.run` groups instants that it makes together."""
    return instant.window, instant.blend, instant.t == 0


class Stamped:
    """The part of a clip with the frames of ``stamps``, marked as those say; ``info`` may differ from the clip's.

    Reading begins there if the clip can seek. Frame times may then differ, as for frames without a time stamp; such frames are
    looked up from the clip's start. Raises `InputError` if one is not found there either. ``more``: the clip continues after
    the stamps, and reading past them is an error.
    """

    def __init__(self, clip: Reader, info: Info, stamps: Sequence[Stamp], *, more: bool = False) -> None:
        self.info, self.notes = info, clip.notes
        self._clip, self._stamps, self._more = clip, stamps, more

    def __iter__(self) -> Iterator[Frame]:
        return self._from(0)

    def since(self, time: Fraction, before: int = 0) -> Iterator[Frame]:
        """As `clip.Seeks.since`, but repeats come with the frame that they repeat, and ``before`` does not count them."""
        place = max(bisect_right(self._stamps, time, key=lambda stamp: stamp.time) - 1, 0)
        for last in (False,) * before + (True,):
            while place and self._stamps[place].repeat:
                place -= 1
            place = place if last else max(place - 1, 0)
        return self._from(place)

    def _from(self, place: int) -> Iterator[Frame]:
        frames = read_since(self._clip, self._stamps[place].time)
        for stamp in self._stamps[place:]:
            frame = next(frames, None)
            if frame is None or frame.time != stamp.time:
                frames = from_shown_at(self._clip, stamp.time, 0, lambda frame: frame.time + frame.duration)
                frame = next(frames, None)
            if frame is None or frame.time != stamp.time:
                raise InputError(f"the clip has changed: there was a frame at {float(stamp.time):.3f} s")
            yield replace(frame, duration=stamp.duration, cut=stamp.cut, repeat=stamp.repeat)
        if self._more:
            raise RuntimeError("the clip was read past the stamps of its segment")
