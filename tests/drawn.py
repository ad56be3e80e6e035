"""Drawn pictures whose every part is where a test puts it: a red disc and a blue box on green ground, patterned or plain."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

WIDTH, HEIGHT = 256, 160
RED, BLUE = 0, 2


@cache
def _texture(height: int, width: int, seed: int) -> Tensor:
    coarse = torch.rand(1, 3, height // 8 + 2, width // 8 + 2, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, size=(height, width), mode="bicubic")[0].clamp(0, 1)


def _look(picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    places = torch.stack((2 * x / (picture.shape[2] - 1) - 1, 2 * y / (picture.shape[1] - 1) - 1), dim=-1)
    return F.grid_sample(picture[None], places[None], "bicubic", "border", align_corners=True)[0].clamp(0, 1)


@dataclass(frozen=True)
class Drawn:
    """Where the parts are in A and B, in pixels; ``turn`` of the box in degrees; ``pan`` of the ground to the left; ``plain``:
    the disc and the box have no pattern."""

    disc: tuple[complex, complex] = (60 + 50j, 104 + 50j)
    box: tuple[complex, complex] = (180 + 110j, 140 + 92j)
    turn: float = 0.0
    pan: float = 0.0
    plain: bool = False

    def at(self, ground: float, disc: float, box: float) -> tuple[Tensor, Tensor, Tensor]:
        """The picture [3,H,W] with each part at its place, 0 in A and 1 in B; and the masks of disc and box, [H,W]."""
        y, x = torch.meshgrid(torch.arange(HEIGHT).float(), torch.arange(WIDTH).float(), indexing="ij")
        picture = _look(_texture(HEIGHT + 32, WIDTH + 96, 1), x + 16 + self.pan * ground, y + 16)
        picture = picture * torch.tensor([0.25, 0.8, 0.25])[:, None, None]
        masks = []
        for (start, end), place, angle, channel in (
            (self.disc, disc, 0.0, RED),
            (self.box, box, math.radians(self.turn) * box, BLUE),
        ):
            centre = start + (end - start) * place
            turn = cmath.exp(-1j * angle)
            dx, dy = x - centre.real, y - centre.imag
            u, v = turn.real * dx - turn.imag * dy, turn.imag * dx + turn.real * dy
            shape = 16.5 - (u * u + v * v).sqrt() if channel == RED else torch.minimum(17.5 - u.abs(), 12.5 - v.abs())
            mask = shape.clamp(0, 1)
            colour = torch.zeros(3, 1, 1)
            colour[channel] = 0.65
            pattern = torch.full_like(picture, 0.17) if self.plain else 0.35 * _look(_texture(96, 96, 2), u + 48, v + 48)
            picture = picture * (1 - mask) + (pattern + colour) * mask
            masks.append(mask)
        return picture, masks[0], masks[1]


def centre(picture: Tensor, channel: int) -> tuple[complex, float]:
    """The centre of gravity of all that is of a colour in a picture [3,H,W], and how much that is."""
    others = [other for other in range(3) if other != channel]
    weight = (picture[channel] - picture[others].amax(0) - 0.15).clamp(0, 1)
    total = weight.sum()
    x, y = torch.arange(picture.shape[2]), torch.arange(picture.shape[1])[:, None]
    return complex(float((weight * x).sum() / total), float((weight * y).sum() / total)), float(total)


def off(made: Tensor, truth: Tensor, channel: int) -> float:
    """How far a part is from its true place, in pixels; infinite if it is not whole, or is there twice."""
    (place, size), (wanted, whole) = centre(made, channel), centre(truth, channel)
    return abs(place - wanted) if 0.93 < size / whole < 1.07 else math.inf
