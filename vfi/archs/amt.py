"""AMT: all-pairs multi-field transforms.

Li, Zhu, Han, Hou, Guo and Cheng, "AMT: All-Pairs Multi-Field Transforms for Efficient Frame Interpolation", CVPR 2023. The
coarse-to-fine decoders of IFRNet, each but the last followed by a RAFT-style update, which corrects the flow by the
correlation at its targets. The last decoder predicts several flow fields, whose blends are averaged and refined.

Small, large and global are one network here; its layers follow the state dict. The weights are for non-commercial
use only. Owns the published parameter names. Knows nothing of padding, files or devices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Checkpoint, HubFile, InputError, Motion, Options, Spec
from ..ops.checks import check_frames, check_options, check_times, load_weights
from ..ops.correlation import AllPairs
from ..ops.warp import warp_corners
from .ifrnet import SCALES, VARIANTS, Decoder, Encoder, resize

LICENCE = "CC-BY-NC-SA-4.0"
"""Of the weights, as the card of the authors' repository states it."""

LEVELS, RADIUS = 4, 3
"""Levels and look-up radius of the correlation; shapes only show levels * (2 * radius + 1)**2."""

Shapes = Mapping[str, tuple[int, ...]]


# --- layers, shaped like their weights ----------------------------------------------------------------------------------------


def conv(shapes: Shapes, name: str, stride: int = 1) -> nn.Conv2d:
    outputs, inputs, kernel, _ = shapes[f"{name}.weight"]
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)


def head(shapes: Shapes, name: str) -> nn.Sequential:
    return nn.Sequential(conv(shapes, f"{name}.0"), nn.LeakyReLU(0.1), conv(shapes, f"{name}.2"))


class Residual(nn.Module):
    """Two convolutions, or a bottleneck of three, and a skip; instance-normalised. Halves the size if the skip does."""

    downsample: nn.Sequential | None

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        halves = f"{name}.downsample.0.weight" in shapes
        self.names = [part for part in ("conv1", "conv2", "conv3") if f"{name}.{part}.weight" in shapes]
        strided = "conv2" if len(self.names) == 3 else "conv1"
        for part in self.names:
            self.add_module(part, conv(shapes, f"{name}.{part}", 2 if halves and part == strided else 1))
        self.downsample = nn.Sequential(conv(shapes, f"{name}.downsample.0", 2)) if halves else None

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else F.instance_norm(self.downsample(x))
        for part in self.names:
            x = F.relu(F.instance_norm(self.get_submodule(part)(x)))
        return F.relu(skip + x)


