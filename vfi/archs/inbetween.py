"""Inbetween S: a small network that starts from DIS flow, and ships with the library.

OpenCV's DIS estimates motion in a few milliseconds, but detects neither its errors nor occlusions. Sampled at t, its flow in
both directions gives two motion hypotheses, called opinions here. The network sees the features of both frames warped by each,
their colour differences, and how far the opinions disagree. At 1/8 of the frame's size it corrects the opinions and predicts a
weight for each of the four warped frames, a residual, and where to sharpen. Only the blend runs at full size: motion
on a grid of 8x8 pixels gives frames as close to the ground truth as per-pixel motion.

The network is this library's own, in the line of IFNet (Huang et al., "Real-Time Intermediate Flow Estimation", ECCV 2022), and
so are its weights; their model card says how they were trained. All widths are read from the state dict. Knows nothing of
padding, files or devices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Checkpoint, InputError, Motion, Options, Spec
from ..ops.checks import check_frames, check_options, check_size, check_times, load_weights
from ..ops.constants import constant
from ..ops.times import time_at, time_plane
from ..ops.warp import look_up, warp_corners
from .dis import agreement, as_bright, find_flow, seen_by_dis

SCALES = (0.25, 0.5, 1, 2)
"""Supported flow scales."""

GRID = 8
"""Side, in pixels of the frame, of a cell of the motion grid."""

FINENESS = 4
"""DIS resolution: pixels of DIS flow per grid cell, along each axis."""

REACH = 8.0
"""Unit of flow inside the network, in pixels of the frame, for inputs and corrections."""

MIDDLE, CONTRAST = 0.45, 4.0
"""Colour normalisation: subtract the first, multiply by the second; gives about unit variance."""

FAINT = 0.1
"""Unit of the predicted residual."""

APART = 8.0
"""Difference of forward and backward flow, in pixels of the frame, at which their agreement is 1/e."""

STILL = 0.25
"""Motion between frames, in pixels, below which corrections fade out."""

DOUBT = 0.1
"""Minimum weight of an opinion and of a frame, as for DIS."""


@dataclass(frozen=True)
class Config:
    """Channels: ``encoder``, features of one frame at 1/4 and 1/8; ``decoder``, features of both at 1/8 and 1/16."""

    encoder: tuple[int, int] = (12, 16)
    decoder: tuple[int, int] = (64, 96)


PUBLISHED: dict[Config, str] = {Config(): "inbetween-s"}


# --- layers -------------------------------------------------------------------------------------------------------------------


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.LeakyReLU(0.2, inplace=True))


class Residual(nn.Module):
    """A convolution with a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu_(self.conv(x) + x, 0.2)


class Encoder(nn.Module):
    """Features at 1/8 of the frame's size from a picture [B,3,h,w] at 1/4 of it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        quarter, eighth = config.encoder
        self.quarter = conv(3, quarter)
        self.eighth = nn.Sequential(conv(quarter, eighth, 2), Residual(eighth))

    def forward(self, rgb: Tensor) -> Tensor:
        return self.eighth(self.quarter(rgb))


class Decoder(nn.Module):
    """A U-Net of two levels at 1/8 of the frame's size: [B,``inputs``,h,w] -> [B,``outputs``,h,w]."""

    def __init__(self, inputs: int, outputs: int, config: Config) -> None:
        super().__init__()
        eighth, sixteenth = config.decoder
        self.enter = conv(inputs, eighth)
        self.down = nn.Sequential(conv(eighth, sixteenth, 2), Residual(sixteenth), Residual(sixteenth))
        self.up = nn.Conv2d(sixteenth, eighth, 1)
        self.mix = Residual(eighth)
        self.leave = nn.Conv2d(eighth, outputs, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        return self.leave(self.mix(x + grown(self.up(self.down(x)))))


def begin(module: nn.Module) -> None:
    """Initialise weights so that activations keep their scale from layer to layer.

    He et al., "Delving Deep into Rectifiers", ICCV 2015, with smaller weights for convolutions with a skip.
    """
    for layer in module.children():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, a=0.2)
            nn.init.zeros_(cast(Tensor, layer.bias))
            if isinstance(module, Residual):
                layer.weight.data *= 0.3


def grown(x: Tensor, factor: float = 2) -> Tensor:
    """Upsample bilinearly by ``factor``."""
    return x if factor == 1 else F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


