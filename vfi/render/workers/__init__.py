"""Making a clip by several workers: what each of them is told, and how one makes its segment.

A worker has its own reader, model and encoder; `segments` says what it reads, `chunks` where it writes. `processes` and `ray`
are two ways to run workers, each a `Pool`. Knows nothing of options.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import torch

from ...clips.clip import Done, Info, Reader
from ...core import InputError, Interpolator
from ...timing.grids import Timing
from ...timing.shutter import Shutter
from ..chunks import Chunks, Parts
from ..pipeline import render_frames
from ..prefetch import Behind
from ..segments import Segment, Stamp, Stamped

TRIES = 3
"""How often a segment is begun whose worker dies, and how many workers may die one after the other before one begins."""


@dataclass(frozen=True)
class Job:
    """All that a worker must know but which segment it makes; it is sent to other processes, and so must be what it holds.

    ``clip`` opens the clip, whose description is taken from ``info``, and ``model`` the model on a device. ``stamps`` are those
    of the whole clip, for segments that come without. All else is as in `pipeline.render_frames`; ``parts`` says where it goes.
    """

    clip: Callable[[], Reader]
    model: Callable[[torch.device], Interpolator]
    info: Info
    asked: Timing
    parts: Parts
    batch: int = 1
    shutter: Shutter | None = None
    stamps: tuple[Stamp, ...] = ()


@dataclass(frozen=True)
class Made:
    """What there is of a segment: so many frames, and when it is finished, what they are."""

    number: int
    frames: int
    done: Done | None = None


class Pool(Protocol):
    """Workers, who make segments of a job at the same time, each the next that nobody has begun; ``count`` of them."""

    count: int

    def made(self, job: Job, segments: Iterable[Segment]) -> Generator[Made, None, None]:
        """Have all segments made and tell how they come along, in any order; close the generator to stop early.

        A segment whose worker dies is made by another, up to `TRIES` times. ``segments`` is read in a thread, a little ahead.
        Raises `InputError` where a worker does, or where workers keep dying.
        """
        ...


def make(pool: Pool, job: Job, segments: Iterable[Segment], chunks: Chunks) -> Generator[Made, None, None]:
    """As `Pool.made`; every segment that is finished is counted in ``chunks``, and at the end they are joined."""
    with closing(pool.made(job, segments)) as making:
        for made in making:
            if made.done is not None:
                chunks.finish(made.number, made.done)
            yield made
    chunks.join()


def died(segment: Segment | None, how: str) -> InputError:
    """What to say when workers keep dying, the last in a way told in words."""
    at = "before they began" if segment is None else f"at frames {segment.before} to {segment.before + segment.frames - 1}"
    return InputError(f"workers died {TRIES} times {at}, the last {how}: fewer of them take less memory")


class Worker:
    """Makes segments of a job in this process, with ``threads`` of torch, by a model on ``device``."""

    def __init__(self, job: Job, device: torch.device, threads: int) -> None:
        torch.set_num_threads(threads)
        self._job = job
        self._clip = job.clip()
        self._model = job.model(device)

    def make(self, segment: Segment, told: Callable[[int], object] = bool) -> Done:
        """Write a segment and return what it is; ``told`` is called with the number of frames after each of them."""
        job, done = self._job, Done()
        stamps = job.stamps if segment.stamps is None else segment.stamps
        clip = Stamped(self._clip, job.info, stamps, more=segment.more)
        making = render_frames(clip, self._model, job.asked, batch=job.batch, shutter=job.shutter, segment=segment)
        with Behind(lambda: job.parts.writer(segment.number, segment.before)) as writer, closing(making) as frames:
            for frame in frames:
                writer.write(frame)
                done = done.with_frame(frame)
                told(done.frames)
            if done.frames != segment.frames:
                raise RuntimeError(f"segment {segment.number} has {done.frames} frames, not {segment.frames}")
        return done
