"""``vfi tween``: two keyframes in, the frames between them out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from fractions import Fraction
from pathlib import Path

from ..images import ImageReader
from ..time import Subdivide, Timing, exact_rate
from . import work
from .arguments import add_output, argument, whole


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``tween``."""
    parser = subparsers.add_parser(
        "tween",
        help="make the frames between two pictures",
        description="Make the frames between two keyframes. The clip begins with the first and ends with the second.",
    )
    parser.add_argument("first", metavar="A", type=Path, help="the first keyframe, an image")
    parser.add_argument("last", metavar="B", type=Path, help="the last keyframe, an image of the same size")
    add_output(parser)
    parser.add_argument(
        "--frames",
        type=argument(whole),
        required=True,
        metavar="N",
        help="how many new frames to make between the two",
    )
    parser.add_argument(
        "--fps", type=argument(exact_rate), default=Fraction(24), metavar="F", help="frames a second of the output (24)"
    )
    work.add_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    steps = args.frames + 1
    keyframes = ImageReader((args.first, args.last), args.fps / steps)
    return work.make(keyframes, Timing(Subdivide(steps), rate=args.fps), args, tail="stop")
