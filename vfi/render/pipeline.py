"""From a clip to the frames of its output: reads ahead, makes frames along a grid or a curve, and optionally exposes them.

Owns the task and the order of these steps. Knows nothing of files, options or callers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from typing import TypeAlias

import torch

from ..clips.clip import DEFAULT_ENCODING, Costly, Encoding, Info, Reader, transfer_of
from ..core import Frame, Interpolator, Spec
from ..edit import duplicates, shots
from ..timing.curves import Along
from ..timing.grids import Grid, Tail, Timing, Within
from ..timing.shutter import Shutter, exposed
from . import malloc, prefetch
from .crew import hands_for
from .remap import remap
from .run import run
from .segments import Segment

Watch: TypeAlias = Callable[[Iterable[Frame]], Iterator[Frame]]

LIBRARIES = 550_000_000
"""Bytes that Python and the libraries take on their own."""

ENCODER = 250
"""Bytes per pixel that an encoder takes for its lookahead frames."""


@dataclass(frozen=True)
class Task:
    """The settings for an output of a clip that ``info`` describes: all that decides its frames except the clip and the model.

    ``asked`` gives the output times, and ``tail`` what follows the last frame (see `grids.resample`). ``batch`` frames of a
    pair are made at once. ``shutter`` blurs motion in linear light, by the transfer function in ``info``. ``encoding`` is the
    writer's.
    """

    info: Info
    asked: Timing
    tail: Tail = "hold"
    batch: int = 1
    shutter: Shutter | None = None
    encoding: Encoding = DEFAULT_ENCODING

    @property
    def grid(self) -> Grid:
        """The instants at which frames are made."""
        return self.asked.grid if self.shutter is None else self.shutter.grid(self.asked.grid)

    @property
    def output(self) -> Info:
        """A description of the output, for its writer."""
        return replace(self.info, rate=self.asked.rate)

    @property
    def total(self) -> int | None:
        """The number of output frames, if it is known."""
        return self.asked.expected(self.info.frames, self.info.duration, self.tail)

    @property
    def length(self) -> Fraction | None:
        """The seconds of output, if they are known."""
        if self.tail == "hold":
            return None if self.info.duration is None else self.asked.length(self.info.duration)
        return None if self.total is None or self.asked.rate is None else self.total / self.asked.rate

    @property
    def tick(self) -> Fraction | None:
        """The unit of all output times, in seconds, if it is known."""
        return self.asked.tick(self.info.time_base, self.info.duration, self.info.start)

    def ceiling(self, spec: Spec, threads: int = 1) -> int:
        """The most bytes of memory, including video memory, that a model of ``spec`` takes besides its weights.

        ``threads``: those of torch, on a CPU, some of which may make frames at once.
        """
        info = self.info
        hands = hands_for(spec, info.height, info.width, self.batch, threads)
        made = self.batch if hands == 1 else 2 * hands * self.batch
        waiting = spec.window + made + shots.AHEAD + duplicates.LONGEST + 2 * prefetch.AHEAD + 2
        frame = (4 if info.alpha else 3) * torch.float32.itemsize
        return (
            LIBRARIES
            + (waiting * frame + ENCODER) * info.width * info.height
            + hands * self.batch * spec.memory(info.height, info.width)
        )


def render_frames(
    clip: Reader,
    model: Interpolator,
    task: Task,
    *,
    since: Fraction | None = None,
    segment: Segment | None = None,
    watch: Watch = iter,
) -> Generator[Frame, None, None]:
    """The output frames of ``task``; close the generator to stop early.

    A thread reads ahead, and freed memory is kept (see `malloc`). ``since``: only the frames from this output time on;
    ``segment``: only its frames, and reading begins at its stamps. ``watch`` passes on each frame, also those that an exposure
    is the mean of; it may raise to stop before the next is made. Raises `InputError`.
    """
    grid = task.grid
    since, count = (since, None) if segment is None else (segment.start, segment.frames)
    if isinstance(grid, Along):
        with closing(remap(clip, model, grid, batch=task.batch, since=since, count=count)) as frames:
            yield from malloc.keeping(watch(frames))
        return
    if segment is not None and segment.stamps is not None:
        grid = Within(grid, segment.first, segment.stamps[0].time)
    # A costly clip is no work for a thread that waits on files, and Ctrl-C is to stop it at once.
    given = clip.costly(since) if isinstance(clip, Costly) else prefetch.ahead(clip)
    with closing(given) as read:
        made = watch(run(read, model, grid, tail=task.tail, batch=task.batch, since=since, live=clip.info.live))
        made = made if task.shutter is None else exposed(made, transfer_of(task.info))
        yield from malloc.keeping(islice(made, count))
