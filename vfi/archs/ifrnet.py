"""IFRNet: intermediate feature refine network.

Kong, Jiang, Luo, Chu, Huang, Tai, Wang and Yang, "IFRNet: Intermediate Feature Refine Network for Efficient Frame
Interpolation", CVPR 2022. From 1/16 of the frame's size up, one decoder per level jointly refines the features of the frame
at t and the flow from it to both neighbours. The last one also predicts the mask that blends the warped neighbours,
and a residual.

Small, base and large are one network here; its widths are read from the state dict. So is InterpAny-Clearer's, which gets to t
by way of a picture half-way there (Zhong et al., "Clearer Frames, Anytime: Resolving Velocity Ambiguity in Video Frame
Interpolation", ECCV 2024). Owns the published parameter names.
Knows nothing of padding, files or devices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import UNSTATED, Checkpoint, HubFile, InputError, Motion, Options, Spec
from ..ops.checks import check_frames, check_options, check_times, load_weights
from ..ops.times import time_plane
from ..ops.warp import warp_corners

SCALES = (0.25, 0.5, 1, 2, 4)
"""Supported flow scales."""

VARIANTS = ("vimeo", "gopro", "d")
"""Training of the weights, which shapes do not show. The default, Vimeo90K, only supports t = 1/2; "d" is InterpAny-Clearer's
with a distance per pixel for a time."""


@dataclass(frozen=True)
class Config:
    """``channels`` of the encoder at 1/2, 1/4, 1/8 and 1/16, ``side`` channels of a block, the encoder's first ``kernel``;
    ``reference``: the network also takes a picture on the way to t, with its own time."""

    channels: tuple[int, ...]
    side: int
    kernel: int
    reference: bool = False


PUBLISHED: dict[Config, str] = {
    Config((24, 36, 54, 72), 24, 3): "ifrnet-s",
    Config((32, 48, 72, 96), 32, 3): "ifrnet",
    Config((64, 96, 144, 192), 64, 7): "ifrnet-l",
    Config((32, 48, 72, 96), 32, 3, reference=True): "ifrnet-dr",
}


# --- layers -------------------------------------------------------------------------------------------------------------------


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.PReLU(outputs))


def resize(image: Tensor, factor: float) -> Tensor:
    if factor == 1:
        return image
    return F.interpolate(image, scale_factor=factor, mode="bilinear", align_corners=False)


class Encoder(nn.Module):
    """Features of frames [B,3,H,W] at 1/2, 1/4, 1/8 and 1/16 of their size, a pyramid from fine to coarse."""

    def __init__(self, channels: tuple[int, ...], kernel: int) -> None:
        super().__init__()
        for level, (inputs, outputs) in enumerate(zip((3, *channels), channels, strict=False), start=1):
            first = conv(inputs, outputs, kernel if level == 1 else 3, stride=2)
            self.add_module(f"pyramid{level}", nn.Sequential(first, conv(outputs, outputs)))

    def forward(self, rgb: Tensor) -> tuple[Tensor, ...]:
        levels: list[Tensor] = []
        for pyramid in self.children():
            levels.append(pyramid(levels[-1] if levels else rgb))
        return tuple(levels)


class ResBlock(nn.Module):
    """Three convolutions with a skip; after each of the first two, the last ``side`` channels pass through an extra one."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.split = (channels - side, side)
        self.conv1 = conv(channels, channels)
        self.conv2 = conv(side, side)
        self.conv3 = conv(channels, channels)
        self.conv4 = conv(side, side)
        self.conv5 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.prelu = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = x
        for whole, part in ((self.conv1, self.conv2), (self.conv3, self.conv4)):
            kept, aside = whole(out).split(self.split, dim=1)
            out = torch.cat((kept, part(aside)), dim=1)
        return self.prelu(x + self.conv5(out))


