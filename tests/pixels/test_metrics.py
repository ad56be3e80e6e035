"""The measures against scikit-image's values and against their definitions."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vfi.clips.images import read_image
from vfi.core import InputError
from vfi.pixels import metrics

TRIPLET = Path(__file__).parents[1] / "data" / "triplet"
# What scikit-image 0.26 gives for pairs of the triplet: PSNR, and SSIM with gaussian_weights and population covariance.
SCIKIT_IMAGE = {
    (1, 2): (14.674586567218102, 0.29699446272123203),
    (2, 3): (14.326581940928975, 0.29494606333948997),
    (1, 3): (12.689785063872595, 0.16880536136798266),
}
# The same of `pattern`, cut to so many rows and columns: SSIM alone.
CUT = {
    (11, 11): 0.8589627220657343,
    (64, 12): 0.6645683729806308,
    (74, 30): 0.6523384183550285,
    (75, 30): 0.6494961989720996,
    (150, 97): 0.47816240606847266,
}


def triplet(k: int) -> Tensor:
    return read_image(TRIPLET / f"im{k}.webp").rgb


def pattern(k: int) -> Tensor:
    """A picture [3,150,97] of 8 bits, of waves and edges."""
    y, x = np.mgrid[:150, :97]
    planes = [(x * 3 + y * 5 * k) % 256, (x * y // 7 + k * 31) % 256, ((x - y) ** 2 // 11 * k) % 256]
    return torch.from_numpy(np.stack(planes)).float() / 255


@pytest.mark.parametrize(("pair", "expected"), SCIKIT_IMAGE.items())
def test_psnr_and_ssim_are_scikit_images(pair: tuple[int, int], expected: tuple[float, float]):
    found = metrics.compare(*(triplet(k) for k in pair))
    assert (found.psnr, found.ssim) == pytest.approx(expected, abs=1e-6)
    assert found.lpips is None


@pytest.mark.parametrize(("size", "expected"), CUT.items())
def test_ssim_of_any_size(size: tuple[int, int], expected: float):
    one, other = (pattern(k)[:, : size[0], : size[1]] for k in (1, 2))
    assert metrics.ssim(one, other) == pytest.approx(expected, abs=1e-5)


def test_ie_is_the_mean_difference_in_codes():
    one, other = (torch.full((3, 16, 16), code / 255) for code in (10, 14))
    other[0] = 10 / 255
    assert metrics.interpolation_error(one, other) == pytest.approx(8 / 3)
    assert metrics.psnr(one, other) == pytest.approx(10 * math.log10(255**2 / (32 / 3)))


def test_pictures_are_rounded_to_8_bits_and_clipped():
    true = pattern(1)
    assert metrics.compare(true + 0.4 / 255, true) == metrics.Quality(math.inf, pytest.approx(1), 0)
    white = torch.ones(3, 16, 16)
    assert metrics.psnr(white * 1.5, white) == math.inf
    assert metrics.interpolation_error(-white, white) == 255


def test_half_precision_is_measured_as_its_values_are():
    true, made = pattern(1), pattern(2).half()
    assert metrics.compare(made, true) == metrics.compare(made.float(), true)


@pytest.mark.parametrize(
    ("made", "true", "message"),
    [
        ((3, 16, 16), (3, 16, 17), r"\[3, 16, 16\] and \[3, 16, 17\]"),
        ((1, 3, 16, 16), (1, 3, 16, 16), "two \\[3,H,W\\] of the same size are needed"),
        ((3, 10, 20), (3, 10, 20), "SSIM of 20x10 pixels: each side must be at least 11"),
    ],
)
def test_what_cannot_be_compared_is_said(made: tuple[int, ...], true: tuple[int, ...], message: str):
    with pytest.raises(InputError, match=message):
        metrics.compare(torch.zeros(made), torch.zeros(true))


def test_without_torchmetrics_lpips_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    monkeypatch.setitem(sys.modules, "torchmetrics.image.lpip", None)
    with pytest.raises(InputError, match="LPIPS needs torchmetrics and torchvision, the extra 'bench'"):
        metrics.Lpips()


class Measure:
    """Stands in for torchmetrics' measure: the mean difference."""

    device = torch.device("cpu")

    def __init__(self, net_type: str, normalize: bool) -> None:
        assert (net_type, normalize) == ("alex", True)

    def to(self, device: torch.device | str) -> Measure:
        return self

    def __call__(self, made: Tensor, true: Tensor) -> Tensor:
        assert made.shape[0] == 1
        return (made - true).abs().mean()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where torch keeps downloaded weights; torchmetrics and torchvision seem to be installed."""
    lpip = type(sys)("torchmetrics.image.lpip")
    lpip.LearnedPerceptualImagePatchSimilarity = Measure
    models = type(sys)("torchvision.models")
    weights = type("Weights", (), {"url": "https://example.org/models/alexnet-1.pth"})
    models.AlexNet_Weights = type("AlexNet_Weights", (), {"DEFAULT": weights})
    names = {"torchmetrics.image.lpip": lpip, "torchvision.models": models}
    for name in ("torchmetrics", "torchmetrics.image", "torchvision"):
        names[name] = type(sys)(name)
    for name, module in names.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path


def test_lpips_downloads_nothing_and_says_where_its_weights_belong(hub: Path):
    wanted = f"save https://example.org/models/alexnet-1.pth as {hub}/checkpoints/alexnet-1.pth"
    with pytest.raises(InputError, match=wanted):
        metrics.Lpips()


def test_lpips_is_measured_where_its_weights_are(hub: Path):
    (hub / "checkpoints" / "alexnet-1.pth").touch()
    lpips = metrics.Lpips()
    one, other = (torch.full((3, 40, 40), code / 255) for code in (0, 51))
    assert metrics.compare(one, other, lpips).lpips == pytest.approx(0.2)
    with pytest.raises(InputError, match="LPIPS of 40x30 pixels: each side must be at least 31"):
        lpips(one[:, :30], other[:, :30])


def turned(dx: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    """A smooth texture [3,64,96], and the same with each pixel fetched from (dx, dy) away."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")

    def texture(x: Tensor, y: Tensor) -> Tensor:
        plane = 0.5 + 0.2 * (x / 5).sin() * (y / 4).cos() + 0.2 * ((x + 2 * y) / 7).sin()
        return plane.expand(3, -1, -1)

    return texture(x, y), texture(x + dx, y + dy)


