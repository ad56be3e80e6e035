"""DIS optical flow, warped and blended: needs no weights.

OpenCV computes the flow between two frames in both directions; everything else is torch, on any device. The flows are sampled
where a pixel at time t came from and where it goes to, which gives two motion hypotheses, called opinions here. Each gives a
picture, from the frame in which the pixel is visible or from both. The two are averaged, because their errors differ.
``dis-fast`` skips all of that: it warps both frames by DIS's coarsest flow and blends them.

Kroeger, Timofte, Dai and Van Gool, "Fast Optical Flow using Dense Inverse Search", ECCV 2016.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import Motion, Options, Spec
from ..ops.checks import check_no_network
from ..ops.constants import constant
from ..ops.times import time_at, time_plane
from ..ops.warp import targets, warp_corners
from ..pixels.uint8 import codes

if TYPE_CHECKING:
    import cv2

FLOW_SIZE = 0.5
"""Size of the flow relative to the frame; full size is hardly better and takes four times as long."""

SMALLEST = 16
"""Minimum side of a picture for DIS, which refuses sides below 12."""

LUMA = (0.299, 0.587, 0.114)

TOLERANCE = 4.0
"""Difference of forward and backward flow, in pixels of the flow, at which their agreement is 1/e."""

MARGIN = 2.0
"""Distance outside a frame, in pixels of the flow, from which a pixel counts as invisible there."""

DOUBT = 0.1
"""Minimum weight of a frame and of an opinion: a pixel that no frame shows and no flow confirms is blended from all."""


class Prepared(NamedTuple):
    """Data of a frame pair, independent of t: the ``frames`` [B,3,H,W]; on the flow's grid, float32, the flow from each frame
    to the other, ``forward`` and ``backward`` [B,2,h,w], and its certainty, ``certain`` [B,1,h,w]."""

    frames: tuple[Tensor, Tensor]
    forward: Tensor
    backward: Tensor
    certain: tuple[Tensor, Tensor]


class Dis:
    """Interpolates with DIS flow, computed once per pair.

    ``scale`` is that of `Options`: it changes the resolution of the flow, never of the picture.
    """

    def __init__(self, scale: float = 1) -> None:
        self.spec = Spec("dis", time_map=True, motion="everywhere", min_size=2 * SMALLEST, activations=60, licence="MIT")
        self.size = FLOW_SIZE * scale

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> Tensor:
        """DIS input for a frame [B,3,H,W], see `seen_by_dis`."""
        return seen_by_dis(rgb, self.size)

    def prepare(self, features: Sequence[Tensor], frames: Sequence[Tensor]) -> Prepared:
        """Flow in both directions, from the `encode` output of both frames."""
        before, after = features
        forward, backward = (find_flow(*pair).to(frames[0].device) for pair in ((before, after), (after, before)))
        return agreeing((frames[0], frames[1]), forward, backward)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        before, after = (rgb.float() for rgb in prepared.frames)
        total = weight = before.new_zeros(())
        for motion, trust in self._opinions(prepared, t):
            made = torch.lerp(warp_corners(after, motion.flow1), warp_corners(before, motion.flow0), motion.mask)
            total, weight = total + trust * made, weight + trust
        return (total / weight).to(prepared.frames[0].dtype)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Mean of the two opinions. `at` averages the pictures instead, which is slightly better."""
        total = weight = prepared.forward.new_zeros(())
        for motion, trust in self._opinions(prepared, t):
            assert motion.occlusion is not None
            parts = torch.cat((motion.flow0, motion.flow1, motion.mask, motion.occlusion), dim=1)
            total, weight = total + trust * parts, weight + trust
        flow0, flow1, mask, occlusion = (total / weight).split((2, 2, 1, 1), dim=1)
        return Motion(flow0, flow1, mask, occlusion)

    @staticmethod
    def _opinions(prepared: Prepared, t: Tensor) -> Iterator[tuple[Motion, Tensor]]:
        """Motion at t according to each flow, at the frame's size, and its weight [B,1,H,W]."""
        frames, forward, backward, (certain0, certain1) = prepared
        whole = time_plane(t)
        t = time_at(whole, forward.shape[-2:])
        # A velocity v leads from x - t v before to x + (1 - t) v after: each flow knows it at one of these places.
        guess = torch.lerp(forward, -backward, t)
        for own, velocity in enumerate((warp_corners(forward, -t * guess), warp_corners(-backward, (1 - t) * guess))):
            flow0, flow1 = -t * velocity, (1 - t) * velocity
            agreed0, agreed1 = warp_corners(certain0, flow0), warp_corners(certain1, flow1)
            # Pixels of one frame without a counterpart in the other are hidden there.
            seen0, seen1 = _inside(flow0) * agreed1, _inside(flow1) * agreed0
            weight0, weight1 = (1 - t) * (seen0 + DOUBT), t * (seen1 + DOUBT)
            trust = t * (agreed1 + DOUBT) if own else (1 - t) * (agreed0 + DOUBT)
            parts = torch.cat((velocity, weight0 / (weight0 + weight1), (1 - seen0) * (1 - seen1), trust), dim=1)
            yield _at_size(parts, frames[0].shape[-2:], whole)


