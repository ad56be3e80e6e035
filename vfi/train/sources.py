"""Where examples come from: shards of clips, test-set folders, and pictures moved exactly.

A source gives example after example, each a function of the chance that it is given and of nothing else, so that training which
was cut off goes on as if it had not been. Knows nothing of networks.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..clips.datasets import Item
from ..clips.images import read_image
from ..core import InputError
from ..pixels.uint8 import codes, floats
from .augment import varied
from .samples import PICTURES, Sample, sample
from .synthetic import Synthetic
from .teachers import GRID, beside


class Source(Protocol):
    """Gives an example of ``size`` pixels a side, [3,size,size], drawn by ``chance``."""

    def draw(self, size: int, chance: random.Random) -> Sample: ...


CALM, WILD = 1.0, 20.0
"""Pixels of motion between the ends of a window: from the first to the second, windows are drawn as often as they move."""


class Shards:
    """Windows of shards. Where a teacher knows the motion, those that move far are drawn more often, as more is learned of
    them; else short ones, as 1 / span. Half of the time a larger part is taken and made smaller."""

    def __init__(self, shards: Sequence[Path], vary: bool = True) -> None:
        self.vary = vary
        shares = {shard: worth(shard) for shard in shards}
        self.windows = [(shard, number) for shard in shards for number in range(len(shares[shard]))]
        self.shares = list(accumulate(share for shard in shards for share in shares[shard]))
        if not self.windows:
            raise InputError("the clips hold no frames to learn from: three that follow each other in one shot are needed")

    def draw(self, size: int, chance: random.Random) -> Sample:
        ((shard, number),) = chance.choices(self.windows, cum_weights=self.shares)
        height, width = shape_of(shard, "frames")[-2:]
        if min(height, width) < size:
            raise InputError(f"{shard.name} has frames of {width}x{height}: crops of {size} were asked for")
        seen = chance.randrange(size, min(height, width) + 1, GRID) if chance.random() < 0.5 else size
        top, left = (chance.randrange(0, side - seen + 1, GRID) for side in (height, width))
        part = (..., slice(top, top + seen), slice(left, left + seen))
        coarse = (..., slice(top // GRID, (top + seen) // GRID), slice(left // GRID, (left + seen) // GRID))
        one = _window(shard, number, part, coarse)
        one = one if seen == size else _resized(one, size)
        return varied(one, chance) if self.vary else one


class Triplets:
    """Items of a test set's layout, see `datasets`: both ends and one of the true frames between them."""

    def __init__(self, items: Sequence[Item], vary: bool = True) -> None:
        self.items = list(items)
        self.vary = vary

    def draw(self, size: int, chance: random.Random) -> Sample:
        item = chance.choice(self.items)
        window, truths = item.read(2)
        t, truth = chance.choice(list(truths))
        height, width = truth.shape[-2:]
        if min(height, width) < size:
            raise InputError(f"{item.name} has frames of {width}x{height}: crops of {size} were asked for")
        top, left = chance.randint(0, height - size), chance.randint(0, width - size)
        before, after, truth = (rgb[:, top : top + size, left : left + size] for rgb in (*window[0], truth))
        one = sample(before, after, truth, float(t))
        return varied(one, chance) if self.vary else one


class Stills:
    """Pictures moved exactly, see `synthetic`."""

    def __init__(self, files: Sequence[Path], motion: Synthetic) -> None:
        self.files = list(files)
        self.motion = motion
        if not self.files:
            raise InputError("no still pictures were found: exact motion needs some to move")

    def draw(self, size: int, chance: random.Random) -> Sample:
        pictures = [_picture(chance.choice(self.files)) for _ in range(1 + chance.randint(1, self.motion.layers))]
        return varied(self.motion.made(pictures, size, chance), chance)


class Mixed:
    """Of several sources, each as often as its share says."""

    def __init__(self, sources: Sequence[tuple[Source, float]]) -> None:
        self.sources = [source for source, share in sources if share > 0]
        self.shares = [share for _, share in sources if share > 0]
        if not self.sources:
            raise InputError("there is nothing to learn from: give clips, triplets or still pictures")

    def draw(self, size: int, chance: random.Random) -> Sample:
        (source,) = chance.choices(self.sources, self.shares)
        return source.draw(size, chance)


def worth(shard: Path) -> list[float]:
    """How often each window of a shard is drawn, of which only ratios count."""
    motion = beside(shard, "motion")
    if not motion.is_file():
        ends = _opened(shard).get_tensor("windows")
        return (1 / (ends[:, 2] - ends[:, 0])).tolist()  # type: ignore[no-any-return]
    to_start, to_end = _opened(motion).get_tensor("flow").float().split(2, dim=1)
    moved = (to_end - to_start).square().sum(dim=1).sqrt().flatten(1)
    return torch.quantile(moved, 0.9, dim=1).clamp(CALM, WILD).tolist()  # type: ignore[no-any-return]


def _window(shard: Path, number: int, part: tuple[Any, ...], coarse: tuple[Any, ...]) -> Sample:
    """A part of a window of a shard with what teachers know of it; ``coarse`` is the same part on the grid of motion."""
    before, at, after = _opened(shard).get_slice("windows")[number].tolist()
    frames = _opened(shard).get_slice("frames")
    start, end, truth = (frames[place][part].float() / 255 for place in (before, after, at))
    one = sample(start, end, truth, (at - before) / (after - before))
    motion, picture = beside(shard, "motion"), beside(shard, "picture")
    changes: dict[str, Tensor] = {}
    if motion.is_file():
        changes = {name: _opened(motion).get_slice(name)[number][coarse].float() for name in ("flow", "error")}
    if picture.is_file():
        changes["picture"] = _opened(picture).get_slice("picture")[number][part].float() / 255
    return replace(one, **changes)


def _resized(one: Sample, size: int) -> Sample:
    """An example made smaller, its motion with it."""
    factor = size / one.truth.shape[-1]

    def smaller(plane: Tensor, side: int) -> Tensor:
        return F.interpolate(plane[None], size=(side, side), mode="bilinear", antialias=True)[0]

    error = F.interpolate(one.error[None], size=(size // GRID, size // GRID), mode="nearest")[0]
    pictures = {name: smaller(getattr(one, name), size) for name in PICTURES}
    return replace(one, flow=smaller(one.flow, size // GRID) * factor, error=error, **pictures)


@lru_cache(maxsize=256)
def _opened(path: Path) -> Any:
    """A safetensors file, mapped into memory and read where it is looked at."""
    from safetensors import safe_open

    return safe_open(path, framework="pt")


def shape_of(path: Path, name: str) -> list[int]:
    """The shape of a tensor of a safetensors file."""
    return list(_opened(path).get_slice(name).get_shape())


def _picture(file: Path) -> Tensor:
    """The colours of a picture, [3,H,W]."""
    return floats(_codes(file))


@lru_cache(maxsize=256)
def _codes(file: Path) -> Tensor:
    """The same in 8 bits, of which many can be held in memory."""
    return codes(floats(read_image(file).rgb))
