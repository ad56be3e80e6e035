"""What the commands that make clips share: the options of model and output, the run itself and what is said of it."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape

from .. import __version__
from ..clips.clip import Colour, Done, Encoding, Info, Reader, Source, Writer, transfer_of
from ..clips.images import image_files
from ..clips.open import create_clip
from ..clips.video.sound import AUDIO
from ..core import InputError, Interpolator, Spec
from ..edit import duplicates, shots
from ..model import load as loading
from ..model.consensus import shown_doubt
from ..pixels.transfer import TRANSFERS
from ..render.chunks import Chunks, ChunkWriter
from ..render.journal import digest, versions
from ..render.pipeline import render_frames
from ..render.prefetch import AHEAD, Behind
from ..timing.grids import Tail, Timing
from ..timing.shutter import Shutter
from . import model_options
from .arguments import argument, factor, whole
from .progress import tracked

T = TypeVar("T")

INTERRUPTED = 130

LIBRARIES = 550_000_000
"""Bytes that Python and the libraries take by themselves."""

ENCODER = 250
"""Bytes a pixel that an encoder takes, for the frames that it looks ahead."""


def add_options(parser: ArgumentParser) -> None:
    """Declare the options of model, motion blur and output."""
    model_options.add_options(parser)
    blur = parser.add_argument_group("motion blur")
    blur.add_argument(
        "--shutter", type=argument(factor), metavar="ANGLE", help="how long each frame is exposed: 180 of 360 degrees is film's"
    )
    blur.add_argument(
        "--shutter-samples", type=argument(whole), default=8, metavar="N", help="instants averaged for a frame (8)"
    )
    blur.add_argument(
        "--transfer",
        choices=TRANSFERS,
        metavar="NAME",
        help="what light the codes mean, where tags do not say: " + ", ".join(TRANSFERS),
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--codec", choices=("h264", "hevc", "vp9", "av1", "ffv1", "prores"), help="by the file ending if not given"
    )
    output.add_argument("--crf", type=int, help="quality of the codec: lower is better and larger")
    output.add_argument("--depth", type=int, choices=(8, 10, 16, 32), help="bits a sample; the input's if not given")
    output.add_argument(
        "--disagreement",
        type=Path,
        metavar="OUT",
        help="with --consensus: also write a grey clip of where the models disagree, to a video file or a folder",
    )
    output.add_argument(
        "--resume",
        action="store_true",
        help="make the clip in chunks that are kept when work is cut off; the same command goes on after them",
    )
    output.add_argument("--json", action="store_true", help="print the result for machines, on standard output")


def add_audio(parser: ArgumentParser) -> None:
    """Declare what becomes of the sound."""
    parser.add_argument(
        "--audio",
        choices=AUDIO,
        default="auto",
        help="copy: as it is; stretch: at the clip's new speed, at its own pitch; auto: copied where the speed is kept, "
        "else stretched; drop: none",
    )


def console_for_people() -> Console:
    """Where everything goes that is no result: standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Task:
    """What a command is to do, as its options and the clip say; see `clip.Info`, `pipeline.render_frames` and `open.create_clip`.

    ``total`` is how many frames there will be, where that is known, and ``wanted`` describes the clip that they make.
    """

    info: Info
    wanted: Info
    asked: Timing
    tail: Tail
    total: int | None
    device: torch.device
    batch: int
    shutter: Shutter | None
    encoding: Encoding
    tick: Fraction | None

    @classmethod
    def of(cls, reader: Reader, asked: Timing, args: Namespace, tail: Tail) -> Task:
        """What ``args`` ask for. Raises `InputError`."""
        info = replace(reader.info, curve=args.transfer)
        device = model_options.device_of(args.device)
        return cls(
            info,
            replace(info, rate=asked.rate),
            asked,
            tail,
            asked.expected(info.frames, info.duration, tail),
            device,
            (1 if device.type == "cpu" else 8) if args.batch is None else args.batch,
            None if args.shutter is None else Shutter(args.shutter, args.shutter_samples),
            Encoding(args.codec, args.crf, args.depth),
            asked.tick(info.time_base, info.duration),
        )

    def promise(self, output: Path, model: str) -> str:
        """What will be made, in a line, before the work starts."""
        info, asked = self.info, self.asked
        if self.tail == "hold":
            length = None if info.duration is None else asked.length(info.duration)
        else:
            length = None if self.total is None or asked.rate is None else self.total / asked.rate
        source, made = length_in_words(info.frames, info.rate, info.duration), length_in_words(self.total, asked.rate, length)
        return f"{info.width}x{info.height}, {source} -> {output}: {made}, by {model} on {self.device}"

    def result(self, output: Path, model: str, done: Done, started: float, notes: list[str]) -> dict[str, Any]:
        """What was made, for `report`; ``started`` is when, on `time.perf_counter`."""
        return {
            "output": str(output),
            "model": model,
            "device": str(self.device),
            "frames": done.frames,
            "fps": None if self.asked.rate is None else str(self.asked.rate),
            "duration": str(done.end - done.start),
            "width": self.info.width,
            "height": self.info.height,
            "seconds": round(time.perf_counter() - started, 3),
            "notes": notes,
        }


