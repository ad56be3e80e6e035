"""The matchers by name: SIFT, which needs no weights, and the networks XFeat with LighterGlue, and LoFTR.

Owns what a network sees of a picture, and that its points are in pixels of that picture. Knows nothing of how weights are had,
nor of what matches are for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import InputError
from ..model import matching, registry, weights
from ..pixels.uint8 import floats, grey
from ..tracks.sampled import Size
from .match import Matcher, Matches, none, sift, size_of

NAMES = ("sift", *registry.matchers())
"""What `matcher` knows."""

XFEAT_SIDE, LOFTR_SIDE = 1600, 840
"""The longest side that each network sees, in pixels; larger pictures are made smaller. XFeat's figures are at 1200.
LoFTR was trained at 840: its memory grows with the fourth power of the side, and is 2.6 GB there."""

XFEAT_MULTIPLE, LOFTR_MULTIPLE = 32, 8
LOFTR_LEAST = 64
"""The shortest side that LoFTR sees: it finds nothing within 16 pixels of an edge."""

WINDOW, WITHIN, ALIKE = 11, 4.0, 0.7
"""XFeat's corners are whole pixels, so Lucas-Kanade refines the second of each match by its surroundings of this many pixels.
A move counts if it is at most ``WITHIN`` pixels, and if both surroundings correlate by at least ``ALIKE`` after it. The median
error on a photograph that was shifted, or turned by 5 degrees, falls from 0.9 to 0.3 pixels or less. On one that was turned by
40 degrees or enlarged twice, surroundings differ, and it stays."""

MOST = 2048
"""At most this many points of each picture are matched by LighterGlue, the most reliable first."""


def matcher(name: str, device: torch.device | str = "cpu", folders: Iterable[Path] | None = None) -> Matcher:
    """The matcher of a name in `NAMES`; its weights are searched for in ``folders``, by default `weights.search_folders`.

    Never downloads. Raises `InputError`, which names the command that gets missing weights.
    """
    if name == "sift":
        return sift
    if name not in NAMES:
        raise InputError(f"no matcher is called {name!r}: there are {', '.join(NAMES)}")
    return of_file(name, weights.find(name, folders), device)


def of_file(name: str, file: Path | str, device: torch.device | str = "cpu") -> Matcher:
    """As `matcher`, with the weights of a safetensors file. Raises `InputError`, which names the file."""
    state = registry.normalise(weights.read(file))
    found = matching.named(state)
    if found != name:
        raise InputError(f"{file} holds no {name}: {'it is ' + found if found else 'its tensors have other names'}")
    try:
        return XFeat(state, device) if name == matching.XFEAT else LoFTR(state, device)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


class XFeat:
    """XFeat finds corners of both pictures, and LighterGlue pairs them; the score is LighterGlue's.

    Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024; Lindenberger et al., "LightGlue:
    Local Feature Matching at Light Speed", ICCV 2023.
    """

    def __init__(self, state: dict[str, Tensor], device: torch.device | str = "cpu") -> None:
        """``state``: as `matching.detector` and `matching.pairing` take it. Raises `InputError`."""
        self._device = device
        self._detector: Any = matching.detector(state).to(device)
        self._pairing: Any = matching.pairing(state).to(device)

    @torch.no_grad()
    def __call__(self, first: Tensor, last: Tensor) -> Matches:
        """The matches of two pictures [3,H,W], 0..1 or uint8. Raises `InputError` if the sizes differ."""
        size = size_of(first, last)
        views = [View.of(one, XFEAT_SIDE, XFEAT_MULTIPLE, "replicate") for one in (floats(first), floats(last))]
        found = [self._points(view) for view in views]
        if not all(points["keypoints"].numel() for points in found):
            return none(size)
        out = self._pairing(dict(zip(("image0", "image1"), found, strict=True)))
        pairs, scores = out["matches"][0], out["scores"][0]
        ends = [points["keypoints"][0, which] for points, which in zip(found, pairs.unbind(1), strict=True)]
        return refined(first, last, placed(views, ends, scores, size, centre=0.0), max(views[0].scale))

    def _points(self, view: View) -> dict[str, Tensor]:
        """The points of a picture that do not lie in its padding, as LightGlue takes them, with a batch dimension first."""
        (found,) = self._detector.detectAndCompute(view.picture.to(self._device), top_k=MOST)
        inside = view.inside(found["keypoints"])
        return {
            "keypoints": found["keypoints"][None, inside],
            "descriptors": found["descriptors"][None, inside],
            "image_size": torch.tensor([view.size], device=inside.device),
        }


class LoFTR:
    """LoFTR compares all places of both pictures, and so finds points on surfaces with little texture too.

    Sun et al., "LoFTR: Detector-Free Local Feature Matching with Transformers", CVPR 2021.
    """

    def __init__(self, state: dict[str, Tensor], device: torch.device | str = "cpu") -> None:
        """``state``: as `matching.loftr` takes it. Raises `InputError`."""
        self._device = device
        self._network: Any = matching.loftr(state).to(device)

    @torch.no_grad()
    def __call__(self, first: Tensor, last: Tensor) -> Matches:
        """The matches of two pictures [3,H,W], 0..1 or uint8. Raises `InputError` if the sizes differ."""
        size = size_of(first, last)
        views = [View.of(floats(grey(one))[None], LOFTR_SIDE, LOFTR_MULTIPLE, "constant", LOFTR_LEAST) for one in (first, last)]
        found = self._network({f"image{index}": view.picture.to(self._device) for index, view in enumerate(views)})
        # kornia says that LoFTR's weights take the corner of the first pixel for (0, 0).
        return placed(views, [found["keypoints0"], found["keypoints1"]], found["confidence"], size, centre=0.5)


class View(NamedTuple):
    """What a network sees: ``picture`` [1,C,h,w] of which the first ``size`` (width, height) are a picture's, the rest padding.

    ``scale``: how many of the picture's own pixels one of these is wide and high.
    """

    picture: Tensor
    size: tuple[int, int]
    scale: tuple[float, float]

    @classmethod
    def of(cls, picture: Tensor, side: int, multiple: int, padding: Literal["replicate", "constant"], least: int = 1) -> View:
        """A picture [C,H,W], made smaller if a side is longer than ``side``, and padded at the right and at the bottom."""
        height, width = picture.shape[-2:]
        factor = min(1.0, side / max(height, width))
        high, wide = max(round(height * factor), 1), max(round(width * factor), 1)
        seen = picture[None].detach().cpu().nan_to_num().clamp(0, 1)
        if factor < 1:
            seen = F.interpolate(seen, (high, wide), mode="bilinear", antialias=True)
        right, below = max(wide, least), max(high, least)
        right, below = right + -right % multiple - wide, below + -below % multiple - high
        seen = F.pad(seen, (0, right, 0, below), mode=padding)
        return cls(seen, (wide, high), (width / wide, height / high))

    def inside(self, points: Tensor) -> Tensor:
        """Which ``points`` [N,2] (x, y), where (0, 0) is the centre of the first pixel, do not lie in the padding."""
        return ((points >= -0.5) & (points < torch.tensor(self.size, device=points.device) - 0.5)).all(1)

    def original(self, points: Tensor) -> Tensor:
        """The same in pixels of the picture itself."""
        return (points + 0.5) * torch.tensor(self.scale, device=points.device) - 0.5


def placed(views: list[View], ends: list[Tensor], score: Tensor, size: Size, centre: float) -> Matches:
    """The matches between ``ends`` [M,2] of two views, without those in their padding, in pixels of the pictures of ``size``.

    ``centre``: the position, in the view, of the centre of its first pixel.
    """
    points = [end.float().cpu() - centre for end in ends]
    kept = views[0].inside(points[0]) & views[1].inside(points[1])
    edge = torch.tensor(size, dtype=torch.float32) - 1
    first, last = (torch.minimum(view.original(end).clamp(min=0), edge) for view, end in zip(views, points, strict=True))
    return Matches(first, last, score.float().cpu().clamp(0, 1), size).kept(kept)


def refined(first: Tensor, last: Tensor, matches: Matches, scale: float = 1.0) -> Matches:
    """Matches between two pictures [3,H,W], with the second point of each moved to where its surroundings fit best.

    ``scale``: size of the pixels that the points were found in. See `WITHIN` and `ALIKE`.
    """
    import cv2

    if not len(matches):
        return matches
    one, other = grey(first).numpy(), grey(last).numpy()
    start, coarse = (points.numpy()[:, None] for points in (matches.first, matches.last))
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        one,
        other,
        start,
        coarse.copy(),
        winSize=(WINDOW, WINDOW),
        maxLevel=int(scale > 1.5),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01),
    )
    fine = torch.from_numpy(there[:, 0])
    edge = torch.tensor(matches.size) - 1
    good = torch.from_numpy(found[:, 0]).bool() & ((fine >= 0) & (fine <= edge)).all(1)
    good &= torch.linalg.vector_norm(fine - matches.last, dim=1) <= WITHIN * scale
    good &= _alike(_patches(one, matches.first), _patches(other, fine)) >= ALIKE
    return replace(matches, last=torch.where(good[:, None], fine, matches.last))


def _patches(picture: Any, points: Tensor) -> Tensor:
    """The surroundings of ``points`` [N,2] in a grey picture, a row each."""
    import cv2

    cut = [cv2.getRectSubPix(picture, (WINDOW, WINDOW), (x, y), patchType=cv2.CV_32F) for x, y in points.tolist()]
    return torch.stack([torch.from_numpy(patch).flatten() for patch in cut])


def _alike(one: Tensor, other: Tensor) -> Tensor:
    """The correlation of each row with that of the other; that of a row without contrast is 0."""
    one, other = (patch - patch.mean(1, keepdim=True) for patch in (one, other))
    return F.cosine_similarity(one, other, dim=1)
