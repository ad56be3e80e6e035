"""Makes the cels that are ordered, and writes them below the folder of the output.

Owns what may be written there. Knows nothing of sheets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePath

import torch
from rich.console import Console

from ..clips.clip import Info, Staged, unbound
from ..clips.images import ImageEncoder
from ..core import InputError, Interpolator
from ..model.load import Choice, build, spec_of
from ..ops import kinds
from ..pixels.transfer import Transfer
from ..render.cels import Tweener
from ..sheets.orders import Order
from ..sheets.wanted import Left
from .files import same_file
from .progress import MAKING, bar


@dataclass(frozen=True)
class Maker:
    """Makes cels below ``folder`` with a model; ``batch`` is the number of cels made at once, None for that of the device."""

    folder: Path
    choice: Choice
    device: torch.device
    batch: int | None
    console: Console

    def check(self, names: Iterable[str | PurePath], sheet: Path, orders: Sequence[Order], overwrite: bool) -> None:
        """Raises `InputError` if one of the files to write exists, unless ``overwrite`` allows it and it is no input."""
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        if not there.is_dir():
            raise InputError(f"{there} is a file: the output must be a folder")
        inputs = [sheet, *{cel.path for order in orders for cel in (order.before, order.after)}]
        for path in (self.folder / name for name in names):
            if not path.exists():
                continue
            if any(same_file(one, path) for one in inputs):
                raise InputError(f"{path} is an input: give another folder for the output")
            if not overwrite:
                raise InputError(f"{path} exists already: give another folder, or --overwrite to replace it")

    def made(self, orders: Sequence[Order]) -> tuple[list[Order], list[Left]]:
        """The orders whose cels exist in the end, and those that could not be made. Raises `InputError` for the model."""
        todo = sorted((order for order in orders if not order.shows), key=_pair)
        if todo:
            spec_of(self.choice)
        tweener = Tweener(_Models(self.choice, self.device).of, self.batch or kinds.batch(self.device))
        failed: dict[PurePath, str] = {}
        with bar(MAKING, len(todo), self.console) as at:
            done = 0
            for (_, before, after), group in groupby(todo, key=_pair):
                some = sorted(group, key=lambda order: order.wanted.t)
                made = 0
                try:
                    info, frames = tweener.between(before, after, [order.wanted.t for order in some])
                    for order, frame in zip(some, frames, strict=True):
                        path = self.folder / order.file
                        self.write(path, ImageEncoder(path.suffix.lower(), info).encoded(frame))
                        made += 1
                        at(done + made)
                except InputError as error:
                    failed |= {order.file: str(error) for order in some[made:]}
                done += len(some)
        left = [
            Left(order.wanted.layer, order.wanted.frame, order.drawing, failed[order.file])
            for order in orders
            if order.file in failed
        ]
        return [order for order in orders if order.file not in failed], left

    def write(self, path: Path, data: bytes) -> None:
        """Write a file, whole or not at all. Raises `InputError`."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path.parent} cannot be made: {error.strerror}") from error
        Staged(path).filled(data)


class _Models:
    """The models of a choice for cels of every kind; each is loaded once."""

    def __init__(self, choice: Choice, device: torch.device) -> None:
        self._choice, self._device = choice, device
        self._loaded: dict[tuple[float, Transfer | None], Interpolator] = {}

    def of(self, info: Info) -> Interpolator:
        """The model for a kind of cels. Raises `InputError`."""
        size, transfer = (info.height, info.width), unbound(info)
        key = self._choice.options(size).scale, transfer
        if key not in self._loaded:
            self._loaded[key] = build(self._choice, self._device, size, transfer)
        return self._loaded[key]


def _pair(order: Order) -> tuple[int, Path, Path]:
    return order.wanted.layer, order.before.path, order.after.path
