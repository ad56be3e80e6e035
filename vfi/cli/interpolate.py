"""``vfi interpolate``: makes a clip smoother or slower."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from dataclasses import replace
from pathlib import Path

from ..edit.faults import IS_EVEN
from ..edit.heal.findings import retimed
from ..edit.plan import TWICE, Output
from ..timing.grids import exact_rate
from . import batch, parallel, shot_options
from .arguments import add_input, add_output, argument, clip_source, factor, whole
from .mended import EVEN, looked_through, make_mended
from .model_options import add_pace, home_of
from .output import Settings, add_audio, add_options, make_clip
from .parallel import Crew
from .shot_options import ShotOptions, read_plan


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``interpolate``."""
    parser = subparsers.add_parser(
        "interpolate",
        help="make a clip smoother or slower with in-between frames",
        description="Add in-between frames to a clip: twice as many frames unless --times, --fps or --slow is given. Frames at "
        "the input's own times are copied. The duration and the sound are kept, or stretched by --slow.",
    )
    add_input(parser)
    add_output(parser)
    batch.add_options(parser)
    parser.add_argument("--times", type=argument(whole), metavar="K", help="K times as many frames")
    parser.add_argument("--fps", type=argument(exact_rate), metavar="F", help="F frames per second: 60, 23.976, 30000/1001")
    parser.add_argument("--slow", type=argument(factor), metavar="K", help="K times slower at the same frame rate")
    shot_options.add_options(parser)
    add_pace(parser)
    parser.add_argument(
        "--plan",
        metavar="FILE",
        type=Path,
        help="take cuts, duplicates, findings and times from a file of `vfi shots --plan` or of `vfi heal --list --plan`",
    )
    parser.add_argument("--even", action="store_true", help=f"{EVEN}; without --plan, a first pass finds them")
    add_audio(parser)
    add_options(parser)
    parallel.add_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    source, settings, marks = clip_source(args), Settings.of(args), ShotOptions.of(args)
    reader = source.open(home_of(settings.device))
    output = Output(args.times, args.fps, args.slow)
    plan = None if args.plan is None else read_plan(args.plan)
    if plan is not None:
        plan = replace(plan, findings=retimed(plan.findings)) if args.even else plan
        clip = marks.planned(reader, plan)
        output = plan.output if output == TWICE else output
    elif args.even:
        plan = looked_through(reader, marks.finder(), ["uneven", "missing", "repeat"])
        plan = replace(plan, findings=retimed(plan.findings))
        reader.notes.extend(plan.notes())
        clip = plan.applied(reader)
    else:
        clip = marks.found(reader)
    if args.even and plan is not None and not any(one.action == "retime" for one in plan.findings):
        reader.notes.append(IS_EVEN)
    asked, crew = output.timing(reader.info.rate), Crew.of(args)
    decisions = {"command": "interpolate", "input": source, "shots": marks, "plan": args.plan, "audio": args.audio}
    if args.even:
        decisions["even"] = True
    if plan is not None and plan.findings:
        return make_mended(clip, plan.mending, asked, settings, decisions, source=source, audio=args.audio, crew=crew)
    return make_clip(clip, asked, settings, decisions, source=source, audio=args.audio, crew=crew)
