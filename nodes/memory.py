"""The model socket: a network that lives in ComfyUI's memory, beside every other model.

Weights are loaded to the GPU before use and give way to other models after. Knows nothing of files or frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from comfy import model_management, model_patcher
from comfy_api.latest import io

from ..vfi import loading
from ..vfi.core import InputError, Interpolator

ModelType = io.Custom("INBETWEEN_MODEL")


@dataclass(frozen=True)
class Model:
    """What the socket carries. ``patcher`` is None for a model without weights; ``tta`` is a mode of `vfi.wrap.Tta`."""

    network: Interpolator
    patcher: Any | None
    dtype: torch.dtype = torch.float32
    tta: str = "none"

    @classmethod
    def hold(cls, network: Interpolator, precision: str = "auto") -> Model:
        """Hand a bare network over to ComfyUI, in the ``precision`` named: auto, float32 or float16."""
        if not isinstance(network, torch.nn.Module):
            return cls(network, None)
        dtype, device = dtype_of(network, precision), model_management.get_torch_device()
        resting = model_management.unet_offload_device()
        network.to(resting, dtype)
        return cls(network, model_patcher.CoreModelPatcher(network, load_device=device, offload_device=resting), dtype)

    def ready(self, size: tuple[int, int]) -> Interpolator:
        """The model in memory and wrapped, for frames of ``size`` (height, width) and any other."""
        device = model_management.get_torch_device()
        if self.patcher is not None:
            device = self.patcher.load_device
            needed = self.network.spec.activations * size[0] * size[1] * self.dtype.itemsize
            model_management.load_models_gpu([self.patcher], memory_required=needed)
        return loading.ready(self.network, tta=self.tta, device=device, dtype=self.dtype)


def dtype_of(network: Interpolator, precision: str) -> torch.dtype:
    """float16 where ComfyUI would use it on its device and the network bears it, else float32."""
    fast = model_management.should_use_fp16(model_management.get_torch_device())
    if precision == "float16" and not fast:
        raise InputError("float16 was asked for on a device that has no fast path for it: choose auto or float32")
    half = precision == "float16" or (precision == "auto" and fast and network.spec.half)
    return torch.float16 if half else torch.float32
