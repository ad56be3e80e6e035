"""Optical flow for the eye: motion as colours, and where no motion is to be trusted.

Owns the colour wheel, the length that its rim stands for, and what is occluded where a model does not say. Knows nothing of
files, nor of how any model finds motion.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Literal, get_args

import torch
from torch import Tensor

from ..clips.clip import same_size
from ..core import Frame, InputError, Interpolator, Motion
from ..model import wrappers
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
"""Where on the wheel, in 55ths of a turn, each pure colour stands: the eye tells more shades of red than of green."""

MOST = 0.99
"""The share of the pixels of a flow that lie within the radius chosen for it; the rest are mostly strays."""

LEAST = 1.0
"""The smallest radius, in pixels, that a clip is given: what moves by less is mostly noise, and stays pale."""


def colours(flow: Tensor, radius: float) -> Tensor:
    """The flow [B,2,H,W] (dx, dy) in pixels as a picture [B,3,H,W], 0..1, on the colour wheel of Middlebury.

    White does not move; hue is the direction, red to the right, yellow down, cyan to the left, blue up; colour is fullest
    at ``radius`` pixels, and a quarter darker beyond. Baker et al., "A Database and Evaluation Methodology for Optical
    Flow", IJCV 2011. Raises `InputError` unless ``radius`` is above 0.
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
    """How far each pixel moves: [B,2,H,W] to [B,1,H,W], in pixels."""
    return torch.linalg.vector_norm(flow.float(), dim=1, keepdim=True)


def reach(flow: Tensor) -> float:
    """The length, in pixels, that `MOST` of the pixels of a flow [B,2,H,W] do not exceed."""
    lengths = length(flow).flatten()
    return float(lengths.kthvalue(math.ceil(MOST * len(lengths))).values)


def radius_of(flows: Iterable[Tensor]) -> float:
    """The radius for `colours` that suits a whole clip: the largest `reach` of its flows, `LEAST` or more."""
    return max(chain((LEAST,), map(reach, flows)))


def pictures(
    frames: Iterable[Frame], model: Interpolator, radius: float, *, t: float = 0.5, toward: Toward = "next"
) -> Iterator[Frame]:
    """The `motions` of a clip as a clip of `colours`: a picture for each frame, shown as long as the frame was."""
    for instant, motion in motions(frames, model, t):
        yield Frame(colours(arm(motion, toward), radius)[0], instant.time, instant.duration, made=True)


def arm(motion: Motion, toward: Toward) -> Tensor:
    """The flow [B,2,H,W] that leads from the frame at t to the next frame or to the previous one."""
    if toward not in get_args(Toward):
        raise InputError(f"flow toward {toward!r} was asked for: give one of {', '.join(get_args(Toward))}")
    return motion.flow1 if toward == "next" else motion.flow0


def occlusion(motion: Motion, t: Tensor) -> Tensor:
    """Where the frames show nothing of the frame at ``t`` [B] that the motion could be trusted with: [B,1,H,W], 0..1.

    The model's own plane where it has one. Else 1 where both flows lead out of the frame, or where they tell of different
    motion: with a = flow0 / t and b = flow1 / (1 - t), what was there and what comes is the same only while
    |a + b|^2 <= 0.01 (|a|^2 + |b|^2) + 0.5. That is the test of Sundaram, Brox and Keutzer ("Dense Point Trajectories by
    GPU-accelerated Large Displacement Optical Flow", ECCV 2010) for forward and backward flow, as seen from t.
    """
    if motion.occlusion is not None:
        return motion.occlusion
    t = t.float().view(-1, 1, 1, 1)
    came, goes = motion.flow0.float() / t, motion.flow1.float() / (1 - t)
    bound = 0.01 * (length(came).square() + length(goes).square()) + 0.5
    differ = length(came + goes).square() > bound
    return (differ | (_leaves(motion.flow0) & _leaves(motion.flow1))).float()


def _leaves(flow: Tensor) -> Tensor:
    """Whether ``flow`` leads out of the frame, [B,1,H,W]."""
    height, width = flow.shape[-2:]
    x, y = targets(flow)
    return ((x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5))[:, None]


def motions(frames: Iterable[Frame], model: Interpolator, t: float = 0.5) -> Iterator[tuple[Instant, Motion]]:
    """The motion at ``t`` between each frame and the next, one after the other; where and when is in the `Instant`.

    As many as there are frames: after the last, and after the last of a shot, nothing moves. Holds one window of frames.
    Raises `InputError` where the model estimates no motion or ``t`` is not between 0 and 1.
    """
    if not wrappers.estimates_motion(model):
        raise InputError(
            f"{model.spec.name} does not estimate motion: choose a model that follows it, such as dis or rife-4.25"
        )
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
            yield instant, model.motion_at(prepared, pictures[0].new_tensor([t]))  # type: ignore[attr-defined]
