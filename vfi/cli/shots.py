"""``vfi shots``: the cuts and duplicates of a clip, as a table and as an editable plan."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from itertools import accumulate
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..clips.clip import Staged
from ..edit.find import find_plan
from ..edit.plan import Output, Plan
from ..timing.grids import exact_rate
from . import shot_options
from .arguments import add_input, argument, clip_source, factor, whole
from .files import add_overwrite
from .output import BROKEN
from .progress import tracked
from .report import console_for_people, length_in_words
from .shot_options import ShotOptions


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``shots``."""
    parser = subparsers.add_parser(
        "shots",
        help="list the cuts and duplicates of a clip",
        description="List the shots of a clip, its fades and flashes, and the frames that repeat the one before. "
        "--plan writes them to a file, which can be edited and given to `vfi interpolate --plan`.",
    )
    add_input(parser)
    parser.add_argument("--plan", metavar="OUT", type=Path, help="write the plan, as JSON")
    add_overwrite(parser, "plan")
    parser.add_argument("--json", action="store_true", help="print the plan as JSON, on standard output")
    parser.add_argument("--times", type=argument(whole), metavar="K", help="plan for K times as many frames")
    parser.add_argument("--fps", type=argument(exact_rate), metavar="F", help="plan for F frames per second")
    parser.add_argument("--slow", type=argument(factor), metavar="K", help="plan for K times slower")
    shot_options.add_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    source = clip_source(args)
    reader = source.open()
    output = Output(args.times, args.fps, args.slow)
    output.timing(reader.info.rate)
    staged = None if args.plan is None else Staged(args.plan)
    console = console_for_people()
    try:
        frames = tracked(reader, "looking at the clip", reader.info.frames, console)
        plan = find_plan(frames, reader.info.rate, ShotOptions.of(args).finder(thorough=True), output)
        if staged is not None:
            staged.filled(plan.to_json().encode())
    finally:
        if staged is not None:
            staged.discard()
    for note in reader.notes:
        console.print(escape(f"note: {note}"))
    if args.json:
        sys.stdout.write(plan.to_json())
    else:
        show(plan)
    if (broken := source.broken()) is not None:
        sys.stderr.write(f"vfi: {broken}\n")
        return BROKEN
    return 0


def show(plan: Plan) -> None:
    """Print the shots as a table, and everything else on one line each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("shot", "from", "frame", "frames", "begins", "score"):
        table.add_column(heading, justify="left" if heading == "begins" else "right")
    table.add_column("cadence")
    firsts = accumulate((shot.frames for shot in plan.shots), initial=0)
    for number, (shot, first) in enumerate(zip(plan.shots, firsts, strict=False), start=1):
        begins = "start" if number == 1 else f"cut, {shot.across}"
        score = "" if shot.score is None else f"{shot.score:.2f}"
        cadence = plan.cadence(number - 1)
        table.add_row(str(number), f"{float(shot.start):.3f} s", str(first), str(shot.frames), begins, score, cadence)
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for told in (*plan.notes(), *plan.event_notes()):
        console.print(told, markup=False)
    made = length_in_words(plan.expected(), plan.timing().rate, plan.timing().length(plan.source.duration))
    source = length_in_words(plan.source.frames, plan.source.rate, plan.source.duration)
    console.print(f"{source} -> {made}", markup=False)
