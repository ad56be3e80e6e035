"""The exposure sheet as data: layers, what each of their frames says, and columns that are only kept.

Owns the model. Knows nothing of file formats, cels or pictures.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Mark: TypeAlias = Literal["drawing", "tick", "reverse", "empty", "hold"]
"""A drawing, an in-between that is wanted, the same of a movement that runs back, no drawing, or the entry before, held."""

Place: TypeAlias = tuple[int, int]
"""The index of a layer of a sheet, and a frame, counted from 0."""


@dataclass(frozen=True)
class Entry:
    """What a layer says at ``frame``, counted from 0; it holds until the next entry. Entries before the sheet are negative.

    ``drawing`` is the number of the drawing as it is written. A tick has one only if the sheet numbers it. ``key`` and
    ``reference`` are the animator's own marks.
    """

    frame: int
    mark: Mark
    drawing: str = ""
    key: bool = False
    reference: bool = False


@dataclass(frozen=True)
class Exposure:
    """An entry with all frames that show it, from ``start`` to before ``end``; never a hold.

    ``again`` are the frames at which the same is entered once more.
    """

    entry: Entry
    start: int
    end: int
    again: tuple[int, ...] = ()


@dataclass(frozen=True)
class Layer:
    """A column of cels: at most one entry per frame, in the order of the frames."""

    name: str
    entries: tuple[Entry, ...]

    def exposures(self, frames: int) -> list[Exposure]:
        """What the layer shows in a sheet of ``frames`` frames; a drawing that is entered again and again is one exposure."""
        shown: list[list[Entry]] = []
        for entry in self.entries:
            named = entry.drawing or entry.mark == "empty"
            if named and any((entry.mark, entry.drawing) == (run[0].mark, run[0].drawing) for run in shown[-1:]):
                shown[-1].append(entry)
            elif entry.mark != "hold":
                shown.append([entry])
        last = [max(frames, run[-1].frame + 1) for run in shown[-1:]]
        ends = [*(run[0].frame for run in shown[1:]), *last]
        return [
            Exposure(run[0], run[0].frame, end, tuple(entry.frame for entry in run[1:]))
            for run, end in zip(shown, ends, strict=True)
        ]


@dataclass(frozen=True)
class Column:
    """A column that is only kept: ``kind`` is dialogue, camera or other, ``cells`` are its texts by frame."""

    kind: str
    name: str
    cells: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Sheet(ABC):
    """An exposure sheet of ``frames`` frames, as it was read. ``notes`` say what was unusual about the file."""

    name: str
    frames: int
    layers: Sequence[Layer]
    columns: Sequence[Column]
    notes: Sequence[str]

    @abstractmethod
    def entered(self, drawings: Mapping[Place, str]) -> bytes:
        """The file with ``drawings`` entered in place of ticks; byte for byte as it was read if there are none.

        An entry without a tick stays as it is.
        """
