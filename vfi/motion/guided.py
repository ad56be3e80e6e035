"""Interpolation along drawn motion: any two-frame model, shown frames that are already warped along the tracks.

At t, a track gives the position of its point there and in both frames; `sparse_to_dense` turns this into motion for every
pixel. Both frames are warped along it, and the model interpolates what little motion is left: it need not know of tracks.
Without drawn tracks, points found in both frames can lead. Knows nothing of files or networks.

Showing the model frames warped by a cubic measured best, and suits every model. On six sequences of nine frames with RIFE
4.25 and four tracks each it gained 1.35 dB; warping the frames once, along led plus remaining motion, gained 1.12. As RIFE's
coarsest flow, even the true motion gives 30.8 dB instead of 34.4: its blocks do not build well on a flow that is not their
own. Going by way of the middle frame adds 0.2 dB, on those and other sequences, and as much for RIFE without any guide; a
third step adds nothing. Model motion at half or quarter size, used where it agrees better with both frames, lost 0.05 dB and
more: agreement alone does not tell which motion is right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..archs.dis import Dis
from ..core import InputError, Interpolator, Motion, Moves
from ..model import wrappers
from ..ops.warp import sample, targets, warp_corners, warp_cubic
from ..tracks import Tracks
from ..tracks.formats import Read
from ..tracks.sampled import Size
from . import match
from .sparse_to_dense import MISSED, MISSED_SHARE, NEAR, Led, Points, astray, led, lost, resized

MOST = 24
"""At most this many points found in both frames lead."""

LARGE = 0.05
"""Large motion, as a fraction of the frame's diagonal. A shared point leads only if the model misses it by this much: below,
the model knows better."""

SEAM = 17
"""Width of the transition from led to unled areas, in pixels."""

FEW = 0.01
"""Share of the frame that must move further than `LARGE` for the motion to count as large."""

HELD = 160
"""Extra numbers held per pixel, besides the model's own: among them its prepared state for both halves."""


@dataclass(frozen=True, eq=False)
class Guide:
    """The tracks and points to follow.

    ``tracks``: drawn, or sampled at frames; a track leads while it is visible at t and in both frames. ``auto``: points found
    in both frames lead where the model has lost them, unless they go with a track; large motions are made by way of the
    middle frame. ``strength``: 0 (off) to 1 (full). ``parts`` [P,H,W] 0..1: masks of things in the first frame; a track that
    begins in one moves all of it and nothing else. ``span``: start and end of the tracks, in seconds of the clip; None: from
    each frame to the next. ``matcher`` finds the points for ``auto``; see `matchers`. Raises `InputError`.
    """

    tracks: Read | None = None
    auto: bool = False
    strength: float = 1.0
    parts: Tensor | None = None
    span: tuple[Fraction, Fraction] | None = None
    matcher: match.Matcher = match.sift

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise InputError(f"a strength of {self.strength:g} was given: it must lie between 0 and 1")
        if self.parts is not None and (self.parts.ndim != 3 or 0 in self.parts.shape):
            raise InputError(f"parts of shape {list(self.parts.shape)} were given: masks [parts, height, width] are needed")
        if self.span is not None and not self.span[0] < self.span[1]:
            raise InputError(f"tracks from {float(self.span[0]):g} s to {float(self.span[1]):g} s: the end must come later")


class Way(NamedTuple):
    """``tracks`` at the size of two frames, ``drawn`` or only found; the frames lie at ``first`` and ``last``, 0 to 1."""

    tracks: Read
    drawn: bool
    first: float = 0.0
    last: float = 1.0

    def at(self, t: float) -> float:
        """The time on the tracks at ``t`` between the frames."""
        return self.first + (self.last - self.first) * t


