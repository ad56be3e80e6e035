"""The networks that track points, by name, and their walk through a clip.

Owns the walk: windows overlap by half, and each starts from what the one before found, so that the features of one window are
all that is held. Owns what counts as visible. Knows nothing of cuts or `core.Frame`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import InputError
from ..model import registry, weights
from ..model.kinds import tracker as published
from ..ops.correlation import CHUNK_BYTES
from ..ops.warp import sample
from ..parse import quoted
from ..pixels.uint8 import floats
from . import alltracker
from .alltracker import MULTIPLE, PAIR_BYTES, STRIDE, AllTracker, State

ITERATIONS = 4
"""Refinements per window, as in the authors' evaluation."""

SEEN = 0.6
"""A point is visible if visibility times confidence is above this, as in the authors' evaluation."""

LONGEST = 1024
"""Larger frames are reduced to this side, as in the authors' demonstration. Memory and time grow with its square."""


NUMBERS = 20
"""Numbers held at the peak for each of a network's hidden features, measured, with some to spare."""

Watch: TypeAlias = "Callable[[Iterable[State]], Iterable[State]]"

NAMES = tuple(row.name for row in published.CHECKPOINTS)
"""What `tracker` knows."""


def tracker(name: str, device: torch.device | str = "cpu", folders: Iterable[Path] | None = None) -> AllTracker:
    """The tracker of a name in `NAMES`; its weights are searched for as `file_of` does. Raises `InputError`."""
    return of_file(name, file_of(name, folders), device)


def of_file(name: str, file: Path | str, device: torch.device | str = "cpu") -> AllTracker:
    """As `tracker`, with the weights of a safetensors file. Raises `InputError`, which names the file."""
    state = registry.normalise(weights.read(file))
    found = alltracker.named(state)
    if found != name:
        raise InputError(f"{file} holds no {name}: {'it is ' + found if found else 'its tensors have other names'}")
    try:
        return alltracker.build(state).to(device)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def file_of(name: str, folders: Iterable[Path] | None = None) -> Path:
    """The file of a tracker in ``folders``, by default `weights.search_folders`; nothing of it is read.

    Never downloads. Raises `InputError`, which names the command that gets missing weights.
    """
    if name not in NAMES:
        raise InputError(f"no tracker is called {quoted(name)}: there are {', '.join(NAMES)}")
    return weights.find(name, folders)


