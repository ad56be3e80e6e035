"""In-betweens of two cels: their own sizes, depth and transparency are kept.

Knows nothing of sheets, or of how files are called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from ..clips.clip import Info
from ..clips.images import read_described
from ..core import Frame, InputError, Interpolator
from ..timing.grids import At
from .run import run

BEGIN, END = Fraction(0), Fraction(1)


class Tweener:
    """Makes in-betweens; ``model_of`` gives the model for cels of a kind, up to ``batch`` frames are made at once."""

    def __init__(self, model_of: Callable[[Info], Interpolator], batch: int = 1) -> None:
        self._model_of, self._batch = model_of, batch
        self._read = lru_cache(maxsize=2)(_read)  # a cel often ends one movement and begins the next

    def between(self, before: Path, after: Path, steps: Sequence[Fraction]) -> tuple[Info, Iterator[Frame]]:
        """The pictures at ``steps``, each in (0, 1) and in rising order, and how to write them.

        A cel without transparency counts as opaque if the other has some. Raises `InputError`, the pictures too.
        """
        (first, info), (last, other) = self._read(before), self._read(after)
        if first.rgb.shape != last.rgb.shape:
            raise InputError(
                f"{before.name} is {info.width}x{info.height} and {after.name} {other.width}x{other.height}: "
                "the cels around an in-between must have one size"
            )
        if info.floats != other.floats:
            linear, coded = (before, after) if info.floats else (after, before)
            raise InputError(f"{linear.name} holds linear light and {coded.name} does not: both cels must be of one kind")
        info = replace(info, alpha=info.alpha or other.alpha)
        pair = [replace(frame, time=time, duration=END) for frame, time in ((first, BEGIN), (last, END))]
        return info, run(pair, self._model_of(info), At(tuple(steps)), batch=self._batch)


def _read(path: Path) -> tuple[Frame, Info]:
    """A cel. Raises `InputError`."""
    try:
        return read_described(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
