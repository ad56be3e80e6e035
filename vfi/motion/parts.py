"""Frames whose parts are at times of their own: what moves is cut out of both keyframes, moved as a whole to its own place, and
laid over the ground, which is at its own.

A part is a picture with alpha. Its motion as a whole comes from tracks or is found (`figures`); both of its keyframes are
warped along it to the wanted place, and the model makes what is left: what changes within the part. So a part is where its
chart puts it whatever the model, and an arm that the model would lose stays whole. Where a part was, the ground is taken from
the keyframe that shows it, or, if neither does, from around. Knows nothing of files, charts or frame rates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..archs.dis import Dis
from ..core import InputError, Interpolator, Motion, Moves
from ..model import wrappers
from ..ops.fill import filled
from ..ops.warp import sample, targets, warp_cubic
from ..pixels.alpha import moved
from ..tracks.formats import Read
from .figures import Seen, Similar, course, through, whole_motion

RIM = 3
"""Width of the rim around a part, in pixels, that is not trusted to show the ground: masks are drawn by hand."""

SOLID = 0.98
"""Alpha from which a pixel shows nothing but its part: soft edges take their colour from there."""

CHANGED = 0.02
"""Share of its area by which the outline of a part may differ, once aligned, before it is made from motion."""

HELD = 80
"""Extra numbers held per pixel, besides the model's own."""

Places = Callable[[float], Sequence[float]]
"""The place of the ground and then of each part, 0 (first keyframe) to 1 (last), when the new frame is at t."""


@dataclass(frozen=True, eq=False)
class Part:
    """What moves on its own: masks [H,W] 0..1 in the first and the last keyframe, in pixels of these.

    Without ``after``, the part is searched in the last keyframe, and keeps its outline. Tracks that begin in ``before`` give its
    way; without any, its motion is found. Raises `InputError`.
    """

    before: Tensor
    after: Tensor | None = None
    name: str = "part"

    def __post_init__(self) -> None:
        for mask, which in ((self.before, "first"), (self.after, "last")):
            if mask is None:
                continue
            if mask.ndim != 2 or 0 in mask.shape:
                raise InputError(f"a mask of shape {list(mask.shape)} was given for {self.name}: [height, width] is needed")
            if not (mask > 0.5).any():
                raise InputError(f"the mask of {self.name} in the {which} keyframe is empty: it must be white on the part")


class Charted(wrappers.Wrapper):
    """Makes any two-frame ``model`` that is ready to use move ``parts`` on their own.

    ``places`` gives the place of the ground and of each part at t. Of two parts, the later lies on top, and pixels in its mask
    hide the other. ``tracks`` lead the parts that they begin in. A frame whose places are all 0, or all 1, is that keyframe.
    Raises `InputError` for a model that takes more than two frames, and for masks of another size than the frames.
    """

    def __init__(
        self, model: Interpolator, parts: Sequence[Part], places: Places, tracks: Read | None = None, eye: Moves | None = None
    ) -> None:
        if model.spec.window != 2:
            raise InputError(f"{model.spec.name} takes {model.spec.window} frames at once: charts need a two-frame model")
        super().__init__(model, replace(model.spec, activations=model.spec.activations + HELD, any_t=True))
        self.parts, self.places, self.tracks = tuple(parts), places, tracks
        self.eye: Moves = model if wrappers.estimates_motion(model) else eye or wrappers.Padded(Dis())

    def encode(self, rgb: Tensor) -> None:
        return None

    def prepare(self, features: Sequence[Any], frames: Sequence[Tensor]) -> tuple[_Pair, ...]:
        before, after = frames
        return tuple(_Pair(self, pair) for pair in zip(before.split(1), after.split(1), strict=True))

    def at(self, prepared: tuple[_Pair, ...], t: Tensor) -> Tensor:
        return torch.cat([prepared[index % len(prepared)].at(time) for index, time in enumerate(t.tolist())])

    def motion_at(self, prepared: tuple[_Pair, ...], t: Tensor) -> Motion:
        """The motion of every part as a whole."""
        found = [prepared[index % len(prepared)].motion_at(time) for index, time in enumerate(t.tolist())]
        return wrappers.joined_motion(found)


