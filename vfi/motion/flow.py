"""Optical flow made visible: motion as colours, and where motion cannot be trusted.

Owns the colour wheel, its radius, and an occlusion test for models without one. Knows nothing of files, or of how any model
estimates motion.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ..clips.clip import same_size
from ..core import Frame, InputError, Interpolator, Motion
from ..model import wrappers
from ..ops.fill import filled
from ..ops.splat import splat_sum
from ..ops.warp import targets
from ..pixels.alpha import premultiplied
from ..timing.grids import Instant, Subdivide, resample

Toward = Literal["next", "previous"]

WHEEL = (
    (0, (1.0, 0.0, 0.0)),
    (15, (1.0, 1.0, 0.0)),
    (21, (0.0, 1.0, 0.0)),
    (25, (0.0, 1.0, 1.0)),
    (36, (0.0, 0.0, 1.0)),
    (49, (1.0, 0.0, 1.0)),
    (55, (1.0, 0.0, 0.0)),
)
"""Position of each pure colour on the wheel, in 55ths of a turn: the eye tells more shades of red than of green."""

MOST = 0.99
"""Share of a flow's pixels within the radius chosen for it; the rest are mostly outliers."""

LEAST = 1.0
"""Smallest radius of a clip, in pixels: anything that moves less is mostly noise, and stays pale."""


NEAR = 1 / 64
"""Time from a frame at which motion is asked for as that of the frame, of models that know it there."""

REACHED = 0.1
"""Weight of motion that leads to a pixel from which on its own motion is known."""


def colours(flow: Tensor, radius: float) -> Tensor:
    """The flow [B,2,H,W] (dx, dy) in pixels as a picture [B,3,H,W], 0..1, on the colour wheel of Middlebury.

    White is no motion. Hue is the direction: red right, yellow down, cyan left, blue up. Colour is fullest at ``radius``
    pixels, and a quarter darker beyond. Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011.
    Raises `InputError` unless ``radius`` is above 0.
    """
    if not 0 < radius < math.inf:
        raise InputError(f"a radius of {radius} pixels was given: it must be above 0")
    flow = flow.float()
    places, shades = zip(*WHEEL, strict=True)
    knots, hues = flow.new_tensor(places), flow.new_tensor(shades)
    place = torch.atan2(flow[:, 1], flow[:, 0]) / (2 * math.pi) % 1 * knots[-1]
    sector = torch.bucketize(place, knots[1:-1], right=True)
    along = (place - knots[sector]) / (knots[sector + 1] - knots[sector])
    hue = torch.lerp(hues[sector], hues[sector + 1], along[..., None]).movedim(-1, 1)
    reached = length(flow) / radius
    return torch.where(reached <= 1, 1 - reached * (1 - hue), 0.75 * hue)


def length(flow: Tensor) -> Tensor:
    """Length of each pixel's motion: [B,2,H,W] to [B,1,H,W], in pixels."""
    return torch.linalg.vector_norm(flow.float(), dim=1, keepdim=True)


def reach(flow: Tensor) -> float:
    """The length, in pixels, that a share `MOST` of the pixels of a flow [B,2,H,W] does not exceed."""
    lengths = length(flow).flatten()
    return float(lengths.kthvalue(math.ceil(MOST * len(lengths))).values)


def radius_of(flows: Iterable[Tensor]) -> float:
    """The radius for `colours` that suits a whole clip: the largest `reach` of its flows, at least `LEAST`."""
    return max(chain((LEAST,), map(reach, flows)))


def pictures(
    frames: Iterable[Frame], model: Interpolator, radius: float, *, t: float = 0.5, toward: Toward = "next"
) -> Iterator[Frame]:
    """The `motions` of a clip as a clip of `colours`: one picture per frame, shown for as long as the frame."""
    for instant, motion in motions(frames, model, t):
        yield Frame(colours(arm(motion, toward), radius)[0], instant.time, instant.duration, made=True)


def arm(motion: Motion, toward: Toward) -> Tensor:
    """The flow [B,2,H,W] from the frame at t to the next frame or to the previous one."""
    if toward not in get_args(Toward):
        raise InputError(f"flow toward {toward!r} was given: choose one of {', '.join(get_args(Toward))}")
    return motion.flow1 if toward == "next" else motion.flow0


