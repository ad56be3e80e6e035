"""When the true frame of a window lies between its ends, by its own motion.

Frames that a change of rate left, or that a generator spaced unevenly, do not lie where their numbers say. A network that is
trained on them as if they did learns to blur. Knows nothing of shards or networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..edit.heal.pictures import grey_of, new_flow, place_of

STILL = 0.01
"""Share of the pixels that must tell a time; where fewer do, nearly nothing moves, and the frame's number will do."""

AGREED = 0.5
"""Share of the moving pixels that must agree on the time within a tenth."""


def instants(frames: Sequence[Tensor], windows: Tensor) -> Tensor:
    """The times [N] of the true frames of ``windows`` [N,3], from 0 to 1, of ``frames``, uint8 [3,H,W] each.

    NaN for a window whose parts move by different clocks: no single time is true of it.
    """
    greys = [grey_of(np.ascontiguousarray(frame.movedim(0, -1).numpy())) for frame in frames]
    flow = new_flow()
    found = []
    for before, at, after in windows.tolist():
        place = place_of(*(flow.calc(greys[at], greys[end], None) for end in (before, after)))
        if place.known < STILL:
            found.append((at - before) / (after - before))
        else:
            found.append(place.at if place.agreed >= AGREED else math.nan)
    return torch.tensor(found, dtype=torch.float32)