class Decoder(nn.Module):
    """[B,C,H,W] -> [B,C',2H,2W], from tensors in the type of the weights, which are concatenated."""

    def __init__(self, inputs: int, width: int, outputs: int, side: int) -> None:
        super().__init__()
        last = nn.ConvTranspose2d(width, outputs, 4, 2, 1)
        self.convblock = nn.Sequential(conv(inputs, width), ResBlock(width, side), last)

    def forward(self, *parts: Tensor) -> Tensor:
        batch = max(part.shape[0] for part in parts)
        x = torch.cat([part.expand(batch, *part.shape[1:]) for part in parts], dim=1)
        return self.convblock(x)


# --- the network --------------------------------------------------------------------------------------------------------------


class Estimate(NamedTuple):
    """Estimate of the frame at t, float32.

    ``flow0``, ``flow1`` [B,2,H,W] point to the frames before and after, in pixels; ``mask`` [B,1,H,W] 0..1 is the weight of
    the frame before; ``residual`` [B,3,H,W] is added to the blend of both.
    """

    flow0: Tensor
    flow1: Tensor
    mask: Tensor
    residual: Tensor


class Prepared(NamedTuple):
    """Data of a frame pair, independent of t: the ``frames`` [B,3,H,W] float32 and their ``mean`` [B,1,1,1], their features at
    1/2 to 1/16, fine to coarse, and the type of the window."""

    frames: tuple[Tensor, Tensor]
    mean: Tensor
    levels: list[tuple[Tensor, Tensor]]
    dtype: torch.dtype


class IFRNet(nn.Module):
    """IFRNet as an `Interpolator` that `Prepares` and `Moves`. Frames must suit ``spec.multiple``.

    It has no per-frame features: its input is the frames minus the mean of both.
    """

    def __init__(self, config: Config, options: Options = Options()) -> None:  # noqa: B008
        super().__init__()
        self.spec = specify(config, options)
        self.scale = options.scale
        self.reference = config.reference
        *finer, coarse = channels = config.channels
        self.encoder = Encoder(channels, config.kernel)
        self.decoder4 = Decoder((2 + config.reference) * coarse + 1 + config.reference, 2 * coarse, finer[2] + 4, config.side)
        self.decoder3 = Decoder(3 * finer[2] + 4, 3 * finer[2], finer[1] + 4, config.side)
        self.decoder2 = Decoder(3 * finer[1] + 4, 3 * finer[1], finer[0] + 4, config.side)
        self.decoder1 = Decoder(3 * finer[0] + 4, 3 * finer[0], 4 + 1 + 3, config.side)

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B] between those of ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        return self.at(self.prepare((), window.unbind(1)), t)

    def prepare(self, features: Sequence[None], frames: Sequence[Tensor]) -> Prepared:
        """Everything independent of t. ``features`` is unused."""
        check_frames(self.spec, frames)
        before, after = (frame.float() for frame in frames)
        mean = torch.stack((before, after), dim=1).mean(dim=(1, 2, 3, 4)).reshape(-1, 1, 1, 1)
        levels = zip(self._encoded(before - mean), self._encoded(after - mean), strict=True)
        return Prepared((before, after), mean, list(levels), frames[0].dtype)

    def at(self, prepared: Prepared, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], or at a time per pixel [B,1,H,W], as `forward` returns them."""
        return self._rendered(prepared, self.estimate(prepared, t)).to(prepared.dtype)

    def motion_at(self, prepared: Prepared, t: Tensor) -> Motion:
        """Flow, in pixels, and mask at ``t`` [B]."""
        made = self.estimate(prepared, t)
        return Motion(made.flow0, made.flow1, made.mask)

    def estimate(self, prepared: Prepared, t: Tensor) -> Estimate:
        """Motion, mask and residual of the frame at ``t`` [B] or [B,1,H,W]."""
        before = prepared.frames[0]
        check_times(self.spec, t, len(before), before.shape[-2:])
        t = time_plane(t)
        coarse = prepared.levels[-1]
        if not self.reference:
            return self._decoded(prepared, (*coarse, self._plane(t, coarse[0])))
        # The first reference is the frame before, at time 0; the second is the picture half-way to t.
        times = [self._plane(t * share, coarse[0]) for share in (0.0, 0.5, 1.0)]
        way = self._decoded(prepared, (*coarse, coarse[0], times[1], times[0]))
        reference = self._encoded(self._rendered(prepared, way) - prepared.mean)[-1]
        return self._decoded(prepared, (*coarse, reference, times[2], times[1]))

    def _encoded(self, rgb: Tensor) -> tuple[Tensor, ...]:
        """Features of a frame [B,3,H,W], without the mean of both, at flow scale."""
        return self.encoder(resize(rgb, self.scale).to(next(self.parameters()).dtype))

    def _plane(self, t: Tensor, like: Tensor) -> Tensor:
        """``t``, [B,1,1,1] or [B,1,H,W], as a plane of the size and type of ``like``."""
        plane = t if t.shape[-2:] == (1, 1) else resize(t, self.scale / 16)
        return plane.to(like.dtype).expand(-1, -1, *like.shape[-2:])

    def _decoded(self, prepared: Prepared, coarsest: Sequence[Tensor]) -> Estimate:
        """The estimate from the inputs of the coarsest decoder."""
        dtype = next(self.parameters()).dtype
        out = self.decoder4(*coarsest)
        flow, rest = out[:, :4].float(), out[:, 4:]
        finer = reversed(prepared.levels[:-1])
        for decode, (before, after) in zip((self.decoder3, self.decoder2, self.decoder1), finer, strict=True):
            warped = warp_corners(before, flow[:, :2]), warp_corners(after, flow[:, 2:])
            out = decode(rest, *warped, flow.to(dtype))
            flow, rest = 2 * resize(flow, 2) + out[:, :4].float(), out[:, 4:]
        flow0, flow1 = (resize(flow, 1 / self.scale) / self.scale).chunk(2, dim=1)
        rest = rest.float()
        mask, residual = torch.sigmoid(rest[:, :1]), rest[:, 1:]
        return Estimate(flow0, flow1, resize(mask, 1 / self.scale), resize(residual, 1 / self.scale))

    @staticmethod
    def _rendered(prepared: Prepared, made: Estimate) -> Tensor:
        """The frame [B,3,H,W], float32, of an estimate."""
        before, after = prepared.frames
        blend = made.mask * warp_corners(before, made.flow0) + (1 - made.mask) * warp_corners(after, made.flow1)
        return (blend + made.residual).clamp(0, 1)


# --- from a state dict --------------------------------------------------------------------------------------------------------


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the IFRNet in ``state``, or None if it is another network."""
    config = configure(state)
    return specify(config, Options()) if config else None


