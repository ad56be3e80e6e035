"""Inbetween S: a small network that starts from DIS flow, and ships with the library.

OpenCV's DIS finds motion cheaply, and knows neither where it is wrong nor what is hidden. The network takes its flow, in both
directions, as a first guess: features of both frames, warped to t by that guess, tell
where it fails. A U-Net from 1/8 of the frame's size down corrects the flow; at 1/4, features warped anew correct it once more
and say how the two frames are blended and, at half the frame's size, what their blend lacks.

The network is this library's own, in the line of IFNet (Huang et al., "Real-Time Intermediate Flow Estimation", ECCV 2022), and
so are its weights; the card beside them says how they were made. All widths are read off a state dict. Knows nothing of
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
from ..ops.warp import warp_corners, warp_cubic
from .dis import agreement, find_flow, seen_by_dis

SCALES = (0.25, 0.5, 1, 2)
"""The scales at which flow can be estimated."""

REACH = 8.0
"""Pixels of the frame: flow is given to convolutions as a share of this, and corrected by them in as many."""

MIDDLE, CONTRAST = 0.45, 4.0
"""Colours are given to convolutions less the first and times the second: about as wide as a normal distribution."""

FAINT = 0.1
"""What a blend lacks is given by convolutions as a multiple of this."""

APART = 2.0
"""Forward and backward flow that differ by this much, in pixels of the flow, agree by 1/e."""

DOUBT = 0.1
"""The least weight of an opinion and of a frame, as for DIS."""


@dataclass(frozen=True)
class Config:
    """Channels: of a frame's features at 1/4 and 1/8 (``quarter``, ``eighth``); of the U-Net at 1/8, 1/16 and 1/32
    (``coarse``) and of what it hands on (``context``); of the second correction (``fine``)."""

    quarter: int = 16
    eighth: int = 32
    coarse: tuple[int, int, int] = (56, 96, 128)
    context: int = 8
    fine: int = 32


PUBLISHED: dict[Config, str] = {Config(): "inbetween-s"}


# --- layers -------------------------------------------------------------------------------------------------------------------


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.LeakyReLU(0.2, inplace=True))


class Residual(nn.Module):
    """A convolution that is added to its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu_(self.conv(x) + x, 0.2)


