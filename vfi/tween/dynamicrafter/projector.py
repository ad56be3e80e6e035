"""The network that turns CLIP's tokens of a picture into tokens for the frames of a clip.

Xing et al., "DynamiCrafter", ECCV 2024; its layers are Flamingo's resampler (Alayrac et al., 2022). Parameter names are the
published ones, and every size comes from the parameters' shapes. Knows nothing of pictures or files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ...core import InputError
from ...ops.checks import load_weights
from ..layers import Build
from ..svd import HEAD, counted, looks_like
from .unet import TOKENS


@dataclass(frozen=True)
class Sizes:
    """Sizes read from the shapes of a checkpoint.

    ``inputs``: width of CLIP's tokens; ``outputs``: of the frames' tokens, of which there are ``tokens`` in all. ``width``: of
    the tokens between; ``attention``: of all heads together; ``hidden``: of the feed-forward layers.
    """

    inputs: int
    outputs: int
    tokens: int
    width: int
    layers: int
    attention: int
    hidden: int

    @classmethod
    def read(cls, state: Mapping[str, Tensor]) -> Sizes:
        """Raises `InputError`, which names the kind of weights, unless they are such a projector."""
        try:
            _, tokens, width = state["latents"].shape
            return cls(
                inputs=state["proj_in.weight"].shape[1],
                outputs=state["proj_out.weight"].shape[0],
                tokens=tokens,
                width=width,
                layers=counted(state, "layers.{}.0.to_q.weight"),
                attention=state["layers.0.0.to_q.weight"].shape[0],
                hidden=state["layers.0.1.1.weight"].shape[0],
            )
        except (KeyError, IndexError, ValueError) as error:
            raise InputError(
                f"these weights are {looks_like(state)}: the image projector of DynamiCrafter or ToonCrafter is needed"
            ) from error

    @property
    def head(self) -> int:
        """Channels per head, which shapes do not reveal: `HEAD`, or half of ``attention`` in networks too narrow for that."""
        return HEAD if self.attention % HEAD == 0 else self.attention // 2


class Gather(nn.Module):
    """Queries [B,N,C] -> [B,N,C], gathered from tokens [B,M,C] and from the queries themselves."""

    def __init__(self, build: Build, sizes: Sizes) -> None:
        super().__init__()
        self.heads, self.attend = sizes.attention // sizes.head, build.attention
        self.norm1, self.norm2 = build.layer_norm(sizes.width), build.layer_norm(sizes.width)
        self.to_q = build.linear(sizes.width, sizes.attention, bias=False)
        self.to_kv = build.linear(sizes.width, 2 * sizes.attention, bias=False)
        self.to_out = build.linear(sizes.attention, sizes.width, bias=False)

    def forward(self, tokens: Tensor, queries: Tensor) -> Tensor:
        tokens, queries = self.norm1(tokens), self.norm2(queries)
        keys, values = self.to_kv(torch.cat((tokens, queries), dim=1)).chunk(2, dim=-1)
        return self.to_out(self.attend(self.to_q(queries), keys, values, self.heads))


class Layer(nn.ModuleList):
    """Queries [B,N,C] -> the same shape."""

    def __init__(self, build: Build, sizes: Sizes) -> None:
        forward = nn.Sequential(
            build.layer_norm(sizes.width),
            build.linear(sizes.width, sizes.hidden, bias=False),
            nn.GELU(),
            build.linear(sizes.hidden, sizes.width, bias=False),
        )
        super().__init__([Gather(build, sizes), forward])

    def forward(self, tokens: Tensor, queries: Tensor) -> Tensor:
        gather, forward = self
        queries = queries + gather(tokens, queries)
        return queries + forward(queries)


class Projector(nn.Module):
    def __init__(self, sizes: Sizes, build: Build | None = None) -> None:
        super().__init__()
        build = build or Build()
        self.sizes = sizes
        self.latents = build.parameter(1, sizes.tokens, sizes.width)
        self.proj_in = build.linear(sizes.inputs, sizes.width)
        self.layers = nn.ModuleList(Layer(build, sizes) for _ in range(sizes.layers))
        self.proj_out = build.linear(sizes.width, sizes.outputs)
        self.norm_out = build.layer_norm(sizes.outputs)

    @property
    def frames(self) -> int:
        """For how many frames there are tokens."""
        return self.sizes.tokens // TOKENS

    def forward(self, tokens: Tensor) -> Tensor:
        """All tokens of CLIP's last block [B,M,inputs] -> [B,16*frames,outputs], frame after frame. Raises `InputError`."""
        if tokens.ndim != 3 or tokens.shape[2] != self.sizes.inputs:
            raise InputError(
                f"tokens of shape {list(tokens.shape)} were given: [pictures, tokens, {self.sizes.inputs}] is needed, "
                f"all tokens of OpenCLIP ViT-H/14 before its projection"
            )
        tokens = self.proj_in(tokens)
        made = self.latents.to(tokens).expand(len(tokens), -1, -1)
        for layer in self.layers:
            made = layer(tokens, made)
        return self.norm_out(self.proj_out(made))


def projector(state: Mapping[str, Tensor], build: Build | None = None) -> Projector:
    """A projector that uses the tensors of ``state`` themselves, in their own precision and on their own device.

    Allocates nothing, so meta tensors work too. Raises `InputError` if a tensor is missing, unknown or of the wrong shape.
    """
    net = Projector(Sizes.read(state), replace(build or Build(), device="meta"))
    load_weights(net, state, looks_like(state), assign=True)
    return net.eval().requires_grad_(False)
