"""The autoencoder of Stable Video Diffusion: encodes single pictures to latents and decodes latents to the frames of a clip.

Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", CVPR 2022; its decoder also works along time
(Blattmann et al., "Stable Video Diffusion", 2023). It shares its blocks with our UNet, so it needs only a page of code and no
further package. The blocks also serve autoencoders of single pictures, and of other video models. Parameter names are those of
diffusers. Knows nothing of noise or files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import torch.nn.functional as F
from torch import Tensor, nn

from ..core import InputError
from ..ops.checks import load_weights
from .layers import Build, Given, Grow, Residual, Spatial
from .svd import counted, looks_like

EPS = 1e-6

Watch: TypeAlias = "Callable[[Tensor], None]"
"""Called with what an encoder holds after its first convolution, then after each level, before it is halved."""

Refine: TypeAlias = "Callable[[int, Tensor], Tensor]"
"""Called with a level of a decoder, the largest being 0, and what its layers made, [F,C,H,W]: replaces it before it grows.

The last call is for what enters the last convolution, with the number of levels.
"""


class Sizes(NamedTuple):
    """An autoencoder's sizes, read from the shapes of a checkpoint.

    ``widths``: channels per level, each of ``layers`` layers in the encoder and one more in the decoder; ``middle``: layers in
    the middle of the decoder; ``latent``: channels of the latents.
    """

    widths: tuple[int, ...]
    layers: int
    middle: int
    latent: int

    @classmethod
    def read(cls, state: Mapping[str, Tensor]) -> Sizes:
        first, middle = "encoder.down_blocks.{}.resnets.0.conv1.weight", "decoder.mid_block.resnets.{}"
        return cls(
            widths=tuple(state[first.format(level)].shape[0] for level in range(counted(state, first))),
            layers=counted(state, "encoder.down_blocks.0.resnets.{}.conv1.weight"),
            middle=max(counted(state, middle + end) for end in (".conv1.weight", ".time_mixer.mix_factor")),
            latent=state["encoder.conv_out.weight"].shape[0] // 2,
        )


class Look(nn.Module):
    """[B,C,H,W] -> the same shape: single-head self-attention over all cells of a plane."""

    def __init__(self, build: Build, width: int) -> None:
        super().__init__()
        self.attend = build.attention
        self.group_norm = build.group_norm(width, EPS)
        self.to_q, self.to_k, self.to_v = (build.linear(width, width) for _ in range(3))
        self.to_out = nn.Sequential(build.linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        cells = self.group_norm(x).flatten(2).transpose(1, 2)
        seen = self.attend(self.to_q(cells), self.to_k(cells), self.to_v(cells), 1)
        return x + self.to_out(seen).transpose(1, 2).reshape(x.shape)


class Middle(nn.Module):
    """The layers at the smallest size, with attention over the whole plane before each except the first."""

    def __init__(self, build: Build, layers: Sequence[nn.Module], width: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(layers)
        self.attentions = nn.ModuleList([Look(build, width)])

    def forward(self, x: Tensor, given: Given) -> Tensor:
        first, *others = self.resnets
        x = first(x, given)
        for layer in others:
            x = layer(self.attentions[0](x), given)
        return x


class Halve(nn.Module):
    """[B,C,H,W] -> [B,C,H/2,W/2]; pads only right and bottom."""

    def __init__(self, build: Build, width: int) -> None:
        super().__init__()
        self.conv = build.conv(width, width, stride=2, padding=0)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


def plain(build: Build, inputs: int, width: int) -> Spatial:
    return Spatial(build, inputs, width, None, EPS)


class Down(nn.Module):
    def __init__(self, build: Build, inputs: int, width: int, layers: int, *, last: bool) -> None:
        super().__init__()
        ends = [(inputs, width)] + [(width, width)] * (layers - 1)
        self.resnets = nn.ModuleList(plain(build, *pair) for pair in ends)
        self.downsamplers = nn.ModuleList([] if last else [Halve(build, width)])

    def forward(self, x: Tensor, given: Given, watch: Watch | None = None) -> Tensor:
        for layer in self.resnets:
            x = layer(x, given)
        if watch is not None:
            watch(x)
        for halve in self.downsamplers:
            x = halve(x)
        return x


class Encoder(nn.Module):
    """[B,3,H,W] -> [B,2*latent,H/8,W/8]: mean and log variance of the latents."""

    def __init__(self, build: Build, sizes: Sizes) -> None:
        super().__init__()
        widths = sizes.widths
        self.conv_in = build.conv(3, widths[0])
        last = len(widths) - 1
        self.down_blocks = nn.ModuleList(
            Down(build, widths[max(level - 1, 0)], width, sizes.layers, last=level == last)
            for level, width in enumerate(widths)
        )
        middle = [plain(build, widths[-1], widths[-1]) for _ in range(2)]
        self.mid_block = Middle(build, middle, widths[-1])
        self.conv_norm_out = build.group_norm(widths[-1], EPS)
        self.conv_out = build.conv(widths[-1], 2 * sizes.latent)

    def forward(self, rgb: Tensor, watch: Watch | None = None) -> Tensor:
        given = Given(1, None, None)
        x = self.conv_in(rgb)
        if watch is not None:
            watch(x)
        for block in self.down_blocks:
            x = block(x, given, watch)
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x, given))))


def timely(build: Build, inputs: int, width: int) -> Residual:
    return Residual(build, inputs, width, None, eps=EPS, temporal_eps=1e-5, towards_time=True)


class Up(nn.Module):
    """A level of a `Decoder`, which calls its layers itself: at full size, no input of a level outlives its first layer."""

    def __init__(self, build: Build, layers: Sequence[nn.Module], width: int, *, last: bool) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(layers)
        self.upsamplers = nn.ModuleList([] if last else [Grow(build, width)])


class Decoder(nn.Module):
    """[F,latent,h,w] of the frames of one clip -> [F,3,8h,8w]; unless ``moving``, each frame without its neighbours."""

    def __init__(self, build: Build, sizes: Sizes, *, moving: bool = True) -> None:
        super().__init__()
        layer = timely if moving else plain
        narrow, wide = sizes.widths[0], sizes.widths[-1]
        self.conv_in = build.conv(sizes.latent, wide)
        self.mid_block = Middle(build, [layer(build, wide, wide) for _ in range(sizes.middle)], wide)
        self.up_blocks = nn.ModuleList(
            Up(
                build,
                [layer(build, inputs, width), *(layer(build, width, width) for _ in range(sizes.layers))],
                width,
                last=level == len(sizes.widths) - 1,
            )
            for level, (inputs, width) in enumerate(pairwise((wide, *reversed(sizes.widths))))
        )
        self.conv_norm_out = build.group_norm(narrow, EPS)
        self.conv_out = build.conv(narrow, 3)
        self.time_conv_out = build.time_conv(3, 3) if moving else None

    def forward(self, latents: Tensor, refine: Refine | None = None) -> Tensor:
        given = Given(len(latents), None, None)
        x = self.mid_block(self.conv_in(latents), given)
        top = len(self.up_blocks)
        for level, block in zip(reversed(range(top)), self.up_blocks, strict=True):
            assert isinstance(block, Up)
            for layer in block.resnets:
                x = layer(x, given)
            if refine is not None:
                x = refine(level, x)
            for grow in block.upsamplers:
                x = grow(x, (2 * x.shape[-2], 2 * x.shape[-1]))
        x = F.silu(self.conv_norm_out(x))
        x = self.conv_out(x if refine is None else refine(top, x))
        return x if self.time_conv_out is None else self.time_conv_out(x.transpose(0, 1)[None])[0].transpose(0, 1)


class Autoencoder(nn.Module):
    """Encoder and decoder; pictures are 0..1. The encoder overflows in float16: use bfloat16 or float32."""

    def __init__(self, sizes: Sizes, build: Build | None = None, *, between: bool = True, moving: bool = True) -> None:
        super().__init__()
        build = build or Build()
        self.latent = sizes.latent
        self.encoder = Encoder(build, sizes)
        self.decoder = Decoder(build, sizes, moving=moving)
        self.quant_conv = build.conv(2 * self.latent, 2 * self.latent, kernel=1) if between else nn.Identity()

    def encode(self, rgb: Tensor, watch: Watch | None = None) -> Tensor:
        """Encode pictures [B,3,H,W], 0..1 or a little beyond, to their mean latents [B,latent,H/8,W/8]."""
        return self.quant_conv(self.encoder(rgb * 2 - 1, watch))[:, : self.latent]

    def decode(self, latents: Tensor) -> Tensor:
        """Decode the latents of a whole clip [F,latent,h,w] to its frames [F,3,8h,8w], 0..1 or a little beyond.

        Decoding a frame uses its neighbours, so parts of a clip that are decoded separately differ at their ends.
        """
        return (self.decoder(latents) + 1) / 2


def autoencoder(state: Mapping[str, Tensor], build: Build | None = None) -> Autoencoder:
    """Build the autoencoder around these weights, without a copy; sizes come from their shapes. Raises `InputError`."""
    if "decoder.time_conv_out.weight" not in state or "encoder.conv_out.weight" not in state:
        raise InputError(f"these weights are {looks_like(state)}: the autoencoder of Stable Video Diffusion is needed")
    build = build or Build()
    meta = Build(build.operations, build.attention, "meta", build.dtype)
    net = Autoencoder(Sizes.read(state), meta, between="quant_conv.weight" in state)
    load_weights(net, state, looks_like(state), assign=True)
    return net.eval().requires_grad_(False)
