"""Tells the files that a command reads from those that it writes, before any work is done.

Knows nothing of what the files hold.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ..clips.clip import is_pattern
from ..clips.images import image_files
from ..clips.standard import is_standard
from ..core import InputError
from ..model import load
from .question import agreed


def add_overwrite(parser: ArgumentParser, *outputs: str) -> None:
    """Declare that the arguments ``outputs`` name files that are written, and the option to replace existing ones."""
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    parser.set_defaults(writes=outputs)


def tell_apart(args: Namespace) -> None:
    """Check every output that ``args`` name, see `add_overwrite`, against all inputs, all other outputs and existing files.

    On a terminal the user is asked about an existing file. Raises `InputError`.
    """
    named = [(name, path) for name in getattr(args, "writes", ()) if (path := getattr(args, name)) is not None]
    outputs = [path for name, path in named if name != "output" or not is_standard(path)]
    read = {known for path in _inputs(args) for known in _identities(path)} if outputs else set()
    written: dict[object, Path] = {}
    for path in outputs:
        if is_standard(path):
            raise InputError("- was given as an output: only the clip itself can go to standard output, give a name")
        pattern = is_pattern(path)
        place = path.parent if pattern else path
        there = _identity(place)
        if there is not None and there in read:
            raise InputError(f"{path} is an input: give the output another name")
        for known in filter(None, (there, os.path.realpath(place))):
            if written.setdefault(known, path) is not path:
                raise InputError(f"{written[known]} and {path} are one output: give each a name of its own")
    for path in outputs:
        something = path.is_file() and path.stat().st_size > 0  # an empty file, as of `mktemp`, is nothing to lose
        if something and not getattr(args, "overwrite", True) and not agreed(f"{path} exists already: replace it?"):
            raise InputError(f"{path} exists already: give another name, or --overwrite to replace it")


def _inputs(args: Namespace) -> Iterator[Path]:
    """Every file, folder or pattern that an argument may name, and the files of the models."""
    for name, value in vars(args).items():
        if name in args.writes:
            continue
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, str | Path):
                yield Path(one)
                if isinstance(one, str) and "=" in one:  # PREFIX=FILE of `vfi models convert`
                    yield Path(one.partition("=")[2])
    for model in (getattr(args, "model", None), *(getattr(args, "consensus", None) or ())):
        with suppress(InputError, OSError, ValueError):
            if model is not None and isinstance(file := load.source(model), Path):
                yield file


def _identities(path: Path) -> Iterable[object]:
    """The identities of a file, or of a folder and its images; none if there is nothing of this name."""
    with suppress(OSError, ValueError, RuntimeError):
        path = path.expanduser()
        if path.is_dir() or (is_pattern(path) and path.parent.is_dir()):
            with suppress(InputError):
                yield from map(_identity, image_files(path))
        yield _identity(path)


def _identity(path: Path) -> object:
    """A value that is equal for two names of one file; None if there is no such file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def same_file(one: str | Path, other: Path) -> bool:
    """Whether two names are those of one existing file."""
    found = _identity(Path(one).expanduser())
    return found is not None and found == _identity(other)
