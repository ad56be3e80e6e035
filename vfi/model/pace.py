"""Pace: a time for every pixel of a new frame, from the frames before and after its pair.

Two frames do not tell how motion speeds up between them. The frame before and the one after do: a parabola through three
instants of a point bends its way between the pair, and the two parabolas, one from each side, are blended as t goes on. So the
speed at a frame is the same on both sides of it (the cubic of Catmull and Rom, on the real time stamps), and no point ever goes
backwards. A model that takes a time per pixel makes each pixel at the time at which its point would be there at even speed. Any
other makes its frame at even speed, and every point of it is moved along its way by what it is ahead or behind.

Moving the new frame, rather than both frames before the model sees them, keeps everything that the model computes per frame and
per pair, and takes one sampling. Measured on discs and pans that speed up or ease, with dis, inbetween-s, inbetween-m and
rife-4.25, the two gain the same within 0.15 dB, and what a time per pixel gains, from 0.25 dB less to 1 dB more.

Xu, Siyao, Sun, Yin and Yang, "Quadratic Video Interpolation", NeurIPS 2019, for the parabola; Zhong et al., "Clearer Frames,
Anytime", ECCV 2024, for maps of times in place of RIFE's plane of t. Motion is DIS flow, also with models that estimate
their own: bends are measured by it, and theirs would cost another pass. Owns the times; knows nothing of any network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ..archs.dis import as_bright, find_flow, seen_by_dis
from ..core import Doubts, InputError, Interpolator, Motion, Spec, Timed
from ..ops.constants import constant
from ..ops.splat import splat_sum
from ..ops.times import time_at
from ..ops.warp import warp_corners, warp_moved
from . import wrappers
from .drawing import Drawn, DrawnJudged

PaceMode = Literal["off", "auto", "holds"]

PACES: dict[str, str] = {
    "off": "even motion from frame to frame",
    "auto": "motion that speeds up and slows down as its neighbours show",
    "holds": "the same, and drawings on twos or threes stay so",
}
"""What each `PaceMode` does."""

MOST = 448
"""Longest side of the pictures between which motion is estimated, in pixels."""

NEAR = 4.0
"""Standard deviation of the neighbourhood whose points share their bend, in pixels of the flow."""

NOISE = 4.0
"""Squared motion, in pixels of the flow, at which a bend counts half: below, it is mostly the error of the flow."""

MEETS, MEETS_SHARE = 1.0, 0.05
"""Distance by which the motion there and back may miss until a point's word counts 1/e: in pixels of the flow, and as a share
of the motion."""

EARLIEST = 0.02
"""The times of a map keep this distance from both frames, as networks know no t at a frame itself."""

LEAST = 1 / 64
"""Distance, in pixels of the frame, below which no point of a new frame is moved: sampling would only cost sharpness."""

ROUNDS = 3
"""How often the place that a moved point comes from is refined."""

STILL, STEPS = 0.15, 1.5
"""Motion that counts as none beside a step, as a share of it; and the least step of a drawing, in pixels of the flow."""

MOSTLY = 0.8
"""Share of what moves in a neighbourhood that must have stood still for it to be a drawing that is held."""

MARGIN, REACH = 2, 32
"""Distances in pixels of the flow: by which the area of a held drawing is grown; and within which it must be found again, held,
after its step."""

HELD = 60
"""Extra numbers held per pixel, besides the model's own."""


@dataclass(eq=False)
class Seen:
    """A frame: its picture for DIS, ``grey`` [B,h,w], and the model's features of it, ``inner``.

    ``onward``: the next frame with the flow to it and back, once computed: two windows in a row share it.
    """

    grey: Tensor
    inner: Any
    onward: tuple[Seen, Tensor, Tensor] | None = field(default=None, repr=False)


class Side(NamedTuple):
    """One end of a pair, on the grid of the flow. ``across`` [B,2,h,w] is the flow to the other end; ``bend`` [B,2,h,w] holds
    the sums whose ratio is the bend of the way, see `Times`; ``held`` [B,1,h,w]: how surely a drawing stands still here on
    the far side of this end and steps across the pair, 0 or 1. ``tells``: whether there is a frame beyond."""

    across: Tensor
    bend: Tensor
    held: Tensor
    tells: bool = True