class FeatureEncoder(nn.Module):
    """[B,3,H,W] -> [B,C,H/8,W/8]: features for the correlation."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self.conv1 = conv(shapes, f"{name}.conv1", 2)
        self.names = [part for part in ("layer1", "layer2", "layer3", "layer3_2") if f"{name}.{part}.0.conv1.weight" in shapes]
        for part in self.names:
            blocks = (Residual(shapes, f"{name}.{part}.{index}") for index in range(2))
            self.add_module(part, nn.Sequential(*blocks))
        self.conv2 = conv(shapes, f"{name}.conv2")

    def forward(self, rgb: Tensor) -> Tensor:
        x = F.relu(F.instance_norm(self.conv1(rgb)))
        for part in self.names:
            x = self.get_submodule(part)(x)
        return self.conv2(x)


class Update(nn.Module):
    """Updates to flow and features, from the correlation at the flow's targets (paper, section 3.2)."""

    convc2: nn.Conv2d | None

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self.convc1 = conv(shapes, f"{name}.convc1")
        self.convc2 = conv(shapes, f"{name}.convc2") if f"{name}.convc2.weight" in shapes else None
        self.convf1 = conv(shapes, f"{name}.convf1")
        self.convf2 = conv(shapes, f"{name}.convf2")
        self.conv = conv(shapes, f"{name}.conv")
        self.gru = head(shapes, f"{name}.gru")
        self.feat_head = head(shapes, f"{name}.feat_head")
        self.flow_head = head(shapes, f"{name}.flow_head")

    def forward(self, flow: Tensor, features: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
        """Updates to ``flow`` [B,4,H,W], in pixels of this size, and ``features`` [B,C,H,W]; ``found``, the correlation, is
        [B,K,H,W]."""
        flow = flow.to(found.dtype)
        found = F.leaky_relu(self.convc1(found), 0.1)
        if self.convc2 is not None:
            found = F.leaky_relu(self.convc2(found), 0.1)
        moved = F.leaky_relu(self.convf2(F.leaky_relu(self.convf1(flow), 0.1)), 0.1)
        joined = F.leaky_relu(self.conv(torch.cat((found, moved), dim=1)), 0.1)
        x = self.gru(torch.cat((joined, flow, features), dim=1))
        return self.flow_head(x).float(), self.feat_head(x)


# --- the network --------------------------------------------------------------------------------------------------------------


class Estimate(NamedTuple):
    """Estimate of the frame at t as F fields, float32.

    ``flow0``, ``flow1`` [B,F,2,H,W] point to the frames before and after, in pixels; ``mask`` [B,F,1,H,W] 0..1 is the weight
    of the frame before; ``residual`` [B,F,3,H,W] is added to the blend of both.
    """

    flow0: Tensor
    flow1: Tensor
    mask: Tensor
    residual: Tensor


class State(NamedTuple):
    """Output of a decoder: ``flow`` [B,4,H,W] float32, in pixels of this size, and ``features`` [B,C,H,W].

    The last decoder returns the flow of every field, [B,4*F,H,W]; its features are masks and residuals.
    """

    flow: Tensor
    features: Tensor


class Lookup:
    """Looks up the correlation of both frames at the targets of a flow."""

    def __init__(self, before: Tensor, after: Tensor) -> None:
        self.forward = AllPairs(before, after, levels=LEVELS, radius=RADIUS)
        self.backward = AllPairs(after, before, levels=LEVELS, radius=RADIUS)
        height, width = before.shape[-2:]
        rows, columns = (torch.arange(side, device=before.device) for side in (height, width))
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        self.places = torch.stack((x, y)).float()

    def __call__(self, flow: Tensor, t: Tensor) -> Tensor:
        """``flow`` is [B,4,H,W] at the features' size; its halves are scaled to flow between the frames, as in training."""
        flow0, flow1 = flow.chunk(2, dim=1)
        forward = self.forward(self.places + flow1 / t)
        return torch.cat((forward, self.backward(self.places + flow0 / (1 - t))), dim=1)


class Prepared(NamedTuple):
    """Data of a frame pair, independent of t: the ``frames`` [B,3,H,W] float32, their features at 1/2 to 1/16, fine to coarse,
    their correlation, and the type of the window."""

    frames: tuple[Tensor, Tensor]
    levels: list[tuple[Tensor, Tensor]]
    look: Lookup
    dtype: torch.dtype


class Amt(nn.Module):
    """AMT as an `Interpolator` that `Prepares` and `Moves`. Frames must suit ``spec.multiple`` and ``spec.min_size``.

    It has no per-frame features: its input is the frames minus the mean of both.
    """

    def __init__(self, shapes: Shapes, options: Options = Options()) -> None:  # noqa: B008
        super().__init__()
        self.spec = specify(shapes, options)
        self.scale = options.scale
        *finer, coarse = channels = tuple(shapes[f"encoder.pyramid{level}.0.0.weight"][0] for level in range(1, 5))
        side = shapes["decoder4.convblock.1.conv2.0.weight"][0]
        combine0, combine2 = conv(shapes, "comb_block.0"), conv(shapes, "comb_block.2")
        self.fields = combine0.in_channels // 3
        self.feat_encoder = FeatureEncoder(shapes, "feat_encoder")
        self.encoder = Encoder(channels, shapes["encoder.pyramid1.0.0.weight"][-1])
        self.decoder4 = Decoder(2 * coarse + 1, 2 * coarse, finer[2] + 4, side)
        self.decoder3 = Decoder(3 * finer[2] + 4, 3 * finer[2], finer[1] + 4, side)
        self.decoder2 = Decoder(3 * finer[1] + 4, 3 * finer[1], finer[0] + 4, side)
        self.decoder1 = Decoder(3 * finer[0] + 4, 3 * finer[0], self.fields * 8, side)
        for name in ("update4", "update3", "update3_low", "update3_high", "update2", "update2_low", "update2_high"):
            if f"{name}.conv.weight" in shapes:
                self.add_module(name, Update(shapes, name))
        self.comb_block = nn.Sequential(combine0, nn.PReLU(combine0.out_channels), combine2)

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        return self.at(self.prepare((), window.unbind(1)), t)

    def prepare(self, features: Sequence[None], frames: Sequence[Tensor]) -> Prepared:
        """Everything independent of t. ``features`` is unused."""
        check_frames(self.spec, frames)
        dtype = next(self.parameters()).dtype
        window = torch.stack(tuple(frames), dim=1).float()
        seen = window - window.mean(dim=(1, 2, 3, 4), keepdim=True)
        small = [resize(rgb, self.scale).to(dtype) for rgb in seen.unbind(1)]
        levels = list(zip(*(self.encoder(rgb) for rgb in small), strict=True))
        before, after = window.unbind(1)
        return Prepared((before, after), levels, Lookup(*(self.feat_encoder(rgb) for rgb in small)), frames[0].dtype)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], as `forward` returns them."""
        made = self.estimate(prepared, t)
        before, after = prepared.frames
        fields = torch.stack(
            [
                mask * warp_corners(before, flow0) + (1 - mask) * warp_corners(after, flow1) + residual
                for flow0, flow1, mask, residual in zip(*(part.unbind(1) for part in made), strict=True)
            ],
            dim=1,
        )
        refined = self.comb_block(fields.flatten(1, 2).to(next(self.parameters()).dtype)).float()
        return (fields.mean(dim=1) + refined).clamp(0, 1).to(prepared.dtype)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Flow, in pixels, and mask at ``t`` [B], averaged over all fields."""
        made = self.estimate(prepared, t)
        return Motion(made.flow0.mean(dim=1), made.flow1.mean(dim=1), made.mask.mean(dim=1))

    def estimate(self, prepared: Prepared, t: Tensor) -> Estimate:
        """Flow, masks and residuals of the frame at ``t`` [B]."""
        check_times(self.spec, t, len(prepared.frames[0]))
        dtype = next(self.parameters()).dtype
        t = t.float().reshape(-1, 1, 1, 1)
        *finer, (before, after) = prepared.levels
        out = self.decoder4(before, after, t.to(dtype).expand(-1, 1, *before.shape[-2:]))
        state = State(out[:, :4].float(), out[:, 4:])
        steps = ((4, self.decoder3, 1), (3, self.decoder2, 1), (2, self.decoder1, self.fields))
        for (level, decode, fields), (before, after) in zip(steps, reversed(finer), strict=True):
            flow, features = self.update(level, state, prepared.look, t)
            warped = warp_corners(before, flow[:, :2]), warp_corners(after, flow[:, 2:])
            out = decode(features, *warped, flow.to(dtype))
            lacking = out[:, : 4 * fields].float().unflatten(1, (2, fields, 2))
            flow = 2 * resize(flow, 2).unflatten(1, (2, 1, 2)) + lacking
            state = State(flow.flatten(1, 3), out[:, 4 * fields :])
        flow = resize(state.flow, 1 / self.scale) / self.scale
        flow0, flow1 = flow.unflatten(1, (2, self.fields, 2)).unbind(1)
        mask, residual = state.features.float().split((self.fields, 3 * self.fields), dim=1)
        mask, residual = resize(torch.sigmoid(mask), 1 / self.scale), resize(residual, 1 / self.scale)
        return Estimate(flow0, flow1, mask[:, :, None], residual.unflatten(1, (self.fields, 3)))

    def update(self, level: int, state: State, look: Lookup, t: Tensor) -> State:
        """Correct ``state`` by the correlation at its flow's targets: at 1/8 and, if the network is global, at its own size."""
        factor = 2 ** (4 - level)
        low = getattr(self, f"update{level}", None) or getattr(self, f"update{level}_low")
        high = getattr(self, f"update{level}_high", None)
        small = resize(state.flow, 1 / factor) / factor
        found = look(small, t)
        flow, features = low(small, resize(state.features, 1 / factor), found)
        state = State(state.flow + factor * resize(flow, factor), state.features + resize(features, factor))
        if high is None:
            return state
        flow, features = high(state.flow, state.features, resize(found, factor))
        return State(state.flow + flow, state.features + features)


