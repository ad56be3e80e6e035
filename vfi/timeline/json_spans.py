"""JSON that is edited in place: values know where they stand in the text, and only what is edited changes.

Owns parsing within bounds, and edits in the document's own style. Refuses deep or huge documents. Knows no format. As
OpenTimelineIO's own reader does, it takes NaN and Infinity for numbers.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..core import InputError
from .edits import Edit, edited, place

DEEPEST = 200
"""The deepest nesting of values."""

LARGEST = 256 * 2**20
"""The most bytes of a document."""

_TOKEN = re.compile(
    r"(?P<mark>[{}\[\],:])"
    r'|(?P<string>"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![0-9A-Za-z.+-])"
    r"|(?P<word>-?[A-Za-z]{1,8})(?![0-9A-Za-z])"
)
_LINE_END = re.compile(r"\n")
_INDENT = re.compile(r"[ \t]*")
_SPACE = re.compile(r"[ \t\r\n]*")
_STYLE = re.compile(r"[ \t\r\n]*[\[{](\r?\n)?([ \t]*)\"[^\"\\]{0,200}\"([ \t]{0,8}:[ \t]{0,8})")

WORDS = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
    "Inf": math.inf,
    "-Inf": -math.inf,
}


def unquoted(text: str) -> str:
    """The string that a literal stands for. Raises `ValueError` for an unknown escape."""
    return json.loads(text) if "\\" in text else text[1:-1]


@dataclass(eq=False)
class Value:
    """A value of a `Json`, which stands from ``begin`` to before ``end``; ``kind`` is object, array, string, number or word.

    ``members`` are an object's fields, ``items`` an array's values; ``keys`` tell where a field begins.
    """

    kind: str
    begin: int
    end: int = 0
    text: str = ""
    members: dict[str, Value] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    items: list[Value] = field(default_factory=list)

    def get(self, *names: str) -> Value | None:
        """A field, a field of it, and so on; None if one is missing or null."""
        found: Value | None = self
        for name in names:
            found = None if found is None else found.members.get(name)
        return None if found is None or found.text == "null" else found

    def string(self, *names: str) -> str:
        """A field that is a string; empty if it is missing or something else."""
        found = self.get(*names)
        return unquoted(found.text) if found is not None and found.kind == "string" else ""

    def number(self, *names: str) -> float | None:
        """A field that is a number; None if it is missing or something else."""
        found = self.get(*names)
        if found is None or found.kind not in ("number", "word"):
            return None
        value = float(found.text) if found.kind == "number" else WORDS[found.text]
        return value if isinstance(value, float) else None

    def flag(self, name: str, default: bool) -> bool:
        """A field that is true or false."""
        found = self.get(name)
        return default if found is None or found.text not in ("true", "false") else found.text == "true"

    def all(self, *names: str) -> list[Value]:
        """The values of a field that is an array."""
        found = self.get(*names)
        return [] if found is None else found.items


class Json:
    """A JSON document, and edits of it, which may not overlap. Raises `InputError`; ``what`` names the file."""

    def __init__(self, data: bytes, what: str) -> None:
        if len(data) > LARGEST:
            raise InputError(f"{what} has {len(data)} bytes: a JSON document may have at most {LARGEST}")
        self._what = what
        self._bom = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
        try:
            self._text = data[len(self._bom) :].decode()
        except UnicodeDecodeError as error:
            raise InputError(f"{what} is not UTF-8 at byte {error.start}: a JSON document must be UTF-8") from error
        self._edits: list[Edit] = []
        self.root = self._parse()
        style = _STYLE.match(self._text)
        self._line: str | None = style[1] if style else None
        self._step: str = style[2] if style else ""
        self._colon: str = style[3] if style else ": "

    def _fail(self, at: int, why: str) -> InputError:
        return InputError(f"{self._what} is not valid JSON at {place(self._text, at)}: {why}")

    def _tokens(self) -> Iterator[tuple[str, str, int, int]]:
        at = 0
        while True:
            space = _SPACE.match(self._text, at)
            at = space.end() if space else at
            if at == len(self._text):
                return
            found = _TOKEN.match(self._text, at)
            if found is None or found.lastgroup is None:
                raise self._fail(at, "this is no value")
            text, end = found[0], found.end()
            if found.lastgroup == "word" and text not in WORDS:
                raise self._fail(at, "this is no value")
            yield found.lastgroup, text, at, end
            at = end

    def _parse(self) -> Value:
        """Values are opened and closed on a stack of our own, so that depth costs no recursion."""
        opened: list[tuple[Value, str, int]] = []  # each with the key that waits for its value
        roots: list[Value] = []
        wanted, key, key_at = "value", "", 0
        for kind, text, begin, end in self._tokens():
            inside = opened[-1][0] if opened else None
            if wanted == "end":
                raise self._fail(begin, "the document has ended before")
            if wanted in ("key", "key or end") and kind == "string":
                key, key_at, wanted = self._unquoted(text, begin), begin, "colon"
            elif wanted == "colon" and text == ":":
                wanted = "value"
            elif wanted == "comma" and text == "," and inside:
                wanted = "key" if inside.kind == "object" else "value"
            elif (
                inside
                and text == ("}" if inside.kind == "object" else "]")
                and wanted in ("comma", "key or end", "value or end")
            ):
                inside.end = end
                _, key, key_at = opened.pop()
                wanted = "comma" if opened else "end"
            elif wanted in ("value", "value or end") and (kind != "mark" or text in "{["):
                value = Value({"{": "object", "[": "array"}.get(text, kind), begin, end, "" if kind == "mark" else text)
                if kind == "string":
                    self._unquoted(text, begin)
                if inside is None:
                    roots.append(value)
                elif inside.kind == "object":
                    inside.members[key], inside.keys[key] = value, key_at
                else:
                    inside.items.append(value)
                if kind == "mark":
                    if len(opened) >= DEEPEST:
                        raise InputError(f"{self._what} nests values deeper than {DEEPEST}: no timeline and no sheet does")
                    opened.append((value, key, key_at))
                    wanted = "key or end" if text == "{" else "value or end"
                else:
                    wanted = "comma" if opened else "end"
            else:
                raise self._fail(
                    begin, f"there must be a {wanted}" if wanted != "comma" else "there must be a comma or the end"
                )
        if wanted != "end":
            raise self._fail(len(self._text), "it ends too early")
        return roots[0]

    def _unquoted(self, text: str, begin: int) -> str:
        try:
            return unquoted(text)
        except ValueError as error:
            raise self._fail(begin, "this is no string") from error

    def line(self, value: Value) -> int:
        """The line of a value."""
        return bisect_right(self._ends, value.begin) + 1

    @cached_property
    def _ends(self) -> list[int]:
        return [found.start() for found in _LINE_END.finditer(self._text)]

    def source(self, value: Value) -> str:
        """The text of a value, as it stands."""
        return self._text[value.begin : value.end]

    def replace(self, value: Value, new: Any) -> None:
        """Replace a value. In ``new``, a `Value` stands for its own text."""
        self._edits.append((value.begin, value.end, self._written(new, self._indent(value.begin))))

    def put(self, inside: Value, name: str, new: Any) -> None:
        """Replace a field of an object, or add it as the first if it has none of that name."""
        if name in inside.members:
            self.replace(inside.members[name], new)
            return
        first = min(inside.keys.values(), default=None)
        if first is None:
            self.replace(inside, {name: new})
            return
        indent = self._indent(first)
        gap = self._text[inside.begin + 1 : first] or (" " if self._colon.endswith(" ") else "")
        self._edits.append((first, first, f"{json.dumps(name)}{self._colon}{self._written(new, indent)},{gap}"))

    def remove(self, array: Value, indexes: set[int]) -> None:
        """Remove values of an array, each with its comma."""
        kept = [item for index, item in enumerate(array.items) if index not in indexes]
        if not kept:
            self._edits.append((array.begin, array.end, "[]"))
            return
        gap = self._text[array.begin + 1 : array.items[0].begin]
        tail = self._text[array.items[-1].end : array.end]
        self._edits.append((array.begin, array.end, "[" + gap + f",{gap or ' '}".join(map(self.source, kept)) + tail))

    def _indent(self, at: int) -> str:
        """The white space at the beginning of the line in which a character stands."""
        begin = self._text.rfind("\n", 0, at) + 1
        space = _INDENT.match(self._text, begin)
        return space[0] if space else ""

    def _written(self, new: Any, indent: str) -> str:
        if isinstance(new, Value):
            return self.source(new)
        if isinstance(new, dict) and new:
            deeper = indent + self._step
            parts = [f"{json.dumps(name)}{self._colon}{self._written(value, deeper)}" for name, value in new.items()]
            if self._line is None:
                return "{" + (", " if self._colon.endswith(" ") else ",").join(parts) + "}"
            inner = f"{self._line}{deeper}"
            return "{" + inner + f",{inner}".join(parts) + f"{self._line}{indent}" + "}"
        return json.dumps(new)

    def edited(self) -> bytes:
        """The document with all edits."""
        return self._bom + edited(self._text, self._edits).encode()

    def clear(self) -> None:
        """Forget all edits."""
        self._edits.clear()
