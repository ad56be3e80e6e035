"""In-betweens of two cels, and files of all that are ordered: their own sizes, depth and transparency are kept.

Knows nothing of sheets' formats, or of how files are called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import groupby
from pathlib import Path, PurePath

from ..clips.clip import Info, Staged
from ..clips.images import ImageEncoder, read_described
from ..core import Frame, InputError, Interpolator
from ..sheets.orders import Order
from ..sheets.wanted import Left
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


def make(
    orders: Sequence[Order], tweener: Tweener, folder: Path, done: Callable[[int, Frame | None], None]
) -> tuple[list[Order], list[Left]]:
    """Make the cels that are ordered, below ``folder``: the orders whose cels exist in the end, and what could not be made.

    ``done`` is called with the number of cels that are done and the last of them, if it was made. Files that exist are
    replaced. Raises `InputError` if a file cannot be written.
    """
    todo = sorted((order for order in orders if not order.shows), key=_pair)
    failed: dict[PurePath, str] = {}
    before = 0
    for (_, first, last), group in groupby(todo, key=_pair):
        some = sorted(group, key=lambda order: order.wanted.t)
        made = 0
        try:
            info, frames = tweener.between(first, last, [order.wanted.t for order in some])
            for order, frame in zip(some, frames, strict=True):
                path = folder / order.file
                write(path, ImageEncoder(path.suffix.lower(), info).encoded(frame))
                made += 1
                done(before + made, frame)
        except InputError as error:
            failed |= {order.file: str(error) for order in some[made:]}
        before += len(some)
        done(before, None)
    left = [
        Left(order.wanted.layer, order.wanted.frame, order.drawing, failed[order.file])
        for order in orders
        if order.file in failed
    ]
    return [order for order in orders if order.file not in failed], left


def write(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all, and its folder if there is none. Raises `InputError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent} cannot be made: {error.strerror}") from error
    Staged(path).filled(data)


def _pair(order: Order) -> tuple[int, Path, Path]:
    return order.wanted.layer, order.before.path, order.after.path