class Encoder(nn.Module):
    """Features of frames [B,3,H,W] at 1/4 and 1/8 of their size."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.quarter = nn.Sequential(conv(3, config.quarter // 2, 2), conv(config.quarter // 2, config.quarter, 2))
        self.eighth = conv(config.quarter, config.eighth, 2)

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        quarter = self.quarter(rgb)
        return quarter, self.eighth(quarter)


class Coarse(nn.Module):
    """The U-Net: [B,C,h,w] at 1/8 of the frame's size -> [B,4 + context,h,w], the correction of the flow and features."""

    def __init__(self, inputs: int, config: Config) -> None:
        super().__init__()
        eighth, sixteenth, thirty_second = config.coarse
        self.enter = conv(inputs, eighth)
        self.down1 = nn.Sequential(conv(eighth, sixteenth, 2), Residual(sixteenth))
        self.down2 = nn.Sequential(conv(sixteenth, thirty_second, 2), Residual(thirty_second), Residual(thirty_second))
        self.up2 = nn.Conv2d(thirty_second, sixteenth, 1)
        self.mix2 = Residual(sixteenth)
        self.up1 = nn.Conv2d(sixteenth, eighth, 1)
        self.mix1 = Residual(eighth)
        self.leave = nn.Conv2d(eighth, 4 + config.context, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x1 = self.enter(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x2 = self.mix2(x2 + grown(self.up2(x3)))
        x1 = self.mix1(x1 + grown(self.up1(x2)))
        return self.leave(x1)


def begin(module: nn.Module) -> None:
    """Random weights that keep numbers as large as they are from layer to layer, so that learning starts at once.

    He et al., "Delving Deep into Rectifiers", ICCV 2015, and less of it where a convolution is added to its input.
    """
    for layer in module.children():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, a=0.2)
            nn.init.zeros_(cast(Tensor, layer.bias))
            if isinstance(module, Residual):
                layer.weight.data *= 0.3


def grown(x: Tensor, factor: float = 2) -> Tensor:
    """Bilinear, ``factor`` times as large."""
    return x if factor == 1 else F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def grown_flow(flow: Tensor, factor: float = 2) -> Tensor:
    """A flow ``factor`` times as large, in the pixels of its own grid."""
    return flow if factor == 1 else grown(flow, factor) * factor


# --- the network --------------------------------------------------------------------------------------------------------------


class Features(NamedTuple):
    """Of one frame: its colours and features at 1/4 and 1/8 of its size, and the picture that DIS sees, see `seen_by_dis`."""

    quarter: Tensor
    eighth: Tensor
    grey: Tensor


class Prepared(NamedTuple):
    """Of two frames, whatever t: the ``frames`` [B,3,H,W] float32 and the type of the window; the velocity that is ``known`` at
    each of them, with how certain it is, [B,3,h,w] at 1/4 and in pixels of that grid; their colours and features at 1/4 and
    1/8."""

    frames: tuple[Tensor, Tensor]
    known: tuple[Tensor, Tensor]
    quarter: tuple[Tensor, Tensor]
    eighth: tuple[Tensor, Tensor]
    dtype: torch.dtype


class Estimate(NamedTuple):
    """What is known of the frame at t but for its colours, float32.

    ``coarse`` [B,4,h,w] is the flow after the U-Net, at 1/4 and in pixels of that grid. ``flow`` [B,8,H,W], in pixels, leads to
    the frame before and to the one after by the first opinion, then by the second; ``shares`` [B,4,H,W] are those of the four
    warped pictures, and sum up to 1; ``lacking`` [B,3,H,W] is what their blend lacks.
    """

    coarse: Tensor
    flow: Tensor
    shares: Tensor
    lacking: Tensor

    def mean(self) -> Tensor:
        """The flow of both opinions, weighted by their shares: [B,4,H,W]."""
        first = self.shares[:, :2].sum(dim=1, keepdim=True)
        return torch.lerp(self.flow[:, 4:], self.flow[:, :4], first)


class Stages(NamedTuple):
    """What is known of the frame at t, for training.

    ``flows`` [B,4,h,w], coarse to fine, each on a grid of its own but in pixels of the frame: to the frame before, then to the
    one after. ``blend`` [B,3,H,W] is the two warped frames, weighted, and ``made`` [B,3,H,W] the frame, not clipped.
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
        self.scale = options.scale
        self.encoder = Encoder(config)
        self.coarse = Coarse(2 * (config.eighth + 3) + 4 + 7 + 1, config)
        self.enter = conv(2 * (config.quarter + 3) + 4 + 7 + config.context + 1, config.fine)
        self.fine = nn.Sequential(Residual(config.fine), Residual(config.fine))
        self.leave = nn.Conv2d(config.fine, 4 * (4 + 4 + 3), 3, 1, 1)
        self.apply(begin)
        for silent in (self.coarse.leave, self.leave):
            nn.init.zeros_(silent.weight)

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """The frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] of the window's type."""
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> Features:
        """What is computed of one frame [B,3,H,W] alone."""
        check_size(self.spec, rgb)
        seen = grown(rgb.float(), self.scale)
        even = (seen - MIDDLE) * CONTRAST
        colours = F.avg_pool2d(even, 4)
        quarter, eighth = self.encoder(even.to(next(self.parameters()).dtype))
        quarter = torch.cat((colours.to(quarter), quarter), dim=1)
        eighth = torch.cat((F.avg_pool2d(colours, 2).to(eighth), eighth), dim=1)
        return Features(quarter, eighth, seen_by_dis(seen, 0.5))

    def prepare(self, features: Sequence[Features], frames: Sequence[Tensor]) -> Prepared:
        """The flow that DIS finds in both directions, and how far the two agree."""
        check_frames(self.spec, frames)
        device = frames[0].device
        before, after = (feature.grey for feature in features)
        found = find_flow(torch.cat((before, after)), torch.cat((after, before))).to(device)
        forward, backward = (F.avg_pool2d(found, 2) / 2).chunk(2)
        known = (
            torch.cat((forward, agreement(forward, backward, APART)), dim=1),
            torch.cat((-backward, agreement(backward, forward, APART)), dim=1),
        )
        (quarter0, eighth0, _), (quarter1, eighth1, _) = features
        both = frames[0].float(), frames[1].float()
        return Prepared(both, known, (quarter0, quarter1), (eighth0, eighth1), frames[0].dtype)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """The frames at ``t`` [B], as `forward` gives them."""
        found = self._estimated(prepared, t)
        blend = rendered(prepared.frames, found)
        return (blend + found.lacking).clamp(0, 1).to(prepared.dtype)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Flow, in pixels, and mask at ``t`` [B]: the mean of both opinions, weighted as their pictures are."""
        found = self._estimated(prepared, t)
        flow, share = found.mean(), found.shares
        return Motion(flow[:, :2], flow[:, 2:], share[:, :1] + share[:, 2:3])

    def stages(self, prepared: Prepared, t: Tensor) -> Stages:
        """All that is known of the frames at ``t`` [B]."""
        found = self._estimated(prepared, t)
        blend = rendered(prepared.frames, found)
        return Stages((found.coarse * (4 / self.scale), found.mean()), blend, blend + found.lacking)

    def _estimated(self, prepared: Prepared, t: Tensor) -> Estimate:
        """What is known of the frames at ``t`` [B] but for their colours."""
        check_times(self.spec, t, len(prepared.frames[0]))
        t = t.float().view(-1, 1, 1, 1)
        dtype = next(self.parameters()).dtype
        guess, opinions, hints = first_guess(*prepared.known, t)
        flow = F.avg_pool2d(guess, 2) / 2
        seen = warped(prepared.eighth, flow)
        out = self.coarse(joined((*seen, flow * (8 / REACH), F.avg_pool2d(hints, 2)), t, dtype)).float()
        change, context = grown(out[:, :4]) * (REACH / 4), grown(out[:, 4:])
        coarse = guess + change
        seen = warped(prepared.quarter, coarse)
        out = self.enter(joined((*seen, coarse * (4 / REACH), hints, context), t, dtype))
        out = F.pixel_shuffle(self.leave(self.fine(out)).float(), 2)
        change = grown_flow(change) + out[:, :4]
        both = grown_flow(opinions) + torch.cat((change, change), dim=1)
        shares = (grown(hints[:, 3:]) + out[:, 4:8]).softmax(dim=1)
        half = torch.cat((both, shares, out[:, 8:] * FAINT), dim=1).contiguous(memory_format=torch.channels_last)
        both, shares, lacking = grown(half, 2 / self.scale).split((8, 4, 3), dim=1)
        return Estimate(coarse, both * (2 / self.scale), shares, lacking)


def rendered(frames: tuple[Tensor, Tensor], found: Estimate) -> Tensor:
    """Both frames, warped as each of the opinions has it, weighted by their shares: [B,3,H,W].

    Looked up by cubic convolution: bilinearly the same flow makes pictures that are 0.19 dB worse.
    """
    blend = torch.zeros_like(frames[0])
    for number, (flow, share) in enumerate(zip(found.flow.split(2, dim=1), found.shares.split(1, dim=1), strict=True)):
        blend = torch.addcmul(blend, warp_cubic(frames[number % 2], flow), share)
    return blend


def warped(pair: tuple[Tensor, Tensor], flow: Tensor) -> tuple[Tensor, Tensor]:
    """Planes of both frames as seen at t, by the flow [B,4,h,w] to both."""
    return warp_corners(pair[0], flow[:, :2]), warp_corners(pair[1], flow[:, 2:])


def joined(parts: Sequence[Tensor], t: Tensor, dtype: torch.dtype) -> Tensor:
    """All that is known on one grid, and t [B,1,1,1], in one tensor."""
    plane = t.expand(parts[0].shape[0], 1, *parts[0].shape[-2:])
    return torch.cat([part.to(dtype) for part in (*parts, plane)], dim=1)


def first_guess(known0: Tensor, known1: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Flow from the frame at t [B,1,1,1] to both frames, [B,4,h,w], the two opinions of it, [B,8,h,w], and hints, [B,7,h,w].

    ``known0`` and ``known1`` [B,3,h,w] are the velocity at each frame and how certain it is. A velocity v leads from x - t v
    before to x + (1 - t) v after: each frame knows it at one of these. What one frame shows and the other has no counterpart
    of is hidden in the other. The hints are how far the opinions are apart, the doubt of the guess, and the logits of four
    shares in the picture: of the frame before and of the one after by the first opinion, then by the second.
    """
    guess = torch.lerp(known0[:, :2], known1[:, :2], t)
    one, other = warp_corners(known0, -t * guess), warp_corners(known1, (1 - t) * guess)
    sure0, sure1 = one[:, 2:], other[:, 2:]
    trust0, trust1 = (1 - t) * (sure0 + DOUBT), t * (sure1 + DOUBT)
    velocity = torch.lerp(one[:, :2], other[:, :2], trust1 / (trust0 + trust1))
    opinions = torch.cat([share * v[:, :2] for v in (one, other) for share in (-t, 1 - t)], dim=1)
    weight0, weight1 = (1 - t) * (sure1 + DOUBT), t * (sure0 + DOUBT)
    shares = torch.cat([trust * weight for trust in (trust0, trust1) for weight in (weight0, weight1)], dim=1).log()
    hints = torch.cat(((one[:, :2] - other[:, :2]) / APART, 1 - sure0 * sure1, shares), dim=1)
    return torch.cat((-t * velocity, (1 - t) * velocity), dim=1), opinions, hints


