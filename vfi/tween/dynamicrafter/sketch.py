"""ToonCrafter's sketch encoder, a ControlNet that makes the frames follow line drawings.

Xing et al., "ToonCrafter: Generative Cartoon Interpolation", ACM Transactions on Graphics 43(6), 2024; Zhang, Rao and Agrawala,
"Adding Conditional Control to Text-to-Image Diffusion Models", ICCV 2023. Works on single frames: nothing passes between them.
Owns the assembly of the layers, whose sizes come from the parameters' shapes. Knows nothing of noise schedules, pictures or
files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ...core import InputError
from ...ops.checks import load_weights
from ..checkpoint import renamed
from ..layers import Build, Given, Spatial, SpatialTransformer, waves
from ..svd import HEAD, Control, counted, looks_like
from .unet import ATTENTION_EPS, RESIDUAL_EPS, Chain, Halve, embedding

CELL = 8
"""Side of a latent cell, in pixels of a drawing."""

HINTS = 8
"""Convolutions that embed drawings."""

NAMES = (
    (r"\.in_layers\.0\.", ".norm1."),
    (r"\.in_layers\.2\.", ".conv1."),
    (r"\.emb_layers\.1\.", ".time_emb_proj."),
    (r"\.out_layers\.0\.", ".norm2."),
    (r"\.out_layers\.3\.", ".conv2."),
    (r"\.skip_connection\.", ".conv_shortcut."),
)
"""(pattern, replacement) from the published names of a layer to those of `layers.Spatial`."""


class OverPlane(nn.Module):
    """[B*F,C,H,W] -> the same shape: the cells of a frame attend to each other and to all tokens of their clip."""

    def __init__(self, build: Build, width: int, heads: int, context: int) -> None:
        super().__init__()
        self.norm, self.proj_in = build.group_norm(width, ATTENTION_EPS), build.linear(width, width)
        self.transformer_blocks = nn.ModuleList([SpatialTransformer(build, width, heads, context)])
        self.proj_out = build.linear(width, width)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        cells = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))
        for block in self.transformer_blocks:
            cells = block(cells, given)
        return x + self.proj_out(cells).transpose(1, 2).reshape(x.shape)


class SketchEncoder(nn.Module):
    """Computes the `Control` that makes the frames of a `unet.UNet` follow drawings."""

    def __init__(self, state: Mapping[str, Tensor], build: Build | None = None) -> None:
        """``state``: tensors under the names of this module, of which only the shapes are read. Raises KeyError."""
        super().__init__()
        build = build or Build()
        self.inputs, self.width = state["input_blocks.0.0.weight"].shape[1], state["input_blocks.0.0.weight"].shape[0]
        self.context = state["middle_block.1.transformer_blocks.0.attn2.to_k.weight"].shape[1]
        self.time_embed = embedding(build, self.width, 4 * self.width)
        blocks: list[nn.Module] = [nn.Sequential(build.conv(self.inputs, self.width))]
        wide, widths = self.width, [self.width]
        for index in range(1, counted(state, "zero_convs.{}.0.weight")):
            if f"input_blocks.{index}.0.op.weight" in state:
                blocks.append(Chain(Halve(build, wide)))
            else:
                inputs, wide = wide, state[f"input_blocks.{index}.0.conv1.weight"].shape[0]
                attended = f"input_blocks.{index}.1.norm.weight" in state
                blocks.append(Chain(self._residual(build, inputs, wide), *([self._attention(build, wide)] * attended)))
            widths.append(wide)
        self.halvings = sum(isinstance(layer, Halve) for block in blocks for layer in block.children())
        self.input_blocks = nn.ModuleList(blocks)
        self.middle_block = Chain(
            self._residual(build, wide, wide), self._attention(build, wide), self._residual(build, wide, wide)
        )
        self.zero_convs = nn.ModuleList(nn.Sequential(build.conv(width, width, kernel=1)) for width in widths)
        self.middle_block_out = nn.Sequential(build.conv(wide, wide, kernel=1))
        first, *others = [state[f"input_hint_block.{2 * index}.weight"].shape[0] for index in range(HINTS)]
        layers = [build.conv(1, first)]
        for index, (inputs, outputs) in enumerate(pairwise((first, *others)), 1):
            stride = 2 if inputs != outputs and index < HINTS - 1 else 1
            layers += [nn.SiLU(), build.conv(inputs, outputs, stride=stride)]
        self.input_hint_block = nn.Sequential(*layers)

    def _residual(self, build: Build, inputs: int, outputs: int) -> Spatial:
        return Spatial(build, inputs, outputs, 4 * self.width, RESIDUAL_EPS)

    def _attention(self, build: Build, width: int) -> OverPlane:
        # Shapes do not reveal the heads: they are as many as the UNet's.
        head = HEAD if self.width % HEAD == 0 else self.width // 2
        return OverPlane(build, width, width // head, self.context)

    def hints(self, maps: Tensor) -> Tensor:
        """Embed drawings [F,1,H,W] for `forward`, once per run: [F,C,H/8,W/8].

        0 is empty, 1 is a line; a frame without a drawing is 0 everywhere. Raises `InputError`.
        """
        if maps.ndim != 4 or maps.shape[1] != 1 or maps.shape[2] % CELL or maps.shape[3] % CELL:
            raise InputError(
                f"drawings of shape {list(maps.shape)} were given: [frames, 1, height, width] is needed, "
                f"height and width multiples of {CELL}"
            )
        return self.input_hint_block(maps)

    def forward(self, latents: Tensor, time: Tensor, context: Tensor, hints: Tensor) -> Control:
        """The `Control` of noisy latents [B,F,4,H,W], without those of the keyframes; its batch is B*F.

        ``time`` [] or [B]: steps of noise, 0 to 999. ``context`` [B,N,C]: all tokens of the text and of the picture, which
        every frame sees. ``hints`` [F,C,H,W]: of one clip, shared by the whole batch. Raises `InputError`.
        """
        multiple = 2**self.halvings
        if latents.ndim != 5 or latents.shape[2] != self.inputs or latents.shape[3] % multiple or latents.shape[4] % multiple:
            raise InputError(
                f"latents of shape {list(latents.shape)} were given: [clips, frames, {self.inputs}, height, width] is needed, "
                f"height and width multiples of {multiple}"
            )
        clips, count, _, height, width = latents.shape
        if context.ndim != 3 or context.shape[::2] != (clips, self.context):
            raise InputError(f"context of shape {list(context.shape)} was given: [{clips}, tokens, {self.context}] is needed")
        if hints.shape != (count, self.width, height, width):
            raise InputError(
                f"hints of shape {list(hints.shape)} were given for latents of {list(latents.shape)}: "
                f"[{count}, {self.width}, {height}, {width}] is needed"
            )
        level = waves(time.expand(clips), self.width).to(latents.dtype)
        given = Given(count, F.silu(self.time_embed(level)), context)
        first, *blocks = self.input_blocks
        x = first(latents.flatten(0, 1)) + hints.repeat(clips, 1, 1, 1)
        parts = [self.zero_convs[0](x)]
        for block, out in zip(blocks, self.zero_convs[1:], strict=True):
            x = block(x, given)
            parts.append(out(x))
        return Control(parts, self.middle_block_out(self.middle_block(x, given)))


def sketch_encoder(state: Mapping[str, Tensor], build: Build | None = None) -> SketchEncoder:
    """Build the sketch encoder around these weights, without a copy. Raises `InputError`."""
    own = {renamed(key, NAMES): value for key, value in state.items()}
    hint = state.get("input_hint_block.0.weight")
    if hint is not None and hint.shape[1] != 1:
        raise InputError(
            f"these weights are a ControlNet for hints of {hint.shape[1]} channels: ToonCrafter's sketch encoder takes 1"
        )
    try:
        net = SketchEncoder(own, replace(build or Build(), device="meta"))
    except KeyError as error:
        raise InputError(f"these weights are {looks_like(state)}: ToonCrafter's sketch encoder is needed") from error
    load_weights(net, own, "ToonCrafter's sketch encoder", assign=True)
    return net.eval().requires_grad_(False)