class Prepared(NamedTuple):
    """State for any t: the model's prepared state of all windows, and each window as a `Pair`."""

    inner: Any
    pairs: tuple[Pair, ...]

    def each(self, t: Tensor) -> list[tuple[Pair, float]]:
        """Every t with its window."""
        return [(self.pairs[index % len(self.pairs)], time) for index, time in enumerate(t.tolist())]


class Guided(wrappers.Wrapper):
    """Makes any two-frame ``model`` that is ready to use follow a `Guide`.

    Motion that is not drawn is the model's own, or, if it estimates none, that of ``eye``, by default `dis`. Frames without
    leading points are bit-identical to the model's, and so are areas far from all points, unless motion is large: then the
    whole frame is made by way of the middle frame. Led frames take about four times the model's time. Raises `InputError` for
    a model that takes more than two frames.
    """

    def __init__(
        self,
        model: Interpolator,
        guide: Guide,
        place: tuple[Fraction, Fraction] = (Fraction(0), Fraction(1)),
        eye: Moves | None = None,
    ) -> None:
        """``place``: where on the tracks the two frames lie, each 0 to 1."""
        if model.spec.window != 2:
            raise InputError(f"{model.spec.name} takes {model.spec.window} frames at once: only two-frame models can be guided")
        super().__init__(model, replace(model.spec, activations=model.spec.activations + HELD, time_map=False, threads=False))
        self.guide = guide
        self.seeks = guide.auto and guide.strength > 0
        self.place = place
        self.eye: Moves = model if wrappers.estimates_motion(model) else eye or wrappers.Padded(Dis())

    def during(self, start: Fraction, end: Fraction) -> Guided:
        """The guide for the frames between two instants of the clip; see `core.Timed`."""
        if self.guide.span is None:
            return self
        first, last = self.guide.span
        place = [min(max((time - first) / (last - first), Fraction(0)), Fraction(1)) for time in (start, end)]
        return Guided(self.model, self.guide, (place[0], place[1]), self.eye)

    def prepare(self, features: Sequence[Any], frames: Sequence[Tensor]) -> Prepared:
        inner = wrappers.prepare(self.model, features, frames)
        before, after = frames
        windows = list(zip(before.split(1), after.split(1), strict=True))
        drawn = self._drawn((before.shape[-1], before.shape[-2]))
        pairs = tuple(Pair(self, window, drawn, inner if len(windows) == 1 else None) for window in windows)
        for pair in pairs if self.seeks else ():
            pair.search()
        return Prepared(inner, pairs)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        each = prepared.each(t)
        if not any(pair.leads(time) for pair, time in each):
            return wrappers.at(self.model, prepared.inner, t)
        return torch.cat(together(self.model, [pair.job(time) for pair, time in each]))

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """The model's motion; in led areas, the led motion combined with what is left: ``f(x) + led(x + f(x))``."""
        return wrappers.joined_motion([pair.motion_at(time) for pair, time in prepared.each(t)])

    def _drawn(self, size: Size) -> tuple[Way, ...]:
        first, last = (float(place) for place in self.place)
        if self.guide.tracks is None or not self.guide.strength or first >= last:
            return ()
        return (Way(self.guide.tracks.scaled(size), True, first, last),)


