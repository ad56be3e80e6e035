"""Frames of a clip that are left out and made again from those around them, so that the true error is known.

Owns which frames these are, and the instant at which each is made. Knows nothing of what is concluded from the errors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..core import Frame
from ..edit.heal.pictures import Place, grey_of, new_flow, place_of, rounded, thumbnail
from ..pixels.uint8 import floats
from .features import Cells, areas, errors
from .fit import Sample
from .witness import Witness

MOST = 64
"""Frames of a clip that are kept, at least and if it has so many; never more than twice as many."""

KNOWN = 0.02
"""Share of the pixels that must tell where a frame lies between its neighbours."""

AGREED = 0.3
"""Share of the moving pixels that must agree on it; else it is taken to lie midway."""

MIDWAY = 0.25
"""The farthest from midway that a frame may lie: others nearly repeat a neighbour, and tell little."""

STEPS = 64
"""Parts of a step to which the instant is rounded, as models that only know t = 1/2 do."""


@dataclass(frozen=True)
class Triplet:
    """A frame that is left out, number ``index`` of the clip, and the ``window`` around it; it lies at ``t`` between the middle
    two."""

    index: int
    window: tuple[Frame, ...]
    true: Frame
    t: float


def triplets(frames: Iterable[Frame], size: int = 2) -> Iterator[Triplet]:
    """Every frame of a clip that can be left out, with the ``size`` frames around it of which every second is left out.

    No window reaches across a cut, and repeats are passed over. Holds 2 ``size`` - 1 frames.
    """
    around: deque[tuple[int, Frame]] = deque(maxlen=2 * size - 1)
    for index, frame in enumerate(frames):
        if frame.cut is not None:
            around.clear()
        if frame.repeat and frame.cut is None:
            continue
        around.append((index, frame))
        if len(around) == 2 * size - 1:
            number, true = around[size - 1]
            yield Triplet(number, tuple(one for _, one in list(around)[::2]), true, 0.5)


def placed(one: Triplet) -> Triplet | None:
    """The triplet with the instant that its frame shows by its motion; None if that is too near to a neighbour.

    Clips that changed rate, or whose generator moves unevenly, have many frames that do not lie midway. A frame that is made
    midway differs from these, however good it is.
    """
    middle = len(one.window) // 2
    before, after = one.window[middle - 1 : middle + 1]
    greys = [grey_of(rounded(thumbnail(frame))) for frame in (before, one.true, after)]
    flow = new_flow()
    place: Place = place_of(flow.calc(greys[1], greys[0], None), flow.calc(greys[1], greys[2], None))
    if place.known >= KNOWN and abs(place.at - 0.5) > MIDWAY:
        return None
    t = place.at if place.known >= KNOWN and place.agreed >= AGREED else 0.5
    return Triplet(one.index, one.window, one.true, round(t * STEPS) / STEPS)


@dataclass(frozen=True)
class Remade:
    """A frame made again: its ``cells`` [features,rows,columns] float16, and their ``errors`` [rows,columns]."""

    index: int
    cells: Cells
    errors: Cells
    error: float

    def sample(self, names: Sequence[str]) -> Sample:
        """What a fit takes of it."""
        return Sample.of(self.cells, self.errors, self.error, tuple(names), self.index)


def remade(one: Triplet, witness: Witness) -> Remade:
    """A triplet's frame made by the model of ``witness``."""
    between = witness.between([colours(frame) for frame in one.window])
    made = between.made(one.t)
    missed = errors(made, colours(one.true))
    error = float(np.average(missed, weights=areas(*made.shape[-2:])))
    return Remade(one.index, between.cells(made, one.t).astype(np.float16), missed, error)


def samples(frames: Iterable[Frame], witness: Witness, names: Sequence[str], most: int = MOST) -> list[Sample]:
    """The samples of a clip, in order: at least ``most`` if it has so many frames, and at most twice as many."""
    kept: list[tuple[int, Sample]] = []
    spacing = 1
    for place, one in enumerate(triplets(frames, witness.model.spec.window)):
        if place % spacing:
            continue
        if len(kept) >= 2 * most:
            spacing *= 2
            kept = [(at, sample) for at, sample in kept if at % spacing == 0]
            if place % spacing:
                continue
        if (known := placed(one)) is not None:
            kept.append((place, remade(known, witness).sample(names)))
    return [sample for _, sample in kept]


def colours(frame: Frame) -> Tensor:
    """A frame's colours, [3,H,W] float32 on the CPU, clipped to 0..1."""
    return floats(frame.rgb.cpu()).clamp(0, 1)
