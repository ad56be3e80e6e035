"""``vfi heal``: finds what generators, cutters and encoders broke in a clip, and mends it."""

from __future__ import annotations

import json
import sys
from argparse import Action, ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..clips.clip import Staged
from ..clips.images import read_image
from ..core import InputError
from ..edit.heal.drifts import Anchor, anchored
from ..edit.heal.findings import KINDS, Finding, of_kinds, retimed
from ..edit.heal.mend import DURATIONS
from ..edit.heal.pictures import thumbnail
from ..edit.plan import Output, Plan
from . import batch
from .arguments import add_input, argument, clip_source, names
from .files import add_overwrite
from .mended import EVEN, IS_EVEN, looked_through, make_mended
from .model_options import home_of
from .output import BROKEN, Settings, add_audio, add_options
from .report import console_for_people
from .shot_options import read_plan


class _List(Action):
    """``--list``: the plan is an output then, and ``clip``, the argument for one, may be missing."""

    def __init__(self, option_strings: Sequence[str], dest: str, clip: Action, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)
        self.clip = clip

    def __call__(self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None) -> None:
        namespace.list, namespace.writes = True, ("plan",)
        self.clip.required = False


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``heal``."""
    parser = subparsers.add_parser(
        "heal",
        help="find and mend flashes, corrupt, missing, repeated and frozen frames, drift and pulses of light, chunk borders",
        description="Find what generators, cutters and encoders broke, and mend it: flashes, dark and corrupt frames are "
        "remade from the frames around them, missing frames are made, motion goes on through repeats, frozen and junk frames "
        "at the ends are cut off. Drift and pulses of brightness and colour are taken out. A step of light or speed at the "
        "border of two chunks is spread over the frames around it. All other frames are copied. --list only says what would be "
        "done.",
    )
    add_input(parser)
    clip = parser.add_argument(
        "output", metavar="OUT", type=Path, help="a video file, a folder for numbered images, or - for y4m; none with --list"
    )
    add_overwrite(parser, "output", "disagreement")
    batch.add_options(parser)
    group = parser.add_argument_group("findings")
    group.add_argument("--list", action=_List, clip=clip, default=False, help="list the findings, and make no clip")
    group.add_argument(
        "--plan",
        metavar="FILE",
        type=Path,
        help="with --list: write findings, cuts and repeats to a file; without: mend as such a file says",
    )
    group.add_argument(
        "--only", nargs="+", type=argument(names), metavar="KIND", help=f"only findings of these kinds: {', '.join(KINDS)}"
    )
    group.add_argument(
        "--without", nargs="+", type=argument(names), default=[], metavar="KIND", help="no findings of these kinds"
    )
    group.add_argument(
        "--duration",
        choices=DURATIONS,
        help="missing frames: keep spreads the motion of each gap over the frames around it (the default); grow makes the lost "
        "frames, and the clip lasts longer",
    )
    group.add_argument(
        "--repeats",
        choices=("spread", "drop"),
        help="repeated frames: spread motion over them (the default), or drop them, and the clip lasts less",
    )
    group.add_argument("--even", action="store_true", help=f"{EVEN}; every frame of such a shot may be a new one")
    group.add_argument(
        "--anchor",
        metavar="first|median|PICTURE",
        help="drift: regrade the frames of a shot to the light of its first frame (the default), to its median, or to the "
        "light of a picture",
    )
    add_audio(parser)
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    if args.list and args.output is not None:
        raise InputError("--list was given with an output: it makes no clip, drop one of the two")
    source = clip_source(args)
    if args.list:
        return _list(args)
    settings = Settings.of(args)
    anchor = _anchor(args.anchor)
    if args.plan is not None and not isinstance(anchor, str):
        raise InputError("--anchor with a picture was given beside --plan, which holds the light already: drop one of the two")
    reader = source.open(home_of(settings.device))
    if args.plan is None:
        given = looked_through(reader, anchor=anchor)
    else:
        given = read_plan(args.plan)
        if args.anchor is not None:
            given = replace(given, findings=anchored(given.findings, anchor))
    plan = _asked(given, args)
    reader.notes.extend(plan.notes() if plan.mending.findings else ["nothing is to be mended: all frames are copied"])
    if args.even and not any(one.action == "retime" for one in plan.findings):
        reader.notes.append(IS_EVEN)
    kept = {one.kind for one in plan.findings}
    if left := [one for one in given.findings if one.kind not in kept]:
        kinds = ", ".join(sorted({one.kind for one in left}))
        reader.notes.append(f"{len(left)} of {len(given.findings)} findings are left as they are: {kinds} is switched off")
    asked = Output(times=1).timing(reader.info.rate)
    decisions = {"command": "heal", "input": source, "plan": plan.to_json(), "audio": args.audio}
    clip = plan.applied(reader)
    return make_mended(clip, plan.mending, asked, settings, decisions, source=source, audio=args.audio)


def _asked(plan: Plan, args: Namespace) -> Plan:
    """The plan with the findings and the treatment that the options ask for."""
    only = None if args.only is None else list(chain.from_iterable(args.only))
    some = of_kinds(plan.findings, only, list(chain.from_iterable(args.without)))
    if args.repeats is not None:
        some = tuple(
            replace(one, action=args.repeats) if one.kind == "repeat" and one.action != "keep" else one for one in some
        )
    if args.even:
        some = retimed(some)
    return replace(plan, findings=some, duration=args.duration or plan.duration)


def _anchor(given: str | None) -> Anchor:
    """The light that drift is measured from, as ``--anchor`` gives it. Raises `InputError` if its picture cannot be read."""
    if given is None or given == "first":
        return "first"
    if given == "median":
        return "median"
    red, green, blue = thumbnail(read_image(given)).mean(axis=(0, 1)).tolist()
    return red, green, blue


def _list(args: Namespace) -> int:
    source = clip_source(args)
    anchor = _anchor(args.anchor)
    reader = source.open()
    staged = None if args.plan is None else Staged(args.plan)
    try:
        plan = _asked(looked_through(reader, anchor=anchor), args)
        if staged is not None:
            staged.filled(plan.to_json().encode())
    finally:
        if staged is not None:
            staged.discard()
    console = console_for_people()
    for note in reader.notes:
        console.print(escape(f"note: {note}"))
    if args.json:
        sys.stdout.write(json.dumps({"findings": [one.as_dict() for one in plan.findings]}) + "\n")
    else:
        show(plan.findings)
    if (broken := source.broken()) is not None:
        sys.stderr.write(f"vfi: {broken}\n")
        return BROKEN
    return 0


def show(found: Sequence[Finding]) -> None:
    """Print the findings as a table."""
    console = Console(highlight=False, soft_wrap=True)
    if not found:
        console.print("nothing was found")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("frames", "from"):
        table.add_column(heading, justify="right")
    table.add_column("finding")
    table.add_column("sure", justify="right")
    table.add_column("action")
    for one in found:
        where = str(one.first) if one.first == one.last else f"{one.first}-{one.last}"
        what = f"{one.count} missing before" if one.kind == "missing" else one.kind
        if one.offsets:
            what += f" by up to {max(map(abs, one.offsets)):.2f} frames"
        if one.speed != 1:
            what += f", {one.speed:.2f} times as fast"
        begins = "" if one.start is None else f"{float(one.start):.3f} s"
        table.add_row(where, begins, what, f"{one.confidence:.2f}", one.action)
    console.print(table)
