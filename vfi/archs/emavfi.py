"""EMA-VFI: motion and appearance from the same inter-frame attention.

Zhang, Zhu, Wang, Chen, Wu and Wang, "Extracting Motion and Appearance via Inter-Frame Attention for Efficient Video Frame
Interpolation", CVPR 2023. A pixel's attention to the other frame gives both its appearance and its motion; scaled by t, the
motion becomes flow from the frame at t. Convolutions run once per frame, attention once per pair, and only the flow heads
depend on t.

InterpAny-Clearer's network is the same and also sees a picture on the way to t, with its own time (Zhong et al., "Clearer
Frames, Anytime: Resolving Velocity Ambiguity in Video Frame Interpolation", ECCV 2024): it makes that half-way to t first.

Owns the published parameter names. Knows nothing of padding, files or devices.
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
from ..ops.times import time_plane
from ..ops.warp import warp_corners
from ..ops.windows import Windows

WINDOW = 7
"""Side, in cells, of the windows; attention is between the same windows of both frames."""

SCALES = (0.25, 0.5, 1.0)
"""Supported flow scales."""


@dataclass(frozen=True)
class Config:
    """``width``: channels at full size, doubled at each halving. ``depths``: attention blocks at 1/8 and at 1/16.
    ``reference``: the network also takes a picture on the way to t, with its own time."""

    width: int
    depths: tuple[int, int]
    reference: bool = False

    @property
    def versions(self) -> tuple[str, ...]:
        """Published versions with these shapes; all but the first support any t."""
        return PUBLISHED.get(self, ())


PUBLISHED: dict[Config, tuple[str, ...]] = {
    Config(32, (4, 4)): ("base", "base-t", "base-d"),
    Config(16, (2, 2)): ("small", "small-t"),
    Config(32, (4, 4), reference=True): ("base-dr",),
}


# --- layers -------------------------------------------------------------------------------------------------------------------


def stage(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions."""
    return nn.Sequential(OrderedDict(conv=nn.Sequential(*conv(inputs, outputs), *conv(outputs, outputs))))


def resize(image: Tensor, factor: float) -> Tensor:
    return image if factor == 1 else F.interpolate(image, scale_factor=factor, mode="bilinear", align_corners=False)


def cells(image: Tensor) -> Tensor:
    """[B,C,H,W] -> [B,H,W,C]."""
    return image.permute(0, 2, 3, 1)


def planes(tokens: Tensor) -> Tensor:
    """[B,H,W,C] -> [B,C,H,W]."""
    return tokens.permute(0, 3, 1, 2)


