"""What the commands that make clips share: the options of model and output, the run itself and what is said of it."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _ArgumentGroup
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console
from rich.markup import escape

from .. import __version__, light, loading, media
from ..chunks import ChunkWriter
from ..consensus import Consensus, shown_doubt
from ..core import InputError, Interpolator, Options, Sampling, Spec
from ..hdr import Lit, unbound
from ..images import image_files
from ..journal import digest, versions
from ..overlap import Behind, ahead
from ..remap import remap
from ..run import run
from ..shutter import Shutter, exposed
from ..speed import Along
from ..time import Tail, Timing
from ..video.sound import AUDIO, fitted
from ..wrap import TTA_PASSES
from .progress import tracked

T = TypeVar("T")

HUGE = 2160 * 3840
"""Pixels from which ``--scale auto`` estimates motion at half the size, as RIFE's authors advise for 4K."""

INTERRUPTED = 130

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """``parse`` as argparse wants it: an `InputError` becomes argparse's own."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except InputError as error:
            raise ArgumentTypeError(str(error)) from error

    return parsed


def factor(text: str) -> Fraction:
    """A number above 0, such as 2, 2.5 or 5/2."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"{text!r} is not a number: give one such as 2, 2.5 or 5/2") from error
    if value <= 0:
        raise InputError(f"{text} was given: it must be above 0")
    return value


