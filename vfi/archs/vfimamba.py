"""VFIMamba: features of both frames from selective state spaces.

Zhang, Liu, Cui, Zhao, Ma and Wang, "VFIMamba: Video Frame Interpolation with State Space Models", NeurIPS 2024. At 1/8 and 1/16
of the frame's size, the cells of both frames are interleaved into one sequence, which is scanned row by row and column by
column, forwards and backwards. Two heads and two local blocks estimate flow from these features and t; the rest is EMA-VFI's.

Small and full are one network here; widths and depths are read from the state dict. Owns the published parameter names. Knows
nothing of padding, files or devices.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Checkpoint, HubFile, InputError, Motion, Options, Spec
from ..ops.channels import side_by_side
from ..ops.checks import check_frames, check_options, check_size, check_times, load_weights
from ..ops.refinement import UNet, conv
from ..ops.scan import selective_scan
from ..ops.times import time_plane
from ..ops.warp import warp_corners
from .emavfi import Encoded, Features, Head, Pair, Refined, Related, cells, halves, planes, resize, stage

SCALES = (0.25, 0.5, 1.0)
"""Supported flow scales."""

STATES = 16
"""States per channel of a scan."""


@dataclass(frozen=True)
class Config:
    """``width``: channels at full size, doubled at each halving. ``depths``: blocks at 1/8 and at 1/16."""

    width: int
    depths: tuple[int, int]


PUBLISHED: dict[Config, str] = {Config(16, (3, 3)): "vfimamba-s", Config(32, (3, 3)): "vfimamba"}


# --- layers -------------------------------------------------------------------------------------------------------------------


class Scan(nn.Module):
    """Scans the cells of two frames in four directions (paper, section 3.2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner, self.rank = 2 * channels, -(-channels // 16)
        self.in_proj = nn.Linear(channels, 2 * inner, bias=False)
        self.conv2d = nn.Conv2d(inner, inner, 3, 1, 1, groups=inner)
        self.x_proj_weight = nn.Parameter(torch.randn(4, self.rank + 2 * STATES, inner) / inner**0.5)
        self.dt_projs_weight = nn.Parameter(torch.randn(4, inner, self.rank) / self.rank**0.5)
        self.dt_projs_bias = nn.Parameter(torch.full((4, inner), -4.0))
        self.A_logs = nn.Parameter(torch.arange(1, STATES + 1).float().log().repeat(4 * inner, 1))
        self.Ds = nn.Parameter(torch.ones(4 * inner))
        self.out_norm = nn.LayerNorm(inner)
        self.out_proj = nn.Linear(inner, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[2B,H,W,C], one frame then the other -> [2B,H,W,C]."""
        x, gate = self.in_proj(x).chunk(2, dim=-1)
        seen = F.silu(self.conv2d(planes(x)))
        y = self._scanned(seen).to(gate.dtype)
        return self.out_proj(self.out_norm(y) * F.silu(gate))

    def _scanned(self, x: Tensor) -> Tensor:
        """[2B,D,H,W] -> the sum of four scans, [2B,H,W,D] float32."""
        height, width = x.shape[-2:]
        both = torch.stack(halves(x), dim=-1)  # a cell of one frame beside the same cell of the other
        forth = torch.stack((both.flatten(2), both.transpose(2, 3).flatten(2)), dim=1)
        sequences = torch.cat((forth, forth.flip(-1)), dim=1)
        hidden = torch.einsum("bkdl,kcd->bkcl", sequences, self.x_proj_weight)
        pace, enter, leave = hidden.split((self.rank, STATES, STATES), dim=2)
        pace = torch.einsum("bkrl,kdr->bkdl", pace, self.dt_projs_weight).float()
        pace = F.softplus(pace + self.dt_projs_bias.float()[..., None])
        decay = -self.A_logs.float().exp().unflatten(0, (4, -1))
        direct = self.Ds.float().unflatten(0, (4, -1))[..., None]
        sequences = sequences.float()
        y = selective_scan(sequences, pace, decay, enter.float(), leave.float()) + direct * sequences
        rows, columns = (y[:, :2] + y[:, 2:].flip(-1)).unbind(1)
        # The published network takes a scan by columns for one frame after the other, not for interleaved ones: its weights
        # were trained so.
        columns = columns.unflatten(-1, (2, width, height)).transpose(-1, -2).flatten(2)
        before, after = (rows + columns).unflatten(-1, (height, width, 2)).permute(4, 0, 2, 3, 1)
        return torch.cat((before, after))


class ChannelAttention(nn.Module):
    """Scales each channel by what all channels are on average."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        few = channels // 30
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, few, 1), nn.ReLU(), nn.Conv2d(few, channels, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.attention(x)


def local(channels: int) -> nn.Sequential:
    """Convolutions through a third of the channels, and channel attention."""
    few = channels // 3
    layers = nn.Conv2d(channels, few, 3, 1, 1), nn.GELU(), nn.Conv2d(few, channels, 3, 1, 1), ChannelAttention(channels)
    return nn.Sequential(OrderedDict(cab=nn.Sequential(*layers)))


class Block(nn.Module):
    """A scan of both frames, then convolutions of each; both skip connections are scaled per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(channels)
        self.self_attention = Scan(channels)
        self.skip_scale = nn.Parameter(torch.ones(channels))
        self.conv_blk = local(channels)
        self.ln_2 = nn.LayerNorm(channels)
        self.skip_scale2 = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[2B,H,W,C] -> [2B,H,W,C]."""
        x = x * self.skip_scale + self.self_attention(self.ln_1(x))
        return x * self.skip_scale2 + cells(self.conv_blk(planes(self.ln_2(x))))


class Embed(nn.Module):
    """[B,H,W,C] -> [B,H/2,W/2,2C], from normalised cells."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inputs, 2 * inputs, 3, 2, 1)
        self.norm = nn.LayerNorm(inputs)

    def forward(self, x: Tensor) -> Tensor:
        return cells(self.proj(planes(self.norm(x))))


def blocks(channels: int, depth: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(blocks=nn.Sequential(*(Block(channels) for _ in range(depth)))))


class LocalBlock(nn.Module):
    """Refines flow and mask on a picture ``scale`` times smaller, as a block of RIFE does."""

    def __init__(self, width: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.conv0 = nn.Sequential(conv(17, width // 2, 2), conv(width // 2, width, 2))
        self.convblock = nn.Sequential(*(conv(width, width) for _ in range(8)))
        self.lastconv = nn.ConvTranspose2d(width, 5, 4, 2, 1)

    def forward(self, images: Sequence[Tensor], flow: Tensor) -> tuple[Tensor, Tensor]:
        """Updates to the flow [B,4,H,W], in pixels, and to the mask [B,1,H,W]; ``images`` have batch B or 1."""
        small = [resize(image, 1 / self.scale) for image in images]
        x = side_by_side((*small, resize(flow, 1 / self.scale) / self.scale))
        x = self.conv0(x.to(self.lastconv.weight.dtype))
        out = resize(self.lastconv(self.convblock(x) + x).float(), 2 * self.scale)
        return out[:, :4] * (2 * self.scale), out[:, 4:]


# --- the network --------------------------------------------------------------------------------------------------------------


class MambaFeature(nn.Module):
    """Features of both frames: convolutions of each down to 1/4, then blocks of both."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.width
        self.block0 = stage(3, width)
        self.patch_embed1 = conv(width, 2 * width, 2)
        self.block1 = stage(2 * width, 2 * width)
        self.patch_embed2 = conv(2 * width, 4 * width, 2)
        self.block2 = stage(4 * width, 4 * width)
        self.patch_embed3 = Embed(4 * width)
        self.block3 = blocks(8 * width, config.depths[0])
        self.patch_embed4 = Embed(8 * width)
        self.block4 = blocks(16 * width, config.depths[1])

    def encode(self, frame: Tensor) -> Features:
        """Features of one frame [B,3,H,W], and its cells at 1/8."""
        full = self.block0(frame)
        half = self.block1(self.patch_embed1(full))
        quarter = self.block2(self.patch_embed2(half))
        return Features((full, half, quarter), self.patch_embed3(cells(quarter)))

    def forward(self, before: Features, after: Features) -> Pair:
        """Appearance at all five levels; there is no motion apart from it."""
        eighth = self.block3(torch.cat((before.tokens, after.tokens)))
        sixteenth = self.block4(self.patch_embed4(eighth))
        levels = list(zip(before.levels, after.levels, strict=True))
        return Pair([*levels, halves(planes(eighth)), halves(planes(sixteenth))], [])


class MultiScaleFlow(Refined):
    """The network as published: parts, names, and frames in blue, green, red order."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.width
        self.feature_bone = MambaFeature(config)
        self.block = nn.ModuleList((Head(32 * width, 7, 4 * width, grain=4), Head(16 * width, 18, 4 * width, grain=2)))
        self.local_block = nn.ModuleList(LocalBlock(4 * width, scale) for scale in (2, 1))
        self.unet = UNet(17 + 2 * width, 2 * width)

    def estimate(self, frames: Sequence[Tensor], pair: Pair, t: Tensor) -> tuple[Tensor, Tensor]:
        """Flow [K,4,H,W] from the frames at t to both ``frames``, and the logit [K,1,H,W] of the first one's weight.

        ``t`` is [K,1,1,1] or, a time per pixel, [K,1,H,W].
        """
        t = t.expand(-1, -1, *frames[0].shape[-2:])
        flow, mask = self.block[0](pair.appearance[-1], (*frames, t), None)
        more_flow, more_mask = self.block[1](pair.appearance[-2], (*frames, *self._warped(frames, flow), mask, t), flow)
        return flow + more_flow, mask + more_mask

    def sharpen(self, frames: Sequence[Tensor], flow: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Flow and mask, refined by the local blocks."""
        for block in self.local_block:
            more_flow, more_mask = block((*frames, *self._warped(frames, flow), mask), flow)
            flow, mask = flow + more_flow, mask + more_mask
        return flow, mask

    @staticmethod
    def _warped(frames: Sequence[Tensor], flow: Tensor) -> tuple[Tensor, Tensor]:
        return warp_corners(frames[0], flow[:, :2]), warp_corners(frames[1], flow[:, 2:])


class Prepared(NamedTuple):
    """Data of a frame pair, independent of t.

    ``frames`` [B,3,H,W] float32 are blue, green and red; ``small`` are those at flow scale, ``related`` is the pair. ``dtype``
    is the type of the window.
    """

    frames: tuple[Tensor, Tensor]
    small: tuple[Tensor, Tensor]
    related: Related
    dtype: torch.dtype


class VfiMamba(nn.Module):
    """VFIMamba as an `Interpolator` that `Encodes` and `Moves`. Frames must suit ``spec.multiple``."""

    def __init__(self, config: Config, options: Options = Options()) -> None:  # noqa: B008
        super().__init__()
        self.spec = specify(config, options)
        self.scale = options.scale
        self.net = MultiScaleFlow(config)

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> Encoded:
        """Features of one frame [B,3,H,W], computed once per frame."""
        check_size(self.spec, rgb)
        frame = rgb.flip(1).float()
        dtype = next(self.parameters()).dtype
        features = scaled = self.net.feature_bone.encode(frame.to(dtype))
        if self.scale != 1:
            scaled = self.net.feature_bone.encode(resize(frame, self.scale).to(dtype))
        return Encoded(features, scaled)

    def prepare(self, features: Sequence[Encoded], frames: Sequence[Tensor]) -> Prepared:
        """Everything independent of t, from the `encode` output of both frames."""
        check_frames(self.spec, frames)
        before, after = (rgb.flip(1).float() for rgb in frames)
        small = resize(before, self.scale), resize(after, self.scale)
        pair = scaled = self.net.feature_bone(*(feature.features for feature in features))
        if self.scale != 1:
            scaled = self.net.feature_bone(*(feature.scaled for feature in features))
        # Flow only needs the two coarsest levels of the appearance.
        related = Related(pair.appearance, scaled._replace(appearance=scaled.appearance[-2:]))
        return Prepared((before, after), small, related, frames[0].dtype)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], or at a time per pixel [B,1,H,W], as `forward` returns them."""
        flow, mask = self._estimate(prepared, t)
        return self.net.render(prepared.frames, prepared.related.appearance, flow, mask).flip(1).to(prepared.dtype)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Flow, in pixels, and mask at ``t`` [B]."""
        flow, mask = self._estimate(prepared, t)
        return Motion(flow[:, :2], flow[:, 2:], torch.sigmoid(mask))

    def _estimate(self, prepared: Prepared, t: Tensor) -> tuple[Tensor, Tensor]:
        """Flow and mask at full size, of which all but the local blocks' share is estimated at flow scale."""
        before = prepared.frames[0]
        check_times(self.spec, t, len(before), before.shape[-2:])
        t = time_plane(t)
        if t.shape[-2:] != (1, 1):
            t = resize(t, self.scale)
        flow, mask = self.net.estimate(prepared.small, prepared.related.scaled, t)
        flow, mask = resize(flow, 1 / self.scale) / self.scale, resize(mask, 1 / self.scale)
        return self.net.sharpen(prepared.frames, flow, mask)


# --- from a state dict --------------------------------------------------------------------------------------------------------


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the VFIMamba in ``state``, or None if it is another network."""
    config = configure(state)
    return specify(config, Options()) if config else None


def build(state: Mapping[str, Tensor], options: Options = Options()) -> VfiMamba:  # noqa: B008
    """VFIMamba, in float32, with the weights in ``state``. Raises `InputError` for unsupported options or an incomplete
    ``state``."""
    config = configure(state)
    if config is None:
        raise InputError("the weights are not VFIMamba's: they lack feature_bone.block3.blocks or local_block")
    model = VfiMamba(config, options)
    load_weights(model.net, state, model.spec.name)
    return model.eval()


def configure(state: Mapping[str, Tensor]) -> Config | None:
    """The `Config` given by the shapes in ``state``; None if it is another network."""
    first = state.get("feature_bone.block0.conv.0.weight")
    if first is None or "local_block.0.conv0.0.0.weight" not in state:
        return None

    def depth(name: str) -> int:
        return sum(f"feature_bone.{name}.blocks.{index}.self_attention.A_logs" in state for index in range(len(state)))

    depths = depth("block3"), depth("block4")
    return Config(first.shape[0], depths) if all(depths) else None


def specify(config: Config, options: Options) -> Spec:
    """Spec of the network as built with ``options``. Raises `InputError` for unsupported options."""
    name = PUBLISHED.get(config, "vfimamba-custom")
    check_options(name, options, scales=SCALES)
    return Spec(
        name,
        time_map=True,
        multiple=max(32, round(16 / options.scale)),
        pad="edge:centre",
        tiles=False,  # scans and channel attention span the whole frame
        activations=44 * config.width,
        licence="Apache-2.0",
    )


# --- published weights --------------------------------------------------------------------------------------------------------


def _checkpoint(name: str, file: str, sha256: str, size: int, note: str) -> Checkpoint:
    return Checkpoint(
        name,
        (f"{file.lower()}.safetensors",),
        "Apache-2.0",
        sources=(
            HubFile("MCG-NJU/VFIMamba_ckpts", f"ckpt/{file}.pkl", sha256, "7c383874883191d240bcc9435590eecc573f1055", size),
        ),
        note=note,
        link="https://github.com/MCG-NJU/VFIMamba",
    )


CHECKPOINTS: tuple[Checkpoint, ...] = (
    _checkpoint(
        "vfimamba-s",
        "VFIMamba_S",
        "ddc1e07e5917f1bbd254ca77e077354cf822c9af6cacd1434136e86b9961acc7",
        67_298_181,
        "any t; slow on a CPU",
    ),
    _checkpoint(
        "vfimamba",
        "VFIMamba",
        "c1dac5b08f4c41e95452f7a41b35347409fc58b0e25b3ba8de899144ff28a350",
        264_414_373,
        "any t; very slow on a CPU; its authors measure it with --tta rot180",
    ),
)

SUITS: dict[str, str] = {
    "vfimamba-s": "large motion in filmed clips of 2K and 4K, by its authors' figures; slow on a CPU",
    "vfimamba": "large motion in filmed clips of 2K and 4K: better and slower than vfimamba-s",
}
