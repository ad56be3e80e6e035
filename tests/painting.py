"""Clips whose motion and paint are known, for tests of paint-through."""

from __future__ import annotations

from fractions import Fraction as F

import torch
from torch import Tensor

from vfi.clips.clip import Edited, Info
from vfi.core import Frame
from vfi.paint.keys import Key
from vfi.pixels.uint8 import codes

HEIGHT, WIDTH, STEP = 48, 80, 2


class Pan:
    """The motion of `pictures`: everything moves ``step`` pixels to the left or to the right, or not at all."""

    def __init__(self, step: int = STEP) -> None:
        self.step = step

    def __call__(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        inner = slice(self.step, -self.step)

        def apart(by: int) -> float:
            return float((before.roll(by, -1) - after)[..., inner].abs().mean())

        flow = before.new_zeros(1, 2, *before.shape[-2:])
        flow[:, 0] = min((0, -self.step, self.step), key=apart)
        return flow, -flow


def pictures(count: int, step: int = STEP) -> list[Tensor]:
    """A sharp texture that pans, 8 bits."""
    dice = torch.Generator().manual_seed(4)
    wide = torch.rand((3, HEIGHT, WIDTH + int(step * count) + 8), generator=dice)
    wide = torch.nn.functional.avg_pool2d(wide[None], 3, 1, 1)[0]
    return [codes(wide[..., int(k * step) : int(k * step) + WIDTH]) for k in range(count)]


def recoloured(picture: Tensor) -> Tensor:
    """A painting of the whole picture, which follows it."""
    red, green, blue = picture.float() / 255
    return codes(torch.stack((0.2 + 0.6 * green, 0.9 - 0.7 * red, 0.3 + 0.4 * blue * red)))


def marked(picture: Tensor, k: int, step: int = STEP) -> Tensor:
    """A square painted on the texture, where frame ``k`` shows it."""
    left = 50 - int(k * step)
    made = picture.clone()
    made[:, 16:28, left : left + 12] = torch.tensor([255, 30, 0], dtype=torch.uint8).view(3, 1, 1)
    return made


def clip_of(rgb: list[Tensor], cuts: tuple[int, ...] = ()) -> Edited:
    height, width = rgb[0].shape[1:]
    info = Info(width, height, rate=F(24), frames=len(rgb), duration=F(len(rgb), 24))
    frames = [Frame(one, F(k, 24), F(1, 24), cut="hold" if k in cuts else None) for k, one in enumerate(rgb)]
    return Edited(info, [], lambda: iter(frames))


def key(frame: int, rgb: Tensor, alpha: Tensor | None = None) -> Key:
    return Key(frame, f"{frame}.png", lambda: Frame(rgb, F(0), alpha=alpha))


def psnr(made: Tensor, truth: Tensor) -> float:
    error = float(((made.float() - truth.float()) / 255).square().mean())
    return -10 * float(torch.tensor(max(error, 1e-9)).log10())


__all__ = ["HEIGHT", "STEP", "WIDTH", "Pan", "clip_of", "key", "marked", "pictures", "psnr", "recoloured"]
