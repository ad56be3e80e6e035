"""Tracks that follow the drawing: after each denoising step, each point is located in the network's features.

Wang et al., "Framer: Interactive Frame Interpolation", ICLR 2025. Owns the update after one step; `tracks.refresh`
finds a point and bends a track. Knows nothing of networks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..tracks import Tracks
from ..tracks.refresh import AGREE, REACH, anchored, found


class Refresh:
    """The current tracks, and which of their positions both keyframes have agreed on.

    ``agree``: largest distance, in pixels, between the two positions found for a point that still counts as agreement.
    """

    def __init__(self, tracks: Tracks, agree: float = AGREE) -> None:
        self.tracks, self.agree = tracks, agree
        self.fixed = torch.zeros(tracks.path.shape[:2], dtype=torch.bool)

    def __call__(self, features: Tensor) -> Tracks:
        """Bend the tracks to fit the ``features`` [F,C,h,w] of a step."""
        from_first, from_last = self.seen(features)
        self.tracks, self.fixed = anchored(self.tracks, self.fixed, from_first, from_last, self.agree)
        return self.tracks

    def seen(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Each point's position matched from the first keyframe and from the last, [F,P,2] each.

        In the keyframes themselves both are the track's own position.
        """
        width, height = (round(side) for side in self.tracks.size)
        large = Enlarged(features, width, height)
        path, last = self.tracks.path, self.tracks.frames - 1
        near = torch.stack((path[..., 0].clamp(0, width - 1), path[..., 1].clamp(0, height - 1)), dim=-1).long()
        places = path.clone(), path.clone()
        for point in range(self.tracks.count):
            ends = [large.part(frame, near[frame, point], 0) for frame in (0, last)]
            for frame in range(1, last):
                here = near[frame, point]
                corner = (here - REACH).clamp(min=0)
                window = large.part(frame, here, REACH)
                for own, end in zip(places, ends, strict=True):
                    place = found(end, window, torch.zeros(1, 2), (here - corner)[None], REACH)[0]
                    own[frame, point] = place.to(own) + corner
        return places


class Enlarged:
    """``features`` [F,C,h,w] upsampled bilinearly to ``width`` x ``height``; only the requested parts are computed."""

    def __init__(self, features: Tensor, width: int, height: int) -> None:
        self.features = features.float()
        self.rows, self.columns = (
            F.interpolate(torch.eye(few, device=features.device)[None], size=many, mode="linear")[0].T
            for few, many in zip(features.shape[-2:], (height, width), strict=True)
        )

    def part(self, frame: int, middle: Tensor, reach: int) -> Tensor:
        """[C,2*reach+1,2*reach+1] around the pixel ``middle`` (x, y), cropped at the picture's edge."""
        x, y = middle.tolist()
        rows, columns = (side[max(at - reach, 0) : at + reach + 1] for side, at in ((self.rows, y), (self.columns, x)))
        return rows @ self.features[frame] @ columns.T
