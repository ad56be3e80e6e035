"""How near a made picture is to the true one: PSNR, SSIM, IE and LPIPS.

Pictures are [3,H,W] RGB, 0..1, and rounded to 8 bits first, as they would be in a file. SSIM is kornia's and LPIPS
torchmetrics', loaded when they are asked for. Knows nothing of models, files or means over many pictures.
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
"""Rows of the SSIM map that are made at once: the maps of a whole 4K frame fill gigabytes, and leave the processor's caches."""

LPIPS_SMALLEST = 31
"""The smallest side, in pixels, that AlexNet's strides leave anything of."""


@dataclass(frozen=True)
class Quality:
    """One made picture against the true one; ``lpips`` is None where it was not measured."""

    psnr: float
    ssim: float
    ie: float
    lpips: float | None = None


class Lpips:
    """The learned perceptual distance of Zhang et al. (CVPR 2018), version 0.1, AlexNet: 0 for equal pictures, less is better.

    Never downloads: raises `InputError`, saying what is missing, where torchmetrics, torchvision or the weights are not here.
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
            raise InputError(f"LPIPS needs AlexNet's weights, which are not downloaded unasked: put {url} at {weights}")
        self._metric = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True).to(device)

    def __call__(self, made: Tensor, true: Tensor) -> float:
        """Raises `InputError` where the pictures differ in size or have a side below 31 pixels."""
        _check(made, true, LPIPS_SMALLEST, "LPIPS")
        device = self._metric.device
        pair = ((in_8_bits(rgb).float() / 255)[None].to(device) for rgb in (made, true))
        return float(self._metric(*pair))


def compare(made: Tensor, true: Tensor, lpips: Lpips | None = None) -> Quality:
    """All measures of a made picture; ``lpips`` says how to take the one that needs weights. Raises `InputError`."""
    perceptual = None if lpips is None else lpips(made, true)
    return Quality(psnr(made, true), ssim(made, true), interpolation_error(made, true), perceptual)


def psnr(made: Tensor, true: Tensor) -> float:
    """The peak signal-to-noise ratio over all three channels, dB: more is better, infinite for equal pictures."""
    _check(made, true, 1, "PSNR")
    error = float((in_8_bits(made) - in_8_bits(true)).square().mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(made: Tensor, true: Tensor) -> float:
    """The mean structural similarity of Wang et al. (2004), up to 1 for equal pictures, mean of the three channels.

    Gaussian window of 11x11, sigma 1.5, population covariance, no borders: what scikit-image gives with ``gaussian_weights``
    and ``use_sample_covariance=False``. Raises `InputError` where a side is below 11 pixels.
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
    """IE: the mean absolute difference of the 8-bit values, 0..255; less is better. (Middlebury's is the root mean square.)"""
    _check(made, true, 1, "IE")
    return float((in_8_bits(made) - in_8_bits(true)).abs().mean())


def in_8_bits(rgb: Tensor) -> Tensor:
    """A picture as whole numbers 0..255, in double precision; what lies outside 0..1 is clipped."""
    return (rgb.double().clamp(0, 1) * 255).round()


def _check(made: Tensor, true: Tensor, smallest: int, measure: str) -> None:
    if made.shape != true.shape or made.ndim != 3 or made.shape[0] != 3:
        raise InputError(
            f"{measure} of pictures {list(made.shape)} and {list(true.shape)} was asked for: two [3,H,W] of one size are needed"
        )
    if min(made.shape[1:]) < smallest:
        raise InputError(
            f"{measure} of {made.shape[2]}x{made.shape[1]} pixels was asked for: {smallest} on either side are needed"
        )
