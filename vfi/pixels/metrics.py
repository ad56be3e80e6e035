"""Quality of a made picture against the ground truth: PSNR, PSNR_DIV, SSIM, IE and LPIPS.

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

DIVERGES = 0.01
"""Share of the largest divergence from which a pixel counts for PSNR_DIV."""

LUMA_709 = (0.2126, 0.7152, 0.0722)

LPIPS_SMALLEST = 31
"""The smallest side, in pixels, that survives AlexNet's strides."""


@dataclass(frozen=True)
class Quality:
    """One made picture against the ground truth; None stands for what was not measured."""

    psnr: float
    ssim: float
    ie: float
    lpips: float | None = None
    psnr_div: float | None = None


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


def compare(made: Tensor, true: Tensor, lpips: Lpips | None = None, after: Tensor | None = None) -> Quality:
    """All measures of a made picture; LPIPS only if ``lpips`` is given.

    PSNR_DIV only with the frame ``after`` it in the clip that was made. Raises `InputError`.
    """
    perceptual = None if lpips is None else lpips(made, true)
    divergent = None if after is None else psnr_div(made, true, after)
    return Quality(psnr(made, true), ssim(made, true), interpolation_error(made, true), perceptual, divergent)


def psnr(made: Tensor, true: Tensor) -> float:
    """Peak signal-to-noise ratio over all three channels, in dB: higher is better, infinite for equal pictures."""
    _check(made, true, 1, "PSNR")
    error = float((in_8_bits(made) - in_8_bits(true)).square().mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def psnr_div(made: Tensor, true: Tensor, after: Tensor) -> float:
    """PSNR where the motion of what was made diverges, in dB; higher is better, infinite for equal pictures.

    Interpolators fail visibly where motion spreads or gathers, so this PSNR follows opinions better. The measure is that of
    arXiv 2510.01361 (QoMEX 2025): Farneback's flow (u, v) from ``made`` to the frame ``after`` it, |du/dy + dv/dx| relative to
    its largest value, and the luma (BT.709) of all pixels where that is above 0.01. These are the axes that its code takes; the
    divergence of textbooks is du/dx + dv/dy. If nothing moves, all pixels count. Raises `InputError`.
    """
    import cv2
    import numpy as np

    _check(made, true, 2, "PSNR_DIV")
    _check(made, after, 2, "PSNR_DIV")
    one, truth, other = (_luma(rgb) for rgb in (made, true, after))
    greys = (plane.round().to(torch.uint8).cpu().numpy() for plane in (one, other))
    flow = cv2.calcOpticalFlowFarneback(*greys, None, 0.5, 3, 15, 3, 5, 1.2, 0)  # type: ignore[call-overload]
    spread = np.abs(np.gradient(flow[..., 0], axis=0) + np.gradient(flow[..., 1], axis=1))
    most = float(spread.max())
    counts = torch.from_numpy(spread > DIVERGES * most).to(one.device) if most else torch.ones_like(one, dtype=torch.bool)
    error = float((one - truth)[counts].square().mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def _luma(rgb: Tensor) -> Tensor:
    """Luma [H,W] of a picture in 8 bits, 0..255, as BT.709 weighs it."""
    return torch.einsum("chw,c->hw", in_8_bits(rgb), torch.tensor(LUMA_709, dtype=torch.double, device=rgb.device))


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