# --- from a state dict --------------------------------------------------------------------------------------------------------


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Which network ``state`` is of; None when it is of none."""
    config = configure(state)
    return specify(config, Options()) if config else None


def build(state: Mapping[str, Tensor], options: Options = Options()) -> Inbetween:  # noqa: B008
    """The network of ``state`` with its weights. Raises `InputError` when it has no such option, or ``state`` is not whole."""
    config = configure(state)
    if config is None:
        raise InputError("the weights are not Inbetween's: they have no encoder.eighth and coarse.leave")
    net = Inbetween(config, options)
    load_weights(net, state, net.spec.name)
    return net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


WIDE = (
    *("encoder.quarter.1.0", "encoder.eighth.0", "coarse.enter.0", "coarse.down1.0.0", "coarse.down2.0.0"),
    *("coarse.leave", "enter.0"),
)
"""The convolutions whose outputs are the numbers of `Config`, in its order; four of ``coarse.leave`` are flow."""


def configure(state: Mapping[str, Tensor]) -> Config | None:
    """What the shapes of ``state`` say."""
    found = [state.get(f"{name}.weight") for name in WIDE]
    if any(weight is None or weight.ndim != 4 for weight in found):
        return None
    quarter, eighth, *coarse, context, fine = (weight.shape[0] for weight in found if weight is not None)
    return Config(quarter, eighth, (coarse[0], coarse[1], coarse[2]), context - 4, fine)


def specify(config: Config, options: Options) -> Spec:
    """What the network can do as ``options`` build it. Raises `InputError` for what it cannot."""
    name = PUBLISHED.get(config, "inbetween-custom")
    check_options(name, options, scales=SCALES)
    side = round(32 / min(options.scale, 1))
    return Spec(name, multiple=side, min_size=2 * side, pad="edge", activations=150, licence="MIT")


# --- published weights --------------------------------------------------------------------------------------------------------


CHECKPOINTS: tuple[Checkpoint, ...] = (
    Checkpoint("inbetween-s", ("inbetween_s.safetensors",), "MIT", note="ships with the library"),
)
