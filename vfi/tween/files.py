"""From published files to what draws between two keyframes, ready to use without ComfyUI.

Owns which file holds what, and in which precision each part works. Knows nothing of how anything works. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

from ..core import InputError
from ..model import weights
from . import checkpoint, svd
from .framer import Framer
from .keyframes import Coders
from .layers import Build, Order
from .svdkfi import Inbetweening, backward_state

File: TypeAlias = "Path | str"
Made = TypeVar("Made")


def framer(
    unet: File,
    svd_file: File,
    controlnet: File | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    order: Order = "fixed",
) -> Framer:
    """Framer of its ``unet`` and, for tracks, its ``controlnet``, safetensors files in diffusers' form.

    ``svd_file`` is the whole checkpoint of Stable Video Diffusion, of which the autoencoder and CLIP's vision half are read.
    ``dtype`` is that of the networks: in float16 their published weights are 4.4 GB. ``order``: see `layers.Build`. Raises
    `InputError`.
    """
    build = Build(order=order)
    net = made(unet, lambda state: svd.unet(state, build)).to(device, dtype)
    control = None if controlnet is None else made(controlnet, lambda state: svd.controlnet(state, build)).to(device, dtype)
    return Framer(net, coders(svd_file, device=device, dtype=dtype), control)


def inbetweening(
    original: File,
    tuned: File,
    base: File,
    svd_file: File,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    order: Order = "fixed",
) -> Inbetweening:
    """Generative Inbetweening of three UNets, safetensors files in diffusers' form: see `svdkfi.backward_state`.

    ``svd_file``, ``dtype`` and ``order`` are as in `framer`. Raises `InputError`.
    """
    own = weights.read(weights.find(original))
    moved = backward_state(own, weights.read(weights.find(tuned)), weights.read(weights.find(base)))
    forward, backward = (svd.unet(state, Build(order=order)).to(device, dtype) for state in (own, moved))
    return Inbetweening(forward, backward, coders(svd_file, device=device, dtype=dtype))


def coders(svd_file: File, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Coders:
    """The autoencoder and CLIP's vision half of the whole checkpoint of Stable Video Diffusion. Raises `InputError`.

    The autoencoder, which overflows in float16, works in float32 then.
    """
    path = weights.find(svd_file)
    held = (checkpoint.DECODER, checkpoint.ENCODER, checkpoint.VISION)
    autoencoder, vision = named(path, checkpoint.parts, weights.read(path, held) or weights.read(path))
    wide = torch.float32 if dtype == torch.float16 else dtype
    return checkpoint.coders(autoencoder.to(device, wide), vision.to(device, dtype))


def made(file: File, make: Callable[[dict[str, Tensor]], Made]) -> Made:
    """What is made of the tensors of a file; what cannot be done is said of that file."""
    path = weights.find(file)
    return named(path, make, weights.read(path))


def named(path: Path, make: Callable[[dict[str, Tensor]], Made], state: dict[str, Tensor]) -> Made:
    try:
        return make(state)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error
