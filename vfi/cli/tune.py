"""``vfi tune``: which model suits a clip, found by remaking some of its own frames."""

from __future__ import annotations

import json
import shlex
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..bench.remade import Place, Runner, race, ranked, triples
from ..core import InputError, Interpolator
from ..model import load
from ..model.ladder import Member
from ..model.load import Choice, Part
from ..model.precision import dtype_of
from ..model.quality import LADDER, mix, quick
from .arguments import add_input, argument, clip_source, factor, names, whole
from .ladder import on_disk
from .model_options import add_device, device_of
from .progress import bar
from .report import console_for_people

SLOWEST = 4.0
"""Models that measured slower than this, relative to RIFE 4.25, are tried only if they are named."""


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``tune``."""
    parser = subparsers.add_parser(
        "tune",
        help="find the model that suits a clip",
        description="Drop some frames of a clip, evenly spread, let every model on disk remake them from their neighbours, and "
        "compare them with the real ones. Prints PSNR and seconds per frame of each model and quality, best first, and the "
        "command to use. Models that are worse beyond doubt are given up early.",
    )
    add_input(parser)
    group = parser.add_argument_group("trial")
    group.add_argument("--models", type=argument(names), metavar="A,B", help="models to try (those on disk, but for slow ones)")
    group.add_argument("--budget", type=argument(factor), default=60, metavar="SECONDS", help="time for remaking frames (60)")
    group.add_argument("--frames", type=argument(whole), default=32, metavar="N", help="the most frames to remake (32)")
    add_device(group)
    parser.add_argument("--json", action="store_true", help="print the result as JSON, on standard output")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    source, device = clip_source(args), device_of(args.device)
    runners = chosen(args.models)
    reader = source.open()
    found = triples(reader, args.frames)
    console = console_for_people()
    members = dict.fromkeys(member for runner in runners for member in runner.members)
    models: dict[Member, Interpolator] = {}
    choice = Choice(precision=args.dtype)
    height, width = found[0].true.shape[1:]
    for member, network in load.networks(members, choice.options((height, width))):
        dtype = dtype_of(choice.precision, network.spec, device)
        models[member] = Part(network, device, dtype, member.tta, member.half_size).ready()
    console.print(escape(f"{args.input}: {len(found)} frames to remake, {len(runners)} ways, for {float(args.budget):g} s"))
    with bar("remaking frames", len(found), console) as at:
        for done in race(runners, models, found, float(args.budget)):
            at(done)
    places = ranked(runners)
    best = command(args, places[0].runner)
    fitting = next((place for place in places if len(place.runner.members) == 1), None)
    if args.json:
        told = [
            {"way": one.runner.name, "psnr": one.psnr, "behind": one.behind, "seconds": one.runner.time, "frames": one.frames}
            for one in places
        ]
        sys.stdout.write(json.dumps({"ways": told, "command": best}) + "\n")
        return 0
    show(places)
    lines = [f"best: {best}"]
    if fitting is not None and fitting is not places[0]:
        lines.append(f"best of one model: {command(args, fitting.runner)}")
    Console(highlight=False, soft_wrap=True).print(escape("\n".join(lines)))
    return 0


def chosen(asked: Sequence[str] | None) -> list[Runner]:
    """The ways to try: each model alone; without ``asked`` ones, also the presets of quality, if they are ways of their own."""
    if asked is not None:
        for name in asked:
            if load.spec_of(Choice((name,))).window != 2:
                raise InputError(f"{name} was given: vfi tune tries models of two frames")
        return [Runner(f"--model {name}", (Member(name),)) for name in asked]
    runners = []
    for name in on_disk():
        way = LADDER.one(name)
        if way is not None and way.time <= SLOWEST and name not in ("nearest", "linear", "dis-fast"):
            runners.append(Runner(f"--model {name}", (Member(name),)))
    presets = (("fast", quick(load.there)), ("best", mix(load.there)))
    return runners + [Runner(f"--quality {name}", way.members, late=True) for name, way in presets if way is not None]


def command(args: Namespace, runner: Runner) -> str:
    """The command that makes the clip twice as smooth, by this way."""
    return f"vfi interpolate {shlex.quote(str(args.input))} OUT {runner.name}"


def show(places: Sequence[Place]) -> None:
    """Print the ways as a table, best first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("way")
    for heading in ("PSNR", "behind", "s/frame", "frames"):
        table.add_column(heading, justify="right")
    for one in places:
        doubt = f" ±{one.error:.2f}" if one.error != float("inf") else ""
        given_up = " (given up)" if one.runner.given_up else ""
        behind = f"{one.behind:.2f}{doubt}" if one is not places[0] else ""
        table.add_row(escape(one.runner.name), f"{one.psnr:.2f}", behind, f"{one.runner.time:.3f}", f"{one.frames}{given_up}")
    Console(highlight=False).print(table)