# --- the network --------------------------------------------------------------------------------------------------------------


class Features(NamedTuple):
    """Per-frame features: ``colours`` at 1/4, ``planes`` (colours and features at 1/8), and the ``grey`` picture for DIS, see
    `seen_by_dis`."""

    colours: Tensor
    planes: Tensor
    grey: Tensor


class Prepared(NamedTuple):
    """Data of a frame pair, independent of t: the ``frames`` [B,3,H,W] float32 and the type of the window. Batched for both
    frames, first then second: ``known`` [2B,3,h,w], the velocity at each frame, in cells of the 1/8 grid, with its certainty;
    and ``colours`` and ``planes`` of `Features`."""

    frames: tuple[Tensor, Tensor]
    known: Tensor
    colours: Tensor
    planes: Tensor
    dtype: torch.dtype


class Estimate(NamedTuple):
    """Estimate of the frame at t on the 1/8 grid, float32.

    ``flow`` [B,8,h,w], in cells of the grid, points to the frame before and to the one after by the first opinion, then by the
    second; ``shares`` [B,4,h,w] are the weights of the four warped pictures and sum to 1; ``lacking`` [B,3,h,w] is the
    residual of their blend; ``detail`` [B,1,h,w] is the strength of sharpening.
    """

    flow: Tensor
    shares: Tensor
    lacking: Tensor
    detail: Tensor

    def mean(self) -> Tensor:
        """Flow of both opinions, weighted by their shares: [B,4,h,w]."""
        first = self.shares[:, :2].sum(dim=1, keepdim=True)
        return torch.lerp(self.flow[:, 4:], self.flow[:, :4], first)


class Stages(NamedTuple):
    """Intermediate results for the frame at t, for training.

    ``flows`` [B,4,h,w], each on its own grid but in pixels of the frame: to the frame before, then to the one after.
    ``blend`` [B,3,H,W] is the weighted sum of the warped frames, and ``made`` [B,3,H,W] the frame, not clipped.
    """

    flows: tuple[Tensor, ...]
    blend: Tensor
    made: Tensor


