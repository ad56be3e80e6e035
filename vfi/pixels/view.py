"""Pictures as a person sees them: reduced, in sRGB, over a checkerboard where they are transparent.

Knows nothing of files, or of where a picture is shown.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..core import Frame
from .area import area_mean
from .transfer import TRANSFERS, Transfer
from .uint8 import codes, floats

KNEE = 0.8
"""Light of an HDR picture from which it is compressed, 1 being white."""

WHITES = {"pq": 2.03, "hlg": 0.2033}
"""Light of white: 203 cd/m2 as ITU-R BT.2408 has it, and HLG's code 0.75 on a display (gamma 1.2)."""

AS_THEY_ARE = ("srgb", "bt1886", "bt709", "gamma2.2", "gamma2.6", "gamma2.8")
"""Curves so near to sRGB that their codes are shown unchanged, as players do."""

BT2020, TO_BT709 = 9, ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
"""Code of the wide primaries of ITU-R BT.2020, and their light in those of BT.709, as ITU-R BT.2087 has it."""

SQUARE = 8
CHECKS = 0.8, 0.62
"""Side and greys of the checkerboard."""


def view(frame: Frame, side: int, transfer: Transfer = TRANSFERS["srgb"], primaries: int = 1) -> Any:
    """The frame, averaged down until no side is above ``side``, as [h,w,3] uint8 of sRGB on the CPU; ``transfer`` and
    ``primaries`` (code of ITU-T H.273) are the clip's."""
    height, width = frame.rgb.shape[-2:]
    scale = min(side / max(height, width), 1.0)
    size = max(round(height * scale), 1), max(round(width * scale), 1)
    rgb = floats(frame.rgb.detach()).nan_to_num()
    alpha = None if frame.alpha is None else floats(frame.alpha.detach()).nan_to_num().clamp(0, 1)
    if alpha is not None:
        rgb = rgb * alpha
    rgb = _reduced(rgb, size)
    if alpha is not None:
        alpha = _reduced(alpha, size)
        rgb = torch.where(alpha > 1e-4, rgb / alpha.clamp(min=1e-4), rgb)
    if transfer.name not in AS_THEY_ARE:
        light = transfer.light(rgb)
        rgb = TRANSFERS["srgb"].code(
            _within(light if transfer.name != "hlg" else light.clamp(min=0) ** 1.2, transfer, primaries)
        )
    if alpha is not None:
        rgb = rgb.clamp(0, 1) * alpha + _checks(size).to(rgb) * (1 - alpha)
    return codes(rgb.clamp(0, 1).cpu()).movedim(0, -1).contiguous().numpy()


def _reduced(planes: Tensor, size: tuple[int, int]) -> Tensor:
    return planes if planes.shape[-2:] == size else area_mean(planes, size)


def _within(light: Tensor, transfer: Transfer, primaries: int) -> Tensor:
    """Light of any height as light of 0..1, with what is bright compressed."""
    light = light / WHITES.get(transfer.name, 1.0)
    if primaries == BT2020:
        light = torch.einsum("ij,jhw->ihw", torch.tensor(TO_BT709, device=light.device), light)
    bright = KNEE + (1 - KNEE) * (1 - torch.exp(-(light - KNEE) / (1 - KNEE)))
    return torch.where(light > KNEE, bright, light).clamp(0, 1)


def _checks(size: tuple[int, int]) -> Tensor:
    rows, columns = torch.arange(size[0]) // SQUARE, torch.arange(size[1]) // SQUARE
    dark = (rows[:, None] + columns) % 2
    return CHECKS[0] - (CHECKS[0] - CHECKS[1]) * dark.float()
