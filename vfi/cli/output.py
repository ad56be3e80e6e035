"""Output options, and the code shared by all commands that make a clip: the run itself and its report."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _ArgumentGroup
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from .. import __version__
from ..clips.clip import Encoding, Reader, Source, unbound
from ..clips.open import ClipSource
from ..clips.standard import Closed
from ..clips.video.codecs import CODECS
from ..clips.video.sound import AUDIO, Audio
from ..core import InputError, Interpolator
from ..model import load
from ..model.load import Choice
from ..ops import kinds
from ..pixels.transfer import TRANSFERS
from ..render import journal, workers
from ..render.convert import Interrupted, convert
from ..render.pipeline import Task, Watch
from ..timing.grids import Tail, Timing
from ..timing.shutter import Shutter
from . import model_options
from .arguments import argument, factor, whole
from .parallel import ALONE, Crew
from .progress import Work, tracked
from .report import Report

INTERRUPTED = 130
BROKEN = 1
"""Exit code if standard input broke off: what came is finished."""

SOME_LEFT = 3
"""Exit code if something that was asked for is not made, and all else is."""


def add_options(parser: ArgumentParser, *, motion: bool = False) -> None:
    """Declare the options for the model, motion blur and output; ``motion``: see `model_options.add_options`."""
    model_options.add_options(parser, motion=motion)
    blur = parser.add_argument_group("motion blur")
    blur.add_argument(
        "--shutter",
        type=argument(factor),
        metavar="ANGLE",
        help="motion blur: shutter angle in degrees, up to 360; film uses 180",
    )
    blur.add_argument("--shutter-samples", type=argument(whole), default=8, metavar="N", help="instants averaged per frame (8)")
    blur.add_argument(
        "--transfer",
        choices=TRANSFERS,
        metavar="NAME",
        help="transfer function of the pixel values, instead of that in the tags: " + ", ".join(TRANSFERS),
    )
    output = parser.add_argument_group("output")
    add_encoding(output)
    output.add_argument(
        "--disagreement",
        type=Path,
        metavar="OUT",
        help="with --consensus: also write a grey clip that shows where the models disagree, to a video file or a folder",
    )
    output.add_argument(
        "--resume",
        action="store_true",
        help="make the clip in chunks, which are kept if the run is interrupted; run the same command again to resume",
    )
    output.add_argument("--memory-ok", action="store_true", help="start even if the clip may need more memory than is free")
    output.add_argument(
        "--progress",
        choices=("bar", "percentage"),
        default="bar",
        help="a bar on a terminal, or lines such as percentage: 42 on standard error and nothing else, for other programs",
    )
    output.add_argument("--json", action="store_true", help="print the result as JSON, on standard output")


def add_encoding(group: _ArgumentGroup) -> None:
    """Declare the options of `Encoding`."""
    group.add_argument(
        "--codec",
        choices=CODECS,
        help="video codec; chosen by the file ending if not given",
    )
    group.add_argument("--crf", type=int, help="quality of the codec: lower is better, with larger files")
    group.add_argument("--depth", type=int, choices=(8, 10, 16, 32), help="bits per sample; the input's if not given")


def add_kept_audio(parser: ArgumentParser) -> None:
    """Declare the option for sound that is cut with the picture."""
    parser.add_argument("--audio", choices=("auto", "drop"), default="auto", help="auto: cut with the picture; drop: no sound")


def add_audio(parser: ArgumentParser) -> None:
    """Declare the option for the sound."""
    parser.add_argument(
        "--audio",
        choices=AUDIO,
        default="auto",
        help="copy: unchanged; stretch: time-stretched to the new speed, with the pitch kept; auto: copy if the speed is kept, "
        "else stretch; drop: no sound",
    )


@dataclass(frozen=True)
class Settings:
    """The options shared by all commands that make a clip.

    All of them affect its pixels, except ``resume``, ``json`` and ``disagreement``.
    """

    path: Path
    choice: Choice
    device: torch.device
    batch: int
    shutter: Shutter | None
    transfer: str | None
    encoding: Encoding
    disagreement: Path | None
    resume: bool
    json: bool
    memory_ok: bool = False

    @classmethod
    def of(cls, args: Namespace) -> Settings:
        """The settings that the options mean. Raises `InputError` if two contradict each other."""
        device = model_options.device_of(args.device)
        if args.disagreement is not None:
            if not args.consensus:
                raise InputError("--disagreement was given without --consensus: it takes several models to disagree")
            if args.shutter is not None:
                raise InputError("--disagreement cannot be combined with --shutter: each exposure averages many frames")
            if args.resume:
                raise InputError("--disagreement cannot be combined with --resume: only one output can be resumed")
        return cls(
            args.output,
            model_options.choice_of(args),
            device,
            kinds.batch(device) if args.batch is None else args.batch,
            None if args.shutter is None else Shutter(args.shutter, args.shutter_samples),
            args.transfer,
            Encoding(args.codec, args.crf, args.depth),
            args.disagreement,
            args.resume,
            args.json,
            args.memory_ok,
        )

    def task(self, clip: Reader, asked: Timing, tail: Tail) -> Task:
        """The task of making the frames ``asked`` for from ``clip``."""
        return Task(replace(clip.info, curve=self.transfer), asked, tail, self.batch, self.shutter, self.encoding)

    def recipe(self, task: Task, decisions: Mapping[str, object], threads: int) -> dict[str, str]:
        """Everything that determines the output, by name; ``decisions`` are those of the command, such as its input.

        On a CPU that includes ``threads``: another number rounds sums differently.
        """
        cpu = self.device.type == "cpu"
        return journal.recipe(
            vfi=__version__,
            output=self.path.name,
            model=[load.source(str(member.source)) for member in self.choice.members],
            options=replace(self.choice, models=()),
            device=self.device,
            threads=threads if cpu else "",
            timing=task.asked,
            tail=task.tail,
            batch=task.batch,
            shutter=task.shutter,
            transfer=self.transfer,
            encoding=task.encoding,
            **decisions,
        )


def make_clip(
    clip: Reader,
    asked: Timing,
    settings: Settings,
    decisions: Mapping[str, object],
    *,
    tail: Tail = "hold",
    source: ClipSource | None = None,
    sound: Source | None = None,
    audio: Audio = "auto",
    crew: Crew = ALONE,
    model: Interpolator | None = None,
    extras: bool = True,
    watch: Watch = iter,
    work: Work | None = None,
) -> int:
    """Make the clip that is asked for, report it, and return the exit code.

    ``decisions`` name everything besides the settings that determines the frames, see `Settings.recipe`. ``source`` is where
    ``clip`` comes from, for its sound and for workers; ``sound``: a file with its sound instead. ``model`` replaces the one of
    the settings. ``extras``: what the source's file holds besides follows the picture. ``watch`` passes the frames on that one
    process makes, each before it is written. ``work``: what progress is shown of, if not of frames. On Ctrl-C the finished
    frames are kept under another name. If nobody reads standard output any more, that is the end.
    """
    task = settings.task(clip, asked, tail)
    if audio == "drop":
        task = replace(task, info=replace(task.info, audio=False))
    heard = source is not None and clip.info.audio and audio != "drop"
    sound = source.sound() if source is not None and heard and sound is None else sound
    rest = source.extras() if source is not None and extras else None
    size, transfer = (clip.info.height, clip.info.width), unbound(task.info)
    if crew.threads is not None and not crew.several:
        torch.set_num_threads(crew.threads)
    recipe = settings.recipe(task, decisions, crew.threads_each) if settings.resume or crew.several else None
    report = Report(settings.path, task, settings.device, memory_ok=settings.memory_ok, work=work)
    try:
        with report:
            if source is None or recipe is None or not crew.several:
                result = convert(
                    clip,
                    lambda: report.promised(model or load.build(settings.choice, settings.device, size, transfer)),
                    task,
                    settings.path,
                    sound=sound,
                    audio=audio,
                    extras=rest,
                    doubts=settings.disagreement,
                    recipe=recipe,
                    progress=lambda done: report.progress(done.frames),
                    watch=watch,
                )
            else:
                if settings.disagreement is not None:
                    raise InputError("--disagreement cannot be combined with several processes: they make one output only")
                pool, spec = crew.pool(settings.device), load.spec_of(settings.choice)
                report.promise(spec, pool.count)
                result = workers.convert(
                    pool,
                    clip,
                    replace(source, path=source.path.absolute()).open,
                    partial(load.build, settings.choice, size=size, transfer=transfer),
                    task,
                    settings.path,
                    recipe,
                    window=spec.window,
                    sound=sound,
                    audio=audio,
                    extras=rest,
                    watched=lambda whole: tracked(whole, "looking at the clip", whole.info.frames, report.console),
                    progress=report.progress,
                )
    except Interrupted as stopped:
        report.interrupted(stopped, resumable=recipe is not None)
        return INTERRUPTED
    except Closed:
        return 0
    report.finished(result, for_machines=settings.json)
    if source is not None and (broken := source.broken()) is not None:
        report.error(broken)
        return BROKEN
    return 0
