"""Tells drawings in flat colours from photographs and paintings.

Knows nothing of clips or models.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.near import largest, smallest

FLAT, EDGE = 2.5 / 255, 32 / 255
"""Ranges of colour within 3x3 pixels: up to the first they are flat, from the second on an edge, and shaded in between."""

LEAST_FLAT, MOST_SHADED = 0.7, 0.12
"""Shares of the pixels of a drawing. Cels have at least 0.88 and at most 0.01, coded by H.264 at crf 28 at least 0.72 and at
most 0.11; of the 107 photographs, renderings and paintings of two public sets, none has both."""

BAND = 64
"""Rows that are looked at together: most pictures that are no drawings show it in the first."""


def ranges(picture: Tensor) -> Tensor:
    """The largest range of any channel within 3x3 pixels: [B,C,H,W] to [B,1,H,W]."""
    return (largest(picture) - smallest(picture)).amax(1, keepdim=True)


def is_drawn(picture: Tensor) -> bool:
    """Whether a picture [B,C,H,W], 0..1, is line art or flat colour: nearly all of it is flat, and the rest has sharp edges."""
    batch, _, height, width = picture.shape
    total = batch * height * width
    flat = sharp = seen = 0
    for top in range(0, height, BAND):
        rows = picture[..., max(top - 1, 0) : top + BAND + 1, :].float()
        found = ranges(rows)[..., top - max(top - 1, 0) :, :][..., :BAND, :]
        seen += found.numel()
        flat += int((found <= FLAT).count_nonzero())
        sharp += int((found >= EDGE).count_nonzero())
        if seen - flat > (1 - LEAST_FLAT) * total or seen - flat - sharp > MOST_SHADED * total:
            return False
    return sharp > 0


def paper_for(picture: Tensor, alpha: Tensor) -> float:
    """The grey of the paper, white or black, on which premultiplied colours [B,3,H,W] with ``alpha`` [B,1,H,W] stand out.

    What meets transparency decides: white under dark lines, black under light ones.
    """
    border = ((alpha > 0) & (alpha < 1)).to(picture)
    border = border if bool(border.any()) else (smallest(alpha) < 1).to(picture) * alpha
    shown = (border * alpha).sum()
    mean = (picture.mean(1, keepdim=True) * border).sum() / shown.clamp(min=1e-6)
    return 0.0 if bool(shown > 0) and float(mean) > 0.6 else 1.0


def on_paper(picture: Tensor, alpha: Tensor, paper: float) -> Tensor:
    """Premultiplied colours [B,3,H,W] over grey ``paper``."""
    return picture + torch.clamp(1 - alpha, min=0) * paper
