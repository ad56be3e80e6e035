"""3x3 convolutions whose weights are laid out for the processor once, not anew for each frame.

torch reorders the weights of a convolution each time, and computes small ones by a matrix product. The operators with which
torch.compile calls oneDNN do neither, and apply the activation on the way: that saves a twentieth of the time of RIFE 4.25 at
448x256 on a CPU. They are no public interface of torch: where they are missing or compute something else, convolutions are
torch's. Knows nothing of networks.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = 16
"""Input channels from which packed weights pay for large inputs too. They need channels-last, and converting costs more than
they save if channels are fewer."""

SMALL = 20480
"""Numbers in an input up to which torch computes the convolution of one picture by a matrix product."""


class _Packed(NamedTuple):
    """Packed weights, and what tells whether they are those of the layer still."""

    of: tuple[int, int, torch.dtype]
    weight: Tensor


class PackedConv(nn.Conv2d):
    """A 3x3 convolution with padding 1, then a leaky ReLU unless ``slope`` is 1.

    Weights are packed when they are first used, on a CPU, in float32, and without gradients.
    """

    def __init__(
        self, inputs: int, outputs: int, *, stride: int = 1, groups: int = 1, bias: bool = True, slope: float = 1.0
    ) -> None:
        super().__init__(inputs, outputs, 3, stride, 1, groups=groups, bias=bias)
        self.slope = slope
        self._packed: _Packed | None = None

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] to [B,K,h,w], in the type of the weights."""
        if self._suits(x):
            return _convolved(x, self._weight(x), self.bias, self.stride[0], self.groups, self.slope)
        made = super().forward(x)
        return made if self.slope == 1 else F.leaky_relu_(made, self.slope)

    def _suits(self, x: Tensor) -> bool:
        """Whether ``x`` can be convolved with packed weights, and is so in less time."""
        if type(x) is not Tensor or torch.jit.is_tracing() or torch.compiler.is_compiling():
            return False
        if x.device.type != "cpu" or x.dtype != torch.float32 or self.weight.dtype != torch.float32:
            return False
        if torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad):
            return False
        return (x.shape[1] >= CHANNELS or x.numel() <= SMALL) and available()

    def _weight(self, x: Tensor) -> Tensor:
        """The packed weights, in the layout that suits the first ``x``; they are right for any."""
        weight = self.weight
        of = weight.data_ptr(), 0 if weight.is_inference() else weight._version, weight.dtype
        if self._packed is None or self._packed.of != of:
            self._packed = _Packed(of, _reordered(weight.detach(), x, self.stride[0], self.groups))
        return self._packed.weight

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": None}  # cannot be copied


def _reordered(weight: Tensor, x: Tensor, stride: int, groups: int) -> Tensor:
    made: Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, [1, 1], [stride, stride], [1, 1], groups, list(x.shape))
    return made


def _convolved(x: Tensor, packed: Tensor, bias: Tensor | None, stride: int, groups: int, slope: float) -> Tensor:
    after = ("none", []) if slope == 1 else ("leaky_relu", [slope])
    made: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, packed, bias, [1, 1], [stride, stride], [1, 1], groups, *after, ""
    )
    return made


@cache
def available() -> bool:
    """Whether this torch has the operators, and they compute what they are to."""
    if not torch.backends.mkldnn.is_available():
        return False
    own = torch.Generator().manual_seed(0)  # that of torch belongs to the caller, and several threads may ask at once
    with torch.no_grad():
        x, weight, bias = (torch.randn(size, generator=own) for size in ((1, 16, 6, 8), (8, 16, 3, 3), (8,)))
        try:
            made = _convolved(x, _reordered(weight, x, 2, 1), bias, 2, 1, 0.2)
        except (AttributeError, RuntimeError, TypeError, NotImplementedError):
            return False
        return made.shape == (1, 8, 3, 4) and torch.allclose(
            made, F.leaky_relu(F.conv2d(x, weight, bias, 2, 1), 0.2), rtol=1e-4, atol=1e-4
        )
