"""torch.compile: kernels made for one size, and on CUDA one graph of them, so that nothing waits for Python."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from . import BackendError, Function


class Engine:
    """Compiles for the device and the type of the weights, with ``compiler``, as `torch.compile` names it."""

    half = True

    def __init__(self, compiler: str = "inductor") -> None:
        self._compiler = compiler

    def compiled(self, part: nn.Module, example: Sequence[Tensor]) -> Function:
        cuda = example[0].device.type == "cuda"
        if self._compiler == "inductor" and not cuda and not (shutil.which("g++") or shutil.which("clang++")):
            raise BackendError("torch.compile needs a C++ compiler on a CPU, and none is found")
        mode = "reduce-overhead" if cuda and self._compiler == "inductor" else None
        compiled = torch.compile(part, backend=self._compiler, dynamic=False, mode=mode)

        def run(*tensors: Tensor) -> tuple[Tensor, ...]:
            made = compiled(*tensors)
            return tuple(output.clone() for output in made) if mode else made  # a graph writes to the same place each time

        return run
