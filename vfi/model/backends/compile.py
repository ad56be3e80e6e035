"""torch.compile: kernels for one frame size, on CUDA as one graph, so that no kernel waits for Python."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from . import BackendError, Function


class Engine:
    """Compiles for the device and dtype of the weights, with ``compiler``, a backend of `torch.compile`."""

    half = True

    def __init__(self, compiler: str = "inductor") -> None:
        self._compiler = compiler

    def compiled(self, part: nn.Module, example: Sequence[Tensor]) -> Function:
        cuda = example[0].device.type == "cuda"
        if self._compiler == "inductor" and not cuda and not (shutil.which("g++") or shutil.which("clang++")):
            raise BackendError("torch.compile needs a C++ compiler on a CPU, and none was found")
        mode = "reduce-overhead" if cuda and self._compiler == "inductor" else None
        compiled = torch.compile(part, backend=self._compiler, dynamic=False, mode=mode)

        def run(*tensors: Tensor) -> tuple[Tensor, ...]:
            made = compiled(*tensors)
            return tuple(output.clone() for output in made) if mode else made  # a CUDA graph reuses its output memory

        return run
