"""Optional inference engines; falls back to torch with a warning if one is missing or cannot run the network.

An engine compiles functions of tensors for one frame size; the network says which of its parts are such functions. Knows
nothing of any particular network.
"""

from __future__ import annotations

import importlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor, nn

from ...core import InputError, Interpolator, Motion
from ...ops.checks import check_frames, check_times
from .. import wrappers
from ..wrappers import Wrapper

log = logging.getLogger(__name__)

BACKENDS = {
    "torch": "",
    "compile": "torch.compile, for a GPU",
    "openvino": "OpenVINO, on a CPU",
    "onnx": "ONNX Runtime, on a GPU with TensorRT (experimental) or CUDA, or on a CPU",
}
"""The engines that can run a network. Their names are those of modules of this package, except torch."""

SIZES = 2
"""Number of frame sizes whose compiled functions are kept."""

Function: TypeAlias = Callable[..., tuple[Tensor, ...]]
"""Maps tensors of the shapes that it was compiled for to tensors."""


class BackendError(Exception):
    """An engine is missing or cannot run a network; the message is one sentence that says why."""


class Engine(Protocol):
    """``compiled(part, example)``: the function ``part``, accurate to 100 dB, for tensors on the device and of the shapes of
    ``example``. ``half``: weights need not be float32. Raises `BackendError`.
    """

    half: bool

    def compiled(self, part: nn.Module, example: Sequence[Tensor]) -> Function: ...


@runtime_checkable
class Exports(Protocol):
    """A network of two frames that splits into two functions of tensors, `parts`. The first maps a frame [1,3,H,W] to its
    features; the second maps those of both frames, in order, and t [1] to the frame [1,3,H,W] at t. Both return tuples."""

    def parts(self) -> tuple[nn.Module, nn.Module]: ...


def on(model: Interpolator, backend: str) -> Interpolator:
    """``model`` run by ``backend``, one of `BACKENDS`; ``model`` itself, with a warning, if that is impossible.

    Raises `InputError` for an unknown backend.
    """
    if backend not in BACKENDS:
        raise InputError(f"{backend!r} is not a backend: give one of {', '.join(BACKENDS)}")
    if backend == "torch":
        return model
    try:
        if not isinstance(model, Exports):
            raise BackendError("the network cannot be exported")
        engine: Engine = importlib.import_module(f".{backend}", __package__).Engine()
        if not engine.half and any(weight.dtype != torch.float32 for part in model.parts() for weight in part.parameters()):
            raise BackendError("the engine computes only in float32")
    except BackendError as error:
        log.warning("%s cannot be run by %s, only by torch: %s", model.spec.name, backend, error)
        return model
    return Compiled(model, engine, backend)


class Compiled(Wrapper):
    """A network whose two parts are compiled per frame size. Frames are made one at a time; torch estimates motion."""

    def __init__(self, model: Interpolator, engine: Engine, backend: str) -> None:
        super().__init__(model, replace(model.spec, time_map=False, threads=False))
        assert isinstance(model, Exports)
        self._parts = model.parts()
        self._engine: Engine | None = engine
        self._backend = backend
        self._compiled: OrderedDict[tuple[int, ...], Function] = OrderedDict()

    def encode(self, rgb: Tensor) -> list[tuple[Tensor, ...]]:
        return [self._run(0, one[None].float()) for one in rgb]

    def prepare(self, features: Sequence[list[tuple[Tensor, ...]]], frames: Sequence[Tensor]) -> Pairs:
        check_frames(self.spec, frames)
        return Pairs([before + after for before, after in zip(*features, strict=True)], frames)

    def at(self, prepared: Pairs, t: Tensor) -> Tensor:
        check_times(self.spec, t, len(prepared.tensors))
        pairs = prepared.tensors * (len(t) if len(prepared.tensors) == 1 else 1)
        made = [self._run(1, *tensors, step[None].float())[0] for tensors, step in zip(pairs, t, strict=True)]
        return torch.cat(made).to(prepared.frames[0].dtype)

    def motion_at(self, prepared: Pairs, t: Tensor) -> Motion:
        features = [wrappers.encode(self.model, rgb) for rgb in prepared.frames]
        return super().motion_at(wrappers.prepare(self.model, features, prepared.frames), t)

    def _run(self, part: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run one of the parts on ``tensors``; it is compiled the first time that it sees their size."""
        size = (part, *tensors[0].shape)
        if size not in self._compiled:
            while len(self._compiled) >= 2 * SIZES:
                self._compiled.popitem(last=False)
            self._compiled[size] = self._function(self._parts[part], tensors)
        self._compiled.move_to_end(size)
        return self._compiled[size](*tensors)

    def _function(self, part: nn.Module, tensors: tuple[Tensor, ...]) -> Function:
        if self._engine is not None:
            part(*tensors)  # fills its per-size caches before an engine traces it
            try:
                return self._engine.compiled(part, tensors)
            except BackendError as error:
                self._engine = None
                log.warning("%s cannot be run by %s, only by torch: %s", self.spec.name, self._backend, error)
        return part


class Pairs(NamedTuple):
    """The features of both frames of each window, in order, and the frames themselves, [B,3,H,W] each."""

    tensors: list[tuple[Tensor, ...]]
    frames: Sequence[Tensor]
