"""Deformable convolution: every tap of a kernel looks where the network says, not at its place in a square.

Dai et al., "Deformable Convolutional Networks", ICCV 2017; with a mask per tap: Zhu et al., "Deformable ConvNets v2: More
Deformable, Better Results", CVPR 2019. Knows nothing of where offsets come from.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .warp import warp_zeros


def deformable_convolution(image: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolution of ``image`` [B,C,H,W] with ``weight`` [O,C,K,K], K odd, plus ``bias`` [O]; zeros lie around the image.

    The channels are split into G groups, each with offsets of its own. ``offset`` is [B,2*G*K*K,H,W], in pixels: group by
    group, tap by tap, row by row, dy and then dx. ``mask`` [B,G*K*K,H,W] scales each tap, in the same order. Sampling is
    bilinear and always float32. Returns [B,O,H,W] in ``image``'s type.
    """
    side = weight.shape[-1]
    groups = mask.shape[1] // side**2
    parts = image.unflatten(1, (groups, -1)).flatten(0, 1)
    shift = offset.unflatten(1, (groups, side**2, 2)).flatten(0, 1).float()
    share = mask.unflatten(1, (groups, side**2, 1)).flatten(0, 1)
    made = bias[:, None, None].expand(len(image), -1, *image.shape[-2:])
    for tap in range(side**2):
        row, column = divmod(tap, side)
        dy, dx = shift[:, tap].unbind(1)
        seen = warp_zeros(parts, torch.stack((dx + column - side // 2, dy + row - side // 2), dim=1)) * share[:, tap]
        made = made + F.conv2d(seen.unflatten(0, (-1, groups)).flatten(1, 2), weight[:, :, row, column, None, None])
    return made
