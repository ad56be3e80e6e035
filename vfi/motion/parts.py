"""Frames whose parts are at times of their own: what moves is cut out of both keyframes, moved as a whole to its own place, and
laid over the ground, which is at its own.

A part is a picture with alpha. Its motion as a whole comes from tracks or is found (`figures`); both of its keyframes are
warped along it to the wanted place, and the model makes what is left: what changes within the part. So a part is where its
chart puts it whatever the model, and an arm that the model would lose stays whole. Where a part was, the ground is taken from
the keyframe that shows it, or, if neither does, from around. Knows nothing of files, charts or frame rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ..archs.dis import Dis
from ..core import InputError, Interpolator, Motion, Moves
from ..model import wrappers
from ..ops.fill import filled
from ..ops.warp import sample, targets, warp_corners, warp_cubic
from ..pixels.alpha import moved
from ..tracks.formats import Read
from .figures import Seen, Similar, course, grid, through, whole_motion

RIM = 3
"""Width of the rim around a part, in pixels, that is not trusted to show the ground: masks are drawn by hand."""

SOLID = 0.98
"""Alpha from which a pixel shows nothing but its part: soft edges take their colour from there."""

FAINT = 0.3
"""What a part shows below this is a soft edge under that of another: these multiply to 1/4 at most."""

CHANGED = 0.02
"""Share of its area by which the outline of a part may differ, once aligned, before it is made from motion."""

CERTAIN, NEAR, SPOT = 0.02, 8.0, 0.03
"""How much better tracks must explain a pixel than the ground, in colour 0..1; how far the start of a track may lie from what
it moves, in pixels; and what lies near a track, as a fraction of the diagonal."""

WELL = 0.06
"""Difference in colour, 0..1, below which tracks explain a pixel."""

PART_OF_IT, ALL_OF_IT = 0.1, 0.7
"""Share of an area of one colour that must move with tracks, and share that may, for the whole area to do so."""

HELD = 80
"""Extra numbers held per pixel, besides the model's own."""

Table: TypeAlias = "Sequence[Sequence[Fraction | float]]"
"""For each new frame, evenly spaced in time: the place of the ground and of each part, 0 (first keyframe) to 1 (last)."""


@dataclass(frozen=True, eq=False)
class Part:
    """What moves on its own: masks [H,W] 0..1 in the first and the last keyframe, in pixels of these.

    Without ``after``, the part is searched in the last keyframe, and keeps its outline. Tracks that begin in ``before`` give
    its way; without any, its motion is found. Raises `InputError`.
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

    ``table`` has a row for each new frame, of which there are no others; t is rounded to the nearest. Of two parts, the later
    lies on top, and pixels in its mask hide the other. ``tracks`` lead the parts that they begin in; others are not used. A
    frame whose places are all 0, or all 1, is that keyframe. Without parts, the model makes the whole frame at its place.
    Raises `InputError` for a model that takes more than two frames, for masks of another size than the frames, and if there
    are tracks and none begins in a mask.
    """

    def __init__(
        self, model: Interpolator, parts: Sequence[Part], table: Table, tracks: Read | None = None, eye: Moves | None = None
    ) -> None:
        if not table or any(len(row) != len(parts) + 1 for row in table):
            raise InputError(f"places for {len(parts)} parts and the ground are needed for each of at least one frame")
        if model.spec.window != 2:
            raise InputError(f"{model.spec.name} takes {model.spec.window} frames at once: charts need a two-frame model")
        super().__init__(model, replace(model.spec, activations=model.spec.activations + HELD, any_t=True, threads=False))
        self.parts, self.table, self.tracks = tuple(parts), table, tracks
        self.eye: Moves = model if wrappers.estimates_motion(model) else eye or wrappers.Padded(Dis())

    def places(self, t: float) -> list[float]:
        """The places of the ground and of each part at t."""
        frames = len(self.table)
        return [float(place) for place in self.table[min(max(round(t * (frames + 1)) - 1, 0), frames - 1)]]

    def encode(self, rgb: Tensor) -> None:
        """Nothing: no keyframe is shown to the model as it is."""

    def prepare(self, features: Sequence[Any], frames: Sequence[Tensor]) -> tuple[_Whole | _Pair, ...]:
        kind = _Pair if self.parts else _Whole
        before, after = frames
        return tuple(kind(self, pair) for pair in zip(before.split(1), after.split(1), strict=True))

    def at(self, prepared: Sequence[_Whole | _Pair], t: Tensor) -> Tensor:
        made = []
        for index, time in enumerate(t.tolist()):
            pair, places = prepared[index % len(prepared)], self.places(time)
            end = next((end for end in (0, 1) if all(place == end for place in places)), None)
            made.append(pair.at(places) if end is None else pair.frames[end])
        return torch.cat(made)

    def motion_at(self, prepared: Sequence[_Whole | _Pair], t: Tensor) -> Motion:
        """The motion of every part as a whole; without parts, the model's own."""
        each = enumerate(t.tolist())
        return wrappers.joined_motion([prepared[index % len(prepared)].motion_at(self.places(time)) for index, time in each])