def memory(net: AllTracker, height: int, width: int, longest: int = LONGEST) -> int:
    """Peak memory, in bytes, of `trail` for frames of this size, with some to spare."""
    share = min(longest / max(height, width), 1)
    cells = math.prod(max(math.ceil(side * share / MULTIPLE) * MULTIPLE, net.least) // STRIDE for side in (height, width))
    pairs = min(net.config.window * cells**2 * 4 * 4 // 3, PAIR_BYTES)
    return pairs + CHUNK_BYTES + NUMBERS * net.config.window * net.config.hidden * cells * 4


class Field(NamedTuple):
    """Where each pixel of the first frame is in another: ``flow`` [2,H,W] (dx, dy) in pixels, ``visibility`` and
    ``confidence`` [H,W], 0..1."""

    flow: Tensor
    visibility: Tensor
    confidence: Tensor


class Place(NamedTuple):
    """N points in one frame: ``xy`` [N,2] float64 in pixels, ``visibility`` and ``confidence`` [N] float64, 0..1."""

    xy: Tensor
    visibility: Tensor
    confidence: Tensor

    @property
    def visible(self) -> Tensor:
        """[N], true for points that are seen; the edges of the frame are not considered."""
        return self.visibility * self.confidence > SEEN


@torch.no_grad()
def dense(net: AllTracker, frames: Iterable[Tensor], iterations: int = ITERATIONS, watch: Watch = iter) -> Iterator[Field]:
    """The `Field` of each of the ``frames`` [3,H,W], 0..1, relative to the first, in order, the first included.

    The frames are read as they are needed, on the network's device, up to a window ahead; the features of one window are
    held. A frame that lies in two windows gets what the second finds. Two frames alone are compared without a window.
    ``watch`` wraps the iterations of each window, and may raise to stop.
    """
    source = iter(frames)
    rgb = next(source, None)
    if rgb is None:
        return
    padding, size = _padding(rgb, net.least), rgb.shape[-2:]

    def encoded(rgb: Tensor) -> Tensor:
        if rgb.ndim != 3 or rgb.shape[0] != 3 or rgb.shape[1:] != size:
            raise InputError(f"a frame of shape {list(rgb.shape)} was given: all must be [3, height, width], of one size")
        return net.encode(F.pad(rgb[None], padding, mode="replicate"))

    def field(state: State, index: int) -> Field:
        flow, seen = net.fine(State(*(part[index : index + 1] for part in state)))
        left, _, top, _ = padding
        flow, seen = (part[0, :, top : top + size[0], left : left + size[1]] for part in (flow, seen))
        return Field(flow, *seen)

    length = net.config.window
    first = encoded(rgb)
    held = [first, *map(encoded, islice(source, length - 1))]
    nothing = first.new_zeros(len(held), 2, *first.shape[-2:])
    if len(held) <= 2:
        yield Field(rgb.new_zeros(2, *size), rgb.new_ones(size), rgb.new_ones(size))
        if len(held) == 2:
            yield field(_refined(net, first, held[1], nothing[1:], nothing[1:], iterations, watch), 0)
        return
    flow = seen = nothing
    while True:
        known = len(held)
        window = torch.cat((*held, *[held[-1]] * (length - known)))
        state = _refined(net, first, window, _lengthened(flow, length), _lengthened(seen, length), iterations, watch)
        ahead = next(source, None)
        if ahead is None:
            yield from (field(state, index) for index in range(known))
            return
        step = length // 2
        yield from (field(state, index) for index in range(step))
        held = [*held[step:], encoded(ahead), *map(encoded, islice(source, step - 1))]
        flow, seen = state.flow[step:], state.seen[step:]


def trail(
    net: AllTracker,
    frames: Iterable[Tensor],
    points: Tensor,
    *,
    longest: int = LONGEST,
    iterations: int = ITERATIONS,
    watch: Watch = iter,
) -> Iterator[Place]:
    """Where the ``points`` [N,2] (x, y) of the first frame are in each of the ``frames`` [3,H,W], the first included.

    Frames may be uint8, 0..255, too, and on any device; those with a side above ``longest`` are reduced for the network. In the
    first frame, the points are where they were given, with visibility and confidence 1. Otherwise as `dense`.
    """
    if longest < 1:
        raise InputError(f"a longest side of {longest} pixels was given: it must be at least 1")
    scale: list[Tensor] = []

    def reduced() -> Iterator[Tensor]:
        for rgb in frames:
            height, width = rgb.shape[-2:]
            share = min(longest / max(height, width), 1)
            size = max(round(height * share), 1), max(round(width * share), 1)
            scale[:] = [torch.tensor([size[1] / width, size[0] / height], dtype=torch.float64)]
            rgb = floats(rgb.to(net.time_emb.device)).nan_to_num().clamp(0, 1)
            yield rgb if share == 1 else F.interpolate(rgb[None], size, mode="bilinear", antialias=True)[0]

    points = points.double().cpu()
    for index, field in enumerate(dense(net, reduced(), iterations, watch)):
        if not index:
            sure = torch.ones(len(points), dtype=torch.float64)
            yield Place(points, sure, sure)
            continue
        x, y = ((points + 0.5) * scale[0] - 0.5).T[:, None, None]
        planes = torch.cat((field.flow, field.visibility[None], field.confidence[None]))
        found = sample(planes[None].double().cpu(), x, y, outside="border")[0, :, 0]
        yield Place(points + found[:2].T / scale[0], found[2], found[3])


def track(
    net: AllTracker,
    clip: Tensor,
    points: Tensor,
    query: int = 0,
    *,
    longest: int = LONGEST,
    iterations: int = ITERATIONS,
) -> Place:
    """Where ``points`` [N,2] (x, y) of the frame ``query`` of a clip [T,3,H,W], 0..1, are in every frame, before it and after.

    Frames before it are walked backwards. Returns a `Place` with one more dimension: ``xy`` [T,N,2], the rest [T,N].
    Otherwise as `trail`. Raises `InputError` if there is no such frame.
    """
    if not 0 <= query < len(clip):
        raise InputError(f"frame {query} was given: the clip has frames 0 to {len(clip) - 1}")
    after = list(trail(net, clip[query:], points, longest=longest, iterations=iterations))
    backwards = (clip[index] for index in range(query, -1, -1))
    before = list(trail(net, backwards, points, longest=longest, iterations=iterations)) if query else []
    return Place(*map(torch.stack, zip(*before[:0:-1], *after, strict=True)))


def _refined(
    net: AllTracker, first: Tensor, features: Tensor, flow: Tensor, seen: Tensor, iterations: int, watch: Watch
) -> State:
    """The last of the states of `AllTracker.refine`."""
    if iterations < 1:
        raise InputError(f"{iterations} iterations were given: at least 1 is needed")
    return deque(watch(islice(net.refine(first, features, flow, seen), iterations)), maxlen=1).pop()


def _lengthened(planes: Tensor, length: int) -> Tensor:
    """``planes`` [S,...], the last repeated up to ``length``."""
    return torch.cat((planes, planes[-1:].expand(length - len(planes), *planes.shape[1:])))


def _padding(rgb: Tensor, least: int) -> tuple[int, int, int, int]:
    """Left, right, top and bottom, as in training: to a `MULTIPLE`, and to at least ``least``."""
    more_y, more_x = (max(math.ceil(side / MULTIPLE) * MULTIPLE, least) - side for side in rgb.shape[-2:])
    return more_x // 2, more_x - more_x // 2, more_y // 2, more_y - more_y // 2
