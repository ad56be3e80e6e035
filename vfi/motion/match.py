"""Points that two pictures have in common: where they are in the first and in the last.

OpenCV's SIFT finds them, or kornia's LoFTR where its weights are. Owns which are borne out by others, and which few stand for
all. Knows nothing of models that make frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import InputError
from ..model import weights
from ..pixels.uint8 import floats, grey
from ..tracks import Tracks
from ..tracks.sampled import Size

RATIO = 0.75
"""A SIFT match is kept when the next best is so much further: 1 / 0.75. Framer takes 0.5, which leaves few and sure ones."""

WITHIN = 3.0
"""How far, in pixels, a match may be from where the motion that it shares puts it."""

LEAST = 8
"""So many matches make a motion: four lie on one by themselves, and as many by chance are not seen."""

MOTIONS = 8
"""So many motions are looked for: that of the background, and those of the largest things before it."""

APART = 16.0
"""How far apart the few are, in pixels, that stand for all."""

LOFTR_FILE = "loftr_outdoor.safetensors"
LOFTR_MULTIPLE = 8

Matcher: TypeAlias = "Callable[[Tensor, Tensor], Matches]"


@dataclass(frozen=True, eq=False)
class Matches:
    """M places that two pictures of ``size`` (width, height) share: ``first`` and ``last`` [M,2] (x, y), in pixels.

    ``score`` [M] 0..1: how sure each is.
    """

    first: Tensor
    last: Tensor
    score: Tensor
    size: Size

    def __len__(self) -> int:
        return len(self.score)

    def kept(self, which: Tensor) -> Matches:
        """Some of them, by index or mask."""
        return Matches(self.first[which], self.last[which], self.score[which], self.size)

    def unique(self) -> Matches:
        """Of those that share a place in either picture, the surest."""
        taken: set[tuple[object, ...]] = set()
        chosen = []
        for index in self.score.argsort(descending=True, stable=True).tolist():
            places = {("first", *self.first[index].tolist()), ("last", *self.last[index].tolist())}
            if not places & taken:
                taken |= places
                chosen.append(index)
        return self.kept(torch.tensor(sorted(chosen), dtype=torch.long))

    def consistent(self, within: float = WITHIN, least: int = LEAST) -> Matches:
        """Those of the `unique` ones that move together: that lie within ``within`` pixels of one of a few homographies.

        The one that explains most is found by random sampling (Fischler and Bolles, RANSAC, 1981), then the next among the
        rest, while it has ``least`` matches: a thing that moves by itself stays, a match that nothing bears out goes.
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
        """The ``count`` surest that lie ``apart`` pixels from each other in the first picture, or as many as there are."""
        chosen: list[int] = []
        for index in self.score.argsort(descending=True, stable=True).tolist():
            if len(chosen) == count:
                break
            if not chosen or torch.linalg.vector_norm(self.first[chosen] - self.first[index], dim=1).min() >= apart:
                chosen.append(index)
        return self.kept(torch.tensor(chosen, dtype=torch.long))

    def tracks(self, frames: int) -> Tracks:
        """Each from its first to its last place, straight and evenly, over ``frames`` frames."""
        ends = torch.stack((self.first, self.last)).double()
        return Tracks(ends, torch.ones(ends.shape[:2], dtype=torch.bool), self.size).resampled(frames)


def sift(first: Tensor, last: Tensor, ratio: float = RATIO) -> Matches:
    """What SIFT finds in two pictures [3,H,W], 0..1 or codes; the score is how much nearer the best match is than the next.

    Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004. Raises `InputError` where the sizes differ.
    """
    import cv2

    size = _size(first, last)
    if not 0 < ratio <= 1:
        raise InputError(f"a ratio of {ratio:g} was given: it must be above 0 and at most 1")
    finder = cv2.SIFT.create()
    (keys, descriptors), (others, described) = (finder.detectAndCompute(grey(one).numpy(), None) for one in (first, last))  # type: ignore[call-overload]
    if len(keys) < 2 or len(others) < 2:
        return _none(size)
    pairs = cv2.BFMatcher().knnMatch(descriptors, described, k=2)
    kept = [
        (*keys[best.queryIdx].pt, *others[best.trainIdx].pt, 1 - best.distance / max(following.distance, 1e-9))
        for best, following in pairs
        if best.distance < ratio * following.distance
    ]
    table = torch.tensor(kept, dtype=torch.float32).reshape(-1, 5)
    return Matches(table[:, :2], table[:, 2:4], table[:, 4], size)


def loftr(model: str | Path = LOFTR_FILE, device: torch.device | str = "cpu") -> Matcher:
    """What matches pictures by LoFTR, which finds points on bare walls too; ``model`` is a safetensors file or its name.

    Sun et al., "LoFTR: Detector-Free Local Feature Matching with Transformers", CVPR 2021; the network is kornia's. Never
    downloads. Raises `InputError`.
    """
    from kornia.feature import LoFTR

    try:
        state = weights.read(weights.find(model))
    except InputError as error:
        raise InputError(
            f"{error}. Kornia's loftr_outdoor.ckpt is made into it by `vfi models convert loftr_outdoor.ckpt {LOFTR_FILE}`"
        ) from error
    network = LoFTR(pretrained=None)
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        raise InputError(f"{model} is not of LoFTR as kornia has it: {str(error).splitlines()[-1].strip()}") from error
    network = network.to(device).eval()

    @torch.no_grad()
    def matcher(first: Tensor, last: Tensor) -> Matches:
        size = _size(first, last)
        found = network({f"image{index}": _grown(one).to(device) for index, one in enumerate((first, last))})
        one, other, score = (found[key].cpu() for key in ("keypoints0", "keypoints1", "confidence"))
        made = Matches(one, other, score, size)
        edge = torch.tensor(size) - 1
        return made.kept(((made.first <= edge) & (made.last <= edge)).all(1))

    return matcher


def _grown(rgb: Tensor) -> Tensor:
    """A grey picture [1,1,H,W] 0..1 whose sides suit LoFTR."""
    height, width = rgb.shape[-2:]
    light = floats(grey(rgb))[None, None]
    return F.pad(light, (0, -width % LOFTR_MULTIPLE, 0, -height % LOFTR_MULTIPLE))


def _size(first: Any, last: Any) -> Size:
    if first.shape != last.shape or first.ndim != 3 or first.shape[0] != 3:
        raise InputError(
            f"pictures of shape {list(first.shape)} and {list(last.shape)} were given: "
            "two of one size are needed, [3, height, width]"
        )
    return first.shape[2], first.shape[1]


def _none(size: Size) -> Matches:
    return Matches(torch.zeros(0, 2), torch.zeros(0, 2), torch.zeros(0), size)