class _Whole:
    """Two keyframes, [1,3,H,W] each, that are in no parts."""

    def __init__(self, by: Charted, frames: tuple[Tensor, Tensor]) -> None:
        self.by, self.frames = by, frames
        self.prepared = _prepared(by.model, frames)

    def at(self, places: Sequence[float]) -> Tensor:
        """The frame at the place of the ground, [1,3,H,W]."""
        return wrappers.at(self.by.model, self.prepared, _time(places[0], self.frames[0]))

    def motion_at(self, places: Sequence[float]) -> Motion:
        eye, (place, *_) = self.by.eye, places
        if place in (0, 1):
            still = torch.zeros_like(self.frames[0][:, :2], dtype=torch.float32)
            return Motion(still, still, still[:, :1] + (1 - place))
        seen = self.prepared if eye is self.by.model else _prepared(eye, self.frames)
        return eye.motion_at(seen, _time(place, self.frames[0]))


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
        if (
            by.tracks is not None
            and by.parts
            and not any(_begun(by.tracks, _plane(part.before, colours[0])) for part in by.parts)
        ):
            raise InputError("tracks were given and none begins in the mask of a part: a part moves with the tracks that do")
        cut = [_cut(part, colours, by.tracks) for part in by.parts]
        nothing = torch.zeros_like(colours[0][:, :1])
        hidden = (nothing, nothing)
        layers: list[_Layer] = []
        for (alphas, way), part in zip(reversed(cut), reversed(by.parts), strict=True):
            known = [(alpha > SOLID).float() * (1 - above) for alpha, above in zip(alphas, hidden, strict=True)]
            if not any(one.any() for one in known):
                known = [alpha * (1 - above) for alpha, above in zip(alphas, hidden, strict=True)]
            if not any((one > FAINT).any() for one in known):
                raise InputError(f"the mask of {part.name} is covered by those after it: leave out one of them")
            layers.append(_Layer(by, colours, (known[0], known[1]), way, alphas))
            hidden = (torch.maximum(hidden[0], alphas[0]), torch.maximum(hidden[1], alphas[1]))
        shown = (1 - _grown(hidden[0]), 1 - _grown(hidden[1]))
        ends = [Seen(picture[0].cpu(), weight[0].cpu()) for picture, weight in zip(colours, shown, strict=True)]
        whole = course(whole_motion(ends[0], ends[1]), ends[0].weight, ends[1].weight)
        self.layers = (_Layer(by, colours, shown, whole.at, None), *reversed(layers))

    def at(self, places: Sequence[float]) -> Tensor:
        """The frame with the ground and each part at its place, [1,3,H,W]."""
        made = self.layers[0].at(places[0]).picture
        for layer, place in zip(self.layers[1:], places[1:], strict=True):
            picture, alpha = layer.at(place)
            made = made * (1 - alpha) + picture
        return made.to(self.frames[0].dtype)

    def motion_at(self, places: Sequence[float]) -> Motion:
        found, _ = self.layers[0].motion_at(places[0])
        for layer, place in zip(self.layers[1:], places[1:], strict=True):
            own, alpha = layer.motion_at(place)
            on = (alpha > 0.5).float()
            flow0, flow1 = torch.lerp(found.flow0, own.flow0, on), torch.lerp(found.flow1, own.flow1, on)
            found = Motion(flow0, flow1, torch.lerp(found.mask, own.mask, on))
        return found


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
        near, far = (1 - place + 1e-3) * (seen[0] + 1e-5), (place + 1e-3) * (seen[1] + 1e-5)
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
        pairs = zip(self.alphas, flows, strict=True)
        alpha0, alpha1 = (sample(alpha, *targets(flow), outside="zeros") for alpha, flow in pairs)
        light = float((before * alpha0).sum() / alpha0.sum().clamp(min=1e-6) / 3)
        behind = torch.full_like(before, float(light < 0.5))  # so that the model sees the outline
        changed = bool((alpha0 - alpha1).abs().mean() > CHANGED * alpha0.mean())
        before, after = torch.lerp(behind, before, alpha0), torch.lerp(behind, after, alpha1)
        made, motion = self._between(before, after, place, moves=changed)
        alpha = torch.lerp(alpha0, alpha1, place) if motion is None else moved(alpha0, alpha1, motion).clamp(0, 1)
        return _Made(torch.where(alpha > 0, made - behind * (1 - alpha), 0), alpha)

    def _between(self, before: Tensor, after: Tensor, place: float, moves: bool = False) -> tuple[Tensor, Motion | None]:
        """The model's frame between two pictures that are aligned, and its motion if that is wanted."""
        if place in (0, 1):
            return (after if place else before), None
        model, eye = self.by.model, self.by.eye
        t, frames = _time(place, before), (before, after)
        prepared = _prepared(model, frames)
        motion = None
        if moves:
            motion = eye.motion_at(prepared if eye is model else _prepared(eye, frames), t)
        return wrappers.at(model, prepared, t).float(), motion


