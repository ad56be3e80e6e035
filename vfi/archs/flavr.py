"""FLAVR: flow-agnostic video representations.

Kalluri, Pathak, Chandraker and Tran, "FLAVR: Flow-Agnostic Video Representations for Fast Frame Interpolation", WACV 2023.
A U-Net of 3-D convolutions predicts all frames between the middle two of four frames at once, without flow.
Their number is fixed: one, three or seven, evenly spaced.

For any other t, the nearest of these frames is used, with a warning. Owns the published parameter names. Knows
nothing of padding, files or devices.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Checkpoint, InputError, Options, Spec
from ..ops.checks import check_frames, check_options, check_times, load_weights
from ..ops.constants import constant, numbers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Config:
    """Numbers of input ``frames`` and ``outputs``; ``bias``: whether the encoder's convolutions have one (4x and 8x do)."""

    frames: int
    outputs: int
    bias: bool

    @property
    def name(self) -> str:
        return f"flavr-{self.outputs + 1}x"


# --- layers -------------------------------------------------------------------------------------------------------------------


class Gate(nn.Module):
    """Scales each channel by a gate from the means of all channels over the clip (section 3.1 of the paper)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attn_layer = nn.Sequential(nn.Conv3d(channels, channels, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.attn_layer(x.mean(dim=(2, 3, 4), keepdim=True))


class Residual(nn.Module):
    """Two 3-D convolutions and a gate, with a skip; ``stride`` is spatial, never temporal."""

    downsample: nn.Sequential | None

    def __init__(self, inputs: int, outputs: int, stride: int, bias: bool) -> None:
        super().__init__()
        steps = (1, stride, stride)
        self.conv1 = nn.Sequential(nn.Conv3d(inputs, outputs, 3, steps, 1, bias=bias), nn.ReLU())
        self.conv2 = nn.Sequential(nn.Conv3d(outputs, outputs, 3, 1, 1, bias=bias))
        self.fg = Gate(outputs)
        changes = stride != 1 or inputs != outputs
        self.downsample = nn.Sequential(nn.Conv3d(inputs, outputs, 1, steps, bias=False)) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        return F.relu(skip + self.fg(self.conv2(self.conv1(x))))


class Encoder(nn.Module):
    """Features of a clip [B,3,N,H,W] after each of five stages: 64 to 512 channels, at 1/2, 1/2, 1/4, 1/8 and 1/8."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=bias), nn.ReLU())
        steps = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 1))
        for index, (inputs, outputs, stride) in enumerate(steps, start=1):
            layer = nn.Sequential(Residual(inputs, outputs, stride, bias), Residual(outputs, outputs, 1, bias))
            self.add_module(f"layer{index}", layer)

    def forward(self, clip: Tensor) -> list[Tensor]:
        made: list[Tensor] = []
        for layer in self.children():
            made.append(layer(made[-1] if made else clip))
        return made


