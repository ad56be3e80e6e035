"""Quality of a made picture against the ground truth: PSNR, SSIM, IE and LPIPS.

Pictures are [3,H,W] RGB, 0..1, and are rounded to 8 bits first, as in a file. SSIM is kornia's and LPIPS torchmetrics', both
loaded on first use. Knows nothing of models, files or means over many pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from ..core import InputError

SSIM_WINDOW = 11
SSIM_ROWS = 64
"""Rows of the SSIM map computed at once: the maps of a whole 4K frame take gigabytes and do not fit the CPU caches."""

LPIPS_SMALLEST = 31
"""The smallest side, in pixels, that survives AlexNet's strides."""


@dataclass(frozen=True)
class Quality:
    """One made picture against the ground truth; ``lpips`` is None if it was not measured."""

    psnr: float
    ssim: float
    ie: float
    lpips: float | None = None


class Lpips:
    """The learned perceptual distance of Zhang et al. (CVPR 2018), version 0.1, AlexNet: 0 for equal pictures, lower is better.

    Never downloads: raises `InputError`, naming what is missing, if torchmetrics, torchvision or the weights are absent.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        try:
            from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
            from torchvision.models import AlexNet_Weights
        except (ImportError, RuntimeError) as error:
            raise InputError(f"LPIPS needs torchmetrics and torchvision, the extra 'bench': {error}") from error
        url = AlexNet_Weights.DEFAULT.url
        weights = Path(torch.hub.get_dir()) / "checkpoints" / PurePosixPath(url).name
        if not weights.is_file():
            raise InputError(
                f"LPIPS needs AlexNet's weights, which are never downloaded automatically: save {url} as {weights}"
            )
        self._metric = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True).to(device)

    def __call__(self, made: Tensor, true: Tensor) -> float:
        """Raises `InputError` if the pictures differ in size or have a side below 31 pixels."""
        _check(made, true, LPIPS_SMALLEST, "LPIPS")
        device = self._metric.device
        pair = ((in_8_bits(rgb).float() / 255)[None].to(device) for rgb in (made, true))
        return float(self._metric(*pair))


def compare(made: Tensor, true: Tensor, lpips: Lpips | None = None) -> Quality:
    """All measures of a made picture; LPIPS only if ``lpips`` is given. Raises `InputError`."""
    perceptual = None if lpips is None else lpips(made, true)
    return Quality(psnr(made, true), ssim(made, true), interpolation_error(made, true), perceptual)


def psnr(made: Tensor, true: Tensor) -> float:
    """Peak signal-to-noise ratio over all three channels, in dB: higher is better, infinite for equal pictures."""
    _check(made, true, 1, "PSNR")
    error = float((in_8_bits(made) - in_8_bits(true)).square().mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(made: Tensor, true: Tensor) -> float:
    """Mean structural similarity of Wang et al. (2004), averaged over the three channels; at most 1, for equal pictures.

    Gaussian window of 11x11, sigma 1.5, population covariance, no borders: matches scikit-image with ``gaussian_weights`` and
    ``use_sample_covariance=False``. Raises `InputError` if a side is below 11 pixels.
    """
    from kornia.metrics import ssim as map_of

    _check(made, true, SSIM_WINDOW, "SSIM")
    planes = torch.stack([in_8_bits(rgb)[:, None] / 255 for rgb in (made, true)])
    total = torch.zeros((), dtype=planes.dtype)
    for top in range(0, made.shape[1] - SSIM_WINDOW + 1, SSIM_ROWS):
        one, other = planes[..., top : top + SSIM_ROWS + SSIM_WINDOW - 1, :]
        total += map_of(one, other, SSIM_WINDOW, padding="valid").sum()
    rows, columns = (side - SSIM_WINDOW + 1 for side in made.shape[1:])
    return float(total) / (3 * rows * columns)


def interpolation_error(made: Tensor, true: Tensor) -> float:
    """IE: mean absolute difference of the 8-bit values, 0..255; lower is better. (Middlebury's is the root mean square.)"""
    _check(made, true, 1, "IE")
    return float((in_8_bits(made) - in_8_bits(true)).abs().mean())


def in_8_bits(rgb: Tensor) -> Tensor:
    """A picture as whole numbers 0..255, in double precision; values outside 0..1 are clipped."""
    return (rgb.double().clamp(0, 1) * 255).round()


def _check(made: Tensor, true: Tensor, smallest: int, measure: str) -> None:
    if made.shape != true.shape or made.ndim != 3 or made.shape[0] != 3:
        raise InputError(
            f"{measure} of pictures {list(made.shape)} and {list(true.shape)}: two [3,H,W] of the same size are needed"
        )
    if min(made.shape[1:]) < smallest:
        raise InputError(f"{measure} of {made.shape[2]}x{made.shape[1]} pixels: each side must be at least {smallest}")
