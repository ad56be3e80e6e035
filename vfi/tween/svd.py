"""The UNet of Stable Video Diffusion, and Framer's ControlNet, which steers it with tracks.

Blattmann et al., "Stable Video Diffusion", 2023; Zhang, Rao and Agrawala, "Adding Conditional Control to Text-to-Image
Diffusion Models", ICCV 2023; Wang et al., "Framer: Interactive Frame Interpolation", ICLR 2025. Owns the assembly of the
layers; parameter names are diffusers', and every size comes from the parameters' shapes. Knows nothing of noise schedules,
keyframes or files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise, takewhile
from typing import NamedTuple, TypeAlias, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import InputError
from ..ops.checks import load_weights
from .layers import Build, Embedding, Given, Grow, Halve, Residual, Transformer, waves

HEAD = 64
"""Channels per attention head."""

IDS = 3
"""Numbers that describe the clip: frames per second minus 1, motion bucket (0 to 255), noise level of the keyframes."""

Watch: TypeAlias = "Callable[[int, Tensor], None]"
"""Called during a forward pass with the number of a decoder level and its output, [B*F,C,H,W]."""

State: TypeAlias = "Mapping[str, Tensor]"


@dataclass(frozen=True)
class Sizes:
    """A network's sizes, read from the shapes of a checkpoint.

    ``inputs``, ``outputs``: channels of the latents. ``widths``: channels per level, each of ``layers`` layers; ``attended``:
    which levels have attention. ``context``: width of a token; ``waves``: embedding width of each of the `IDS`. ``outputs`` is
    None in a ControlNet; there ``hints`` are the channels of the maps at full, half, quarter and eighth size. ``token``:
    whether there is a mask token for unknown frames.
    """

    inputs: int
    outputs: int | None
    widths: tuple[int, ...]
    layers: int
    attended: tuple[bool, ...]
    context: int
    waves: int
    hints: tuple[int, ...] | None
    token: bool

    @classmethod
    def read(cls, state: State) -> Sizes:
        """Raises `InputError`, which names the kind of weights, unless they are such a UNet or its ControlNet."""
        first = "down_blocks.0.resnets.0.temporal_res_block.conv1.weight"
        if first not in state or "add_embedding.linear_1.weight" not in state or "conv_in.weight" not in state:
            raise InputError(
                f"these weights are {looks_like(state)}: a Stable Video Diffusion UNet or its ControlNet is needed"
            )
        levels = counted(state, "down_blocks.{}.resnets.0.spatial_res_block.conv1.weight")
        attended = tuple(f"down_blocks.{level}.attentions.0.norm.weight" in state for level in range(levels))
        hint = "controlnet_cond_embedding"
        halvings = counted(state, f"{hint}.blocks.{{}}.weight") // 2
        hints = [f"{hint}.conv_in.weight", *(f"{hint}.blocks.{2 * index + 1}.weight" for index in range(halvings))]
        return cls(
            inputs=state["conv_in.weight"].shape[1],
            outputs=state["conv_out.weight"].shape[0] if "conv_out.weight" in state else None,
            widths=tuple(
                state[f"down_blocks.{level}.resnets.0.spatial_res_block.conv1.weight"].shape[0] for level in range(levels)
            ),
            layers=counted(state, "down_blocks.0.resnets.{}.time_mixer.mix_factor"),
            attended=attended,
            context=next((value.shape[1] for key, value in state.items() if key.endswith("attn2.to_k.weight")), 0),
            waves=state["add_embedding.linear_1.weight"].shape[1] // IDS,
            hints=tuple(state[key].shape[0] for key in hints) if hints[0] in state else None,
            token="mask_token" in state,
        )

    @property
    def across(self) -> list[int]:
        """Channels of the skip connections: after the first convolution, each layer, and each halving."""
        return [self.widths[0], *(width for width in self.widths for _ in range(self.layers + 1))][:-1]

    @property
    def head(self) -> int:
        """Channels per head, which shapes do not reveal: `HEAD`, or half the first width in networks too narrow for that."""
        return HEAD if self.widths[0] % HEAD == 0 else self.widths[0] // 2


def counted(state: State, pattern: str) -> int:
    """How many keys of ``pattern`` with 0, 1, 2, ... exist, up to the first gap."""
    return sum(1 for _ in takewhile(lambda index: pattern.format(index) in state, count()))


def looks_like(state: State) -> str:
    """The kind of checkpoint, worded to complete "these weights are ..."."""
    marks = {
        "controlnet_cond_embedding.conv_in.weight": "Framer's ControlNet",
        "mask_token": "Framer's UNet",
        "down_blocks.0.resnets.0.temporal_res_block.conv1.weight": "Stable Video Diffusion's UNet",
        "decoder.attn_refinement.0.conv.weight": "ToonCrafter's autoencoder",
        "decoder.time_conv_out.weight": "the autoencoder of Stable Video Diffusion",
        "decoder.conv_out.time_mix_conv.weight": "the autoencoder of Stable Video Diffusion",
        "encoder.mid_block.resnets.0.conv1.weight": "an autoencoder of single pictures",
        "encoder.mid.block_1.conv1.weight": "an autoencoder of single pictures",
        "input_hint_block.0.weight": "a ControlNet of single pictures",
        "vision_model.embeddings.class_embedding": "a CLIP vision model",
        "middle_block.1.transformer_blocks.0.attn2.to_k_ip.weight": "DynamiCrafter's or ToonCrafter's UNet",
        "layers.0.0.to_kv.weight": "the image projector of DynamiCrafter or ToonCrafter",
        "text_model.embeddings.token_embedding.weight": "a CLIP text model",
        "down_blocks.0.resnets.0.conv1.weight": "an image model in diffusers' form, without temporal layers",
    }
    for key, words in marks.items():
        if key in state:
            return words
    video = any(key.endswith(".time_stack.out_layers.3.weight") for key in state)
    if any(key.startswith("image_proj_model.") for key in state):
        return "a whole checkpoint, DynamiCrafter's or ToonCrafter's"
    if any(key.startswith("first_stage_model.") for key in state):
        return "a whole checkpoint, " + ("Stable Video Diffusion's or one like it" if video else "of an image model")
    if video:
        return "a video UNet in a form other than diffusers'"
    return "of an unknown kind"


# --- blocks -------------------------------------------------------------------------------------------------------------------


class Down(nn.Module):
    """An encoder level: returns its output and its skip connections."""

    def __init__(self, build: Build, sizes: Sizes, level: int) -> None:
        super().__init__()
        before, width = sizes.widths[max(level - 1, 0)], sizes.widths[level]
        attended, last = sizes.attended[level], level == len(sizes.widths) - 1
        time, eps = 4 * sizes.widths[0], 1e-6 if attended else 1e-5
        self.resnets = nn.ModuleList(
            Residual(build, width if layer else before, width, time, eps=eps) for layer in range(sizes.layers)
        )
        self.attentions = nn.ModuleList(attention(build, sizes, width) for _ in range(sizes.layers * attended))
        self.downsamplers = nn.ModuleList([] if last else [Halve(build, width)])

    def forward(self, x: Tensor, given: Given) -> tuple[Tensor, list[Tensor]]:
        across = []
        for index, resnet in enumerate(self.resnets):
            x = resnet(x, given)
            if self.attentions:
                x = self.attentions[index](x, given)
            across.append(x)
        for halve in self.downsamplers:
            x = halve(x)
            across.append(x)
        return x, across


class Middle(nn.Module):
    def __init__(self, build: Build, sizes: Sizes) -> None:
        super().__init__()
        width, time = sizes.widths[-1], 4 * sizes.widths[0]
        self.resnets = nn.ModuleList(Residual(build, width, width, time, eps=1e-5) for _ in range(2))
        self.attentions = nn.ModuleList([attention(build, sizes, width)])

    def forward(self, x: Tensor, given: Given) -> Tensor:
        first, last = self.resnets
        return last(self.attentions[0](first(x, given), given), given)


class Up(nn.Module):
    """A decoder level; its layers pop skip connections off the end of ``across`` (here channels, in `forward` tensors)."""

    def __init__(self, build: Build, sizes: Sizes, level: int, inputs: int, across: list[int]) -> None:
        super().__init__()
        width, time = sizes.widths[level], 4 * sizes.widths[0]
        before = [inputs] + [width] * sizes.layers
        self.resnets = nn.ModuleList(Residual(build, own + across.pop(), width, time, eps=1e-6) for own in before)
        attended = sizes.attended[level] * len(before)
        self.attentions = nn.ModuleList(attention(build, sizes, width) for _ in range(attended))
        self.upsamplers = nn.ModuleList([Grow(build, width)] if level else [])

    def forward(self, x: Tensor, across: list[Tensor], given: Given) -> Tensor:
        for index, resnet in enumerate(self.resnets):
            x = resnet(torch.cat((x, across.pop()), dim=1), given)
            if self.attentions:
                x = self.attentions[index](x, given)
        for grow in self.upsamplers:
            x = grow(x, across[-1].shape[-2:])
        return x


def attention(build: Build, sizes: Sizes, width: int) -> Transformer:
    return Transformer(build, width, width // sizes.head, sizes.context)


# --- networks -----------------------------------------------------------------------------------------------------------------


class Control(NamedTuple):
    """A ControlNet's output, added to the UNet's skip connections (``across``, in the order of their creation) and to its
    ``middle``."""

    across: Sequence[Tensor]
    middle: Tensor

    def scaled(self, by: float) -> Control:
        return Control([part * by for part in self.across], self.middle * by)


class Trunk(nn.Module):
    """The encoder and the middle, common to UNet and ControlNet."""

    def __init__(self, sizes: Sizes, build: Build) -> None:
        super().__init__()
        self.sizes = sizes
        narrow, time = sizes.widths[0], 4 * sizes.widths[0]
        self.conv_in = build.conv(sizes.inputs, narrow)
        self.time_embedding = Embedding(build, narrow, time, time)
        self.add_embedding = Embedding(build, IDS * sizes.waves, time, time)
        self.down_blocks = nn.ModuleList(Down(build, sizes, level) for level in range(len(sizes.widths)))
        self.mid_block = Middle(build, sizes)

    def given(self, latents: Tensor, time: Tensor, context: Tensor, ids: Tensor) -> Given:
        """Check the sizes and embed the conditioning for every layer. Raises `InputError`."""
        if latents.ndim != 5 or latents.shape[2] != self.sizes.inputs:
            raise InputError(
                f"latents of shape {list(latents.shape)} were given: "
                f"[clips, frames, {self.sizes.inputs}, height, width] is needed"
            )
        clips = len(latents)
        if context.ndim != 3 or context.shape[::2] != (clips, self.sizes.context) or ids.shape != (clips, IDS):
            raise InputError(
                f"context of shape {list(context.shape)} and ids of shape {list(ids.shape)} were given: "
                f"[{clips}, tokens, {self.sizes.context}] and [{clips}, {IDS}] are needed"
            )
        kind = waves(ids.flatten(), self.sizes.waves).reshape(clips, -1)
        level = waves(time.expand(clips), self.sizes.widths[0])
        embedded = self.time_embedding(level.to(latents.dtype)) + self.add_embedding(kind.to(latents.dtype))
        return Given(latents.shape[1], F.silu(embedded), context)

    def down(self, x: Tensor, given: Given) -> tuple[Tensor, list[Tensor]]:
        """[B*F,C,H,W] -> the middle, and all skip connections."""
        across = [x]
        for block in self.down_blocks:
            x, more = block(x, given)
            across += more
        return self.mid_block(x, given), across


class UNet(Trunk):
    """Predicts v from noisy latents (Salimans and Ho, 2022).

    The clips of a batch are independent of each other unless `Build.order` is "legacy".
    """

    def __init__(self, sizes: Sizes, build: Build | None = None) -> None:
        build = build or Build()
        super().__init__(sizes, build)
        if sizes.outputs is None or sizes.hints is not None:
            raise InputError("these weights are a ControlNet's: a UNet's are needed")
        self.mask_token = build.parameter(1, 1, sizes.outputs, 1, 1) if sizes.token else None
        blocks, inputs, handed = [], sizes.widths[-1], sizes.across
        for level in reversed(range(len(sizes.widths))):
            blocks.append(Up(build, sizes, level, inputs, handed))
            inputs = sizes.widths[level]
        self.up_blocks = nn.ModuleList(blocks)
        self.conv_norm_out = build.group_norm(sizes.widths[0], 1e-5)
        self.conv_out = build.conv(sizes.widths[0], sizes.outputs)

    def forward(
        self,
        latents: Tensor,
        time: Tensor,
        context: Tensor,
        ids: Tensor,
        control: Control | None = None,
        watch: Watch | None = None,
    ) -> Tensor:
        """[B,F,inputs,H,W] -> [B,F,outputs,H,W].

        ``time`` [] or [B]: noise level as in training (`edm.level`); ``context`` [B,N,C]: tokens; ``ids`` [B,3]: the `IDS`.
        ``control`` has a batch of B*F. Raises `InputError`.
        """
        given = self.given(latents, time, context, ids)
        x, across = self.down(self.conv_in(latents.flatten(0, 1)), given)
        if control is not None:
            x = x + control.middle
            across = [own + more for own, more in zip(across, control.across, strict=True)]
        for level, block in enumerate(self.up_blocks):
            x = block(x, across, given)
            if watch is not None:
                watch(level, x)
        x = self.conv_out(F.silu(self.conv_norm_out(x)))
        return x.unflatten(0, (-1, given.frames))


class Hints(nn.Module):
    """[F,3,H,W] -> [F,C,H/8,W/8]"""

    def __init__(self, build: Build, widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.conv_in = build.conv(3, widths[0])
        layers = []
        for inputs, width in pairwise(widths):
            layers += [build.conv(inputs, inputs), build.conv(inputs, width, stride=2)]
        self.blocks = nn.ModuleList(layers)
        self.conv_out = build.conv(widths[-1], outputs)

    def forward(self, maps: Tensor) -> Tensor:
        x = F.silu(self.conv_in(maps))
        for layer in self.blocks:
            x = F.silu(layer(x))
        return self.conv_out(x)


class ControlNet(Trunk):
    """Computes the `Control` that makes points in a `UNet`'s clip move as the maps show."""

    def __init__(self, sizes: Sizes, build: Build | None = None) -> None:
        build = build or Build()
        super().__init__(sizes, build)
        if sizes.hints is None:
            raise InputError("these weights are a UNet's: a ControlNet's are needed")
        self.controlnet_cond_embedding = Hints(build, sizes.hints, sizes.widths[0])
        self.controlnet_down_blocks = nn.ModuleList(build.conv(width, width, kernel=1) for width in sizes.across)
        self.controlnet_mid_block = build.conv(sizes.widths[-1], sizes.widths[-1], kernel=1)

    def hints(self, maps: Tensor) -> Tensor:
        """Embed maps [F,3,H,W] for `forward`, once per run."""
        return self.controlnet_cond_embedding(maps)

    def forward(self, latents: Tensor, time: Tensor, context: Tensor, ids: Tensor, hints: Tensor) -> Control:
        """As `UNet.forward`, with the ``hints`` [F,C,H,W] of one clip, shared by the whole batch. Raises `InputError`."""
        given = self.given(latents, time, context, ids)
        if hints.shape != (given.frames, self.sizes.widths[0], *latents.shape[-2:]):
            raise InputError(
                f"hints of shape {list(hints.shape)} were given for latents of {list(latents.shape)}: "
                f"[{given.frames}, {self.sizes.widths[0]}, {latents.shape[-2]}, {latents.shape[-1]}] is needed"
            )
        x, across = self.down(self.conv_in(latents.flatten(0, 1)) + hints.repeat(len(latents), 1, 1, 1), given)
        parts = [layer(part) for layer, part in zip(self.controlnet_down_blocks, across, strict=True)]
        return Control(parts, self.controlnet_mid_block(x))


Network = TypeVar("Network", UNet, ControlNet)


def unet(state: State, build: Build | None = None) -> UNet:
    """Build the UNet around these weights, without a copy; see `loaded`."""
    return loaded(UNet, state, build)


def controlnet(state: State, build: Build | None = None) -> ControlNet:
    """Build the ControlNet around these weights, without a copy; see `loaded`."""
    return loaded(ControlNet, state, build)


def loaded(kind: type[Network], state: State, build: Build | None) -> Network:
    """A network that uses the tensors of ``state`` themselves, in their own precision and on their own device.

    Allocates nothing, so meta tensors work too. Raises `InputError` if a tensor is missing, unknown or of the wrong shape.
    """
    sizes, build = Sizes.read(state), build or Build()
    net = kind(sizes, Build(build.operations, build.attention, "meta", build.dtype, build.order))
    load_weights(net, state, looks_like(state), assign=True)
    return net.eval().requires_grad_(False)
