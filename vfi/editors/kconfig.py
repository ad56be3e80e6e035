"""Entries added to a KConfig file (INI with escapes, as KDE's programs write it), and taken out to the byte.

What others wrote is never touched. The entries stand in a block of their own at the end, since KConfig joins groups of one
name; a program that writes the file anew sorts them into its groups, from where they can be taken as well. Knows nothing of
what the entries mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..core import InputError

BEGIN = b"# Inbetween: begin"
END = b"# Inbetween: end"
NEW = b", in a new file"
UNENDED = b", after a line without end"

TAKEN = b""
"""Stands for an entry that was taken away, until its group is looked at."""


def added(before: bytes | None, entries: Mapping[str, Mapping[str, str]], mark: str) -> bytes:
    """The file with ``entries``, by group and key; ``before`` is None if there is no file yet.

    Every key starts with ``mark``: entries of that mark which are there already are replaced. Raises `InputError` if the file
    is locked.
    """
    assert all(key.startswith(mark) for group in entries.values() for key in group)
    clean = None if before is None else removed(before, mark)
    if clean is not None and any(line.strip().startswith(b"[$i") or b"][$i" in line for line in clean.splitlines()):
        raise InputError("the file has locked entries, [$i]: remove the lock, since KDE ignores later entries")
    head, rest = (BEGIN + NEW, b"") if clean is None else (BEGIN, clean)
    if rest and not rest.endswith(b"\n"):
        head, rest = head + UNENDED, rest + b"\n"
    lines = [head]
    for group, values in entries.items():
        lines.append(f"[{group}]".encode())
        lines += [f"{key}={escaped(value)}".encode() for key, value in values.items()]
    return rest + b"\n".join([*lines, END, b""])


def removed(text: bytes, mark: str) -> bytes | None:
    """The file without the entries of ``mark``; None if nothing else is in it and nobody had it before."""
    kept: list[bytes] = []
    changed = existed = unended = False
    begun: int | None = None
    for line in text.splitlines(keepends=True):
        bare = line.strip()
        if bare.startswith(BEGIN):
            changed, existed, unended, begun = True, existed or NEW not in bare, UNENDED in bare, len(kept)
        elif bare == END and begun is not None:
            kept[begun:] = _filled(kept[begun:])
            if unended and len(kept) == begun and kept:
                kept[-1] = kept[-1].removesuffix(b"\n")
            begun = None
        elif bare.startswith(mark.encode()) and b"=" in bare:
            changed = True
            kept.append(TAKEN)
        else:
            kept.append(line)
    if not changed:
        return text
    left = b"".join(_filled(kept, only_taken=True))
    return left if existed or left.strip() else None


def _filled(lines: list[bytes], *, only_taken: bool = False) -> list[bytes]:
    """Lines without the groups that hold no entry; ``only_taken``: without those that lost one."""
    groups: list[list[bytes]] = [[]]
    for line in lines:
        if line.lstrip().startswith(b"["):
            groups.append([])
        groups[-1].append(line)
    found: list[bytes] = list(groups[0])
    for group in groups[1:]:
        if any(line.strip() for line in group[1:]) or (only_taken and TAKEN not in group):
            found += group
    return [line for line in found if line != TAKEN]


def escaped(value: str) -> str:
    """A value as KConfig writes it. Raises `InputError` for control characters."""
    if not value.isprintable():
        raise InputError(f"{value!r} has control characters: give a path without")
    text = value.replace("\\", "\\\\")
    return f"\\s{text[1:]}" if text.startswith(" ") else text


def entry(text: bytes, group: str, key: str) -> str | None:
    """The value of an entry, the last one if there are several."""
    found, here = None, ""
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith(b"["):
            here = bare[1:].partition(b"]")[0].decode(errors="replace")
        elif here == group and bare.partition(b"=")[0].strip() == key.encode() and b"=" in bare:
            value = bare.partition(b"=")[2].decode(errors="replace").strip()
            found = re.sub(r"\\(.)", lambda part: {"s": " ", "\\": "\\"}.get(part[1], part[0]), value)
    return found
