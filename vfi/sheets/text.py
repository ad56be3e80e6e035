"""The text of a sheet's file: its encoding is found, and kept when it is written.

Knows no format.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..core import InputError

LARGEST = 64 * 2**20
"""The most bytes of a sheet."""

_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
"""Byte order marks. Spreadsheets write what they call Unicode text as UTF-16."""


@dataclass(frozen=True)
class Text:
    """A text with the encoding of its file; ``mark`` is the byte order mark it begins with, or nothing."""

    text: str
    encoding: str
    mark: bytes

    def encoded(self, text: str) -> bytes:
        """Another text in the same encoding. A character of Shift-JIS that has two codes gets the usual one."""
        return self.mark + text.encode(self.encoding)


def decoded(data: bytes, what: str) -> Text:
    """The text of the file ``what``: UTF-8, or UTF-16 with a byte order mark, else Shift-JIS. Raises `InputError`."""
    if len(data) > LARGEST:
        raise InputError(f"{what} has {len(data)} bytes: a sheet may have at most {LARGEST}")
    mark = next(filter(data.startswith, _MARKS), b"")
    for encoding in (_MARKS[mark],) if mark else ("utf-8", "cp932"):
        try:
            return Text(data[len(mark) :].decode(encoding), encoding, mark)
        except UnicodeDecodeError:
            continue
    raise InputError(f"{what} is no text that can be read: a sheet must be UTF-8, UTF-16 or Shift-JIS")