def test_psnr_div_counts_where_motion_shears():
    """The right half shears, the left stands still: only errors at the right count."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
    made, after = turned(torch.where(x > 56, (y - 32) / 10, 0.0), torch.zeros(64, 96))
    left, right = made.clone(), made.clone()
    left[:, :, :24] += 0.1
    right[:, :, 72:] += 0.1
    assert metrics.psnr(made, left) == pytest.approx(metrics.psnr(made, right), abs=0.1)
    assert metrics.psnr_div(made, left, after) > metrics.psnr_div(made, right, after) + 6


def test_psnr_div_of_still_pictures_counts_all_pixels():
    still = torch.full((3, 32, 32), 0.5)
    off = still + 10 / 255
    assert metrics.psnr_div(still, still, still) == math.inf
    assert metrics.psnr_div(still, off, still) == pytest.approx(metrics.psnr(still, off), abs=1e-9)
    assert metrics.compare(still, off).psnr_div is None
    assert metrics.compare(still, off, after=still).psnr_div == pytest.approx(metrics.psnr(still, off), abs=1e-9)


def test_psnr_div_needs_pictures_of_one_size():
    with pytest.raises(InputError, match="PSNR_DIV of pictures"):
        metrics.psnr_div(torch.zeros(3, 32, 32), torch.zeros(3, 32, 32), torch.zeros(3, 32, 16))
