"""Progress of long work, on standard error: a bar for people, or lines of percentages for programs.

Owns what is shown while frames are made, and whether anything else is said then. Knows nothing of the work.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, TypeVar

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

from ..parse import exact

T = TypeVar("T")

Style: TypeAlias = Literal["bar", "brief", "percentage"]
"""A bar and all that is told; a bar and one line per clip; or percentages and nothing else."""

MAKING = "making frames"
"""The work that percentages count; looking at a clip before comes without them."""


@dataclass
class Shown:
    """What is shown of the work: in ``style``, as part ``part`` of ``parts`` equal ones, counted from 0."""

    style: Style = "bar"
    part: int = 0
    parts: int = 1
    told: int = -1

    def percentage(self, share: Fraction) -> None:
        """Tell that ``share`` of this part is done, if that makes one percent more: ``percentage: N``."""
        percent = int(100 * (self.part + share) / self.parts)
        if self.style == "percentage" and percent > self.told:
            self.told = percent
            sys.stderr.write(f"percentage: {percent}\n")
            sys.stderr.flush()


@dataclass
class Work:
    """Work of which some lies between frames: ``done`` of ``total`` pieces. ``shows`` is told the share that is done."""

    total: int = 0
    done: int = 0
    shows: Callable[[Fraction], object] = bool

    def step(self) -> None:
        """Count one piece."""
        self.done += 1
        self.shows(Fraction(min(self.done, self.total), max(self.total, 1)))


_shown = [Shown()]


@contextmanager
def shown(style: Style) -> Iterator[Shown]:
    """Within, progress is shown in this style; yields its state, for work in parts."""
    state = Shown(style)
    _shown.append(state)
    level = logging.root.manager.disable
    try:
        with warnings.catch_warnings():
            if style == "percentage":
                logging.disable(logging.WARNING)
                warnings.simplefilter("ignore")
            yield state
    finally:
        logging.disable(level)
        _shown.remove(state)


def style() -> Style:
    """The style in which progress is shown."""
    return _shown[-1].style


def finished() -> None:
    """Tell that the work, or this part of it, is done."""
    _shown[-1].percentage(Fraction(1))


class Speed(ProgressColumn):
    """Frames, or another unit, per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.2f} {self.unit}/s" if task.speed else f"- {self.unit}/s", style="progress.data.speed")


@contextmanager
def bar(
    what: str, total: int | None, console: Console, done: int = 0, unit: str = "frames"
) -> Iterator[Callable[[float], None]]:
    """A bar that starts at ``done``; yields a function that sets the number done, which need not be whole.

    As percentages, only `MAKING` counts, up to 99: `finished` tells the last. Without a total, only 0 is told before.
    """
    state = _shown[-1]
    if state.style == "percentage":

        def tell(count: float) -> None:
            if what == MAKING:
                state.percentage(min(exact(count) / total, Fraction(99, 100)) if total else Fraction(0))

        tell(done)
        yield tell
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True, highlight=False) if state.style == "brief" else console
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=state.style == "brief") as progress:
        task = progress.add_task(what, total=total, completed=done)
        yield lambda count: progress.update(task, completed=count)


def tracked(frames: Iterable[T], what: str, total: int | None, console: Console, done: int = 0) -> Iterator[T]:
    """Pass ``frames`` on, counted by a bar that starts at ``done``."""
    with bar(what, total, console, done) as at:
        for count, frame in enumerate(frames, start=done + 1):
            yield frame
            at(count)