class Times:
    """The times of the pixels between the middle two of four frames.

    A point at t has covered the share ``t + b t (1 - t)`` of its way, with a bend b between -1 (from rest) and 1 (to rest). Its
    two ends give two bends, and t blends them: the way is monotone, and its speed is continuous from pair to pair. Bends are
    least-squares fits over a neighbourhood, weighted by how well the flow there and back meets, and shrunk where motion is
    small. They count as far as both ends agree: a repeated or lost frame, and steps of a generator that are uneven, bend one
    end only, or the two against each other. An end without a frame beyond it says 0.
    """

    def __init__(self, first: Side, second: Side, size: tuple[int, int], *, holds: bool, both: bool = True) -> None:
        """``both``: there is a frame beyond either end, so that the two can be compared."""
        self.first, self.second, self.size, self.both = first, second, size, both
        self.held = self._held() if holds else None

    def at(self, t: Tensor) -> Tensor:
        """The map of times [B,1,H,W] at t [B], which a model takes."""
        t = t.float().view(-1, 1, 1, 1)
        first, second = self._at(t, [self.first.bend, self.second.bend])
        bend = self._bend(first, second, t)
        return time_at(t + bend * t * (1 - t), self.size).clamp(EARLIEST, 1 - EARLIEST)

    def places(self, t: Tensor) -> Tensor:
        """Where the points of the frame at t [B] lie in the frame of even motion at t: [B,2,H,W] (dx, dy) in its pixels.

        Around what moves, all follows its motion, so that nothing is torn off or doubled. Distances below `LEAST` are 0.
        """
        t = t.float().view(-1, 1, 1, 1)
        sums = [torch.cat((side.bend, side.bend[:, 1:] * side.across), dim=1) for side in (self.first, self.second)]
        first, second = self._at(t, sums)
        total = torch.lerp(first[:, 1:2], second[:, 1:2], t).clamp(min=1e-6)
        way = torch.lerp(first[:, 2:], -second[:, 2:], t) / total
        ahead = self._bend(first[:, :2], second[:, :2], t) * t * (1 - t) * way
        back = -ahead
        for _ in range(ROUNDS):
            back = -warp_corners(ahead, back)
        height, width = self.size
        scale = constant((width / back.shape[-1], height / back.shape[-2]), back.device, back.dtype).view(1, 2, 1, 1)
        back = F.interpolate(back, size=self.size, mode="bilinear") * scale
        return torch.where(back.square().sum(dim=1, keepdim=True) < LEAST**2, 0, back)

    def _at(self, t: Tensor, sums: Sequence[Tensor]) -> list[Tensor]:
        """Sums [B,C,h,w] of both ends over the neighbourhoods of the places where their points are at t [B,1,1,1], at even
        speed."""
        ends = zip((self.first, self.second), sums, (t, 1 - t), strict=True)
        return [_near(splat_sum(values, side.across * share)) for side, values, share in ends]

    def _bend(self, first: Tensor, second: Tensor, t: Tensor) -> Tensor:
        """The bends [B,1,h,w] at t [B,1,1,1] of the sums [B,2,h,w] of both ends, see `_at`."""
        first, second = _ratio(first), _ratio(second)
        bend = torch.lerp(first, second, t)
        return bend * _agreement(first, second) if self.both else bend

    def _held(self) -> Tensor | None:
        """Where a drawing stands still before and after its step, [B,1,H,W] 0..1; None if there is no such place."""
        here, there = self.first.held, self.second.held
        both = torch.maximum(here * _grown(there, REACH), there * _grown(here, REACH))
        area = _grown(both, MARGIN)
        return F.interpolate(area, size=self.size, mode="bilinear") if area.any() else None


class Prepared(NamedTuple):
    """What the model prepares of the pair, the frame before it [B,3,H,W], and the pair's `Times`; None if no frame lies beyond
    either end."""

    inner: Any
    before: Tensor
    times: Times | None