# --- from a state dict --------------------------------------------------------------------------------------------------------


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the AMT in ``state``, or None if it is another network."""
    marks = ("feat_encoder.conv1.weight", "comb_block.0.weight", "update4.convc1.weight", "encoder.pyramid1.0.0.weight")
    if not all(mark in state for mark in marks):
        return None
    return specify(shapes_of(state), Options())


def build(state: Mapping[str, Tensor], options: Options = Options()) -> Amt:  # noqa: B008
    """AMT with the weights in ``state``; ``options.variant`` "gopro" means that they were trained for any t.

    Raises `InputError` for unsupported options or an incomplete ``state``.
    """
    shapes = shapes_of(state)
    name = specify(shapes, options).name
    try:
        net = Amt(shapes, options)
    except KeyError as missing:
        raise InputError(f"the weights look like {name}, but {missing} is missing") from missing
    load_weights(net, state, name)
    return net.eval()


def shapes_of(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in state.items()}


def specify(shapes: Shapes, options: Options) -> Spec:
    """Spec of the network as built with ``options``. Raises `InputError` for unsupported options.

    The coarsest correlation is at 1/64 of the frame's size and needs at least two pixels per side.
    """
    size = "g" if "update3_low.convc1.weight" in shapes else "l" if "update4.convc2.weight" in shapes else "s"
    check_options(f"amt-{size}", options, scales=SCALES, variants=VARIANTS)
    any_t = options.variant == "gopro"
    shrink = min(options.scale, 1)
    return Spec(
        f"amt-{size}-gopro" if any_t else f"amt-{size}",
        any_t=any_t,
        multiple=round(16 / shrink),
        pad="edge:centre",
        min_size=round(128 / shrink),
        tiles=False,
        activations=300 + 7 * shapes["encoder.pyramid1.0.0.weight"][0],
        licence=LICENCE,
    )


# --- published weights --------------------------------------------------------------------------------------------------------


HUB = "lalala125/AMT"
"""The authors' repository, whose card states the licence."""


