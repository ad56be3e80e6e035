"""Loops: clips made to loop seamlessly, with in-between frames from the last frame back to the first (the wrap).

Owns where a clip is best cut to loop, and the clip repeated past both ends so that windows reach across the wrap. Knows
nothing of models, files or how frames are made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import median

import torch
from torch import Tensor

from ..core import Frame, InputError
from ..pixels.thumbnails import apart, small
from ..timing.grids import Grid, Knots, Tail, Timing, Uniform

CONTEXT = 2
"""Frames repeated after the wrap, and one fewer before the start: enough for windows of four."""

WIDEST = 12
"""Longest automatic wrap, in frames: a wider one is a cut, and motion across it cannot be guessed."""


@dataclass(frozen=True)
class Loop:
    """The part of a clip that loops: its frames from ``start`` up to, but not including, ``end`` (seconds in the clip).

    It has ``frames`` frames. ``last`` is shown before the first returns, ``gap`` seconds after ``last`` began. ``jump`` is
    how far the wrap differs from the clip's usual frame-to-frame step, in such steps: 0 for a perfect loop.
    """

    start: Fraction
    end: Fraction
    frames: int
    last: Frame
    gap: Fraction
    jump: float

    @property
    def period(self) -> Fraction:
        """Seconds from the first frame until it returns."""
        return self.last.time + self.gap - self.start

    def wound(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The loop's part of ``frames``, from time 0, with `CONTEXT` from across the wrap at both ends."""
        yield replace(self.last, time=-self.gap, duration=self.gap)
        head: list[Frame] = []
        for frame in frames:
            if frame.time >= self.end:
                break
            if frame.time >= self.start:
                frame = replace(frame, time=frame.time - self.start)
                if frame.time + self.start == self.last.time:
                    frame = replace(frame, duration=self.gap)
                if len(head) < CONTEXT:
                    head.append(frame)
                yield frame
        for frame in head:
            yield replace(frame, time=frame.time + self.period, cut=None, repeat=False)


@dataclass(frozen=True)
class Turn:
    """The outputs of ``grid`` in one turn of a loop: at times from 0 up to ``period``."""

    grid: Grid
    frames: int
    period: Fraction

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        if start < 0 or start >= self.period:
            return iter(())
        return self.grid.within(start, end, Fraction(0))

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return self.grid.count(self.frames, self.period, "hold")

    def knots(self, span: Fraction) -> Knots:
        return self.grid.knots(self.period)


def turn_of(asked: Timing, loop: Loop) -> Timing:
    """The timing of one turn of a loop; to meet a frame rate, it plays up to half a frame faster or slower."""
    grid = asked.grid
    if isinstance(grid, Uniform):
        count = max(round(loop.period * grid.stretch * grid.rate), 1)
        grid = Uniform(grid.rate, count / (grid.rate * loop.period))
    return Timing(Turn(grid, loop.frames, loop.period), asked.rate)


def whole_loop(frames: Iterable[Frame], gap: int | None = 1) -> Loop:
    """The whole clip as a loop; the wrap takes as long as ``gap`` frames; if None, as many as it is steps wide.

    Raises `InputError` if the clip has fewer than two frames.
    """
    return _Look(frames, search=1).whole(gap)


def best_loop(frames: Iterable[Frame], shortest: Fraction | None = None, gap: int | None = 1, *, search: int = 240) -> Loop:
    """The part of a clip that loops best, at least ``shortest`` seconds long (None: half the clip); ``gap``: see `whole_loop`.

    ``frames`` are read twice. Only thumbnails of the first and last ``search`` are kept, among which both ends are searched.
    As in Schödl, Szeliski, Salesin and Essa, "Video Textures" (SIGGRAPH 2000), section 3.1, two consecutive frames must look
    alike at both ends, so that position and speed agree. The whole clip is taken if no part loops better. Raises `InputError`
    if the clip has fewer than two frames or is shorter than ``shortest``.
    """
    return _Look(frames, search).best(shortest, gap)


class _Look:
    """Thumbnails of a clip's ends, and its usual frame-to-frame step."""

    def __init__(self, frames: Iterable[Frame], search: int) -> None:
        self._frames = frames
        head: list[tuple[Fraction, Tensor]] = []
        tail: deque[tuple[int, Fraction, Tensor]] = deque(maxlen=search)
        steps: list[float] = []
        self.count = 0
        for frame in frames:
            picture = small(frame)
            if self.count:
                steps.append(apart(picture, tail[-1][2]))
            if self.count < search:
                head.append((frame.time, picture))
            tail.append((self.count, frame.time, picture))
            last = frame
            self.count += 1
        if self.count < 2:
            raise InputError(f"{self.count} frames were given: a loop needs at least 2")
        self.last = last
        self.head, self.tail = head, tail
        self.step = median(steps)
        self.interval = (last.time - head[0][0]) / (self.count - 1)

    def whole(self, gap: int | None) -> Loop:
        (start, first), (_, _, final) = self.head[0], self.tail[-1]
        width = self._steps(apart(first, final))
        shown = self.last.duration or self.interval
        return Loop(start, self.last.time + shown, self.count, self.last, self._gap(gap, width, shown), abs(width - 1))

    def best(self, shortest: Fraction | None, gap: int | None) -> Loop:
        length = self.last.time + (self.last.duration or self.interval) - self.head[0][0]
        shortest = length / 2 if shortest is None else shortest
        if shortest > length:
            raise InputError(f"a loop of at least {float(shortest):.3f} s was requested: the clip lasts {float(length):.3f} s")
        starts, ends = (torch.stack([picture.flatten() for *_, picture in side]) for side in (self.head, self.tail))
        distances = torch.cdist(starts[None], ends[None], p=1)[0] / starts.shape[1]
        alike = (distances[1:, 1:] + distances[:-1, :-1]) / 2  # frames i - 1 and i against frames j - 1 and j
        begins = torch.tensor([float(time) for time, _ in self.head[1:]])
        stops = torch.tensor([float(time) for _, time, _ in list(self.tail)[1:]])
        alike[stops[None] - begins[:, None] < float(shortest) - 1e-9] = torch.inf
        found = self.whole(gap)
        if not alike.numel() or self._steps(alike.min().item()) >= found.jump:
            return found
        row, column = divmod(int(alike.argmin()), alike.shape[1])
        (index, end, _), (_, time, _) = self.tail[column + 1], self.tail[column]
        last = next(frame for frame in self._frames if frame.time == time)
        jump = self._steps(alike[row, column].item())
        first = self.head[row + 1]
        width = self._steps(apart(first[1], self.tail[column][2]))
        return Loop(first[0], end, index - row - 1, last, self._gap(gap, width, end - time), jump)

    def _steps(self, distance: float) -> float:
        return distance / self.step if self.step else 0.0 if not distance else torch.inf

    @staticmethod
    def _gap(gap: int | None, width: float, shown: Fraction) -> Fraction:
        return shown * (gap if gap is not None else min(max(round(min(width, WIDEST)), 1), WIDEST))
