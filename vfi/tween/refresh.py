"""Tracks that follow what is being drawn: after each step, points are looked for in the features of the network.

Wang et al., "Framer: Interactive Frame Interpolation", ICLR 2025. Owns the round of one step; how a point is found and a track
bent is `tracks.refresh`'s. Knows nothing of networks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..tracks import Tracks
from ..tracks.refresh import AGREE, anchored, found


class Refresh:
    """The tracks as they are by now, and which of their places both keyframes have agreed on.

    ``agree``: how near each other, in pixels, the places that the two find for a point must be.
    """

    def __init__(self, tracks: Tracks, agree: float = AGREE) -> None:
        self.tracks, self.agree = tracks, agree
        self.fixed = torch.zeros(tracks.path.shape[:2], dtype=torch.bool)

    def __call__(self, features: Tensor) -> Tracks:
        """The tracks bent by what the ``features`` [F,C,h,w] of a step show.

        One frame at a time is brought to the size of the picture, beside those of the two keyframes.
        """
        from_first, from_last = self.seen(features)
        self.tracks, self.fixed = anchored(self.tracks, self.fixed, from_first, from_last, self.agree)
        return self.tracks

    def seen(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Where each point is by the first keyframe, and by the last, [F,P,2]; in both, where it is by its track."""
        width, height = (round(side) for side in self.tracks.size)
        path = self.tracks.path.float()
        last = self.tracks.frames - 1

        def full(frame: int) -> Tensor:
            return F.interpolate(features[frame, None], size=(height, width), mode="bilinear")[0]

        inside = path[..., 0].clamp(0, width - 1), path[..., 1].clamp(0, height - 1)
        near = torch.stack(inside, dim=-1)
        places = path.repeat(2, 1, 1, 1)
        ends = ((full(0), near[0]), (full(last), near[last]))
        for frame in range(1, last):
            here = full(frame)
            for own, (reference, start) in zip(places, ends, strict=True):
                own[frame] = found(reference, here, start, near[frame]).to(own)
        return places[0], places[1]
