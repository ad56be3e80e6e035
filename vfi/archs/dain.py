"""DAIN: depth-aware frame interpolation.

Bao, Lai, Ma, Zhang, Gao and Yang, "Depth-Aware Video Frame Interpolation", CVPR 2019. Flow between the frames is projected to
t so that near objects cover far ones. Frames and their features are warped with a learned 4x4 kernel per pixel, and a final
network refines the blend. Flow comes from PWC-Net (Sun, Yang, Liu and Kautz, CVPR 2018), depth from an hourglass
(Chen, Fu, Yang and Deng, NIPS 2016) trained as in MegaDepth (Li and Snavely, CVPR 2018).

Features and depth are computed once per frame, flow and kernels once per pair. Slow, large, and mainly of historical
interest. Owns the published parameter names. Knows nothing of padding, files or devices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import UNSTATED, Checkpoint, InputError, Motion, Options, Spec, UrlFile
from ..ops.adaptive import adaptive_warp
from ..ops.checks import check_frames, check_options, check_size, check_times, load_weights
from ..ops.correlation import correlation
from ..ops.projection import project_flow
from ..ops.warp import warp_valid

SPEC = Spec("dain", multiple=128, activations=1700, motion="everywhere")

UNUSED = ("flownets.deconv2.",)
"""In the published file, but unused."""


# --- flow: PWC-Net ------------------------------------------------------------------------------------------------------------

FLOW_UNIT = 20
"""PWC-Net's unit of flow, in pixels."""


def leaky(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation), nn.LeakyReLU(0.1))


class PwcNet(nn.Module):
    """Flow in units of `FLOW_UNIT` pixels, at a quarter of the frame's size, refined from 1/64 up."""

    WIDTHS = (16, 32, 64, 96, 128, 196)
    DENSE = (128, 128, 96, 64, 32)
    CONTEXT = ((128, 1), (128, 2), (128, 4), (96, 8), (64, 16), (32, 1))
    """Width and dilation of each layer."""

    def __init__(self) -> None:
        super().__init__()
        for level, (inputs, width) in enumerate(pairwise((3, *self.WIDTHS)), start=1):
            for index, name in enumerate(self._names(level)):
                self.add_module(name, leaky(width if index else inputs, width, 1 if index else 2))
        for level in range(6, 1, -1):
            inputs = 81 if level == 6 else 81 + self.WIDTHS[level - 1] + 2 + 2
            for index, width in enumerate(self.DENSE):
                self.add_module(f"conv{level}_{index}", leaky(inputs, width))
                inputs += width
            self.add_module(f"predict_flow{level}", nn.Conv2d(inputs, 2, 3, padding=1))
            if level > 2:
                self.add_module(f"deconv{level}", nn.ConvTranspose2d(2, 2, 4, 2, 1))
                self.add_module(f"upfeat{level}", nn.ConvTranspose2d(inputs, 2, 4, 2, 1))
        for index, (width, dilation) in enumerate(self.CONTEXT, start=1):
            self.add_module(f"dc_conv{index}", leaky(inputs, width, dilation=dilation))
            inputs = width
        self.dc_conv7 = nn.Conv2d(inputs, 2, 3, padding=1)

    def forward(self, here: Sequence[Tensor], there: Sequence[Tensor]) -> Tensor:
        """Flow from one frame to the other, [B,2,H/4,W/4] float32, from the `pyramid` of both."""
        x, flow = self._refine(6, F.leaky_relu(correlation(here[5], there[5]), 0.1))
        for level in range(5, 1, -1):
            source, target = here[level - 1], there[level - 1]
            flow, carried = self.get_submodule(f"deconv{level + 1}")(flow), self.get_submodule(f"upfeat{level + 1}")(x)
            warped = warp_valid(target, flow.float() * (FLOW_UNIT / 2**level))
            alike = F.leaky_relu(correlation(source, warped), 0.1)
            x, flow = self._refine(level, torch.cat((alike, source, flow, carried), dim=1))
        for index in range(1, len(self.CONTEXT) + 1):
            x = self.get_submodule(f"dc_conv{index}")(x)
        return flow.float() + self.dc_conv7(x).float()

    def _refine(self, level: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """All features of a level, and the flow predicted from them."""
        for index in range(len(self.DENSE)):
            x = torch.cat((self.get_submodule(f"conv{level}_{index}")(x), x), dim=1)
        return x, self.get_submodule(f"predict_flow{level}")(x)

    def pyramid(self, rgb: Tensor) -> tuple[Tensor, ...]:
        """Features of a frame [B,3,H,W] at 1/2 to 1/64 of its size."""
        levels: list[Tensor] = []
        for level in range(1, 7):
            x = levels[-1] if levels else rgb
            for name in self._names(level):
                x = self.get_submodule(name)(x)
            levels.append(x)
        return tuple(levels)

    @staticmethod
    def _names(level: int) -> tuple[str, ...]:
        return tuple(f"conv{level}{letters}" for letters in (("aa", "a", "b") if level == 6 else ("a", "aa", "b")))


# --- depth: an hourglass ------------------------------------------------------------------------------------------------------


class Inception(nn.ModuleList):
    """Four parallel branches with different kernel sizes, [B,inputs,H,W] -> [B,4*outputs,H,W]."""

    def __init__(self, inputs: int, outputs: int, width: int, kernels: tuple[int, ...] = (3, 5, 7)) -> None:
        wide = [nn.Sequential(*self._conv(inputs, width, 1), *self._conv(width, outputs, kernel)) for kernel in kernels]
        super().__init__([nn.Sequential(*self._conv(inputs, outputs, 1)), *wide])

    @staticmethod
    def _conv(inputs: int, outputs: int, kernel: int) -> tuple[nn.Module, ...]:
        return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.BatchNorm2d(outputs, affine=False), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self], dim=1)


