"""The UNet that DynamiCrafter and ToonCrafter share.

Xing et al., "DynamiCrafter", ECCV 2024, whose layers along time come from VideoCrafter (Chen et al., 2023). Owns the layers and
their assembly; parameter names are the published ones, and every size comes from the parameters' shapes. Frames are stacked in
the batch, [B*F,C,H,W], and only the layers along time separate the B clips of F frames. Knows nothing of noise schedules,
pictures or files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core import InputError
from ...ops.checks import load_weights
from ..layers import Attention, Build, FeedForward, waves
from ..svd import HEAD, Control, looks_like

TOKENS = 16
"""Tokens of the picture for each frame."""

FS = 24
"""The number for the frame rate where none is given."""

RESIDUAL_EPS, ATTENTION_EPS = 1e-5, 1e-6

AT_ONCE = 16384
"""Cells that are computed together where they are independent: a feed-forward layer makes them eight times as wide, and some
kernels of attention take at most 65535 rows."""

State: TypeAlias = "Mapping[str, Tensor]"
Net = TypeVar("Net", bound="UNet")


@dataclass(frozen=True)
class Sizes:
    """A network's sizes, read from the shapes of a checkpoint.

    ``inputs``, ``outputs``: channels of the latents. ``widths``: channels per level, each of ``layers`` layers; ``attended``:
    which levels have attention. ``context``: width of a token. ``first``: width of the attention along time before the first
    level. ``learnable``: whether each layer has a learnt weight of the picture.
    """

    inputs: int
    outputs: int
    widths: tuple[int, ...]
    layers: int
    attended: tuple[bool, ...]
    context: int
    first: int
    learnable: bool

    @classmethod
    def read(cls, state: State) -> Sizes:
        """Raises `InputError`, which names the kind of weights, unless they are such a UNet."""
        shapes = {key: tuple(value.shape) for key, value in state.items()}
        try:
            halvings = sum(key.startswith("input_blocks.") and key.endswith(".0.op.weight") for key in shapes)
            blocks = len({key.split(".")[1] for key in shapes if key.startswith("input_blocks.")})
            # A level is its layers and a halving; the last has none, but there is the convolution before the first.
            period = blocks // (halvings + 1)
            firsts = [f"input_blocks.{1 + level * period}" for level in range(halvings + 1)]
            sizes = cls(
                inputs=shapes["input_blocks.0.0.weight"][1],
                outputs=shapes["out.2.weight"][0],
                widths=tuple(shapes[f"{first}.0.in_layers.2.weight"][0] for first in firsts),
                layers=period - 1,
                attended=tuple(f"{first}.1.norm.weight" in shapes for first in firsts),
                context=shapes["middle_block.1.transformer_blocks.0.attn2.to_k_ip.weight"][1],
                first=shapes["init_attn.0.proj_in.weight"][0],
                learnable="middle_block.1.transformer_blocks.0.attn2.alpha" in shapes,
            )
        except (KeyError, IndexError) as error:
            raise InputError(
                f"these weights are {looks_like(state)}: the UNet of DynamiCrafter or ToonCrafter is needed"
            ) from error
        if sizes.inputs != 2 * sizes.outputs:
            raise InputError(
                f"the UNet takes {sizes.inputs} channels and gives {sizes.outputs}: "
                f"one for two keyframes takes twice as many as it gives"
            )
        return sizes

    @property
    def across(self) -> list[int]:
        """Channels of the skip connections: after the first convolution, each layer, and each halving."""
        return [self.widths[0], *(width for width in self.widths for _ in range(self.layers + 1))][:-1]

    @property
    def head(self) -> int:
        """Channels per head, which shapes do not reveal: `HEAD`, or half the first width in networks too narrow for that."""
        return HEAD if self.widths[0] % HEAD == 0 else self.widths[0] // 2

    @property
    def time(self) -> int:
        """Width of the embedding of noise level and frame rate."""
        return 4 * self.widths[0]


HEADS_FIRST = 8
"""Heads of the attention before the first level, whatever its width."""


class Context(NamedTuple):
    """What the network is told besides the keyframes' latents: tokens of a ``text`` [B,N,C] and of a ``picture`` [B,M,C].

    M = 16*F gives each of F frames its own tokens; otherwise every frame sees all.
    """

    text: Tensor
    picture: Tensor

    @property
    def joined(self) -> Tensor:
        """All tokens, [B,N+M,C]."""
        return torch.cat(self, dim=1)


class Given(NamedTuple):
    """The conditioning that each layer gets besides its input, for B clips of ``frames`` frames.

    ``time`` [B,T]: embedding of noise level and frame rate. ``text`` [B,N,C]: tokens of the text. ``pictures``: tokens of the
    picture, [B*F,16,C] if every frame has its own, or [B,N,C] if all frames of a clip see the same.
    """

    frames: int
    time: Tensor
    text: Tensor
    pictures: Tensor


def clips(x: Tensor, given: Given) -> Tensor:
    """[B*F,C,...] -> [B,C,F,...]"""
    return x.unflatten(0, (-1, given.frames)).transpose(1, 2)


def frames(x: Tensor) -> Tensor:
    """The inverse of `clips`."""
    return x.transpose(1, 2).flatten(0, 1)


def parts(x: Tensor) -> Sequence[Tensor]:
    """[B,L,C] in parts of at most `AT_ONCE` cells, if rows are not longer than that."""
    return x.split(max(1, AT_ONCE // x.shape[1]))


# --- convolution --------------------------------------------------------------------------------------------------------------


class AlongTime(nn.Module):
    """[B,C,F,H,W] -> the same shape: four convolutions over three frames."""

    def __init__(self, build: Build, width: int) -> None:
        super().__init__()
        self.conv1 = self._layer(build, width, dropout=False)
        self.conv2, self.conv3, self.conv4 = (self._layer(build, width, dropout=True) for _ in range(3))

    @staticmethod
    def _layer(build: Build, width: int, *, dropout: bool) -> nn.Sequential:
        norm, conv = build.group_norm(width, RESIDUAL_EPS), build.time_conv(width, width)
        # The Identity stands for the dropout layer of training.
        return nn.Sequential(norm, nn.SiLU(), *([nn.Identity()] if dropout else []), conv)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv4(self.conv3(self.conv2(self.conv1(x))))


class Residual(nn.Module):
    """[B*F,C,H,W] -> [B*F,C',H,W], over the plane and then along time."""

    def __init__(self, build: Build, inputs: int, outputs: int, time: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(build.group_norm(inputs, RESIDUAL_EPS), nn.SiLU(), build.conv(inputs, outputs))
        self.emb_layers = nn.Sequential(nn.SiLU(), build.linear(time, outputs))
        self.out_layers = nn.Sequential(
            build.group_norm(outputs, RESIDUAL_EPS), nn.SiLU(), nn.Identity(), build.conv(outputs, outputs)
        )
        self.skip_connection = nn.Identity() if inputs == outputs else build.conv(inputs, outputs, kernel=1)
        self.temopral_conv = AlongTime(build, outputs)  # the published name, misspelt there

    def forward(self, x: Tensor, given: Given) -> Tensor:
        made = self.in_layers(x)
        made = made + self.emb_layers(given.time).repeat_interleave(given.frames, dim=0)[:, :, None, None]
        made = self.skip_connection(x) + self.out_layers(made)
        return frames(self.temopral_conv(clips(made, given)))


class Halve(nn.Module):
    """[B,C,H,W] -> [B,C,H/2,W/2]"""

    def __init__(self, build: Build, width: int) -> None:
        super().__init__()
        self.op = build.conv(width, width, stride=2)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        return self.op(x)


class Double(nn.Module):
    """[B,C,H,W] -> [B,C,2*H,2*W]"""

    def __init__(self, build: Build, width: int) -> None:
        super().__init__()
        self.conv = build.conv(width, width)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


# --- attention ----------------------------------------------------------------------------------------------------------------


class Cross(Attention):
    """[B*F,L,C] -> the same shape: attends to the text and, apart from it, to the picture, and adds both."""

    def __init__(self, build: Build, width: int, heads: int, context: int, *, learnable: bool) -> None:
        super().__init__(build, width, heads, context)
        self.to_k_ip, self.to_v_ip = (build.linear(context, width, bias=False) for _ in range(2))
        self.alpha = build.parameter() if learnable else None

    def look(self, x: Tensor, given: Given) -> Tensor:
        asked = self.to_q(x)
        text = self._seen(asked, self.to_k(given.text), self.to_v(given.text))
        picture = self._seen(asked, self.to_k_ip(given.pictures), self.to_v_ip(given.pictures))
        if self.alpha is not None:
            picture = picture * (torch.tanh(self.alpha) + 1).to(picture)
        return self.to_out(text + picture)

    def _seen(self, asked: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Frames that share their keys become one row, so that keys are not repeated."""
        return self.attend(asked.reshape(len(keys), -1, asked.shape[-1]), keys, values, self.heads).reshape(asked.shape)


class Block(nn.Module):
    """[B,L,C] -> the same shape: attention to itself, ``attn2``, and a feed-forward layer."""

    def __init__(self, build: Build, width: int, heads: int, attn2: Attention) -> None:
        super().__init__()
        self.norm1, self.attn1 = build.layer_norm(width), Attention(build, width, heads)
        self.norm2, self.attn2 = build.layer_norm(width), attn2
        self.norm3, self.ff = build.layer_norm(width), FeedForward(build, width)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        x = x + self.attn1(self.norm1(x))
        asked = self.norm2(x)
        x = x + (self.attn2.look(asked, given) if isinstance(self.attn2, Cross) else self.attn2(asked))
        return torch.cat([part + self.ff(self.norm3(part)) for part in parts(x)])


class OverPlane(nn.Module):
    """[B*F,C,H,W] -> the same shape: the cells of a frame attend to each other, to the text and to the picture."""

    def __init__(self, build: Build, width: int, sizes: Sizes) -> None:
        super().__init__()
        heads = width // sizes.head
        self.norm, self.proj_in = build.group_norm(width, ATTENTION_EPS), build.linear(width, width)
        cross = Cross(build, width, heads, sizes.context, learnable=sizes.learnable)
        self.transformer_blocks = nn.ModuleList([Block(build, width, heads, cross)])
        self.proj_out = build.linear(width, width)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        cells = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))
        for block in self.transformer_blocks:
            cells = block(cells, given)
        return x + self.proj_out(cells).transpose(1, 2).reshape(x.shape)


class OverTime(nn.Module):
    """[B*F,C,H,W] -> the same shape: each cell attends to itself in all frames, twice.

    Nothing tells the frames apart but what is in them. ``inner``: width of the attention, if it has one of its own; the
    projections are convolutions then.
    """

    def __init__(self, build: Build, width: int, heads: int, inner: int | None = None) -> None:
        super().__init__()
        self.convolves = inner is not None
        inner = inner or width
        project = build.cell_conv if self.convolves else build.linear
        self.norm, self.proj_in = build.group_norm(width, ATTENTION_EPS), project(width, inner)
        self.transformer_blocks = nn.ModuleList([Block(build, inner, heads, Attention(build, inner, heads))])
        self.proj_out = project(inner, width)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        count, size = given.frames, x.shape[-2] * x.shape[-1]
        cells = frames(self.norm(clips(x, given))).flatten(2)  # [B*F,C,L]
        cells = self.proj_in(cells).transpose(1, 2) if self.convolves else self.proj_in(cells.transpose(1, 2))
        cells = cells.unflatten(0, (-1, count)).transpose(1, 2).flatten(0, 1)  # [B*L,F,C]
        for block in self.transformer_blocks:
            cells = torch.cat([block(part, given) for part in parts(cells)])
        cells = cells.unflatten(0, (-1, size)).transpose(1, 2).flatten(0, 1)  # [B*F,L,C]
        cells = self.proj_out(cells.transpose(1, 2)) if self.convolves else self.proj_out(cells).transpose(1, 2)
        return x + cells.reshape(x.shape)


# --- network ------------------------------------------------------------------------------------------------------------------


class Chain(nn.ModuleList):
    """Layers one after the other, each with the conditioning."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(layers)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        for layer in self:
            x = layer(x, given)
        return x


def embedding(build: Build, inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(build.linear(inputs, width), nn.SiLU(), build.linear(width, width))


class UNet(nn.Module):
    """Predicts v from noisy latents (Salimans and Ho, 2022). The clips of a batch are independent of each other."""

    def __init__(self, sizes: Sizes, build: Build | None = None) -> None:
        super().__init__()
        build = build or Build()
        self.sizes = sizes
        narrow, levels = sizes.widths[0], range(len(sizes.widths))
        self.time_embed = embedding(build, narrow, sizes.time)
        self.fps_embedding = embedding(build, narrow, sizes.time)
        self.init_attn = Chain(OverTime(build, narrow, HEADS_FIRST, sizes.first))
        downs: list[nn.Module] = [nn.Sequential(build.conv(sizes.inputs, narrow))]
        before = narrow
        for level in levels:
            for _ in range(sizes.layers):
                downs.append(Chain(*self._layer(build, before, level)))
                before = sizes.widths[level]
            if level != levels[-1]:
                downs.append(Chain(Halve(build, before)))
        self.input_blocks = nn.ModuleList(downs)
        first, last = (Residual(build, before, before, sizes.time) for _ in range(2))
        self.middle_block = Chain(first, *self._attention(build, before), last)
        ups, handed = [], sizes.across
        for level in reversed(levels):
            for layer in range(sizes.layers + 1):
                parts = self._layer(build, before + handed.pop(), level)
                before = sizes.widths[level]
                grown = [Double(build, before)] if level and layer == sizes.layers else []
                ups.append(Chain(*parts, *grown))
        self.output_blocks = nn.ModuleList(ups)
        self.out = nn.Sequential(build.group_norm(narrow, RESIDUAL_EPS), nn.SiLU(), build.conv(narrow, sizes.outputs))

    def _layer(self, build: Build, inputs: int, level: int) -> list[nn.Module]:
        width = self.sizes.widths[level]
        attention = self._attention(build, width) if self.sizes.attended[level] else []
        return [Residual(build, inputs, width, self.sizes.time), *attention]

    def _attention(self, build: Build, width: int) -> list[nn.Module]:
        return [OverPlane(build, width, self.sizes), OverTime(build, width, width // self.sizes.head)]

    def given(self, latents: Tensor, time: Tensor, context: Context, fs: Tensor | None) -> Given:
        """Check the sizes and embed the conditioning for every layer. Raises `InputError`."""
        sizes, multiple = self.sizes, 2 ** (len(self.sizes.widths) - 1)
        if latents.ndim != 5 or latents.shape[2] != sizes.inputs:
            raise InputError(
                f"latents of shape {list(latents.shape)} were given: [clips, frames, {sizes.inputs}, height, width] is needed"
            )
        count, length, _, height, width = latents.shape
        if height % multiple or width % multiple:
            raise InputError(f"latents of {width}x{height} were given: width and height must be multiples of {multiple}")
        for name, tokens in context._asdict().items():
            if tokens.ndim != 3 or tokens.shape[::2] != (count, sizes.context):
                raise InputError(
                    f"{name} tokens of shape {list(tokens.shape)} were given: [{count}, tokens, {sizes.context}] is needed"
                )
        fs = torch.tensor(FS, device=latents.device) if fs is None else fs
        for name, numbers in (("time", time), ("fs", fs)):
            if numbers.shape not in ((), (count,)):
                raise InputError(f"{name} of shape {list(numbers.shape)} was given: one number, or {count}, are needed")
        level, rate = (waves(numbers.expand(count), sizes.widths[0]).to(latents) for numbers in (time, fs))
        pictures = context.picture
        if pictures.shape[1] == TOKENS * length:
            pictures = pictures.unflatten(1, (length, TOKENS)).flatten(0, 1)
        return Given(length, self.time_embed(level) + self.fps_embedding(rate), context.text, pictures)

    def forward(
        self, latents: Tensor, time: Tensor, context: Context, fs: Tensor | None = None, control: Control | None = None
    ) -> Tensor:
        """[B,F,inputs,H,W] -> [B,F,outputs,H,W].

        ``latents``: the noisy ones, then those of the keyframes at the first and the last frame and zeros between. ``time`` []
        or [B]: steps of noise, 0 to 999. ``context``: tokens of B texts and pictures. ``fs`` [] or [B]: the number for the
        frame rate, 5 to 30; `FS` if None. ``control``, of a batch of B*F, is added to the skip connections and the middle.
        Raises `InputError`.
        """
        given = self.given(latents, time, context, fs)
        first, *downs = self.input_blocks
        x = self.init_attn(first(latents.flatten(0, 1)), given)
        across = [x]
        for block in downs:
            x = block(x, given)
            across.append(x)
        x = self.middle_block(x, given)
        if control is not None:
            x = x + control.middle
            across = [own + more for own, more in zip(across, control.across, strict=True)]
        for block in self.output_blocks:
            x = block(torch.cat((x, across.pop()), dim=1), given)
        return self.out(x).unflatten(0, (-1, given.frames))


def loaded(kind: type[Net], state: State, build: Build | None = None) -> Net:
    """A UNet that uses the tensors of ``state`` themselves, in their own precision and on their own device.

    Allocates nothing, so meta tensors work too. Raises `InputError` if a tensor is missing, unknown or of the wrong shape.
    """
    net = kind(Sizes.read(state), replace(build or Build(), device="meta"))
    load_weights(net, state, looks_like(state), assign=True)
    return net.eval().requires_grad_(False)


def unet(state: State, build: Build | None = None) -> UNet:
    """DynamiCrafter's or ToonCrafter's UNet: see `loaded`."""
    return loaded(UNet, state, build)
