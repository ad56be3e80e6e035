"""Recipes: all that training is told, in one small TOML file.

Owns the names and what is allowed. Knows nothing of how any of it is done.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..core import InputError
from .objective import Weights
from .synthetic import Synthetic
from .teachers import GRID

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")


@dataclass(frozen=True)
class Data:
    """What is learned from; a relative path starts at the recipe's folder.

    ``clips``: videos and folders of numbered images, or folders of these; ``held_out``: those of which nothing is learned, but
    on which is measured how well it goes, by name or path. ``triplets``: folders in the layout of a test set, see `datasets`.
    ``stills``: pictures, or folders of them, that are moved exactly (``motion``), in ``synthetic`` of all examples.
    ``spans``: how many frames of a clip apart the ends of a window may be; frames whose shorter side is above ``side`` are made
    smaller. ``size``: the side of a crop, a multiple of 32. ``augment``: crops are mirrored, turned, reversed and recoloured.
    """

    clips: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    triplets: tuple[str, ...] = ()
    stills: tuple[str, ...] = ()
    synthetic: float = 0.2
    motion: Synthetic = field(default_factory=Synthetic)
    spans: tuple[int, ...] = (2, 3, 4, 6)
    side: int = 384
    size: int = 192
    augment: bool = True

    def __post_init__(self) -> None:
        if self.size % 32 or self.size < 64 or self.size % GRID:
            raise InputError(f"size {self.size} was given: a multiple of 32 from 64 up is needed")
        if not 0 <= self.synthetic <= 1:
            raise InputError(f"synthetic {self.synthetic:g} was given: it is a share, from 0 to 1")


@dataclass(frozen=True)
class Teachers:
    """Models that a student learns from, by name or file; none where empty.

    ``motion`` from one that estimates it; ``pictures`` from one in ``quality``, of windows whose ends are up to ``longest``
    frames apart: "auto" in the quality "best" is the ensemble of the strongest that are on disk.
    """

    motion: str = ""
    pictures: str = ""
    quality: str = "normal"
    longest: int = 2


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    ``steps`` of ``batch`` examples, on each GPU; AdamW with ``decay`` at ``rate``, which is reached in ``warm_up`` steps and
    falls to ``last_rate`` along a cosine; gradients are clipped to a norm of ``clip``; ``average``: how much of the moving
    average of the weights stays at each step. Every ``validate`` steps it is measured, every ``save`` minutes saved, and after
    ``patience`` measurements without a better one it ends, 0 for never. ``mixed``: bfloat16 on GPUs. ``workers``: processes
    that draw examples.
    """

    steps: int = 10000
    batch: int = 8
    rate: float = 3e-4
    last_rate: float = 1e-6
    warm_up: int = 500
    decay: float = 1e-3
    clip: float = 1.0
    average: float = 0.999
    validate: int = 500
    save: float = 3.0
    patience: int = 0
    mixed: bool = True
    workers: int = 0

    def __post_init__(self) -> None:
        low = [name for name in ("steps", "batch", "validate") if getattr(self, name) < 1]
        if low:
            raise InputError(f"{low[0]} {getattr(self, low[0])} was given: a whole number from 1 up is needed")
        if not 0 <= self.average < 1:
            raise InputError(f"average {self.average:g} was given: it lies from 0 to below 1")


@dataclass(frozen=True)
class Recipe:
    """``network`` is what is trained: one of `students.FRESH`; or what ``start`` holds, a model's name or file. ``seed``: which
    random numbers."""

    network: str = "inbetween-s"
    start: str = ""
    seed: int = 0
    data: Data = field(default_factory=Data)
    teachers: Teachers = field(default_factory=Teachers)
    loss: Weights = field(default_factory=Weights)
    schedule: Schedule = field(default_factory=Schedule)

    def as_plain_values(self) -> dict[str, Any]:
        """All of it, as plain values."""
        return asdict(self)


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file. Raises `InputError` for a file that is none, and for what it does not know."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a recipe: {error}") from error
    return made(Recipe, told, str(path))


def made(kind: type[T], told: Mapping[str, Any], where: str) -> T:
    """A dataclass of plain values: tables become dataclasses, and lists tuples. Raises `InputError`."""
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    blank = kind()
    for name, value in told.items():
        if name not in known:
            raise InputError(f"{where} has {name!r}, which is not known: there are {', '.join(known)}")
        default = getattr(blank, name)
        if is_dataclass(default) and isinstance(value, Mapping):
            values[name] = made(type(default), value, f"{where}, [{name}],")
            continue
        if isinstance(value, list):
            value = tuple(value)
        elif isinstance(default, float) and type(value) is int:
            value = float(value)
        if type(value) is not type(default):
            raise InputError(f"{where} has {name} = {value!r}: {_named(default)} is needed")
        values[name] = value
    return kind(**values)


def _named(default: object) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", tuple: "a list"}
    return names.get(type(default), "a table")