def make(
    reader: Reader,
    asked: Timing,
    args: Namespace,
    *,
    tail: Tail,
    sound: Source | None = None,
    chosen: tuple[str, Interpolator] | None = None,
) -> int:
    """Make the clip that ``args`` ask for and return the exit code; ``sound`` is the file whose sound is copied.

    ``chosen`` is what `model_options.model_of` gave, where it was needed before.
    On Ctrl-C what is done so far is kept under another name.
    """
    console = console_for_people()
    task = Task.of(reader, asked, args, tail)
    started = time.perf_counter()
    how: Any = {"encoding": task.encoding, "time_base": task.tick, "audio": sound}
    writer = Behind(opened(args, task.wanted, task.device, task.batch, **how))
    done = writer.done
    since = done.end if done.frames else None
    if since is not None:
        console.print(f"{done.frames} frames are done already: going on after them")
    try:
        with writer, doubt_writer(args, task.wanted, task.tick) as doubts:
            name, model = chosen or model_options.model_of(args, task.info, task.device)
            console.print(escape(task.promise(args.output, name)))
            at_most = ceiling(task.info, model.spec, task.batch)
            console.print(f"memory: {decimal(at_most)} at the most, beside the model's weights")
            how = {"tail": tail, "batch": task.batch, "shutter": task.shutter, "curve": transfer_of(task.info), "since": since}
            with closing(render_frames(reader, model, asked, **how)) as new:
                for frame in tracked(new, "making frames", task.total, console, done.frames):
                    writer.write(frame)
                    if doubts is not None:
                        doubts.write(shown_doubt(frame))
                    done = done.with_frame(frame)
    except KeyboardInterrupt:
        kept = f"the {done.frames} frames that were done are in {writer.partial}" if writer.partial else "nothing was written"
        if args.resume and writer.partial:
            kept = f"{writer.done.frames} frames are done, and the same command goes on after them"
        console.print(escape(f"vfi: interrupted: {kept}"))
        return INTERRUPTED
    result = task.result(args.output, name, done, started, [*reader.notes, *writer.notes])
    report(result, console, for_machines=args.json)
    return 0


def report(result: dict[str, Any], console: Console, *, for_machines: bool) -> None:
    """Say what was made: to people, and on standard output ``for_machines``."""
    for note in result["notes"]:
        console.print(escape(f"note: {note}"))
    made = f"{result['frames']} frames, {float(Fraction(result['duration'])):.3f} s"
    console.print(escape(f"{result['output']}: {made}, in {result['seconds']:.1f} s"))
    if for_machines:
        sys.stdout.write(json.dumps(result) + "\n")


def opened(args: Namespace, info: Info, device: torch.device, batch: int, **how: Any) -> Callable[[], Writer]:
    """What opens the writer of ``args.output``; ``how`` is what `open.create_clip` takes besides."""
    if not args.resume:
        return lambda: create_clip(args.output, info, **how)
    if args.disagreement is not None:
        raise InputError("--resume and --disagreement were both given: only one clip can be gone on with, give one")
    made_of = recipe(args, device, batch)
    return lambda: ChunkWriter(Chunks(args.output, info, made_of, **how))


def recipe(args: Namespace, device: torch.device, batch: int, threads: int | None = None) -> dict[str, str]:
    """By name, everything that decides what ``args`` make: every option, what the files hold, the device, the versions.

    On a CPU, sums are rounded otherwise by another number of ``threads``: torch's own where None.
    """
    elsewhere = {"run", "output", "model", "device", "batch", "json", "resume", "workers", "threads", "ray"}
    given = {name: value for name, value in vars(args).items() if name not in elsewhere}
    sources = [loading.source(str(member.source)) for member in model_options.members_of(args)]
    return {
        **{name: identity(value) for name, value in given.items()},
        "command": args.run.__module__,
        "output": args.output.name,
        "model": identity(sources[0]),
        "consensus": identity(sources[1:]),
        "device": str(device),
        "batch": str(batch),
        "threads": str(threads or torch.get_num_threads()) if device.type == "cpu" else "",
        "versions": f"vfi {__version__}, {versions()}",
    }


def identity(value: object) -> str:
    """What an option is, by its content where it is a file or a folder of images."""
    if isinstance(value, Path):
        return digest([value] if value.is_file() else image_files(value))
    if isinstance(value, list | tuple):
        return ", ".join(map(identity, value))
    return str(value)


def doubt_writer(args: Namespace, wanted: Info, tick: Fraction | None) -> AbstractContextManager[Writer | None]:
    """What writes the clip of `--disagreement`, beside that of ``wanted``; None comes of it where none was asked for."""
    if args.disagreement is None:
        return nullcontext()
    if not args.consensus:
        raise InputError("--disagreement was given without --consensus: it takes several models to disagree")
    if args.shutter is not None:
        raise InputError("--disagreement and --shutter were both given: an exposure is made of many frames, give one")
    grey = replace(wanted, depth=8, alpha=False, colour=Colour())
    return create_clip(args.disagreement, grey, time_base=tick)


def ceiling(info: Info, spec: Spec, batch: int) -> int:
    """Bytes of memory, video memory included, that making a clip takes at the most, beside the weights of the model."""
    waiting = spec.window + batch + shots.AHEAD + duplicates.LONGEST + 2 * AHEAD + 2
    frame = (4 if info.alpha else 3) * torch.float32.itemsize
    pixels = info.width * info.height
    return LIBRARIES + (waiting * frame + ENCODER) * pixels + batch * spec.memory(info.height, info.width)


def length_in_words(frames: int | None, rate: Fraction | None, duration: Fraction | None) -> str:
    """What is known of a clip's length, in words."""
    parts = (
        None if frames is None else f"{frames} frames",
        None if rate is None else f"{float(rate):.6g} fps",
        None if duration is None else f"{float(duration):.3f} s",
    )
    return ", ".join(filter(None, parts)) or "length unknown"
