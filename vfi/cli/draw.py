"""``vfi tween --draw``: a generative network draws between the keyframes, and the flow model makes the rest from its frames.

Owns the options of drawing, and the clip of drawn frames. Knows nothing of how a method works.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import digits
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from ..clips.clip import Edited, Reader, unbound
from ..clips.images import image_files, read_image
from ..core import Frame, InputError, Spec
from ..model.precision import dtype_of
from ..pixels.transfer import named
from ..pixels.uint8 import floats
from ..tracks.formats import read_tracks, tracks_of
from ..tween.dynamicrafter.drawing import lines
from ..tween.edm import Step
from ..tween.fit import Fit, Pixels
from ..tween.methods import METHODS, Asked
from .arguments import argument
from .progress import bar

SRGB = named("srgb")


def add_options(parser: ArgumentParser) -> None:
    """Declare the options of drawing."""
    needs = "; ".join(f"{method.name}: {method.needs}" for method in METHODS.values())
    draw = parser.add_argument_group("drawing with a generative network")
    draw.add_argument(
        "--draw",
        choices=METHODS,
        help="let this network draw the motion between the keyframes; --model then makes the frames between the drawn ones. "
        "--steps, --eta and --seed are for this network",
    )
    draw.add_argument(
        "--weights",
        type=Path,
        nargs="+",
        metavar="FILE",
        help=f"the network's files, in any order: {needs}",
    )
    draw.add_argument(
        "--draw-size",
        type=argument(size_of),
        metavar="WxH",
        help="size at which the network draws, and of the clip; keyframes are centre-cropped and resized to it (as trained)",
    )
    draw.add_argument("--prompt", metavar="TEXT", help="text that leads to the frames (none)")
    draw.add_argument("--negative", metavar="TEXT", help="text that leads away from the frames (none)")
    draw.add_argument(
        "--vocabulary", type=Path, metavar="FILE", help="CLIP's vocabulary, for a text: bpe_simple_vocab_16e6.txt.gz"
    )
    draw.add_argument(
        "--sketch",
        type=Path,
        metavar="DIR",
        help="line drawings that lead tooncrafter: images named by the number of their frame, 0 to 15, such as 7.png",
    )


def size_of(text: str) -> Pixels:
    """Value of ``--draw-size``."""
    if not (found := re.fullmatch(r"(\d+)x(\d+)", text)):
        raise InputError(f"{text!r} is not a size: give width and height, such as 512x320")
    return int(found[1]), int(found[2])


def frame_size(args: Namespace) -> Pixels:
    """Width and height of the drawn frames, by default those that the network was trained on."""
    return args.draw_size or METHODS[args.draw].size


def check_unused(args: Namespace) -> None:
    """Raises `InputError` for an option of drawing without ``--draw``."""
    for option in ("weights", "draw_size", "prompt", "negative", "vocabulary", "sketch"):
        if getattr(args, option) is not None:
            raise InputError(f"--{option.replace('_', '-')} was given without --draw: it belongs to a generative network")


def drawn(args: Namespace, reader: Reader, device: torch.device, console: Console) -> tuple[Reader, dict[str, object]]:
    """The clip of frames drawn from the first to the last picture of ``reader``, which lasts until the last is shown.

    Both keyframes are in it as they were given, fitted to the size. Also what determines the frames, see `Settings.recipe`.
    Raises `InputError`.
    """
    method = METHODS[args.draw]
    first, last = (frame for frame in reader)
    size = frame_size(args)
    fit = Fit.middle((reader.info.width, reader.info.height), size)
    pair = fit.pictures(torch.stack([floats(frame.rgb) for frame in (first, last)]))
    drawing = settings_of(args)
    whole = (reader.info.width, reader.info.height)
    light = unbound(replace(reader.info, curve=args.transfer))  # the networks know sRGB, up to white
    seen = pair if light is None else SRGB.code(light.light(pair).clamp(0, 1))
    asked = Asked(
        seen[0],
        seen[1],
        None if args.tracks is None else fit.tracks(tracks_of(read_tracks(args.tracks, whole), method.frames)),
        {} if args.sketch is None else sketches_of(args.sketch, size),
        args.vocabulary,
        drawing,
    )
    method.check(asked)
    notes = list(reader.notes)
    if fit.part != whole:
        notes.append(
            f"the keyframes are cropped to {fit.part[0]}x{fit.part[1]} in the middle, the shape of {size[0]}x{size[1]}"
        )
    if reader.info.alpha:
        notes.append(f"the transparency is left out: {method.name} draws none")
    if light is not None:
        notes.append(f"light above white is drawn as white between the keyframes: {method.name} knows no more")
    dtype = dtype_of(args.dtype, Spec(method.name), device)
    with bar(f"drawing with {method.name}", drawing.get("steps", method.drawing.steps), console, unit="steps") as at:

        def each(step: Step) -> None:
            at(step.number)

        frames = method.draw(args.weights or [], asked, device=device, dtype=dtype, each=each)
    if light is not None:
        frames = light.code(SRGB.light(frames))
    frames[0], frames[-1] = pair[0], pair[1]
    rate = (len(frames) - 1) * args.fps / (args.frames + 1)
    info = replace(
        reader.info, width=size[0], height=size[1], rate=rate, frames=len(frames), duration=len(frames) / rate, alpha=False
    )

    def shown() -> Iterator[Frame]:
        for index, rgb in enumerate(frames):
            yield Frame(rgb, index / rate, 1 / rate)

    return Edited(info, notes, shown), {"draw": [method.name, size, drawing, args.weights, args.sketch, args.vocabulary]}


SAMPLING = ("steps", "seed", "eta")
"""Options that other commands give to flow models, and that the drawing takes here."""


def settings_of(args: Namespace) -> dict[str, Any]:
    """The settings of the drawing that are given."""
    return {name: given for name in (*SAMPLING, "prompt", "negative") if (given := getattr(args, name)) is not None}


def left(args: Namespace) -> Namespace:
    """The options without those that the drawing takes."""
    return Namespace(**vars(args) | dict.fromkeys(SAMPLING))


def sketches_of(folder: Path, size: Pixels) -> dict[int, Tensor]:
    """Line drawings [H,W] of ``size`` by frame number, light on black whatever they were. Raises `InputError`."""
    found: dict[int, Tensor] = {}
    for path in image_files(folder):
        number = path.stem[len(path.stem.rstrip(digits)) :]
        if not number:
            raise InputError(f"{path} has no number: name a sketch by the number of its frame, such as 7.png")
        picture = floats(read_image(path).rgb)
        fit = Fit.middle((picture.shape[2], picture.shape[1]), size)
        if found.setdefault(int(number), own := lines(fit.pictures(picture[None])[0])) is not own:
            raise InputError(f"{folder} holds two sketches of frame {int(number)}")
    return found