class Paced(wrappers.Wrapper):
    """Gives a two-frame ``model`` the pace of the frames around the pair.

    A model that takes maps of times gets them. The frames of any other, and their motion, are moved; they are bit-identical to
    the model's where nothing speeds up or slows down.

    ``mode``: "auto" bends the way of every point; "holds" also keeps a drawing that stands still before and after its step,
    whatever moves behind it, as it is until the next frame: animation on twos stays on twos. ``times``: of the four frames of a
    window, in seconds; None: evenly spaced. A frame that is the same object as the next stands for one that is missing, beyond
    a cut or an end of the clip. Raises `InputError` for a model of more than two frames, and for one that is `core.Timed`.
    """

    def __init__(
        self, model: Interpolator, mode: Literal["auto", "holds"] = "auto", times: Sequence[Fraction] | None = None
    ) -> None:
        if mode not in ("auto", "holds"):
            raise InputError(f"{mode!r} is not a pace: give auto or holds")
        if isinstance(model, Timed):
            raise InputError(f"{model.spec.name} follows a guide: pace needs a model whose frames do not depend on their time")
        super().__init__(model, spec_of(model.spec))
        self.mode = mode
        self.times = times

    def spaced(self, times: Sequence[Fraction]) -> Paced:
        """The same for windows whose frames lie at ``times``, in seconds; see `core.Spaced`."""
        return type(self)(self.model, self.mode, times)

    def encode(self, rgb: Tensor) -> Seen:
        return Seen(seen_by_dis(rgb, min(1.0, MOST / max(rgb.shape[-2:]))), wrappers.encode(self.model, rgb))

    def prepare(self, features: Sequence[Seen], frames: Sequence[Tensor]) -> Prepared:
        _, before, after, _ = frames
        inner = wrappers.prepare(self.model, [seen.inner for seen in features[1:3]], [before, after])
        return Prepared(inner, before, self._times(features, before))

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        places = self._places(prepared, t)
        if places is None:
            made = wrappers.at(self.model, prepared.inner, self._map(prepared, t))
        elif isinstance(self.model, Drawn):
            made = self.model.moved_at(prepared.inner, t, places)
        else:
            made = warp_moved(wrappers.at(self.model, prepared.inner, t), places)
        return self._keep(prepared, made)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """The model's motion at the pace; none where a drawing is held."""
        found = super().motion_at(prepared.inner, self._map(prepared, t))
        places = self._places(prepared, t)
        found = found if places is None else wrappers.moved_motion(found, places)
        held = None if prepared.times is None else prepared.times.held
        if held is None:
            return found
        goes = 1 - held.to(found.mask)
        mask = torch.lerp(torch.ones_like(goes), found.mask, goes)
        return Motion(found.flow0 * goes, found.flow1 * goes, mask, found.occlusion)

    def _map(self, prepared: Prepared, t: Tensor) -> Tensor:
        """What the model is given for t [B]: times of all pixels [B,1,H,W], if it takes them."""
        if prepared.times is None or not self.model.spec.time_map:
            return t
        return prepared.times.at(t.to(prepared.before.device))

    def _places(self, prepared: Prepared, t: Tensor) -> Tensor | None:
        """Where the model's frame at t [B] is looked up, see `Times.places`; None if it is right as it is."""
        if prepared.times is None or self.model.spec.time_map:
            return None
        return prepared.times.places(t.to(prepared.before.device))

    @staticmethod
    def _keep(prepared: Prepared, made: Tensor) -> Tensor:
        """``made`` with held drawings as the frame before shows them."""
        held = None if prepared.times is None else prepared.times.held
        return made if held is None else torch.lerp(made, prepared.before.to(made), held.to(made))

    def _times(self, seen: Sequence[Seen], before: Tensor) -> Times | None:
        earlier, first, second, later = seen
        if first is second or (earlier is first and later is second):
            return None
        times = self.times or [Fraction(index, 1) for index in range(4)]
        pair = times[2] - times[1]
        ahead, back = (flow.to(before.device) for flow in _flows(first, second))
        sides = []
        for end, beyond, across, returned, gap in (
            (first, earlier, ahead, back, times[1] - times[0]),
            (second, later, back, ahead, times[3] - times[2]),
        ):
            if beyond is end or gap <= 0 or pair <= 0:
                sides.append(Side(across, torch.zeros_like(across), _stands(across, torch.ones_like(across[:, :1])), False))
                continue
            out, home = _flows(beyond, end)[::-1] if end is first else _flows(end, beyond)
            out, home = out.to(before.device), home.to(before.device)
            sides.append(_side(across, returned, out, home, float(gap / pair), sign=-1 if end is first else 1))
        height, width = before.shape[-2:]
        both = all(side.tells for side in sides)
        return Times(sides[0], sides[1], (height, width), holds=self.mode == "holds", both=both)


def spec_of(spec: Spec) -> Spec:
    """The `Spec` of a model of ``spec`` at a pace. Raises `InputError` if there is none."""
    if spec.window != 2:
        raise InputError(f"{spec.name} takes {spec.window} frames at once: pace needs a model of two frames")
    return replace(spec, window=4, activations=spec.activations + HELD, time_map=False)


