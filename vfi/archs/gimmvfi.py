"""GIMM-VFI-R: motion as a function of place and time.

Guo, Li and Loy, "Generalizable Implicit Motion Modeling for Video Frame Interpolation", NeurIPS 2024. Flow between the frames
comes from RAFT: Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020. It is encoded,
splatted to t and refined into a latent per pixel. A small sine network (SIREN) maps latent, t, y and x to the
velocity of that pixel at t. The rest resembles AMT: two decoders, with two updates from all-pairs correlation
between them, predict several flow fields, whose blends are averaged and refined.

Features are computed once per frame, flow once per pair. The weights are for non-commercial use only. Owns the
published parameter names; the published files hold RAFT too, and one that lacks it is joined with RAFT's own. Knows
nothing of padding, files or devices.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Checkpoint, HubFile, InputError, Motion, Options, Spec
from ..ops.checks import check_frames, check_options, check_size, check_times, load_weights
from ..ops.constants import constant
from ..ops.correlation import AllPairs
from ..ops.splat import splat_linear
from ..ops.upsample import upsample_convex
from ..ops.warp import warp_corners
from .amt import Estimate, Update
from .ifrnet import ResBlock, conv, resize

SCALES = (0.25, 0.5, 1.0)
"""Scales at which everything but the frame itself is estimated."""

VARIANTS = ("r", "r-p")
"""Trained for low error, or for perceptual quality; shapes do not show which."""

ITERATIONS = 20
"""Number of RAFT iterations."""

LICENCE = "LicenseRef-S-Lab-1.0"

PIXELS = 2**18
"""Number of pixels that the coordinate network processes at a time."""

Both = tuple[Tensor, Tensor]
Shapes = Mapping[str, tuple[int, ...]]


# --- RAFT ---------------------------------------------------------------------------------------------------------------------


class Residual(nn.Module):
    """Two convolutions with normalisation, and a shortcut."""

    downsample: nn.Sequential | None

    def __init__(self, inputs: int, outputs: int, norm: type[nn.Module]) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.norm1 = norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.norm2 = norm(outputs)
        self.downsample = None
        if stride == 2:
            self.norm3 = norm(outputs)
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride), self.norm3)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Encoder(nn.Module):
    """[B,3,H,W], -1..1 -> features [B,256,H/8,W/8]; and intermediate ones [B,96,H/4,W/4] and [B,128,H/8,W/8]."""

    def __init__(self, norm: type[nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        self.norm1 = norm(64)
        self.layer1 = nn.Sequential(Residual(64, 64, norm), Residual(64, 64, norm))
        self.layer2 = nn.Sequential(Residual(64, 96, norm), Residual(96, 96, norm))
        self.layer3 = nn.Sequential(Residual(96, 128, norm), Residual(128, 128, norm))
        self.conv2 = nn.Conv2d(128, 256, 1)

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        quarter = self.layer2(self.layer1(F.relu(self.norm1(self.conv1(rgb)))))
        eighth = self.layer3(quarter)
        return self.conv2(eighth), quarter, eighth


class MotionEncoder(nn.Module):
    """Encodes the flow and the correlation at its target."""

    def __init__(self) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(4 * 9**2, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, 1, 1)
        self.convf1 = nn.Conv2d(2, 128, 7, 1, 3)
        self.convf2 = nn.Conv2d(128, 64, 3, 1, 1)
        self.conv = nn.Conv2d(256, 126, 3, 1, 1)

    def forward(self, flow: Tensor, found: Tensor) -> Tensor:
        found = F.relu(self.convc2(F.relu(self.convc1(found))))
        moved = F.relu(self.convf2(F.relu(self.convf1(flow))))
        return torch.cat((F.relu(self.conv(torch.cat((found, moved), dim=1))), flow), dim=1)


class Gru(nn.Module):
    """A separable convolutional GRU, along the rows and then along the columns."""

    def __init__(self) -> None:
        super().__init__()
        for number, kernel in ((1, (1, 5)), (2, (5, 1))):
            for gate in "zrq":
                self.add_module(f"conv{gate}{number}", nn.Conv2d(384, 128, kernel, padding="same"))

    def forward(self, hidden: Tensor, seen: Tensor) -> Tensor:
        for number in (1, 2):
            update, reset, fresh = (self.get_submodule(f"conv{gate}{number}") for gate in "zrq")
            both = torch.cat((hidden, seen), dim=1)
            keep = torch.sigmoid(update(both))
            past = torch.sigmoid(reset(both)) * hidden
            hidden = (1 - keep) * hidden + keep * torch.tanh(fresh(torch.cat((past, seen), dim=1)))
        return hidden


class UpdateBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = MotionEncoder()
        self.gru = Gru()
        first, second = nn.Conv2d(128, 256, 3, 1, 1), nn.Conv2d(256, 2, 3, 1, 1)
        self.flow_head = nn.Sequential(OrderedDict(conv1=first, relu=nn.ReLU(), conv2=second))
        self.mask = nn.Sequential(nn.Conv2d(128, 256, 3, 1, 1), nn.ReLU(), nn.Conv2d(256, 9 * 8**2, 1))


class Raft(nn.Module):
    """Flow from one frame to another."""

    def __init__(self) -> None:
        super().__init__()
        self.fnet = Encoder(nn.InstanceNorm2d)
        self.cnet = Encoder(nn.BatchNorm2d)
        self.update_block = UpdateBlock()

    def forward(self, before: Tensor, after: Tensor, context: Tensor, iterations: int) -> Tensor:
        """Features [B,256,h,w] of both frames and context [B,256,h,w] of the first -> flow [B,2,8h,8w], in pixels."""
        block = self.update_block
        look = AllPairs(before, after)
        hidden, seen = context.chunk(2, dim=1)
        hidden, seen = torch.tanh(hidden), F.relu(seen)
        flow = before.new_zeros((len(before), 2, *before.shape[2:]), dtype=torch.float32)
        here = places(flow)
        for _ in range(iterations):
            motion = block.encoder(flow.to(hidden.dtype), look(here + flow))
            hidden = block.gru(hidden, torch.cat((seen, motion), dim=1))
            flow = flow + block.flow_head(hidden).float()
        return upsample_convex(flow, block.mask(hidden).float() / 4, 8)


def places(like: Tensor) -> Tensor:
    """x and y of every pixel, [2,H,W] float32."""
    height, width = (torch.arange(size, device=like.device, dtype=torch.float32) for size in like.shape[-2:])
    return torch.stack(torch.meshgrid(height, width, indexing="ij")[::-1])


# --- motion as a function -----------------------------------------------------------------------------------------------------


class Lateral(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(plain(channels, channels), nn.LeakyReLU(0.1), plain(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def plain(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, 1, 1)


def mirrored(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, 1, 1, padding_mode="reflect")


class HypoNet(nn.Module):
    """Flow at a place and a time: a sine network of the coordinates (Sitzmann et al., "SIREN", NeurIPS 2020).

    A layer is one tensor [inputs + 1, outputs]: the weights, with normalised columns, and in the last row the bias.
    """

    def __init__(self) -> None:
        super().__init__()
        sizes = (35, 128, 128, 128, 128, 2)
        layers = {f"linear_wb{i}": nn.Parameter(torch.empty(sizes[i] + 1, sizes[i + 1])) for i in range(5)}
        self.params_dict = nn.ParameterDict(layers)

    def forward(self, latent: Tensor, t: Tensor) -> Tensor:
        """Latents [B,32,H,W] and t [B,1,1,1] -> flow [B,2,H,W], normalised to 0..1 by `Pair.extent`. Always float32."""
        height, width = latent.shape[2:]
        y, x = ((torch.arange(size, device=latent.device) + 0.5) * (2 / size) - 1 for size in (height, width))
        plane = torch.stack(torch.meshgrid(y, x, indexing="ij")).expand(len(latent), -1, -1, -1)
        coordinates = torch.cat((latent.float(), t.expand(-1, 1, height, width), plane), dim=1).movedim(1, 3)
        flat = coordinates.flatten(0, 2)
        out = torch.cat([self._at(some) for some in flat.split(PIXELS)])
        return out.unflatten(0, coordinates.shape[:3]).movedim(3, 1)

    def _at(self, x: Tensor) -> Tensor:
        for index, layer in enumerate(self.params_dict.values()):
            weight, bias = layer.float()[:-1], layer.float()[-1]
            x = (torch.sin(x) if index else x) @ F.normalize(weight, dim=0) + bias
        return x + 0.5


def reliability(flow: Tensor, back: Tensor, variance: Tensor, error: Tensor) -> Tensor:
    """Reliability [B,1,H,W] of flow [B,2,H,W]: lower where it varies, or where the backward flow is inconsistent.

    ``variance`` and ``error`` are learned factors (Niklaus, Hu and Chen, "Splatting-based Synthesis for Video Frame
    Interpolation", WACV 2023).
    """
    varies = (blur(flow**2) - blur(flow) ** 2).abs().clamp(min=1e-12).sqrt()
    astray = (flow + warp_corners(back, flow)).abs()
    parts = (factor.float() * part.mean(dim=1, keepdim=True) for factor, part in ((variance, varies), (error, astray)))
    return sum(1 / (1 + part) for part in parts)  # type: ignore[return-value]


def blur(planes: Tensor) -> Tensor:
    """3x3 binomial blur of [B,C,H,W]."""
    row = constant((0.25, 0.5, 0.25), planes.device, planes.dtype)
    kernel = (row[:, None] * row).expand(planes.shape[1], 1, -1, -1)
    return F.conv2d(F.pad(planes, (1, 1, 1, 1), mode="reflect"), kernel, groups=planes.shape[1])


# --- synthesis ----------------------------------------------------------------------------------------------------------------


class Decoder(nn.Module):
    """``upsample`` enlarges the features of one frame, ``convblock`` decodes the inputs at t; ``shapes`` gives the widths."""

    def __init__(self, shapes: Shapes, name: str, shuffles: int) -> None:
        super().__init__()
        doubled = shapes[f"{name}.upsample.{shuffles + 5}.weight"][0]
        self.upsample = nn.Sequential(
            *(nn.PixelShuffle(2) for _ in range(shuffles)),
            *(layer(shapes, f"{name}.upsample.{index}.0") for index in range(shuffles, shuffles + 5)),
            nn.Conv2d(doubled, doubled, 1),
            nn.BatchNorm2d(doubled),
            nn.ReLU(),
        )
        outputs, width, _, _ = shapes[f"{name}.convblock.4.weight"]
        side = shapes[f"{name}.convblock.1.conv2.0.weight"][0]
        blocks = (ResBlock(width, side) for _ in range(3))
        self.convblock = nn.Sequential(layer(shapes, f"{name}.convblock.0.0"), *blocks, plain(width, outputs))

    def forward(self, *parts: Tensor) -> Tensor:
        """Parts [B or 1,C,H,W], concatenated in the type of the weights -> [B,C',H,W]."""
        batch, dtype = max(part.shape[0] for part in parts), next(self.parameters()).dtype
        return self.convblock(torch.cat([part.to(dtype).expand(batch, -1, -1, -1) for part in parts], dim=1))


def layer(shapes: Shapes, name: str) -> nn.Sequential:
    outputs, inputs, kernel, _ = shapes[f"{name}.weight"]
    return conv(inputs, outputs, kernel)


class Seen(NamedTuple):
    """Per-frame inputs of synthesis, at flow scale.

    ``frame`` [B,3,H,W] and ``small`` [B,3,H/4,W/4] are float32, -1..1; ``coarse`` [B,128,H/4,W/4] and ``fine`` [B,64,H,W] are
    its features.
    """

    frame: Tensor
    small: Tensor
    coarse: Tensor
    fine: Tensor


class Features(NamedTuple):
    """Per-frame features: ``seen`` for synthesis, and features to compare it with another frame.

    ``matching`` and ``context``, for RAFT, and ``likeness``, for the correlation updates, are [B,256,H/8,W/8].
    """

    seen: Seen
    matching: Tensor
    context: Tensor
    likeness: Tensor


class Pair(NamedTuple):
    """Motion of a frame pair, independent of t.

    ``flow`` [B,2,H,W] points from each frame to the other, ``trust`` [B,1,H,W] is its reliability, ``extent`` [B,1,1,1]
    its largest component, and ``latent`` [B,16,H,W] its encoding. ``look`` looks up correlation in both directions.
    """

    flow: Both
    trust: Both
    extent: Tensor
    latent: Both
    look: tuple[AllPairs, AllPairs]


class Prepared(NamedTuple):
    """Data of a frame pair, independent of t: the ``frames`` [B,3,H,W] float32, -1..1, what is ``seen`` of each, their motion
    (``pair``), and the type of the window."""

    frames: Both
    seen: tuple[Seen, Seen]
    pair: Pair
    dtype: torch.dtype


class Network(nn.Module):
    """All parts, under their published names."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self.alpha_v = nn.Parameter(torch.ones(1))
        self.alpha_fe = nn.Parameter(torch.ones(1))
        self.flow_estimator = Raft()
        self.cnn_encoder = nn.Sequential(
            plain(2, 16),
            plain(16, 32),
            nn.LeakyReLU(0.1),
            Lateral(32),
            Lateral(32),
            Lateral(32),
            nn.LeakyReLU(0.1),
            mirrored(32, 16),
        )
        self.res_conv = nn.Sequential(
            plain(64, 32), plain(32, 64), nn.LeakyReLU(0.1), Lateral(64), nn.LeakyReLU(0.1), mirrored(64, 32)
        )
        self.hyponet = HypoNet()
        self.amt_last_cproj = nn.Conv2d(128, 256, 1)
        self.amt_second_last_cproj = nn.Conv2d(96, 128, 1)
        self.amt_fproj = nn.Conv2d(256, 256, 1)
        self.amt_init_decoder = Decoder(shapes, "amt_init_decoder", shuffles=1)
        self.amt_update4_low = Update(shapes, "amt_update4_low")
        self.amt_update4_high = Update(shapes, "amt_update4_high")
        self.amt_final_decoder = Decoder(shapes, "amt_final_decoder", shuffles=2)
        self.fields = shapes["amt_comb_block.0.weight"][1] // 3
        first, second = (nn.Conv2d(*counts, 7, 1, 3) for counts in ((3 * self.fields, 6 * self.fields), (6 * self.fields, 3)))
        self.amt_comb_block = nn.Sequential(first, nn.PReLU(6 * self.fields), second)

    def encode(self, frame: Tensor) -> Features:
        """Features of ``frame`` [B,3,H,W], -1..1."""
        rgb = frame.to(self.amt_fproj.weight.dtype)
        matching, _, _ = self.flow_estimator.fnet(rgb)
        context, quarter, eighth = self.flow_estimator.cnet(rgb)
        coarse = self.amt_init_decoder.upsample(self.amt_last_cproj(eighth))
        fine = self.amt_final_decoder.upsample(self.amt_second_last_cproj(quarter))
        return Features(Seen(frame, resize(frame, 0.25), coarse, fine), matching, context, self.amt_fproj(matching))

    def relate(self, before: Features, after: Features) -> Pair:
        """Everything between the two frames that is independent of t."""
        matching, context = torch.cat((before.matching, after.matching)), torch.cat((before.context, after.context))
        half = len(before.matching)
        forward, backward = self.flow_estimator(matching, matching.roll(half, dims=0), context, ITERATIONS).chunk(2)
        extent = torch.cat((forward, backward), dim=1).abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-6)
        velocity = torch.cat((forward / extent, -backward / extent))
        latent = self.cnn_encoder(((velocity + 1) / 2).to(self.amt_fproj.weight.dtype))
        trust = (
            reliability(forward, backward, self.alpha_v, self.alpha_fe),
            reliability(backward, forward, self.alpha_v, self.alpha_fe),
        )
        look = AllPairs(before.likeness, after.likeness), AllPairs(after.likeness, before.likeness)
        return Pair((forward, backward), trust, extent, latent.chunk(2), look)

    def velocity(self, pair: Pair, t: Tensor) -> Tensor:
        """Motion from one frame to the other of each pixel at t [K,1,1,1], [K,2,H,W]."""
        parts = zip(pair.latent, pair.flow, pair.trust, (t, 1 - t), strict=True)
        landed = [splat_linear(latent, step * flow, trust, empty="zero") for latent, flow, trust, step in parts]
        moved = torch.cat(landed, dim=1)
        known = torch.cat([latent.expand(len(t), -1, -1, -1) for latent in pair.latent], dim=1)
        latent = self.res_conv(torch.cat((known, moved), dim=1)) + moved
        return (2 * self.hyponet(latent, t) - 1) * pair.extent

    def estimate(self, before: Seen, after: Seen, pair: Pair, t: Tensor) -> Estimate:
        """Estimate of the frames at t [K], at flow scale; ``residual`` is for pictures of -1..1."""
        t = t.float().reshape(-1, 1, 1, 1)
        velocity = self.velocity(pair, t)
        flow = resize(torch.cat((-t * velocity, (1 - t) * velocity), dim=1), 0.25) / 4
        frames = before.small, after.small
        seen = warped((before.coarse, after.coarse), flow)
        out = self.amt_init_decoder(*seen, flow, *frames, *warped(frames, flow))
        flow, mask, features = flow + out[:, :4].float(), out[:, 4:5].float(), out[:, 5:]
        flow, features = self.update(flow, features, pair.look, t)
        flow, mask = 4 * resize(flow, 4), resize(mask, 4)
        frames = before.frame, after.frame
        seen = warped((before.fine, after.fine), flow)
        out = self.amt_final_decoder(resize(features, 4), *seen, flow, mask, *frames, *warped(frames, flow)).float()
        count = self.fields
        flow0, flow1, lacking, residual = out.split((2 * count, 2 * count, count, 3 * count), dim=1)
        flow0 = flow[:, None, :2] + flow0.unflatten(1, (count, 2))
        flow1 = flow[:, None, 2:] + flow1.unflatten(1, (count, 2))
        return Estimate(flow0, flow1, torch.sigmoid(mask + lacking)[:, :, None], residual.unflatten(1, (count, 3)))

    def update(self, flow: Tensor, features: Tensor, look: tuple[AllPairs, AllPairs], t: Tensor) -> tuple[Tensor, Tensor]:
        """Correct flow [K,4,H/4,W/4] and features by the correlation at the flow's targets, at 1/8, then at 1/4."""
        small = resize(flow, 0.5) / 2
        here = places(small)
        found = torch.cat((look[0](here + small[:, 2:] / (1 - t)), look[1](here + small[:, :2] / t)), dim=1)
        more_flow, more = self.amt_update4_low(small, resize(features, 0.5), found)
        flow, features = flow + 2 * resize(more_flow, 2), features + resize(more, 2)
        more_flow, more = self.amt_update4_high(flow, features, resize(found, 2))
        return flow + more_flow, features + more

    def render(self, frames: Both, made: Estimate) -> Tensor:
        """Render the frame [K,3,H,W] from the fields of ``made``, not clamped; frames and result are -1..1."""
        fields = torch.stack(
            [
                mask * warp_corners(frames[0], flow0) + (1 - mask) * warp_corners(frames[1], flow1) + residual
                for flow0, flow1, mask, residual in zip(*(part.unbind(1) for part in made), strict=True)
            ],
            dim=1,
        )
        refined = self.amt_comb_block(fields.flatten(1, 2).to(self.amt_fproj.weight.dtype)).float()
        return fields.mean(dim=1) + refined


def warped(images: Both, flow: Tensor) -> Both:
    """Images of both frames warped to t by flow [K,4,H,W]."""
    return warp_corners(images[0], flow[:, :2]), warp_corners(images[1], flow[:, 2:])


def enlarge(made: Estimate, factor: float) -> Estimate:
    """``made`` for frames ``factor`` times as large."""
    flow0, flow1, mask, residual = (resize(part.flatten(1, 2), factor).unflatten(1, part.shape[1:3]) for part in made)
    return Estimate(factor * flow0, factor * flow1, mask, residual)


class GimmVfi(nn.Module):
    """GIMM-VFI as an `Interpolator` that `Encodes` and `Moves`. Frames must suit ``spec.multiple`` and ``spec.min_size``."""

    def __init__(self, shapes: Shapes, options: Options = Options()) -> None:  # noqa: B008
        super().__init__()
        self.spec = specify(options)
        self.scale = options.scale
        self.net = Network(shapes)

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> Features:
        """Features of one frame [B,3,H,W], computed once per frame."""
        check_size(self.spec, rgb)
        return self.net.encode(resize(2 * rgb.float() - 1, self.scale))

    def prepare(self, features: Sequence[Features], frames: Sequence[Tensor]) -> Prepared:
        """Everything independent of t, from the `encode` output of both frames."""
        check_frames(self.spec, frames)
        frame0, frame1 = (2 * rgb.float() - 1 for rgb in frames)
        before, after = features
        return Prepared((frame0, frame1), (before.seen, after.seen), self.net.relate(before, after), frames[0].dtype)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], as `forward` returns them."""
        made = self.net.render(prepared.frames, self._estimate(prepared, t))
        return ((made + 1) / 2).clamp(0, 1).to(prepared.dtype)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Flow, in pixels, and mask at ``t`` [B], averaged over all fields."""
        made = self._estimate(prepared, t)
        return Motion(made.flow0.mean(dim=1), made.flow1.mean(dim=1), made.mask.mean(dim=1))

    def _estimate(self, prepared: Prepared, t: Tensor) -> Estimate:
        """Estimate of the frames at t, at full size."""
        check_times(self.spec, t, len(prepared.frames[0]))
        return enlarge(self.net.estimate(*prepared.seen, prepared.pair, t), 1 / self.scale)


# --- from a state dict --------------------------------------------------------------------------------------------------------


MARKS = ("hyponet.params_dict.linear_wb0", "amt_init_decoder.convblock.0.0.weight", "cnn_encoder.7.weight")
"""Names that every GIMM-VFI has."""


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the GIMM-VFI in ``state``, or None if it is another network."""
    named = canonical(state)
    return specify(Options()) if all(mark in named for mark in MARKS) and not _flowformer(named) else None


def lacking(state: Mapping[str, Tensor]) -> str | None:
    """Why ``state`` is not usable if it is GIMM-VFI-F, whose flow network is another; None otherwise."""
    return "GIMM-VFI-F, whose flow network is FlowFormer: only GIMM-VFI-R is known" if _flowformer(canonical(state)) else None


def _flowformer(named: Mapping[str, Tensor]) -> bool:
    """Whether flow comes from FlowFormer (Huang et al., ECCV 2022), by the two parts that only it has."""
    return any(key.startswith(("flow_estimator.memory_encoder.", "flow_estimator.memory_decoder.")) for key in named)


def build(state: Mapping[str, Tensor], options: Options = Options()) -> GimmVfi:  # noqa: B008
    """GIMM-VFI, including RAFT, in float32, with the weights in ``state``.

    ``options.variant``, "r" or "r-p", is only a name. Raises `InputError` for unsupported options or an incomplete ``state``.
    """
    state = canonical(state)
    name = specify(options).name
    if not any(key.startswith("flow_estimator.") for key in state):
        raise InputError(f"{name} needs RAFT, which these weights lack: convert raft-things.pth together with the other file")
    try:
        model = GimmVfi({key: tuple(value.shape) for key, value in state.items()}, options)
    except KeyError as missing:
        raise InputError(f"the weights look like {name}, but {missing} is missing") from missing
    load_weights(model.net, state, name)
    return model.eval()


def canonical(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``state`` under its published names, from one file or from two that were joined with their file names as prefixes.

    RAFT's batch normalisation has two names, of which files may hold only one. The constant blur kernel is left out.
    """
    named: dict[str, Tensor] = {}
    for key, value in state.items():
        file, _, rest = key.partition(".")
        if "raft" in file.lower():
            key = f"flow_estimator.{rest.removeprefix('module.')}"
        elif file.lower().startswith("gimm"):
            key = rest
        elif file in ("fnet", "cnet", "update_block"):
            key = f"flow_estimator.{key}"
        if key != "g_filter":
            named[key] = value
    for key, value in list(named.items()):
        if ".norm3." in key:
            named.setdefault(key.replace(".norm3.", ".downsample.1."), value)
        elif ".downsample.1." in key:
            named.setdefault(key.replace(".downsample.1.", ".norm3."), value)
    return named


def specify(options: Options) -> Spec:
    """Spec of the network as built with ``options``. Raises `InputError` for unsupported options."""
    name = f"gimm-vfi-{'/'.join(VARIANTS)}"
    check_options(name, options, scales=SCALES, variants=VARIANTS)
    if options.variant is not None:
        name = f"gimm-vfi-{options.variant}"
    return Spec(
        name,
        multiple=32,
        min_size=round(128 / options.scale),
        activations=round(2200 * options.scale**2) + 150,
        licence=LICENCE,
    )


# --- published weights --------------------------------------------------------------------------------------------------------

SUITS: dict[str, str] = {
    "gimm-vfi-r": "strong slow motion: many smooth frames between two; slow",
    "gimm-vfi-r-p": "as gimm-vfi-r, trained for sharp pictures instead of a low error",
}


def _checkpoint(variant: str, files: tuple[str, ...], *sources: HubFile) -> Checkpoint:
    return Checkpoint(
        f"gimm-vfi-{variant}",
        files,
        LICENCE,
        commercial=False,
        sources=sources,
        variant=variant,
        note="any t; the file holds RAFT, its flow network, too",
        link="https://github.com/GSeanCDAT/GIMM-VFI/blob/main/LICENSE.txt",
    )


CHECKPOINTS: tuple[Checkpoint, ...] = (
    _checkpoint(
        "r",
        ("gimmvfi_r_arb.safetensors",),
        HubFile(
            "GSean/GIMM-VFI",
            "gimmvfi_r_arb.pt",
            "1dff0ac3ca91483950eff814818115ff90cc3d16070089cc8cc3090eb3ee76f2",
        ),
    ),
    _checkpoint(
        "r-p",
        ("gimmvfi_r_arb_lpips.safetensors", "gimmvfi_r_arb_lpips_fp32.safetensors"),
        HubFile(
            "Kijai/GIMM-VFI_safetensors",
            "gimmvfi_r_arb_lpips_fp32.safetensors",
            "897b892e7ee481f2e5c09e59661b645abbd6c9aba9c0c01346bbe31aa569e277",
        ),
        HubFile("GSean/GIMM-VFI", "gimmvfi_r_arb_lpips.pt"),
    ),
)
