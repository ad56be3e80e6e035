"""Point matches between two pictures: where points are in the first and in the last.

Found by OpenCV's SIFT; `matchers` has the networks that find them. Owns which matches are supported by others, and which few
represent all. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ..core import InputError
from ..pixels.uint8 import grey
from ..tracks import Tracks
from ..tracks.sampled import Size

RATIO = 0.75
"""A SIFT match is kept if its distance is below this share of the next best's. Framer takes 0.5: few, but sure."""

WITHIN = 3.0
"""How far, in pixels, a match may be from where the motion it shares puts it."""

LEAST = 8
"""Fewest matches that count as a motion: any four fit one, and this many by chance have not been observed."""

MOTIONS = 8
"""At most this many motions are searched for: the background's, and those of the largest things in front of it."""

APART = 16.0
"""Distance, in pixels, between the few matches that represent all."""

Matcher: TypeAlias = "Callable[[Tensor, Tensor], Matches]"


@dataclass(frozen=True, eq=False)
class Matches:
    """M points that two pictures of ``size`` (width, height) share: ``first`` and ``last`` [M,2] (x, y), in pixels.

    ``score`` [M] 0..1 is the confidence.
    """

    first: Tensor
    last: Tensor
    score: Tensor
    size: Size

    def __len__(self) -> int:
        return len(self.score)

    def kept(self, which: Tensor) -> Matches:
        """A subset, by index or mask."""
        return Matches(self.first[which], self.last[which], self.score[which], self.size)

    def unique(self) -> Matches:
        """The most confident of those that share a position in either picture."""
        taken: set[tuple[object, ...]] = set()
        chosen = []
        for index in self.score.argsort(descending=True, stable=True).tolist():
            places = {("first", *self.first[index].tolist()), ("last", *self.last[index].tolist())}
            if not places & taken:
                taken |= places
                chosen.append(index)
        return self.kept(torch.tensor(sorted(chosen), dtype=torch.long))

    def consistent(self, within: float = WITHIN, least: int = LEAST) -> Matches:
        """Those of the `unique` ones that move together: within ``within`` pixels of one of a few homographies.

        The homography that explains most is found by random sampling (Fischler and Bolles, RANSAC, 1981), then the next among
        the rest, while it has ``least`` matches: a thing that moves independently stays, an unsupported match goes.
        """
        import cv2

        own = self.unique()
        first, last = own.first.double().numpy(), own.last.double().numpy()
        left = torch.arange(len(own))
        kept = torch.zeros(len(own), dtype=torch.bool)
        for _ in range(MOTIONS):
            if len(left) < max(least, 4):
                break
            found, shared = cv2.findHomography(first[left], last[left], cv2.RANSAC, within, maxIters=5000, confidence=0.999)
            agree = torch.zeros(len(left), dtype=torch.bool) if found is None else torch.from_numpy(shared[:, 0]).bool()
            if int(agree.sum()) < least:
                break
            kept[left[agree]] = True
            left = left[~agree]
        return own.kept(kept)

    def spread(self, count: int, apart: float = APART) -> Matches:
        """Up to ``count`` of the most confident matches, at least ``apart`` pixels apart in the first picture."""
        chosen: list[int] = []
        for index in self.score.argsort(descending=True, stable=True).tolist():
            if len(chosen) == count:
                break
            if not chosen or torch.linalg.vector_norm(self.first[chosen] - self.first[index], dim=1).min() >= apart:
                chosen.append(index)
        return self.kept(torch.tensor(chosen, dtype=torch.long))

    def tracks(self, frames: int) -> Tracks:
        """Straight tracks of constant speed, from first to last position, over ``frames`` frames."""
        ends = torch.stack((self.first, self.last)).double()
        return Tracks(ends, torch.ones(ends.shape[:2], dtype=torch.bool), self.size).resampled(frames)


def sift(first: Tensor, last: Tensor, ratio: float = RATIO) -> Matches:
    """SIFT matches of two pictures [3,H,W], 0..1 or uint8; the score is how much nearer the best match is than the next.

    Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004. Raises `InputError` if the sizes differ.
    """
    import cv2

    size = size_of(first, last)
    if not 0 < ratio <= 1:
        raise InputError(f"a ratio of {ratio:g} was given: it must be above 0 and at most 1")
    finder = cv2.SIFT.create()
    (keys, descriptors), (others, described) = (finder.detectAndCompute(grey(one).numpy(), None) for one in (first, last))  # type: ignore[call-overload]
    if len(keys) < 2 or len(others) < 2:
        return none(size)
    pairs = cv2.BFMatcher().knnMatch(descriptors, described, k=2)
    kept = [
        (*keys[best.queryIdx].pt, *others[best.trainIdx].pt, 1 - best.distance / max(following.distance, 1e-9))
        for best, following in pairs
        if best.distance < ratio * following.distance
    ]
    table = torch.tensor(kept, dtype=torch.float32).reshape(-1, 5)
    return Matches(table[:, :2], table[:, 2:4], table[:, 4], size)


def size_of(first: Any, last: Any) -> Size:
    """The size (width, height) of two pictures [3,H,W]. Raises `InputError` if they differ in shape."""
    if first.shape != last.shape or first.ndim != 3 or first.shape[0] != 3:
        raise InputError(
            f"pictures of shape {list(first.shape)} and {list(last.shape)} were given: "
            "two of the same size are needed, [3, height, width]"
        )
    return first.shape[2], first.shape[1]


def none(size: Size) -> Matches:
    """No matches at all."""
    return Matches(torch.zeros(0, 2), torch.zeros(0, 2), torch.zeros(0), size)
