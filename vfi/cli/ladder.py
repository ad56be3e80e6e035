"""``vfi bench ladder``: measures what the quality ladder stands on, and writes the file that it is read from."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .. import __version__
from ..bench.ladder import MOST, REFERENCE, measured
from ..bench.sets import Kept, read_sets
from ..clips.clip import Staged
from ..model import load
from ..model.ladder import Ladder
from ..model.load import Choice
from .arguments import argument, names, whole
from .files import add_overwrite
from .report import console_for_people

WIDTH = 180
"""Letters of a row at least: a mix of six passes is told in one line."""


def add_parser(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``bench ladder``."""
    parser = commands.add_parser(
        "ladder",
        help="measure models and mixes of them, for the quality ladder",
        description=f"Measure every model on disk at one pass, and mixes of 2 to {MOST} passes, on one CPU thread: PSNR over "
        f"each test set and its subsets, and time relative to {REFERENCE} in the same run. Passes of a mix also see the frames "
        "reversed in time, or turned; each pixel is the median of the passes. The front is every way that no other beats in "
        "both. `auto` and `--quality` take their order and their figures from such a file.",
    )
    parser.add_argument("folders", metavar="FOLDER", type=Path, nargs="+", help="a test set; each counts as much")
    parser.add_argument("--models", type=argument(names), metavar="A,B", help="models to measure (all on disk of two frames)")
    parser.add_argument("--limit", type=argument(whole), metavar="N", help="only the first N items of each set")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures to this file")
    parser.add_argument(
        "--cache", type=Path, metavar="FOLDER", help="keep made frames in this folder, so that a new model is quick to add"
    )
    add_overwrite(parser, "out")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    models = args.models or tuple(on_disk())
    for name in models:
        load.source(name)
    sets = read_sets(args.folders, args.limit)
    staged = None if args.out is None else Staged(args.out)
    try:
        with TemporaryDirectory(prefix="vfi-ladder-") as folder:
            console = console_for_people()
            kept = Kept(Path(folder) if args.cache is None else args.cache)
            ladder = measured(sets, models, kept, lambda line: console.print(escape(line)))
        ladder = replace(ladder, facts={"vfi": __version__, **ladder.facts})
        if staged is not None:
            staged.filled(ladder.to_json().encode())
    finally:
        if staged is not None:
            staged.discard()
    show(ladder)
    return 0


def on_disk() -> list[str]:
    """The models that make a frame of two, and need no download."""
    return [name for name in load.models() if load.there(name) and load.spec_of(Choice((name,))).window == 2]


def show(ladder: Ladder) -> None:
    """Print single passes and the front as a table, from the fastest."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("time", justify="right")
    table.add_column("PSNR", justify="right")
    parts = [(name, subset) for name, subsets in ladder.frames.items() for subset in subsets if subset in ("all", "hard")]
    for name, subset in parts:
        table.add_column(name if subset == "all" else f"{name} {subset}", justify="right")
    for heading in ("mean", "front"):
        table.add_column(heading, justify="right")
    table.add_column("passes")
    for way in ladder.ways:
        if len(way.members) > 1 and not way.front:
            continue
        each = (f"{way.psnr[name][subset]:.2f}" for name, subset in parts)
        mean = "" if way.mean is None else f"{way.mean:.2f}"
        table.add_row(f"{way.time:.2f}", f"{way.decibels:.2f}", *each, mean, "*" if way.front else "", escape(way.label))
    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, WIDTH)
    console.print(table)
    for name, some in ladder.frames.items():
        console.print(escape(f"{name}: {', '.join(f'{count} {subset}' for subset, count in some.items())} frames"))
    console.print(escape(f"time: relative to {REFERENCE}; PSNR: mean over the sets; mean: if pixels were averaged"))
