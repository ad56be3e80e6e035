"""XDTS, the exchange digital time sheet of Celsys and Toei: a line that names the format, then JSON.

Owns its symbols. Unknown fields, such as those of the sub-version p1, are kept as they stand. Knows nothing of cels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..core import InputError
from ..parse import quoted, shown
from ..timeline.json_spans import Json, Value, unquoted
from .notes import Notes
from .sheet import Column, Entry, Layer, Mark, Place, Sheet
from .text import Text, decoded

FIRST = "exchangeDigitalTimeSheet Save Data"
"""The first line of a file."""

VERSION = 5
FIELDS = {0: "cels", 3: "dialogue", 5: "camera"}
SYMBOLS: dict[str, Mark] = {
    "SYMBOL_NULL_CELL": "empty",
    "SYMBOL_HYPHEN": "hold",
    "SYMBOL_TICK_1": "tick",
    "SYMBOL_TICK_2": "reverse",
}
FIRST_COUNTS: tuple[Mark, ...] = ("tick", "reverse", "drawing", "empty")
"""Of several values of one entry, the first of these tells what it is."""

OPTIONS = ("OPTION_KEYFRAME", "OPTION_REFERENCEFRAME")
FURTHEST = 10**9
"""Frames and tracks are counted to here, forwards and back."""


@dataclass(frozen=True)
class XdtsSheet(Sheet):
    """A sheet in XDTS: ``data`` is its file, ``head`` its first line with its end; ``values`` are the lists of each entry."""

    data: bytes
    text: Text
    head: str
    json: Json
    values: Mapping[Place, list[Value]]

    def entered(self, drawings: Mapping[Place, str]) -> bytes:
        if not drawings:
            return self.data
        self.json.clear()
        for place, drawing in drawings.items():
            for values in self.values[place]:
                ticks = {index for index, item in enumerate(values.items) if _symbol(item) in ("tick", "reverse")}
                if ticks and any(_is_drawing(item) for item in values.items):
                    self.json.remove(values, ticks)
                    continue
                for index in ticks:
                    self.json.replace(values.items[index], drawing)
        return self.text.encoded(self.head + self.json.edited().decode().removeprefix("\n"))


def read_xdts(data: bytes, what: str) -> XdtsSheet:
    """Read a sheet: its first time table. ``what`` names the file. Raises `InputError`."""
    text = decoded(data, what)
    line = text.text.partition("\n")[0]
    if line.strip() != FIRST:
        raise InputError(f"{what} begins with {quoted(line.strip())}: an XDTS sheet begins with the line {FIRST}")
    head = text.text[: len(line) + 1]
    json = Json(("\n" + text.text[len(head) :]).encode(), what)  # an empty first line, so that errors name the right one
    return _Reader(json, what).sheet(data, text, head)


class _Reader:
    """Reads the JSON of one sheet."""

    def __init__(self, json: Json, what: str) -> None:
        self.json, self.what = json, what
        self.notes = Notes()
        self.layers: list[Layer] = []
        self.columns: list[Column] = []
        self.values: dict[Place, list[Value]] = {}

    def sheet(self, data: bytes, text: Text, head: str) -> XdtsSheet:
        root = self.json.root
        tables = self._all(root, "timeTables")
        if not tables:
            raise InputError(f"{self.what} holds no time table: an XDTS sheet has one in timeTables")
        table = tables[0]
        frames = self._whole(table, "duration")
        if frames < 1:
            raise InputError(f"{self.what}, line {self.json.line(table)}: duration is {frames}: it must be from 1 up")
        names = {self._whole(one, "fieldId"): self._all(one, "names") for one in self._all(table, "timeTableHeaders")}
        for field in self._all(table, "fields"):
            kind = self._whole(field, "fieldId")
            tracks = [(self._whole(track, "trackNo"), track) for track in self._all(field, "tracks")]
            for number, track in sorted(tracks, key=lambda one: one[0]):
                given = names.get(kind, [])
                name = _text(given[number]) if 0 <= number < len(given) else ""
                self._track(FIELDS.get(kind, "other"), name or f"track {number + 1}", track)
        return XdtsSheet(
            self._name(root, table),
            frames,
            self.layers,
            self.columns,
            [*self._general(root, tables), *self.notes.told()],
            data,
            text,
            head,
            self.json,
            self.values,
        )

    def _general(self, root: Value, tables: list[Value]) -> Iterator[str]:
        version = root.get("version")
        if version is not None and version.text.strip('"') != str(VERSION):
            yield f"{self.what} is of version {shown(version.text)}: it is read as version {VERSION}"
        if len(tables) > 1:
            kept = "the other is" if len(tables) == 2 else f"the other {len(tables) - 1} are"
            yield f"{self.what} holds {len(tables)} time tables: the first is read, {kept} kept"
        for layer in self.layers:
            early = sum(entry.frame < 0 for entry in layer.entries)
            if early:
                entries = "an entry" if early == 1 else f"{early} entries"
                yield f"layer {shown(layer.name)} has {entries} before the first frame: the last holds until the next entry"

    @staticmethod
    def _name(root: Value, table: Value) -> str:
        parts = [part for part in (root.string("header", "scene"), root.string("header", "cut")) if part]
        return table.string("name") or " ".join(parts)

    def _track(self, kind: str, name: str, track: Value) -> None:
        """Read a track, as a layer or as a column that is kept."""
        by_frame: dict[int, list[Value]] = {}
        for one in self._all(track, "frames"):
            by_frame.setdefault(self._whole(one, "frame"), []).extend(self._all(one, "data"))
        if kind != "cels":
            cells = tuple((frame, " ".join(self._texts(data))) for frame, data in sorted(by_frame.items()))
            self.columns.append(Column(kind, name, cells))
            return
        index = len(self.layers)
        self.layers.append(Layer(name, tuple(self._entry(name, frame, data) for frame, data in sorted(by_frame.items()))))
        for frame, data in by_frame.items():
            self.values[index, frame] = [values for one in data if (values := one.get("values")) is not None]

    def _entry(self, layer: str, frame: int, data: list[Value]) -> Entry:
        marks: list[Mark] = []
        drawings: list[str] = []
        for text in self._texts(data):
            if text in SYMBOLS:
                marks.append(SYMBOLS[text])
            elif text.startswith("SYMBOL_"):
                self.notes.add(layer, frame, f"{shown(text)} is not known: it is kept, and counts as a hold")
            elif text:
                drawings.append(text)
        options = [_text(option) for one in data for option in self._all(one, "options")]
        for option in options:
            if option not in OPTIONS:
                self.notes.add(layer, frame, f"the option {shown(option)} is not known: it is kept")
        if len(set(drawings)) > 1:
            self.notes.add(layer, frame, f"{len(drawings)} drawings are entered: the first counts")
        if drawings:
            marks.append("drawing")
        mark: Mark = next((one for one in FIRST_COUNTS if one in marks), "hold")
        drawing = drawings[0] if drawings else ""
        return Entry(frame, mark, drawing, "OPTION_KEYFRAME" in options, "OPTION_REFERENCEFRAME" in options)

    def _texts(self, data: list[Value]) -> list[str]:
        """The values of an entry, as texts."""
        return [_text(item) for one in data for item in self._all(one, "values")]

    def _all(self, value: Value, name: str) -> list[Value]:
        """A field that is a list; empty if it is missing. Raises `InputError`."""
        found = self._inside(value).get(name)
        if found is not None and found.kind != "array":
            raise self._wrong(found, f"{name} is {_told(found)}", "a list, [...]")
        return [] if found is None else found.items

    def _whole(self, value: Value, name: str) -> int:
        """A field that is a whole number. Raises `InputError`."""
        found = self._inside(value).members.get(name)
        if found is None:
            raise self._wrong(value, f"{name} is missing", "a whole number")
        number = value.number(name)
        if number is None or not number.is_integer() or abs(number) > FURTHEST:
            raise self._wrong(found, f"{name} is {_told(found)}", "a whole number")
        return int(number)

    def _inside(self, value: Value) -> Value:
        """An object. Raises `InputError` if the value is none."""
        if value.kind != "object":
            raise self._wrong(value, f"there is {_told(value)}", "an object, {...}")
        return value

    def _wrong(self, value: Value, what: str, allowed: str) -> InputError:
        return InputError(f"{self.what}, line {self.json.line(value)}: {what}: it must be {allowed}")


def _told(value: Value) -> str:
    return shown(value.text[:40]) if value.text else f"an {value.kind}"


def _text(value: Value) -> str:
    """A value that is a string, or the text of a number."""
    return unquoted(value.text).strip() if value.kind == "string" else value.text


def _symbol(value: Value) -> Mark | None:
    return SYMBOLS.get(_text(value))


def _is_drawing(value: Value) -> bool:
    text = _text(value)
    return bool(text) and not text.startswith("SYMBOL_")