def _checkpoint(name: str, file: str, variant: str, size: int | None = None, sha256: str | None = None) -> Checkpoint:
    return Checkpoint(
        name,
        (f"{file}.safetensors",),
        LICENCE,
        commercial=False,
        size=size,
        sources=(HubFile(HUB, f"{file}.pth", sha256, "31d0420ef7788f6dc22aad3445148705007141bb", size),),
        variant=variant,
        note="any t" if variant == "gopro" else "only t = 1/2",
        link=f"https://huggingface.co/{HUB}",
    )


CHECKPOINTS: tuple[Checkpoint, ...] = (
    _checkpoint("amt-s", "amt-s", "vimeo", 12_038_359, "07e7e03405c213fe4405678db9b42d05671e48c56faf6a441b99bb0047d3cf77"),
    _checkpoint("amt-l", "amt-l", "vimeo", 51_816_419, "985a3569f6e9e27d1a45a96ed02518cff9cf5cbee49c88193a84afbd8cf264f3"),
    _checkpoint("amt-g", "amt-g", "vimeo", 122_649_595, "a39af8744e8e6db16ebd29cb3dd09596fae38f360d8bb024288b3fe468256d07"),
    _checkpoint("amt-s-gopro", "gopro_amt-s", "gopro"),
)

SUITS: dict[str, str] = {
    "amt-s": "the middle frame, quickly; motion of any length",
    "amt-l": "the middle frame; motion of any length; slower than amt-s",
    "amt-g": "the middle frame; motion of any length; the slowest AMT",
    "amt-s-gopro": "slow motion of filmed clips: any time between the frames",
}
