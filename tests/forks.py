"""Processes that have torch from the start: each is forked from one that has imported it, which takes seconds.

For what must not happen in the process of the tests: memory that is measured, limits, the allocator, an untimely death. Knows
nothing of what they do. A test of how a process starts starts one itself.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from vfi.render.workers import processes

CONTEXT = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
CONTEXT.set_forkserver_preload([processes.__name__])


@dataclass(frozen=True)
class Ended:
    """How a process ended; ``code`` is negative for a signal."""

    code: int | None
    out: str
    told: str


def run(code: str, folder: Path | None = None) -> Ended:
    """Run a program, as ``python -c`` does, in a folder."""
    with tempfile.TemporaryDirectory() as said:
        process = CONTEXT.Process(target=_run, args=(code, folder or Path.cwd(), Path(said)))
        process.start()
        process.join()
        return Ended(process.exitcode, *((Path(said) / name).read_text() for name in ("out", "told")))


def _run(code: str, folder: Path, said: Path) -> None:
    for number, name in ((1, "out"), (2, "told")):
        os.dup2(os.open(said / name, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout, sys.stderr = (os.fdopen(os.dup(number), "w", encoding="utf-8") for number in (1, 2))
    os.chdir(folder)
    exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})


def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``--workers`` start so; other tests start them as the command does."""
    monkeypatch.setattr(processes, "get_context", lambda _: CONTEXT)
