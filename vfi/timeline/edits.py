"""Edits of a text by spans: what is not edited stays as it is.

Owns the order of edits and where lines lie. Knows no format.
"""

from __future__ import annotations

from collections.abc import Iterable

Edit = tuple[int, int, str]
"""The characters from the first to before the second are replaced by a text."""


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits, which may not overlap."""
    parts, at = list[str](), 0
    for begin, end, new in sorted(edits, key=lambda edit: edit[:2]):
        assert begin >= at, "two edits overlap"
        parts += [text[at:begin], new]
        at = end
    return "".join([*parts, text[at:]])


def place(text: str, at: int) -> str:
    """The line and column of a character, counted from 1."""
    line = text.count("\n", 0, at) + 1
    return f"line {line}, column {at - text.rfind(chr(10), 0, at)}"
