"""LDMVFI: latent diffusion samples the middle frame, and its two neighbours supply the pixels.

Danier, Zhang and Bull, "LDMVFI: Video Frame Interpolation with Latent Diffusion Models", AAAI 2024. An autoencoder encodes
each frame to a small latent plane. A U-Net denoises the plane of the middle frame, given those of its neighbours
(DDIM: Song, Meng and Ermon, "Denoising Diffusion Implicit Models", ICLR 2021). From that plane and the neighbours' feature
pyramids, the decoder predicts a deformable kernel for each pixel of either neighbour, and a residual picture.

The neighbours decide nearly everything: Zhang et al., "EDEN", CVPR 2025, saw little change in the picture even when its
plane was left as noise. A few denoising steps are enough. Only t = 1/2 is supported. Owns the published parameter names and
the sampling. Knows nothing of padding, files or devices.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, count, islice, takewhile
from operator import mul
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Checkpoint, InputError, Options, Sampling, Spec
from ..ops.adaptive import deformable_separable_convolution
from ..ops.checks import check_frames, check_options, check_size, check_times, load_weights
from ..ops.constants import constant

NOISE = [(0.0015**0.5 + (0.0195**0.5 - 0.0015**0.5) * step / 999) ** 2 for step in range(1000)]
"""Noise variance added by each of the 1000 training steps."""

SIGNAL = list(accumulate((1 - variance for variance in NOISE), mul))
"""Share of the picture's variance left after each training step: alpha-bar."""


class Step(NamedTuple):
    """One DDIM step: from training step ``time``, with ``signal`` left, to ``wanted`` left.

    ``fresh`` is the standard deviation of the fresh noise added.
    """

    time: int
    signal: float
    wanted: float
    fresh: float


