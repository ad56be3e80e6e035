"""``vfi retime``: a clip in, the same at a changing speed out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from ..clips.clip import Info
from ..clips.standard import is_standard
from ..core import InputError
from ..parse import exact
from ..timing.curves import EASINGS, TimeCurve, along, of_json, parse
from ..timing.grids import Timing, exact_rate
from . import batch, parallel, shot_options
from .arguments import add_input, add_output, argument, clip_source, factor, moment, text_of
from .model_options import add_pace, home_of
from .output import Settings, add_audio, add_options, make_clip
from .parallel import Crew
from .shot_options import ShotOptions

ENDLESS = 10**8
"""Seconds that no piped clip lasts: three years."""


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``retime``."""
    parser = subparsers.add_parser(
        "retime",
        help="change the speed of a clip over time",
        description="Play a clip along a speed curve: time:value keys separated by commas, with the time in seconds of output. "
        "Speed 1 is as filmed, 0 a freeze, 2 twice as fast, below 0 backwards. An easing after a value leads to the next key: "
        f"{', '.join(EASINGS)}. Sound is time-stretched and keeps its pitch.",
    )
    add_input(parser)
    add_output(parser)
    batch.add_options(parser)
    curve = parser.add_mutually_exclusive_group(required=True)
    curve.add_argument("--speed", metavar="CURVE", help='speed over time: "0:1, 2:0.25 ease, 4:1", or one number')
    curve.add_argument("--position", metavar="CURVE", help='second of the clip over time: "0:0, 2:3 ease, 4:3.5"')
    curve.add_argument("--curve", metavar="FILE", type=Path, help="a curve in JSON, or one from ComfyUI's curve editor")
    parser.add_argument(
        "--start", type=argument(moment), metavar="S", help="with a speed curve: second of the clip to start from"
    )
    parser.add_argument(
        "--duration",
        type=argument(factor),
        metavar="S",
        help="seconds of output; otherwise a speed curve runs to the end of the clip",
    )
    parser.add_argument("--fps", type=argument(exact_rate), metavar="F", help="frames per second; the input's if not given")
    shot_options.add_options(parser)
    add_pace(parser)
    add_audio(parser)
    add_options(parser)
    parallel.add_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    source, settings, marks, crew = clip_source(args), Settings.of(args), ShotOptions.of(args), Crew.of(args)
    reader = source.open(home_of(settings.device))
    info = reader.info if reader.info.duration or not is_standard(source.path) else endless(reader.info, args)
    chosen = curve(args, info.duration or Fraction(1))
    grid = along(chosen, args.fps or info.rate, info.duration, info.frames, start=args.start, length=args.duration)
    if is_standard(source.path) and not grid.path.forward:
        raise InputError("- was given with a curve that plays backwards: standard input can only be read forwards, give a file")
    clip = marks.found(reader) if grid.path.forward or crew.several else marks.looked_at(reader)
    decisions = {"command": "retime", "input": source, "shots": marks, "audio": args.audio}
    return make_clip(clip, Timing(grid, grid.rate), settings, decisions, source=source, audio=args.audio, crew=crew)


def endless(info: Info, args: Namespace) -> Info:
    """``info`` of standard input, whose length is unknown, as a clip that outlasts every curve. Raises `InputError`."""
    if args.speed is not None and args.duration is None:
        raise InputError(
            "--speed runs to the end of standard input, which is unknown: give the seconds of output as --duration"
        )
    if info.rate is None:
        raise InputError("standard input states no frame rate: give the one of the output with --fps")
    return replace(info, duration=exact(ENDLESS), frames=round(ENDLESS * info.rate))


def curve(args: Namespace, duration: Fraction) -> TimeCurve:
    """The curve that the arguments name, for a clip of ``duration`` seconds."""
    if args.speed is not None:
        return parse(args.speed, "speed")
    if args.position is not None:
        return parse(args.position, "position")
    return of_json(text_of(args.curve), duration, args.duration)
