"""Converts one clip to another, for every caller: opens the output, makes and writes its frames, and fits the sound.

Owns the order of these steps and the state left by an interruption. Knows nothing of options, networks or callers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from ..clips.clip import Done, Reader, Source, Writer
from ..clips.open import create_clip
from ..clips.video.extras import Extras
from ..clips.video.sound import Audio, fitted_sound, time_map
from ..core import Frame, Interpolator
from ..model.consensus import shown_doubt
from ..pixels.transfer import Colour
from .chunks import Chunks, ChunkWriter
from .pipeline import Task, Watch, render_frames
from .prefetch import Behind


@dataclass(frozen=True)
class Converted:
    """A finished output: its frames, and notes for the viewer, one sentence each."""

    done: Done
    notes: list[str]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while an output was made: its part ``done`` is kept in ``partial``; nothing is kept if that is None."""

    def __init__(self, done: Done, partial: Path | None) -> None:
        super().__init__()
        self.done, self.partial = done, partial


def convert(
    clip: Reader,
    model: Callable[[], Interpolator],
    task: Task,
    path: Path,
    *,
    sound: Source | None = None,
    audio: Audio = "auto",
    extras: Extras | None = None,
    doubts: Path | None = None,
    recipe: Mapping[str, str] | None = None,
    progress: Callable[[Done], object] = bool,
    watch: Watch = iter,
    each: Watch = iter,
) -> Converted:
    """Make the output of ``task`` from ``clip`` and write it to ``path``, with the ``sound`` of a file as ``audio`` asks.

    ``extras``, what the clip's file holds besides, follow the picture.

    ``model`` is called once the output is open. ``doubts``: also write the disagreement of several models there, as a grey
    clip. With a ``recipe`` (see `chunks.Chunks`), an interrupted earlier run is resumed. ``progress`` is called with the part
    finished by an earlier run, then after each new frame. ``watch`` passes the new frames on, each before it is written, and
    ``each`` all that are made, see `pipeline.render_frames`. Raises `InputError`, and `Interrupted` on Ctrl-C.
    """
    rest = None if extras is None else extras.along(time_map(clip, task.asked))
    with fitted_sound(sound, clip, task.asked, path.suffix, audio) as heard:

        def create() -> Writer:
            if recipe is None:
                return create_clip(path, task.output, encoding=task.encoding, time_base=task.tick, audio=heard, extras=rest)
            kept = Chunks(path, task.output, recipe, encoding=task.encoding, time_base=task.tick, audio=heard, extras=rest)
            return ChunkWriter(kept)

        def doubt_writer() -> AbstractContextManager[Writer | None]:
            if doubts is None:
                return nullcontext()
            return create_clip(doubts, replace(task.output, depth=8, alpha=False, colour=Colour()), time_base=task.tick)

        return write(
            create,
            lambda since: render_frames(clip, model(), task, since=since, watch=each),
            doubt_writer,
            clip.notes,
            progress=progress,
            watch=watch,
        )


def write(
    create: Callable[[], Writer],
    frames: Callable[[Fraction | None], Generator[Frame, None, None]],
    doubts: Callable[[], AbstractContextManager[Writer | None]] = nullcontext,
    notes: list[str] | None = None,
    *,
    progress: Callable[[Done], object] = bool,
    watch: Watch = iter,
) -> Converted:
    """Write the frames after the part that ``create`` finds finished; see `convert` for ``doubts``, ``progress`` and ``watch``.

    ``notes`` are those of the clip. The writer runs in its own thread.
    """
    writer = Behind(create)
    done = writer.done
    try:
        with writer, doubts() as doubted:
            progress(done)
            with closing(frames(done.end if done.frames else None)) as made:
                for frame in watch(made):
                    writer.write(frame)
                    if doubted is not None:
                        doubted.write(shown_doubt(frame))
                    done = done.with_frame(frame)
                    progress(done)
    except KeyboardInterrupt as error:
        raise Interrupted(writer.done if writer.done.frames else done, writer.partial) from error
    return Converted(done, [*(notes or []), *writer.notes])
