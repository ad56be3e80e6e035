"""Output options, and the code shared by all commands that make a clip: the run itself and its report."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape

from .. import __version__
from ..clips.clip import DamagedError, Encoding, Reader, unbound
from ..clips.open import ClipSource
from ..clips.video.codecs import CODECS
from ..clips.video.sound import AUDIO, Audio
from ..core import Frame, InputError, Interpolator, Spec
from ..model import load
from ..model.load import Choice
from ..pixels.transfer import TRANSFERS
from ..render import journal, workers
from ..render.convert import Converted, Interrupted, convert
from ..render.pipeline import Task
from ..timing.grids import Tail, Timing
from ..timing.shutter import Shutter
from . import model_options
from .arguments import argument, factor, whole
from .parallel import ALONE, Crew
from .progress import bar, tracked

INTERRUPTED = 130


def add_options(parser: ArgumentParser) -> None:
    """Declare the options for the model, motion blur and output."""
    model_options.add_options(parser)
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
    output.add_argument(
        "--codec",
        choices=CODECS,
        help="video codec; chosen by the file ending if not given",
    )
    output.add_argument("--crf", type=int, help="quality of the codec: lower is better, with larger files")
    output.add_argument("--depth", type=int, choices=(8, 10, 16, 32), help="bits per sample; the input's if not given")
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
    output.add_argument("--json", action="store_true", help="print the result as JSON, on standard output")


def add_audio(parser: ArgumentParser) -> None:
    """Declare the option for the sound."""
    parser.add_argument(
        "--audio",
        choices=AUDIO,
        default="auto",
        help="copy: unchanged; stretch: time-stretched to the new speed, with the pitch kept; auto: copy if the speed is kept, "
        "else stretch; drop: no sound",
    )


def console_for_people() -> Console:
    """The console for everything but results: standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


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
            (1 if device.type == "cpu" else 8) if args.batch is None else args.batch,
            None if args.shutter is None else Shutter(args.shutter, args.shutter_samples),
            args.transfer,
            Encoding(args.codec, args.crf, args.depth),
            args.disagreement,
            args.resume,
            args.json,
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
    audio: Audio = "auto",
    crew: Crew = ALONE,
    model: Interpolator | None = None,
) -> int:
    """Make the clip that is asked for, report it, and return the exit code.

    ``decisions`` name everything besides the settings that determines the frames, see `Settings.recipe`. ``source`` is where
    ``clip`` comes from, for its sound and for workers; ``model`` replaces the one of the settings. On Ctrl-C the finished
    frames are kept under another name.
    """
    started = time.perf_counter()
    console = console_for_people()
    task = settings.task(clip, asked, tail)
    report = _Report(settings, task, console)
    sound = source.sound() if source is not None and clip.info.audio else None
    try:
        if source is not None and crew.several:
            result = _by_workers(clip, task, settings, report, source, crew, decisions, sound=sound, audio=audio)
        else:
            if crew.threads is not None:
                torch.set_num_threads(crew.threads)
            recipe = settings.recipe(task, decisions, torch.get_num_threads()) if settings.resume else None
            with report:
                result = convert(
                    clip,
                    lambda: report.begun(model or load.build(settings.choice, settings.device, *_frames(task))),
                    task,
                    settings.path,
                    sound=sound,
                    audio=audio,
                    doubts=settings.disagreement,
                    recipe=recipe,
                    progress=lambda done: report.at(done.frames),
                )
    except DamagedError as error:
        raise InputError(f"{error}: --damaged-ok uses the readable part") from error
    except Interrupted as stopped:
        console.print(escape(f"vfi: interrupted: {_left(stopped, resumable=settings.resume or crew.several)}"))
        return INTERRUPTED
    report.finished(result, time.perf_counter() - started)
    return 0