class _Pair:
    """Two keyframes, [1,3,H,W] each, cut into the ground and the parts."""

    def __init__(self, by: Charted, frames: tuple[Tensor, Tensor]) -> None:
        self.by, self.frames = by, frames
        colours = frames[0].float(), frames[1].float()
        size = frames[0].shape[-2:]
        for part in by.parts:
            for mask in (part.before, part.after):
                if mask is not None and mask.shape != size:
                    (height, width), (tall, wide) = mask.shape, size
                    raise InputError(
                        f"the mask of {part.name} is {width}x{height} and the keyframes are {wide}x{tall}: "
                        "a mask must be as large as they are"
                    )
        cut = [_cut(part, colours, by.tracks) for part in by.parts]
        nothing = torch.zeros_like(colours[0][:, :1])
        hidden = (nothing, nothing)
        layers: list[_Layer] = []
        for (alphas, way), part in zip(reversed(cut), reversed(by.parts), strict=True):
            known = [(alpha > SOLID).float() * (1 - above) for alpha, above in zip(alphas, hidden, strict=True)]
            if not any(one.any() for one in known):
                known = [alpha * (1 - above) for alpha, above in zip(alphas, hidden, strict=True)]
            if not any((one > 0).any() for one in known):
                raise InputError(f"the mask of {part.name} is covered by those after it: leave out one of them")
            layers.append(_Layer(by, colours, (known[0], known[1]), way, alphas))
            hidden = (torch.maximum(hidden[0], alphas[0]), torch.maximum(hidden[1], alphas[1]))
        shown = (1 - _grown(hidden[0]), 1 - _grown(hidden[1]))
        ends = [Seen(picture[0].cpu(), weight[0].cpu()) for picture, weight in zip(colours, shown, strict=True)]
        whole = course(whole_motion(*ends), ends[0].weight, ends[1].weight)
        self.layers = (_Layer(by, colours, shown, whole.at, None), *reversed(layers))

    def at(self, t: float) -> Tensor:
        """The frame at ``t``, [1,3,H,W]."""
        places = self.by.places(t)
        for end, frame in enumerate(self.frames):
            if all(place == end for place in places):
                return frame
        made = self.layers[0].at(places[0]).picture
        for layer, place in zip(self.layers[1:], places[1:], strict=True):
            picture, alpha = layer.at(place)
            made = made * (1 - alpha) + picture
        return made.to(self.frames[0].dtype)

    def motion_at(self, t: float) -> Motion:
        moved: Motion | None = None
        for layer, place in zip(self.layers, self.by.places(t), strict=True):
            own, alpha = layer.motion_at(place)
            on = (alpha > 0.5).float()
            pairs = () if moved is None else ((moved.flow0, own.flow0), (moved.flow1, own.flow1), (moved.mask, own.mask))
            moved = Motion(*(torch.lerp(below, above, on) for below, above in pairs)) if pairs else own
        assert moved is not None
        return moved


class _Made(NamedTuple):
    """A layer at a place: its ``picture`` times its ``alpha``, [1,3,H,W] and [1,1,H,W]."""

    picture: Tensor
    alpha: Tensor


class _Layer:
    """The ground or a part: what is ``known`` of it in both keyframes, its ``alphas`` there (None for the ground, which is
    everywhere), and its ``way``, the motion as a whole from the first keyframe to a place."""

    def __init__(
        self,
        by: Charted,
        frames: tuple[Tensor, Tensor],
        known: tuple[Tensor, Tensor],
        way: Callable[[float], Similar],
        alphas: tuple[Tensor, Tensor] | None,
    ) -> None:
        self.by, self.known, self.way, self.alphas = by, known, way, alphas
        self.pictures = tuple(filled(frame, one) for frame, one in zip(frames, known, strict=True))
        self.last: tuple[float, _Made] | None = None

    def at(self, place: float) -> _Made:
        if self.last is None or self.last[0] != place:  # a drawing on twos is shown again
            self.last = place, self._made(place)
        return self.last[1]

    def motion_at(self, place: float) -> tuple[Motion, Tensor]:
        """The motion as a whole, and the alpha, at a place."""
        flows = self._flows(place)
        seen = [sample(known, *targets(flow), outside="zeros") for known, flow in zip(self.known, flows, strict=True)]
        near, far = (1 - place) * (seen[0] + 1e-3), place * (seen[1] + 1e-3)
        alpha = torch.ones_like(near) if self.alphas is None else self.at(place).alpha
        return Motion(*flows, near / (near + far)), alpha

    def _flows(self, place: float) -> tuple[Tensor, Tensor]:
        """Where each pixel at a place lies in both keyframes, [1,2,H,W]."""
        back = self.way(place).inverse()
        height, width = self.pictures[0].shape[-2:]
        return (
            back.flow(height, width, self.pictures[0]),
            self.way(1.0).after(back).flow(height, width, self.pictures[0]),
        )

    def _made(self, place: float) -> _Made:
        flows = self._flows(place)
        one, other = (warp_cubic(picture, flow) for picture, flow in zip(self.pictures, flows, strict=True))
        seen0, seen1 = (sample(known, *targets(flow), outside="zeros") for known, flow in zip(self.known, flows, strict=True))
        before = torch.lerp(torch.lerp(one, other, seen1), one, seen0)
        after = torch.lerp(torch.lerp(other, one, seen0), other, seen1)
        if self.alphas is None:
            return _Made(self._between(before, after, place)[0], torch.ones_like(seen0))
        alpha0, alpha1 = (sample(alpha, *targets(flow), outside="zeros") for alpha, flow in zip(self.alphas, flows, strict=True))
        light = (before * alpha0).sum() / alpha0.sum().clamp(min=1e-6) / 3
        behind = float(light < 0.5)  # the outline must be seen
        before, after = torch.lerp(torch.full_like(before, behind), before, alpha0), torch.lerp(
            torch.full_like(after, behind), after, alpha1
        )
        made, motion = self._between(before, after, place, moves=bool((alpha0 - alpha1).abs().mean() > CHANGED * alpha0.mean()))
        if motion is None:
            alpha = torch.lerp(alpha0, alpha1, place)
        else:
            alpha = moved(alpha0, alpha1, motion).clamp(0, 1)
        return _Made(torch.where(alpha > 0, made - behind * (1 - alpha), 0), alpha)

    def _between(self, before: Tensor, after: Tensor, place: float, moves: bool = False) -> tuple[Tensor, Motion | None]:
        """The model's frame between two pictures that are aligned, and its motion if that is wanted."""
        if place in (0, 1):
            return (after if place else before), None
        model, eye = self.by.model, self.by.eye
        t = torch.tensor([place], device=before.device)
        frames = before.contiguous(), after.contiguous()
        prepared = wrappers.prepare(model, [wrappers.encode(model, frame) for frame in frames], frames)
        motion = None
        if moves:
            seen = prepared if eye is model else wrappers.prepare(eye, [wrappers.encode(eye, one) for one in frames], frames)
            motion = eye.motion_at(seen, t)
        return wrappers.at(model, prepared, t).float(), motion


