"""Point tracking through a clip, from its first frame on, or from any frame both ways.

Uses Lucas and Kanade's method (OpenCV), the motion that any model estimates, or a tracker, see `trackers`. Owns the criterion
for lost points, and what cuts and repeats mean for points. Holds two frames, or those of a tracker's window. Knows nothing of
files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, pairwise
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from ..clips.clip import same_size
from ..core import Frame, InputError, Interpolator
from ..model import wrappers
from ..ops.warp import sample
from ..pixels.uint8 import floats, grey
from ..tracks import Tracks
from . import trackers
from .alltracker import AllTracker
from .flow import motions, occlusion

WITHIN = 1.0
"""A point tracked to the next frame and back is lost if it returns further than this from where it was, in pixels."""

WINDOW = 21
"""Side of the window that is compared around a point, in pixels."""

SMALLEST = 24
"""The pyramid ends before a side falls below this, in pixels."""

HALF = 0.5

ROUNDS = 12
"""Iterations that correct the half-way position until the motion there leads back to the point."""

Step: TypeAlias = "Callable[[Frame, Frame, Tensor], tuple[Tensor, Tensor]]"
"""Maps two frames and points [N,2] in the first to points in the second, and the error of each, [N] pixels."""


def follow(
    frames: Iterable[Frame],
    points: Tensor,
    model: Interpolator | AllTracker | None = None,
    *,
    within: float = WITHIN,
    watch: trackers.Watch = iter,
) -> Tracks:
    """Track the ``points`` [N,2] (x, y) of the first frame through every frame, in pixels of the frames.

    Without a ``model``, points are tracked by Lucas and Kanade's method in pyramids (Bouguet 2001), forwards and back. A
    point is lost if it does not return to within ``within`` pixels (Kalal, Mikolajczyk and Matas, "Forward-Backward Error",
    ICPR 2010). With a ``model``, its motion is followed from half-way to both frames. A point is lost if it is occluded
    there, or if no motion there leads back to it. A point that is lost, leaves the frame or meets a cut stays where it was,
    no longer visible.

    With a tracker, each point has a position in every frame up to a cut, also while it is hidden or outside, and may be visible
    again afterwards. ``within`` does not apply to it; ``watch`` is as in `trackers.dense`.

    Raises `InputError` if there are no frames or points, or the model estimates no motion.
    """
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or not points.isfinite().all():
        raise InputError(f"points of shape {list(points.shape)} were given: at least one is needed, as [points, 2]")
    if not within > 0:
        raise InputError(f"a tolerance of {within:g} pixels was given: it must be above 0")
    if isinstance(model, AllTracker):
        return _tracked(same_size(frames), points.double().cpu(), model, watch)
    if model is not None and not wrappers.estimates_motion(model):
        raise InputError(f"{model.spec.name} does not estimate motion: choose a model that does, such as dis or rife-4.25")
    step = lucas_kanade if model is None else _by_motion(model)
    path, visible, size = [], [], (0, 0)
    for frame, places, seen in _followed(same_size(frames), points.double().cpu(), step, within):
        path.append(places)
        visible.append(seen)
        size = (frame.rgb.shape[2], frame.rgb.shape[1])
    return _joined(path, visible, size)


def _joined(path: list[Tensor], visible: list[Tensor], size: tuple[int, int]) -> Tracks:
    if not path:
        raise InputError("the clip has no frames: at least one is needed to track points")
    return Tracks(torch.stack(path), torch.stack(visible), size)


def _tracked(frames: Iterator[Frame], points: Tensor, tracker: AllTracker, watch: trackers.Watch) -> Tracks:
    """As `follow`, with a tracker: it sees the frames up to the first cut, without those that repeat the one before."""
    marks: list[str] = []
    size = (0, 0)

    def pictures() -> Iterator[Tensor]:
        nonlocal size
        for frame in frames:
            size = (frame.rgb.shape[2], frame.rgb.shape[1])
            cut = bool(marks) and (frame.cut is not None or marks[-1] == "cut")
            marks.append("cut" if cut else "repeat" if frame.repeat and marks else "shown")
            if marks[-1] == "shown":
                yield floats(frame.rgb)

    places = list(trackers.trail(tracker, pictures(), points, watch=watch))
    path, visible = [], []
    shown = iter(places)
    for mark in marks:
        if mark == "shown":
            place = next(shown)
            path.append(place.xy)
            visible.append(place.visible & _within(place.xy, size))
        else:
            path.append(path[-1])
            visible.append(visible[-1] & (mark == "repeat"))
    return _joined(path, visible, size)


def follow_both_ways(
    back: Iterable[Frame],
    on: Iterable[Frame],
    points: Tensor,
    model: Interpolator | AllTracker | None = None,
    *,
    within: float = WITHIN,
    watch: trackers.Watch = iter,
) -> Tracks:
    """Track ``points`` of any frame of a clip to both of its ends; otherwise as `follow`.

    ``on`` are the frames from that of the points to the last, ``back`` those from it to the first, in that order.
    """
    after = follow(on, points, model, within=within, watch=watch)
    before = follow(back, points, model, within=within, watch=watch).reversed()
    path = torch.cat((before.path[:-1], after.path))
    return Tracks(path, torch.cat((before.visible[:-1], after.visible)), after.size)


def corners(frame: Frame, count: int, apart: float = 16.0) -> Tensor:
    """Up to ``count`` points [N,2] of a frame that are good to track, at least ``apart`` pixels apart, best first.

    Shi and Tomasi, "Good Features to Track", CVPR 1994. Raises `InputError` if there are none.
    """
    import cv2

    if count < 1:
        raise InputError(f"{count} points were requested: at least one is needed")
    found = cv2.goodFeaturesToTrack(grey(frame.rgb).numpy(), count, 0.01, apart)
    if found is None:
        raise InputError("the first frame has no points that can be tracked: it is uniform")
    return torch.from_numpy(found[:, 0])


def _followed(frames: Iterator[Frame], places: Tensor, step: Step, within: float) -> Iterator[tuple[Frame, Tensor, Tensor]]:
    """Each frame, with the positions of the points and which of them are still visible."""
    first = next(frames, None)
    if first is None:
        return
    visible = _inside(places, first)
    yield first, places, visible
    for before, frame in pairwise(chain((first,), frames)):
        if frame.cut is not None:
            visible = torch.zeros_like(visible)
        if visible.any() and not frame.repeat:
            moved, off = step(before, frame, places[visible])
            held = (off <= within) & _inside(moved, frame)
            index = visible.nonzero()[:, 0]
            places = places.index_put((index[held],), moved[held].double())
            visible = visible.index_put((index[~held],), torch.tensor(False))
        yield frame, places, visible


def lucas_kanade(before: Frame, after: Frame, places: Tensor) -> tuple[Tensor, Tensor]:
    """A `Step`: positions in the second frame and forward-backward errors, infinite for points that cannot be tracked."""
    import cv2

    one, other = grey(before.rgb).numpy(), grey(after.rgb).numpy()
    levels = max(int(np.log2(max(min(one.shape) / SMALLEST, 1))), 0)
    options = {
        "winSize": (WINDOW, WINDOW),
        "maxLevel": levels,
        "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 0.005),
    }
    start = places.float().numpy()[:, None]
    there, found, _ = cv2.calcOpticalFlowPyrLK(one, other, start, None, **options)  # type: ignore[call-overload]
    back, returned, _ = cv2.calcOpticalFlowPyrLK(other, one, there, None, **options)  # type: ignore[call-overload]
    off = np.linalg.norm(back - start, axis=-1)[:, 0]
    off[(found[:, 0] == 0) | (returned[:, 0] == 0)] = np.inf
    return torch.from_numpy(there[:, 0]).double(), torch.from_numpy(off)


def _by_motion(model: Interpolator) -> Step:
    """A `Step` along the motion half-way between the frames, where models estimate motion best."""

    def step(before: Frame, after: Frame, places: Tensor) -> tuple[Tensor, Tensor]:
        start, end = sorted((before.time, after.time))  # the pair may run backwards
        pair = (replace(before, time=start, cut=None), replace(after, time=end, cut=None))
        _, motion = next(motions(pair, model, HALF))
        middle = places + _looked_up(-motion.flow0, places)
        for _ in range(ROUNDS):
            middle = places - _looked_up(motion.flow0, middle)
        off = torch.linalg.vector_norm(middle + _looked_up(motion.flow0, middle) - places, dim=1)
        hidden = _looked_up(occlusion(motion, torch.tensor([HALF])), middle)[:, 0] > 0.5
        return middle + _looked_up(motion.flow1, middle), off.masked_fill(hidden, torch.inf)

    return step


def _looked_up(planes: Tensor, places: Tensor) -> Tensor:
    """``planes`` [1,C,H,W] sampled at ``places`` [N,2] in pixels: [N,C] float64; the edge is repeated outside."""
    x, y = places.T[:, None, None]
    return sample(planes.double().cpu(), x, y, outside="border")[0, :, 0].T


def _inside(places: Tensor, frame: Frame) -> Tensor:
    height, width = frame.rgb.shape[-2:]
    return _within(places, (width, height))


def _within(places: Tensor, size: tuple[int, int]) -> Tensor:
    width, height = size
    x, y = places.unbind(-1)
    return (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