class Inbetween(nn.Module):
    """The network as an `Interpolator` that `Encodes` and `Moves`. Frames must suit ``spec.multiple``."""

    def __init__(self, config: Config = Config(), options: Options = Options()) -> None:  # noqa: B008
        super().__init__()
        self.spec = specify(config, options)
        self.config = config
        self.grid = round(GRID / options.scale)
        self.encoder = Encoder(config)
        self.decoder = Decoder(4 * (config.encoder[1] + 3) + 24 + 4 + 7 + 1, 8 + 4 + 3 + 1, config)
        self.apply(begin)
        nn.init.zeros_(self.decoder.leave.weight)

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> Features:
        """Features of one frame [B,3,H,W], computed once per frame."""
        check_size(self.spec, rgb)
        small = F.avg_pool2d(rgb.float(), self.grid // 2)
        even = ((small - MIDDLE) * CONTRAST).contiguous(memory_format=torch.channels_last)
        features = self.encoder(even.to(next(self.parameters()).dtype))
        planes = torch.cat((F.avg_pool2d(even, 2).to(features), features), dim=1)
        return Features(even, planes, seen_by_dis(rgb, FINENESS / self.grid))

    def prepare(self, features: Sequence[Features], frames: Sequence[Tensor]) -> Prepared:
        """DIS flow in both directions, and how well the two agree."""
        check_frames(self.spec, frames)
        before, after = features
        lit = as_bright(after.grey, before.grey)
        found = find_flow(torch.cat((before.grey, lit)), torch.cat((lit, before.grey)), roughly=True)
        flow = F.avg_pool2d(found.to(frames[0].device), FINENESS) / FINENESS
        forward, backward = flow.chunk(2)
        certain = agreement(flow, torch.cat((backward, forward)), APART / GRID)
        known = torch.cat((torch.cat((forward, -backward)), certain), dim=1)
        both = frames[0].float(), frames[1].float()
        colours, planes = (torch.cat(pair) for pair in ((before.colours, after.colours), (before.planes, after.planes)))
        return Prepared(both, known, colours, planes, frames[0].dtype)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], as `forward` returns them."""
        _, made = self._rendered(prepared, self._estimated(prepared, t))
        return made.clamp_(0, 1).to(prepared.dtype)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Flow, in pixels, and mask at ``t`` [B]."""
        found = self._estimated(prepared, t)
        share = found.shares[:, :1] + found.shares[:, 2:3]
        flow0, flow1, share = grown(torch.cat((found.mean() * self.grid, share), dim=1), self.grid).split((2, 2, 1), dim=1)
        return Motion(flow0, flow1, share)

    def stages(self, prepared: Prepared, t: Tensor) -> Stages:
        """Intermediate results for the frames at ``t`` [B]."""
        found = self._estimated(prepared, t)
        return Stages((found.mean() * self.grid,), *self._rendered(prepared, found))

    def _estimated(self, prepared: Prepared, t: Tensor) -> Estimate:
        """Flow, weights, residual and sharpening of the frames at ``t`` [B], or at a map of times."""
        check_times(self.spec, t, len(prepared.frames[0]))
        t = time_at(time_plane(t), prepared.known.shape[-2:])
        known0, known1 = prepared.known.chunk(2)
        opinions, hints = first_guess(known0, known1, t)
        seen: list[Tensor] = []
        for opinion in opinions.chunk(2, dim=1):
            before, after = warped(prepared.colours, grown(opinion) * 2)
            seen += [*warped(prepared.planes, opinion), F.pixel_unshuffle((before - after).abs(), 2)]
        mean = (opinions[:, :4] + opinions[:, 4:]) * (GRID / 2 / REACH)
        out = self.decoder(stacked((*seen, mean, hints), t, next(self.parameters()).dtype)).float()
        change, lean, lacking, detail = out.split((8, 4, 3, 1), dim=1)
        moves = moving(opinions)
        shares = (hints[:, 3:] + lean).softmax(dim=1)
        return Estimate(opinions + moves * change * (REACH / GRID), shares, lacking * FAINT, moves * detail)

    def _rendered(self, prepared: Prepared, found: Estimate) -> tuple[Tensor, Tensor]:
        """The blend of the four warped frames, and the final frame, not clipped: [B,3,H,W]."""
        height, width = prepared.frames[0].shape[-2:]
        sides = constant((width - 1, height - 1) * 4, found.flow.device, found.flow.dtype).view(1, 8, 1, 1)
        small = torch.cat((found.flow * (2 * self.grid / sides), found.shares, found.lacking, found.detail), dim=1)
        whole = grown(small.contiguous(), self.grid)
        x, y = (torch.linspace(-1, 1, side, device=whole.device) for side in (width, height))
        whole[:, 0:8:2].add_(x)
        whole[:, 1:8:2].add_(y[:, None])
        *places, shares, lacking, detail = whole.split((2, 2, 2, 2, 4, 3, 1), dim=1)
        frames = [rgb.contiguous().expand(len(whole), -1, -1, -1) for rgb in prepared.frames]
        blend = torch.zeros_like(lacking)
        for number, (place, share) in enumerate(zip(places, shares.split(1, dim=1), strict=True)):
            blend.addcmul_(look_up(frames[number % 2], place.permute(0, 2, 3, 1)), share)
        return blend, torch.addcmul(blend + lacking, blend - smoothed(blend), detail)


def moving(opinions: Tensor) -> Tensor:
    """Strength of corrections for motion [B,8,h,w]: 1, falling to 0 in static areas, [B,1,h,w].

    Otherwise static areas would be resampled off-grid and sharpened, and flicker between input frames and generated ones.
    """
    first, second = opinions.split(4, dim=1)
    velocity = torch.cat((first[:, 2:] - first[:, :2], second[:, 2:] - second[:, :2]), dim=1)
    speed = velocity.abs().amax(dim=1, keepdim=True) * GRID
    return (F.max_pool2d(speed, 3, 1, 1) / STILL).clamp(max=1)


def smoothed(rgb: Tensor) -> Tensor:
    """Blur a picture [B,3,H,W] with weights 1/4, 1/2, 1/4, across and down."""
    for dim in (-1, -2):
        side = rgb.shape[dim]
        before = torch.cat((rgb.narrow(dim, 0, 1), rgb.narrow(dim, 0, side - 1)), dim=dim)
        after = torch.cat((rgb.narrow(dim, 1, side - 1), rgb.narrow(dim, side - 1, 1)), dim=dim)
        rgb = torch.lerp((before + after) / 2, rgb, 0.5)
    return rgb