def _by_workers(
    clip: Reader,
    task: Task,
    settings: Settings,
    report: _Report,
    source: ClipSource,
    crew: Crew,
    decisions: Mapping[str, object],
    **sound: Any,
) -> Converted:
    if settings.disagreement is not None:
        raise InputError("--disagreement cannot be combined with several processes: they make one output only")
    pool = crew.pool(settings.device)
    spec = load.spec_of(settings.choice)
    size, transfer = _frames(task)
    with report:
        report.promise(spec, pool.count)
        return workers.convert(
            pool,
            clip,
            replace(source, path=source.path.absolute()).open,
            partial(load.build, settings.choice, size=size, transfer=transfer),
            task,
            settings.path,
            settings.recipe(task, decisions, crew.threads_each),
            window=spec.window,
            watched=partial(_looked_at, console=report.console),
            progress=report.at,
            **sound,
        )


def _frames(task: Task) -> tuple[tuple[int, int], Any]:
    """The size (height, width) of the frames of a task, and their transfer function if it goes beyond white."""
    return (task.info.height, task.info.width), unbound(task.info)


def _looked_at(clip: Reader, console: Console) -> Iterable[Frame]:
    return tracked(clip, "looking at the clip", clip.info.frames, console)


def _left(stopped: Interrupted, *, resumable: bool) -> str:
    """The frames that an interrupted run leaves, in words."""
    if stopped.partial is None:
        return "nothing was written"
    if resumable:
        return f"{stopped.done.frames} frames are done: run the same command again to resume"
    return f"the {stopped.done.frames} finished frames are in {stopped.partial}"


class _Report:
    """Reports the progress of a run to people, and its result to machines."""

    def __init__(self, settings: Settings, task: Task, console: Console) -> None:
        self.console = console
        self._settings, self._task = settings, task
        self._name = ""
        self._done: int | None = None
        self._bar = ExitStack()

    def __enter__(self) -> _Report:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def promise(self, spec: Spec, workers: int | None = None) -> None:
        """Print the frames to be made and the memory they need, before the work starts."""
        task, info = self._task, self._task.info
        self._name = spec.name
        source = length_in_words(info.frames, info.rate, info.duration)
        made = length_in_words(task.total, task.asked.rate, task.length)
        to = f"{self._settings.path}: {made}, by {spec.name} on {self._settings.device}"
        self.console.print(escape(f"{info.width}x{info.height}, {source} -> {to}"))
        most = decimal(task.ceiling(spec))
        each = "memory: at most" if workers is None else f"{workers} workers, memory of each: at most"
        self.console.print(f"{each} {most}, plus the model's weights")

    def begun(self, model: Interpolator) -> Interpolator:
        """Announce the frames of ``model``, show a progress bar for them, and return ``model``."""
        self.promise(model.spec)
        self._show(self._done or 0)
        return model

    def at(self, done: int) -> None:
        """Show that ``done`` frames are done. The first call reports those of an earlier run."""
        if self._done is None and done:
            self.console.print(f"{done} frames are done already: resuming")
        elif self._done is not None:
            self._show(done)
        self._done = done

    def _show(self, done: int) -> None:
        if self._bar_at is None:
            self._bar_at = self._bar.enter_context(bar("making frames", self._task.total, self.console, done))
        self._bar_at(done)

    _bar_at: Any = None

    def finished(self, result: Converted, seconds: float) -> None:
        """Report the result: to people, and as JSON on standard output."""
        self._bar.close()
        for note in result.notes:
            self.console.print(escape(f"note: {note}"))
        done, path, info = result.done, self._settings.path, self._task.info
        made = f"{done.frames} frames, {float(done.end - done.start):.3f} s"
        self.console.print(escape(f"{path}: {made}, in {seconds:.1f} s"))
        if self._settings.json:
            sys.stdout.write(
                json.dumps(
                    {
                        "output": str(path),
                        "model": self._name,
                        "device": str(self._settings.device),
                        "frames": done.frames,
                        "fps": None if self._task.asked.rate is None else str(self._task.asked.rate),
                        "duration": str(done.end - done.start),
                        "width": info.width,
                        "height": info.height,
                        "seconds": round(seconds, 3),
                        "notes": result.notes,
                    }
                )
                + "\n"
            )


def length_in_words(frames: int | None, rate: Fraction | None, duration: Fraction | None) -> str:
    """The length of a clip in words, as far as known."""
    parts = (
        None if frames is None else f"{frames} frames",
        None if rate is None else f"{float(rate):.6g} fps",
        None if duration is None else f"{float(duration):.3f} s",
    )
    return ", ".join(filter(None, parts)) or "length unknown"