def schedule(sampling: Sampling) -> Iterator[Step]:
    """Denoising steps, noisiest first, spread evenly over the training steps (DDIM, equation 16)."""
    times = [1 + len(SIGNAL) * step // sampling.steps for step in range(sampling.steps)]
    for time, following in zip(times[::-1], [*times[-2::-1], 0], strict=True):
        signal, wanted = SIGNAL[time], SIGNAL[following]
        yield Step(time, signal, wanted, sampling.eta * math.sqrt((1 - wanted) / (1 - signal) * (1 - signal / wanted)))


def noise_of(seed: int, shape: Sequence[int]) -> Iterator[Tensor]:
    """Endless normal noise of ``shape``, float32, drawn on the CPU so that a seed gives the same noise on every device."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randn(*shape, generator=generator)


def ddim(predict: Callable[[Tensor, int], Tensor], noise: Iterator[Tensor], sampling: Sampling) -> Tensor:
    """Denoise the first item of ``noise``; ``predict(x, time)`` returns the noise in x.

    DDIM, equation 12. If eta is above 0, each step draws another item of ``noise``.
    """
    x = next(noise)
    for time, signal, wanted, fresh in schedule(sampling):
        predicted = predict(x, time)
        clean = (x - math.sqrt(1 - signal) * predicted) / math.sqrt(signal)
        x = math.sqrt(wanted) * clean + math.sqrt(1 - wanted - fresh**2) * predicted
        if fresh:
            x = x + fresh * next(noise)
    return x


# --- layers of both networks --------------------------------------------------------------------------------------------------

HEAD = 32
"""Channels per attention head, if there are several."""

GROUPS = 32
"""Groups of group normalisation."""

CHUNK = 8192
"""Maximum windows times heads per attention call, which bounds memory on large frames."""


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1)


def shortcut(inputs: int, outputs: int) -> nn.Module:
    return nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)


class Double(nn.Module):
    """[B,C,H,W] -> [B,C,2H,2W]"""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class Attention(nn.Module):
    """Cells of a plane attend to ``window`` x ``window`` cells of it, or of another plane of the same size.

    Those are their neighbours or, with ``spread``, cells evenly spaced over the whole plane. The plane's sides are multiples
    of ``window``. Scores have a relative position bias.
    """

    offsets: Tensor

    def __init__(self, width: int, heads: int, window: int, *, spread: bool) -> None:
        super().__init__()
        self.heads, self.window, self.spread = heads, window, spread
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.to_out = nn.Sequential(nn.Linear(width, width, bias=False))
        self.rel_pos_bias = nn.Embedding((2 * window - 1) ** 2, heads)
        cells = [divmod(cell, window) for cell in range(window**2)]
        across = 2 * window - 1
        offsets = [[(y - v + window - 1) * across + x - u + window - 1 for v, u in cells] for y, x in cells]
        self.register_buffer("offsets", torch.tensor(offsets), persistent=False)

    def forward(self, plane: Tensor, context: Tensor | None = None) -> Tensor:
        """[B,H,W,C] -> [B,H,W,C]; with ``context``, of the same shape, cells attend to it instead of ``plane``."""
        context = plane if context is None else context
        asked, keys, values = self.to_q(plane), self.to_k(context), self.to_v(context)
        bias = self.rel_pos_bias(self.offsets).movedim(-1, 0)[None]
        chunks = zip(*(self._split(part).split(max(CHUNK // self.heads, 1)) for part in (asked, keys, values)), strict=True)
        seen = [F.scaled_dot_product_attention(q, k, v, attn_mask=bias) for q, k, v in chunks]
        return self.to_out(self._join(torch.cat(seen), *plane.shape[:3]))

    def _split(self, plane: Tensor) -> Tensor:
        """[B,H,W,C] -> [N,heads,L,C/heads]: N windows of L cells."""
        side = self.window
        sides = (side, -1) if self.spread else (-1, side)
        tiles = plane.unflatten(3, (self.heads, -1)).unflatten(2, sides).unflatten(1, sides)
        order = (0, 2, 4, 5, 1, 3, 6) if self.spread else (0, 1, 3, 5, 2, 4, 6)
        return tiles.permute(order).flatten(4, 5).flatten(0, 2)

    def _join(self, windows: Tensor, batch: int, height: int, width: int) -> Tensor:
        """The inverse of `_split`."""
        side = self.window
        tiles = windows.unflatten(2, (side, side)).unflatten(0, (batch, height // side, width // side))
        order = (0, 4, 1, 5, 2, 3, 6) if self.spread else (0, 1, 4, 2, 5, 3, 6)
        return tiles.permute(order).reshape(batch, height, width, -1)


class FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        # The third layer dropped values in training.
        self.net = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Identity(), nn.Linear(4 * width, width))

    def forward(self, plane: Tensor) -> Tensor:
        return self.net(plane)


class Normed(nn.Module):
    """Adds to a plane [B,H,W,C] the output of ``fn`` for it, and for any context, all with the same normalisation."""

    def __init__(self, width: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = fn

    def forward(self, plane: Tensor, *context: Tensor) -> Tensor:
        return plane + self.fn(self.norm(plane), *(self.norm(part) for part in context))


class MaxAttention(nn.Module):
    """Attention among neighbours, then over the whole plane (MaxViT: Tu et al., ECCV 2022): [B,C,H,W] -> [B,C,H,W]."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.attn_block = Normed(width, Attention(width, heads, window, spread=False))
        self.ff_block = Normed(width, FeedForward(width))
        self.attn_grid = Normed(width, Attention(width, heads, window, spread=True))
        self.ff_grid = Normed(width, FeedForward(width))

    def forward(self, x: Tensor, *context: Tensor) -> Tensor:
        plane, seen = x.movedim(1, -1), [part.movedim(1, -1) for part in context]
        plane = self.ff_block(self.attn_block(plane, *seen))
        return self.ff_grid(self.attn_grid(plane, *seen)).movedim(-1, 1)


# --- the autoencoder ----------------------------------------------------------------------------------------------------------


class Features(NamedTuple):
    """Per-frame features: the latent plane [B,latent,h,w], and features at 1/2, 1/4, ... of the frame's size."""

    latent: Tensor
    pyramid: tuple[Tensor, ...]


def norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, width, eps=1e-6)


