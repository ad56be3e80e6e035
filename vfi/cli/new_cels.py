"""Makes the cels that are ordered, below the folder of the output, by the model that the options choose.

Owns what may be written there. Knows nothing of sheets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import torch
from rich.console import Console

from ..clips.clip import Info, unbound
from ..core import InputError, Interpolator
from ..model.load import Choice, build, spec_of
from ..ops import kinds
from ..pixels.transfer import Transfer
from ..render.cels import Tweener, make
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

    def check(self, names: Iterable[str | PurePath], given: Sequence[Path], orders: Sequence[Order], overwrite: bool) -> None:
        """Raises `InputError` if one of the files to write exists, unless ``overwrite`` allows it and it is no input.

        ``given`` are the inputs besides the cels of the orders.
        """
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        if not there.is_dir():
            raise InputError(f"{there} is a file: the output must be a folder")
        inputs = [*given, *{cel.path for order in orders for cel in (order.before, order.after)}]
        for path in (self.folder / name for name in names):
            if not path.exists():
                continue
            if any(same_file(one, path) for one in inputs):
                raise InputError(f"{path} is an input: give another folder for the output")
            if not overwrite:
                raise InputError(f"{path} exists already: give another folder, or --overwrite to replace it")

    def made(self, orders: Sequence[Order]) -> tuple[list[Order], list[Left]]:
        """As `render.cels.make`, with a progress bar. Raises `InputError` for the model."""
        total = sum(not order.shows for order in orders)
        if total:
            spec_of(self.choice)
        tweener = Tweener(_Models(self.choice, self.device).of, self.batch or kinds.batch(self.device))
        with bar(MAKING, total, self.console) as at:
            return make(orders, tweener, self.folder, lambda done, _: at(done))


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
