"""Progress bar for long work: frames done, frames per second, time left. Drawn on standard error, for people only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
    """Frames, or another unit, per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.2f} {self.unit}/s" if task.speed else f"- {self.unit}/s", style="progress.data.speed")


@contextmanager
def bar(what: str, total: int | None, console: Console, done: int = 0, unit: str = "frames") -> Iterator[Callable[[int], None]]:
    """A bar that starts at ``done``; yields a function that sets the number done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total, completed=done)
        yield lambda count: progress.update(task, completed=count)


def tracked(frames: Iterable[T], what: str, total: int | None, console: Console, done: int = 0) -> Iterator[T]:
    """Pass ``frames`` on, counted by a bar that starts at ``done``."""
    with bar(what, total, console, done) as at:
        for count, frame in enumerate(frames, start=done + 1):
            yield frame
            at(count)
