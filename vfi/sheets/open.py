"""Opens sheets: the format is recognised by its first line, then by its name.

Owns the list of formats.
"""

from __future__ import annotations

from pathlib import Path

from ..core import InputError
from .sheet import Sheet
from .table import read_table
from .text import LARGEST, decoded
from .xdts import FIRST, read_xdts

TABLES = (".csv", ".tsv", ".txt")
"""The endings of sheets as CSV."""


def read_sheet(path: Path) -> Sheet:
    """Read a sheet: XDTS or CSV. Raises `InputError`."""
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} has {path.stat().st_size} bytes: a sheet may have at most {LARGEST}")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    named = decoded(data, str(path)).text.lstrip().startswith(FIRST)
    return read_xdts(data, str(path)) if named or path.suffix.lower() not in TABLES else read_table(data, str(path))
