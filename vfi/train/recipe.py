"""Recipes: all settings of a training run, in one small TOML file.

Owns the names and allowed values. Knows nothing of how any setting is carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from ..core import InputError
from ..parse import known, read_toml
from ..timing.positions import Position
from .objective import Weights
from .shards import TIMINGS, Timing
from .synthetic import Synthetic
from .teachers import GRID

T = TypeVar("T")


@dataclass(frozen=True)
class Data:
    """Training data; paths are relative to the recipe's folder.

    ``clips``: videos and folders of numbered images, or folders of these, from ``start`` until before ``end`` (positions as in
    `positions.Position.parse`, or empty); ``held_out``: clips, by name or path, excluded from
    training and used for validation. ``triplets``: folders laid out as a test set, see `datasets`. ``stills``: pictures, or
    folders of them, for synthetic ``motion``, which makes up the share ``synthetic`` of all examples. ``spans``: allowed
    distances between the ends of a window, in frames; ``timing``: where true frames lie in them, see `shards.Timing`.
    ``side``: frames with a longer shorter side are downscaled to it.
    ``size``: side of a crop, a multiple of 32. ``augment``: flip, transpose, reverse and recolour crops at random.
    """

    clips: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    triplets: tuple[str, ...] = ()
    stills: tuple[str, ...] = ()
    synthetic: float = 0.2
    motion: Synthetic = field(default_factory=Synthetic)
    spans: tuple[int, ...] = (2, 3, 4, 6)
    timing: Timing = "even"
    side: int = 384
    size: int = 192
    augment: bool = True
    start: str = ""
    end: str = ""

    def __post_init__(self) -> None:
        if self.size % 32 or self.size < 64 or self.size % GRID:
            raise InputError(f"size {self.size} was given: a multiple of 32, at least 64, is needed")
        if self.timing not in TIMINGS:
            raise InputError(f"timing {self.timing!r} was given: it must be {' or '.join(TIMINGS)}")
        if not 0 <= self.synthetic <= 1:
            raise InputError(f"synthetic {self.synthetic:g} was given: it must be between 0 and 1")

    @property
    def part(self) -> tuple[Position | None, Position | None]:
        """The part of each clip that is read: its start and end, None where none is given. Raises `InputError`."""
        start, end = (Position.parse(text) if text else None for text in (self.start, self.end))
        return start, end


@dataclass(frozen=True)
class Teachers:
    """Teacher models, by name or file; empty for none.

    ``motion``: a model that estimates motion. ``pictures``: a model run in ``quality``, on windows whose ends are at most
    ``longest`` frames apart; "auto" in the quality "best" is the ensemble of the strongest models on disk.
    """

    motion: str = ""
    pictures: str = ""
    quality: str = "normal"
    longest: int = 2


@dataclass(frozen=True)
class Schedule:
    """Optimisation schedule.

    ``steps`` of ``batch`` examples per GPU. AdamW with weight ``decay``; its learning ``rate`` is reached after ``warm_up``
    steps and falls to ``last_rate`` along a cosine; gradients are clipped to the norm ``clip``. ``average``: share of the
    weights' moving average kept per step. ``kept``: share of the weights at the start in the result, so that what they know of
    other footage stays (Wortsman et al., CVPR 2022). ``validate``: steps between measurements; ``save``: minutes between saves;
    ``patience``: measurements without improvement before stopping, 0 for never. ``mixed``: bfloat16 on GPUs. ``workers``:
    processes that draw examples.
    """

    steps: int = 10000
    batch: int = 8
    rate: float = 3e-4
    last_rate: float = 1e-6
    warm_up: int = 500
    decay: float = 1e-3
    clip: float = 1.0
    average: float = 0.999
    kept: float = 0.0
    validate: int = 500
    save: float = 3.0
    patience: int = 0
    mixed: bool = True
    workers: int = 0

    def __post_init__(self) -> None:
        low = [name for name in ("steps", "batch", "validate") if getattr(self, name) < 1]
        if low:
            raise InputError(f"{low[0]} {getattr(self, low[0])} was given: a whole number of at least 1 is needed")
        if not 0 <= self.average < 1:
            raise InputError(f"average {self.average:g} was given: it must be at least 0 and below 1")
        if not 0 <= self.kept < 1:
            raise InputError(f"kept {self.kept:g} was given: it must be at least 0 and below 1")


@dataclass(frozen=True)
class Recipe:
    """``network``: a new network to train, one of `students.FRESH`; ``start``: a model to train instead, by name or file, and
    ``refine``: whether with its refinement network or finest block. ``seed``: seed of all random numbers."""

    network: str = "inbetween-s"
    start: str = ""
    refine: bool = True
    seed: int = 0
    data: Data = field(default_factory=Data)
    teachers: Teachers = field(default_factory=Teachers)
    loss: Weights = field(default_factory=Weights)
    schedule: Schedule = field(default_factory=Schedule)

    def as_plain_values(self) -> dict[str, Any]:
        """The whole recipe as plain values."""
        return asdict(self)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from a TOML file. Raises `InputError` for invalid files and unknown keys."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a recipe: {error}") from error
    return settings(Recipe, read_toml(text, f"{path} is"), str(path))


def settings(kind: type[T], data: Mapping[str, Any], where: str) -> T:
    """Build a dataclass from plain values: tables become dataclasses, lists tuples. Raises `InputError`."""
    known(data, [one.name for one in fields(kind)], where)  # type: ignore[arg-type]
    blank = kind()
    return kind(**{name: _like(getattr(blank, name), value, name, where) for name, value in data.items()})


def _like(default: Any, value: Any, name: str, where: str) -> Any:
    """``value`` in the type of ``default``."""
    if is_dataclass(default) and isinstance(value, Mapping):
        return settings(type(default), value, f"{where}, [{name}],")
    if isinstance(value, list):
        value = tuple(value)
    elif isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default) or (isinstance(value, float) and not isfinite(value)):
        raise InputError(f"{where} has {name} = {value!r}: {_named(default)} is needed")
    return value


def _named(default: object) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", tuple: "a list"}
    return names.get(type(default), "a table")
