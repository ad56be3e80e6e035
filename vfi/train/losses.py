"""Losses: differences of pictures, at all scales, and of motion.

Knows shapes, and nothing of networks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 5

EPSILON = 1e-3
"""Differences (in 0..1) well below this are quadratic in `charbonnier`."""


def laplacian(made: Tensor, true: Tensor, levels: int = LEVELS) -> Tensor:
    """The mean absolute difference of the Laplacian pyramids of pictures [B,3,H,W], summed over ``levels``, finest first.

    Niklaus and Liu, "Context-aware Synthesis for Video Frame Interpolation", CVPR 2018, with equal weights as in RIFE (ECCV
    2022), so every octave of detail counts equally. The residual below the last level is not compared; the pyramid ends early
    if a side can no longer be halved.
    """
    difference = made - true  # pyramids are linear: the pyramid of the difference is the difference of the pyramids
    total = difference.new_zeros(())
    for _ in range(levels):
        if difference.shape[-1] % 2 or difference.shape[-2] % 2 or min(difference.shape[-2:]) < 4:
            break
        coarse = halved(halved(difference, 2), 3)
        total = total + (difference - doubled(doubled(coarse, 2), 3)).abs().mean()
        difference = coarse
    return total


def halved(planes: Tensor, dim: int) -> Tensor:
    """``planes`` filtered along ``dim`` by (1, 4, 6, 4, 1) / 16, mirrored at the border, and decimated by 2.

    Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983. Slicing is faster here than a convolution.
    """
    side = planes.shape[dim]
    ends = planes.narrow(dim, 1, 2).flip(dim), planes.narrow(dim, side - 3, 2).flip(dim)
    grown = torch.cat((ends[0], planes, ends[1]), dim=dim)
    one, two, three, four, five = (_every_second(grown, dim, start, side) for start in range(5))
    return (one + five) / 16 + (two + four) / 4 + three * (3 / 8)


def doubled(planes: Tensor, dim: int) -> Tensor:
    """``planes`` upsampled by 2 along ``dim`` with zeros and filtered by twice the same window."""
    side = planes.shape[dim]
    before = torch.cat((planes.narrow(dim, 1, 1), planes.narrow(dim, 0, side - 1)), dim=dim)
    after = torch.cat((planes.narrow(dim, 1, side - 1), planes.narrow(dim, side - 1, 1)), dim=dim)
    even, odd = (before + after) / 8 + planes * (3 / 4), (planes + after) / 2
    return torch.stack((even, odd), dim=dim + 1).flatten(dim, dim + 1)


def _every_second(planes: Tensor, dim: int, start: int, side: int) -> Tensor:
    return planes.narrow(dim, start, side)[(slice(None),) * dim + (slice(None, None, 2),)]


def charbonnier(made: Tensor, true: Tensor) -> Tensor:
    """The mean of sqrt(difference^2 + epsilon^2): robust, and smooth at zero."""
    return ((made - true).square() + EPSILON**2).sqrt().mean()


def distillation(
    flows: Sequence[Tensor], taught: Tensor, errors: Sequence[Tensor], bar: Tensor, better: float = 0.01
) -> Tensor:
    """Distance of each of ``flows`` [B,4,H,W] from a teacher's, only where the teacher's picture is ``better`` by that much.

    ``taught`` [B,4,h,w]: the teacher's flow; ``bar`` [B,1,h,w]: the error of its picture, the mean absolute difference of a
    pixel's channels from the truth; ``errors`` [B,1,H,W]: the same for the pictures made by ``flows``. A flow on another grid
    is averaged or upsampled to the teacher's. The loss is the mean over all pixels of the root mean square of the four
    components, summed over ``flows``: Huang et al., "Real-Time Intermediate Flow Estimation for Video Frame Interpolation",
    ECCV 2022, equation 8, with the threshold of its authors' code.
    """
    total = taught.new_zeros(())
    for flow, error in zip(flows, errors, strict=True):
        learns = (to_grid(error, bar) > bar + better).detach()
        apart = (to_grid(flow, taught) - taught.detach()).square().mean(dim=1, keepdim=True)
        total = total + torch.where(learns, root(apart), 0).mean()
    return total


def root(square: Tensor) -> Tensor:
    """The square root, with a gradient of zero at zero instead of infinity."""
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1).sqrt(), 0)


def to_grid(planes: Tensor, like: Tensor) -> Tensor:
    """``planes`` [B,C,H,W] averaged, or upsampled bilinearly, to the size of ``like`` [B,C',h,w]; one size is a multiple of the
    other."""
    size, wanted = planes.shape[-2:], like.shape[-2:]
    if size == wanted:
        return planes
    if size < wanted:
        return F.interpolate(planes, size=wanted, mode="bilinear", align_corners=False)
    return F.avg_pool2d(planes, size[1] // wanted[1])
