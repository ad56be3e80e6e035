"""What a command tells of a clip in the making: the promise, the progress bar and the result; people on standard error,
machines on standard output."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import torch
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape

from ..clips.standard import is_standard
from ..core import InputError, Interpolator, Spec
from ..render import memory
from ..render.convert import Converted, Interrupted
from ..render.pipeline import Task
from .progress import MAKING, Work, bar, finished, style
from .question import agreed


def console_for_people() -> Console:
    """The console for everything but results: standard error. It is silent if only one line, or percentages, are wanted."""
    return Console(stderr=True, highlight=False, soft_wrap=True, quiet=style() != "bar")


class Report:
    """Reports on the making of ``path``; as a context manager it takes its progress bar away at the end.

    With ``work``, the bar follows that, and not the frames.
    """

    def __init__(
        self, path: Path, task: Task, device: torch.device, *, memory_ok: bool = False, work: Work | None = None
    ) -> None:
        self.console = console_for_people()
        self._path = "standard output" if is_standard(path) else str(path)
        self._task, self._device, self._memory_ok = task, device, memory_ok
        self._started = time.perf_counter()
        self._model = ""
        self._done: int | None = None
        self._bar = ExitStack()
        self._move: Callable[[float], None] | None = None
        self._work = work
        if work is not None:
            work.shows = self._worked

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def promise(self, spec: Spec, workers: int | None = None) -> None:
        """Print the frames to be made and the memory they need, and show a progress bar for them.

        If the memory is not free and that is not allowed, the user is asked at a terminal. Raises `InputError` otherwise.
        """
        task, info = self._task, self._task.info
        self._model = spec.name
        source = length_in_words(info.frames, info.rate, info.duration)
        made = length_in_words(task.total, task.asked.rate, task.length)
        self.console.print(
            escape(f"{info.width}x{info.height}, {source} -> {self._path}: {made}, by {spec.name} on {self._device}")
        )
        each = "memory: at most" if workers is None else f"{workers} workers, memory of each: at most"
        threads = max(torch.get_num_threads() // (workers or 1), 1) if self._device.type == "cpu" else 1
        most = task.ceiling(spec, threads)
        self.console.print(f"{each} {decimal(most)}, plus the model's weights")
        needed, free = most * (workers or 1), memory.free(self._device)
        if free is not None and needed > free and not self._memory_ok:
            both = f"this may take {decimal(needed)} of memory and {decimal(free)} is free"
            if not agreed(f"{both}: try it anyway?"):
                raise InputError(f"{both}: give --memory-ok to try it anyway")
        self._move = self._bar.enter_context(bar(MAKING, task.total, self.console, self._done or 0))

    def promised(self, model: Interpolator) -> Interpolator:
        """``model`` itself, after the promise of its frames."""
        self.promise(model.spec)
        return model

    def progress(self, done: int) -> None:
        """Show that ``done`` frames are done. The first call reports those of an earlier run."""
        if self._done is None and done:
            self.console.print(f"{done} frames are done already: resuming")
        self._done = done
        if self._move is not None and self._work is None:
            self._move(done)

    def _worked(self, share: Fraction) -> None:
        if self._move is not None and self._task.total is not None:
            self._move(float(share * self._task.total))

    def interrupted(self, stopped: Interrupted, *, resumable: bool) -> None:
        """Say what an interrupted run leaves."""
        left = f"the {stopped.done.frames} finished frames are in {stopped.partial}"
        if stopped.partial is None:
            left = "nothing was written"
        elif resumable:
            left = f"{stopped.done.frames} frames are done: run the same command again to resume"
        self.error(f"interrupted: {left}")

    def error(self, sentence: str) -> None:
        """Say what went wrong though there is a result."""
        sys.stderr.write(f"vfi: {sentence}\n")

    def finished(self, result: Converted, *, for_machines: bool) -> None:
        """Report the result: to people, and as JSON on standard output ``for_machines``."""
        seconds, done, asked, info = time.perf_counter() - self._started, result.done, self._task.asked, self._task.info
        finished()
        for note in result.notes:
            self.console.print(escape(f"note: {note}"))
        made = f"{self._path}: {done.frames} frames, {float(done.end - done.start):.3f} s, in {seconds:.1f} s"
        self.console.print(escape(made))
        if style() == "brief":
            sys.stderr.write("; note: ".join((made, *result.notes)) + "\n")
        facts = {
            "output": self._path,
            "model": self._model,
            "device": str(self._device),
            "frames": done.frames,
            "fps": None if asked.rate is None else str(asked.rate),
            "duration": str(done.end - done.start),
            "width": info.width,
            "height": info.height,
            "seconds": round(seconds, 3),
            "notes": result.notes,
        }
        if for_machines:
            sys.stdout.write(json.dumps(facts) + "\n")


def length_in_words(frames: int | None, rate: Fraction | None, duration: Fraction | None) -> str:
    """The length of a clip in words, as far as known."""
    parts = (
        None if frames is None else f"{frames} frames",
        None if rate is None else f"{float(rate):.6g} fps",
        None if duration is None else f"{float(duration):.3f} s",
    )
    return ", ".join(filter(None, parts)) or "length unknown"
