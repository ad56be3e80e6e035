"""SepConv: every pixel is the sum of two adaptive convolutions, one per frame.

Niklaus, Mai and Liu, "Video Frame Interpolation via Adaptive Separable Convolution", ICCV 2017, whose weights "l1" and "lf"
differ in training loss but not in shape; and Niklaus, Mai and Wang, "Revisiting Adaptive Convolutions for Video
Frame Interpolation", WACV 2021, whose weights are called "paper". A kernel of 51 taps reaches at most 25 pixels each way.
Only t = 1/2 is supported.

Written from the papers and from the shapes of the weights. Owns the published parameter names. Knows nothing of
padding, files or devices.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Checkpoint, InputError, Options, Spec
from ..ops.adaptive import separable_convolution
from ..ops.checks import check_frames, check_options, check_times, load_weights

WIDTHS = (32, 64, 128, 256, 512)
"""Channels of both networks, from full size down to 1/16."""

VARIANTS = ("l1", "lf")
"""Training loss of the 2017 weights: colour differences, or feature differences, which gives sharper frames."""


class Kernels(NamedTuple):
    """Kernels per pixel: a column and a row for the frame before and for the one after, [B,K,H,W] float32."""

    vertical0: Tensor
    horizontal0: Tensor
    vertical1: Tensor
    horizontal1: Tensor

    def apply(self, window: Tensor) -> Tensor:
        """Sum of both convolved frames of ``window`` [B,2,C,H,W], with border padding: [B,C,H,W] float32."""
        reach = (self.vertical0.shape[1] // 2,) * 4
        before, after = (F.pad(frame, reach, mode="replicate") for frame in window.float().unbind(1))
        return separable_convolution(before, self.vertical0, self.horizontal0) + separable_convolution(
            after, self.vertical1, self.horizontal1
        )


class Adaptive(nn.Module, ABC):
    """Common base of both papers' networks: an `Interpolator` that `Prepares`."""

    spec: Spec

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], all 1/2, from ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        return self.at(self.prepare((), window.unbind(1)), t)

    def prepare(self, features: Sequence[None], frames: Sequence[Tensor]) -> Tensor:
        """The frame at t = 1/2, the only one, [B,3,H,W] in the window's type. ``features`` is unused."""
        check_frames(self.spec, frames)
        return self.render(torch.stack(tuple(frames), dim=1)).clamp(0, 1).to(frames[0].dtype)

    def at(self, prepared: Tensor, t: Tensor) -> Tensor:
        """The `prepare` result, repeated for every ``t`` [B]."""
        check_times(self.spec, t, len(prepared))
        return prepared.expand(len(t), -1, -1, -1)

    @abstractmethod
    def render(self, window: Tensor) -> Tensor:
        """Raw network output, [B,3,H,W] float32; values may lie slightly outside 0..1."""

    def _seen(self, window: Tensor) -> Tensor:
        """The frames in the network's own order, blue, green, red, and in the type of its weights."""
        return window.flip(2).to(next(self.parameters()).dtype)


# --- the network of 2017 ------------------------------------------------------------------------------------------------------


