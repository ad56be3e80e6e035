"""Corrects tracks with a network's features while it draws: Framer's point refresh.

If both keyframes find a point at the same position of an in-between frame, it is fixed there and its track bent through it.
Wang et al., "Framer: Interactive Frame Interpolation", ICLR 2025. Knows nothing of the network except its features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .document import Point, Track
from .sampled import Tracks, instants

REACH = 5
"""Search radius around a point's expected position, in pixels, horizontally and vertically."""

AGREE = 2.0
"""The two keyframes agree on a point if their positions for it are less than this apart, in pixels."""


def found(reference: Tensor, features: Tensor, start: Tensor, near: Tensor, reach: int = REACH) -> Tensor:
    """Locate the pixels ``start`` [P,2] of ``reference`` [C,H,W] in ``features`` [C,H,W]: [P,2] whole pixels.

    Each is searched within ``reach`` of its expected position, ``near`` [P,2]; the pixel with the smallest sum of absolute
    feature differences wins. Fractions of a pixel are dropped.
    """
    height, width = features.shape[-2:]
    places = []
    for (x0, y0), (x, y) in zip(start.long().tolist(), near.long().tolist(), strict=True):
        left, top = max(x - reach, 0), max(y - reach, 0)
        window = features[:, top : min(y + reach + 1, height), left : min(x + reach + 1, width)]
        apart = (window - reference[:, y0 : y0 + 1, x0 : x0 + 1]).abs().sum(0)
        row, column = divmod(int(apart.argmin()), apart.shape[1])
        places.append((left + column, top + row))
    return features.new_tensor(places).reshape(-1, 2)


def anchored(
    tracks: Tracks, fixed: Tensor, from_first: Tensor, from_last: Tensor, agree: float = AGREE
) -> tuple[Tracks, Tensor]:
    """Bend tracks through the positions on which both keyframes agree; returns them and the fixed positions, [T,N] bool.

    ``from_first`` and ``from_last`` [T,N,2]: results of `found` for each frame; ``fixed`` [T,N]: positions fixed in earlier
    rounds, which stay fixed. Positions in the first and last frames never change. Between fixed positions a track is the
    monotone curve (`curves.chain`) that passes each at its own time.
    """
    near = torch.linalg.vector_norm(from_first - from_last, dim=-1) < agree
    near[0] = near[-1] = False
    path = torch.where(near[..., None], (from_first + from_last) / 2, tracks.path)
    fixed = fixed | near
    fixed[0] = fixed[-1] = True
    at = instants(tracks.frames)
    bent: list[Tensor] = []
    for index in range(tracks.count):
        frames = fixed[:, index].nonzero().flatten().tolist()
        places = [(*path[frame, index].tolist(), float(at[frame])) for frame in frames]
        points = tuple(Point(x, y, time) for x, y, time in places)
        bent.append(Track(points, interp="pchip").at(at))
    return Tracks(torch.stack(bent, dim=1).to(tracks.path), tracks.visible, tracks.size), fixed
