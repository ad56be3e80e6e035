"""The vision half of CLIP, which embeds a picture as one token, or as one for each patch; the video networks use ViT-H.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021; weights by Schuhmann et al.,
"LAION-5B", 2022. This page of code saves the dependency on transformers, whose parameter names it uses. Also owns the resizing
of pictures. Knows nothing of video or files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import InputError
from ..ops.checks import load_weights
from .layers import Build
from .svd import counted, looks_like

HEADS = 16
"""Attention heads of ViT-H."""

MEAN, SPREAD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Mean and standard deviation of red, green and blue in training, 0..1."""


class Attention(nn.Module):
    def __init__(self, build: Build, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.attend = heads, build.attention
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (build.linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.out_proj(self.attend(self.q_proj(x), self.k_proj(x), self.v_proj(x), self.heads))


class FeedForward(nn.Module):
    def __init__(self, build: Build, width: int, inner: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = build.linear(width, inner), build.linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Layer(nn.Module):
    def __init__(self, build: Build, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.layer_norm1, self.self_attn = build.layer_norm(width), Attention(build, width, heads)
        self.layer_norm2, self.mlp = build.layer_norm(width), FeedForward(build, width, inner)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class Layers(nn.Module):
    def __init__(self, layers: list[Layer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Patches(nn.Module):
    """[B,3,S,S] -> [B,1+N,C]: a class token, then one token per patch, all with position embeddings."""

    def __init__(self, build: Build, width: int, patch: int, places: int) -> None:
        super().__init__()
        self.class_embedding = build.parameter(width)
        self.patch_embedding = build.operations.Conv2d(
            3, width, patch, patch, bias=False, device=build.device, dtype=build.dtype
        )
        self.position_embedding = nn.ParameterDict({"weight": build.parameter(places, width)})

    def forward(self, rgb: Tensor) -> Tensor:
        patches = self.patch_embedding(rgb).flatten(2).transpose(1, 2)
        whole = self.class_embedding.to(patches).expand(len(patches), 1, -1)
        return torch.cat((whole, patches), dim=1) + self.position_embedding["weight"].to(patches)


class Tower(nn.Module):
    def __init__(self, build: Build, width: int, inner: int, patch: int, places: int, depth: int, heads: int) -> None:
        super().__init__()
        self.embeddings = Patches(build, width, patch, places)
        self.pre_layrnorm = build.layer_norm(width)  # misspelt in the published weights
        self.encoder = Layers([Layer(build, width, inner, heads) for _ in range(depth)])
        self.post_layernorm = build.layer_norm(width)

    def tokens(self, rgb: Tensor) -> Tensor:
        return self.encoder(self.pre_layrnorm(self.embeddings(rgb)))

    def forward(self, rgb: Tensor) -> Tensor:
        return self.post_layernorm(self.tokens(rgb)[:, 0])


class Vision(nn.Module):
    """Embeds pictures [B,3,H,W], 0..1, of any size as tokens [B,C]."""

    def __init__(self, tower: Tower, width: int, outputs: int, side: int, build: Build) -> None:
        super().__init__()
        self.side = side
        self.vision_model = tower
        self.visual_projection = build.linear(width, outputs, bias=False)

    def forward(self, rgb: Tensor) -> Tensor:
        return self.visual_projection(self.vision_model(self._prepared(rgb)))

    def tokens(self, rgb: Tensor) -> Tensor:
        """All tokens [B,1+N,C] of pictures [B,3,H,W], 0..1: the whole's and each patch's, neither normalised nor projected."""
        return self.vision_model.tokens(self._prepared(rgb))

    def _prepared(self, rgb: Tensor) -> Tensor:
        small = squeezed(rgb, self.side)
        mean, spread = (small.new_tensor(part)[:, None, None] for part in (MEAN, SPREAD))
        return (small - mean) / spread


def squeezed(rgb: Tensor, side: int) -> Tensor:
    """Squeeze whole pictures [B,3,H,W] to squares [B,3,side,side]: bicubic, with aligned corners.

    When shrinking, a Gaussian of sigma (factor - 1) / 2, cut off at 2 sigma, blurs them first, as in the training of the
    video networks.
    """
    x = rgb.float()
    for axis in (2, 3):
        sigma = (x.shape[axis] / side - 1) / 2
        if sigma > 0:
            reach = int(max(4 * sigma, 3)) // 2
            offsets = torch.arange(-reach, reach + 1, device=x.device)
            kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
            kernel = (kernel / kernel.sum()).reshape((1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1))
            padding = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
            blurred = F.conv2d(F.pad(x, padding, mode="reflect").flatten(0, 1)[:, None], kernel)
            x = blurred[:, 0].unflatten(0, x.shape[:2])
    return F.interpolate(x, size=(side, side), mode="bicubic", align_corners=True).to(rgb)


def vision(state: Mapping[str, Tensor], build: Build | None = None) -> Vision:
    """Build the vision model around these weights, without a copy; sizes come from their shapes. Raises `InputError`.

    Shapes do not reveal the number of heads: it is `HEADS`, or two in networks too narrow for that.
    """
    patches = state.get("vision_model.embeddings.patch_embedding.weight")
    places = state.get("vision_model.embeddings.position_embedding.weight")
    projection = state.get("visual_projection.weight")
    if patches is None or places is None or projection is None:
        raise InputError(f"these weights are {looks_like(state)}: a CLIP vision model with its projection is needed")
    build = build or Build()
    meta = Build(build.operations, build.attention, "meta", build.dtype)
    width, patch, count = patches.shape[0], patches.shape[-1], places.shape[0]
    layer = "vision_model.encoder.layers.{}.mlp.fc1.weight"
    depth = counted(state, layer)
    if not depth:
        raise InputError(f"these weights are {looks_like(state)} without layers: one with layers and projection is needed")
    inner = state[layer.format(0)].shape[0]
    heads = HEADS if width >= 8 * HEADS else 2
    tower = Tower(meta, width, inner, patch, count, depth, heads)
    net = Vision(tower, width, projection.shape[0], patch * math.isqrt(count - 1), meta)
    kept = {key: value for key, value in state.items() if key != "vision_model.embeddings.position_ids"}
    load_weights(net, kept, looks_like(state), assign=True)
    return net.eval().requires_grad_(False)
