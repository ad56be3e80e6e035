"""What the commands say of cuts and duplicates: their options, and a clip that is marked as these ask."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from ..clips.clip import Edited, Reader
from ..core import Frame, InputError
from ..edit.duplicates import LONGEST
from ..edit.find import Edit, Finder, find_plan
from ..edit.plan import CUTS, DUPLICATES, Plan
from .arguments import argument, text_of, whole
from .output import console_for_people
from .progress import tracked


def add_options(parser: ArgumentParser) -> None:
    """Declare what becomes of cuts and duplicates."""
    group = parser.add_argument_group("cuts and duplicates")
    group.add_argument(
        "--cuts",
        choices=CUTS,
        help="from one shot to the next: hold the last frame (the default), blend, or interpolate as if there were no cut",
    )
    group.add_argument(
        "--duplicates",
        choices=DUPLICATES,
        help="frames that repeat the one before: keep them (the default), or spread motion over their time",
    )
    group.add_argument(
        "--edit",
        type=argument(Edit.parse),
        default=Edit(),
        metavar="CUTS",
        help='correct the cuts: "+24, -50" adds one before frame 24 and takes one away; "24, 1.5s" are all there are',
    )
    group.add_argument(
        "--longest-hold",
        type=argument(whole),
        default=LONGEST,
        metavar="N",
        help=f"a picture shown for more than N frames stands still on purpose ({LONGEST})",
    )


def finder(args: Namespace, *, thorough: bool = False) -> Finder:
    """What finds as the options ask."""
    return Finder(args.cuts or "hold", args.duplicates or "keep", args.edit, thorough, args.longest_hold)


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises `InputError`."""
    text = text_of(path)
    try:
        return Plan.from_json(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def planned(reader: Reader, plan: Plan, args: Namespace) -> Reader:
    """The clip marked as ``plan`` says, but for what the options say."""
    if args.edit != Edit():
        raise InputError("--edit and --plan were both given: edit the plan instead")
    plan = plan.with_policies(args.cuts, args.duplicates)
    reader.notes.extend(plan.notes())
    return plan.applied(reader)


def looked_at(reader: Reader, args: Namespace) -> Reader:
    """The clip marked by a pass of its own, for one that is then read in pieces and out of order."""
    if args.cuts == "interpolate" and args.duplicates != "spread":
        return reader
    frames = tracked(reader, "looking at the clip", reader.info.frames, console_for_people())
    plan = find_plan(frames, reader.info.rate, finder(args))
    reader.notes.extend(plan.notes())
    return plan.applied(reader)


def found(reader: Reader, args: Namespace) -> Reader:
    """The clip marked while it is read, with notes of what is found at its end."""
    if args.cuts == "interpolate" and args.duplicates != "spread":
        return reader

    def frames() -> Iterator[Frame]:
        finding = finder(args)
        yield from finding.marks(reader)
        reader.notes.extend(finding.plan(reader.info.rate).notes())

    return Edited(reader.info, reader.notes, frames)