def whole(text: str) -> int:
    """A whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"{text!r} was given: a whole number from 1 up is needed")
    return int(text)


def count(text: str) -> int:
    """A whole number from 0 up."""
    if not text.isdecimal():
        raise InputError(f"{text!r} was given: a whole number from 0 up is needed")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    found = tuple(name.strip() for name in text.split(","))
    if not all(found):
        raise InputError(f"{text!r} was given: names with commas between them are needed")
    return found


def auto_or(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """``parse``, but None for "auto"."""
    return lambda text: None if text == "auto" else parse(text)


def add_options(parser: ArgumentParser) -> None:
    """Declare the options of model and output."""
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model", default="auto", help="a name from `vfi models`, or a safetensors file; auto: the best on disk, else dis"
    )
    model.add_argument(
        "--consensus",
        type=argument(names),
        default=(),
        metavar="NAME[,NAME...]",
        help="more models: each pixel is the median of what all of them make",
    )
    model.add_argument("--tta", choices=TTA_PASSES, default="none", help="test-time augmentation: better frames for more time")
    model.add_argument("--ensemble", action="store_true", help="average both directions of time inside networks that can")
    model.add_argument(
        "--scale",
        type=argument(auto_or(factor)),
        help="size at which motion is estimated: auto (0.5 from 4K on), 1, 0.5, 0.25, 2, 4",
    )
    model.add_argument("--steps", type=argument(whole), metavar="N", help="diffusion models: steps of a frame (20)")
    model.add_argument("--eta", type=float, metavar="E", help="diffusion models: noise drawn anew at each step, 0 to 1 (0)")
    model.add_argument("--seed", type=argument(count), metavar="N", help="diffusion models: the same seed, the same frames (0)")
    model.add_argument("--pad", default="auto", help="auto, zeros, edge or reflect, with :centre or a multiple such as :128")
    add_device(model)
    model.add_argument(
        "--batch", type=argument(auto_or(whole)), help="new frames of a pair made at once; auto: 1 on a CPU, 8 elsewhere"
    )
    blur = parser.add_argument_group("motion blur")
    blur.add_argument(
        "--shutter", type=argument(factor), metavar="ANGLE", help="how long each frame is exposed: 180 of 360 degrees is film's"
    )
    blur.add_argument(
        "--shutter-samples", type=argument(whole), default=8, metavar="N", help="instants averaged for a frame (8)"
    )
    blur.add_argument(
        "--transfer",
        choices=light.CURVES,
        metavar="NAME",
        help="what light the codes mean, where tags do not say: " + ", ".join(light.CURVES),
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


def add_device(group: _ArgumentGroup) -> None:
    """Declare where the model runs, and how exactly."""
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps ...")
    group.add_argument("--dtype", choices=("auto", *DTYPES), default="auto", help="auto: float16 on CUDA, else float32")


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


def make_with_sound(reader: media.Reader, asked: Timing, args: Namespace) -> int:
    """`make` of the file ``args.input``, with its sound as ``--audio`` asks."""
    source = args.input if reader.info.audio else None
    try:
        with fitted(source, reader, asked, args.output.suffix, args.audio) as sound:
            return make(reader, asked, args, tail="hold", sound=sound)
    except media.DamagedError as error:
        raise InputError(f"{error}: --damaged-ok uses what can be read") from error


def make(
    reader: media.Reader,
    asked: Timing,
    args: Namespace,
    *,
    tail: Tail,
    sound: media.Source | None = None,
    chosen: tuple[str, Interpolator] | None = None,
) -> int:
    """Make the clip that ``args`` ask for and return the exit code; ``sound`` is the file whose sound is copied.

    ``chosen`` is what `chosen_model` gave, where it was needed before.
    On Ctrl-C what is done so far is kept under another name.
    """
    info = replace(reader.info, curve=args.transfer)
    console = console_for_people()
    shutter = None if args.shutter is None else Shutter(args.shutter, args.shutter_samples)
    grid = asked.grid if shutter is None else shutter.grid(asked.grid)
    along = grid if isinstance(grid, Along) else None
    device = chosen_device(args.device)
    batch = (1 if device.type == "cpu" else 8) if args.batch is None else args.batch
    total = asked.expected(info.frames, info.duration, tail)
    encoding = media.Encoding(args.codec, args.crf, args.depth)
    started = time.perf_counter()
    tick = asked.tick(info.time_base, info.duration)
    wanted = replace(info, rate=asked.rate)
    writer = Behind(opened(args, wanted, device, batch, encoding=encoding, time_base=tick, audio=sound))
    done = writer.done
    since = done.end if done.frames else None
    if since is not None:
        console.print(f"{done.frames} frames are done already: going on after them")
    try:
        with closing(ahead(reader if along is None else ())) as frames, writer, doubt_writer(args, wanted, tick) as doubts:
            name, model = chosen or chosen_model(args, info, device)
            console.print(escape(promise(info, asked, total, args.output, name, device, tail)))
            if along is None:
                new = run(frames, model, grid, tail=tail, batch=batch, since=since)
            else:
                new = remap(reader, model, along, batch=batch, since=since)
            if shutter is not None:
                new = exposed(new, light.of(info))
            for frame in tracked(new, "making frames", total, console, done.frames):
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
    seconds = time.perf_counter() - started
    notes = [*reader.notes, *writer.notes]
    for note in notes:
        console.print(escape(f"note: {note}"))
    console.print(escape(f"{args.output}: {done.frames} frames, {float(done.end - done.start):.3f} s, in {seconds:.1f} s"))
    if args.json:
        result = {
            "output": str(args.output),
            "model": name,
            "device": str(device),
            "frames": done.frames,
            "fps": None if asked.rate is None else str(asked.rate),
            "duration": str(done.end - done.start),
            "width": info.width,
            "height": info.height,
            "seconds": round(seconds, 3),
            "notes": notes,
        }
        sys.stdout.write(json.dumps(result) + "\n")
    return 0


def opened(args: Namespace, info: media.Info, device: torch.device, batch: int, **how: Any) -> Callable[[], media.Writer]:
    """What opens the writer of ``args.output``; ``how`` is what `media.open_writer` takes besides."""
    if not args.resume:
        return lambda: media.open_writer(args.output, info, **how)
    if args.disagreement is not None:
        raise InputError("--resume and --disagreement were both given: only one clip can be gone on with, give one")
    made_of = recipe(args, device, batch)
    return lambda: ChunkWriter(args.output, info, made_of, **how)


def recipe(args: Namespace, device: torch.device, batch: int) -> dict[str, str]:
    """By name, everything that decides what ``args`` make: every option, what the files hold, the device, the versions."""
    elsewhere = {"run", "output", "model", "device", "batch", "json", "resume"}
    given = {name: value for name, value in vars(args).items() if name not in elsewhere}
    return {
        **{name: identity(value) for name, value in given.items()},
        "command": args.run.__module__,
        "output": args.output.name,
        "model": identity(loading.source(args.model)),
        "consensus": identity([loading.source(name) for name in args.consensus]),
        "device": str(device),
        "batch": str(batch),
        "versions": f"vfi {__version__}, {versions()}",
    }


def identity(value: object) -> str:
    """What an option is, by its content where it is a file or a folder of images."""
    if isinstance(value, Path):
        return digest([value] if value.is_file() else image_files(value))
    if isinstance(value, list | tuple):
        return ", ".join(map(identity, value))
    return str(value)


def doubt_writer(args: Namespace, wanted: media.Info, tick: Fraction | None) -> AbstractContextManager[media.Writer | None]:
    """What writes the clip of `--disagreement`, beside that of ``wanted``; None comes of it where none was asked for."""
    if args.disagreement is None:
        return nullcontext()
    if not args.consensus:
        raise InputError("--disagreement was given without --consensus: it takes several models to disagree")
    if args.shutter is not None:
        raise InputError("--disagreement and --shutter were both given: an exposure is made of many frames, give one")
    grey = replace(wanted, depth=8, alpha=False, colour=media.Colour())
    return media.open_writer(args.disagreement, grey, time_base=tick)


def chosen_device(text: str) -> torch.device:
    """The device that ``--device`` means; auto is the fastest that is there."""
    if text == "auto":
        text = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        return torch.empty(0, device=text).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"there is no device {text!r} here: give auto, cpu, cuda or mps") from error


def chosen_model(args: Namespace, info: media.Info, device: torch.device) -> tuple[str, Interpolator]:
    """The name and the model that the options mean, ready to use on ``device``."""
    scale = args.scale or (0.5 if info.width * info.height >= HUGE else 1.0)
    curve = unbound(info)
    drawn = {name: given for name in ("steps", "eta", "seed") if (given := getattr(args, name)) is not None}
    options = Options(scale=float(scale), ensemble=args.ensemble, sampling=Sampling(**drawn) if drawn else None)
    models = []
    for name in (args.model, *args.consensus):
        network = loading.network(name, options)
        dtype = chosen_dtype(args.dtype, device, network.spec)
        ready = loading.ready(network, tta=args.tta, pad=args.pad, device=device, dtype=dtype)
        models.append(Lit(ready, curve) if curve else ready)
    model = models[0] if len(models) == 1 else Consensus(models)
    return model.spec.name, model


def chosen_dtype(text: str, device: torch.device, spec: Spec) -> torch.dtype:
    """The precision that ``--dtype`` means for a model of ``spec``."""
    half = device.type == "cuda" and spec.half
    return DTYPES[text] if text != "auto" else torch.float16 if half else torch.float32


def promise(
    info: media.Info, asked: Timing, total: int | None, output: Path, model: str, device: torch.device, tail: Tail
) -> str:
    """What will be made, in a line, before the work starts."""
    if tail == "hold":
        length = None if info.duration is None else asked.length(info.duration)
    else:
        length = None if total is None or asked.rate is None else total / asked.rate
    source = told(info.frames, info.rate, info.duration)
    return f"{info.width}x{info.height}, {source} -> {output}: {told(total, asked.rate, length)}, by {model} on {device}"


def told(frames: int | None, rate: Fraction | None, duration: Fraction | None) -> str:
    """What is known of a clip's length, in words."""
    parts = (
        None if frames is None else f"{frames} frames",
        None if rate is None else f"{float(rate):.6g} fps",
        None if duration is None else f"{float(duration):.3f} s",
    )
    return ", ".join(filter(None, parts)) or "length unknown"
