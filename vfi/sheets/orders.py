"""Orders: for each in-between that is wanted, the cels to make it from, its number and its file.

Owns the numbering of new drawings. Knows nothing of pictures: whether cels fit each other is found when they are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count, groupby
from pathlib import PurePath

from ..core import InputError
from ..parse import shown
from .cels import Cel, Cels, number_of
from .sheet import Entry, Layer, Sheet
from .wanted import Left, Wanted


@dataclass(frozen=True)
class Order:
    """What is done for one tick: ``drawing`` is entered in the sheet, and ``file`` made below the output's folder.

    ``shows``: the drawing exists already, as a cel or as that of an earlier order, so that nothing is made.
    """

    wanted: Wanted
    drawing: str
    before: Cel
    after: Cel
    file: PurePath
    shows: bool = False


def undrawn(sheet: Sheet, cels: Cels) -> Sheet:
    """The sheet with a numbered tick for each drawing that has no cel and is not marked as a key."""

    def lacks(layer: Layer, entry: Entry) -> bool:
        if entry.mark != "drawing" or entry.key:
            return False
        try:
            return cels.find(layer.name, entry.drawing) is None
        except InputError:  # what has no number or several cels is told where it is used
            return False

    return replace(
        sheet,
        layers=[
            replace(
                layer,
                entries=tuple(replace(entry, mark="tick") if lacks(layer, entry) else entry for entry in layer.entries),
            )
            for layer in sheet.layers
        ],
    )


def orders(sheet: Sheet, wanted: Sequence[Wanted], cels: Cels, writable: Sequence[str]) -> tuple[list[Order], list[Left]]:
    """The orders for what is ``wanted``, layer by layer, and what cannot be made, since a cel is missing or unclear.

    A new drawing gets the number that the sheet gives it, else the next one after the drawing before it that is free in the
    sheet and among the cels. Its file is called like the cel before it; ``writable`` are the endings that can be kept, of which
    the first stands for any other.
    """
    times = Counter(layer.name for layer in sheet.layers)
    made: list[Order] = []
    left: list[Left] = []
    owners: dict[PurePath, str] = {}
    for index, group in groupby(wanted, key=lambda one: one.layer):
        layer, mine = sheet.layers[index], list(group)
        if times[layer.name] > 1:
            reason = f"{times[layer.name]} layers are called {shown(layer.name)}: give each a name of its own"
            left += [Left(index, one.frame, one.drawing, reason) for one in mine]
            continue
        clerk = _Clerk(layer, cels, writable)
        for one in sorted(mine, key=lambda one: (one.reverse, not one.drawing)):  # what others may show again comes first
            try:
                order = clerk.order(one)
                if (owner := owners.setdefault(order.file, layer.name)) != layer.name:
                    raise InputError(f"its file {order.file} is also one of layer {shown(owner)}: rename the cels of one layer")
                made.append(order)
            except InputError as error:
                left.append(Left(index, one.frame, one.drawing, str(error)))
    return sorted(made, key=_place), sorted(left, key=lambda one: (one.layer, one.frame))


def _place(order: Order) -> tuple[int, int]:
    return order.wanted.layer, order.wanted.frame


class _Clerk:
    """Numbers the new drawings of one layer."""

    def __init__(self, layer: Layer, cels: Cels, writable: Sequence[str]) -> None:
        self.layer, self.cels, self.writable = layer, cels, writable
        self.taken = {*cels.numbers(layer.name), *_numbers(layer)}
        self.known: dict[tuple[str, str, Fraction], str] = {}
        self.files: dict[tuple[int, str], PurePath] = {}

    def order(self, one: Wanted) -> Order:
        """The order for an in-between. Raises `InputError`."""
        before, after = (self._cel(entry.drawing) for entry in (one.before, one.after))
        ahead, back = (one.before.drawing, one.after.drawing, one.t), (one.after.drawing, one.before.drawing, 1 - one.t)
        drawing = one.drawing or self.known.get(back if one.reverse else ahead) or self._new(one)
        self.known.setdefault(ahead, drawing)
        key = number_of(drawing).key
        cel = self.cels.find(self.layer.name, drawing)
        if cel is not None:
            return Order(one, drawing, before, after, cel.path.relative_to(self.cels.folder), shows=True)
        ending = before.path.suffix if before.path.suffix.lower() in self.writable else self.writable[0]
        file = self.cels.new_name(self.layer.name, before, drawing, ending)
        shows = key in self.files
        return Order(one, drawing, before, after, self.files.setdefault(key, file), shows)

    def _cel(self, drawing: str) -> Cel:
        cel = self.cels.find(self.layer.name, drawing)
        if cel is None:
            raise InputError(f"drawing {shown(drawing)} has no cel in {self.cels.called}: an in-between needs both neighbours")
        return cel

    def _new(self, one: Wanted) -> str:
        """The next free number, which is taken now."""
        like = number_of(one.before.drawing)
        number = next(number for number in count(int(like.digits) + 1) if number not in self.taken)
        self.taken.add(number)
        return like.with_number(number)


def _numbers(layer: Layer) -> Iterator[int]:
    """The numbers that a layer holds."""
    for entry in layer.entries:
        if entry.drawing:
            try:
                yield int(number_of(entry.drawing).digits)
            except InputError:  # a drawing without a number takes none
                continue