class Same(nn.Module):
    """A gated 3-D convolution that keeps the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv3d(inputs, outputs, 3, 1, 1), Gate(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Double(nn.Module):
    """A gated transposed 3-D convolution that doubles height and width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.upconv = nn.Sequential(nn.ConvTranspose3d(inputs, outputs, (3, 4, 4), (1, 2, 2), 1), Gate(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.upconv(x)


class Fuse(nn.Module):
    """Joins the features of all frames into those of one picture."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


# --- the network --------------------------------------------------------------------------------------------------------------


class Flavr(nn.Module):
    """FLAVR as an `Interpolator` of four frames that `Prepares`. Frames must suit ``spec.multiple``."""

    def __init__(self, config: Config, options: Options = Options()) -> None:  # noqa: B008
        super().__init__()
        self.spec = specify(config, options)
        self.outputs = config.outputs
        self.encoder = Encoder(config.bias)
        self.decoder = nn.ModuleList((Same(512, 256), Double(512, 128), Double(256, 64), Same(128, 64), Double(128, 64)))
        self.feature_fuse = Fuse(64 * config.frames, 64)
        self.outconv = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(64, 3 * config.outputs, 7))
        self._said = False

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames nearest to ``t`` [B] between the middle two of ``window`` [B or 1,4,3,H,W]: [B,3,H,W], clamped to 0..1."""
        return self.at(self.prepare((), window.unbind(1)), t)

    def prepare(self, features: Sequence[None], frames: Sequence[Tensor]) -> Tensor:
        """All output frames, [B,K,3,H,W] in the window's type, clamped to 0..1. ``features`` is unused."""
        check_frames(self.spec, frames)
        return self.render(torch.stack(tuple(frames), dim=1)).clamp(0, 1).to(frames[0].dtype)

    def at(self, prepared: Tensor, t: Tensor) -> Tensor:
        """The frames from `prepare` nearest to ``t`` [B], [B,3,H,W]."""
        check_times(self.spec, t, len(prepared))
        made = prepared.expand(len(t), -1, -1, -1, -1)
        return made[torch.arange(len(t), device=made.device), constant(self.nearest(t), made.device, torch.long)]

    def render(self, window: Tensor) -> Tensor:
        """All output frames, [B,K,3,H,W] float32: frame k is at t = (k + 1) / (K + 1). Not clamped."""
        clip = window.float().transpose(1, 2)
        mean = clip.mean(dim=(2, 3, 4), keepdim=True)
        x, *skips = reversed(self.encoder((clip - mean).to(next(self.parameters()).dtype)))
        *steps, last = self.decoder
        for step, skip in zip(steps, skips, strict=True):
            x = torch.cat((F.leaky_relu(step(x), 0.2), skip), dim=1)
        x = F.leaky_relu(last(x), 0.2).transpose(1, 2).flatten(1, 2)
        x = self.outconv(F.leaky_relu(self.feature_fuse(x), 0.2))
        return x.float().unflatten(1, (self.outputs, 3)) + mean.transpose(1, 2)

    def nearest(self, t: Tensor) -> list[int]:
        """Index of the output frame nearest to each ``t`` [B]; the earlier one if two are equally near."""
        times = torch.tensor(numbers(t), dtype=torch.float64)
        place = times * (self.outputs + 1)
        chosen = (place - 0.5).ceil().clamp(1, self.outputs)
        far = (place - chosen).abs() > 1e-3
        if not self._said and bool(far.any()):
            self._said = True
            known = ", ".join(f"{k}/{self.outputs + 1}" for k in range(1, self.outputs + 1))
            log.warning("%s only supports t = %s: t = %.4f is rounded to the nearest", self.spec.name, known, times[far][0])
        return [int(index) - 1 for index in chosen.tolist()]


# --- from a state dict --------------------------------------------------------------------------------------------------------


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the FLAVR in ``state``, or None if it is another network."""
    config = configure(state)
    return specify(config, Options()) if config else None


def build(state: Mapping[str, Tensor], options: Options = Options()) -> Flavr:  # noqa: B008
    """FLAVR with the weights in ``state``. Raises `InputError` for unsupported options or a broken ``state``."""
    config = configure(state)
    if config is None:
        raise InputError("the weights are not FLAVR's: they lack encoder.stem, feature_fuse or outconv")
    net = Flavr(config, options)
    load_weights(net, state, net.spec.name)
    return net.eval()


def configure(state: Mapping[str, Tensor]) -> Config | None:
    """The `Config` given by the shapes in ``state``; None if it is another network."""
    marks = ("encoder.stem.0.weight", "feature_fuse.conv.0.weight", "outconv.1.weight")
    if not all(mark in state for mark in marks) or state[marks[0]].ndim != 5:
        return None
    width, fused = state[marks[1]].shape[:2]
    return Config(frames=fused // width, outputs=state[marks[2]].shape[0] // 3, bias="encoder.stem.0.bias" in state)


def specify(config: Config, options: Options) -> Spec:
    """Spec of the network. With several outputs, the nearest serves any t. No tiles, because its gates span the whole clip."""
    check_options(config.name, options)
    return Spec(
        config.name,
        window=config.frames,
        any_t=config.outputs > 1,
        multiple=8,
        pad="edge:centre",
        tiles=False,
        activations=1200,
        licence="Apache-2.0",
    )


# --- published weights --------------------------------------------------------------------------------------------------------


def _checkpoint(times: int) -> Checkpoint:
    note = f"FLAVR_{times}x.pth, from the Google Drive folder that the authors' README leads to, converted"
    files, link = (f"FLAVR_{times}x.safetensors",), "https://github.com/tarun005/FLAVR"
    return Checkpoint(f"flavr-{times}x", files, "Apache-2.0", note=note, link=link, published=(f"FLAVR_{times}x.pth",))


CHECKPOINTS: tuple[Checkpoint, ...] = tuple(_checkpoint(times) for times in (2, 4, 8))

SUITS: dict[str, str] = {
    f"flavr-{times}x": f"filmed clips with even motion: sees four frames; times {times} only" for times in (2, 4, 8)
}
