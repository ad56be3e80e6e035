"""The parser of the ``vfi`` command, and the exit codes of its errors."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import torch

from .. import __version__
from ..clips.clip import DamagedError
from ..core import InputError
from ..render import malloc
from . import batch, files, pipes, progress

COMMANDS = (
    "interpolate",
    "retime",
    "conform",
    "tween",
    "sheet",
    "loop",
    "join",
    "heal",
    "steady",
    "paint",
    "audit",
    "shots",
    "flow",
    "models",
    "editors",
    "train",
    "bench",
    "compare",
    "tune",
    "serve",
)
"""All commands, which are modules of this package. Importing one takes time: only the one that is asked for is."""

UNFORESEEN = (ArithmeticError, MemoryError, RecursionError, OSError, ValueError, torch.OutOfMemoryError)
"""Unforeseen errors caused by an argument, an input or the machine, which become one sentence."""


def command(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = argparse.Namespace()
    try:
        with _ended_as_by_ctrl_c():
            words = sys.argv[1:] if arguments is None else arguments
            args, inputs = batch.parsed(_parser(words[0] if words and words[0] in COMMANDS else None), words)
            logging.basicConfig(level=logging.WARNING, format="vfi: %(message)s")
            malloc.take_over()
            if inputs is not None:
                return batch.run(args, inputs, _tried)
            with progress.shown(getattr(args, "progress", "bar")):
                return _run(args)
    except InputError as error:
        sys.stderr.write(f"vfi: {_advised(error, args)}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("vfi: interrupted\n")
        return 130
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # as rich ends
            return 141
        raise
    except BrokenPipeError:
        with suppress(OSError, ValueError):  # Python flushes once more when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except UNFORESEEN as error:
        sys.stderr.write(f"vfi: {_unforeseen(error)}\n")
        return 2


@cache
def _parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands or of ``only`` one, made once: each has hundreds of options."""
    parser = argparse.ArgumentParser(prog="vfi", description="Make in-between frames for video.")
    parser.add_argument("--version", action="version", version=f"vfi {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS if only is None else (only,):
        importlib.import_module(f".{name}", __package__).add_parser(commands)
    return parser


def _run(args: argparse.Namespace) -> int:
    """Run the command on one input."""
    files.tell_apart(args)
    with pipes.joined(args):
        code: int = args.run(args)
        sys.stdout.flush()  # else a closed pipe shows only after the end
    return code


def _tried(args: argparse.Namespace) -> tuple[int, str | None]:
    """Run the command on one of several inputs: its exit code, and an error in a sentence."""
    try:
        return _run(args), None
    except InputError as error:
        return 2, _advised(error, args)
    except BrokenPipeError:
        raise
    except UNFORESEEN as error:
        return 2, _unforeseen(error)


def _advised(error: InputError, args: argparse.Namespace) -> str:
    """An error, with advice if the command knows how to go on."""
    return (
        f"{error}: --damaged-ok uses the readable part"
        if isinstance(error, DamagedError) and "damaged_ok" in args
        else f"{error}"
    )


def _unforeseen(error: BaseException) -> str:
    """An unforeseen error in one sentence; its traceback is printed if that is wanted."""
    if os.environ.get("VFI_DEBUG"):
        traceback.print_exc()
    return f"{_in_words(error)} (VFI_DEBUG=1 shows where)"


def _in_words(error: BaseException) -> str:
    """An unforeseen error in one sentence."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return "there is not enough memory: smaller frames, a smaller batch or fewer workers need less"
    if isinstance(error, RecursionError):
        return "an input is nested too deeply to be read"
    if isinstance(error, OSError) and error.strerror:
        name = "" if error.filename is None else f"{str(error.filename)[:200]}: "
        return f"{name}{error.strerror}"
    text = " ".join(str(error).split())[:200]
    return f"a value is out of bounds, or an input is damaged: {text or type(error).__name__}"


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Within, a process that is told to end does so as by Ctrl-C: what is finished is kept, and nothing hidden is left."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # `nohup` ignores the second
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
