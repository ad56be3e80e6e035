"""Nodes of Generative Inbetweening (svd_keyframe_interpolation), where two networks draw one clip from both ends."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.tween import files, svd, svdkfi
from ..vfi.tween.svdkfi import Drawing
from .framer import (
    CATEGORY,
    Settings,
    coder_inputs,
    drawing_inputs,
    files_in,
    fitted_keyframes,
    internals,
    keyframe_inputs,
    path_of,
    size_inputs,
    wanted,
)
from .node import Node

PairType = io.Custom("INBETWEEN_SVDKFI")

KIND = "Stable Video Diffusion's UNet"


class SvdkfiLoader(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        there = files_in("diffusion_models")
        return io.Schema(
            node_id="InbetweenSvdkfiLoader",
            display_name="Generative Inbetweening Loader",
            category=CATEGORY,
            description="Loads Generative Inbetweening (svd_keyframe_interpolation), which generates a clip from both ends at "
            "once. Its weights derive from Stable Video Diffusion's, which have their own licence from Stability AI.",
            search_aliases=["svdkfi", "svd keyframes", "diffusion tweening"],
            is_experimental=True,  # never run with published weights
            inputs=[
                io.Combo.Input(
                    "original",
                    options=there,
                    tooltip="The UNet of Stable Video Diffusion XT (25 frames), diffusers format, in models/diffusion_models.",
                ),
                io.Combo.Input("tuned", options=there, tooltip="The UNet released by Generative Inbetweening's authors."),
                io.Combo.Input("base", options=there, tooltip="The UNet they fine-tuned: Stable Video Diffusion (14 frames)."),
            ],
            outputs=[PairType.Output("networks", tooltip="For Generative Inbetweening.")],
        )

    @classmethod
    def execute(cls, original: str, tuned: str, base: str) -> io.NodeOutput:
        own, moved, before = (files.made(path_of("diffusion_models", name), read) for name in (original, tuned, base))
        return io.NodeOutput(internals().Pair.of(own, svdkfi.backward_state(own, moved, before)))


def read(state: svd.State) -> svd.State:
    wanted(state, KIND)
    return state


class SvdkfiTween(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenSvdkfiTween",
            display_name="Generative Inbetweening",
            category=CATEGORY,
            description="Generates the frames between two keyframes, from both ends at once.",
            search_aliases=["svdkfi", "svd keyframes", "first last frame", "tween"],
            is_experimental=True,  # never run with published weights
            inputs=[
                PairType.Input("networks", tooltip="From Generative Inbetweening Loader."),
                *coder_inputs(),
                *keyframe_inputs(),
                *size_inputs("It", svdkfi.SIZE, svdkfi.FRAMES),
                *drawing_inputs(Drawing),
                io.Float.Input(
                    "injected",
                    default=Drawing.injected,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="Share of the steps, from the first on, in which noise is added back and the step repeated.",
                ),
                io.Int.Input(
                    "times",
                    default=Drawing.times,
                    min=0,
                    max=20,
                    optional=True,
                    advanced=True,
                    tooltip="Number of repetitions of each of those steps.",
                ),
                io.Boolean.Input(
                    "even",
                    default=Drawing.even,
                    optional=True,
                    advanced=True,
                    tooltip="On: both networks weigh one half in every frame. Off: each weighs more near its own keyframe.",
                ),
            ],
            outputs=[io.Image.Output("images", tooltip="The clip, including both keyframes as they are rendered.")],
        )

    @classmethod
    def execute(cls, networks: Any, start: Tensor, end: Tensor, **shared: Any) -> io.NodeOutput:
        settings = Settings.of(Drawing, **shared)
        settings.check_room()
        first, last, _ = fitted_keyframes(start, end, settings.size)
        return io.NodeOutput(networks.between(settings.coders, first, last, settings.frames, settings.drawing).movedim(1, -1))
