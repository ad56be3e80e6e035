"""OpenVINO, on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from . import BackendError, Function

try:
    import openvino
except ImportError as error:
    raise BackendError("OpenVINO is not installed (pip install openvino)") from error


class Engine:
    """Compiles for the CPU, in float32, with as many threads as torch has."""

    half = False

    def __init__(self) -> None:
        self._core = openvino.Core()

    def compiled(self, part: nn.Module, example: Sequence[Tensor]) -> Function:
        if any(tensor.device.type != "cpu" for tensor in example):
            raise BackendError(f"the network is on {example[0].device}, and OpenVINO runs on the CPU")
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        try:
            graph = openvino.convert_model(torch.export.export(part, tuple(example)))
            request: Any = self._core.compile_model(graph, "CPU", settings).create_infer_request()
        except Exception as error:
            raise BackendError(f"OpenVINO cannot compile the network: {error}") from error

        def run(*tensors: Tensor) -> tuple[Tensor, ...]:
            made = request.infer([tensor.contiguous().numpy() for tensor in tensors], share_inputs=True)
            return tuple(torch.from_numpy(output) for output in made.to_tuple())

        return run