def _cut(
    part: Part, frames: tuple[Tensor, Tensor], tracks: Read | None
) -> tuple[tuple[Tensor, Tensor], Callable[[float], Similar]]:
    """The alphas of a part in both keyframes, [1,1,H,W], and its way."""
    before = part.before.to(frames[0]).clamp(0, 1)[None, None]
    after = None if part.after is None else part.after.to(frames[0]).clamp(0, 1)[None, None]
    led = None if tracks is None else _led(tracks, before)
    if led is not None:
        way = led
    else:
        whole = _found(before, after, frames)
        stay = before if after is None else after
        seen = sample(before, *targets(whole.inverse().flow(*before.shape[-2:], before)), outside="zeros")
        way = course(whole, before[0].cpu(), (seen if after is None else stay)[0].cpu()).at
    if after is None:
        after = sample(before, *targets(way(1.0).inverse().flow(*before.shape[-2:], before)), outside="zeros")
    return (before, after), way


def _found(before: Tensor, after: Tensor | None, frames: tuple[Tensor, Tensor]) -> Similar:
    """The motion as a whole of a part with masks [1,1,H,W]."""
    if after is None:
        return whole_motion(Seen(frames[0][0].cpu(), before[0].cpu()), Seen(frames[1][0].cpu(), torch.ones_like(before[0]).cpu()))
    ends = []
    for frame, mask in zip(frames, (before, after), strict=True):
        cut = torch.cat((torch.lerp(torch.full_like(frame, 0.5), frame, mask), mask), dim=1)
        ends.append(cut[0].cpu())
    return whole_motion(Seen(ends[0], _grown(before)[0].cpu()), Seen(ends[1], torch.ones_like(before[0]).cpu()))


def _led(tracks: Read, mask: Tensor) -> Callable[[float], Similar] | None:
    """The way of a part along the tracks that begin in its mask [1,1,H,W] and are seen in both keyframes; None without any."""
    height, width = mask.shape[-2:]
    scaled = tracks.scaled((width, height))
    ends = scaled.at((0.0, 1.0))
    x, y = ends.path[0].to(mask).unbind(-1)
    inside = sample(mask, x[None, None], y[None, None], outside="zeros")[0, 0, 0].cpu() > 0.5
    chosen = (inside & ends.visible.all(0).cpu()).nonzero().flatten()
    if not len(chosen):
        return None

    def points(place: float) -> list[complex]:
        return [complex(*point) for point in scaled.at((place,)).path[0, chosen].tolist()]

    return lambda place: through(points(0.0), points(place))


def _grown(mask: Tensor) -> Tensor:
    """A mask [1,1,H,W] with a rim of `RIM` pixels."""
    return F.max_pool2d(mask, 2 * RIM + 1, 1, RIM)
