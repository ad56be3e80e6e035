"""Tracks corrected by what a network sees while it draws: Framer's point refresh.

A point of a frame in between stays where both keyframes find it, and its track is bent to go through there. Wang et al.,
"Framer: Interactive Frame Interpolation", ICLR 2025. Knows nothing of the network but the features that it hands over.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .document import Point, Track
from .sampled import Tracks, instants

REACH = 5
"""How far around where a point is it is looked for, in pixels, up and down and to both sides."""

AGREE = 2.0
"""The two keyframes agree on a point when the places they give are less than this apart, in pixels."""


def found(reference: Tensor, features: Tensor, start: Tensor, near: Tensor, reach: int = REACH) -> Tensor:
    """Where in ``features`` [C,H,W] the pixels ``start`` [P,2] of ``reference`` [C,H,W] are, [P,2] whole pixels.

    Each is looked for within ``reach`` of where it is expected, ``near`` [P,2], and taken is the pixel whose features differ
    least in sum. Fractions of a pixel are dropped.
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
    """The tracks bent through the places on which both keyframes agree, and which places of them are fixed, [T,N] bool.

    ``from_first`` and ``from_last`` [T,N,2] are what `found` gives for each frame; ``fixed`` [T,N] are the places that earlier
    rounds have fixed, which stay so. The places of the first and the last frame always stand. Between fixed places a track
    is the monotone curve (`curves.chain`) that passes each at its own time.
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