def _cut(
    part: Part, frames: tuple[Tensor, Tensor], tracks: Read | None
) -> tuple[tuple[Tensor, Tensor], Callable[[float], Similar]]:
    """The alphas of a part in both keyframes, [1,1,H,W], and its way."""
    before = _plane(part.before, frames[0])
    after = None if part.after is None else _plane(part.after, frames[0])
    led = None if tracks is None else _led(tracks, before)
    if led is not None:
        way = led
    else:
        whole = _found(before, after, frames)
        stay = before if after is None else after
        seen = sample(before, *targets(whole.inverse().flow(before.shape[-2], before.shape[-1], before)), outside="zeros")
        way = course(whole, before[0].cpu(), (seen if after is None else stay)[0].cpu()).at
    if after is None:
        after = sample(before, *targets(way(1.0).inverse().flow(before.shape[-2], before.shape[-1], before)), outside="zeros")
    return (before, after), way


def _found(before: Tensor, after: Tensor | None, frames: tuple[Tensor, Tensor]) -> Similar:
    """The motion as a whole of a part with masks [1,1,H,W]."""
    if after is None:
        return whole_motion(
            Seen(frames[0][0].cpu(), before[0].cpu()), Seen(frames[1][0].cpu(), torch.ones_like(before[0]).cpu())
        )
    ends = []
    for frame, mask in zip(frames, (before, after), strict=True):
        cut = torch.cat((torch.lerp(torch.full_like(frame, 0.5), frame, mask), mask), dim=1)
        ends.append(cut[0].cpu())
    return whole_motion(Seen(ends[0], _grown(before)[0].cpu()), Seen(ends[1], torch.ones_like(before[0]).cpu()))


def _led(tracks: Read, mask: Tensor) -> Callable[[float], Similar] | None:
    """The way of a part along the tracks that begin in its mask [1,1,H,W] and are seen in both keyframes; None without any."""
    scaled = tracks.scaled((mask.shape[-1], mask.shape[-2]))
    chosen = _begun(tracks, mask)
    if not chosen:
        return None

    def points(place: float) -> list[complex]:
        return [complex(*point) for point in scaled.at((place,)).path[0, chosen].tolist()]

    return lambda place: through(points(0.0), points(place))