def build(state: Mapping[str, Tensor], options: Options = Options()) -> IFRNet:  # noqa: B008
    """IFRNet with the weights in ``state``; ``options.variant`` "gopro" or "d" means that they were trained for any t.

    Raises `InputError` for unsupported options or an incomplete ``state``.
    """
    config = configure(state)
    if config is None:
        raise InputError("the weights are not IFRNet's: they lack encoder.pyramid1 or decoder4")
    net = IFRNet(config, options)
    load_weights(net, state, net.spec.name)
    return net.eval()


def configure(state: Mapping[str, Tensor]) -> Config | None:
    """The `Config` given by the shapes in ``state``; None if it is another network. AMT has the same encoder and decoders,
    and more."""
    marks = {"encoder.pyramid1.0.0.weight", "decoder4.convblock.0.0.weight", "decoder4.convblock.1.conv2.0.weight"}
    if not marks <= state.keys() or any(not key.startswith(("encoder.", "decoder")) for key in state):
        return None
    first = [state[name] for level in range(1, 5) if (name := f"encoder.pyramid{level}.0.0.weight") in state]
    side = state["decoder4.convblock.1.conv2.0.weight"].shape[0]
    channels = tuple(weight.shape[0] for weight in first)
    inputs = state["decoder4.convblock.0.0.weight"].shape[1]
    return Config(channels, side, first[0].shape[-1], reference=inputs == 3 * channels[-1] + 2)


def specify(config: Config, options: Options) -> Spec:
    """Spec of the network as built with ``options``. Raises `InputError` for unsupported options."""
    name = PUBLISHED.get(config, "ifrnet-custom")
    check_options(name, options, scales=SCALES, variants=("dr",) if config.reference else VARIANTS)
    trained = options.variant in ("gopro", "d")
    return Spec(
        f"{name}-{options.variant}" if trained else name,
        any_t=trained or config.reference,
        time_map=trained or config.reference,
        multiple=round(16 / min(options.scale, 1)),
        pad="edge:centre",
        activations=110 + 6 * config.channels[0],
        licence="MIT" if config.reference or options.variant == "d" else "",
    )


