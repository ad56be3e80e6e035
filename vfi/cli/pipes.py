"""``-`` as the clip of a command: what cannot be piped is refused by name, and standard output is kept for the clip alone.

Knows nothing of what flows. `clips.standard` owns the two streams.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TextIO

from ..clips.clip import Y4M
from ..clips.standard import claimed, is_standard
from ..core import InputError

NO_SEEKING = {
    "resume": "--resume keeps chunks beside a file",
    "workers": "--workers make chunks of a file",
    "ray": "--ray makes chunks of a file",
}
"""Options that work on files alone, and why."""


@contextmanager
def joined(args: Namespace) -> Iterator[None]:
    """Within, a command runs whose input or output may be ``-``. Raises `InputError` if it cannot work on a pipe."""
    reads, writes = is_standard(getattr(args, "input", None)), is_standard(getattr(args, "output", None))
    if reads or writes:
        _refuse_files_only(args)
    elif getattr(args, "output", None) is not None and args.output.suffix.lower() == Y4M:
        _refuse_chunks(args)
    if reads:
        _refuse_two_passes(args)
        _refuse_terminal(sys.__stdin__, "input", "pipe a stream into it")
    if writes:
        _refuse_terminal(sys.__stdout__, "output", "pipe it into a program")
        if getattr(args, "json", False):
            raise InputError("--json was given with - as the output: both go to standard output, give a file")
    if is_standard(getattr(args, "first", None)) or any(map(is_standard, getattr(args, "others", None) or ())):
        raise InputError("- was given as an input: this command looks at its inputs before it joins them, give files")
    with claimed() if writes else nullcontext():
        yield


def _refuse_files_only(args: Namespace) -> None:
    for option, why in NO_SEEKING.items():
        if getattr(args, option, None):
            raise InputError(f"--{option} was given with -: {why}, and a pipe cannot seek, give a file")


def _refuse_chunks(args: Namespace) -> None:
    for option in NO_SEEKING:
        if getattr(args, option, None):
            raise InputError(f"--{option} was given with {args.output}: y4m is written in one go, give another kind of file")


def _refuse_two_passes(args: Namespace) -> None:
    """Commands that read their clip twice."""
    if hasattr(args, "find"):
        named = "--find" if args.find else "vfi loop"
        raise InputError(f"- was given as the input: {named} reads its clip twice, and a pipe can be read once, give a file")
    if hasattr(args, "without") and args.plan is None and not args.list:
        raise InputError("- was given as the input: vfi heal reads its clip twice, and a pipe can be read once, give a file")
    if hasattr(args, "worse"):
        raise InputError("- was given as the input: vfi audit reads its clip twice, and a pipe can be read once, give a file")
    if hasattr(args, "keys"):
        raise InputError("- was given as the input: vfi paint reads its clip twice, and a pipe can be read once, give a file")
    if getattr(args, "even", False) and args.plan is None:
        raise InputError("- was given as the input: --even reads its clip twice, and a pipe can be read once, give a file")
    if hasattr(args, "radius") and args.radius is None:
        raise InputError("- was given as the input: --radius auto reads its clip twice, give a number of pixels or a file")


def _refuse_terminal(stream: TextIO | None, name: str, advice: str) -> None:
    """Refuse a terminal, and a stream that was closed before the process began: another file may have its number by now."""
    if stream is None or stream.closed:
        raise InputError(f"- was given as the {name}, and standard {name} is closed: {advice}")
    if stream.isatty():
        raise InputError(f"- was given as the {name}, and standard {name} is a terminal: {advice}")
