"""A source of motion made of any estimator of optical flow, such as RAFT: what moves where between two frames, at any t.

Owns the size at which flow is estimated, and the padding that the estimator needs. Motion at t, where it is hidden, and
pictures are made as by `archs.dis`. Knows nothing of networks, devices or memory.

Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ..archs.dis import Dis, Prepared, agreeing
from ..core import InputError, Spec

Estimate: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
"""Maps two pictures [1,3,h,w], -1..1, to the flow from the first to the second, [1,2,h,w] (dx, dy) in pixels."""

MULTIPLE, SMALLEST = 8, 128
"""Sides that the estimator takes: multiples of the one, and no less than the other, below which RAFT's pyramid ends."""

MOST = 1280 * 736
"""Most pixels at which flow is estimated: RAFT compares every eighth pixel with every other, and 4K would need 90 GB."""


class Dense(Dis):
    """Interpolates with the flow of an estimator, found once per pair in both directions.

    Frames of more than `MOST` pixels are shrunk for the estimator, never for the picture.
    """

    def __init__(self, estimate: Estimate, name: str = "optical flow") -> None:
        super().__init__()
        self.spec = Spec(name, activations=60)
        self.estimate = estimate

    def encode(self, rgb: Tensor) -> Tensor:
        """The frame [B,3,H,W] at the estimator's size, -1..1 float32."""
        height, width = rgb.shape[-2:]
        size = estimated_size(height, width)
        seen = rgb.float().clamp(0, 1)
        if size != (height, width):
            seen = F.interpolate(seen, size=size, mode="bilinear", antialias=True)
        return 2 * seen - 1

    def prepare(self, features: Sequence[Tensor], frames: Sequence[Tensor]) -> Prepared:
        """Flow in both directions, from the `encode` output of both frames."""
        before, after = features
        return agreeing((frames[0], frames[1]), self._flow(before, after), self._flow(after, before))

    def _flow(self, start: Tensor, end: Tensor) -> Tensor:
        """Flow [B,2,h,w] from ``start`` to ``end`` [B,3,h,w], one pair at a time. Raises `InputError` for what is no flow."""
        height, width = start.shape[-2:]
        found = []
        for one, other in zip(start.split(1), end.split(1), strict=True):
            flow = self.estimate(padded(one), padded(other))
            if flow.ndim != 4 or flow.shape[:2] != (1, 2) or flow.shape[-2] < height or flow.shape[-1] < width:
                raise InputError(f"the estimator of optical flow gave {list(flow.shape)}: [1, 2, height, width] is needed")
            found.append(flow[..., :height, :width].to(start))
        return torch.cat(found)


def estimated_size(height: int, width: int) -> tuple[int, int]:
    """Height and width at which the flow of a frame is estimated: its own, or at most `MOST` pixels of the same shape."""
    share = math.sqrt(MOST / (height * width))
    return (height, width) if share >= 1 else (max(round(height * share), 1), max(round(width * share), 1))


def padded_size(height: int, width: int) -> tuple[int, int]:
    """The sides of a picture that the estimator takes, see `padded`."""
    tall, wide = (max(-(-side // MULTIPLE) * MULTIPLE, SMALLEST) for side in (height, width))
    return tall, wide


def padded(picture: Tensor) -> Tensor:
    """A picture [1,3,h,w] with its right and lower edges repeated up to `padded_size`."""
    height, width = picture.shape[-2:]
    tall, wide = padded_size(height, width)
    return F.pad(picture, (0, wide - width, 0, tall - height), mode="replicate")


def volume(height: int, width: int) -> int:
    """Bytes that RAFT needs for a frame: its comparison of all cells of 8x8 pixels, at four sizes, made and stored."""
    tall, wide = padded_size(*estimated_size(height, width))
    cells = (tall // MULTIPLE) * (wide // MULTIPLE)
    return round(2 * 4 * cells**2 * (1 + 1 / 4 + 1 / 16 + 1 / 64)) + 2000 * cells * 4
