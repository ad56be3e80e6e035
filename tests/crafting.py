"""Stored outputs of DynamiCrafter's and ToonCrafter's published code, and the tiny networks that produced them.

Weights and noise are not stored: each tensor is random, seeded with its own key, as in `tweening`. Of outputs with many
channels every eighth channel is stored. Clips are stored as [B,C,F,H,W].
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from tweening import picture, weight

from vfi.tween.dynamicrafter.projector import Projector, projector
from vfi.tween.dynamicrafter.unet import UNet, unet

DATA = Path(__file__).parent / "data" / "parity" / "dynamicrafter"


@cache
def stored(name: str) -> dict[str, Tensor]:
    return load_file(DATA / f"{name}.safetensors")


@cache
def manifest(name: str) -> dict[str, Any]:
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def drawn(shapes: Mapping[str, list[int]], prefix: str) -> dict[str, Tensor]:
    """The weights of a tiny network."""
    return {key: weight(f"{prefix}.{key}", key, shape) for key, shape in shapes.items()}


def published(name: str) -> dict[str, Tensor]:
    """The weights of a network of full size, without memory: ``name`` is that of a table of keys."""
    return {key: torch.empty(shape, device="meta") for key, shape in manifest(f"real_{name}_keys").items()}


@cache
def unet_state(*, learnable: bool = False) -> dict[str, Tensor]:
    """``learnable``: with the learnt weight of the picture in each layer."""
    told = manifest("dc_unet")
    return drawn(told["unet_keys"] | (told["unet_learnable_extra_keys"] if learnable else {}), "dcunet")


@cache
def tiny_unet(*, learnable: bool = False) -> UNet:
    return unet(unet_state(learnable=learnable))


@cache
def projector_state() -> dict[str, Tensor]:
    return drawn(manifest("dc_resampler")["image_proj_keys"], "dcproj")


@cache
def tiny_projector() -> Projector:
    return projector(projector_state())


def pair(name: str) -> Tensor:
    """The keyframes of a set, [2,3,H,W]."""
    return torch.stack([picture(stored(name)[f"input.{which}_u8"]) for which in ("first", "last")])


def turned(clip: Tensor) -> Tensor:
    """[B,C,F,H,W] -> [B,F,C,H,W], and back."""
    return clip.transpose(1, 2)