class Pair:
    """Two ``frames`` [1,3,H,W] and the ``ways`` that lead between them; results are cached.

    The middle frame is made first. If the points that lead at another t also lead there, that frame is made between the
    middle frame and the nearer of the two: motion is half as large.
    """

    def __init__(self, by: Guided, frames: tuple[Tensor, Tensor], ways: tuple[Way, ...], inner: Any = None) -> None:
        self.by = by
        self.frames = frames
        self.ways = ways
        self.inner = _prepared(by.model, frames) if inner is None else inner

    @cached_property
    def own(self) -> Tensor:
        """The motion half-way, as estimated without a guide, [4,H,W] float32."""
        eye = self.by.eye
        seen = self.inner if eye is self.by.model else _prepared(eye, self.frames)
        motion = eye.motion_at(seen, self._time(0.5))
        return torch.cat((motion.flow0, motion.flow1), dim=1)[0].float()

    @cached_property
    def parts(self) -> Tensor | None:
        """The guide's parts at the frames' size, [1,P,H,W] float32."""
        frame, parts = self.frames[0], self.by.guide.parts
        return None if parts is None else resized(parts.to(frame.device, torch.float32), list(frame.shape[-2:]))[None]

    @cached_property
    def far(self) -> bool:
        """Whether motion seems so large that the whole frame is better made by way of the middle frame."""
        points = self._points(0.5)
        if points is not None and _missed(self.own, points).any():
            return True
        speed = torch.linalg.vector_norm(self.own[2:] - self.own[:2], dim=0)
        return self.by.seeks and bool((speed > LARGE * math.hypot(*speed.shape)).float().mean() > FEW)

    @cached_property
    def middle(self) -> Tensor:
        """The frame at t = 0.5, [1,3,H,W]."""
        return together(self.by.model, [Job(self, 0.5, self, 0.5)])[0]

    @cached_property
    def halves(self) -> tuple[Pair, Pair]:
        (before, after), middle = self.frames, self.middle
        first = tuple(way._replace(last=way.at(0.5)) for way in self.ways)
        second = tuple(way._replace(first=way.at(0.5)) for way in self.ways)
        return Pair(self.by, (before, middle), first), Pair(self.by, (middle, after), second)

    def search(self) -> None:
        """Let points lead that both frames share and the model has lost, except on things that are led already."""
        before, after = self.frames
        found = _found(self.by.guide.matcher, before[0], after[0], self.own, self._points(0.5))
        self.ways += () if found is None else (Way(found, False),)

    def leads(self, t: float) -> bool:
        """Whether the frame at ``t`` differs from the model's."""
        return self._points(t) is not None or (self.by.seeks and self.far)

    def job(self, t: float) -> Job | Tensor:
        """How the frame at ``t`` is made; the frame itself, [1,3,H,W], if it is the middle one."""
        if t == 0.5:
            return self.middle
        if not self._half_way_too(t):
            return Job(self, t, self, t)
        return Job(self, t, self.halves[0], 2 * t) if t < 0.5 else Job(self, t, self.halves[1], 2 * t - 1)

    def motion_at(self, t: float) -> Motion:
        """Motion of the whole pair, in one step."""
        alone = wrappers.Wrapper.motion_at(self.by, self.inner, self._time(t))
        leading = self.leading(t)
        if leading is None:
            return alone
        left = wrappers.Wrapper.motion_at(self.by, _prepared(self.by.model, _aligned(self.frames, leading)), self._time(t))
        leads0, leads1 = leading.motion.chunk(2, dim=1)
        flow0, flow1 = left.flow0 + warp_corners(leads0, left.flow0), left.flow1 + warp_corners(leads1, left.flow1)
        hidden0, hidden1 = _only(leading.hidden)
        mask = torch.where(hidden0, 0, torch.where(hidden1, 1, left.mask))
        share = _led_share(leading)
        mixed = Motion(
            torch.lerp(alone.flow0, flow0, share), torch.lerp(alone.flow1, flow1, share), torch.lerp(alone.mask, mask, share)
        )
        if alone.occlusion is None or left.occlusion is None:
            return mixed
        return replace(mixed, occlusion=torch.lerp(alone.occlusion, left.occlusion, share))

    def _half_way_too(self, t: float) -> bool:
        """Whether the frame at ``t`` is made by way of the middle frame: the points that lead at ``t`` lead there too, and
        none moves a part, whose motion is known. If no points lead, whether motion is `far`."""
        for way in self.ways:
            before, at, after, middle = way.tracks.at((way.first, way.at(t), way.last, way.at(0.5))).visible
            if (before & at & after & ~middle).any():
                return False
        points = self._points(t)
        return self.by.seeks and self.far if points is None else all(reach is None for reach in points.reach)

    def leading(self, t: float) -> Led | None:
        """The led motion at ``t``, with a batch dimension first; None if nothing leads."""
        points = self._points(t)
        if points is None:
            return None
        # Assumes constant speed, which measured better than the models' own motion at t.
        own = torch.cat((self.own[:2] * (2 * t), self.own[2:] * (2 - 2 * t)))
        before, after = self.frames
        made = led(own, before[0].float(), after[0].float(), points)
        made = made._replace(motion=torch.lerp(own, made.motion, self.by.guide.strength))
        return Led(*(planes[None] for planes in made))

    def _points(self, t: float) -> Points | None:
        """The points that lead at ``t``; None if there are none."""
        frame = self.frames[0]
        places: list[Tensor] = []
        drawn: list[bool] = []
        for way in self.ways:
            sampled = way.tracks.at((way.first, way.at(t), way.last, 0.0))
            places.append(sampled.path[:, sampled.visible[:3].all(0)].to(frame.device, torch.float32))
            drawn += [way.drawn] * places[-1].shape[1]
        if not drawn:
            return None
        before, at, after, began = torch.cat(places, dim=1)
        marks = torch.tensor(drawn, device=frame.device)
        return Points(at, before, after, marks, self._reach(at, began, marks))

    def _reach(self, at: Tensor, began: Tensor, drawn: Tensor) -> tuple[Tensor | None, ...]:
        """The area each point moves: the part in which it ``began``, shifted to where it is; None if it is in none."""
        masks = self.parts
        if masks is None:
            return (None,) * len(at)
        x, y = began[None, None].unbind(-1)
        held, part = sample(masks, x, y, outside="zeros")[0, :, 0].max(dim=0)
        return tuple(
            sample(masks[:, index : index + 1], *_carried(masks, origin - point), outside="zeros")[0, 0] if inside else None
            for point, origin, index, inside in zip(at, began, part.tolist(), ((held > 0.5) & drawn).tolist(), strict=True)
        )

    def _time(self, t: float) -> Tensor:
        return torch.tensor([t], device=self.frames[0].device)


