"""``vfi steady``: takes flicker out of a clip."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..clips.clip import Edited, unbound
from ..core import Frame, InputError
from ..edit.find import Finder
from ..edit.steady.steady import Steady, steady
from ..model.load import build
from ..motion.flow import BothWays, check_motion
from ..parse import number, quoted
from ..timing.grids import timing
from . import batch
from .arguments import add_input, add_output, argument, clip_source
from .model_options import home_of
from .output import Settings, add_audio, add_options, make_clip
from .shot_options import NO_EDIT, add_edit, read_plan

ONLY_NEW = {"quality": "normal", "tta": "none", "shutter": None, "consensus": (), "disagreement": None}
"""Options for new frames, of which there are none, and what they are if not given."""


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``steady``."""
    parser = subparsers.add_parser(
        "steady",
        help="take flicker out of a clip",
        description="Take flicker out of a clip, shot by shot. Brightness and colour are made even along the motion of the "
        "picture, and the texture of what stands still is held still. A lamp switched on, lightning, fades and cuts stay as "
        "they are. Frames without flicker are copied.",
    )
    add_input(parser)
    add_output(parser)
    batch.add_options(parser)
    group = parser.add_argument_group("flicker")
    group.add_argument(
        "--strength", type=argument(share), default=1.0, metavar="S", help="share of the flicker to take out, 0 to 1 (1)"
    )
    group.add_argument(
        "--flicker-limit",
        dest="reach",
        type=argument(share),
        default=Steady.reach,
        metavar="R",
        help="largest change of light that counts as flicker, 0.01 to 0.5 of the brightness "
        f"({Steady.reach:g}); raise it for strong flicker, as of old film and time-lapse",
    )
    group.add_argument("--no-texture", dest="texture", action="store_false", help="only make light even")
    cuts = parser.add_argument_group("cuts")
    cuts.add_argument("--plan", metavar="FILE", type=Path, help="take the cuts from a plan of vfi shots")
    add_edit(cuts)
    add_audio(parser)
    add_options(parser, motion=True)
    parser.set_defaults(run=run)


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = number(text)
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"{quoted(text)} is not a number that can be used: give one from 0 to 1, such as 0.5") from error
    if not 0 <= value <= 1:
        raise InputError(f"{text} was given: it must lie between 0 and 1")
    return float(value)


def run(args: Namespace) -> int:
    for option, unset in ONLY_NEW.items():
        if getattr(args, option) != unset:
            raise InputError(f"--{option} was given: it acts on new frames, and vfi steady makes none")
    options = Steady(args.strength, args.reach, args.texture)
    if args.plan is not None and args.edit != NO_EDIT:
        raise InputError("--edit cannot be combined with --plan: edit the plan instead")
    source, settings = clip_source(args), Settings.of(args)
    reader = source.open(home_of(settings.device))
    info = reader.info
    model = build(settings.choice, settings.device, (info.height, info.width), unbound(replace(info, curve=settings.transfer)))
    check_motion(model)
    plan = None if args.plan is None else read_plan(args.plan)

    def frames() -> Iterator[Frame]:
        marked = Finder(edit=args.edit).marks(reader) if plan is None else plan.marked(reader)
        for frame in steady(marked, BothWays(model), options):
            yield replace(frame, repeat=False)  # a plan's repeats would be made anew

    clip = Edited(info, reader.notes, frames)
    decisions = {"command": "steady", "input": source, "steady": options, "edit": args.edit, "plan": plan, "audio": args.audio}
    return make_clip(clip, timing(info.rate, times=1), settings, decisions, source=source, audio=args.audio, model=model)
