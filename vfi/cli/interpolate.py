"""``vfi interpolate``: a clip in, a smoother or slower one out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path

from ..clips.open import open_clip
from ..edit.plan import TWICE, Output
from ..timing.grids import exact_rate
from . import model_options, parallel, shot_options
from .arguments import add_input, add_output, argument, factor, whole
from .output import add_audio, add_options


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
    home = model_options.home_of(args.device)
    reader = open_clip(args.input, rate=args.in_fps, damaged_ok=args.damaged_ok, device=home)
    output = Output(args.times, args.fps, args.slow)
    if args.plan is None:
        clip = shot_options.found(reader, args)
    else:
        plan = shot_options.read_plan(args.plan)
        clip = shot_options.planned(reader, plan, args)
        output = plan.output if output == TWICE else output
    return parallel.make(clip, output.timing(reader.info.rate), args)
