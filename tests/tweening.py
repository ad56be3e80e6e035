"""Stored outputs of the published code for tweening by diffusion, and the tiny networks that produced them.

Weights and noise are not stored: each tensor is random, seeded with its own key. Tables of keys and shapes are stored, for the
tiny networks and the published ones. Of outputs with many channels every eighth channel is stored, of decoded frames every
fourth row and column.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import re
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from vfi.tween import checkpoint, svd
from vfi.tween.keyframes import Coders
from vfi.tween.layers import Build, Order
from vfi.tween.vae import Autoencoder, autoencoder
from vfi.tween.vision import Vision, vision

DATA = Path(__file__).parent / "data" / "parity" / "framer"
FRAMES, WIDTH, HEIGHT = 5, 128, 64
SEED = 1234
"""Seed of the noise in the keyframes."""


@cache
def stored(name: str) -> dict[str, Tensor]:
    return load_file(DATA / f"{name}.safetensors")


@cache
def table(name: str) -> dict[str, list[int]]:
    """Keys and shapes; for ``delta``, only keys."""
    return json.loads(gzip.decompress((DATA / "tables.json.gz").read_bytes()))[name]


def normal(name: str, shape: list[int] | tuple[int, ...]) -> Tensor:
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    return torch.from_numpy(np.asarray(np.random.Generator(np.random.PCG64(seed)).standard_normal(shape))).float()


@cache
def state(name: str) -> dict[str, Tensor]:
    return {key: weight(f"{name}.{key}", key, shape) for key, shape in table(name).items()}


def weight(name: str, key: str, shape: list[int]) -> Tensor:
    drawn = normal(name, shape)
    if len(shape) > 1:
        return drawn / math.sqrt(math.prod(shape[1:]))
    if key.endswith(".bias"):
        return 0.05 * drawn
    return 1 + 0.1 * drawn if key.endswith(".weight") else 0.5 * drawn


@cache
def unet(order: Order = "fixed") -> svd.UNet:
    return svd.unet(state("unet"), Build(order=order))


@cache
def controlnet(order: Order = "fixed") -> svd.ControlNet:
    return svd.controlnet(state("controlnet"), Build(order=order))


@cache
def coding() -> tuple[Autoencoder, Vision]:
    return autoencoder(state("vae")), vision(state("clip"))


def coders() -> Coders:
    own, eye = coding()
    return Coders(own.encode, own.decode, eye)


def picture(codes: Tensor) -> Tensor:
    """[H,W,3] uint8 -> [3,H,W], 0..1"""
    return codes.permute(2, 0, 1).float() / 255


def apart(got: Tensor, expected: Tensor) -> float:
    """The largest difference, as a fraction of the largest expected value."""
    assert got.shape == expected.shape
    return float((got - expected).abs().max() / expected.abs().max())


THERE = (  # names in the published file, from the end of `checkpoint`'s list to its start
    (r"\.temporal_res_block\.norm1\.", ".time_stack.in_layers.0."),
    (r"\.temporal_res_block\.conv1\.", ".time_stack.in_layers.2."),
    (r"\.temporal_res_block\.norm2\.", ".time_stack.out_layers.0."),
    (r"\.temporal_res_block\.conv2\.", ".time_stack.out_layers.3."),
    (r"\.time_mixer\.", "."),
    (r"\.spatial_res_block\.", "."),
    (r"conv_shortcut", "nin_shortcut"),
    (r"down_blocks\.(\d)\.resnets\.", r"down.\1.block."),
    (r"up_blocks\.(\d)\.resnets\.", r"up.\1.block."),
    (r"down_blocks\.(\d)\.downsamplers\.0\.", r"down.\1.downsample."),
    (r"up_blocks\.(\d)\.upsamplers\.0\.", r"up.\1.upsample."),
    (r"mid_block\.resnets\.0\.", "mid.block_1."),
    (r"mid_block\.resnets\.1\.", "mid.block_2."),
    (r"mid_block\.attentions\.0\.to_out\.0\.", "mid.attn_1.proj_out."),
    (r"mid_block\.attentions\.0\.to_", "mid.attn_1."),
    (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
    (r"conv_norm_out", "norm_out"),
    (r"time_conv_out", "conv_out.time_mix_conv"),
)


def whole(*, separate: bool = True) -> dict[str, Tensor]:
    """The tiny networks in the published file's layout, with a ``separate`` encoder or not."""
    made = {"model.diffusion_model.out.2.weight": torch.zeros(1)}
    for key, value in state("vae").items():
        name = checkpoint.renamed(key, THERE)
        name = re.sub(r"\.up\.(\d)\.", lambda found: f".up.{3 - int(found[1])}.", name)
        if ".mid.attn_1." in name and value.ndim == 2:
            value = value[:, :, None, None]
        if separate and not name.startswith("decoder"):
            made[f"conditioner.embedders.3.encoder.{name}"] = value
            if name.startswith("encoder"):
                made[f"first_stage_model.{name}"] = torch.zeros_like(value)
        else:
            made[f"first_stage_model.{name}"] = value
    eye, prefix = state("clip"), "conditioner.embedders.0.open_clip.model.visual."
    tower = "vision_model."
    for there, here in (
        ("class_embedding", f"{tower}embeddings.class_embedding"),
        ("positional_embedding", f"{tower}embeddings.position_embedding.weight"),
        ("conv1.weight", f"{tower}embeddings.patch_embedding.weight"),
        *((f"ln_pre.{part}", f"{tower}pre_layrnorm.{part}") for part in ("weight", "bias")),
        *((f"ln_post.{part}", f"{tower}post_layernorm.{part}") for part in ("weight", "bias")),
    ):
        made[prefix + there] = eye[here]
    made[f"{prefix}proj"] = eye["visual_projection.weight"].T
    for layer in range(2):
        there, here = f"{prefix}transformer.resblocks.{layer}.", f"{tower}encoder.layers.{layer}."
        for part in ("weight", "bias"):
            made[f"{there}attn.in_proj_{part}"] = torch.cat([eye[f"{here}self_attn.{one}_proj.{part}"] for one in "qkv"])
            made[f"{there}attn.out_proj.{part}"] = eye[f"{here}self_attn.out_proj.{part}"]
            for mine, its in (
                ("ln_1", "layer_norm1"),
                ("ln_2", "layer_norm2"),
                ("mlp.c_fc", "mlp.fc1"),
                ("mlp.c_proj", "mlp.fc2"),
            ):
                made[f"{there}{mine}.{part}"] = eye[f"{here}{its}.{part}"]
    return made
