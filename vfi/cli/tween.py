"""``vfi tween``: two keyframes in, the frames between them out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from fractions import Fraction
from pathlib import Path

from ..core import Interpolator
from ..guided import Guide, Guided
from ..images import ImageReader
from ..media import Info
from ..speed import Key, along, keyed
from ..time import Grid, Subdivide, Timing, exact_rate
from ..tracks.formats import load
from . import choice, work
from .arguments import add_output, argument, whole

EASES = {"linear": "linear", "in": "ease-in", "out": "ease-out", "inout": "ease-in-out"}
"""How time may run between the keyframes, and what `speed.EASINGS` calls it."""


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
    parser.add_argument(
        "--ease", choices=EASES, default="linear", help="slow at the start (in), the end (out) or both (inout); linear: even"
    )
    guidance = parser.add_argument_group("guidance")
    guidance.add_argument(
        "--tracks",
        type=Path,
        metavar="FILE",
        help="how points move from A to B: a drawing of ComfyUI's Track Editor, or what KJNodes, Framer, ATI or Wan-Move have",
    )
    guidance.add_argument(
        "--guide",
        choices=("auto", "none"),
        default="none",
        help="auto: points found in both keyframes lead where the model loses them; none: only what is drawn",
    )
    work.add_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    steps = args.frames + 1
    keyframes = ImageReader((args.first, args.last), args.fps / steps)
    return work.make(
        keyframes, Timing(grid(args, keyframes.info), rate=args.fps), args, tail="stop", chosen=model(args, keyframes.info)
    )


def grid(args: Namespace, info: Info) -> Grid:
    """The instants that the frames show."""
    steps = args.frames + 1
    if args.ease == "linear":
        return Subdivide(steps)
    way = steps / args.fps
    curve = keyed([Key(Fraction(0), Fraction(0), EASES[args.ease]), Key(way, way)], "position")
    return along(curve, args.fps, info.duration, info.frames, length=way + 1 / args.fps)


def model(args: Namespace, info: Info) -> tuple[str, Interpolator] | None:
    """The model that follows what leads it, and its name; None where nothing does. Raises `InputError`."""
    if args.tracks is None and args.guide == "none":
        return None
    tracks = None if args.tracks is None else load(args.tracks, (info.width, info.height))
    guide = Guide(tracks, auto=args.guide == "auto")
    name, made = choice.model_of(args, info, choice.device_of(args.device))
    return name, Guided(made, guide)
