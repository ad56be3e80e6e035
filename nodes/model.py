"""The model socket: a network that ComfyUI's memory management holds like any other model.

Weights are loaded to the GPU before use and may make room for other models afterwards. Knows nothing of files or frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeVar

import torch
from comfy import model_management, model_patcher
from comfy_api.v0_0_2 import io

from ..vfi.core import InputError, Interpolator
from ..vfi.model import backends
from ..vfi.model.drawing import drawn
from ..vfi.model.load import Part, assemble
from ..vfi.model.pace import PaceMode, paced
from ..vfi.model.precision import dtype_of
from ..vfi.model.wrappers import VIEWS, estimates_motion
from ..vfi.motion.guided import Guide, Guided
from ..vfi.pixels.transfer import Transfer
from ..vfi.tracks.arrays import of_core

Placeable = TypeVar("Placeable", bound=torch.nn.Module)

ModelType = io.Custom("INBETWEEN_MODEL")


@dataclass(frozen=True)
class Model:
    """Value of the socket, as are `Several` and `Following`: a network in ComfyUI's memory and how it is used.

    ``patcher`` is None for a model without weights. The rest is as in `vfi.model.load.Part`.
    """

    network: Interpolator
    patcher: Any | None
    dtype: torch.dtype = torch.float32
    tta: str = "none"
    half_size: bool = False
    exact: Callable[[], Interpolator] | None = None
    falls_back: bool = True

    @classmethod
    def hold(
        cls,
        network: Interpolator,
        precision: str = "auto",
        backend: str = "torch",
        exact: Callable[[], Interpolator] | None = None,
    ) -> Model:
        """Hand a bare network over to ComfyUI, in a ``precision`` (see `vfi.model.precision`) and run by ``backend``.

        ``exact`` gives the same network in float32, if half precision is to be checked.
        """
        if not isinstance(network, torch.nn.Module):
            return cls(backends.on(network, backend), None)
        device, resting = model_management.get_torch_device(), model_management.unet_offload_device()
        half = model_management.should_use_fp16(device)
        dtype = dtype_of(precision, network.spec, device, half_is_fast=half)
        network.to(resting, dtype)
        patcher = model_patcher.CoreModelPatcher(network, load_device=device, offload_device=resting)
        return cls(backends.on(network, backend), patcher, dtype, exact=exact, falls_back=precision == "auto")

    @property
    def part(self) -> Part:
        """The network as the assembler takes it, on the device that it is loaded to."""
        device = model_management.get_torch_device() if self.patcher is None else self.patcher.load_device
        checks = {"exact": self.exact, "falls_back": self.falls_back}
        return Part(self.network, device, self.dtype, self.tta, self.half_size, **checks)

    @property
    def itemsize(self) -> int:
        """Bytes of a number while frames are made: those of float32 if half precision is checked against it."""
        return self.dtype.itemsize if self.exact is None else torch.float32.itemsize

    def ready(self, size: tuple[int, int], transfer: Transfer | None = None, pace: PaceMode = "off") -> Interpolator:
        """Load and wrap the model, for frames of ``size`` (height, width) and any other.

        ``transfer``: transfer function of frames with values beyond black and white, see `vfi.model.hdr.Lit`. ``pace``: see
        `vfi.model.pace.paced`.
        """
        return loaded([self], size, transfer, pace)

    def augmented(self, tta: str) -> Model:
        """The same model with another ``tta``. Raises `InputError` if it is a pass of quality best with its own view."""
        if self.tta in VIEWS:
            raise InputError("a model of quality best has its own passes: load it at normal or fast to augment it")
        return replace(self, tta=tta)


@dataclass(frozen=True)
class Several:
    """Models that the socket carries as one, their consensus; no member is itself `Several`. Some may share a ``patcher``."""

    members: tuple[Model, ...]

    @classmethod
    def of(cls, models: Sequence[Model | Several]) -> Several:
        """Join ``models``, with `Several` replaced by their members. Raises `InputError` for one that follows a guide."""
        if any(isinstance(model, Following) for model in models):
            raise InputError("a model that follows a guide was given: join the models first, then add the guide")
        return cls(tuple(one for model in models for one in (model.members if isinstance(model, Several) else (model,))))

    def ready(self, size: tuple[int, int], transfer: Transfer | None = None, pace: PaceMode = "off") -> Interpolator:
        """As `Model.ready`: the median of all members, which are in memory together."""
        return loaded(self.members, size, transfer, pace)

    def augmented(self, tta: str) -> Several:
        return Several(tuple(model.augmented(tta) for model in self.members))


@dataclass(frozen=True)
class Following:
    """A model that follows a ``guide`` and ``tracks``: ComfyUI's TRACKS, in pixels of the frames that it is given.

    ``flow``: what estimates motion for a model that estimates none, see `optical_flow.FlowModel`.
    """

    model: Model | Several | Drawing
    guide: Guide
    tracks: Mapping[str, Any] | None = None
    flow: Any = None

    def ready(self, size: tuple[int, int], transfer: Transfer | None = None, pace: PaceMode = "off") -> Interpolator:
        """As `Model.ready`. Raises `InputError` for a pace: the tracks say when things move."""
        if pace != "off":
            raise InputError(f"pace {pace} was given with a model that follows a guide: set pace to off, or drop the guide")
        tracks = None if self.tracks is None else of_core(self.tracks, (size[1], size[0]))
        ready = self.model.ready(size, transfer)
        eye = None if self.flow is None or estimates_motion(ready) else self.flow.ready(size)
        return Guided(ready, replace(self.guide, tracks=tracks), eye=eye)

    def augmented(self, tta: str) -> Following:
        return replace(self, model=self.model.augmented(tta))


@dataclass(frozen=True)
class Drawing:
    """A model whose frames stay drawings; ``mode`` as in `vfi.model.drawing.drawn`."""

    model: Model | Several | Following
    mode: str

    def ready(self, size: tuple[int, int], transfer: Transfer | None = None, pace: PaceMode = "off") -> Interpolator:
        """As `Model.ready`. A model that follows a guide keeps drawings once things are where the tracks lead."""
        if isinstance(self.model, Following):
            return replace(self.model, model=Drawing(self.model.model, self.mode)).ready(size, transfer, pace)
        return paced(drawn(self.model.ready(size, transfer), self.mode), pace)


def placed(network: Placeable, memory: int) -> Placeable:
    """A network that makes no frames, on the device that ComfyUI loads it to, with ``memory`` bytes reserved for its work."""
    device, resting = model_management.get_torch_device(), model_management.unet_offload_device()
    patcher = model_patcher.CoreModelPatcher(network, load_device=device, offload_device=resting)
    model_management.load_models_gpu([patcher], memory_required=memory)
    network.to(device)
    return network


def over(model: Interpolator, seconds: Fraction | None) -> Interpolator:
    """``model`` with its tracks, if any, spread over a clip whose last frame is at ``seconds``, if that is known."""
    if not seconds or not isinstance(model, Guided) or model.guide.tracks is None:
        return model
    return Guided(model.model, replace(model.guide, span=(Fraction(0), seconds)), eye=model.eye)


def loaded(models: Sequence[Model], size: tuple[int, int], transfer: Transfer | None, pace: PaceMode = "off") -> Interpolator:
    """Load ``models`` and assemble them into one at a ``pace``, with memory reserved for frames of ``size``."""
    held = [model for model in models if model.patcher is not None]
    if held:
        needed = sum(model.network.spec.memory(*size, model.itemsize) for model in held)
        patchers = {id(model.patcher): model.patcher for model in held}
        model_management.load_models_gpu(list(patchers.values()), memory_required=needed)
    return assemble([model.part for model in models], transfer, pace=pace)