class Residual(nn.Module):
    """[B,C,H,W] -> [B,C',H,W]"""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = norm(inputs), conv(inputs, outputs)
        self.norm2, self.conv2 = norm(outputs), conv(outputs, outputs)
        self.nin_shortcut = shortcut(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        made = self.conv1(F.silu(self.norm1(x)))
        return self.nin_shortcut(x) + self.conv2(F.silu(self.norm2(made)))


class Middle(nn.Module):
    """Layers at the smallest size, with single-head attention."""

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.block_1, self.block_2 = Residual(width, width), Residual(width, width)
        self.attn_1 = MaxAttention(width, 1, window)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class Halve(nn.Module):
    """[B,C,H,W] -> [B,C,H/2,W/2], padded only on the right and at the bottom."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Down(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.block = nn.ModuleList([Residual(inputs, outputs)])
        self.downsample = Halve(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.downsample(self.block[0](x))


class Encoder(nn.Module):
    """[B,3,H,W], -1..1 -> `Features`."""

    def __init__(self, widths: Sequence[int], latent: int, window: int) -> None:
        super().__init__()
        self.conv_in = conv(3, widths[0])
        self.down = nn.ModuleList(Down(*ends) for ends in zip((widths[0], *widths), widths, strict=False))
        self.mid = Middle(widths[-1], window)
        self.norm_out, self.conv_out = norm(widths[-1]), conv(widths[-1], latent)

    def forward(self, rgb: Tensor) -> Features:
        pyramid: list[Tensor] = []
        x = self.conv_in(rgb)
        for level in self.down:
            x = level(x)
            pyramid.append(x)
        return Features(self.conv_out(F.silu(self.norm_out(self.mid(x)))), tuple(pyramid))


class Excite(nn.Module):
    """Squeeze-and-excitation: scales channels by a gate from their means over [B,C,H,W] (Hu, Shen and Sun, CVPR 2018)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # The published first layer takes the mean over the plane; `forward` does that.
        narrow = nn.Linear(width, width // 4, bias=False)
        self.gate = nn.Sequential(nn.Identity(), narrow, nn.SiLU(), nn.Linear(width // 4, width, bias=False), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x.mean((2, 3)))[:, :, None, None]


class CrossAttention(MaxAttention):
    """Cross-attention of [B,C,H,W] to the features of both frames, [B,2C,H,W]."""

    def __init__(self, width: int, window: int) -> None:
        super().__init__(width, width // HEAD, window)
        wide = 4 * width
        self.proj_in = nn.Sequential(
            *(nn.Conv2d(2 * width, wide, 1), nn.BatchNorm2d(wide), nn.GELU()),
            *(nn.Conv2d(wide, wide, 3, padding=1, groups=wide), nn.BatchNorm2d(wide), nn.GELU()),
            *(Excite(wide), nn.Conv2d(wide, width, 1), nn.BatchNorm2d(width)),
        )

    def forward(self, x: Tensor, *context: Tensor) -> Tensor:
        return super().forward(x, self.proj_in(torch.cat(context, dim=1)))


class Up(nn.Module):
    def __init__(self, inputs: int, outputs: int, window: int) -> None:
        super().__init__()
        self.block = nn.ModuleList([Residual(inputs, outputs)])
        self.cross_attn = CrossAttention(outputs, window)
        self.upsample = Double(outputs)

    def forward(self, x: Tensor, *context: Tensor) -> Tensor:
        return self.upsample(self.cross_attn(self.block[0](x), *context))


TAPS = 5
"""Side of a kernel."""

KERNEL = {"KernelVertical": TAPS, "KernelHorizontal": TAPS, "Alpha": TAPS**2, "Beta": TAPS**2}
"""Components of a frame's kernels and their channels: a column, a row, and the offsets of all taps down and right."""


def head(width: int, outputs: int) -> nn.Sequential:
    """Four convolutions with activations in between."""
    first, *others = (conv(*ends) for ends in ((width, 64), (64, 32), (32, outputs), (outputs, outputs)))
    return nn.Sequential(first, *(layer for other in others for layer in (nn.ReLU(), other)))


class Decoder(nn.Module):
    """Decodes the middle frame from its plane and its neighbours' features."""

    def __init__(self, widths: Sequence[int], latent: int, window: int) -> None:
        super().__init__()
        self.conv_in = conv(latent, widths[-1])
        self.mid = Middle(widths[-1], window)
        self.up = nn.ModuleList(Up(*ends, window) for ends in zip((*widths[1:], widths[-1]), widths, strict=True))
        self.norm_out, self.conv_out = norm(widths[0]), conv(widths[0], widths[0])
        for name, channels in KERNEL.items():
            for frame in (1, 2):
                self.add_module(f"module{name}{frame}", head(widths[0], channels))
        self.moduleMask = head(widths[0], TAPS**2)
        self.moduleResidual = head(widths[0], 3)

    def forward(self, latent: Tensor, features: Sequence[Features], frames: Sequence[Tensor]) -> Tensor:
        """[B,latent,h,w], and both ``frames`` [B,3,H,W] with their ``features`` -> [B,3,H,W] float32."""
        x = self.mid(self.conv_in(latent))
        for level, up in reversed(list(enumerate(self.up))):
            x = up(x, *(seen.pyramid[level] for seen in features))
        x = self.conv_out(F.silu(self.norm_out(x)))
        before = torch.sigmoid(self.moduleMask(x).float())
        made = self.moduleResidual(x).float()
        for number, frame, mask in zip((1, 2), frames, (before, 1 - before), strict=True):
            vertical, horizontal, down, right = (self.get_submodule(f"module{name}{number}")(x).float() for name in KERNEL)
            grown = F.pad(frame.float(), (TAPS // 2,) * 4, mode="replicate")
            made = made + deformable_separable_convolution(grown, vertical, horizontal, down, right, mask)
        return made


class Quantizer(nn.Module):
    """Codebook for the cells of a plane."""

    def __init__(self, codes: int, latent: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, latent)

    def nearest(self, latent: Tensor) -> Tensor:
        """[B,C,h,w] -> [B,h,w]: index of the code nearest to each cell."""
        cells = latent.float().movedim(1, -1)
        words = self.embedding.weight.float()
        # A matrix product would round differences away.
        far = torch.cdist(cells.flatten(0, 2), words, compute_mode="donot_use_mm_for_euclid_dist")
        return far.argmin(dim=1).reshape(cells.shape[:3])

    def forward(self, latent: Tensor) -> Tensor:
        """Replace each cell of [B,C,h,w] by its nearest code; gradients pass straight through."""
        words = self.embedding(self.nearest(latent)).movedim(-1, 1)
        return latent + (words - latent).detach()


class Autoencoder(nn.Module):
    def __init__(self, widths: Sequence[int], latent: int, codes: int, window: int) -> None:
        super().__init__()
        self.encoder = Encoder(widths, latent, window)
        self.decoder = Decoder(widths, latent, window)
        self.quantize = Quantizer(codes, latent)
        self.quant_conv, self.post_quant_conv = nn.Conv2d(latent, latent, 1), nn.Conv2d(latent, latent, 1)

    def encode(self, rgb: Tensor) -> Features:
        """[B,3,H,W], -1..1 -> `Features` whose plane is float32 and not yet quantised."""
        latent, pyramid = self.encoder(rgb.to(self.quant_conv.weight.dtype))
        return Features(self.quant_conv(latent).float(), pyramid)

    def decode(self, latent: Tensor, features: Sequence[Features], frames: Sequence[Tensor]) -> Tensor:
        """See `Decoder`."""
        return self.decoder(self.post_quant_conv(latent.to(self.post_quant_conv.weight.dtype)), features, frames)


# --- the denoising U-Net ------------------------------------------------------------------------------------------------------


class TimedResidual(nn.Module):
    """[B,C,h,w] and the embedding of a training step, [1,T] -> [B,C',h,w]"""

    def __init__(self, inputs: int, outputs: int, timed: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(nn.GroupNorm(GROUPS, inputs), nn.SiLU(), conv(inputs, outputs))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(timed, outputs))
        # The third layer dropped values in training.
        self.out_layers = nn.Sequential(nn.GroupNorm(GROUPS, outputs), nn.SiLU(), nn.Identity(), conv(outputs, outputs))
        self.skip_connection = shortcut(inputs, outputs)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        return self.skip_connection(x) + self.out_layers(self.in_layers(x) + self.emb_layers(time)[:, :, None, None])


class Shrink(nn.Module):
    """[B,C,h,w] -> [B,C,h/2,w/2]"""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.op = conv(width, width, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Stage(nn.ModuleList):
    """A sequence of layers that passes the training step to those that take it."""

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        for layer in self:
            x = layer(x, time) if isinstance(layer, TimedResidual) else layer(x)
        return x


class Denoiser(nn.Module):
    """Predicts the noise in a plane [B,latent,h,w], given both of its neighbours."""

    def __init__(self, widths: Sequence[int], blocks: int, latent: int, window: int) -> None:
        super().__init__()
        width, timed = widths[0], 4 * widths[0]
        self.width = width

        def stage(inputs: int, outputs: int) -> list[nn.Module]:
            return [TimedResidual(inputs, outputs, timed), MaxAttention(outputs, outputs // HEAD, window)]

        self.time_embed = nn.Sequential(nn.Linear(width, timed), nn.SiLU(), nn.Linear(timed, timed))
        self.input_blocks = nn.ModuleList([Stage([conv(3 * latent, width)])])
        kept = [width]
        for level, outputs in enumerate(widths):
            if level:
                self.input_blocks.append(Stage([Shrink(width)]))
                kept.append(width)
            for _ in range(blocks):
                self.input_blocks.append(Stage(stage(width, outputs)))
                width = outputs
                kept.append(width)
        self.middle_block = Stage([*stage(width, width), TimedResidual(width, width, timed)])
        self.output_blocks = nn.ModuleList()
        for level, outputs in reversed(list(enumerate(widths))):
            for left in reversed(range(blocks + 1)):
                layers = stage(width + kept.pop(), outputs)
                width = outputs
                self.output_blocks.append(Stage([*layers, Double(width)] if level and not left else layers))
        self.out = nn.Sequential(nn.GroupNorm(GROUPS, width), nn.SiLU(), conv(width, latent))

    def forward(self, noisy: Tensor, before: Tensor, after: Tensor, time: int) -> Tensor:
        """Planes [B,latent,h,w]; ``noisy`` may be [1,latent,h,w] for all of them -> [B,latent,h,w] float32."""
        like = next(self.parameters())
        told = self.time_embed(constant(waves(time, self.width)[0].tolist(), like.device)[None].to(like.dtype))
        x = torch.cat((noisy.expand_as(before), before, after), dim=1).to(like)
        kept: list[Tensor] = []
        for stage in self.input_blocks:
            x = stage(x, told)
            kept.append(x)
        x = self.middle_block(x, told)
        for stage in self.output_blocks:
            x = stage(torch.cat((x, kept.pop()), dim=1), told)
        return self.out(x).float()


def waves(time: int, count: int) -> Tensor:
    """Embed ``time`` as [1,count] cosines and sines, with wavelengths from 2 pi to 20000 pi."""
    phase = time * torch.exp(torch.arange(count // 2) * (-math.log(10000) / (count // 2)))
    return torch.cat((phase.cos(), phase.sin()))[None]


# --- the whole network --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Config:
    """Sizes, read from the shapes of the weights.

    ``widths``: channels of the autoencoder, finest level first, each level half the size of the last; ``latent``: channels of
    a plane; ``codes``: size of the codebook; ``window``: side of an attention window. ``denoiser``: widths of the
    U-Net, with ``blocks`` at each size; ``denoiser_window``: as ``window``.
    """

    widths: tuple[int, ...]
    latent: int
    codes: int
    window: int
    denoiser: tuple[int, ...]
    blocks: int
    denoiser_window: int

    @property
    def multiple(self) -> int:
        """Divisor of height and width at which windows fit at every size."""
        smallest = 2 ** len(self.widths)
        return math.lcm(self.window * smallest, self.denoiser_window * smallest * 2 ** (len(self.denoiser) - 1))

    @property
    def spec(self) -> Spec:
        # No tiles: group normalisation and attention span the whole frame.
        return Spec("ldmvfi", any_t=False, multiple=self.multiple, pad="reflect", tiles=False, activations=900, licence="MIT")


class Ldmvfi(nn.Module):
    """LDMVFI as an `Interpolator` that `Encodes`. Frames must suit ``spec.multiple``.

    ``sampling`` configures the diffusion and may be replaced at any time. The paper measured 200 steps with an eta of 1. All
    frames use the same noise: a frame depends only on its neighbours and the seed, and textures do not flicker.
    The paper's own code pads frames of more than 256 rows to a multiple of 512, although the network only needs 256.
    """

    def __init__(self, config: Config, sampling: Sampling = Sampling()) -> None:  # noqa: B008
        super().__init__()
        self.spec, self.sampling = config.spec, sampling
        self.first_stage_model = Autoencoder(config.widths, config.latent, config.codes, config.window)
        denoiser = Denoiser(config.denoiser, config.blocks, config.latent, config.denoiser_window)
        self.model = nn.ModuleDict({"diffusion_model": denoiser})
        self._kept: tuple[tuple[Sampling, tuple[int, ...], torch.device], list[Tensor]] | None = None

    @property
    def denoiser(self) -> Denoiser:
        return cast(Denoiser, self.model["diffusion_model"])

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        """Frames at ``t`` [B], all 1/2, from ``window`` [B or 1,2,3,H,W], 0..1: [B,3,H,W] in the window's type."""
        frames = window.unbind(1)
        return self.at(self.prepare([self.encode(rgb) for rgb in frames], frames), t)

    def encode(self, rgb: Tensor) -> Features:
        """Features of one frame, [B,3,H,W] in 0..1, computed once per frame."""
        check_size(self.spec, rgb)
        return self.first_stage_model.encode(2 * rgb.float() - 1)

    def prepare(self, features: Sequence[Features], frames: Sequence[Tensor]) -> Tensor:
        """The frame at t = 1/2, the only one, [B,3,H,W] in the window's type, from the `encode` output of both frames."""
        check_frames(self.spec, frames)
        made = self.render(self.first_stage_model.quantize(self.sample(features)), features, frames)
        return made.clamp(0, 1).to(frames[0].dtype)

    def at(self, prepared: Tensor, t: Tensor) -> Tensor:
        """The `prepare` result, repeated for every ``t`` [B]."""
        check_times(self.spec, t, len(prepared))
        return prepared.expand(len(t), -1, -1, -1)

    def sample(self, features: Sequence[Features], noise: Iterator[Tensor] | None = None) -> Tensor:
        """Sample the middle frame's plane, [B,latent,h,w] float32, from ``noise``, or from the seed of ``sampling``."""
        before, after = (seen.latent for seen in features)
        drawn = noise or iter(self._noise((1, *before.shape[1:]), before.device))
        return ddim(lambda x, time: self.denoiser(x, before, after, time), drawn, self.sampling)

    def _noise(self, shape: tuple[int, ...], device: torch.device) -> list[Tensor]:
        """The noise that `sampling` draws for a plane of ``shape``; the last is kept, as a copy to a device waits for it."""
        of = self.sampling, shape, device
        kept = self._kept
        if kept is None or kept[0] != of:
            draws = 1 + sum(step.fresh > 0 for step in schedule(self.sampling))
            with torch.inference_mode(False):
                made = [one.to(device) for one in islice(noise_of(self.sampling.seed, shape), draws)]
            self._kept = kept = of, made
        return kept[1]

    def render(self, latent: Tensor, features: Sequence[Features], frames: Sequence[Tensor]) -> Tensor:
        """Decode a plane: raw network output, [B,3,H,W] float32; values may lie slightly outside 0..1."""
        return (self.first_stage_model.decode(latent, features, [2 * rgb.float() - 1 for rgb in frames]) + 1) / 2


# --- from a state dict --------------------------------------------------------------------------------------------------------

AUTOENCODER, DENOISER = "first_stage_model", "model.diffusion_model"

UNUSED = re.compile(r"^first_stage_model\.(loss\.|decoder\.up\.\d+\.cross_attn\.out_conv\.)")
"""Parts used only in training, and layers of the published network that are never run."""


def config_of(state: Mapping[str, Tensor]) -> Config | None:
    """The `Config` given by the shapes in ``state``; None if the keys for it are missing."""

    def widths(key: str, first: int, step: int = 1) -> tuple[int, ...]:
        """Output channels of the convolutions in a series of numbered keys."""
        there = takewhile(state.__contains__, map(key.format, count(first, step)))
        return tuple(state[key].shape[0] for key in there)

    attention, convolution = ".attn_block.fn.rel_pos_bias.weight", ".input_blocks.{}.0.in_layers.2.weight"
    telling = {
        "words": f"{AUTOENCODER}.quantize.embedding.weight",
        "offsets": f"{AUTOENCODER}.decoder.moduleAlpha1.0.weight",
        "window": f"{AUTOENCODER}.encoder.mid.attn_1{attention}",
        "planes": f"{DENOISER}.input_blocks.0.0.weight",
        "denoiser_window": f"{DENOISER}.input_blocks.1.1{attention}",
    }
    levels = widths(AUTOENCODER + ".encoder.down.{}.block.0.conv1.weight", 0)
    blocks = len(widths(DENOISER + convolution, 1))
    if not levels or not blocks or not all(key in state for key in telling.values()):
        return None
    shape = {name: state[key].shape for name, key in telling.items()}
    codes, latent = shape["words"]
    if shape["planes"][1] != 3 * latent:
        return None
    window, denoiser_window = ((math.isqrt(shape[name][0]) + 1) // 2 for name in ("window", "denoiser_window"))
    return Config(levels, latent, codes, window, widths(DENOISER + convolution, 1, blocks + 1), blocks, denoiser_window)


def detect(state: Mapping[str, Tensor]) -> Spec | None:
    """Spec of the LDMVFI in ``state`` if it has both autoencoder and U-Net; else None."""
    config = config_of(state)
    return config.spec if config else None


def build(state: Mapping[str, Tensor], options: Options = Options()) -> Ldmvfi:  # noqa: B008
    """LDMVFI with the weights in ``state``; ``options.sampling`` configures the diffusion.

    Raises `InputError` for unsupported options or a broken ``state``.
    """
    config = config_of(state)
    if config is None:
        raise InputError(f"the weights are not LDMVFI's: they lack {AUTOENCODER} or {DENOISER}")
    check_options(config.spec.name, options, samples=True)
    net = Ldmvfi(config, options.sampling or Sampling())
    load_weights(net, published(state), config.spec.name)
    return net.eval()


def published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in a training script's ``state`` that the paper measured: the U-Net's moving average (EMA), if it is there.

    EMA names have no dots. The autoencoder is stored twice; only one copy is used.
    """
    kept = {key: value for key, value in state.items() if key.startswith((f"{AUTOENCODER}.", f"{DENOISER}."))}
    return {
        key: state.get("model_ema." + key.removeprefix("model.").replace(".", ""), value)
        for key, value in kept.items()
        if not UNUSED.match(key)
    }


# --- published weights --------------------------------------------------------------------------------------------------------

CHECKPOINTS: tuple[Checkpoint, ...] = (
    Checkpoint(
        "ldmvfi",
        ("ldmvfi-vqflow-f32-c256-concat_max.safetensors",),
        "MIT",
        note="ldmvfi-vqflow-f32-c256-concat_max.ckpt, from the Google Drive link of github.com/danier97/LDMVFI, converted",
        link="https://github.com/danier97/LDMVFI",
        published=("ldmvfi-vqflow-f32-c256-concat_max.ckpt",),
    ),
)

SUITS: dict[str, str] = {"ldmvfi": "sharp texture in the middle frame, by diffusion; very slow"}
