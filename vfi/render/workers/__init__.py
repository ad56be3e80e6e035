"""Makes one clip with several workers: assigns segments, makes them, and joins the results.

A worker has its own reader, model and encoder; `segments` defines what it reads, `chunks` where it writes. `processes` and
`ray` are two ways to run workers, each a `Pool`. Knows nothing of options.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from ...clips.clip import Done, Reader, Source
from ...clips.video.extras import Extras
from ...clips.video.sound import Audio, fitted_sound, time_map
from ...core import Frame, InputError, Interpolator
from ...timing.curves import Along
from ..chunks import Chunks, Parts
from ..convert import Converted, Interrupted, write
from ..pipeline import Task, render_frames
from ..segments import Segment, Stamp, Stamped, segments

TRIES = 3
"""Attempts per segment before giving up, and consecutive worker deaths tolerated before any segment starts."""


@dataclass(frozen=True)
class Job:
    """Everything a worker needs except its segment. Pickled and sent to other processes, so every field must be picklable.

    ``clip`` opens the clip, described by ``task.info``, and ``model`` loads the model on a device. ``parts`` says where
    segments are written. ``stamps`` are those of the whole clip, for segments without their own.
    """

    clip: Callable[[], Reader]
    model: Callable[[torch.device], Interpolator]
    task: Task
    parts: Parts
    stamps: tuple[Stamp, ...] = ()


@dataclass(frozen=True)
class Made:
    """Progress of a segment: the number of ``frames`` made; ``done`` describes the segment once it is finished."""

    number: int
    frames: int
    done: Done | None = None


class Pool(Protocol):
    """``count`` workers that make the segments of a job in parallel; each takes the next one that is still to be made."""

    count: int

    def made(self, job: Job, segments: Iterable[Segment]) -> Generator[Made, None, None]:
        """Make all segments and report on them in any order; close the generator to stop early.

        A segment whose worker dies is retried by another, up to `TRIES` times. A thread reads ``segments`` a little ahead.
        Raises `InputError` if a worker does, or if workers keep dying.
        """
        ...


def convert(
    pool: Pool,
    clip: Reader,
    source: Callable[[], Reader],
    model: Callable[[torch.device], Interpolator],
    task: Task,
    path: Path,
    recipe: Mapping[str, str],
    *,
    window: int,
    sound: Source | None = None,
    audio: Audio = "auto",
    extras: Extras | None = None,
    watched: Callable[[Reader], Iterable[Frame]] = iter,
    progress: Callable[[int], object] = bool,
) -> Converted:
    """As `convert.convert`, by the workers of ``pool``, in chunks that survive an interruption.

    ``source`` opens the clip in a worker; ``model`` loads the model, whose window is ``window`` frames, on a device. ``clip``
    carries the marks. ``watched`` iterates over the clip if a curve needs all of its times first. ``progress`` is called with
    the number of frames made so far.
    """
    rest = None if extras is None else extras.along(time_map(clip, task.asked))
    with fitted_sound(sound, clip, task.asked, path.suffix, audio) as heard:
        chunks = Chunks(
            path.absolute(), task.output, recipe, encoding=task.encoding, time_base=task.tick, audio=heard, extras=rest
        )
        counts = Counter({number: done.frames for number, done in chunks.finished.items()})
        try:
            progress(counts.total())
            stamps = tuple(map(Stamp.of, watched(clip))) if isinstance(task.asked.grid, Along) else ()
            job = Job(source, model, task, chunks.parts, stamps)
            cut = segments(clip, task.grid, window=window, length=chunks.length, skip=chunks.finished)
            with closing(make_segments(pool, job, cut, chunks)) as making:
                for made in making:
                    counts[made.number] = made.frames
                    progress(counts.total())
        except KeyboardInterrupt as error:
            frames = sum(done.frames for done in chunks.finished.values())
            raise Interrupted(Done(frames), chunks.folder if frames else None) from error
        finally:
            chunks.close()
    return Converted(chunks.done, [*clip.notes, *chunks.notes])


def make_segments(pool: Pool, job: Job, segments: Iterable[Segment], chunks: Chunks) -> Generator[Made, None, None]:
    """As `Pool.made`; counts every finished segment in ``chunks``, and joins them at the end."""
    with closing(pool.made(job, segments)) as making:
        for made in making:
            if made.done is not None:
                chunks.finish(made.number, made.done)
            yield made
    chunks.join()


def died(segment: Segment | None, how: str) -> InputError:
    """The error to raise if workers keep dying; ``how`` describes in words how the last one died."""
    at = "before they began" if segment is None else f"at frames {segment.before} to {segment.before + segment.frames - 1}"
    return InputError(f"workers died {TRIES} times {at}, the last {how}: fewer workers need less memory")


class Worker:
    """Makes segments of a job in this process, with ``threads`` torch threads and a model on ``device``."""

    def __init__(self, job: Job, device: torch.device, threads: int) -> None:
        torch.set_num_threads(threads)
        self._job = job
        self._clip = job.clip()
        self._model = job.model(device)

    def make_segment(self, segment: Segment, progress: Callable[[int], object] = bool) -> Done:
        """Write a segment and describe it; ``progress`` is called with the number of frames after each."""
        job = self._job
        stamps = job.stamps if segment.stamps is None else segment.stamps
        clip = Stamped(self._clip, job.task.info, stamps, more=segment.more)
        made = write(
            lambda: job.parts.writer(segment.number, segment.before),
            lambda _: render_frames(clip, self._model, job.task, segment=segment),
            progress=lambda done: progress(done.frames),
        )
        if made.done.frames != segment.frames:
            raise RuntimeError(f"segment {segment.number} has {made.done.frames} frames, not {segment.frames}")
        return made.done