def agreeing(frames: tuple[Tensor, Tensor], forward: Tensor, backward: Tensor) -> Prepared:
    """Flow in both directions, from whatever source, [B,2,h,w] in its own pixels, with where it can be trusted."""
    certain = agreement(forward, backward, TOLERANCE), agreement(backward, forward, TOLERANCE)
    return Prepared(frames, forward, backward, certain)


def _at_size(parts: Tensor, size: Sequence[int], t: Tensor) -> tuple[Motion, Tensor]:
    """Upsample velocity, mask, occlusion and trust, [B,5,h,w] on the flow's grid, to motion and trust at the frame's size."""
    height, width = size
    growth = constant((width / parts.shape[-1], height / parts.shape[-2]), parts.device, parts.dtype).view(1, 2, 1, 1)
    grown = F.interpolate(parts, size=(height, width), mode="bilinear")
    velocity, mask, occlusion, trust = grown.split((2, 1, 1, 1), dim=1)
    velocity = velocity * growth
    return Motion(-t * velocity, (1 - t) * velocity, mask, occlusion), trust


class Found(NamedTuple):
    """Data of a frame pair, independent of t: the ``frames`` [B,3,H,W], and the flow between them, [B,2,H,W], float32."""

    frames: tuple[Tensor, Tensor]
    forward: Tensor
    backward: Tensor


class DisFast:
    """Interpolates with the fastest DIS preset. Flow at a pixel of the input frames is used for the same pixel at t.

    ``scale`` is that of `Options`, as for `Dis`.
    """

    def __init__(self, scale: float = 1) -> None:
        self.spec = Spec("dis-fast", time_map=True, motion="everywhere", min_size=2 * SMALLEST, activations=30, licence="MIT")
        self.size = scale

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> Tensor:
        """DIS input for a frame [B,3,H,W], see `seen_by_dis`."""
        return seen_by_dis(rgb, self.size)

    def prepare(self, features: Sequence[Tensor], frames: Sequence[Tensor]) -> Found:
        """Flow in both directions, from the `encode` output of both frames."""
        (before, after), (height, width) = features, frames[0].shape[-2:]
        search = _search("ultrafast")
        flow = torch.cat((_flow(search, before, after), _flow(search, after, before))).to(frames[0].device)
        if flow.shape[-2:] != (height, width):
            growth = constant((width / flow.shape[-1], height / flow.shape[-2]), flow.device, flow.dtype).view(1, 2, 1, 1)
            flow = F.interpolate(flow, size=(height, width), mode="bilinear") * growth
        forward, backward = flow.chunk(2)
        return Found((frames[0], frames[1]), forward, backward)

    def at(self, prepared: Found, t: Tensor) -> Tensor:
        motion = self.motion_at(prepared, t)
        before, after = prepared.frames
        weight = time_plane(t).to(before)
        return torch.lerp(warp_corners(before, motion.flow0), warp_corners(after, motion.flow1), weight)

    def motion_at(self, prepared: Found, t: Tensor) -> Motion:
        t = time_plane(t)
        flow0, flow1 = -t * prepared.forward, (t - 1) * prepared.backward
        return Motion(flow0, flow1, (1 - t).expand_as(flow0[:, :1]))


