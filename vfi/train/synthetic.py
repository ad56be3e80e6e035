"""Synthetic motion: moves still pictures over each other, with exact ground truth for frame, flow and occlusion.

A scene is a background plus shapes cut from other pictures. Each layer rotates, scales, drifts along a curve and bends
smoothly; brightness changes, and all frames may be blurred alike. Frames come straight from the stills, each sampled once.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops.warp import sample as look_up
from .samples import Sample
from .teachers import GRID

ROUNDS = 4
"""Fixed-point iterations that invert the bend of a layer: each leaves at most a tenth of the remaining error."""


@dataclass(frozen=True)
class Synthetic:
    """Range of the motion of a background and up to ``layers`` shapes.

    ``reach``: maximum drift, and ``bend``: size of the bend, as shares of the frame's side; ``turn``: maximum rotation in
    degrees; ``grow``: maximum change of scale, as a share.
    """

    reach: float = 0.12
    turn: float = 10.0
    grow: float = 0.1
    bend: float = 0.01
    layers: int = 2

    def made(self, pictures: Sequence[Tensor], size: int, chance: random.Random) -> Sample:
        """A random example of side ``size``, a multiple of `GRID`; the first of ``pictures`` [3,H,W] is the background."""
        t = 0.5 if chance.random() < 0.5 else chance.uniform(0.1, 0.9)
        layers = [Layer.drawn(self, picture, size, number > 0, chance) for number, picture in enumerate(pictures)]
        light = chance.uniform(-0.15, 0.15) if chance.random() < 0.3 else 0.0
        soft = chance.uniform(0.5, 1.5) if chance.random() < 0.15 else 0.0
        before, truth, after = (blurred(frame(layers, size, time) * (1 + light * time), soft) for time in (0.0, t, 1.0))
        flow, seen = motion(layers, size, t)
        error = torch.where(seen, 0.0, torch.inf)
        coarse = F.avg_pool2d(flow, GRID), F.max_pool2d(error, GRID)
        return Sample(before.clamp(0, 1), after.clamp(0, 1), truth.clamp(0, 1), truth.clamp(0, 1), torch.tensor(t), *coarse)


@dataclass(frozen=True)
class Layer:
    """One picture and its motion. At time 0 its point p, in pixels from its middle, is at ``centre`` + p.

    ``drift`` and ``curve``: (dx, dy) in pixels; at time s the offset is s drift + s (1 - s) curve. ``turn`` in radians and
    ``grow`` are reached at time 1. ``bend`` [2,h,w], in pixels: displacement stretched over the picture, scaled by s; None for
    none. ``shape`` [1,h,w], 0..1: opacity; None for fully opaque.
    """

    picture: Tensor
    centre: tuple[float, float]
    drift: tuple[float, float]
    curve: tuple[float, float]
    turn: float
    grow: float
    bend: Tensor | None
    shape: Tensor | None

    @classmethod
    def drawn(cls, how: Synthetic, picture: Tensor, size: int, cut_out: bool, chance: random.Random) -> Layer:
        """A layer with random motion; a ``cut_out`` shows only a shape of the picture and moves further."""
        noise = torch.Generator().manual_seed(chance.getrandbits(62))
        reach = how.reach * size * chance.random() * (1 if cut_out else 0.6)
        angle, bow = chance.uniform(0, 2 * math.pi), chance.uniform(-0.3, 0.3)
        drift = (reach * math.cos(angle), reach * math.sin(angle))
        shape = blob(size, noise) if cut_out else None
        calm, bent = chance.random() < 0.5, chance.random() < 0.25
        return cls(
            picture=zoomed(picture, size, chance),
            centre=(chance.uniform(0.2, 0.8) * size, chance.uniform(0.2, 0.8) * size) if cut_out else (size / 2, size / 2),
            drift=drift,
            curve=(-drift[1] * bow, drift[0] * bow),
            turn=0.0 if calm else math.radians(chance.uniform(-how.turn, how.turn)),
            grow=0.0 if calm else chance.uniform(-how.grow, how.grow),
            bend=bend(how.bend * size, noise) if bent else None,
            shape=shape,
        )

    def places(self, position: Tensor, time: float) -> Tensor:
        """The layer's own points p, [2,h,w], that appear at ``position`` [2,h,w] at ``time``: the inverse of `positions`."""
        moved = position - self._middle(time, position)
        turn, factor = self.turn * time, 1 + self.grow * time
        cosine, sine = math.cos(turn) / factor, math.sin(turn) / factor
        p = torch.stack((cosine * moved[0] + sine * moved[1], cosine * moved[1] - sine * moved[0]))
        straight = p
        for _ in range(ROUNDS if self.bend is not None and time else 0):
            straight = p - time * self._bend(straight)
        return straight

    def positions(self, p: Tensor, time: float) -> Tensor:
        """Positions [2,h,w] in the frame of the layer's points p, [2,h,w], at ``time``."""
        bent = p + time * self._bend(p)
        turn, factor = self.turn * time, 1 + self.grow * time
        cosine, sine = math.cos(turn) * factor, math.sin(turn) * factor
        turned = torch.stack((cosine * bent[0] - sine * bent[1], cosine * bent[1] + sine * bent[0]))
        return turned + self._middle(time, p)

    def colours(self, p: Tensor) -> Tensor:
        """The picture's colours at its points p, [3,h,w]."""
        return _at(self.picture, p)

    def cover(self, p: Tensor) -> Tensor:
        """Opacity at its points p, [1,h,w], 0..1."""
        return torch.ones_like(p[:1]) if self.shape is None else _at(self.shape, p, outside="zeros")

    def _middle(self, time: float, like: Tensor) -> Tensor:
        bow = time * (1 - time)
        middle = [c + time * d + bow * b for c, d, b in zip(self.centre, self.drift, self.curve, strict=True)]
        return like.new_tensor(middle).view(2, 1, 1)

    def _bend(self, p: Tensor) -> Tensor:
        if self.bend is None:
            return torch.zeros_like(p)
        return _at(self.bend, p * ((self.bend.shape[-1] - 1) / self.picture.shape[-1]))


