"""``vfi heal``: finds what generators, cutters and encoders broke in a clip, and mends it."""

from __future__ import annotations

import json
import sys
from argparse import Action, ArgumentParser, Namespace, _SubParsersAction
from collections import deque
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
from ..clips.standard import is_standard
from ..core import Frame, InputError
from ..edit.find import Finder
from ..edit.heal.findings import KINDS, Finding, of_kinds
from ..edit.heal.judge import findings
from ..edit.heal.measures import Measures
from ..edit.heal.mend import DURATIONS
from ..edit.heal.observed import Observed
from ..edit.heal.sheet import Names, page
from ..edit.plan import Output, Plan
from ..model import load
from ..pages.markup import html
from ..parse import quoted
from . import batch
from .arguments import add_input, argument, clip_source, names
from .files import add_overwrite
from .mended import make_mended
from .model_options import home_of
from .output import BROKEN, INTERRUPTED, Settings, add_audio, add_options
from .progress import tracked
from .report import console_for_people
from .shot_options import read_plan


class _List(Action):
    """``--list``: the plan is an output then, as the report is, and ``clip``, the argument for one, may be missing."""

    def __init__(self, option_strings: Sequence[str], dest: str, clip: Action, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)
        self.clip = clip

    def __call__(self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None) -> None:
        namespace.list, namespace.writes = True, ("plan", "report")
        self.clip.required = False


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``heal``."""
    parser = subparsers.add_parser(
        "heal",
        help="find and mend flashes, corrupt, missing, repeated and frozen frames",
        description="Find what generators, cutters and encoders broke, and mend it: flashes, dark and corrupt frames are "
        "remade from the frames around them, missing frames are made, motion goes on through repeats, frozen and junk frames "
        "at the ends are cut off. All other frames are copied. --list only says what would be done.",
    )
    add_input(parser)
    clip = parser.add_argument(
        "output", metavar="OUT", type=Path, help="a video file, a folder for numbered images, or - for y4m; none with --list"
    )
    add_overwrite(parser, "output", "disagreement", "report")
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
        choices=("spread", "drop"),
        help="repeated frames: spread motion over them (the default), or drop them, and the clip lasts less",
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
    source = clip_source(args)
    if args.list:
        return _list(args)
    settings = Settings.of(args)
    reader = source.open(home_of(settings.device))
    seen = None if args.report is None else Observed(reader.info)
    with _staged(args.report) as report:
        given = _found(reader, seen) if args.plan is None else _read(args.plan, reader, seen)
        plan = _asked(given, args)
        reader.notes.extend(plan.notes() if plan.mending.findings else ["nothing is to be mended: all frames are copied"])
        kept = {one.kind for one in plan.findings}
        if left := [one for one in given.findings if one.kind not in kept]:
            kinds = ", ".join(sorted({one.kind for one in left}))
            reader.notes.append(f"{len(left)} of {len(given.findings)} findings are left as they are: {kinds} is switched off")
        asked = Output(times=1).timing(reader.info.rate)
        decisions = {"command": "heal", "input": source, "plan": plan.to_json(), "audio": args.audio}
        clip: Reader = reader
        if seen is not None:
            seen.planned(plan, mends=True)
            clip = Edited(reader.info, reader.notes, lambda: seen.before(reader))
        code = make_mended(
            plan.applied(clip),
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
            names = Names(_name(args), made or "standard output", load.spec_of(settings.choice).name, __version__)
            report.filled(html(page(names, plan, seen, reader.notes)).encode())
    return code


def _found(reader: Reader, seen: Observed | None) -> Plan:
    """The plan of a clip, with its findings. What is ``seen`` on the way is kept for a report."""
    measures, finder = Measures(), Finder(thorough=True)
    frames = _looked(reader, seen)
    deque(measures.take(finder.marks(frames)), maxlen=0)
    if seen is not None:
        seen.measured(measures)
    plan = finder.plan(reader.info.rate, Output(times=1))
    return plan.with_findings(findings(measures))


def _read(path: Path, reader: Reader, seen: Observed | None) -> Plan:
    """The plan of a file. For a report the clip is looked at, since a plan holds no measures."""
    plan = read_plan(path)
    if seen is not None:
        measures = Measures()
        deque(measures.take(_looked(reader, seen)), maxlen=0)
        seen.measured(measures)
    return plan


def _looked(reader: Reader, seen: Observed | None) -> Iterator[Frame]:
    frames = tracked(reader, "looking at the clip", reader.info.frames, console_for_people())
    return iter(frames) if seen is None else seen.first(frames)


@contextmanager
def _staged(path: Path | None) -> Iterator[Staged | None]:
    """The file of a report, made before any work: a name that cannot be written is told at once. It is left only if filled."""
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
    some = of_kinds(plan.findings, only, list(chain.from_iterable(args.without)))
    if args.repeats is not None:
        some = tuple(
            replace(one, action=args.repeats) if one.kind == "repeat" and one.action != "keep" else one for one in some
        )
    return replace(plan, findings=some, duration=args.duration or plan.duration)


def _list(args: Namespace) -> int:
    source = clip_source(args)
    reader = source.open()
    seen = None if args.report is None else Observed(reader.info)
    with _staged(args.plan) as staged, _staged(args.report) as report:
        plan = _asked(_found(reader, seen), args)
        if staged is not None:
            staged.filled(plan.to_json().encode())
        if report is not None and seen is not None:
            seen.planned(plan, mends=False)
            seen.stills.look(reader)
            names = Names(_name(args), version=__version__)
            report.filled(html(page(names, plan, seen, reader.notes)).encode())
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
        begins = "" if one.start is None else f"{float(one.start):.3f} s"
        table.add_row(where, begins, what, f"{one.confidence:.2f}", one.action)
    console.print(table)