class Job(NamedTuple):
    """The frame at ``t`` of a ``pair``: led where points lead at ``time`` of ``part``, the pair or one of its halves, and the
    model's own elsewhere."""

    pair: Pair
    t: float
    part: Pair
    time: float

    @property
    def alone(self) -> tuple[Any, float]:
        """The model's prepared state, and the time in it, that the frame is made of where nothing leads."""
        return (self.part.inner, self.time) if self.pair.far else (self.pair.inner, self.t)


def together(model: Interpolator, jobs: Sequence[Job | Tensor]) -> list[Tensor]:
    """The frames of ``jobs``, [1,3,H,W] each, in as few passes as possible: one per prepared state, and one for all led frames.

    A frame among them stays as it is.
    """
    made = [job if isinstance(job, Tensor) else None for job in jobs]
    left = [(index, job) for index, job in enumerate(jobs) if isinstance(job, Job)]
    states = {id(job.alone[0]): job.alone[0] for _, job in left}
    for name, state in states.items():
        of_state = [(index, job.alone[1]) for index, job in left if id(job.alone[0]) == name]
        frames = wrappers.at(model, state, _times(left[0][1].pair, [time for _, time in of_state]))
        for (index, _), frame in zip(of_state, frames.split(1), strict=True):
            made[index] = frame
    led = [(index, job, leading) for index, job in left if (leading := job.part.leading(job.time)) is not None]
    if led:
        aligned = [_aligned(job.part.frames, leading) for _, job, leading in led]
        windows = [torch.cat(frames) for frames in zip(*aligned, strict=True)]
        frames = wrappers.at(model, _prepared(model, windows), _times(led[0][1].pair, [job.time for _, job, _ in led]))
        for (index, _, leading), frame in zip(led, frames.split(1), strict=True):
            alone = made[index]
            assert alone is not None
            made[index] = torch.lerp(alone, frame, _led_share(leading).to(frame.dtype))
    return [frame for frame in made if frame is not None]


