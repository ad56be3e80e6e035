"""Stored outputs of the published code for tweening by diffusion, and the tiny networks that they are of.

Weights are not stored: each is drawn from a stream seeded with its own key, and so is noise. Tables of keys and shapes are, of
the tiny networks and of the published ones. Outputs with many channels are stored with every eighth of them, decoded frames
with every fourth row and column.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from vfi.tween import svd
from vfi.tween.keyframes import Coders
from vfi.tween.layers import Build, Order
from vfi.tween.vae import Autoencoder, autoencoder
from vfi.tween.vision import Vision, vision

DATA = Path(__file__).parent / "data" / "parity" / "framer"
FRAMES, WIDTH, HEIGHT = 5, 128, 64
SEED = 1234
"""Of the noise in the keyframes."""


@cache
def stored(name: str) -> dict[str, Tensor]:
    return load_file(DATA / f"{name}.safetensors")


@cache
def table(name: str) -> dict[str, list[int]]:
    """Keys and shapes; of ``delta``, keys alone."""
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
    return autoencoder(state("vae")), vision(state("clip"), heads=2)


def coders() -> Coders:
    own, eye = coding()
    return Coders(own.encode, own.decode, eye)


def picture(codes: Tensor) -> Tensor:
    """[H,W,3] uint8 -> [3,H,W], 0..1"""
    return codes.permute(2, 0, 1).float() / 255


def apart(got: Tensor, expected: Tensor) -> float:
    """The largest difference, in parts of the largest value expected."""
    assert got.shape == expected.shape
    return float((got - expected).abs().max() / expected.abs().max())