class InterFrameAttention(nn.Module):
    """Attention of each cell to the other frame: the matched appearance, and the offset to the match (paper, section 3)."""

    def __init__(self, channels: int, motion: int) -> None:
        super().__init__()
        self.heads = channels // 32
        self.q = nn.Linear(channels, channels)
        self.kv = nn.Linear(channels, 2 * channels)
        self.cor_embed = nn.Linear(2, motion)
        self.proj = nn.Linear(channels, channels)
        self.motion_proj = nn.Linear(motion, motion)

    def forward(self, x: Tensor, place: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """Windows [2B,N,49,C], one frame then the other, and positions [1,N,49,2] -> appearance like x, motion [2B,N,49,M]."""
        key, value = self.kv(x.roll(x.shape[0] // 2, dims=0)).chunk(2, dim=-1)
        here = self.cor_embed(place).expand(x.shape[0], -1, -1, -1)
        query, key, value, spot = (self._split(part) for part in (self.q(x), key, value, here))
        found = F.scaled_dot_product_attention(query, key, torch.cat((value, spot), dim=-1), bias)
        appearance, there = (part.transpose(2, 3).flatten(3) for part in found.split((value.shape[-1], spot.shape[-1]), dim=-1))
        return self.proj(appearance), self.motion_proj(there - here)

    def _split(self, x: Tensor) -> Tensor:
        """[B,N,L,C] -> [B,N,heads,L,C/heads]."""
        return x.unflatten(3, (self.heads, -1)).transpose(2, 3)


class Mlp(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = 4 * channels
        self.fc1 = nn.Linear(channels, hidden)
        self.dwconv = nn.Sequential(OrderedDict(dwconv=nn.Conv2d(hidden, hidden, 3, 1, 1, groups=hidden)))
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(cells(self.dwconv(planes(self.fc1(x))))))


class Block(nn.Module):
    """Attention between the windows of two frames, then a perceptron. The skip connection carries the normalised cells."""

    def __init__(self, channels: int, motion: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.attn = InterFrameAttention(channels, motion)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = Mlp(channels)

    def forward(self, x: Tensor, place: Tensor, windows: Windows) -> tuple[Tensor, Tensor]:
        """[2B,H,W,C] and [1,H,W,2] -> [2B,H,W,C], motion [2B,H,W,M]."""
        x = self.norm1(windows.split(x))
        appearance, motion = self.attn(x, windows.split(place), windows.bias(x.dtype))
        x = windows.join(x + appearance)
        return x + self.mlp(self.norm2(x)), windows.join(motion)


class CrossScaleEmbed(nn.Module):
    """Cells at 1/8 of the frame's size from the three finer levels, with one, two and four dilations: more for finer ones."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, width, 3, 2 * reach, 1 + step, 1 + step)
            for inputs, reach in ((4 * width, 1), (2 * width, 2), (width, 4))
            for step in range(reach)
        )
        self.proj = nn.Conv2d(7 * width, 8 * width, 1)
        self.norm = nn.LayerNorm(8 * width)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """[B,F,H,W], [B,2F,H/2,W/2] and [B,4F,H/4,W/4] -> [B,H/8,W/8,8F]."""
        full, half, quarter = levels
        seen = (quarter, half, half, full, full, full, full)
        x = torch.cat([layer(level) for layer, level in zip(self.layers, seen, strict=True)], dim=1)
        return self.norm(cells(self.proj(x)))


class Embed(nn.Module):
    """Halves the size and doubles the channels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inputs, 2 * inputs, 3, 2, 1)
        self.norm = nn.LayerNorm(2 * inputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(cells(self.proj(x)))


# --- the network --------------------------------------------------------------------------------------------------------------


class Features(NamedTuple):
    """Per-frame features: ``levels`` [B,F,H,W], [B,2F,H/2,W/2], [B,4F,H/4,W/4] and ``tokens`` [B,H/8,W/8,8F]."""

    levels: tuple[Tensor, Tensor, Tensor]
    tokens: Tensor


class Pair(NamedTuple):
    """Features of a pair, independent of t: ``appearance`` of each frame at 1, 1/2, ... 1/16 and ``motion`` at 1/8 and 1/16,
    [B,C,H,W]."""

    appearance: list[tuple[Tensor, Tensor]]
    motion: list[tuple[Tensor, Tensor]]


class MotionFormer(nn.Module):
    """Features of both frames and of the motion between them."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.width
        self.block1 = stage(3 + 4 * config.reference, width)
        self.patch_embed2 = conv(width, 2 * width, 2)
        self.block2 = stage(2 * width, 2 * width)
        self.patch_embed3 = conv(2 * width, 4 * width, 2)
        self.block3 = stage(4 * width, 4 * width)
        self.patch_embed4 = CrossScaleEmbed(width)
        self.block4 = self._blocks(8 * width, config.depths[0])
        self.norm4 = nn.LayerNorm(8 * width, eps=1e-6)
        self.patch_embed5 = Embed(8 * width)
        self.block5 = self._blocks(16 * width, config.depths[1])
        self.norm5 = nn.LayerNorm(16 * width, eps=1e-6)

    @staticmethod
    def _blocks(channels: int, depth: int) -> nn.ModuleList:
        return nn.ModuleList(Block(channels, channels // depth) for _ in range(depth))

    def encode(self, frame: Tensor) -> Features:
        """Features of a frame [B,3,H,W]; if the network takes a reference, of frame, reference and its time [B,7,H,W]."""
        full = self.block1(frame)
        half = self.block2(self.patch_embed2(full))
        quarter = self.block3(self.patch_embed3(half))
        return Features((full, half, quarter), self.patch_embed4((full, half, quarter)))

    def forward(self, before: Features, after: Features) -> Pair:
        eighth, motion8 = self._relate(torch.cat((before.tokens, after.tokens)), self.block4, self.norm4)
        sixteenth, motion16 = self._relate(self.patch_embed5(eighth), self.block5, self.norm5)
        levels = list(zip(before.levels, after.levels, strict=True))
        return Pair([*levels, halves(eighth), halves(sixteenth)], [halves(motion8), halves(motion16)])

    @staticmethod
    def _relate(x: Tensor, blocks: nn.ModuleList, norm: nn.Module) -> tuple[Tensor, Tensor]:
        """[2B,H,W,C] -> appearance [2B,C,H,W], motion [2B,M,H,W]."""
        height, width = x.shape[1:3]
        row, column = (torch.linspace(-1, 1, size, device=x.device, dtype=x.dtype) for size in (height, width))
        place = torch.stack(torch.meshgrid(row, column, indexing="ij")[::-1], dim=-1)[None]
        windows = [Windows(height, width, (WINDOW, WINDOW), shifted=odd, device=x.device) for odd in (False, True)]
        motions = []
        for index, block in enumerate(blocks):
            x, motion = block(x, place, windows[index % 2])
            motions.append(motion)
        return planes(norm(x)), planes(torch.cat(motions, dim=-1))


def halves(both: Tensor) -> tuple[Tensor, Tensor]:
    """[2B,...] -> two of [B,...]."""
    first, second = both.chunk(2)
    return first, second


class Head(nn.Module):
    """Predicts flow and mask at one level, ``grain`` times smaller than the frame."""

    def __init__(self, features: int, images: int, hidden: int, grain: int) -> None:
        super().__init__()
        self.grain = grain
        self.upsample = nn.Sequential(nn.PixelShuffle(2), nn.PixelShuffle(2))
        self.conv = nn.Sequential(conv(features // 16 + images, hidden), conv(hidden, hidden), conv(hidden, 5))

    def forward(self, features: Sequence[Tensor], images: Sequence[Tensor], flow: Tensor | None) -> tuple[Tensor, Tensor]:
        """Updates to the flow [B,4,H,W], in pixels, and to the mask [B,1,H,W], from parts of batch B or 1."""
        small = [resize(image, 1 / self.grain) for image in images]
        if flow is not None:
            small.append(resize(flow, 1 / self.grain) / self.grain)
        x = side_by_side((self.upsample(side_by_side(features)), *small))
        out = resize(self.conv(x.to(next(self.parameters()).dtype)).float(), self.grain)
        return out[:, :4] * self.grain, out[:, 4:]


class Refined(nn.Module):
    """A network that refines the blend of two warped frames with the warped ``appearance`` of both (see `Pair`)."""

    unet: UNet

    def render(
        self, frames: Sequence[Tensor], appearance: Sequence[tuple[Tensor, Tensor]], flow: Tensor, mask: Tensor
    ) -> Tensor:
        """The refined frame [K,3,H,W], 0..1, from flow and mask."""
        merged, seen = self.blend(frames, flow, mask)
        context = []
        for levels in appearance:
            context.append(torch.cat([warp_corners(*each) for each in zip(levels, flow.split(2, dim=1), strict=True)], dim=1))
            flow = resize(flow, 0.5) / 2
        full, *smaller = context
        return (merged + self.unet(torch.cat((seen, full), dim=1), smaller)).clamp(0, 1)

    @staticmethod
    def blend(frames: Sequence[Tensor], flow: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The two warped frames blended by the mask, [K,3,H,W]; and all inputs of the blend, [K,17,H,W]."""
        before, after = frames
        warped0, warped1 = warp_corners(before, flow[:, :2]), warp_corners(after, flow[:, 2:])
        weight = torch.sigmoid(mask)
        return warped0 * weight + warped1 * (1 - weight), side_by_side((before, after, warped0, warped1, mask, flow))


class MultiScaleFlow(Refined):
    """The network as published: parts, names, and frames in blue, green, red order."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.width
        self.feature_bone = MotionFormer(config)
        self.block = nn.ModuleList((Head(64 * width, 6, 4 * width, grain=4), Head(32 * width, 17, 4 * width, grain=2)))
        self.unet = UNet(17 + 2 * width, 2 * width)

    def estimate(self, frames: Sequence[Tensor], pair: Pair, t: Tensor) -> tuple[Tensor, Tensor]:
        """Flow [K,4,H,W] from the frames at ``t`` to both ``frames``, and the logit [K,1,H,W] of the first one's weight.

        ``t`` is [K], or a time per pixel [K,1,H,W].
        """
        before, after = frames
        t = time_plane(t)
        first, second = (self._timed(pair, level, t) for level in (-1, -2))
        flow, mask = self.block[0](first, frames, None)
        warped = warp_corners(before, flow[:, :2]), warp_corners(after, flow[:, 2:])
        more_flow, more_mask = self.block[1](second, (*frames, *warped, mask), flow)
        return flow + more_flow, mask + more_mask

    @staticmethod
    def _timed(pair: Pair, level: int, t: Tensor) -> tuple[Tensor, ...]:
        """The features of a level: motion of both frames, scaled by ``t``, and their appearance."""
        (there, back), appearance = pair.motion[level], pair.appearance[level]
        if t.shape[-2:] != (1, 1):
            t = F.interpolate(t, size=there.shape[-2:], mode="bilinear", align_corners=False)
        return t * there, (1 - t) * back, *appearance


class Encoded(NamedTuple):
    """Features of one frame at full size, and of the frame at flow scale."""

    features: Features
    scaled: Features


class Related(NamedTuple):
    """A pair at full size, of which only the ``appearance`` is used (see `Pair`), and at flow scale."""

    appearance: list[tuple[Tensor, Tensor]]
    scaled: Pair


class Prepared(NamedTuple):
    """Data of a frame pair, independent of t.

    ``frames`` [B,3,H,W] float32 are blue, green and red; ``small`` are those at flow scale. ``related`` is the pair; if the
    network takes a reference, the pair seen with the frame before. ``dtype`` is the type of the window.
    """

    frames: tuple[Tensor, Tensor]
    small: tuple[Tensor, Tensor]
    related: Related
    dtype: torch.dtype


class EmaVfi(nn.Module):
    """EMA-VFI as an `Interpolator` that `Encodes` and `Moves`. Frames must suit ``spec.multiple``."""

    def __init__(self, config: Config, options: Options = Options()) -> None:  # noqa: B008
        super().__init__()
        self.spec = specify(config, options)
        self.scale = options.scale
        self.reference = config.reference
        self.net = MultiScaleFlow(config)

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> Encoded | None:
        """Features of one frame [B,3,H,W], computed once per frame; None if they depend on a reference."""
        check_size(self.spec, rgb)
        return None if self.reference else self._encoded(rgb.flip(1).float())

    def prepare(self, features: Sequence[Encoded | None], frames: Sequence[Tensor]) -> Prepared:
        """Everything independent of t, from the `encode` output of both frames."""
        check_frames(self.spec, frames)
        before, after = (rgb.flip(1).float() for rgb in frames)
        small = resize(before, self.scale), resize(after, self.scale)
        if self.reference:
            related = self._referred((before, after), before, before.new_zeros(1, 1, 1, 1))
        else:
            related = self._related([feature for feature in features if feature is not None])
        return Prepared((before, after), small, related, frames[0].dtype)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], or at a time per pixel [B,1,H,W], as `forward` returns them."""
        related, flow, mask = self._estimate(prepared, t)
        return self.net.render(prepared.frames, related.appearance, flow, mask).flip(1).to(prepared.dtype)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Flow, in pixels, and mask at ``t`` [B]."""
        _, flow, mask = self._estimate(prepared, t)
        return Motion(flow[:, :2], flow[:, 2:], torch.sigmoid(mask))

    def _encoded(self, frame: Tensor) -> Encoded:
        dtype = next(self.parameters()).dtype
        features = self.net.feature_bone.encode(frame.to(dtype))
        if self.scale == 1:
            return Encoded(features, features)
        return Encoded(features, self.net.feature_bone.encode(resize(frame, self.scale).to(dtype)))

    def _related(self, features: Sequence[Encoded]) -> Related:
        pair = scaled = self.net.feature_bone(*(feature.features for feature in features))
        if self.scale != 1:
            scaled = self.net.feature_bone(*(feature.scaled for feature in features))
        # Flow only needs the two coarsest levels of the appearance.
        return Related(pair.appearance, scaled._replace(appearance=scaled.appearance[-2:]))

    def _referred(self, frames: Sequence[Tensor], reference: Tensor, t: Tensor) -> Related:
        """The pair, seen with a ``reference`` [K,3,H,W] and its time ``t`` [K,1,1,1] or [K,1,H,W]."""
        size = reference.shape[-2:]
        times = [time.expand(-1, -1, *size) for time in (t, 1 - t)]
        seen = (side_by_side((rgb, reference, time)) for rgb, time in zip(frames, times, strict=True))
        return self._related([self._encoded(planes) for planes in seen])

    def _estimate(self, prepared: Prepared, t: Tensor) -> tuple[Related, Tensor, Tensor]:
        """The pair as it is seen last, and its flow and mask at full size."""
        before = prepared.frames[0]
        check_times(self.spec, t, len(before), before.shape[-2:])
        t = time_plane(t)
        related = prepared.related
        if self.reference:
            way = self.net.render(prepared.frames, related.appearance, *self._flow(prepared, related, t / 2))
            related = self._referred(prepared.frames, way, t / 2)
        return related, *self._flow(prepared, related, t)

    def _flow(self, prepared: Prepared, related: Related, t: Tensor) -> tuple[Tensor, Tensor]:
        """Flow and mask at full size, estimated at flow scale."""
        flow, mask = self.net.estimate(prepared.small, related.scaled, t)
        return resize(flow, 1 / self.scale) / self.scale, resize(mask, 1 / self.scale)


# --- from a state dict --------------------------------------------------------------------------------------------------------


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the EMA-VFI in ``state``, or None if it is another network."""
    config = configure(canonical(state))
    return specify(config, Options()) if config else None


def build(state: Mapping[str, Tensor], options: Options = Options()) -> EmaVfi:  # noqa: B008
    """EMA-VFI, in float32, with the weights in ``state``.

    ``options.variant``: "base-t", "small-t" or "base-d" for weights that were trained for any t; nothing in the file
    distinguishes them from those for t = 1/2. Raises `InputError` for unsupported options or an incomplete ``state``.
    """
    state = canonical(state)
    config = configure(state)
    if config is None:
        raise InputError("the weights are not EMA-VFI's: they lack feature_bone.block4.0.attn.cor_embed")
    model = EmaVfi(config, options)
    load_weights(model.net, state, model.spec.name)
    return model.eval()


def canonical(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``state`` without the attention masks left over from training."""
    return {key: value for key, value in state.items() if not key.endswith((".attn_mask", ".HW"))}


def configure(state: Mapping[str, Tensor]) -> Config | None:
    """The `Config` given by the shapes in ``state``; None if it is another network. Related networks with more parts are
    not supported."""
    first, head = state.get("feature_bone.block1.conv.0.weight"), state.get("block.0.conv.0.0.weight")
    if first is None or head is None or "feature_bone.block4.0.attn.cor_embed.weight" not in state:
        return None
    if any(not key.startswith(("feature_bone.", "block.", "unet.")) for key in state):
        return None

    def depth(name: str) -> int:
        return sum(f"feature_bone.{name}.{index}.norm1.weight" in state for index in range(len(state)))

    return Config(first.shape[0], (depth("block4"), depth("block5")), reference=first.shape[1] == 7)


def specify(config: Config, options: Options) -> Spec:
    """Spec of the network as built with ``options``. Raises `InputError` for unsupported options."""
    name = "ema-vfi-" + ("/".join(config.versions) or "custom")
    check_options(name, options, scales=SCALES, variants=config.versions)
    if options.variant is not None:
        name = f"ema-vfi-{options.variant}"
    any_t = config.reference or (options.variant or "").endswith(("-t", "-d"))
    return Spec(
        name,
        any_t=any_t,
        time_map=any_t,
        multiple=max(32, round(16 / options.scale)),
        activations=(43 if config.reference else 36) * config.width,
        licence="MIT" if config.reference or options.variant == "base-d" else "Apache-2.0",
    )


# --- published weights --------------------------------------------------------------------------------------------------------


def _checkpoint(variant: str, file: str, use: str) -> Checkpoint:
    return Checkpoint(
        f"ema-vfi-{variant}",
        (f"ema_vfi_{file}.safetensors", f"{file}.safetensors"),
        "Apache-2.0",
        sources=(
            HubFile("WAS/EMA-VFI", f"{file}.safetensors"),
            HubFile("WAS/was-node-suite-weights", f"EMA-VFI/{file}.safetensors"),
        ),
        variant=variant,
        note=f"{use}; {file}.pkl of the authors' Google Drive folder, as safetensors",
        link="https://huggingface.co/WAS/EMA-VFI",
        published=(f"{file}.pkl",),
    )


def _interpany(name: str, folder: str, use: str, variant: str) -> Checkpoint:
    return Checkpoint(
        name,
        (f"{name.replace('-', '_')}.safetensors",),
        "MIT",
        variant=variant,
        note=f"any t, {use}; ema-vfi.pkl of {folder}: "
        f"https://drive.google.com/drive/folders/11MY60fpDk5oAlGasQRZ3ss3xVdrOBIiE; "
        f"store it with `vfi models import FILE --as {name}`",
        link="https://github.com/zzh-tech/InterpAny-Clearer",
        published=(f"{folder}.zip",),
    )


CHECKPOINTS: tuple[Checkpoint, ...] = (
    _checkpoint("base", "ours", "only t = 1/2"),
    _checkpoint("small", "ours_small", "only t = 1/2"),
    _checkpoint("base-t", "ours_t", "any t"),
    _checkpoint("small-t", "ours_small_t", "any t"),
    _interpany("ema-vfi-base-d", "D-EMA-VFI", "a distance per pixel for a time", "base-d"),
    _interpany("ema-vfi-base-dr", "DR-EMA-VFI", "by way of a picture half-way to t", "base-dr"),
)

SUITS: dict[str, str] = {
    "ema-vfi-base": "the middle frame; detail in filmed clips; slow",
    "ema-vfi-small": "the middle frame, faster than ema-vfi-base",
    "ema-vfi-base-t": "slow motion of filmed clips: any time between the frames; slow",
    "ema-vfi-small-t": "slow motion, faster than ema-vfi-base-t",
    "ema-vfi-base-d": "slow motion of filmed clips, sharper by its authors' word; slow",
    "ema-vfi-base-dr": "slow motion of filmed clips; fences and blinds; very slow",
}