def _times(pair: Pair, times: Sequence[float]) -> Tensor:
    return torch.tensor(times, device=pair.frames[0].device)


def _carried(planes: Tensor, by: Tensor) -> tuple[Tensor, Tensor]:
    """Every position of ``planes`` shifted ``by`` (dx, dy), x and y [1,H,W]."""
    return targets(by.view(1, 2, 1, 1).expand(1, 2, *planes.shape[-2:]))


def _aligned(frames: tuple[Tensor, Tensor], leading: Led) -> tuple[Tensor, Tensor]:
    """Both frames warped to t; if one shows a thing that is elsewhere at t, it is filled from the other."""
    before, after = (warp_cubic(frame, flow) for frame, flow in zip(frames, leading.motion.chunk(2, dim=1), strict=True))
    hidden0, hidden1 = _only(leading.hidden)
    return torch.where(hidden0, after, before), torch.where(hidden1, before, after)


def _only(hidden: Tensor) -> tuple[Tensor, Tensor]:
    """Where things are in the way only in the frame before, and where only in the one after: [B,1,H,W] each."""
    hidden0, hidden1 = (hidden > 0.5).chunk(2, dim=1)
    return hidden0 & ~hidden1, hidden1 & ~hidden0


def _led_share(leading: Led) -> Tensor:
    """Share of the led frame in each pixel, [B,1,H,W], widened and smoothed by `SEAM` pixels."""
    share = torch.maximum(leading.share, leading.hidden.amax(1, keepdim=True))
    for pool in (F.max_pool2d, F.avg_pool2d):
        for kernel in ((1, SEAM), (SEAM, 1)):
            share = pool(share, kernel, 1, (kernel[0] // 2, kernel[1] // 2))
    return share.clamp(0, 1)


def _prepared(model: Interpolator, frames: Sequence[Tensor]) -> Any:
    return wrappers.prepare(model, [wrappers.encode(model, frame) for frame in frames], frames)


def _found(matcher: match.Matcher, before: Tensor, after: Tensor, own: Tensor, drawn: Points | None) -> Tracks | None:
    """Points shared by two frames [3,H,W] that ``own`` [4,H,W], half-way, has lost and that do not go with ``drawn`` ones;
    None if there are none."""
    shared = matcher(before.clamp(0, 1), after.clamp(0, 1)).consistent()
    if not len(shared):
        return None
    ends = shared.first.to(own), shared.last.to(own)
    count = len(shared)
    points = Points((ends[0] + ends[1]) / 2, *ends, torch.zeros(count, dtype=torch.bool), (None,) * count)
    missed = _missed(own, points)
    if drawn is not None:
        missed &= ~_goes_with(drawn, points, NEAR * math.hypot(*before.shape[-2:]))
    missed = missed.cpu()
    return shared.kept(missed).spread(MOST, NEAR / 2 * math.hypot(*before.shape[-2:])).tracks(2) if missed.any() else None


def _missed(own: Tensor, points: Points) -> Tensor:
    """Which ``points`` [N] ``own`` [4,H,W] has lost, by a large distance."""
    return (lost(own, points) > 0.5) & (astray(own, points) > LARGE * math.hypot(*own.shape[-2:]))


def _goes_with(drawn: Points, points: Points, near: float) -> Tensor:
    """Which ``points`` [N] begin within ``near`` pixels of one of those ``drawn`` and move as it does."""
    way, drawn_way = points.after - points.before, drawn.after - drawn.before
    alike = torch.cdist(way, drawn_way) < MISSED + MISSED_SHARE * torch.linalg.vector_norm(drawn_way, dim=1)
    return (alike & (torch.cdist(points.before, drawn.before) < near)).any(dim=1)
