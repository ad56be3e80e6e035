"""``vfi flow``: draws the motion that a model estimates in a clip, as colours."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

from ..clips.clip import Colour, Edited, unbound
from ..core import Frame, InputError
from ..model.load import build
from ..motion import flow
from ..timing.grids import timing
from . import batch
from .arguments import add_input, add_output, argument, auto_or, clip_source, factor
from .output import Settings, add_options, make_clip
from .progress import tracked
from .report import console_for_people


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``flow``."""
    parser = subparsers.add_parser(
        "flow",
        help="draw the motion that a model estimates in a clip",
        description="Draw the optical flow between each frame of a clip and the next, as the model estimates it half-way. Red "
        "moves right, yellow down, cyan left, blue up; white stands still. The last picture is white.",
    )
    add_input(parser)
    add_output(parser)
    batch.add_options(parser)
    parser.add_argument(
        "--toward",
        choices=get_args(flow.Toward),
        default="next",
        help="draw the motion to the next frame (default) or to the previous one",
    )
    parser.add_argument(
        "--radius",
        type=argument(auto_or(factor)),
        metavar="PX",
        help="motion, in pixels, that is drawn in full colour; auto (default): the 99th percentile of the fastest frame, found "
        "in a first pass over the clip",
    )
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    for option in ("quality", "tta", "shutter", "consensus", "disagreement"):
        if getattr(args, option) not in ("normal", "none", None, ()):
            raise InputError(f"--{option} was given: it acts on new frames, and vfi flow only draws the motion of one model")
    source, settings = clip_source(args), Settings.of(args)
    reader = source.open()
    console, info = console_for_people(), reader.info
    reader.notes += ["the sound is left out: flow pictures have none"] if info.audio else []
    model = build(settings.choice, settings.device, (info.height, info.width), unbound(replace(info, curve=settings.transfer)))
    if args.radius is None:
        found = tracked(flow.motions(reader, model), "measuring motion", info.frames, console)
        radius = flow.radius_of(flow.arm(motion, args.toward) for _, motion in found)
    else:
        radius = float(args.radius)
    console.print(f"full colour is {radius:.1f} pixels")

    def pictures() -> Iterator[Frame]:
        return flow.pictures(reader, model, radius, toward=args.toward)

    drawn = replace(info, depth=8, alpha=False, colour=Colour(), audio=False)
    clip = Edited(drawn, reader.notes, pictures)
    decisions = {"command": "flow", "input": source, "toward": args.toward, "radius": radius}
    return make_clip(clip, timing(info.rate, times=1), settings, decisions, model=model)
