"""ComfyUI's optical flow models, as a source of motion.

The socket carries what ComfyUI's memory management holds, a ModelPatcher around RAFT; only its public attributes are used.
Knows nothing of what is done with the motion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from comfy import model_management
from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.core import InputError, Interpolator
from ..vfi.model.load import Part, assemble
from ..vfi.motion.dense import Dense, volume
from .model import Following, Model, Several

OpticalFlowType = io.Custom("OPTICAL_FLOW")

FLOW_INPUT = "optical_flow"


def flow_input(tooltip: str) -> io.Input:
    """An optional optical flow model, in place of a model."""
    return OpticalFlowType.Input(FLOW_INPUT, display_name="optical flow", optional=True, tooltip=tooltip)


@dataclass(frozen=True)
class FlowModel:
    """A ``patcher`` of the OPTICAL_FLOW socket as a model: it has `ready`, as `model.Model` has."""

    patcher: Any

    def ready(self, size: tuple[int, int]) -> Interpolator:
        """Load and wrap the model, for frames of ``size`` (height, width) and any other. Raises `InputError`."""
        network, device = getattr(self.patcher, "model", None), getattr(self.patcher, "load_device", None)
        if not isinstance(network, torch.nn.Module) or device is None:
            raise InputError(f"optical flow is a {type(self.patcher).__name__}: connect Load Optical Flow Model")
        model_management.load_models_gpu([self.patcher], memory_required=volume(*size))

        @torch.no_grad()
        def estimate(start: Tensor, end: Tensor) -> Tensor:
            model_management.throw_exception_if_processing_interrupted()
            weight = next(network.parameters(), start)
            made = network(start.to(device, weight.dtype), end.to(device, weight.dtype))
            flow = made[-1] if isinstance(made, (list, tuple)) and made else made  # RAFT gives one for each round
            if not isinstance(flow, Tensor):
                raise InputError(f"the optical flow model gave a {type(flow).__name__}: one that gives flow is needed")
            return flow

        return assemble([Part(Dense(estimate), device, torch.float32)])


def source(model: Model | Several | Following | None, optical_flow: Any) -> Model | Several | Following | FlowModel | None:
    """Where motion comes from: the model, the optical flow, or None if neither is connected. Raises `InputError` for both."""
    if optical_flow is None:
        return model
    if model is not None:
        raise InputError("model and optical flow are both connected: motion comes from one, disconnect the other")
    return FlowModel(optical_flow)