class Fork(nn.ModuleList):
    """Sum of two branches with the same input."""

    def forward(self, x: Tensor) -> Tensor:
        first, second = self
        return first(x) + second(x)


def hourglass() -> nn.Sequential:
    """Logarithm of depth, [B,3,H,W] -> [B,1,H,W]; sides must be multiples of 16."""
    far = (3, 7, 11)

    def half(pool: nn.Module, *inside: nn.Module) -> nn.Sequential:
        return nn.Sequential(pool, *inside, nn.Upsample(scale_factor=2, mode="nearest"))

    def fork(first: nn.Module, second: nn.Module) -> nn.Sequential:
        return nn.Sequential(Fork((first, second)))

    def plain(count: int) -> list[Inception]:
        return [Inception(256, 64, 32) for _ in range(count)]

    sixteenth = half(nn.AvgPool2d(2), *plain(3))
    eighth = half(nn.AvgPool2d(2), *plain(2), fork(nn.Sequential(*plain(2)), sixteenth), *plain(1), Inception(256, 64, 64, far))
    quarter = half(
        nn.MaxPool2d(2),
        Inception(128, 32, 32),
        Inception(128, 64, 32),
        fork(nn.Sequential(*plain(1), Inception(256, 64, 64, far)), eighth),
        *plain(1),
        Inception(256, 32, 32),
    )
    halved = half(
        nn.MaxPool2d(2),
        Inception(128, 32, 32),
        Inception(128, 32, 32),
        fork(quarter, nn.Sequential(Inception(128, 32, 32), Inception(128, 32, 64, far))),
        Inception(128, 32, 64),
        Inception(128, 16, 32, far),
    )
    whole = fork(halved, nn.Sequential(Inception(128, 16, 64, far)))
    return nn.Sequential(nn.Conv2d(3, 128, 7, padding=3), nn.BatchNorm2d(128), nn.ReLU(), whole, nn.Conv2d(64, 1, 3, padding=1))


# --- kernels, features and refinement -----------------------------------------------------------------------------------------


class KernelNet(nn.Sequential):
    """A U-Net down to 1/32 with additive skips, [B,6,H,W] -> [B,16,H,W]."""

    def __init__(self) -> None:
        widths = (16, 32, 64, 128, 256, 512)
        layers: list[nn.Module] = [*self._conv(6, widths[0])]
        for inputs, outputs in pairwise(widths):
            layers += [*self._conv(inputs, outputs), nn.MaxPool2d(2)]
        layers += self._conv(widths[-1], widths[-1])
        for inputs, outputs in pairwise(reversed(widths)):
            layers += [nn.Upsample(scale_factor=2, mode="bilinear"), *self._conv(inputs, outputs)]
        super().__init__(*layers)

    @staticmethod
    def _conv(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
        return nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for layer in self:
            if isinstance(layer, nn.MaxPool2d):
                skips.append(x)
            x = layer(x)
            if isinstance(layer, nn.Upsample):
                x = x + skips.pop()
        return x


def kernel_head() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1))


