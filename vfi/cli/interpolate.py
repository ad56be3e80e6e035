"""``vfi interpolate``: a clip in, a smoother or slower one out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path

from ..edit.plan import TWICE, Output
from ..timing.grids import exact_rate
from . import parallel, shot_options
from .arguments import add_input, add_output, argument, clip_source, factor, whole
from .model_options import home_of
from .output import Settings, add_audio, add_options, make
from .parallel import Crew
from .shot_options import ShotOptions, read_plan


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``interpolate``."""
    parser = subparsers.add_parser(
        "interpolate",
        help="make more frames for a clip",
        description="Make more frames for a clip: twice as many unless --times, --fps or --slow says otherwise. "
        "Frames at the input's own times are the input's, and the duration is kept. Sound is copied, in slow motion stretched.",
    )
    add_input(parser)
    add_output(parser)
    parser.add_argument("--times", type=argument(whole), metavar="K", help="K times as many frames")
    parser.add_argument("--fps", type=argument(exact_rate), metavar="F", help="F frames a second: 60, 23.976, 30000/1001")
    parser.add_argument("--slow", type=argument(factor), metavar="K", help="K times slower at the same frame rate")
    shot_options.add_options(parser)
    parser.add_argument(
        "--plan", metavar="FILE", type=Path, help="cuts, duplicates and times from `vfi shots --plan`, edited or not"
    )
    add_audio(parser)
    add_options(parser)
    parallel.add_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    source, settings, marks = clip_source(args), Settings.of(args), ShotOptions.of(args)
    reader = source.open(home_of(settings.device))
    output = Output(args.times, args.fps, args.slow)
    if args.plan is None:
        clip = marks.found(reader)
    else:
        plan = read_plan(args.plan)
        clip = marks.planned(reader, plan)
        output = plan.output if output == TWICE else output
    asked, crew = output.timing(reader.info.rate), Crew.of(args)
    decisions = {"command": "interpolate", "input": source, "shots": marks, "plan": args.plan, "audio": args.audio}
    return make(clip, asked, settings, decisions, source=source, audio=args.audio, crew=crew)
