"""ONNX Runtime: TensorRT or CUDA on a GPU, if its build has them, or the CPU. TensorRT is experimental: never run by us."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .. import devices
from . import BackendError, Function, engines

try:
    import onnxruntime
    import onnxscript  # noqa: F401 - torch exports with it
except ImportError as error:
    raise BackendError("ONNX Runtime is not installed (pip install onnxruntime onnxscript)") from error

log = logging.getLogger(__name__)

TENSORRT = "TensorrtExecutionProvider"
CUDA = "CUDAExecutionProvider"
PROVIDERS = {"cuda": [TENSORRT, CUDA], "cpu": ["CPUExecutionProvider"]}
"""Providers by torch's name of the kind of device, the preferred first."""

PRECISION = "float32"
OPTIONS = {
    TENSORRT: {"trt_fp16_enable": "False", "trt_int8_enable": "False"},
    CUDA: {"use_tf32": "0"},
}
"""Options of providers that decide precision, all known to ONNX Runtime 1.20. None keeps TensorRT from TF32."""


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
        try:
            program = torch.onnx.export(part, tuple(example), dynamo=True, verbose=False)
            assert program is not None
            session = _session(program.model_proto, providers, example)
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
            devices.finish(device)
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()
            return made

        return run


def _session(proto: Any, providers: Sequence[str], example: Sequence[Tensor]) -> Any:
    """A session that uses the first of ``providers``, or another of them with a warning.

    Raises `BackendError` if it uses none, and ONNX Runtime's own errors.
    """
    data, device = proto.SerializeToString(), example[0].device
    if TENSORRT in providers:
        others = [provider for provider in providers if provider != TENSORRT]
        try:
            session = _with_tensorrt(data, engines.digest(_bare(proto)), providers, example)
        except (BackendError, engines.EngineError) as error:
            if not others:
                raise
            log.warning("TensorRT cannot run the network, %s runs it instead: %s", others[0], error)
            session = _opened(data, others, device)
    else:
        session = _opened(data, providers, device)
    used = session.get_providers()
    if not set(used) & set(providers):
        raise BackendError(f"it uses {', '.join(used)} instead of {providers[0]}")
    return session


def _with_tensorrt(data: bytes, program: str, providers: Sequence[str], example: Sequence[Tensor]) -> Any:
    """A session with TensorRT before all other ``providers``; its engine is built, or the kept one is used.

    Raises `BackendError` if the session does not use TensorRT, and `engines.EngineError` if TensorRT fails.
    """
    device = example[0].device
    shapes = ", ".join("x".join(map(str, tensor.shape)) for tensor in example)
    work = engines.Work(program, shapes, PRECISION, json.dumps(OPTIONS[TENSORRT], sort_keys=True))

    def create(folder: Path | None) -> Any:
        try:
            session = _opened(data, providers, device, {} if folder is None else _caches(folder))
            ports = zip(session.get_inputs(), example, strict=True)
            session.run(None, {port.name: torch.zeros(tensor.shape).numpy() for port, tensor in ports})  # builds what is left
        except Exception as error:
            raise engines.EngineError(str(error)) from error
        if TENSORRT not in session.get_providers():
            raise BackendError("ONNX Runtime does not use TensorRT, although its build has it; are TensorRT's libraries found?")
        if folder is not None and not any(folder.glob("*.engine")):
            log.warning("TensorRT runs no part of the network: it left no engine, and other providers run all of it")
        return session

    return engines.built(work, _machine(device), create)


def _opened(data: bytes, providers: Sequence[str], device: torch.device, more: dict[str, str] | None = None) -> Any:
    """A session with exactly these providers; ``more`` are options of TensorRT."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    asked: list[tuple[str, dict[str, str]]] = []
    for provider in providers:
        options = dict(OPTIONS.get(provider, {}))
        if device.index is not None:
            options["device_id"] = str(device.index)
        asked.append((provider, options | (more or {} if provider == TENSORRT else {})))
    return onnxruntime.InferenceSession(data, settings, asked, enable_fallback=0)  # else it falls back and prints it


def _caches(folder: Path) -> dict[str, str]:
    """Options with which TensorRT finds its engine in ``folder``, or leaves it there."""
    return {
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(folder / engines.TIMINGS),
    }


def _machine(device: torch.device) -> engines.Machine | None:
    """What an engine for ``device`` depends on; None if that is not known in full."""
    driver, version = devices.driver_of(device), engines.tensorrt_version()
    if driver is None or version is None:
        return None
    return engines.Machine(devices.identity_of(device), driver, version, onnxruntime.__version__)


def _bare(proto: Any) -> bytes:
    """The bytes of a program without notes for people, which name files and lines."""
    bare = type(proto)()
    bare.CopyFrom(proto)
    bare.doc_string = ""
    del bare.metadata_props[:]
    for part in (*bare.graph.node, *bare.graph.value_info, *bare.graph.input, *bare.graph.output, *bare.graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    return bytes(bare.SerializeToString(deterministic=True))


def _bind(bind: Any, name: str, tensor: Tensor) -> None:
    bind(name, tensor.device.type, tensor.device.index or 0, "float32", list(tensor.shape), tensor.data_ptr())