def region(tracks: Read, which: Sequence[int], frames: tuple[Tensor, Tensor]) -> Tensor:
    """The mask [H,W] of what moves with some tracks, by index, in the first of two keyframes [3,H,W].

    A pixel belongs to it if its colour is found again where the tracks lead rather than where the whole picture moves, and if
    such pixels join it to the start of a track. Raises `InputError` if there are no such tracks, or nothing moves with them.
    """
    before, after = (frame.float().clamp(0, 1) for frame in frames)
    height, width = before.shape[-2:]
    ends = tracks.scaled((width, height)).at((0.0, 1.0))
    wrong = [index for index in which if not 0 <= index < ends.count]
    if wrong:
        raise InputError(f"track {wrong[0] + 1} was asked for: there are {ends.count} tracks")
    starts, goals = ([complex(*point) for point in ends.path[end, list(which)].tolist()] for end in (0, 1))
    everything = torch.ones_like(before[:1])
    ground = whole_motion(Seen(before.cpu(), everything.cpu()), Seen(after.cpu(), everything.cpu()))
    led = through(starts, goals)
    if len(starts) == 1:
        led = whole_motion(Seen(before.cpu(), _spot(starts[0], height, width)), Seen(after.cpu(), everything.cpu()), led)
    apart = [
        F.avg_pool2d((warp_corners(after[None], motion.flow(height, width, before)) - before).abs().mean(1, True), 3, 1, 1)[
            0, 0
        ]
        for motion in (led, ground)
    ]
    explained = (apart[0] < WELL).cpu()
    likely = _with_flat_areas((apart[0] + CERTAIN < apart[1]).cpu() & explained, explained, before.cpu())
    mask = joined(likely, [(point.real, point.imag) for point in starts])
    if not mask.any():
        raise InputError("nothing was found that moves with the tracks of a part: give it a mask")
    return mask.float().to(before)


def _with_flat_areas(likely: Tensor, explained: Tensor, picture: Tensor) -> Tensor:
    """What is ``likely`` [H,W] with the areas of one colour of which a part is, and all is ``explained``: within them, motion
    does not show."""
    import cv2

    slopes = F.max_pool2d(picture[None], 3, 1, 1) + F.max_pool2d(-picture[None], 3, 1, 1)
    flat = slopes[0].amax(0) < WELL
    count, areas = cv2.connectedComponents(flat.to(torch.uint8).numpy(), connectivity=4)
    labels = torch.from_numpy(areas).long()
    size, inside, moved = (torch.bincount(labels.flatten(), one.flatten().double(), count) for one in (flat, likely, explained))
    whole = (inside > PART_OF_IT * size) & (moved > ALL_OF_IT * size)
    whole[0] = False  # what is not flat
    return likely | whole[labels]


def _spot(centre: complex, height: int, width: int) -> Tensor:
    """A mask [1,H,W] of what lies near a point."""
    apart = grid(height, width, torch.zeros(1)) - torch.tensor([centre.real, centre.imag])
    return (apart.norm(dim=-1) < SPOT * math.hypot(height, width)).float()[None]


def joined(mask: Tensor, points: Sequence[tuple[float, float]]) -> Tensor:
    """The pieces of a mask [H,W] bool at or near ``points``, x and y, with their holes filled."""
    import cv2

    height, width = mask.shape
    _, pieces = cv2.connectedComponents(mask.to(torch.uint8).numpy(), connectivity=4)
    labels = torch.from_numpy(pieces)
    near = grid(height, width, torch.zeros(1))
    kept = torch.zeros_like(mask)
    for point in points:
        apart = (near - torch.tensor(point)).norm(dim=-1).masked_fill(labels == 0, math.inf)
        nearest = int(apart.argmin())
        if float(apart.flatten()[nearest]) < NEAR:
            kept |= labels == labels.flatten()[nearest]
    _, rest = cv2.connectedComponents((~F.pad(kept, (1, 1, 1, 1))).to(torch.uint8).numpy(), connectivity=4)
    return torch.from_numpy(rest)[1:-1, 1:-1] != int(rest[0, 0])


def _prepared(model: Interpolator, frames: tuple[Tensor, Tensor]) -> Any:
    return wrappers.prepare(model, [wrappers.encode(model, frame) for frame in frames], frames)


def _time(place: float, like: Tensor) -> Tensor:
    return torch.tensor([place], device=like.device)


def _begun(tracks: Read, mask: Tensor) -> list[int]:
    """The tracks that begin in a mask [1,1,H,W] and are seen in both keyframes."""
    ends = tracks.scaled((mask.shape[-1], mask.shape[-2])).at((0.0, 1.0))
    x, y = ends.path[0].to(mask).unbind(-1)
    inside = sample(mask, x[None, None], y[None, None], outside="zeros")[0, 0, 0].cpu() > 0.5
    return [int(index) for index in (inside & ends.visible.all(0).cpu()).nonzero()]


def _plane(mask: Tensor, like: Tensor) -> Tensor:
    """A mask [H,W] as [1,1,H,W], on the device of ``like``."""
    return mask.to(like).clamp(0, 1)[None, None]


def _grown(mask: Tensor) -> Tensor:
    """A mask [1,1,H,W] with a rim of `RIM` pixels."""
    return F.max_pool2d(mask, 2 * RIM + 1, 1, RIM)
