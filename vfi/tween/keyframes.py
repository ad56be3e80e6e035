"""The common inputs of all methods that draw between two keyframes: keyframes, settings of the clip, and coders.

Owns their checks and the conversion of keyframes to network inputs and of latents to frames. Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import InputError
from . import edm
from .edm import Draw

SCALE = 0.18215
"""Factor that brings the autoencoder's latents to unit variance; latents of keyframes are used unscaled."""

CELL = 8
"""Side of a latent cell, in pixels: width and height are multiples of it."""

LEAST = 64
"""Minimum side of a keyframe, in pixels: it leaves a single cell in the middle of the UNet."""


@dataclass(frozen=True)
class Coders:
    """The parts of Stable Video Diffusion's checkpoint besides its UNet; see `checkpoint`.

    ``encode``: pictures [B,3,H,W], 0..1 or, with noise, a little beyond, to mean latents [B,4,H/8,W/8], unscaled.
    ``decode``: such latents of a whole clip [F,4,H/8,W/8] to frames [F,3,H,W], 0..1 or a little beyond.
    ``embed``: pictures [B,3,H,W], 0..1, to CLIP tokens [B,C] of the whole picture squeezed to a square. All take tensors on
    the device and in the precision of the UNet; their results are converted to those.
    """

    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    embed: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Drawing:
    """Settings common to all methods: number of denoising ``steps``, and ``seed`` of the noise. Raises `InputError`."""

    steps: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"{self.steps} steps were asked for: at least one is needed")
        if not 0 <= self.seed < 2**64:
            raise InputError(f"seed {self.seed} was given: it must be between 0 and 2**64 - 1")


@dataclass(frozen=True)
class SvdDrawing(Drawing):
    """Settings common to the methods built on Stable Video Diffusion. Raises `InputError`.

    ``fps``, 1 to 30, and ``motion`` (motion bucket), 0 to 255, describe the clip. ``augmentation``, 0 to 1: noise added to the
    keyframes, for pictures in -1..1, which lets the frames depart from them. ``guidance``: the lowest and the highest guidance
    scale.
    """

    fps: int = 7
    motion: float = 127
    augmentation: float = 0.02
    guidance: tuple[float, float] = (1.0, 3.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.fps <= 30:
            raise InputError(f"{self.fps} frames per second were asked for: the network takes 1 to 30")
        if not 0 <= self.motion <= 255:
            raise InputError(f"motion {self.motion:g} was asked for: it must be between 0 and 255")
        if not 0 <= self.augmentation <= 1:
            raise InputError(f"augmentation {self.augmentation:g} was asked for: it must be between 0 and 1")

    def ids(self) -> Tensor:
        """The numbers that describe the clip to the network, [3]: see `svd.IDS`."""
        return torch.tensor((self.fps - 1, self.motion, self.augmentation))


def check(first: Tensor, last: Tensor, frames: int, cell: int = CELL) -> None:
    """Check that both are pictures [3,H,W] of one suitable size, with at least one frame between them.

    Width and height must be multiples of ``cell`` pixels.
    """
    if first.shape != last.shape or first.ndim != 3 or first.shape[0] != 3:
        raise InputError(
            f"keyframes of shape {list(first.shape)} and {list(last.shape)} were given: two of one size are needed, "
            "[3, height, width]"
        )
    height, width = first.shape[1:]
    if height % cell or width % cell or min(height, width) < LEAST:
        raise InputError(
            f"keyframes of {width}x{height} were given: width and height must be multiples of {cell}, from {LEAST} up"
        )
    if frames < 3:
        raise InputError(f"{frames} frames were asked for: both keyframes and one between them make 3")


def noise(seed: int) -> Draw:
    """Noise for the keyframes, from another stream than the sampling noise."""
    return edm.noise_of(seed, stream=1)


def condition_on(
    coders: Coders, first: Tensor, last: Tensor, augmentation: float, draw: Draw, like: Tensor, *, shared: bool = False
) -> tuple[Tensor, Tensor]:
    """The latents [2,4,h,w] of both keyframes [3,H,W] with noise added (the same if ``shared``), and their tokens [2,C].

    Both have the device and precision of ``like``.
    """
    pair = torch.stack((first, last)).to(like)
    noise = torch.stack([draw(first.shape) for _ in range(1 if shared else 2)]).to(like)
    # The noise level is defined for pictures in -1..1, and these are 0..1.
    return coders.encode(pair + noise * (augmentation / 2)).to(like), coders.embed(pair).to(like)


def decode_frames(coders: Coders, latents: Tensor, like: Tensor) -> Tensor:
    """Decode latents [F,4,h,w] of unit variance to frames [F,3,H,W] 0..1, float32."""
    return coders.decode((latents / SCALE).to(like)).float().clamp(0, 1)


def paired(x: Tensor) -> Tensor:
    """[...] -> [2,...]: zeros for the unconditional pass, then ``x``."""
    return torch.stack((torch.zeros_like(x), x))
