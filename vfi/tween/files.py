"""Loads the tweening methods from published files, ready to use without ComfyUI.

Owns which file holds which part, and the precision of each part. Knows nothing of how the parts work. Downloads nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

from ..core import InputError
from ..model import weights
from . import checkpoint, svd, vae
from .framer import Framer
from .keyframes import Coders
from .layers import Build, Order
from .svdkfi import Inbetweening, backward_state
from .vision import vision as vision_of

File: TypeAlias = "Path | str"
Coding: TypeAlias = "File | tuple[File, File]"
"""A whole checkpoint of Stable Video Diffusion, a folder of its parts, or its autoencoder and its image encoder."""

SVD = ("svd-vae", "svd-image-encoder")
"""The parts that the catalogue knows; ``vfi models fetch framer`` brings them."""

Made = TypeVar("Made")


def framer(
    unet: File = "framer-unet",
    svd_file: Coding = SVD,
    controlnet: File | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    order: Order = "fixed",
) -> Framer:
    """Load Framer from its ``unet`` and, for tracks, its ``controlnet``: safetensors files in diffusers' form.

    Each file may be a path or a name of the catalogue. ``svd_file``: the autoencoder and the image encoder of Stable Video
    Diffusion in diffusers' form, 1.5 GB in float16, or a folder that holds them as ``vae`` and ``image_encoder``, or its whole
    checkpoint, of which only they are read.
    ``dtype``: precision of the networks, whose published weights take 4.4 GB in float16. ``order``: see `layers.Build`.
    Raises `InputError`.
    """
    build = Build(order=order)
    net = made(unet, lambda state: svd.unet(state, build)).to(device, dtype)
    control = None if controlnet is None else made(controlnet, lambda state: svd.controlnet(state, build)).to(device, dtype)
    return Framer(net, coders(svd_file, device=device, dtype=dtype), control)


def inbetweening(
    original: File,
    tuned: File,
    base: File,
    svd_file: Coding = SVD,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    order: Order = "fixed",
) -> Inbetweening:
    """Load Generative Inbetweening from three UNets, safetensors files in diffusers' form: see `svdkfi.backward_state`.

    ``svd_file``, ``dtype`` and ``order`` are as in `framer`. Raises `InputError`.
    """
    own = weights.read(weights.find(original))
    moved = backward_state(own, weights.read(weights.find(tuned)), weights.read(weights.find(base)))
    forward, backward = (svd.unet(state, Build(order=order)).to(device, dtype) for state in (own, moved))
    return Inbetweening(forward, backward, coders(svd_file, device=device, dtype=dtype))


def coders(svd_file: Coding = SVD, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Coders:
    """Load the autoencoder and CLIP's vision half of Stable Video Diffusion: see `framer`. Raises `InputError`.

    With ``dtype`` float16, in which the autoencoder overflows, the autoencoder alone works in float32.
    """
    pair = svd_file if isinstance(svd_file, tuple) else _pair(Path(svd_file).expanduser())
    if pair:
        autoencoder = made(pair[0], vae.autoencoder)
        vision = made(pair[1], lambda state: vision_of(checkpoint.without_positions(state)))
    elif not isinstance(svd_file, tuple):
        path = weights.find(svd_file)
        held = (checkpoint.DECODER, checkpoint.ENCODER, checkpoint.VISION)
        autoencoder, vision = named(path, checkpoint.parts, weights.read(path, held) or weights.read(path))
    wide = torch.float32 if dtype == torch.float16 else dtype
    return checkpoint.coders(autoencoder.to(device, wide), vision.to(device, dtype))


def _pair(folder: Path) -> tuple[Path, Path] | None:
    """The two files in a folder of diffusers' form, None for what is no folder. Raises `InputError`."""
    return (_only(folder / "vae"), _only(folder / "image_encoder")) if folder.is_dir() else None


def _only(folder: Path) -> Path:
    """The safetensors file in a folder of diffusers' form; of several precisions, the full one. Raises `InputError`."""
    files = sorted(folder.glob("*.safetensors"), key=lambda file: (".fp16." in file.name, file.name))
    if not files:
        raise InputError(
            f"{folder} holds no safetensors file: the folder of Stable Video Diffusion needs vae and image_encoder"
        )
    return files[0]


def made(file: File, make: Callable[[dict[str, Tensor]], Made]) -> Made:
    """Apply ``make`` to the tensors of a file; errors name the file."""
    path = weights.find(file)
    return named(path, make, weights.read(path))


def named(path: Path, make: Callable[[dict[str, Tensor]], Made], state: dict[str, Tensor]) -> Made:
    try:
        return make(state)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error