def occlusion(motion: Motion, t: Tensor) -> Tensor:
    """Where neither frame shows the pixel of the frame at ``t`` [B], so that its motion is unreliable: [B,1,H,W], 0..1.

    The model's own plane if it has one. Otherwise 1 where both flows leave the frame, or where they disagree: with a = flow0
    / t and b = flow1 / (1 - t), they agree if |a + b|^2 <= 0.01 (|a|^2 + |b|^2) + 0.5. That is the test of Sundaram, Brox and
    Keutzer ("Dense Point Trajectories by GPU-accelerated Large Displacement Optical Flow", ECCV 2010) for forward and
    backward flow, as seen from t.
    """
    if motion.occlusion is not None:
        return motion.occlusion
    t = t.float().view(-1, 1, 1, 1)
    came, goes = motion.flow0.float() / t, motion.flow1.float() / (1 - t)
    bound = 0.01 * (length(came).square() + length(goes).square()) + 0.5
    differ = length(came + goes).square() > bound
    return (differ | (_leaves(motion.flow0) & _leaves(motion.flow1))).float()


def _leaves(flow: Tensor) -> Tensor:
    """Where ``flow`` leads out of the frame, [B,1,H,W]."""
    height, width = flow.shape[-2:]
    x, y = targets(flow)
    return ((x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5))[:, None]


def motions(frames: Iterable[Frame], model: Interpolator, t: float = 0.5) -> Iterator[tuple[Instant, Motion]]:
    """Yield the motion at ``t`` between each frame and the next, with its `Instant`.

    One per frame: after the last frame, and after the last of a shot, motion is zero. Holds one window of frames. Raises
    `InputError` if the model estimates no motion or ``t`` is not between 0 and 1.
    """
    check_motion(model)
    assert wrappers.estimates_motion(model)
    if not 0 < t < 1:
        raise InputError(f"t = {t} was given: it must lie between 0 and 1")
    for instant in resample(same_size(frames), Subdivide(1), tail="hold", window=model.spec.window):
        pictures = [premultiplied(frame)[None] for frame in instant.window]
        middle = len(instant.window) // 2
        if instant.blend or instant.window[middle] is instant.before:
            still = pictures[0].new_zeros(1, 2, *pictures[0].shape[-2:])
            yield instant, Motion(still, still, still[:, :1], still[:, :1])
        else:
            prepared = wrappers.prepare(model, [wrappers.encode(model, rgb) for rgb in pictures], pictures)
            yield instant, model.motion_at(prepared, pictures[0].new_tensor([t]))


class BothWays:
    """The flow of a model between two pictures, from each to the other, for whoever needs motion and no new frames.

    Calling it with two pictures [1,3,h,w], 0..1, returns the flow from the first to the second and the flow back, [1,2,h,w] in
    pixels. What the model computes of the second picture is kept for the next call. Raises `InputError` if the model estimates
    no motion.
    """

    def __init__(self, model: Interpolator) -> None:
        check_motion(model)
        self._model = model
        self._last: tuple[Tensor, Any] | None = None

    def __call__(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        model = self._model
        assert wrappers.estimates_motion(model)
        known = self._last is not None and torch.equal(self._last[0], before)
        first = self._last[1] if known and self._last is not None else wrappers.encode(model, before)
        second = wrappers.encode(model, after)
        self._last = after, second
        half = model.spec.window // 2
        prepared = wrappers.prepare(model, [first] * half + [second] * half, [before] * half + [after] * half)
        if model.spec.motion == "between":
            return _from_middle(model.motion_at(prepared, before.new_tensor([0.5])))
        early = model.motion_at(prepared, before.new_tensor([NEAR])).flow1 / (1 - NEAR)
        late = model.motion_at(prepared, before.new_tensor([1 - NEAR])).flow0 / (1 - NEAR)
        return early, late


def _from_middle(motion: Motion) -> tuple[Tensor, Tensor]:
    """The flow between the frames around, each from its own pixels, as the motion half-way leads to them."""
    across = motion.flow1.float() - motion.flow0.float()
    ends = (motion.flow0.float(), across, motion.mask.float()), (motion.flow1.float(), -across, 1 - motion.mask.float())
    return _carried(*ends[0]), _carried(*ends[1])


def _carried(way: Tensor, flow: Tensor, seen: Tensor) -> Tensor:
    """``flow`` moved along ``way``, and from all around to where nothing leads; ``seen`` weighs it."""
    weight = seen.clamp(min=1e-3)
    *planes, total = splat_sum(torch.cat((flow * weight, weight), 1), way).split(1, 1)
    return filled(torch.cat(planes, 1) / total.clamp(min=1e-6), (total / REACHED).clamp(max=1))


def check_motion(model: Interpolator) -> None:
    """Raises `InputError` if ``model`` estimates no motion."""
    if not wrappers.estimates_motion(model):
        raise InputError(f"{model.spec.name} does not estimate motion: choose a model that does, such as dis or rife-4.25")