def frame(layers: Sequence[Layer], size: int, time: float) -> Tensor:
    """Render the layers at ``time``, [3,size,size]."""
    made = torch.zeros(3, size, size)
    for layer in layers:
        p = layer.places(grid(size), time)
        made = torch.lerp(made, layer.colours(p), layer.cover(p))
    return made


def motion(layers: Sequence[Layer], size: int, t: float) -> tuple[Tensor, Tensor]:
    """Flow from ``t`` to times 0 and 1, [4,size,size], and whether each pixel is visible at both, [1,size,size] bool."""
    position = grid(size)
    flow, seen = torch.zeros(4, size, size), torch.ones(1, size, size, dtype=torch.bool)
    for number, layer in enumerate(layers):
        p = layer.places(position, t)
        mine = layer.cover(p) > 0.5
        for arm, time in enumerate((0.0, 1.0)):
            there = layer.positions(p, time)
            flow[2 * arm : 2 * arm + 2] = torch.where(mine, there - position, flow[2 * arm : 2 * arm + 2])
            bare = ((there >= 0) & (there <= size - 1)).all(dim=0, keepdim=True)
            for other in layers[number + 1 :]:
                bare = bare & (other.cover(other.places(there, time)) < 0.5)
            seen = torch.where(mine, bare if arm == 0 else seen & bare, seen)
    return flow, seen


def grid(size: int) -> Tensor:
    """Pixel coordinates (x, y) of a frame, [2,size,size]."""
    side = torch.arange(size, dtype=torch.float32)
    return torch.stack(torch.meshgrid(side, side, indexing="xy"))


def blob(size: int, noise: torch.Generator) -> Tensor:
    """A random shape, [1,h,w], 0..1, with a soft border of two pixels, a third to two thirds of ``size`` across."""
    side = int(size * (0.33 + 0.33 * float(torch.rand((), generator=noise))))
    rough = torch.randn(1, 1, 5, 5, generator=noise)
    smooth = F.interpolate(rough, size=(side, side), mode="bicubic", align_corners=True)[0] * 0.35
    across = torch.linspace(-1, 1, side)
    away = (across[None].square() + across[:, None].square()).sqrt()
    return ((0.75 - away + 0.35 * smooth) * side / 4 + 0.5).clamp(0, 1)


def bend(reach: float, noise: torch.Generator) -> Tensor:
    """A smooth random displacement field of about ``reach`` pixels, [2,33,33]."""
    rough = torch.randn(1, 2, 5, 5, generator=noise) * reach
    return F.interpolate(rough, size=(33, 33), mode="bicubic", align_corners=True)[0]


def zoomed(picture: Tensor, size: int, chance: random.Random) -> Tensor:
    """A random crop of a picture [3,H,W], resized to a square of 1.5 times ``size``, which leaves room for motion."""
    side = round(1.5 * size)
    height, width = picture.shape[-2:]
    part = min(min(height, width), round(side * chance.uniform(0.8, 1.6)))
    top, left = chance.randint(0, height - part), chance.randint(0, width - part)
    crop = picture[:3, top : top + part, left : left + part]
    return F.interpolate(crop[None], size=(side, side), mode="bilinear", antialias=True)[0]


def blurred(rgb: Tensor, sigma: float) -> Tensor:
    """Blur a picture [3,H,W] with a Gaussian of ``sigma`` pixels."""
    if not sigma:
        return rgb
    reach = math.ceil(3 * sigma)
    kernel = torch.exp(-torch.arange(-reach, reach + 1).float().square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = F.pad(rgb[:, None], (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))[:, 0]


def _at(picture: Tensor, p: Tensor, outside: str = "border") -> Tensor:
    """Sample ``picture`` [C,h,w] at points p [2,H,W], in its pixels from its middle."""
    height, width = picture.shape[-2:]
    x, y = p[0] + (width - 1) / 2, p[1] + (height - 1) / 2
    return look_up(picture[None], x[None], y[None], outside=outside)[0]  # type: ignore[arg-type]
