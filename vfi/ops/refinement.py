"""RIFE's refinement net, also used by EMA-VFI and VFIMamba: predicts the residual of the blend of two warped frames.

Huang et al., "Real-Time Intermediate Flow Estimation for Video Frame Interpolation", ECCV 2022, section 3.3. Parameters have
their published names. Knows nothing of how its context was made or warped.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution and a learned activation."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.PReLU(outputs))


def halve(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions; the first halves the size."""
    return nn.Sequential(OrderedDict(conv1=conv(inputs, outputs, 2), conv2=conv(outputs, outputs)))


def double(inputs: int, outputs: int) -> nn.Sequential:
    """A transposed convolution that doubles the size."""
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.PReLU(outputs))


class UNet(nn.Module):
    """Predicts a residual in -1..1 from full-size inputs and the warped context of both frames at four smaller sizes."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.down0 = halve(inputs, 2 * width)
        self.down1 = halve(4 * width, 4 * width)
        self.down2 = halve(8 * width, 8 * width)
        self.down3 = halve(16 * width, 16 * width)
        self.up0 = double(32 * width, 8 * width)
        self.up1 = double(16 * width, 4 * width)
        self.up2 = double(8 * width, 2 * width)
        self.up3 = double(4 * width, width)
        self.conv = nn.Conv2d(width, 3, 3, 1, 1)

    def forward(self, seen: Tensor, context: Sequence[Tensor]) -> Tensor:
        """``seen`` [B,inputs,H,W]; ``context`` at 1/2, 1/4, 1/8 and 1/16 of that, with 2, 4, 8 and 16 times ``width`` channels.

        Returns [B,3,H,W], float32; computes in the type of the weights.
        """
        dtype = self.conv.weight.dtype
        half, quarter, eighth, sixteenth = (level.to(dtype) for level in context)
        s0 = self.down0(seen.to(dtype))
        s1 = self.down1(torch.cat((s0, half), dim=1))
        s2 = self.down2(torch.cat((s1, quarter), dim=1))
        s3 = self.down3(torch.cat((s2, eighth), dim=1))
        x = self.up0(torch.cat((s3, sixteenth), dim=1))
        x = self.up1(torch.cat((x, s2), dim=1))
        x = self.up2(torch.cat((x, s1), dim=1))
        x = self.up3(torch.cat((x, s0), dim=1))
        return 2 * torch.sigmoid(self.conv(x).float()) - 1
