"""``vfi heal``: finds what generators, cutters and encoders broke in a clip, and mends it."""

from __future__ import annotations

import json
import sys
from argparse import Action, ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .. import __version__
from ..clips.clip import Edited, Reader, Staged
from ..clips.images import read_image
from ..clips.standard import is_standard
from ..core import InputError
from ..edit.faults import AS_IT_IS, REPEATED, mean_light, notes_of, treated
from ..edit.heal.drifts import Anchor, anchored
from ..edit.heal.findings import KINDS, Finding
from ..edit.heal.mend import DURATIONS
from ..edit.heal.observed import Observed
from ..edit.heal.sheet import Names, page
from ..edit.plan import Plan
from ..edit.steady.steady import Steady, steady
from ..model import load
from ..motion.flow import BothWays
from ..pages.markup import html
from ..parse import quoted
from . import batch
from .arguments import add_input, argument, clip_source, names
from .files import add_overwrite
from .mended import EVEN, looked_through, looking, make_mended
from .model_options import home_of
from .output import BROKEN, INTERRUPTED, Settings, add_audio, add_options
from .report import console_for_people
from .shot_options import read_plan
from .steady import share


class _List(Action):
    """``--list``: the plan is an output then, as the report is."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)

    def __call__(self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None) -> None:
        namespace.list, namespace.writes = True, ("plan", "report")


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
    clip.required = False  # `run` asks for it; nargs="?" would take it only directly after IN
    add_overwrite(parser, "output", "disagreement", "report")
    batch.add_options(parser)
    group = parser.add_argument_group("findings")
    group.add_argument("--list", action=_List, default=False, help="list the findings, and make no clip")
    group.add_argument(
        "--plan",
        metavar="FILE",
        type=Path,
        help="with --list: write findings, cuts and repeats to a file; without: mend as such a file says",
    )
    group.add_argument(
        "--report",
        metavar="FILE",
        type=argument(page_name),
        help="also write a page of HTML: the findings along the clip, pictures before and after, and curves of brightness, "
        "colour and motion",
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
        choices=REPEATED,
        help="repeated frames: spread motion over them (the default), or drop them, and the clip lasts less",
    )
    group.add_argument("--even", action="store_true", help=f"{EVEN}; every frame of such a shot may be a new one")
    group.add_argument(
        "--anchor",
        metavar="first|median|PICTURE",
        help="drift: regrade the frames of a shot to the light of its first frame (the default), to its median, or to the "
        "light of a picture",
    )
    group.add_argument(
        "--steady",
        type=argument(share),
        default=0.0,
        metavar="S",
        help="also take this share of the flicker out of all frames, 0 to 1, as vfi steady does (0)",
    )
    add_audio(parser)
    add_options(parser)
    parser.set_defaults(run=run)


def page_name(text: str) -> Path:
    """The name of a report. Raises `InputError`."""
    if Path(text).suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{quoted(text)} was given as the report: it is a page, so its name must end in .html")
    return Path(text)


def run(args: Namespace) -> int:
    if args.list and args.output is not None:
        raise InputError("--list was given with an output: it makes no clip, drop one of the two")
    if not args.list and args.output is None:
        raise InputError("the following arguments are required: OUT")
    source = clip_source(args)
    if args.list:
        return _list(args)
    settings = Settings.of(args)
    anchor = _anchor(args.anchor)
    if args.plan is not None and not isinstance(anchor, str):
        raise InputError("--anchor with a picture was given beside --plan, which holds the light already: drop one of the two")
    reader = source.open(home_of(settings.device))
    seen = None if args.report is None else Observed(reader.info)
    with _staged(args.report) as report:
        if args.plan is None:
            given = looked_through(reader, anchor=anchor, observed=seen)
        else:
            given = _read(args.plan, args.anchor, anchor)
            if seen is not None:  # a plan holds nothing of what a report shows
                seen.looked_through(looking(reader))
        plan = _asked(given, args)
        reader.notes.extend(notes_of(plan, given, args.even))
        asked = AS_IT_IS.timing(reader.info.rate)
        decisions = {
            "command": "heal",
            "input": source,
            "plan": plan.to_json(),
            "steady": args.steady,
            "audio": args.audio,
        }
        clip: Reader = reader
        if seen is not None:
            seen.planned(plan, mends=True)
            clip = Edited(reader.info, reader.notes, lambda: seen.before(reader))
        code = make_mended(
            _steadied(plan.applied(clip), args.steady),
            plan.mending,
            asked,
            settings,
            decisions,
            source=source,
            audio=args.audio,
            watch=iter if seen is None else seen.after,
        )
        if report is not None and seen is not None and code != INTERRUPTED:
            made = None if is_standard(args.output) else args.output.name
            shown = Names(_name(args), made or "standard output", load.spec_of(settings.choice).name, __version__)
            report.filled(html(page(shown, plan, seen, reader.notes)).encode())
    return code


def _steadied(clip: Edited, strength: float) -> Edited:
    """The clip without this share of its flicker."""
    if not strength:
        return clip
    return Edited(clip.info, clip.notes, lambda: steady(clip, BothWays(load.load("dis")), Steady(strength)))


def _read(path: Path, asked: str | None, anchor: Anchor) -> Plan:
    """The plan in a file; its drift is measured from ``anchor`` where one was ``asked`` for."""
    given = read_plan(path)
    return given if asked is None else replace(given, findings=anchored(given.findings, anchor))


@contextmanager
def _staged(path: Path | None) -> Iterator[Staged | None]:
    """The file at ``path``, made before any work: a name that cannot be written is told at once. It is left only if filled."""
    staged = None if path is None else Staged(path)
    try:
        yield staged
    finally:
        if staged is not None:
            staged.discard()


def _name(args: Namespace) -> str:
    """The clip's name for people."""
    return "standard input" if is_standard(args.input) else args.input.name or str(args.input)


def _asked(plan: Plan, args: Namespace) -> Plan:
    """The plan with the findings and the treatment that the options ask for."""
    only = None if args.only is None else list(chain.from_iterable(args.only))
    without = list(chain.from_iterable(args.without))
    return treated(plan, only=only, without=without, duration=args.duration, repeats=args.repeats, even=args.even)


def _anchor(given: str | None) -> Anchor:
    """The light that drift is measured from, as ``--anchor`` gives it. Raises `InputError` if its picture cannot be read."""
    if given is None or given == "first":
        return "first"
    if given == "median":
        return "median"
    return mean_light(read_image(given))


def _list(args: Namespace) -> int:
    source = clip_source(args)
    anchor = _anchor(args.anchor)
    reader = source.open()
    seen = None if args.report is None else Observed(reader.info)
    with _staged(args.plan) as staged, _staged(args.report) as report:
        plan = _asked(looked_through(reader, anchor=anchor, observed=seen), args)
        if staged is not None:
            staged.filled(plan.to_json().encode())
        if report is not None and seen is not None:
            seen.planned(plan, mends=False)
            seen.stills.look(reader)
            shown = Names(_name(args), version=__version__)
            report.filled(html(page(shown, plan, seen, reader.notes)).encode())
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
        begins = "" if one.start is None else f"{float(one.start):.3f} s"
        table.add_row(one.where, begins, one.what, f"{one.confidence:.2f}", one.action)
    console.print(table)
