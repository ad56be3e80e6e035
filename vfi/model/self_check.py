"""Half precision is compared with single precision on the first pair that moves, and given up aloud if the two part.

Positions in large frames and the estimates of some weights need more digits than half precision has: text shakes, edges
double. That depends on the network, its weights and the frame size, so it is measured on the clip itself. Knows nothing of any
particular network, of devices or of files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..core import Interpolator, Motion
from . import wrappers

log = logging.getLogger(__name__)

CELL = 16
"""Side of the cells in which frames are compared, in pixels: about that of a letter."""

APART = 4 / 255
"""Mean difference in a cell from which two frames part. Half precision that holds measured at most a fifth of it; a line of
text that is a pixel off differs by several times as much."""

STILL = 0.5 / 255
"""Mean difference between the frames of a pair up to which it proves nothing: without motion, any precision suffices."""


@dataclass(eq=False)
class Features:
    """A frame [B,3,H,W], and its features by the model ``known`` by."""

    rgb: Tensor
    inner: Any = None
    known: Interpolator | None = None


@dataclass(eq=False)
class Prepared:
    """The frames of a window, and what the model ``known`` prepares of them."""

    features: Sequence[Features]
    inner: Any = None
    known: Interpolator | None = None


class SelfCheck(wrappers.Wrapper):
    """Runs ``quick`` until the first pair that moves, and makes its frames by ``exact`` too.

    If both agree, ``quick`` goes on alone; else ``exact`` does if ``falls_back``, and a warning says what was found. ``exact``
    is called at most once.
    """

    def __init__(self, quick: Interpolator, exact: Callable[[], Interpolator], *, falls_back: bool = True) -> None:
        super().__init__(quick, replace(quick.spec, threads=False))
        self._exact: Callable[[], Interpolator] | None = exact
        self._falls_back = falls_back

    def encode(self, rgb: Tensor) -> Features:
        seen = Features(rgb)
        self._known(seen, self.model)
        return seen

    def prepare(self, features: Sequence[Features], frames: Sequence[Tensor]) -> Prepared:
        prepared = Prepared(features)
        self._ready(prepared, self.model)
        return prepared

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        made = wrappers.at(self.model, self._ready(prepared, self.model), t)
        if self._exact is None or not moves([seen.rgb for seen in prepared.features]):
            return made
        exact, self._exact = self._exact(), None
        again = Prepared([Features(seen.rgb) for seen in prepared.features])
        true = wrappers.at(exact, self._ready(again, exact), t)
        apart = parting(made, true)
        if apart <= APART:
            return made
        found = (
            f"{self.spec.name} parts from single precision by {255 * apart:.1f} of 255 levels in a cell of {CELL}x{CELL} pixels"
        )
        if not self._falls_back:
            log.warning("half precision was asked for, and %s: float32 avoids that", found)
            return made
        log.warning("half precision is given up for this clip: %s", found)
        self.model = exact
        return true

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        return super().motion_at(self._ready(prepared, self.model), t)

    def _known(self, seen: Features, model: Interpolator) -> Any:
        if seen.known is not model:
            seen.inner, seen.known = wrappers.encode(model, seen.rgb), model
        return seen.inner

    def _ready(self, prepared: Prepared, model: Interpolator) -> Any:
        if prepared.known is not model:
            parts = [self._known(seen, model) for seen in prepared.features]
            prepared.inner = wrappers.prepare(model, parts, [seen.rgb for seen in prepared.features])
            prepared.known = model
        return prepared.inner


def moves(frames: Sequence[Tensor]) -> bool:
    """Whether the middle two of ``frames`` [B,3,H,W] differ enough to prove anything."""
    before, after = frames[len(frames) // 2 - 1], frames[len(frames) // 2]
    return float((before - after).abs().mean()) > STILL


def parting(made: Tensor, true: Tensor) -> float:
    """The largest mean difference, over colours and a cell, between frames [B,3,H,W]; infinite if only ``true`` is finite."""
    differ = (made.float() - true.float()).abs().mean(1, keepdim=True)
    if not bool(differ.isfinite().all()):
        return float("inf") if bool(true.isfinite().all()) else 0.0
    sides = [min(CELL, side) for side in differ.shape[-2:]]
    return float(F.avg_pool2d(differ, sides, ceil_mode=True, count_include_pad=False).max())
