"""What every way of drawing between two keyframes is given: the keyframes, what the networks are told of the clip, and coders.

Owns their checks, and the way from keyframes to what networks take and back to frames. Knows nothing of networks.
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
"""Latents of the autoencoder times this have unit variance; those of keyframes are told as they are."""

CELL = 8
"""Pixels to a side of a cell of the latents: width and height are multiples of it."""

LEAST = 64
"""The shortest side of a keyframe, in pixels: a single cell in the middle of the UNet."""


@dataclass(frozen=True)
class Coders:
    """What comes from Stable Video Diffusion's own checkpoint besides its UNet; see `checkpoint`.

    ``encode``: pictures [B,3,H,W], 0..1 and with a little noise beyond that, to latents [B,4,H/8,W/8], the likeliest ones and
    as they come. ``decode``: such latents of a whole clip [F,4,H/8,W/8] to frames [F,3,H,W], 0..1 or a little beyond.
    ``embed``: pictures [B,3,H,W], 0..1, to tokens [B,C], by CLIP on the whole picture squeezed to a square. All are given
    tensors on the device and in the precision of the UNet; what they give is brought there.
    """

    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    embed: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Drawing:
    """How the frames are drawn. Raises `InputError`.

    ``steps`` in which noise is removed; ``seed``: which noise it is. ``fps``, 1 to 30, and ``motion``, 0 to 255, say what
    clip it is to look like. ``augmentation``, 0 to 1: noise in the keyframes, for pictures of -1..1, which lets the frames
    depart from them. ``guidance``: how strongly frames are guided, from least to most.
    """

    steps: int = 30
    seed: int = 0
    fps: int = 7
    motion: float = 127
    augmentation: float = 0.02
    guidance: tuple[float, float] = (1.0, 3.0)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"{self.steps} steps were asked for: at least one is needed")
        if not 0 <= self.seed < 2**64:
            raise InputError(f"seed {self.seed} was given: it lies between 0 and 2**64 - 1")
        if not 1 <= self.fps <= 30:
            raise InputError(f"{self.fps} frames a second were asked for: the network knows 1 to 30")
        if not 0 <= self.motion <= 255:
            raise InputError(f"motion {self.motion:g} was asked for: it lies between 0 and 255")
        if not 0 <= self.augmentation <= 1:
            raise InputError(f"augmentation {self.augmentation:g} was asked for: it lies between 0 and 1")

    def ids(self) -> Tensor:
        """What the network is told of the clip, [3]: see `svd.IDS`."""
        return torch.tensor((self.fps - 1, self.motion, self.augmentation))


def check(first: Tensor, last: Tensor, frames: int) -> None:
    """That both are pictures [3,H,W] of one size that suits, and that there is a frame between them."""
    if first.shape != last.shape or first.ndim != 3 or first.shape[0] != 3:
        raise InputError(
            f"keyframes of shape {list(first.shape)} and {list(last.shape)} were given: two of one size are needed, "
            "[3, height, width]"
        )
    height, width = first.shape[1:]
    if height % CELL or width % CELL or min(height, width) < LEAST:
        raise InputError(
            f"keyframes of {width}x{height} were given: width and height must be multiples of {CELL}, from {LEAST} up"
        )
    if frames < 3:
        raise InputError(f"{frames} frames were asked for: both keyframes and one between them make 3")


def noise(seed: int) -> Draw:
    """The noise of keyframes, which is another than that from which frames are drawn."""
    return edm.noise_of(seed, stream=1)


def condition_on(
    coders: Coders, first: Tensor, last: Tensor, augmentation: float, draw: Draw, like: Tensor, *, shared: bool = False
) -> tuple[Tensor, Tensor]:
    """The latents [2,4,h,w] of both keyframes [3,H,W], with noise of their own or of one, ``shared``, and their tokens [2,C].

    Both are like ``like``: on its device, in its precision.
    """
    pair = torch.stack((first, last)).to(like)
    noise = torch.stack([draw(first.shape) for _ in range(1 if shared else 2)]).to(like)
    # Noise is meant for pictures of -1..1, and these are 0..1.
    return coders.encode(pair + noise * (augmentation / 2)).to(like), coders.embed(pair).to(like)


def decode_frames(coders: Coders, latents: Tensor, like: Tensor) -> Tensor:
    """The frames [F,3,H,W] 0..1, float32, of latents [F,4,h,w] of unit variance."""
    return coders.decode((latents / SCALE).to(like)).float().clamp(0, 1)


def paired(x: Tensor) -> Tensor:
    """[...] -> [2,...]: zeros, which is what a network is told when it is to know nothing, and then ``x``."""
    return torch.stack((torch.zeros_like(x), x))