def basic(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Three convolutions."""
    layers = [layer for ends in ((inputs, width), (width, width), (width, outputs)) for layer in (conv(*ends), nn.ReLU())]
    return nn.Sequential(*layers)


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1)


def twice(align_corners: bool) -> nn.Upsample:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=align_corners)


class SepConv(Adaptive):
    """The network of 2017: a U-Net down to 1/32 with additive skips, and a head for each of the four kernels."""

    HEADS = ("Vertical1", "Horizontal1", "Vertical2", "Horizontal2")

    def __init__(self, taps: int, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        for level, (inputs, width) in enumerate(zip((6, *WIDTHS), WIDTHS, strict=False), start=1):
            self.add_module(f"netConv{level}", basic(inputs, width, width))
        for level, (inputs, width) in enumerate(zip((*WIDTHS[2:], WIDTHS[-1]), WIDTHS[1:], strict=True), start=2):
            self.add_module(f"netDeconv{level}", basic(inputs, width, width))
            self.add_module(f"netUpsample{level}", nn.Sequential(twice(True), conv(width, width), nn.ReLU()))
        for name in self.HEADS:
            head = nn.Sequential(*basic(WIDTHS[1], WIDTHS[1], taps), twice(True), conv(taps, taps))
            self.add_module(f"net{name}", head)

    def render(self, window: Tensor) -> Tensor:
        return self.kernels(window).apply(window)

    def kernels(self, window: Tensor) -> Kernels:
        """Kernels for both frames [B,2,3,H,W], whose sides are multiples of 32."""
        x = self._seen(window).flatten(1, 2)
        skips: list[Tensor] = []
        for level in range(1, 6):
            skips.append(self.get_submodule(f"netConv{level}")(x))
            x = F.avg_pool2d(skips[-1], 2)
        for level in range(5, 1, -1):
            x = self.get_submodule(f"netUpsample{level}")(self.get_submodule(f"netDeconv{level}")(x)) + skips[level - 1]
        return Kernels(*(self.get_submodule(f"net{name}")(x).float() for name in self.HEADS))


# --- the network of 2021 ------------------------------------------------------------------------------------------------------


class Main(nn.Module):
    """A chain of layers, under its published name."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.netMain = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.netMain(x)


class Column(nn.Module):
    """Lateral and vertical steps of one column of a grid, by row."""

    def __init__(self, lateral: dict[int, Main], vertical: dict[int, Main]) -> None:
        super().__init__()
        self.netHor = nn.ModuleDict({str(row): step for row, step in lateral.items()})
        self.netVer = nn.ModuleDict({str(row): step for row, step in vertical.items()})


def lateral(width: int) -> Main:
    return Main(nn.PReLU(), conv(width, width), nn.PReLU(), conv(width, width))


def down(inputs: int, outputs: int) -> Main:
    return Main(nn.PReLU(), conv(inputs, outputs, stride=2), nn.PReLU(), conv(outputs, outputs))


def up(inputs: int, outputs: int) -> Main:
    return Main(nn.PReLU(), twice(False), conv(inputs, outputs), nn.PReLU(), conv(outputs, outputs))


class SepConvRevisited(Adaptive):
    """The network of 2021: a grid with one column down and one up, a head for each kernel, and normalised kernels."""

    HEADS = ("Verone", "Horone", "Vertwo", "Hortwo")

    def __init__(self, taps: int, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        wide = WIDTHS[::-1]
        self.netInput = conv(3, WIDTHS[0] // 2)
        self.netEncode = nn.ModuleList([Column({}, {row: down(*WIDTHS[row - 1 : row + 1]) for row in range(1, 5)})])
        self.netDecode = nn.ModuleList(
            [Column({row: lateral(wide[row]) for row in range(4)}, {row: up(*wide[row - 1 : row + 1]) for row in range(1, 4)})]
        )
        for name in self.HEADS:
            self.add_module(f"net{name}", Main(twice(False), conv(WIDTHS[1], WIDTHS[1]), nn.PReLU(), conv(WIDTHS[1], taps)))

    def render(self, window: Tensor) -> Tensor:
        made = self.sums(window)
        total = made[:, 3:]
        return made[:, :3] / torch.where(total.abs() < 0.01, 1, total)

    def sums(self, window: Tensor) -> Tensor:
        """Convolved colours, and a convolved plane of ones: [B,4,H,W] float32."""
        return self.kernels(window).apply(torch.cat((window, torch.ones_like(window[:, :, :1])), dim=2))

    def kernels(self, window: Tensor) -> Kernels:
        """Kernels for both frames [B,2,3,H,W] with even sides; the input is normalised jointly to mean 0 and deviation 1."""
        deviation, mean = torch.std_mean(window.float(), dim=(1, 2, 3, 4), correction=0, keepdim=True)
        seen = self._seen((window.float() - mean) / (deviation + 1e-7))
        rows = [torch.cat([self.netInput(frame) for frame in seen.unbind(1)], dim=1)]
        for row in range(1, 5):
            rows.append(self.get_submodule(f"netEncode.0.netVer.{row}")(rows[-1]))
        x = rows.pop()
        x = x + self.get_submodule("netDecode.0.netHor.0")(x)
        for row in range(1, 4):
            here = rows.pop()
            height, width = here.shape[-2:]
            x = self.get_submodule(f"netDecode.0.netVer.{row}")(x)[..., :height, :width]
            x = here + self.get_submodule(f"netDecode.0.netHor.{row}")(here) + x
        return Kernels(*(self.get_submodule(f"net{name}")(x).float() for name in self.HEADS))


# --- from a state dict --------------------------------------------------------------------------------------------------------

ACADEMIC, ADOBE = "LicenseRef-Academic", "LicenseRef-Adobe-Research"
"""For academic use only; for non-commercial research only."""


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the SepConv in ``state``, or None if it is another network."""
    found = configure(published(state))
    return specify(found[0], Options()) if found else None


def build(state: Mapping[str, Tensor], options: Options = Options()) -> Adaptive:  # noqa: B008
    """SepConv with the weights in ``state``; ``options.variant`` only names those of 2017.

    Raises `InputError` for unsupported options or an incomplete ``state``.
    """
    state = published(state)
    found = configure(state)
    if found is None:
        raise InputError("the weights are not SepConv's: they have neither netVertical1 nor netVerone")
    network, taps = found
    net = network(taps, specify(network, options))
    load_weights(net, state, net.spec.name)
    return net.eval()


def published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``state`` under the names of the authors' code; their 2017 files have ``module`` instead of ``net``."""
    return {re.sub(r"^module(?=[A-Z])", "net", key): value for key, value in state.items()}


def configure(state: Mapping[str, Tensor]) -> tuple[type[SepConv] | type[SepConvRevisited], int] | None:
    """The class of the network in ``state``, which has published names, and its number of kernel taps."""
    old, new = state.get("netVertical1.7.weight"), state.get("netVerone.netMain.3.weight")
    if old is not None and "netConv1.0.weight" in state:
        return SepConv, old.shape[0]
    if new is not None and "netInput.weight" in state:
        return SepConvRevisited, new.shape[0]
    return None


def specify(network: type[SepConv] | type[SepConvRevisited], options: Options) -> Spec:
    """Spec of the network as built with ``options``. Raises `InputError` for unsupported options."""
    if network is SepConvRevisited:
        check_options("sepconv-paper", options)
        return Spec("sepconv-paper", any_t=False, multiple=2, pad="edge", activations=500, licence=ADOBE)
    check_options("sepconv", options, variants=VARIANTS)
    name = f"sepconv-{options.variant or '/'.join(VARIANTS)}"
    return Spec(name, any_t=False, multiple=128, pad="edge", activations=500, licence=ACADEMIC)


# --- published weights --------------------------------------------------------------------------------------------------------


def _checkpoint(variant: str, licence: str, repository: str, *files: str) -> Checkpoint:
    return Checkpoint(
        f"sepconv-{variant}",
        (f"network-{variant}.safetensors", *files),
        licence,
        commercial=False,
        variant=variant if variant in VARIANTS else None,
        note=f"network-{variant}.pytorch, from the page that github.com/sniklaus/{repository} leads to, converted",
        link=f"https://github.com/sniklaus/{repository}",
        published=(f"network-{variant}.pytorch", *(file.replace(".safetensors", ".pth") for file in files)),
    )


CHECKPOINTS: tuple[Checkpoint, ...] = (
    _checkpoint("l1", ACADEMIC, "sepconv-slomo"),
    _checkpoint("lf", ACADEMIC, "sepconv-slomo"),
    _checkpoint("paper", ADOBE, "revisiting-sepconv", "sepconv.safetensors"),
)

SUITS: dict[str, str] = {
    "sepconv-l1": "the middle frame; motion of at most 25 pixels; trained for a low error",
    "sepconv-lf": "the middle frame; motion of at most 25 pixels; trained for sharp pictures",
    "sepconv-paper": "the middle frame; motion of at most 25 pixels; better than sepconv-l1",
}
