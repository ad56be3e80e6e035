"""The options for cuts, duplicates and flashes, and clips marked accordingly."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _ArgumentGroup
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..clips.clip import Edited, Reader
from ..core import Frame, InputError
from ..edit.duplicates import LONGEST
from ..edit.find import Edit, Finder, find_plan
from ..edit.plan import CUTS, DUPLICATES, FLASHES, Cuts, Duplicates, Flashes, Plan
from .arguments import argument, text_of, whole
from .progress import tracked
from .report import console_for_people

NO_EDIT = Edit()


def add_edit(group: _ArgumentGroup) -> None:
    """Declare ``--edit``."""
    group.add_argument(
        "--edit",
        type=argument(Edit.parse),
        default=NO_EDIT,
        metavar="CUTS",
        help='correct the cuts: "+24, -50" adds one before frame 24 and removes the one before 50; "24, 1.5s" lists all cuts',
    )


def add_options(parser: ArgumentParser) -> None:
    """Declare the options for cuts, duplicates and flashes."""
    group = parser.add_argument_group("cuts, duplicates and flashes")
    group.add_argument(
        "--cuts",
        choices=CUTS,
        help="between two shots: hold the last frame (the default), blend, or interpolate as if there were no cut",
    )
    group.add_argument(
        "--duplicates",
        choices=DUPLICATES,
        help="frames that repeat the one before: keep them (the default), or spread the motion over them",
    )
    group.add_argument(
        "--flashes",
        choices=FLASHES,
        help="up to 4 frames that are lighter or darker than those around them: keep them (the default), or remake them from "
        "the frames around them",
    )
    add_edit(group)
    group.add_argument(
        "--longest-hold",
        type=argument(whole),
        default=LONGEST,
        metavar="N",
        help=f"a hold longer than N frames counts as intentional and is kept ({LONGEST})",
    )


@dataclass(frozen=True)
class ShotOptions:
    """Treatment of cuts, duplicates and flashes; None leaves it to a plan, or without one to the defaults."""

    cuts: Cuts | None = None
    duplicates: Duplicates | None = None
    edit: Edit = NO_EDIT
    longest: int = LONGEST
    flashes: Flashes | None = None

    @classmethod
    def of(cls, args: Namespace) -> ShotOptions:
        """The options that were given."""
        return cls(args.cuts, args.duplicates, args.edit, args.longest_hold, args.flashes)

    def finder(self, *, thorough: bool = False) -> Finder:
        """A finder with these options."""
        return Finder(self.cuts or "hold", self.duplicates or "keep", self.edit, thorough, self.longest, self.flashes or "keep")

    def planned(self, reader: Reader, plan: Plan) -> Reader:
        """The clip marked by ``plan``, except where the options override it."""
        if self.edit != NO_EDIT:
            raise InputError("--edit cannot be combined with --plan: edit the plan instead")
        plan = plan.with_policies(self.cuts, self.duplicates, self.flashes)
        reader.notes.extend(plan.notes())
        return plan.applied(reader)

    def looked_at(self, reader: Reader) -> Reader:
        """The clip marked in a separate pass, for a clip that is then read in pieces and out of order."""
        if self._nothing_to_find:
            return reader
        frames = tracked(reader, "looking at the clip", reader.info.frames, console_for_people())
        plan = find_plan(frames, reader.info.rate, self.finder())
        reader.notes.extend(plan.notes())
        return plan.applied(reader)

    def found(self, reader: Reader) -> Reader:
        """The clip marked while it is read; notes on the findings follow at its end."""
        if self._nothing_to_find:
            return reader

        def frames() -> Iterator[Frame]:
            finding = self.finder()
            yield from finding.marks(reader)
            reader.notes.extend(finding.plan(reader.info.rate).notes())

        return Edited(reader.info, reader.notes, frames)

    @property
    def _nothing_to_find(self) -> bool:
        return self.cuts == "interpolate" and self.duplicates != "spread" and self.flashes != "remake"


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises `InputError`."""
    text = text_of(path)
    try:
        return Plan.from_json(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
