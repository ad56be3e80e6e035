"""``vfi train``: a network learns from clips, by a recipe or as it is best taught a shot of somebody's own."""

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
from .arguments import argument, whole
from .output import console_for_people
from .progress import bar

OWN = "inbetween-s"
"""What learns from clips that are given without a recipe."""


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``train``."""
    parser = subparsers.add_parser(
        "train",
        help="train a network, or teach the small one a shot of your own",
        description="Train a network as a recipe says. Given clips instead, the small network that ships with the library "
        "learns from them what they look like and how they move: a few minutes for a shot. OUT/weights.safetensors is a model "
        "for --model. Training that was cut off goes on where it was when the same command is given again, to the same end.",
    )
    parser.add_argument("inputs", metavar="INPUT", nargs="+", type=Path, help="a recipe, a .toml file; or clips to learn from")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where state, log, curves and weights are kept")
    parser.add_argument("--data", metavar="DIR", type=Path, help="where what clips were cut to is kept, OUT/data by default")
    parser.add_argument("--steps", type=argument(whole), metavar="N", help="so many steps, instead of the recipe's")
    parser.add_argument("--start", metavar="MODEL", help="go on from this model, a name or a file, instead of the recipe's")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; several GPUs by torchrun")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    recipe, home = chosen(args.inputs)
    if args.steps:
        recipe = replace(recipe, schedule=replace(recipe.schedule, steps=args.steps))
    if args.start:
        recipe = replace(recipe, start=args.start)
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
    """The recipe that is given, or one for the clips that are, and the folder where its paths start."""
    if any(path.suffix == ".toml" for path in inputs):
        if len(inputs) > 1:
            raise InputError(f"{len(inputs)} inputs were given, one of them a recipe: give one recipe, or clips")
        return read_recipe(inputs[0]), inputs[0].absolute().parent
    return own(inputs), Path()


def own(clips: list[Path]) -> Recipe:
    """How the small network learns from clips of somebody's own: gently, from what it knows, and from close neighbours."""
    data = Data(clips=tuple(str(clip.absolute()) for clip in clips), spans=(2, 4), side=720)
    schedule = Schedule(steps=600, batch=4, rate=1e-4, warm_up=20, average=0.99, validate=600)
    return Recipe(start=OWN, data=data, schedule=schedule)
