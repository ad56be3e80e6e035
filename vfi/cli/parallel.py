"""Clips that several workers can make: the options, and the work shared out, from one clip in to one clip out."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from contextlib import closing
from functools import partial

import torch
from rich.filesize import decimal
from rich.markup import escape

from ..clips.clip import DamagedError, Info, Reader, Source
from ..clips.open import open_clip
from ..clips.video.sound import fitted_sound
from ..core import InputError, Interpolator
from ..render.chunks import Chunks
from ..render.segments import Stamp, segments
from ..render.workers import Job, Pool
from ..render.workers import make as made_by
from ..render.workers.processes import Processes
from ..render.workers.ray import LOCAL, Ray
from ..timing.curves import Along
from ..timing.grids import Timing
from . import model_options
from . import output as work
from .arguments import argument, whole
from .progress import bar, tracked


def add_options(parser: ArgumentParser) -> None:
    """Declare who makes the clip."""
    group = parser.add_argument_group("several processes")
    group.add_argument(
        "--workers",
        type=argument(whole),
        metavar="N",
        help="make the clip by N processes, in chunks as with --resume; several GPUs are used in turn",
    )
    group.add_argument(
        "--threads",
        type=argument(whole),
        metavar="N",
        help="threads that a process computes with: the cores are shared out if not given. As many give the same bits",
    )
    group.add_argument(
        "--ray",
        nargs="?",
        const=LOCAL,
        metavar="ADDRESS",
        help="let Ray run the workers, on this machine or on the cluster at ADDRESS, whose machines must find the input and "
        "the output's folder at the same paths, and have the same CPUs for the same bits; needs pip install inbetween-vfi[ray]",
    )


def wanted(args: Namespace) -> bool:
    """Whether ``args`` ask for workers."""
    return args.workers is not None or args.ray is not None


def make(reader: Reader, asked: Timing, args: Namespace) -> int:
    """Make a clip of the file ``args.input``, with its sound as ``--audio`` asks, by as many as ``args`` say.

    Returns the exit code.
    """
    source = args.input if reader.info.audio else None
    try:
        with fitted_sound(source, reader, asked, args.output.suffix, args.audio) as sound:
            if wanted(args):
                return _make(reader, asked, args, sound)
            if args.threads is not None:
                torch.set_num_threads(args.threads)
            return work.make(reader, asked, args, tail="hold", sound=sound)
    except DamagedError as error:
        raise InputError(f"{error}: --damaged-ok uses what can be read") from error


def _make(reader: Reader, asked: Timing, args: Namespace, sound: Source | None) -> int:
    """As `output.make`, by workers."""
    if args.disagreement is not None:
        raise InputError("several processes and --disagreement were both asked for: they make one clip only, give one")
    started = time.perf_counter()
    console = work.console_for_people()
    task = work.Task.of(reader, asked, args, "hold")
    threads = args.threads or max(torch.get_num_threads() // (args.workers or torch.get_num_threads()), 1)
    pool: Pool
    if args.ray is None:
        pool = Processes(args.workers, threads, task.device)
    else:
        pool = Ray(args.workers, threads, task.device, args.ray)
    name, model = model_options.model_of(args, task.info, task.device)
    spec = model.spec
    del model  # every worker has its own
    chunks = Chunks(
        args.output.absolute(),
        task.wanted,
        work.recipe(args, task.device, task.batch, threads),
        encoding=task.encoding,
        time_base=task.tick,
        audio=sound,
    )
    counts = Counter({number: done.frames for number, done in chunks.finished.items()})
    try:
        if counts:
            console.print(f"{counts.total()} frames are done already: going on with the others")
        console.print(escape(task.promise(args.output, name)))
        at_most = decimal(work.ceiling(task.info, spec, task.batch))
        console.print(f"{pool.count} workers, memory: {at_most} at the most for each, beside the model's weights")
        stamps: tuple[Stamp, ...] = ()
        if isinstance(asked.grid, Along):
            stamps = tuple(map(Stamp.of, tracked(reader, "looking at the clip", task.info.frames, console)))
        job = Job(
            partial(open_clip, args.input.absolute(), rate=args.in_fps, damaged_ok=args.damaged_ok),
            partial(_model, args, task.info),
            task.info,
            asked,
            chunks.parts,
            task.batch,
            task.shutter,
            stamps,
        )
        grid = asked.grid if task.shutter is None else task.shutter.grid(asked.grid)
        cut = segments(reader, grid, window=spec.window, length=chunks.length, skip=chunks.finished)
        with (
            bar("making frames", task.total, console, counts.total()) as at,
            closing(made_by(pool, job, cut, chunks)) as making,
        ):
            for made in making:
                counts[made.number] = made.frames
                at(counts.total())
    except KeyboardInterrupt:
        frames = sum(done.frames for done in chunks.finished.values())
        kept = f"{frames} frames are done, and the same command goes on with the others" if frames else "nothing was written"
        console.print(escape(f"vfi: interrupted: {kept}"))
        return work.INTERRUPTED
    finally:
        chunks.close()
    result = task.result(args.output, name, chunks.done, started, [*reader.notes, *chunks.notes])
    work.report(result, console, for_machines=args.json)
    return 0


def _model(args: Namespace, info: Info, device: torch.device) -> Interpolator:
    return model_options.model_of(args, info, device)[1]
