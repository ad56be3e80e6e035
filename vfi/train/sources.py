"""Sources of training examples: shards of clips, test-set folders, and stills with synthetic motion.

Each example depends only on the random generator passed to the source, so interrupted training resumes bit-exactly. Knows
nothing of networks.
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
    """Draws a square example, [3,size,size], with the random generator ``chance``."""

    def draw(self, size: int, chance: random.Random) -> Sample: ...


CALM, WILD = 1.0, 20.0
"""Motion between the ends of a window, in pixels: within these limits, windows are drawn in proportion to it. Without a
teacher, the mean difference of the ends, of 255, stands for it."""

SPARSE = 4
"""Every so many pixels are compared, in both directions."""


class Shards:
    """Windows of shards. Those that move further, or whose ends differ more, are drawn more often, as they teach more. Half
    of the crops are larger and downscaled."""

    def __init__(self, shards: Sequence[Path], vary: bool = True) -> None:
        self.vary = vary
        shares = {shard: worth(shard) for shard in shards}
        self.windows = [(shard, number) for shard in shards for number in range(len(shares[shard]))]
        self.shares = list(accumulate(share for shard in shards for share in shares[shard]))
        if not self.windows:
            raise InputError("the clips hold no frames to learn from: three consecutive ones in one shot are needed")

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
    """Items of a folder laid out as a test set, see `datasets`: both ends and one of the true frames between them."""

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
    """Still pictures with synthetic motion, see `synthetic`."""

    def __init__(self, files: Sequence[Path], motion: Synthetic) -> None:
        self.files = list(files)
        self.motion = motion
        if not self.files:
            raise InputError("no still pictures were found: synthetic motion needs some")

    def draw(self, size: int, chance: random.Random) -> Sample:
        pictures = [_picture(chance.choice(self.files)) for _ in range(1 + chance.randint(1, self.motion.layers))]
        return varied(self.motion.made(pictures, size, chance), chance)


class Mixed:
    """A mix of several sources, each drawn in proportion to its share."""

    def __init__(self, sources: Sequence[tuple[Source, float]]) -> None:
        self.sources = [source for source, share in sources if share > 0]
        self.shares = [share for _, share in sources if share > 0]
        if not self.sources:
            raise InputError("nothing to learn from was given: clips, triplets or still pictures are needed")

    def draw(self, size: int, chance: random.Random) -> Sample:
        (source,) = chance.choices(self.sources, self.shares)
        return source.draw(size, chance)


def worth(shard: Path) -> list[float]:
    """The relative frequency with which each window of a shard is drawn."""
    motion = beside(shard, "motion")
    if not motion.is_file():
        frames = _opened(shard).get_tensor("frames")[..., ::SPARSE, ::SPARSE].float()
        ends = _opened(shard).get_tensor("windows")
        changed = torch.stack([(frames[before] - frames[after]).abs().mean() for before, _, after in ends.tolist()])
        return changed.clamp(CALM, WILD).tolist()  # type: ignore[no-any-return]
    to_start, to_end = _opened(motion).get_tensor("flow").float().split(2, dim=1)
    moved = (to_end - to_start).square().sum(dim=1).sqrt().flatten(1)
    return torch.quantile(moved, 0.9, dim=1).clamp(CALM, WILD).tolist()  # type: ignore[no-any-return]


def _window(shard: Path, number: int, part: tuple[Any, ...], coarse: tuple[Any, ...]) -> Sample:
    """A crop of a shard's window, with its teachers' data; ``coarse`` is the same crop on the motion grid."""
    before, at, after = _opened(shard).get_slice("windows")[number].tolist()
    frames = _opened(shard).get_slice("frames")
    start, end, truth = (frames[place][part].float() / 255 for place in (before, after, at))
    one = sample(start, end, truth, float(_opened(shard).get_slice("times")[number]))
    motion, picture = beside(shard, "motion"), beside(shard, "picture")
    changes: dict[str, Tensor] = {}
    if motion.is_file():
        changes = {name: _opened(motion).get_slice(name)[number][coarse].float() for name in ("flow", "error")}
    if picture.is_file():
        changes["picture"] = _opened(picture).get_slice("picture")[number][part].float() / 255
    return replace(one, **changes)


def _resized(one: Sample, size: int) -> Sample:
    """Downscale an example and its motion."""
    factor = size / one.truth.shape[-1]

    def smaller(plane: Tensor, side: int) -> Tensor:
        return F.interpolate(plane[None], size=(side, side), mode="bilinear", antialias=True)[0]

    error = F.interpolate(one.error[None], size=(size // GRID, size // GRID), mode="nearest")[0]
    pictures = {name: smaller(getattr(one, name), size) for name in PICTURES}
    return replace(one, flow=smaller(one.flow, size // GRID) * factor, error=error, **pictures)


@lru_cache(maxsize=256)
def _opened(path: Path) -> Any:
    """A memory-mapped safetensors file, read on access."""
    from safetensors import safe_open

    return safe_open(path, framework="pt")


def shape_of(path: Path, name: str) -> list[int]:
    """The shape of a tensor in a safetensors file."""
    return list(_opened(path).get_slice(name).get_shape())


def _picture(file: Path) -> Tensor:
    """The picture in a file, [3,H,W] float."""
    return floats(_codes(file))


@lru_cache(maxsize=256)
def _codes(file: Path) -> Tensor:
    """The same as uint8, so that many fit in memory."""
    return codes(floats(read_image(file).rgb))
