"""The layers of Stable Video Diffusion: each processes single frames first, then works along time.

Blattmann et al., "Stable Video Diffusion: Scaling Latent Video Diffusion Models to Large Datasets", 2023. Owns diffusers'
names of the published parameters, and the arithmetic. Frames are stacked in the batch, [B*F,C,H,W]; only the layers along time
separate the B clips of F frames. Knows nothing of whole networks, noise or files.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Attend: TypeAlias = "Callable[[Tensor, Tensor, Tensor, int], Tensor]"
"""(queries [B,L,C], keys [B,M,C], values [B,M,C], heads) -> [B,L,C]"""

Order = Literal["fixed", "legacy"]

GROUPS = 32
"""Groups of group normalisation."""


def attend(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """PyTorch's scaled dot-product attention with ``heads`` heads: see `Attend`."""
    q, k, v = (split(part, heads) for part in (queries, keys, values))
    return join(F.scaled_dot_product_attention(q, k, v))


def split(x: Tensor, heads: int) -> Tensor:
    """[B,L,C] -> [B,heads,L,C/heads]"""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def join(x: Tensor) -> Tensor:
    """The inverse of `split`."""
    return x.transpose(1, 2).flatten(2)


@dataclass(frozen=True)
class Build:
    """The building blocks of a network.

    ``operations`` provides the classes Linear, Conv1d, Conv2d, Conv3d, GroupNorm and LayerNorm, called like those of
    ``torch.nn``; ``attention`` is an `Attend`. ``order``: whose context a pixel attends to along time if a batch holds
    several clips. "fixed" uses its own clip's. "legacy" uses that of clip number (pixel number modulo the number of clips),
    which mixes guided and unguided contexts. Framer's and Generative Inbetweening's published code and diffusers before 0.28
    do that; "legacy" only serves to reproduce their results.
    """

    operations: Any = nn
    attention: Attend = attend
    device: torch.device | str | None = None
    dtype: torch.dtype | None = None
    order: Order = "fixed"

    def linear(self, inputs: int, outputs: int, *, bias: bool = True) -> nn.Module:
        return self.operations.Linear(inputs, outputs, bias=bias, device=self.device, dtype=self.dtype)

    def cell_conv(self, inputs: int, outputs: int) -> nn.Module:
        """Convolution of width 1 over the cells of [B,C,L]: a linear layer that is published as a convolution."""
        return self.operations.Conv1d(inputs, outputs, 1, device=self.device, dtype=self.dtype)

    def conv(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, padding: int | None = None) -> nn.Module:
        """Convolution over the plane; keeps the size, or halves it with ``stride`` 2, unless ``padding`` is given."""
        padding = kernel // 2 if padding is None else padding
        return self.operations.Conv2d(inputs, outputs, kernel, stride, padding, device=self.device, dtype=self.dtype)

    def time_conv(self, inputs: int, outputs: int) -> nn.Module:
        """Convolution over three frames of [B,C,F,H,W]."""
        return self.operations.Conv3d(inputs, outputs, (3, 1, 1), padding=(1, 0, 0), device=self.device, dtype=self.dtype)

    def group_norm(self, width: int, eps: float) -> nn.Module:
        return self.operations.GroupNorm(GROUPS, width, eps=eps, device=self.device, dtype=self.dtype)

    def layer_norm(self, width: int) -> nn.Module:
        return self.operations.LayerNorm(width, device=self.device, dtype=self.dtype)

    def parameter(self, *shape: int) -> nn.Parameter:
        return nn.Parameter(torch.zeros(shape, device=self.device, dtype=self.dtype))


class Given(NamedTuple):
    """The conditioning that each layer gets besides its input, for B clips of ``frames`` frames.

    ``time`` [B,T]: embedding of noise level and ids, already activated; None in an autoencoder. ``context`` [B,N,C]: the
    tokens of the keyframes, for cross-attention.
    """

    frames: int
    time: Tensor | None
    context: Tensor | None


def waves(values: Tensor, width: int) -> Tensor:
    """Sinusoidal embedding [N,width], float32, of numbers [N]: cosines, then sines (Vaswani et al., 2017, section 3.5)."""
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=values.device)
    angles = values.float()[:, None] * torch.exp(-math.log(10000) / half * steps)
    return torch.cat((angles.cos(), angles.sin()), dim=1)


