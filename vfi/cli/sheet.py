"""``vfi sheet``: an exposure sheet and its cels in, the in-betweens that it asks for and the sheet with their numbers out."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..clips.clip import IMAGE_ENDINGS
from ..clips.images import WRITTEN
from ..clips.layers.open import LAYERED, is_layered, unpack
from ..clips.standard import is_standard
from ..core import InputError
from ..model.devices import device_of
from ..parse import quoted, shown
from ..render.cels import write
from ..render.exposed import as_layers
from ..sheets.cels import Cels
from ..sheets.notes import place as in_words
from ..sheets.open import read_sheet
from ..sheets.orders import Order, orders, undrawn
from ..sheets.sheet import Sheet
from ..sheets.wanted import SPACINGS, Left, Wanted, wanted
from . import chart, model_options
from .files import add_overwrite
from .new_cels import Maker
from .output import SOME_LEFT
from .report import console_for_people

NONE_MADE = 1
"""Exit code if nothing could be made."""


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``sheet``."""
    parser = subparsers.add_parser(
        "sheet",
        help="make the in-betweens that an animator's exposure sheet asks for",
        description="Read an exposure sheet (XDTS or CSV) and the cels of its layers, make every in-between that it asks for "
        "from the drawings around it, and write the new cels and the sheet with their numbers. Cels are called A/0001.png, "
        "A0001.png, A_0001.png or A.0001.png, A being the layer, or are groups and layers of an OpenRaster or Photoshop file.",
    )
    parser.add_argument("input", metavar="SHEET", type=Path, help="an exposure sheet: XDTS or CSV")
    parser.add_argument(
        "cels",
        metavar="CELS",
        type=Path,
        nargs="?",
        help="the folder of the cels, or one file whose layers they are: .ora, .psd; not needed with --list",
    )
    parser.add_argument(
        "output", metavar="OUT", type=Path, nargs="?", help="the folder of the new cels and sheet; not needed with --list"
    )
    add_overwrite(parser, "output")
    parser.add_argument("--list", action="store_true", help="print what the sheet asks for, and write nothing")
    parser.add_argument(
        "--spacing",
        choices=SPACINGS,
        default="ticks",
        help="ticks: those between two drawings divide the way evenly (the default); frames: each lies where its frame lies in "
        "time, holds included",
    )
    parser.add_argument(
        "--chart",
        type=Path,
        metavar="FILE",
        help="spacing charts as JSON, by layer, * being all others: how far along the ticks between two drawings lie; see "
        "docs/charts.md",
    )
    parser.add_argument("--layer", action="append", default=[], metavar="NAME", help="only the layers of this name")
    parser.add_argument(
        "--missing",
        action="store_true",
        help="also make the drawings that the sheet numbers and CELS lacks, except those that it marks as keys",
    )
    parser.add_argument("--ora", action="store_true", help="also write all cels, old and new, as layers of one OpenRaster file")
    model_options.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON, on standard output")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    with TemporaryDirectory(prefix="vfi-layers-") as folder:
        return _run(args, Path(folder))


def _run(args: Namespace, unpacked: Path) -> int:
    """Run the command; the layers of a layered picture are unpacked into a folder."""
    console = console_for_people()
    for path in filter(None, (args.cels, args.output)):
        if is_standard(path):
            raise InputError("- was given as a folder: cels and sheet lie in folders, give its name")
    sheet = read_sheet(args.input)
    for note in sheet.notes:
        console.print(escape(f"note: {note}"))
    if args.cels is None and not (args.list and not args.missing):
        both = "name their folder and one for the output, or give --list to see what is asked for"
        raise InputError(f"no cels were given: {'--missing looks for them, name their folder' if args.list else both}")
    cels = None if args.cels is None else _cels(args.cels, sheet, unpacked, console)
    charts = None if args.chart is None else chart.read_charts(args.chart)
    asked, left = wanted(sheet if cels is None or not args.missing else undrawn(sheet, cels), args.spacing, charts)
    if args.layer:
        layers = _named(args.layer, sheet)
        asked, left = [one for one in asked if one.layer in layers], [one for one in left if one.layer in layers]
    made: list[Order] = []
    if cels is not None:
        made, lacking = orders(sheet, asked, cels, tuple(WRITTEN))
        left = sorted([*left, *lacking], key=lambda one: (one.layer, one.frame))
    if args.list:
        _list(sheet, asked, made, left, for_machines=args.json)
        return 0
    if args.output is None:
        raise InputError("no output was given: name a folder for the new cels, or give --list to see what is asked for")
    target = args.output / args.input.name
    maker = Maker(args.output, model_options.choice_of(args), device_of(args.device), args.batch, console)
    layered = args.output / f"{args.input.stem}.ora"
    names = [args.input.name, *(order.file for order in made if not order.shows), *([layered.name] if args.ora else [])]
    maker.check(names, [args.input, *([] if args.cels.is_dir() else [args.cels])], made, args.overwrite)
    made, failed = maker.made(made)
    left = sorted([*left, *failed], key=lambda one: (one.layer, one.frame))
    if made or not left:
        data = sheet.entered({place: order.drawing for order in made for place in order.wanted.places})
        write(target, data)
        if args.ora and cels is not None:
            write(layered, as_layers(sheet, cels, made, args.output))
    _report(args, sheet, target, made, left, console)
    return (SOME_LEFT if made else NONE_MADE) if left else 0