class Block(nn.Module):
    """Two convolutions with a skip."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class ContextNet(nn.Module):
    """The frame joined with context features of each pixel: [B,3,H,W] -> [B,3+3*64,H,W]."""

    def __init__(self) -> None:
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(3, 64, 7, padding=3, bias=False), nn.ReLU())
        self.block2 = Block(64, dilation=4)
        self.block3 = Block(64, dilation=8)

    def forward(self, rgb: Tensor) -> Tensor:
        near = self.block1(rgb)
        wide = self.block2(near)
        return torch.cat((rgb, near, wide, self.block3(wide)), dim=1)


class RectifyNet(nn.Sequential):
    """Residual of the blend, [B,inputs,H,W] -> [B,3,H,W]."""

    def __init__(self, inputs: int, width: int = 128) -> None:
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(inputs, width, 7, padding=3), nn.ReLU())
        self.block2 = Block(width)
        self.block3 = Block(width)
        self.block4 = Block(width)
        self.block5 = nn.Sequential(nn.Conv2d(width, 3, 3, padding=1))


# --- the network --------------------------------------------------------------------------------------------------------------


class Features(NamedTuple):
    """Per-frame features.

    ``pyramid`` holds PWC-Net's features; ``nearness`` is the reciprocal of depth, [B,1,H,W] float32; ``context`` [B,196,H,W]
    joins the frame, its context features and the logarithm of its depth.
    """

    pyramid: tuple[Tensor, ...]
    nearness: Tensor
    context: Tensor


class Pair(NamedTuple):
    """Flow and kernels, computed once per pair, float32.

    ``flow01`` and ``flow10`` [B,2,H,W], in pixels, point from the frame before to the one after, and back; ``kernel0`` and
    ``kernel1`` [B,16,H,W] warp the frames before and after.
    """

    flow01: Tensor
    flow10: Tensor
    kernel0: Tensor
    kernel1: Tensor


class Prepared(NamedTuple):
    """Data of a frame pair, independent of t: the ``window`` [B,2,3,H,W], their flow and kernels (``pair``), and the
    ``nearness`` and ``context`` of each."""

    window: Tensor
    pair: Pair
    nearness: tuple[Tensor, Tensor]
    context: tuple[Tensor, Tensor]


class Dain(nn.Module):
    """DAIN as an `Interpolator` that `Encodes` and `Moves`. Frames must suit ``spec.multiple``."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = SPEC
        self.initScaleNets_filter = KernelNet()
        self.initScaleNets_filter1 = kernel_head()
        self.initScaleNets_filter2 = kernel_head()
        self.ctxNet = ContextNet()
        self.rectifyNet = RectifyNet(3 * 3 + 2 * 2 + 2 * 16 + 2 * 196)
        self.flownets = PwcNet()
        self.depthNet = hourglass()

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> Features:
        """Features of one frame [B,3,H,W], computed once per frame."""
        check_size(self.spec, rgb)
        rgb = rgb.to(self._dtype)
        log_depth = self.depthNet(rgb)
        nearness = 1e-6 + torch.exp(-log_depth.float())
        return Features(self.flownets.pyramid(rgb), nearness, torch.cat((self.ctxNet(rgb), log_depth), dim=1))

    def prepare(self, features: Sequence[Features], frames: Sequence[Tensor]) -> Prepared:
        """Everything independent of t, from the `encode` output of both frames."""
        check_frames(self.spec, frames)
        before, after = features
        nearness, context = (before.nearness, after.nearness), (before.context, after.context)
        window = torch.stack(tuple(frames), dim=1)
        return Prepared(window, self.pair(features, window), nearness, context)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], as `forward` returns them."""
        return self.render(prepared, self.project(prepared, t), t)[1].clamp(0, 1).to(prepared.window.dtype)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Flow in pixels at ``t`` [B]. The frames are blended linearly: the mask is 1 - t."""
        flow0, flow1 = self.project(prepared, t)
        return Motion(flow0, flow1, torch.ones_like(flow0[:, :1]) * (1 - t.float().reshape(-1, 1, 1, 1)))

    def pair(self, features: Sequence[Features], window: Tensor) -> Pair:
        """Flow and kernels of the two frames."""
        before, after = (frame.pyramid for frame in features)
        flows = (self.flownets(before, after), self.flownets(after, before))
        flow01, flow10 = (F.interpolate(FLOW_UNIT * flow, scale_factor=4, mode="bilinear") for flow in flows)
        kernels = self.initScaleNets_filter(window.flatten(1, 2).to(self._dtype))
        return Pair(flow01, flow10, self.initScaleNets_filter1(kernels).float(), self.initScaleNets_filter2(kernels).float())

    def project(self, prepared: Prepared, t: Tensor) -> tuple[Tensor, Tensor]:
        """Flow from the frames at ``t`` [B] to those before and after, [B,2,H,W]; near objects cover far ones."""
        check_times(self.spec, t, len(prepared.window))
        t = t.float().reshape(-1, 1, 1, 1)
        pair, (before, after) = prepared.pair, prepared.nearness
        return project_flow(pair.flow01 * t, before)[0], project_flow(pair.flow10 * (1 - t), after)[0]

    def render(self, prepared: Prepared, flows: tuple[Tensor, Tensor], t: Tensor) -> tuple[Tensor, Tensor]:
        """The blend of the warped frames, and the refined frame, [B,3,H,W] float32.

        Values may lie slightly outside 0..1. Timesteps run one at a time, because each takes much memory.
        """
        frames, kernels = prepared.window.float().unbind(1), (prepared.pair.kernel0, prepared.pair.kernel1)
        blends, mended = [], []
        for index, at in enumerate(t.float()):
            of = slice(index, index + 1) if len(prepared.window) > 1 else slice(1)
            ways = [(flow[index : index + 1], kernel[of]) for flow, kernel in zip(flows, kernels, strict=True)]
            before, after = (adaptive_warp(frame[of], *way) for frame, way in zip(frames, ways, strict=True))
            contexts = [adaptive_warp(context[of], *way) for context, way in zip(prepared.context, ways, strict=True)]
            (flow0, kernel0), (flow1, kernel1) = ways
            blend = (1 - at) * before + at * after
            seen = [blend, before, after, flow0, flow1, kernel0, kernel1, *contexts]
            lacks = self.rectifyNet(torch.cat([part.to(self._dtype) for part in seen], dim=1))
            blends.append(blend)
            mended.append(blend + lacks.float())
        return torch.cat(blends), torch.cat(mended)

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.rectifyNet.parameters()).dtype