# --- published weights --------------------------------------------------------------------------------------------------------


def _checkpoint(name: str, file: str, variant: str, *sources: HubFile) -> Checkpoint:
    folder = {"IFRNet_S": "IFRNet_small", "IFRNet_L": "IFRNet_large"}.get(file.rpartition("_")[0], "IFRNet")
    return Checkpoint(
        name,
        (f"{file}.safetensors",),
        UNSTATED,
        commercial=None,
        sources=(*sources, HubFile("eapiwork/saved_models", f"checkpoints/{folder}/{file}.pth")),
        variant=variant,
        note=f"{'any t' if variant == 'gopro' else 'only t = 1/2'}; {file}.pth of the authors, whose code is MIT",
        link="https://github.com/ltkong218/IFRNet",
    )


def _interpany(name: str, folder: str, use: str, variant: str) -> Checkpoint:
    return Checkpoint(
        name,
        (f"{name.replace('-', '_')}.safetensors",),
        "MIT",
        variant=variant,
        note=f"any t, {use}; latest.pth of {folder}: https://drive.google.com/drive/folders/11MY60fpDk5oAlGasQRZ3ss3xVdrOBIiE; "
        f"store it with `vfi models import FILE --as {name}`",
        link="https://github.com/zzh-tech/InterpAny-Clearer",
        published=(f"{folder}.zip",),
    )


def _mono(file: str) -> HubFile:
    return HubFile("Viollette/Mono-ViFI", f"VFI_weights/{file}.pth")


CHECKPOINTS: tuple[Checkpoint, ...] = (
    _checkpoint("ifrnet-s", "IFRNet_S_Vimeo90K", "vimeo", _mono("IFRNet_S_Vimeo90K")),
    _checkpoint(
        "ifrnet",
        "IFRNet_Vimeo90K",
        "vimeo",
        HubFile("pavlichenko/ifrnet_vimeo", "IFRNet_Vimeo90K.pth", revision="7ec443ae3d3f00e3833a55d52350f8a5525c56c3"),
    ),
    _checkpoint("ifrnet-l", "IFRNet_L_Vimeo90K", "vimeo", _mono("IFRNet_L_Vimeo90K")),
    _checkpoint("ifrnet-s-gopro", "IFRNet_S_GoPro", "gopro"),
    _checkpoint(
        "ifrnet-gopro",
        "IFRNet_GoPro",
        "gopro",
        HubFile(
            "pavlichenko/ifrnet_gopro",
            "IFRNet_GoPro.pth",
            "ca40c40e4a394d3158dd858528f3b404f99b6a2ae0848f02298d1730847b5161",
            "9b715859f6275b2cb961263f268ebbdba8e2cc21",
            19_860_576,
        ),
    ),
    _checkpoint("ifrnet-l-gopro", "IFRNet_L_GoPro", "gopro"),
    _interpany("ifrnet-d", "D-IFRNet", "a distance per pixel for a time", "d"),
    _interpany("ifrnet-dr", "DR-IFRNet", "by way of a picture half-way to t", "dr"),
)

SUITS: dict[str, str] = {
    "ifrnet-s": "the middle frame, quickly",
    "ifrnet": "the middle frame; between ifrnet-s and ifrnet-l",
    "ifrnet-l": "the middle frame; the most detailed and slowest IFRNet",
    "ifrnet-s-gopro": "slow motion of filmed clips, quickly: any time between the frames",
    "ifrnet-gopro": "slow motion of filmed clips: any time between the frames",
    "ifrnet-l-gopro": "slow motion of filmed clips: any time between the frames; slower",
    "ifrnet-d": "slow motion of filmed clips, sharper by its authors' word",
    "ifrnet-dr": "slow motion of filmed clips, sharper than ifrnet-d by its authors' word, at half the speed",
}
