"""Adaptive convolution: every pixel has its own kernel.

The kernels come from a network, in the plain, separable or deformable form that it was trained for. Taps are summed one
by one, so neighbourhoods are never stored: memory use is that of a few pictures. Sums are float32 or better.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from .warp import targets


def adaptive_convolution(image: Tensor, kernel: Tensor) -> Tensor:
    """Convolution with a K x K kernel per pixel (AdaConv: Niklaus, Mai and Liu, CVPR 2017).

    ``image`` is [B,C,H+K-1,W+K-1], already padded; ``kernel`` is [B,K*K,H,W], row-major. Returns [B,C,H,W] in
    ``image``'s type.
    """
    exact = _exact(image, kernel)
    side = round(kernel.shape[1] ** 0.5)
    made = exact.new_zeros(*image.shape[:2], *kernel.shape[-2:])
    for tap, weight in enumerate(kernel.to(exact.dtype).split(1, dim=1)):
        made.addcmul_(_shifted(exact, tap // side, tap % side, kernel), weight)
    return made.to(image.dtype)


def separable_convolution(image: Tensor, vertical: Tensor, horizontal: Tensor) -> Tensor:
    """Convolution with a separable kernel per pixel, a column times a row (SepConv: Niklaus, Mai and Liu, ICCV 2017).

    ``image`` is [B,C,H+K-1,W+K-1], already padded; ``vertical`` and ``horizontal`` are [B,K,H,W]. Returns [B,C,H,W] in
    ``image``'s type.
    """
    exact = _exact(image, vertical)
    columns, rows = vertical.to(exact.dtype).split(1, dim=1), horizontal.to(exact.dtype).split(1, dim=1)
    made = exact.new_zeros(*image.shape[:2], *vertical.shape[-2:])
    for dy, column in enumerate(columns):
        line = torch.zeros_like(made)
        for dx, row in enumerate(rows):
            line.addcmul_(_shifted(exact, dy, dx, vertical), row)
        made.addcmul_(line, column)
    return made.to(image.dtype)


def deformable_separable_convolution(
    image: Tensor, vertical: Tensor, horizontal: Tensor, offset_y: Tensor, offset_x: Tensor, mask: Tensor
) -> Tensor:
    """As `separable_convolution`, but each tap has its own offset and is scaled by a mask (DSepConv: Cheng and Chen,
    AAAI 2020), as in LDMVFI's training.

    ``image`` is [B,C,H+K-1,W+K-1], already padded; ``vertical`` and ``horizontal`` are [B,K,H,W]; offsets, in pixels, and
    ``mask`` are [B,K*K,H,W], row-major. The trained weights rely on two oddities: with zero offsets and K = 5, taps lie one
    pixel up and left of the centre; a tap moved out of the frame counts twice in that direction.
    Returns [B,C,H,W] in ``image``'s type.
    """
    exact = _exact(image, offset_y)
    side = vertical.shape[1]
    reach = (side - 1) // 2 - 1
    columns, rows = vertical.to(exact.dtype).split(1, dim=1), horizontal.to(exact.dtype).split(1, dim=1)
    made = exact.new_zeros(*image.shape[:2], *vertical.shape[-2:])
    for tap, (dy, dx) in enumerate(product(range(side), repeat=2)):
        y, x = _positions(exact, offset_y[:, tap], offset_x[:, tap])
        tops = _edges(y + (dy - reach), exact.shape[-2])
        lefts = _edges(x + (dx - reach), exact.shape[-1])
        weight = columns[dy] * rows[dx] * mask[:, tap, None].to(exact.dtype)
        for (row, top), (column, left) in product(tops, lefts):
            made.addcmul_(_pick(exact, row, column), weight * (top * left)[:, None])
    return made.to(image.dtype)


def adacof(image: Tensor, weight: Tensor, offset_y: Tensor, offset_x: Tensor, dilation: int = 1) -> Tensor:
    """Adaptive collaboration of flows: K x K taps, each with its own offset (Lee et al., CVPR 2020).

    ``image`` is [B,C,H+(K-1)*dilation,W+(K-1)*dilation], already padded; ``weight`` and the offsets, in pixels, are
    [B,K*K,H,W], row-major. As in training, offsets are truncated towards zero to whole pixels, so negative ones
    extrapolate between neighbours. Returns [B,C,H,W] in ``image``'s type.
    """
    exact = _exact(image, offset_y)
    side = round(weight.shape[1] ** 0.5)
    height, width = exact.shape[-2:]
    made = exact.new_zeros(*image.shape[:2], *weight.shape[-2:])
    rows = torch.arange(weight.shape[-2], device=image.device)[:, None]
    columns = torch.arange(weight.shape[-1], device=image.device)
    for tap, (dy, dx) in enumerate(product(range(side), repeat=2)):
        y, x = offset_y[:, tap].to(exact.dtype), offset_x[:, tap].to(exact.dtype)
        top, left = y.trunc(), x.trunc()
        for down, right in product((0, 1), repeat=2):
            row = (rows + dy * dilation + down + top.long()).clamp(0, height - 1)
            column = (columns + dx * dilation + right + left.long()).clamp(0, width - 1)
            share = (y - top if down else 1 - y + top) * (x - left if right else 1 - x + left)
            made.addcmul_(_pick(exact, row, column), weight[:, tap, None].to(exact.dtype) * share[:, None])
    return made.to(image.dtype)


def adaptive_warp(image: Tensor, flow: Tensor, kernel: Tensor) -> Tensor:
    """Backward warping with a K x K kernel per pixel instead of bilinear weights (MEMC-Net: Bao et al., TPAMI 2019,
    equation 2; DAIN).

    ``image`` is [B,C,H,W], ``flow`` [B,2,H,W] (dx, dy) in pixels and ``kernel`` [B,K*K,H,W], row-major, K even. The
    kernel is centred between the four pixels that the flow points to; each quarter is scaled by its pixel's bilinear weight.
    Pixels whose flow leaves the frame, or spans half of it, stay unchanged. Returns [B,C,H,W] in ``image``'s type.
    """
    exact = _exact(image, flow)
    flow, kernel = flow.to(exact.dtype), kernel.to(exact.dtype)
    side = round(kernel.shape[1] ** 0.5)
    height, width = exact.shape[-2:]
    x, y = targets(flow)
    moved = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    moved &= (flow[:, 0].abs() < width / 2) & (flow[:, 1].abs() < height / 2)
    x, y = torch.where(moved, x, 0), torch.where(moved, y, 0)
    left, top = x.floor(), y.floor()
    across, down = (1 - x + left, x - left), (1 - y + top, y - top)
    made = torch.zeros_like(exact)
    for tap, (dy, dx) in enumerate(product(range(side), repeat=2)):
        row = (top.long() + dy + 1 - side // 2).clamp(0, height - 1)
        column = (left.long() + dx + 1 - side // 2).clamp(0, width - 1)
        share = down[dy >= side // 2] * across[dx >= side // 2] * kernel[:, tap]
        made.addcmul_(_pick(exact, row, column), share[:, None])
    return torch.where(moved[:, None], made, exact).to(image.dtype)


def _exact(image: Tensor, kernel: Tensor) -> Tensor:
    return image.to(torch.promote_types(torch.promote_types(image.dtype, kernel.dtype), torch.float32))


def _shifted(image: Tensor, dy: int, dx: int, kernel: Tensor) -> Tensor:
    height, width = kernel.shape[-2:]
    return image[:, :, dy : dy + height, dx : dx + width]


def _positions(image: Tensor, offset_y: Tensor, offset_x: Tensor) -> tuple[Tensor, Tensor]:
    """y and x [B,H,W] of each pixel plus its offset, in ``image``'s type."""
    y = torch.arange(offset_y.shape[-2], device=image.device, dtype=image.dtype)[:, None]
    x = torch.arange(offset_x.shape[-1], device=image.device, dtype=image.dtype)
    return y + offset_y.to(image.dtype), x + offset_x.to(image.dtype)


def _edges(at: Tensor, side: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The two pixels that ``at`` lies between along one axis, clamped to the frame, and the share of each."""
    first = at.floor()
    at = at.clamp(0, side - 1)
    near, far = first.clamp(0, side - 1), (first + 1).clamp(0, side - 1)
    return (near.long(), 1 - (at - near)), (far.long(), 1 - (far - at))


def _pick(image: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """``image`` [B,C,H,W] at integer positions [B,H',W']: [B,C,H',W']."""
    pixel = (row * image.shape[-1] + column).flatten(1)[:, None].expand(-1, image.shape[1], -1)
    return image.flatten(2).gather(2, pixel).unflatten(2, row.shape[1:])