# --- from a state dict --------------------------------------------------------------------------------------------------------


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the DAIN in ``state``, or None if it is another network."""
    marks = {"initScaleNets_filter1.0.weight", "rectifyNet.block1.0.weight", "flownets.conv1a.0.weight", "depthNet.0.weight"}
    return SPEC if marks <= state.keys() else None


def build(state: Mapping[str, Tensor], options: Options = Options()) -> Dain:  # noqa: B008
    """DAIN with the weights in ``state``. Raises `InputError` for unsupported options or a broken ``state``."""
    check_options(SPEC.name, options)
    if detect(state) is None:
        raise InputError("the weights are not DAIN's: they lack initScaleNets_filter1, rectifyNet, flownets or depthNet")
    net = Dain()
    load_weights(net, {key: value for key, value in state.items() if not key.startswith(UNUSED)}, SPEC.name)
    return net.eval()


# --- published weights --------------------------------------------------------------------------------------------------------

CHECKPOINTS: tuple[Checkpoint, ...] = (
    Checkpoint(
        "dain",
        ("dain.safetensors", "best.safetensors"),
        UNSTATED,
        commercial=None,
        sources=(
            UrlFile(
                "https://raw.githubusercontent.com/BurguerJohn/Dain-App/ebd4f22ffd97df6560acc2b59b22ef15ac1945ee/"
                "model_weights/best.pth",
                git_blob="8ce43dbd696a63a7cd0caac8a4aacb1264ef3899",
            ),
        ),
        note="best.pth of the authors; their code is MIT, and the PWC-Net in it is for non-commercial use",
        link="https://github.com/baowenbo/DAIN",
    ),
)

SUITS: dict[str, str] = {"dain": "comparison with an older method that knows depth; slow and large"}
