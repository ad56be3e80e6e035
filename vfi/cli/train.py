"""``vfi train``: trains a network by a recipe, or fine-tunes the small one on clips of your own."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from dataclasses import replace
from pathlib import Path

from ..core import InputError
from ..render import malloc
from ..train.data import prepare
from ..train.loop import Progress, train
from ..train.recipe import Data, Recipe, Schedule, read_recipe
from .arguments import add_part, argument, whole
from .files import same_file
from .progress import bar
from .report import console_for_people

OWN = "inbetween-s"
"""The network that is fine-tuned on clips given without a recipe."""


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``train``."""
    parser = subparsers.add_parser(
        "train",
        help="train a network, or fine-tune the small one on a shot of your own",
        description="Train a network by a recipe. Given clips instead, fine-tune the small network that ships with the library "
        "on them: a few minutes for a shot. The result, DIR/weights.safetensors, is a model for --model. Run the same command "
        "again to resume interrupted training, with the same result.",
    )
    parser.add_argument("inputs", metavar="INPUT", nargs="+", type=Path, help="a recipe (a .toml file), or clips to learn from")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder for state, log, curves and weights")
    parser.add_argument("--data", metavar="DIR", type=Path, help="folder for the samples cut from clips (data inside --out)")
    add_part(parser)
    parser.add_argument("--steps", type=argument(whole), metavar="N", help="number of steps, instead of the recipe's")
    parser.add_argument("--start", metavar="MODEL", help="start from this model, a name or a file, instead of the recipe's")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; for several GPUs, use torchrun")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    recipe, home = chosen(args.inputs)
    if args.steps:
        recipe = replace(recipe, schedule=replace(recipe.schedule, steps=args.steps))
    part = {name: given.text for name, given in (("start", args.from_), ("end", args.to)) if given is not None}
    recipe = replace(recipe, data=replace(recipe.data, **part))
    if args.start:
        recipe = replace(recipe, start=args.start)
    if recipe.start and same_file(recipe.start, args.out / "weights.safetensors"):
        raise InputError(f"{args.out} holds the model to start from, {recipe.start}: give --out another folder")
    console = console_for_people()
    with malloc.kept():
        with console.status("") as status:
            material = prepare(recipe, home, args.data or args.out / "data", status.update, args.device)
        with bar("training", recipe.schedule.steps, console, unit="steps") as at:

            def told(progress: Progress) -> None:
                at(progress.step)

            weights = train(recipe, material, args.out, device=args.device, told=told)
    sys.stdout.write(f"{weights}\n")
    return 0


def chosen(inputs: list[Path]) -> tuple[Recipe, Path]:
    """The recipe given, or one for the clips given, and the folder that its paths are relative to."""
    if any(path.suffix == ".toml" for path in inputs):
        if len(inputs) > 1:
            raise InputError(f"{len(inputs)} inputs were given, one of them a recipe: give one recipe, or clips")
        return read_recipe(inputs[0]), inputs[0].absolute().parent
    return own(inputs), Path()


def own(clips: list[Path]) -> Recipe:
    """Recipe that fine-tunes the small network on clips: at a low rate, from its own weights, on frames close together."""
    data = Data(clips=tuple(str(clip.absolute()) for clip in clips), spans=(2, 4), side=720)
    schedule = Schedule(steps=600, batch=4, rate=1e-4, warm_up=20, average=0.99, validate=600)
    return Recipe(start=OWN, data=data, schedule=schedule)
