"""What makes frames one by one: its options, its requests and its lock, whatever runs the model.

A `Backend` answers requests, in this process (`engine`) or in another (`worker`); a `Maker` asks it. Knows nothing of torch,
pipes or programs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock
from typing import Any, Protocol, TypeAlias

import numpy as np

Plane: TypeAlias = "np.ndarray[Any, Any]"

THUMBNAIL = (72, 128)
"""Height and width of the pictures in which cuts are looked for, see `edit.shots.SIZE`."""


@dataclass(frozen=True)
class Asked:
    """Which model makes the frames, and where: names as of the command's options ``--model``, ``--quality``, ``--tta``,
    ``--drawing`` and ``--device``."""

    model: str = "auto"
    quality: str = "normal"
    tta: str = "none"
    drawing: str = "auto"
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Picture:
    """``rgb`` is [3,H,W] and ``alpha`` [1,H,W], both uint8, or float32 with black 0 and white 1."""

    rgb: Plane
    alpha: Plane | None = None


@dataclass(frozen=True)
class Missing:
    """The names of the frames without which a request cannot be answered."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Mark:
    """``cut``: a frame begins a shot. ``repeat``: it repeats the frame before."""

    cut: bool = False
    repeat: bool = False


class Backend(Protocol):
    """Runs a model of ``window`` frames. Requests come one at a time. All raise `InputError`."""

    window: int

    @property
    def alive(self) -> bool:
        """Whether it can still answer."""
        ...

    def make(self, window: Sequence[str], given: dict[str, Picture], steps: Sequence[Fraction]) -> list[Picture] | Missing:
        """The frames at ``steps``, in (0, 1), between the middle two of a window of named frames.

        ``given`` holds those that the backend may not know yet; the frames of the last windows it remembers.
        """
        ...

    def marks(self, thumbnails: Plane, known: Sequence[bool | None], spread: bool, threshold: float) -> list[Mark]:
        """The marks of consecutive frames, of thumbnails [N,3,72,128] float32.

        ``known`` says whether a frame begins a shot, None where that is to be found out: then, the share of the picture that
        neither motion nor light explains must be at least ``threshold``, 0 to 1. ``spread``: look for repeats.
        """
        ...


class Maker:
    """Asks a backend, from any thread."""

    def __init__(self, backend: Backend) -> None:
        self._backend, self._lock = backend, Lock()

    @property
    def window(self) -> int:
        """The frames that the model sees: the new one lies between the middle two."""
        return self._backend.window

    @property
    def alive(self) -> bool:
        """As `Backend.alive`."""
        return self._backend.alive

    def make(self, window: Sequence[str], fetch: Callable[[str], Picture], steps: Sequence[Fraction]) -> list[Picture]:
        """As `Backend.make`; ``fetch`` gives a frame of this name, and is called only for those that are needed."""
        with self._lock:
            made = self._backend.make(window, {}, steps)
            if isinstance(made, Missing):
                made = self._backend.make(window, {name: fetch(name) for name in made.names}, steps)
        if isinstance(made, Missing):
            raise RuntimeError(f"the backend misses the frames {made.names} that it was given")
        return made

    def marks(self, thumbnails: Plane, known: Sequence[bool | None], spread: bool, threshold: float) -> list[Mark]:
        """As `Backend.marks`."""
        with self._lock:
            return self._backend.marks(thumbnails, known, spread, threshold)
