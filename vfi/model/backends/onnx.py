"""ONNX Runtime: TensorRT or CUDA on a GPU, if its build has them, or the CPU."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from . import BackendError, Function

try:
    import onnxruntime
    import onnxscript  # noqa: F401 - torch exports with it
except ImportError as error:
    raise BackendError("ONNX Runtime is not installed (pip install onnxruntime onnxscript)") from error

log = logging.getLogger(__name__)

PROVIDERS = {"cuda": ["TensorrtExecutionProvider", "CUDAExecutionProvider"], "cpu": ["CPUExecutionProvider"]}


class Engine:
    """Compiles for the device of the tensors, in float32, and binds their memory directly."""

    half = False

    def compiled(self, part: nn.Module, example: Sequence[Tensor]) -> Function:
        device = example[0].device
        there = onnxruntime.get_available_providers()
        providers = [provider for provider in PROVIDERS.get(device.type, []) if provider in there]
        if not providers:
            raise BackendError(f"this build of ONNX Runtime does not support {device}: it has {', '.join(there)}")
        log.info("ONNX Runtime compiles for %s with %s", device, providers[0])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            program = torch.onnx.export(part, tuple(example), dynamo=True, verbose=False)
            assert program is not None
            session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), options, providers)
        except Exception as error:
            raise BackendError(f"ONNX Runtime cannot compile the network: {error}") from error
        shapes = [output.shape for output in part(*example)]
        inputs, outputs = ([port.name for port in ports] for ports in (session.get_inputs(), session.get_outputs()))

        def run(*tensors: Tensor) -> tuple[Tensor, ...]:
            tensors = tuple(tensor.contiguous() for tensor in tensors)
            made = tuple(tensors[0].new_empty(shape) for shape in shapes)
            binding = session.io_binding()
            for bind, names, ports in ((binding.bind_input, inputs, tensors), (binding.bind_output, outputs, made)):
                for name, tensor in zip(names, ports, strict=True):
                    _bind(bind, name, tensor)
            if device.type == "cuda":
                torch.cuda.current_stream(device).synchronize()
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()
            return made

        return run


def _bind(bind: Any, name: str, tensor: Tensor) -> None:
    bind(name, tensor.device.type, tensor.device.index or 0, "float32", list(tensor.shape), tensor.data_ptr())
