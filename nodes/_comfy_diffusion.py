"""What the drawing networks need of ComfyUI's internals: precision, memory, cancelling and progress.

ComfyUI passes the frames of all rows of a batch in one dimension, [B*F,C,H,W], with one noise level and context per frame.
Knows nothing of nodes, files, pictures or any one network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import comfy.ops
import latent_preview
import torch
from comfy import latent_formats, model_management, supported_models, utils
from comfy.ldm.modules.attention import optimized_attention
from comfy.model_patcher import CoreModelPatcher
from torch import Tensor, nn

from ..vfi.tween.layers import Build

State = Mapping[str, Tensor]


def clips(rows: Tensor, frames: int) -> Tensor:
    """[B*F,...] -> [B,F,...]"""
    return rows.unflatten(0, (-1, frames))


def precision(state: State) -> tuple[torch.dtype, torch.dtype | None]:
    """Precision in which ComfyUI would store these weights, and the one it would compute in, if different."""
    known = supported_models.SVD_img2vid.supported_inference_dtypes
    size, own = utils.calculate_parameters(state), utils.weight_dtype(state)
    dtype = model_management.unet_dtype(model_params=size, supported_dtypes=known, weight_dtype=own)
    return dtype, model_management.unet_manual_cast(dtype, model_management.get_torch_device(), known)


def building(dtype: torch.dtype, operations: Any = None) -> Build:
    """Building blocks with ComfyUI's ``operations`` (default: those that cast to the input) and attention."""
    return Build(operations or comfy.ops.manual_cast, optimized_attention, dtype=dtype)


def interruptible(blocks: Iterable[nn.Module]) -> None:
    """Let a network be cancelled before each of its ``blocks``."""
    for block in blocks:
        block.register_forward_pre_hook(stop_if_asked)


def stop_if_asked(*_: Any) -> None:
    model_management.throw_exception_if_processing_interrupted()


def held(net: nn.Module) -> CoreModelPatcher:
    resting = model_management.unet_offload_device()
    return CoreModelPatcher(net, load_device=model_management.get_torch_device(), offload_device=resting)


@contextmanager
def room(frames: int, latents: Tensor) -> Iterator[None]:
    """Context in which out-of-memory errors say what to lower. They keep their type, on which ComfyUI frees memory."""
    try:
        yield
    except model_management.OOM_EXCEPTION as error:
        height, width = (8 * side for side in latents.shape[-2:])
        raise model_management.OOM_EXCEPTION(
            f"out of memory for {frames} frames of {width}x{height}: lower width and height first, then the frames. {error}"
        ) from error


class Progress:
    """ComfyUI's progress bar over all steps of several runs, with a preview of the middle frame."""

    def __init__(self, model: CoreModelPatcher, total: int) -> None:
        self.previewer = latent_preview.get_previewer(model.load_device, latent_formats.SD15())
        self.bar, self.done, self.total = utils.ProgressBar(total), 0, total

    def __call__(self, step: int, clean: Tensor, noisy: Tensor, steps: int) -> None:
        self.done += 1
        middle = clean[len(clean) // 2][None]
        shown = self.previewer.decode_latent_to_preview_image("JPEG", middle) if self.previewer else None
        self.bar.update_absolute(self.done, self.total, shown)