def warped(pair: Tensor, flow: Tensor) -> Sequence[Tensor]:
    """Planes of both frames [2B or 2,C,h,w] warped to t by the flow [B,4,h,w] to both."""
    count = len(flow)
    if len(pair) != 2 * count:
        pair = pair.repeat_interleave(count, dim=0)
    return warp_corners(pair, torch.cat(flow.chunk(2, dim=1))).chunk(2)


def stacked(parts: Sequence[Tensor], t: Tensor, dtype: torch.dtype) -> Tensor:
    """Concatenate ``parts``, on one grid, with a plane of t [B,1,1,1]."""
    plane = t.expand(parts[0].shape[0], 1, *parts[0].shape[-2:])
    return torch.cat([part.to(dtype) for part in (*parts, plane)], dim=1)


def first_guess(known0: Tensor, known1: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Two opinions of the flow from the frame at t, [B,1,1,1] or [B,1,h,w], to both frames, [B,8,h,w], and hints, [B,7,h,w].

    ``known0`` and ``known1`` [B,3,h,w] are the velocity at each frame and its certainty. A velocity v leads from x - t v
    before to x + (1 - t) v after, and each frame knows it at one of these. Pixels of one frame without a counterpart in the
    other are hidden there. The hints are the difference of the opinions, their joint doubt, and the logits of four shares in
    the picture: of the frame before and of the one after by the first opinion, then by the second.
    """
    guess = torch.lerp(known0[:, :2], known1[:, :2], t)
    count = len(guess)
    known = torch.cat((known0.expand(count, -1, -1, -1), known1.expand(count, -1, -1, -1)))
    one, other = warp_corners(known, torch.cat((-t * guess, (1 - t) * guess))).chunk(2)
    opinions = torch.cat([share * v[:, :2] for v in (one, other) for share in (-t, 1 - t)], dim=1)
    sure0, sure1 = one[:, 2:], other[:, 2:]
    before, after = (1 - t) * (sure0 + DOUBT), t * (sure1 + DOUBT)  # of the opinions
    seen0, seen1 = (1 - t) * (sure1 + DOUBT), t * (sure0 + DOUBT)  # of the frames
    shares = torch.cat((before * seen0, before * seen1, after * seen0, after * seen1), dim=1).log()
    return opinions, torch.cat(((one[:, :2] - other[:, :2]) * (GRID / APART), 1 - sure0 * sure1, shares), dim=1)


# --- from a state dict --------------------------------------------------------------------------------------------------------


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the network in ``state``, or None if it is another network."""
    config = configure(state)
    return specify(config, Options()) if config else None


def build(state: Mapping[str, Tensor], options: Options = Options()) -> Inbetween:  # noqa: B008
    """The network with the weights in ``state``. Raises `InputError` for unsupported options or an incomplete ``state``."""
    config = configure(state)
    if config is None:
        raise InputError("the weights are not Inbetween's: they lack encoder.eighth or decoder.enter")
    net = Inbetween(config, options)
    load_weights(net, state, net.spec.name)
    return net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


WIDE = (*("encoder.quarter.0", "encoder.eighth.0.0", "decoder.enter.0", "decoder.down.0.0"),)
"""Convolutions whose output channels are the numbers in `Config`, in its order."""


def configure(state: Mapping[str, Tensor]) -> Config | None:
    """The `Config` given by the shapes in ``state``; None if it is another network."""
    found = [state.get(f"{name}.weight") for name in WIDE]
    if any(weight is None or weight.ndim != 4 for weight in found):
        return None
    one, two, three, four = (weight.shape[0] for weight in found if weight is not None)
    return Config((one, two), (three, four))


def specify(config: Config, options: Options) -> Spec:
    """Spec of the network as built with ``options``. Raises `InputError` for unsupported options."""
    name = PUBLISHED.get(config, "inbetween-custom")
    check_options(name, options, scales=SCALES)
    side = round(16 / min(options.scale, 1))
    return Spec(
        name, time_map=True, motion="everywhere", multiple=side, min_size=4 * side, pad="edge", activations=60, licence="MIT"
    )


# --- published weights --------------------------------------------------------------------------------------------------------


CHECKPOINTS: tuple[Checkpoint, ...] = (
    Checkpoint("inbetween-s", ("inbetween_s.safetensors",), "MIT", note="ships with the library"),
)

SUITS: dict[str, str] = {"inbetween-s": "most clips on a CPU, without a download; quick"}
