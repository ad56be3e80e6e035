"""Sets of frames with known ground truth, as long rows of 8-bit samples, and the frames that one pass makes of them.

All pictures of a set lie one behind the other in one row of uint8. So medians and errors of whole sets are a few operations,
whatever the sizes of the pictures. Frames that were made are kept in files, for later runs. Knows nothing of mixes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..clips import datasets
from ..clips.datasets import Item
from ..core import InputError, Interpolator
from ..model import load, wrappers
from ..model.ladder import Member
from ..pixels.metrics import in_8_bits
from ..pixels.uint8 import codes, floats

Row = "np.ndarray[Any, np.dtype[np.uint8]]"


@dataclass(frozen=True)
class Set:
    """A test set: its ``items``, the window of each, uint8 [2,3,H,W], the row of all true frames, where each begins and ends in
    it, and the subset of each."""

    name: str
    items: tuple[Item, ...]
    windows: tuple[Tensor, ...]
    truth: Any
    bounds: tuple[int, ...]
    subsets: tuple[str | None, ...]

    def parts(self) -> Iterator[slice]:
        """The place of each frame in the row."""
        return (slice(begin, end) for begin, end in zip(self.bounds, self.bounds[1:], strict=False))


def read_sets(folders: Sequence[Path], limit: int | None = None) -> list[Set]:
    """The test sets in some folders, the first ``limit`` items of each. They are called as their folders, or, where two have
    the same name, as the folders that these lie in. Raises `InputError`."""
    paths = [folder.resolve() for folder in folders]
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        names = [path.parent.name for path in paths]
    if len(set(names)) < len(names):
        raise InputError(f"sets of the same name were given, {', '.join(names)}: each needs a name of its own")
    return [_read(name, tuple(datasets.items(path)[1][:limit])) for name, path in zip(names, paths, strict=True)]


def _read(name: str, items: tuple[Item, ...]) -> Set:
    windows, true = [], []
    for item in items:
        window, truths = item.read(2)
        windows.append(codes(window[0]))
        true += [(item.subset, row_of(rgb)) for _, rgb in truths]
    bounds = np.cumsum([0, *(len(row) for _, row in true)]).tolist()
    row, subsets = np.concatenate([row for _, row in true]), tuple(subset for subset, _ in true)
    return Set(name, items, tuple(windows), row, tuple(bounds), subsets)


def row_of(rgb: Tensor) -> Any:
    """The samples of a picture [3,H,W], 0..1, as a row of uint8."""
    return in_8_bits(rgb).to(torch.uint8).flatten().cpu().numpy()


def makes(model: Interpolator, window: Tensor, times: Iterable[Fraction]) -> Iterator[Tensor]:
    """The frames [3,H,W] that a model makes of a window [1,N,3,H,W], one for each time."""
    frames = window.unbind(1)
    prepared = wrappers.prepare(model, [wrappers.encode(model, rgb) for rgb in frames], frames)
    for t in times:
        yield wrappers.at(model, prepared, torch.tensor([float(t)]))[0]


class Kept:
    """Frames that were made, in files of a folder, each for one pass over one set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def row(self, member: Member, over: Set, model: Callable[[], Interpolator]) -> Any:
        """The row of frames that ``member`` makes of a set, mapped from its file; made first if there is none."""
        path = self.folder / f"{over.name}-{_key(member, over)}.npy"
        if not path.exists():
            ready, rows = model(), []
            for item, window in zip(over.items, over.windows, strict=True):
                rows += [row_of(rgb) for rgb in makes(ready, floats(window)[None], item.times)]
            work = path.with_suffix(f".{os.getpid()}.part")
            with work.open("wb") as file:
                np.save(file, np.concatenate(rows))
            work.replace(path)
        row = np.load(path, mmap_mode="r")
        if row.shape != over.truth.shape:
            raise InputError(f"{path} holds {len(row)} samples, and the set has {len(over.truth)}: delete it")
        return row


def _key(member: Member, over: Set) -> str:
    """What decides the frames: the weights, the use that is made of them, and the set."""
    said = hashlib.sha256(f"{member.label}|{over.bounds}".encode())
    said.update(over.truth)
    file = load.source(str(member.source))
    said.update(file.encode() if isinstance(file, str) else file.read_bytes())
    return said.hexdigest()[:16]
