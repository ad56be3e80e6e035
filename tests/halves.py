"""Networks in half precision at the speed of float32, on processors without arithmetic of 16 bits.

There, torch multiplies matrices of bfloat16 one number at a time: a window of DAIN takes half an hour. Products and
convolutions are made in float32 instead, of the same rounded numbers, and rounded as the processor would. All else is
torch's own, and so are mixed types, which it refuses.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ATEN = torch.ops.aten
HALVES = (torch.bfloat16, torch.float16)
PRODUCTS = {ATEN.convolution.default, ATEN.mm.default, ATEN.addmm.default, ATEN.bmm.default, ATEN.baddbmm.default}


def quick() -> AbstractContextManager[Any]:
    """For forward passes without gradients."""
    return contextlib.nullcontext() if torch.backends.cpu.get_cpu_capability().startswith("AVX512") else InFloat32()


class InFloat32(TorchDispatchMode):
    def __torch_dispatch__(
        self, function: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        dtypes = {value.dtype for value in args if isinstance(value, Tensor)}
        if function not in PRODUCTS or len(dtypes) > 1 or not dtypes.issubset(HALVES):
            return function(*args, **(kwargs or {}))
        widened = [value.float() if isinstance(value, Tensor) else value for value in args]
        return function(*widened, **(kwargs or {})).to(dtypes.pop())