def _cels(path: Path, sheet: Sheet, unpacked: Path, console: Console) -> Cels:
    """The cels of a folder, or of a layered picture, whose layers are unpacked first. Raises `InputError`."""
    layers = [layer.name for layer in sheet.layers]
    if not is_layered(path):
        if path.is_file():
            raise InputError(f"{path} is not a folder: cels lie in a folder, or are layers of a file ({', '.join(LAYERED)})")
        return Cels(path, layers, IMAGE_ENDINGS)
    for note in unpack(path, unpacked):
        console.print(escape(f"note: {note}"))
    return Cels(unpacked, layers, IMAGE_ENDINGS, called=str(path))


def _named(names: Sequence[str], sheet: Sheet) -> set[int]:
    """The indexes of layers. Raises `InputError` for a name that none has."""
    for name in names:
        if not any(layer.name == name for layer in sheet.layers):
            known = ", ".join(shown(layer.name) for layer in sheet.layers[:20]) + (", ..." if len(sheet.layers) > 20 else "")
            raise InputError(f"{quoted(name)} is no layer of this sheet: choose from {known or 'none, it has no layers'}")
    return {index for index, layer in enumerate(sheet.layers) if layer.name in names}


def _facts(sheet: Sheet, order: Order | Wanted) -> dict[str, Any]:
    """An in-between for machines; frames are counted from 1."""
    one = order.wanted if isinstance(order, Order) else order
    facts = {
        "layer": sheet.layers[one.layer].name,
        "frame": one.frame + 1,
        "frames": one.frames,
        "before": one.before.drawing,
        "after": one.after.drawing,
        "t": str(one.t),
        "reverse": one.reverse,
        "drawing": (order.drawing if isinstance(order, Order) else one.drawing) or None,
    }
    return facts | ({"file": order.file.as_posix(), "new": not order.shows} if isinstance(order, Order) else {})


def _left_facts(sheet: Sheet, left: Sequence[Left]) -> list[dict[str, Any]]:
    return [
        {
            "layer": sheet.layers[one.layer].name,
            "frame": one.frame + 1,
            "drawing": one.drawing or None,
            "reason": one.reason,
        }
        for one in left
    ]


def _left_lines(sheet: Sheet, left: Sequence[Left]) -> Iterator[str]:
    for one in left:
        drawing = f", drawing {shown(one.drawing)}" if one.drawing else ""
        yield f"left: {in_words(sheet.layers[one.layer].name, one.frame)}{drawing}: {one.reason}"


def _list(sheet: Sheet, asked: Sequence[Wanted], made: Sequence[Order], left: Sequence[Left], *, for_machines: bool) -> None:
    """Print what a sheet asks for: as orders, as far as cels are known."""
    ordered = {(order.wanted.layer, order.wanted.frame): order for order in made}
    rows = [ordered.get((one.layer, one.frame), one) for one in asked]
    if for_machines:
        facts = {
            "sheet": sheet.name,
            "frames": sheet.frames,
            "layers": [layer.name for layer in sheet.layers],
            "wanted": [_facts(sheet, row) for row in rows],
            "left": _left_facts(sheet, left),
            "notes": list(sheet.notes),
        }
        sys.stdout.write(json.dumps(facts, indent=1) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for heading in ("layer", "frame", "shown for", "between", "at", "drawing"):
        table.add_column(heading, justify="left" if heading in ("layer", "between") else "right")
    for row in rows:
        one = row.wanted if isinstance(row, Order) else row
        drawing = f"{row.drawing} (again)" if isinstance(row, Order) and row.shows else row.drawing or "new"
        between = f"{shown(one.before.drawing)} and {shown(one.after.drawing)}"
        told = (shown(sheet.layers[one.layer].name), str(one.frame + 1), str(one.frames), between, str(one.t), shown(drawing))
        table.add_row(*map(escape, told))
    if rows:
        console.print(table)
    for line in _left_lines(sheet, left):
        console.print(line, markup=False)
    if not rows and not left:
        console.print("the sheet asks for no in-between")


def _report(args: Namespace, sheet: Sheet, target: Path, made: Sequence[Order], left: Sequence[Left], console: Console) -> None:
    for line in _left_lines(sheet, left):
        console.print(escape(line))
    new = sum(not order.shows for order in made)
    if made:
        console.print(escape(f"{target}: {new} new {'cel' if new == 1 else 'cels'}, {len(left)} left"))
    else:
        console.print(escape(f"{target}: not written, nothing could be made" if left else f"{target}: nothing to make"))
    if args.json:
        facts = {
            "sheet": str(target) if made or not left else None,
            "made": [_facts(sheet, order) for order in made],
            "left": _left_facts(sheet, left),
            "notes": list(sheet.notes),
        }
        sys.stdout.write(json.dumps(facts) + "\n")
