"""The progress bar of long work: frames done, frames a second, time left. Drawn on standard error, for people only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

T = TypeVar("T")


class Speed(ProgressColumn):
    """Frames a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.2f} frames/s" if task.speed else "- frames/s", style="progress.data.speed")


def tracked(frames: Iterable[T], what: str, total: int | None, console: Console, done: int = 0) -> Iterator[T]:
    """The same frames, counted by a bar while they pass, after ``done`` others."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total, completed=done)
        for frame in frames:
            yield frame
            bar.advance(task)