def seen_by_dis(rgb: Tensor, scale: float) -> Tensor:
    """DIS input for a frame [B,3,H,W]: an 8-bit grey picture [B,h,w] at ``scale`` of its size, on the CPU."""
    size = [max(round(side * scale), SMALLEST) for side in rgb.shape[-2:]]
    red, green, blue = (share * plane for share, plane in zip(LUMA, rgb.float().split(1, dim=1), strict=True))
    grey = red + green + blue
    small = grey if size == list(grey.shape[-2:]) else F.interpolate(grey, size=size, mode="bilinear", antialias=True)
    return codes(small[:, 0]).cpu()


def find_flow(start: Tensor, end: Tensor, *, roughly: bool = False) -> Tensor:
    """Flow from ``start`` to ``end``, pictures from `seen_by_dis`: [B,2,h,w] (dx, dy), in their pixels.

    ``roughly`` takes half the time: patches are sparser, with a longer search and less refinement. Refinement assumes equal
    brightness, see `as_bright`. Runs on the CPU; several pairs use up to as many threads as torch has.
    """
    search = _rough if roughly else _thorough
    pairs = list(zip(start, end, strict=True))
    threads = min(len(pairs), torch.get_num_threads())
    if threads < 2:
        return _flow(search(), start, end)
    with ThreadPoolExecutor(threads) as pool:
        return torch.cat(list(pool.map(lambda pair: _flow(search(), *(one[None] for one in pair)), pairs)))


def as_bright(grey: Tensor, other: Tensor) -> Tensor:
    """8-bit pictures [B,h,w], each scaled to the mean brightness of its ``other``, in case the light changes."""
    ratio = other.float().mean((1, 2), keepdim=True) / grey.float().mean((1, 2), keepdim=True).clamp(min=1)
    return (grey * ratio).round().clamp(0, 255).to(torch.uint8)


def _thorough() -> cv2.DISOpticalFlow:
    return _search("medium", finest=0)


def _rough() -> cv2.DISOpticalFlow:
    search = _search("fast", finest=0)
    search.setGradientDescentIterations(40)
    search.setVariationalRefinementIterations(1)
    return search


def _search(preset: Literal["ultrafast", "fast", "medium"], finest: int | None = None) -> cv2.DISOpticalFlow:
    """OpenCV's DIS; flow is computed at 1/2**``finest`` (default: the preset's) of the picture's size and upsampled."""
    import cv2

    search = cv2.DISOpticalFlow.create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{preset.upper()}"))
    if finest is not None:
        search.setFinestScale(finest)
    return search


def _flow(search: cv2.DISOpticalFlow, start: Tensor, end: Tensor) -> Tensor:
    """Flow from the grey pictures ``start`` to ``end``, [B,2,h,w] (dx, dy) in their own pixels."""
    pairs = zip(start.numpy(), end.numpy(), strict=True)
    found = [torch.from_numpy(search.calc(one, other, None)) for one, other in pairs]  # type: ignore[call-overload]
    return torch.stack(found).permute(0, 3, 1, 2)


def agreement(flow: Tensor, opposite: Tensor, tolerance: float) -> Tensor:
    """Consistency with the opposite flow, [B,1,h,w]: 1 if it cancels this one, 1/e at an error of ``tolerance`` pixels, and
    near 0 if there is no counterpart."""
    missed = (flow + warp_corners(opposite, flow)).square().sum(1, keepdim=True).sqrt()
    return torch.exp(-missed / tolerance)


def _inside(flow: Tensor) -> Tensor:
    """Whether ``flow`` points inside the frame, [B,1,h,w]: 1 inside, falling to 0 at `MARGIN` outside."""
    height, width = flow.shape[-2:]
    x, y = targets(flow)
    outside = torch.stack((-x, x - (width - 1), -y, y - (height - 1))).amax(0).clamp(min=0)
    return (1 - outside / MARGIN).clamp(min=0)[:, None]


def dis(options: Options) -> Dis:
    """Build the model. Raises `InputError` for options that only networks have."""
    check_no_network("dis", options)
    return Dis(options.scale)


def dis_fast(options: Options) -> DisFast:
    """Build the model. Raises `InputError` for options that only networks have."""
    check_no_network("dis-fast", options)
    return DisFast(options.scale)


BUILTIN = {"dis": dis, "dis-fast": dis_fast}

SUITS: dict[str, str] = {
    "dis": "small and medium motion, without weights and without a GPU",
    "dis-fast": "previews of cuts and speed curves",
}