class Embedding(nn.Module):
    def __init__(self, build: Build, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.linear_1, self.linear_2 = build.linear(inputs, width), build.linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(F.silu(self.linear_1(x)))


class Mix(nn.Module):
    """A blend of the spatial and the temporal result in a learned proportion.

    ``towards_time``: a larger parameter means more of the temporal result instead of the spatial one.
    """

    def __init__(self, build: Build, *, towards_time: bool = False) -> None:
        super().__init__()
        self.mix_factor = build.parameter(1)
        self.sign = -1 if towards_time else 1

    def forward(self, spatial: Tensor, temporal: Tensor) -> Tensor:
        share = torch.sigmoid(self.sign * self.mix_factor).to(spatial)
        return (share * spatial).add_((1 - share) * temporal)


# --- convolution --------------------------------------------------------------------------------------------------------------


class Spatial(nn.Module):
    """[B*F,C,H,W] -> [B*F,C',H,W], frame by frame; ``time`` is the width of `Given.time`, None without one."""

    def __init__(self, build: Build, inputs: int, outputs: int, time: int | None, eps: float) -> None:
        super().__init__()
        self.norm1, self.conv1 = build.group_norm(inputs, eps), build.conv(inputs, outputs)
        self.time_emb_proj = None if time is None else build.linear(time, outputs)
        self.norm2, self.conv2 = build.group_norm(outputs, eps), build.conv(outputs, outputs)
        self.conv_shortcut = None if inputs == outputs else build.conv(inputs, outputs, kernel=1)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        made = self.conv1(F.silu(self.norm1(x)))
        if self.time_emb_proj is not None:
            made = made + self.time_emb_proj(given.time).repeat_interleave(given.frames, dim=0)[:, :, None, None]
        made = self.conv2(F.silu(self.norm2(made)))
        return made + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Temporal(nn.Module):
    """[B,C,F,H,W] -> the same shape, along time."""

    def __init__(self, build: Build, width: int, time: int | None, eps: float) -> None:
        super().__init__()
        self.norm1, self.conv1 = build.group_norm(width, eps), build.time_conv(width, width)
        self.time_emb_proj = None if time is None else build.linear(time, width)
        self.norm2, self.conv2 = build.group_norm(width, eps), build.time_conv(width, width)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        made = self.conv1(F.silu(self.norm1(x)))
        if self.time_emb_proj is not None:
            made = made + self.time_emb_proj(given.time)[:, :, None, None, None]
        made = F.silu(self.norm2(made))
        return x + self.conv2(made)


class Residual(nn.Module):
    """[B*F,C,H,W] -> [B*F,C',H,W], over the plane and along time."""

    def __init__(
        self,
        build: Build,
        inputs: int,
        outputs: int,
        time: int | None,
        *,
        eps: float,
        temporal_eps: float | None = None,
        towards_time: bool = False,
    ) -> None:
        super().__init__()
        self.spatial_res_block = Spatial(build, inputs, outputs, time, eps)
        self.temporal_res_block = Temporal(build, outputs, time, eps if temporal_eps is None else temporal_eps)
        self.time_mixer = Mix(build, towards_time=towards_time)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        x = self.spatial_res_block(x, given)
        clips = x.unflatten(0, (-1, given.frames)).transpose(1, 2)
        return self.time_mixer(clips, self.temporal_res_block(clips, given)).transpose(1, 2).flatten(0, 1)


class Halve(nn.Module):
    """[B,C,H,W] -> [B,C,H/2,W/2]"""

    def __init__(self, build: Build, width: int) -> None:
        super().__init__()
        self.conv = build.conv(width, width, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Grow(nn.Module):
    """[B,C,h,w] -> [B,C,H,W] at ``size`` (H, W), about twice as large."""

    def __init__(self, build: Build, width: int) -> None:
        super().__init__()
        self.conv = build.conv(width, width)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        return self.conv(F.interpolate(x, size=size, mode="nearest"))


# --- attention ----------------------------------------------------------------------------------------------------------------


class Attention(nn.Module):
    """[B,L,C] -> [B,L,C]; attends to ``seen`` [B,M,context], or to the input itself without it."""

    def __init__(self, build: Build, width: int, heads: int, context: int | None = None) -> None:
        super().__init__()
        self.heads, self.attend = heads, build.attention
        self.to_q = build.linear(width, width, bias=False)
        self.to_k, self.to_v = (build.linear(context or width, width, bias=False) for _ in range(2))
        self.to_out = nn.Sequential(build.linear(width, width))

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        seen = x if seen is None else seen
        return self.to_out(self.attend(self.to_q(x), self.to_k(seen), self.to_v(seen), self.heads))


class Gated(nn.Module):
    """A linear layer, one half of which gates the other (Shazeer, "GLU variants", 2020)."""

    def __init__(self, build: Build, width: int, outputs: int) -> None:
        super().__init__()
        self.proj = build.linear(width, 2 * outputs)

    def forward(self, x: Tensor) -> Tensor:
        made, gate = self.proj(x).chunk(2, dim=-1)
        return made * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, build: Build, width: int) -> None:
        super().__init__()
        # The Identity stands for the dropout layer of training.
        self.net = nn.Sequential(Gated(build, width, 4 * width), nn.Identity(), build.linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class SpatialTransformer(nn.Module):
    """[B*F,L,C] -> the same shape: the cells of a frame attend to each other and to the context."""

    def __init__(self, build: Build, width: int, heads: int, context: int) -> None:
        super().__init__()
        self.norm1, self.attn1 = build.layer_norm(width), Attention(build, width, heads)
        self.norm2, self.attn2 = build.layer_norm(width), Attention(build, width, heads, context)
        self.norm3, self.ff = build.layer_norm(width), FeedForward(build, width)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        x = x + self.attn1(self.norm1(x))
        asked = self.norm2(x).unflatten(0, (-1, given.frames)).flatten(1, 2)
        x = x + self.attn2(asked, given.context).reshape(x.shape)
        return x + self.ff(self.norm3(x))


class TemporalTransformer(nn.Module):
    """[B*F,L,C] -> the same shape: each cell attends to itself in all frames and to the context."""

    def __init__(self, build: Build, width: int, heads: int, context: int) -> None:
        super().__init__()
        self.order = build.order
        self.norm_in, self.ff_in = build.layer_norm(width), FeedForward(build, width)
        self.norm1, self.attn1 = build.layer_norm(width), Attention(build, width, heads)
        self.norm2, self.attn2 = build.layer_norm(width), Attention(build, width, heads, context)
        self.norm3, self.ff = build.layer_norm(width), FeedForward(build, width)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        cells = x.shape[1]
        x = x.unflatten(0, (-1, given.frames)).transpose(1, 2).flatten(0, 1)
        x = x + self.ff_in(self.norm_in(x))
        x = x + self.attn1(self.norm1(x))
        x = x + self._look(self.norm2(x), given)
        x = x + self.ff(self.norm3(x))
        return x.unflatten(0, (-1, cells)).transpose(1, 2).flatten(0, 1)

    def _look(self, x: Tensor, given: Given) -> Tensor:
        """Cross-attention from the cells [B*L,F,C] to the context."""
        assert given.context is not None
        clips = len(given.context)
        if self.order == "fixed":
            return self.attn2(x.reshape(clips, -1, x.shape[-1]), given.context).reshape(x.shape)
        mixed = x.unflatten(0, (-1, clips)).transpose(0, 1)
        return self.attn2(mixed.flatten(1, 2), given.context).reshape(mixed.shape).transpose(0, 1).flatten(0, 1)


class Transformer(nn.Module):
    """[B*F,C,H,W] -> the same shape: attention over the plane and along time."""

    def __init__(self, build: Build, width: int, heads: int, context: int) -> None:
        super().__init__()
        self.width = width
        self.norm = build.group_norm(width, 1e-6)
        self.proj_in = build.linear(width, width)
        self.transformer_blocks = nn.ModuleList([SpatialTransformer(build, width, heads, context)])
        self.temporal_transformer_blocks = nn.ModuleList([TemporalTransformer(build, width, heads, context)])
        self.time_pos_embed = Embedding(build, width, 4 * width, width)
        self.time_mixer = Mix(build)
        self.proj_out = build.linear(width, width)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        cells = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))
        place = self.time_pos_embed(waves(torch.arange(given.frames, device=x.device), self.width).to(x.dtype))
        place = place.repeat(len(x) // given.frames, 1)[:, None]
        for spatial, temporal in zip(self.transformer_blocks, self.temporal_transformer_blocks, strict=True):
            cells = spatial(cells, given)
            cells = self.time_mixer(cells, temporal(cells + place, given))
        return x + self.proj_out(cells).transpose(1, 2).reshape(x.shape)
