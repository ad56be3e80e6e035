"""Which network draws a clip: nodes that take several kinds of MODEL ask for the painter of one.

A painter has two methods. ``between(first, last, frames, tracks)`` draws from one keyframe [3,h,w] to another, and
``over(clip, mask, denoise)`` redraws a clip [F,3,h,w] where a mask [F,h/8,w/8] is 1; both return [F,3,h,w], 0..1.
"""

from __future__ import annotations

from typing import Any, Protocol

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.tracks import Tracks
from ..vfi.tween.dynamicrafter.drawing import Drawing
from . import dynamicrafter, framer
from .framer import Settings


class Painter(Protocol):
    def between(self, first: Tensor, last: Tensor, frames: int, tracks: Tracks | None = None) -> Tensor: ...

    def over(self, clip: Tensor, mask: Tensor, denoise: float) -> Tensor: ...


def model_inputs() -> list[io.Input]:
    """The model, VAE and CLIP vision model of any of the networks."""
    return [
        io.Model.Input("model", tooltip="From Framer Loader or DynamiCrafter Loader, or from a LoRA loader after it."),
        io.Vae.Input("vae", tooltip="For Framer, the VAE of Stable Video Diffusion; otherwise that of DynamiCrafter Loader."),
        io.ClipVision.Input(
            "clip_vision",
            display_name="clip vision",
            tooltip="For Framer, the CLIP vision model of Stable Video Diffusion; otherwise CLIP ViT-H.",
        ),
    ]


def painter_of(model: Any, control_net: Any, settings: Settings[framer.Drawing], texts: tuple[Any, Any], clips: int) -> Painter:
    """The painter of ``clips`` clips with a MODEL of Framer's, DynamiCrafter's or ToonCrafter's. Raises `InputError`.

    ``texts`` are two CONDITIONINGs or None, which Framer does not take. Of Framer's settings, the others know steps, seed and
    frame rate.
    """
    if not dynamicrafter.is_ours(model):
        return framer.Painter.of(model, control_net, settings, clips)
    if control_net is not None:
        raise InputError("a control net was given: DynamiCrafter takes sketches with Sketch Guidance, and no tracks")
    settings.check_room()
    own = settings.drawing
    drawing = Drawing(steps=own.steps, seed=own.seed, fps=own.fps)
    return dynamicrafter.Painter.of(model, texts, settings.clip_vision, settings.vae, drawing, clips)