class PacedDoubt(Paced):
    """As `Paced`, for a model that also estimates how unsure it is."""

    def judged(self, prepared: Prepared, t: Tensor) -> tuple[Tensor, Tensor]:
        """The frames at t [B] and their doubt; see `core.Doubts`."""
        assert isinstance(self.model, Doubts)
        places = self._places(prepared, t)
        if places is None:
            made, doubt = self.model.judged(prepared.inner, self._map(prepared, t))
        elif isinstance(self.model, DrawnJudged):
            made, doubt = self.model.moved_judged(prepared.inner, t, places)
        else:
            made, doubt = (warp_moved(plane, places) for plane in self.model.judged(prepared.inner, t))
        return self._keep(prepared, made), doubt


def paced(model: Interpolator, mode: str) -> Interpolator:
    """``model`` at a pace of `PaceMode`; "off": itself. Raises `InputError` for another mode, and as `Paced` does."""
    if mode not in get_args(PaceMode):
        raise InputError(f"{mode!r} is not a pace: give one of {', '.join(get_args(PaceMode))}")
    if mode == "off":
        return model
    return (PacedDoubt if isinstance(model, Doubts) else Paced)(model, mode)  # type: ignore[arg-type]


def _flows(first: Seen, second: Seen) -> tuple[Tensor, Tensor]:
    """The flow from a frame to the next and back, [B,2,h,w]; computed once."""
    known = first.onward
    if known is None or known[0] is not second:
        lit = as_bright(second.grey, first.grey)
        both = find_flow(torch.cat((first.grey, lit)), torch.cat((lit, first.grey)))
        ahead, back = both.chunk(2)
        known = first.onward = second, ahead, back
    return known[1:]


def _side(across: Tensor, returned: Tensor, out: Tensor, home: Tensor, gap: float, *, sign: int) -> Side:
    """One end of a pair, from the flows across the pair and ``out`` to the frame beyond, each with the flow back there.

    ``gap``: the time to the frame beyond, in lengths of the pair; ``sign``: of a bend that begins here.
    """
    sure = _meeting(across, returned) * _meeting(out, home)
    change = (out + gap * across) * across
    change = change.sum(dim=1, keepdim=True) * (sign / (gap * (1 + gap)))
    bend = sure * torch.cat((change, across.square().sum(dim=1, keepdim=True)), dim=1)
    return Side(across, bend, _stands(across, _length(out) <= STILL * _length(across)))


def _stands(across: Tensor, still: Tensor) -> Tensor:
    """Where the step of a drawing begins or ends, [B,1,h,w] 0 or 1: something moves far enough across the pair, and nearly all
    that moves there was ``still``, [B,1,h,w]. What is still beside a moving edge is not enough."""
    far = _length(across) >= STEPS
    moves = across.square().sum(dim=1, keepdim=True)
    stood, moved = _near(torch.cat((moves * still, moves), dim=1)).split(1, dim=1)
    return (far & (stood >= MOSTLY * moved)).to(across)


def _grown(area: Tensor, reach: int) -> Tensor:
    """An area [B,1,h,w] grown by a square of ``reach`` pixels on all sides."""
    for size, pad in (((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))):
        area = F.max_pool2d(area, size, 1, pad)
    return area


def _length(flow: Tensor) -> Tensor:
    return torch.linalg.vector_norm(flow, dim=1, keepdim=True)


def _meeting(flow: Tensor, opposite: Tensor) -> Tensor:
    """How well a flow and the one back meet, [B,1,h,w]: 1 if they cancel out, falling to 0."""
    missed = _length(flow + warp_corners(opposite, flow))
    return torch.exp(-missed / (MEETS + MEETS_SHARE * _length(flow)))


def _ratio(sums: Tensor) -> Tensor:
    """The bends [B,1,h,w] of sums [B,2,h,w]."""
    return (sums[:, :1] / (sums[:, 1:] + NOISE)).clamp(-1, 1)


def _agreement(first: Tensor, second: Tensor) -> Tensor:
    """How far two bends agree: 1 if they are equal, 0 if one is 0 or they are opposed."""
    return (2 * first * second / (first.square() + second.square()).clamp(min=1e-9)).clamp(min=0)


def _near(sums: Tensor) -> Tensor:
    """Sums [B,C,h,w] over the neighbourhood of each pixel, weighted by a Gaussian of `NEAR`."""
    reach = round(3 * NEAR)
    weight = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=sums.device, dtype=sums.dtype) / NEAR).square())
    weight = weight / weight.sum()
    planes = sums.flatten(0, 1)[:, None]
    planes = F.conv2d(F.pad(planes, (reach, reach, 0, 0), mode="replicate"), weight.view(1, 1, 1, -1))
    planes = F.conv2d(F.pad(planes, (0, 0, reach, reach), mode="replicate"), weight.view(1, 1, -1, 1))
    return planes.view_as(sums)
