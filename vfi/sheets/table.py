"""Sheets as CSV: a row per frame, whose number comes first, and a column per layer under its name.

Owns the signs that cells hold, and edits of cells in place. Knows nothing of cels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..core import InputError
from ..parse import quoted, shown
from ..timeline.edits import Edit, edited
from .notes import Notes
from .sheet import Column, Entry, Layer, Mark, Place, Sheet
from .text import Text, decoded

SEPARATORS = ",\t;"
SIGNS: dict[str, Mark] = {
    **dict.fromkeys(("", "-", "|", "ー", "―", "—", "｜", "│", "SYMBOL_HYPHEN"), "hold"),
    **dict.fromkeys(("x", "X", "×", "✕", "SYMBOL_NULL_CELL"), "empty"),
    **dict.fromkeys(("○", "◯", "〇", "SYMBOL_TICK_1"), "tick"),
    **dict.fromkeys(("●", "SYMBOL_TICK_2"), "reverse"),
}
"""What a cell means. A cell with a digit is a drawing; with a circle before or after its number, a tick that is numbered."""

KEPT = {
    **dict.fromkeys(("dialog", "dialogue", "serif", "台詞", "セリフ"), "dialogue"),
    **dict.fromkeys(("camera", "camerawork", "カメラ", "カメラワーク"), "camera"),
}
"""The headings of columns that are no layers, in lower case."""

MOST = 1_000_000
"""The most rows of a sheet."""

_ROW = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True)
class Cell:
    """A cell from ``begin`` to before ``end`` of the text, its quotes included; ``text`` is without them."""

    begin: int
    end: int
    text: str


@dataclass(frozen=True)
class TableSheet(Sheet):
    """A sheet in CSV: ``data`` is its file; ``ticks`` are the cells with ticks."""

    data: bytes
    text: Text
    ticks: Mapping[Place, Cell]

    def entered(self, drawings: Mapping[Place, str]) -> bytes:
        if not drawings:
            return self.data
        edits: list[Edit] = []
        for place, drawing in drawings.items():
            cell = self.ticks.get(place)
            if cell is None:
                continue
            plain = drawing.isalnum() and not self.text.text.startswith('"', cell.begin)
            doubled = drawing.replace('"', '""')
            edits.append((cell.begin, cell.end, drawing if plain else f'"{doubled}"'))
        return self.text.encoded(edited(self.text.text, edits))


def read_table(data: bytes, what: str) -> TableSheet:
    """Read a sheet. ``what`` names the file. Raises `InputError`."""
    text = decoded(data, what)
    rows = list(_rows(text.text, what))
    first = next((index for index, row in enumerate(rows) if _ROW.fullmatch(row[0].text.strip())), None)
    if not first:
        told = "has no row that begins with its number" if first is None else "begins with a row of cells"
        raise InputError(f"{what} {told}: a CSV sheet has a row of headings, then a row per frame with its number first")
    names = [cell.text.strip() for cell in rows[first - 1]]
    groups = _spread([cell.text.strip() for cell in rows[first - 2]] if first > 1 else [], len(names))
    frames, rows = _frames(rows[first:], what)
    notes = Notes()
    layers: list[Layer] = []
    columns: list[Column] = []
    ticks: dict[Place, Cell] = {}
    filled: dict[int, list[tuple[int, Cell]]] = {}
    for frame, row in zip(frames, rows, strict=True):
        for column, cell in enumerate(row):
            if cell.text.strip():
                filled.setdefault(column, []).append((frame, cell))
    for column in range(1, len(names)):
        found = filled.get(column, [])
        name = names[column]
        kind = KEPT.get(name.lower()) or KEPT.get(groups[column].lower())
        if kind:
            columns.append(Column(kind, name or groups[column], tuple((frame, cell.text) for frame, cell in found)))
        elif name or found:
            name = name or f"column {column + 1}"
            entries = [_entry(name, frame, cell.text.strip(), notes) for frame, cell in found]
            marked = zip(entries, found, strict=True)
            ticks |= {(len(layers), frame): cell for entry, (frame, cell) in marked if entry.mark in ("tick", "reverse")}
            layers.append(Layer(name, tuple(entries)))
    return TableSheet("", frames[-1] + 1, layers, columns, notes.told(), data, text, ticks)


def _frames(rows: Sequence[list[Cell]], what: str) -> tuple[list[int], list[list[Cell]]]:
    """The frames of the rows, counted from 0, and the rows that have one. Raises `InputError` unless they rise."""
    numbers: list[int] = []
    kept: list[list[Cell]] = []
    for row in rows:
        told = row[0].text.strip()
        if not _ROW.fullmatch(told):
            if any(cell.text.strip() for cell in row):
                raise InputError(f"{what} has the row {quoted(told)} after row {numbers[-1]}: each must begin with its number")
            continue
        if numbers and int(told) <= numbers[-1]:
            raise InputError(f"{what} has row {int(told)} after row {numbers[-1]}: the numbers of its rows must rise")
        numbers.append(int(told))
        kept.append(row)
    begin = 0 if numbers[0] == 0 else 1
    return [number - begin for number in numbers], kept


def _spread(groups: list[str], count: int) -> list[str]:
    """The heading above each column: one stands for all that follow it without their own."""
    spread: list[str] = []
    for index in range(count):
        own = groups[index] if index < len(groups) else ""
        spread.append(own or (spread[-1] if spread else ""))
    return spread


def _entry(layer: str, frame: int, text: str, notes: Notes) -> Entry:
    if text in SIGNS:
        return Entry(frame, SIGNS[text])
    signs = [sign for sign in (text[0], text[-1]) if SIGNS.get(sign) in ("tick", "reverse")]
    drawing = text.strip("".join(signs)).strip() if signs else text
    if any(letter.isdecimal() for letter in drawing):
        return Entry(frame, SIGNS[signs[0]] if signs else "drawing", drawing)
    notes.add(layer, frame, f"{shown(text)} is not known: it is kept, and counts as a hold")
    return Entry(frame, "hold")


def _rows(text: str, what: str) -> Iterator[list[Cell]]:
    """The rows of a text, without those that are empty. Raises `InputError`."""
    line = text.partition("\n")[0]
    separator = max(SEPARATORS, key=line.count)
    ends = re.compile(f"[{separator}\r\n]")
    at, row, number = 0, list[Cell](), 0
    while at < len(text):
        begin = at
        if text[at] == '"':
            at = _closed(text, at, what)
            value = text[begin + 1 : at - 1].replace('""', '"')
        else:
            found = ends.search(text, at)
            at = found.start() if found else len(text)
            value = text[begin:at]
        row.append(Cell(begin, at, value))
        if at < len(text) and text[at] == separator:
            at += 1
            if at < len(text) and text[at] not in "\r\n":
                continue
            row.append(Cell(at, at, ""))
        elif at < len(text) and text[at] not in "\r\n":
            raise InputError(f"{what}, row {number + 1}: text follows a closed quote: a quoted cell ends with its quote")
        number += 1
        if number > MOST:
            raise InputError(f"{what} has more than {MOST} rows: a sheet has one per frame")
        if any(cell.text for cell in row):
            yield row
        row = []
        at += 2 if text.startswith("\r\n", at) else 1


def _closed(text: str, begin: int, what: str) -> int:
    """Where the quoted cell that begins at ``begin`` ends. Raises `InputError`."""
    at = begin + 1
    while (at := text.find('"', at)) >= 0:
        if not text.startswith('""', at):
            return at + 1
        at += 2
    raise InputError(f"{what} has a quote in line {text.count(chr(10), 0, begin) + 1} that is never closed: close it")
