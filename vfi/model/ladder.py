"""The measured ladder: ways to make frames, how accurate each is and how long it takes, as `vfi bench ladder` wrote them.

Owns the file of figures and its format. Knows nothing of how they are measured, or of which way is taken: see `quality`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from torch import Tensor

from ..core import InputError
from ..parse import quoted

Source = str | Path | Mapping[str, Tensor]
"""A model by name, file or state dict."""

FILE = Path(__file__).with_name("ladder.json")
"""The figures that come with the library."""

REFERENCE = "rife-4.25"
"""The model that all times are relative to."""


@dataclass(frozen=True)
class Member:
    """One of the models that make a frame: its ``source``, see `load.network`, and how it is used, see `load.Part`."""

    source: Source
    tta: str = "none"
    half_size: bool = False

    @property
    def label(self) -> str:
        """The member in words, such as ``rife-4.25 turned``."""
        half = "half size" if self.half_size else ""
        return " ".join(filter(None, (str(self.source), "" if self.tta == "none" else self.tta, half)))


@dataclass(frozen=True)
class Way:
    """A way to make frames: its ``members``, of which each pixel is the median, and its figures.

    ``psnr`` holds mean decibels by set, then by subset, "all" first. ``seconds`` are per frame on one CPU thread, and ``time``
    is relative to `REFERENCE` at one pass, measured in the same run. ``mean``: the mean decibels over the sets if pixels were
    averaged instead, None for one member. ``front``: no other way is both faster and more accurate.
    """

    members: tuple[Member, ...]
    psnr: Mapping[str, Mapping[str, float]]
    seconds: float
    time: float
    mean: float | None = None
    front: bool = False

    @property
    def decibels(self) -> float:
        """Mean over the sets of their mean PSNR."""
        return fmean(subsets["all"] for subsets in self.psnr.values())

    @property
    def label(self) -> str:
        """The members in words."""
        return " + ".join(member.label for member in self.members)


@dataclass(frozen=True)
class Ladder:
    """All measured ways, from the fastest, the number of frames by set and subset, and ``facts`` about the run."""

    ways: tuple[Way, ...]
    frames: Mapping[str, Mapping[str, int]]
    facts: Mapping[str, str]

    def one(self, name: str, *, half_size: bool = False) -> Way | None:
        """The way of a single pass of a model, None if it was not measured."""
        wanted = (Member(name, half_size=half_size),)
        return next((way for way in self.ways if way.members == wanted), None)

    def to_json(self) -> str:
        """The ladder as a file, one line per way."""
        rows = []
        for way in self.ways:
            members = [[str(member.source), member.tta, *(["half size"] if member.half_size else [])] for member in way.members]
            row: dict[str, Any] = {"members": members, "psnr": way.psnr, "seconds": way.seconds, "time": way.time}
            row |= {} if way.mean is None else {"mean": way.mean}
            row |= {"front": True} if way.front else {}
            rows.append(json.dumps(row))
        head = f'"facts": {json.dumps(dict(self.facts))},\n "frames": {json.dumps(self.frames)},\n'
        return "{" + head + ' "ways": [\n  ' + ",\n  ".join(rows) + "\n ]\n}\n"


def read(path: Path = FILE) -> Ladder:
    """The ladder in a file. Raises `InputError` if it is missing or holds something else."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        ways = tuple(_way(row) for row in told["ways"])
        return Ladder(ways, told["frames"], told["facts"])
    except OSError as error:
        raise InputError(f"{path}, the file of the quality ladder, cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a file of the quality ladder: {quoted(str(error))}") from error


def _way(row: Mapping[str, Any]) -> Way:
    members = tuple(Member(name, tta, half_size=bool(more)) for name, tta, *more in row["members"])
    return Way(members, row["psnr"], row["seconds"], row["time"], row.get("mean"), row.get("front", False))


@cache
def shipped() -> Ladder:
    """The ladder that comes with the library."""
    return read()


def front(ways: Sequence[Way]) -> list[Way]:
    """The ways that no other beats in both accuracy and time, from the fastest."""
    found: list[Way] = []
    for way in sorted(ways, key=lambda way: (way.time, -way.decibels)):
        if not found or way.decibels > found[-1].decibels:
            found.append(way)
    return found
