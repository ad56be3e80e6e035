"""Nodes of exposure sheets: one that reads a sheet and finds its cels, one that makes what the sheet asks for.

Files lie in ComfyUI's input folder or one below it, or come with the pack; new ones go to its output folder.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count as counted
from pathlib import Path, PurePath
from typing import Any

import folder_paths
import torch
from comfy_api.v0_0_2 import io

from ..vfi.clips.clip import IMAGE_ENDINGS, Info, unbound
from ..vfi.clips.images import WRITTEN
from ..vfi.clips.layers.open import LAYERED, is_layered, unpack
from ..vfi.core import Frame, InputError, Interpolator
from ..vfi.parse import quoted, shown
from ..vfi.pixels.alpha import premultiplied
from ..vfi.render.cels import Tweener, make, write
from ..vfi.render.exposed import Exposed, as_layers
from ..vfi.sheets.cels import Cels
from ..vfi.sheets.notes import place
from ..vfi.sheets.open import TABLES, read_sheet
from ..vfi.sheets.orders import Order, orders, undrawn
from ..vfi.sheets.sheet import Sheet
from ..vfi.sheets.wanted import SPACINGS, Left, Spacing, wanted
from ..vfi.timing.charts import Charts
from . import bridge, inputs
from .charts import ChartType
from .examples import FOLDER
from .load import usual
from .model import Drawing, Model, Several
from .node import Node

CATEGORY = "Inbetween/animation"
SheetType = io.Custom("INBETWEEN_SHEET")
EXAMPLE = "example"
"""The sheet and the cels that come with the pack."""

SHEETS = (".xdts", *(ending for ending in TABLES if ending != ".txt"))
PAPER = 1.0
"""The grey on which frames are shown."""


@dataclass(frozen=True)
class Desk:
    """Value of the socket: a sheet from the file ``path``, its cels, the orders for what it asks for, and what is left."""

    path: Path
    sheet: Sheet
    cels: Cels
    orders: tuple[Order, ...]
    left: tuple[Left, ...]
    notes: tuple[str, ...]


class LoadSheet(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenLoadSheet",
            display_name="Load Sheet",
            category=CATEGORY,
            description="Reads an animator's exposure sheet (XDTS or CSV) and finds the cels of its layers: in a folder, or as "
            "layers of an OpenRaster or Photoshop file.",
            search_aliases=["exposure sheet", "x-sheet", "timesheet", "xdts", "cels", "animation", "dope sheet", "psd", "ora"],
            inputs=[
                io.Combo.Input(
                    "sheet",
                    options=[EXAMPLE, *_files(SHEETS)],
                    default=EXAMPLE,
                    tooltip="A sheet in ComfyUI's input folder or one below it: XDTS or CSV. example comes with the pack.",
                ),
                io.Combo.Input(
                    "cels",
                    options=[EXAMPLE, *_folders(), *_files(LAYERED)],
                    default=EXAMPLE,
                    tooltip="A folder of cels in ComfyUI's input folder, such as A/0001.png or A0001.png for layer A, or an "
                    ".ora or .psd file with a group per layer and a layer per drawing.",
                ),
                io.Combo.Input(
                    "spacing",
                    options=list(SPACINGS),
                    default="ticks",
                    tooltip="ticks: those between two drawings divide the way evenly. frames: each lies where its frame "
                    "lies in time, holds included.",
                ),
                io.Boolean.Input(
                    "missing",
                    display_name="make missing",
                    default=False,
                    tooltip="Also make the drawings that the sheet numbers and the cels lack, except those that it marks as "
                    "keys.",
                ),
                ChartType.Input(
                    "charts",
                    optional=True,
                    tooltip="How far along the ticks between two drawings lie: from Spacing Chart, with a part for each layer, "
                    "by its name.",
                ),
            ],
            outputs=[
                SheetType.Output("sheet", tooltip="The sheet with its cels, for In-Between Cels."),
                io.Int.Output("count", tooltip="Number of new cels that the sheet asks for."),
                io.String.Output("report", tooltip="What the sheet asks for, one line each, and what cannot be made."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, sheet: str, cels: str, **options: Any) -> str:
        paths = [_sheet(sheet), *sorted(_cels(cels).rglob("*") if _cels(cels).is_dir() else [_cels(cels)])]
        times = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths if path.exists()]
        return repr((sheet, cels, times, sorted(options.items())))

    @classmethod
    def execute(cls, sheet: str, cels: str, spacing: Spacing, missing: bool, charts: Charts | None = None) -> io.NodeOutput:
        path, source = _sheet(sheet), _cels(cels)
        read = read_sheet(path)
        layers, notes = [layer.name for layer in read.layers], list(read.notes)
        folder, called = source, source.name
        if is_layered(source):
            folder = Path(folder_paths.get_temp_directory()) / f"inbetween_{secrets.token_hex(8)}"
            folder.mkdir(parents=True)
            notes += unpack(source, folder)
        found = Cels(folder, layers, IMAGE_ENDINGS, called)
        asked, left = wanted(undrawn(read, found) if missing else read, spacing, charts)
        ordered, lacking = orders(read, asked, found, tuple(WRITTEN))
        left = sorted([*left, *lacking], key=lambda one: (one.layer, one.frame))
        desk = Desk(path, read, found, tuple(ordered), tuple(left), tuple(notes))
        new = sum(not order.shows for order in ordered)
        return io.NodeOutput(desk, new, "\n".join([*_asked(desk), *_told(desk.sheet, left, notes)]))


class InBetweenCels(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenCels",
            display_name="In-Between Cels",
            category=CATEGORY,
            description="Makes every in-between that an exposure sheet asks for, and writes the new cels and the sheet with "
            "their numbers to a new folder in ComfyUI's output folder.",
            search_aliases=["in-between", "tween cels", "exposure sheet", "animation", "xdts", "ora", "line art"],
            inputs=[
                inputs.model_input("The model that makes the in-betweens."),
                SheetType.Input("sheet", tooltip="From Load Sheet."),
                io.String.Input(
                    "folder",
                    default="cels",
                    tooltip="Name of the new folder in ComfyUI's output folder; a number follows it. Nothing is overwritten.",
                ),
                io.Boolean.Input(
                    "ora",
                    display_name="also as .ora",
                    default=True,
                    tooltip="Also write all cels, old and new, as layers of one OpenRaster file, for Krita, GIMP and others.",
                ),
                inputs.drawing_input(),
            ],
            is_output_node=True,
            outputs=[
                io.Image.Output("images", tooltip="Every frame of the sheet, with all its layers, on white paper."),
                io.Mask.Output("alpha", tooltip="One mask per frame: white where a cel is, black where only paper is."),
                io.Int.Output("count", tooltip="Number of new cels."),
                io.String.Output("report", tooltip="Where the new cels are, and what could not be made, one line each."),
            ],
        )

    @classmethod
    def execute(
        cls,
        sheet: Desk,
        folder: str,
        ora: bool,
        drawing: str = "auto",
        model: Model | Several | None = None,
    ) -> io.NodeOutput:
        target = _free(folder)
        chosen = Drawing(usual(model), drawing)
        ready: dict[Any, Interpolator] = {}

        def model_of(info: Info) -> Interpolator:
            key = (info.height, info.width), unbound(info)
            if key not in ready:
                ready[key] = chosen.ready(*key)
            return ready[key]

        show = bridge.progress(sum(not order.shows for order in sheet.orders))
        made, failed = make(sheet.orders, Tweener(model_of), target, show)
        left = sorted([*sheet.left, *failed], key=lambda one: (one.layer, one.frame))
        if made or not left:
            entered = {where: order.drawing for order in made for where in order.wanted.places}
            write(target / sheet.path.name, sheet.sheet.entered(entered))
            if ora:
                write(target / f"{sheet.path.stem}.ora", as_layers(sheet.sheet, sheet.cels, made, target))
        exposed = Exposed(sheet.sheet, sheet.cels, made, target)
        size = exposed.size()
        bridge.room(sheet.sheet.frames, (*size, 4))
        images, alpha = torch.empty(sheet.sheet.frames, *size, 3), torch.empty(sheet.sheet.frames, *size)
        for index, frame in enumerate(bridge.heard(exposed.frames(size))):
            images[index], alpha[index] = _on_paper(frame)
        new = sum(not order.shows for order in made)
        first = f"{target.name}: {new} new {'cel' if new == 1 else 'cels'}, {len(left)} left"
        return io.NodeOutput(images, alpha, new, "\n".join([first, *_told(sheet.sheet, left, sheet.notes)]))


def _on_paper(frame: Frame) -> tuple[torch.Tensor, torch.Tensor]:
    assert frame.alpha is not None
    return (premultiplied(frame) + PAPER * (1 - frame.alpha)).movedim(0, -1).clamp(0, 1), frame.alpha[0]


def _asked(desk: Desk) -> Iterator[str]:
    for order in desk.orders:
        one = order.wanted
        again = " (again)" if order.shows else ""
        between = f"{shown(one.before.drawing)} and {shown(one.after.drawing)}"
        where = place(desk.sheet.layers[one.layer].name, one.frame)
        yield f"{where}: drawing {shown(order.drawing)}{again}, {one.t} between {between}"


def _told(sheet: Sheet, left: Iterable[Left], notes: Iterable[str]) -> Iterator[str]:
    for one in left:
        drawing = f", drawing {shown(one.drawing)}" if one.drawing else ""
        yield f"left: {place(sheet.layers[one.layer].name, one.frame)}{drawing}: {one.reason}"
    yield from (f"note: {note}" for note in notes)


def _input() -> Path:
    return Path(folder_paths.get_input_directory())


def _sheet(name: str) -> Path:
    return FOLDER / "cut.xdts" if name == EXAMPLE else _input() / name


def _cels(name: str) -> Path:
    return FOLDER / "cut.ora" if name == EXAMPLE else _input() / name


def _files(endings: tuple[str, ...]) -> list[str]:
    """The files with these endings in the input folder and the folders in it."""
    there = _input()
    found = (path for pattern in ("*", "*/*") for path in there.glob(pattern) if path.suffix.lower() in endings)
    return sorted(path.relative_to(there).as_posix() for path in found if path.is_file() and not path.name.startswith("."))


def _folders() -> list[str]:
    """The folders in the input folder, and those in them."""
    there = _input()
    found = (path for pattern in ("*", "*/*") for path in there.glob(pattern) if path.is_dir())
    return sorted(path.relative_to(there).as_posix() for path in found if not path.name.startswith("."))


def _free(name: str) -> Path:
    """The first folder of this name and a number that does not exist. Raises `InputError` if it is no plain name."""
    if (
        not name.strip(" .")
        or name.strip() != name
        or PurePath(name).name != name
        or not name.isprintable()
        or any(sign in name for sign in '\\/:*?"<>|')
    ):
        raise InputError(f"{quoted(name)} was given as a folder: it must be a plain name")
    places = (Path(folder_paths.get_output_directory()) / f"{name}_{number:05d}" for number in counted(1))
    return next(path for path in places if not path.exists())
