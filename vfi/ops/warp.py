"""Backward warping: sample every output pixel at the position that it comes from.

All conventions are the same bilinear sampling; they differ in sampling positions and padding. Trained weights need the
convention of their training, so each has its own name here. A half-pixel grid (``align_corners=False``) whose flow is
divided by W/2 samples exactly the positions of `warp_corners`, so FILM needs no function of its own.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .kinds import kind

Outside = Literal["border", "zeros"]


def warp_corners(image: Tensor, flow: Tensor) -> Tensor:
    """Sample ``image`` at ``position + flow``, with border padding and pixel centres at integers.

    This is ``grid_sample(align_corners=True)`` as RIFE, IFRNet and AMT use it. ``image`` is [B,C,H,W] of any float type,
    ``flow`` is [B,2,H,W] (dx, dy) in pixels. Sampling is always float32: half-precision grids jitter, and fail on some
    CPUs. Returns [B,C,H,W] in ``image``'s type. A batch of 1 in either broadcasts to the batch of the other.
    """
    height, width = flow.shape[-2:]
    flow = flow.to(torch.promote_types(flow.dtype, torch.float32))
    # Normalise, then add the flow, as in training: adding in pixels rounds differently, which shows as 1e-4.
    x = torch.linspace(-1, 1, width, device=flow.device, dtype=flow.dtype)
    y = torch.linspace(-1, 1, height, device=flow.device, dtype=flow.dtype)
    grid_x = x + flow[:, 0] * (2 / max(width - 1, 1))
    grid_y = y[:, None] + flow[:, 1] * (2 / max(height - 1, 1))
    return _look_up(image, grid_x, grid_y, outside="border")


def warp_cubic(image: Tensor, flow: Tensor) -> Tensor:
    """As `warp_corners`, by cubic convolution of 4x4 pixels, which keeps edges sharp when frames are warped more than once.

    Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981. It overshoots at edges, so the result is
    clamped to the range of each picture's colours. Bilinear on devices that cannot.
    """
    if not kind(flow.device).cubic:
        return warp_corners(image, flow)
    height, width = flow.shape[-2:]
    x, y = targets(flow)
    batch = max(image.shape[0], flow.shape[0])
    places = torch.stack((x * (2 / max(width - 1, 1)) - 1, y * (2 / max(height - 1, 1)) - 1), dim=-1).clamp(-1, 1)
    source = image.to(places.dtype).expand(batch, -1, -1, -1)
    made = _grid_sample(source, places.expand(batch, -1, -1, -1), "border", "bicubic")
    return made.to(image.dtype).clamp(image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True))


def warp_moved(image: Tensor, flow: Tensor) -> Tensor:
    """As `warp_cubic`; pixels whose ``flow`` is 0 keep their bits. Both are of the same batch."""
    return torch.where((flow != 0).any(dim=1, keepdim=True), warp_cubic(image, flow), image)


def warp_zeros(image: Tensor, flow: Tensor) -> Tensor:
    """As `warp_corners`, with zero padding: SepConv, softsplat and optical flow networks."""
    return sample(image, *targets(flow), outside="zeros")


def warp_valid(image: Tensor, flow: Tensor) -> Tensor:
    """As `warp_zeros`, but samples that lie partly outside the frame are zero: PWC-Net.

    Up to a ten-thousandth of a sample's weight may lie outside (Sun et al., CVPR 2018, as trained).
    """
    x, y = targets(flow)
    height, width = image.shape[-2:]
    inside = _overlap(x, width) * _overlap(y, height)
    return sample(image, x, y, outside="zeros") * (inside >= 0.9999)[:, None].to(image.dtype)


def warp_shrunk(image: Tensor, flow: Tensor) -> Tensor:
    """Sample at ``(position + flow) * (side - 1) / side``, with zero padding: Super SloMo as trained.

    Its grid is divided by the side, not by the side minus one, but sampled with aligned corners, so the picture
    grows by one pixel. The weights have learned to compensate.
    """
    return warp_zeros(image, shrink(flow))


def shrink(flow: Tensor) -> Tensor:
    """Flow [B,2,H,W] in pixels with which `warp_zeros` samples where `warp_shrunk` does with ``flow``; float32 or better."""
    height, width = flow.shape[-2:]
    x, y = targets(flow)
    return flow - torch.stack((x / width, y / height), dim=1)


def sample(image: Tensor, x: Tensor, y: Tensor, *, outside: Outside) -> Tensor:
    """Sample ``image`` [B,C,H,W] bilinearly at ``x`` and ``y`` [B,H',W'], in pixels, with centres at integers.

    ``outside`` is the padding: border or zeros. Computed in float32 or better; returns [B,C,H',W'] in ``image``'s type.
    A batch of 1 in either broadcasts to the batch of the other. NaN positions never raise; the result is undefined.
    """
    height, width = image.shape[-2:]
    if outside == "zeros" and 1 in (height, width):
        # A side of one pixel has no two corners to align: add a black pixel.
        image = F.pad(image, (0, int(width == 1), 0, int(height == 1)))
        height, width = image.shape[-2:]
    at = torch.promote_types(torch.promote_types(image.dtype, x.dtype), torch.float32)
    grid_x = x.to(at) * (2 / max(width - 1, 1)) - 1
    grid_y = y.to(at) * (2 / max(height - 1, 1)) - 1
    return _look_up(image, grid_x, grid_y, outside)


def look_up(image: Tensor, grid: Tensor) -> Tensor:
    """Sample ``image`` [B,C,H,W] at ``grid`` [B,H',W',2], both float32: (x, y) from -1 to 1, as `warp_corners` does.

    -1 is the centre of the first pixel, 1 that of the last; border padding. Returns [B,C,H',W'].
    """
    if not kind(grid.device).border:
        return _grid_sample(image, grid.clamp(-1, 1), "zeros")
    return _grid_sample(image, grid, "border")


def _look_up(image: Tensor, grid_x: Tensor, grid_y: Tensor, outside: Outside) -> Tensor:
    """As `sample`, at positions [B,H',W'] from -1, centre of the first pixel, to 1, centre of the last; float32 or better."""
    dtype = torch.promote_types(image.dtype, grid_x.dtype)
    grid = torch.stack((grid_x, grid_y), dim=-1).to(dtype)
    if outside == "border":
        # grid_sample does not support border padding on every device.
        grid = grid.clamp(-1, 1)
    batch = max(image.shape[0], grid.shape[0])
    source = image.to(dtype).expand(batch, -1, -1, -1)
    grid = grid.expand(batch, -1, -1, -1)
    return _grid_sample(source, grid, "zeros").to(image.dtype)


def _grid_sample(image: Tensor, grid: Tensor, padding: str, mode: str = "bilinear") -> Tensor:
    """The only call of torch's grid_sample: in half precision it gives NaN or crashes on CPUs, and is a pixel off on GPUs."""
    if image.dtype not in (torch.float32, torch.float64) or grid.dtype != image.dtype:
        raise TypeError(f"image is {image.dtype}, grid is {grid.dtype}: both must be float32, or both float64")
    return F.grid_sample(image, grid, mode=mode, padding_mode=padding, align_corners=True)


def targets(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Positions that ``flow`` [B,2,H,W] points to: x and y [B,H,W] in pixels, float32 or better."""
    height, width = flow.shape[-2:]
    flow = flow.to(torch.promote_types(flow.dtype, torch.float32))
    x = torch.arange(width, device=flow.device, dtype=flow.dtype)
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)
    return x + flow[:, 0], y[:, None] + flow[:, 1]


def _overlap(at: Tensor, side: int) -> Tensor:
    """Share of a bilinear sample at ``at`` that lies within 0 .. side - 1, along one axis."""
    return torch.minimum(at + 1, side - at).clamp(0, 1)
