"""Nodes of Generative Inbetweening (svd_keyframe_interpolation): two networks that draw one clip from both ends."""

from __future__ import annotations

from typing import Any

import folder_paths
from comfy_api.latest import io
from torch import Tensor

from ..vfi.tween import files, svd, svdkfi
from ..vfi.tween.svdkfi import Drawing
from .framer import (
    CATEGORY,
    clip_inputs,
    coder_inputs,
    coders_of,
    fitted_keyframes,
    internals,
    keyframe_inputs,
    path_of,
    size_inputs,
    wanted,
)

PairType = io.Custom("INBETWEEN_SVDKFI")

KIND = "Stable Video Diffusion's UNet"


class SvdkfiLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        there = folder_paths.get_filename_list("diffusion_models")
        return io.Schema(
            node_id="InbetweenSvdkfiLoader",
            display_name="Generative Inbetweening Loader",
            category=CATEGORY,
            description="Loads Generative Inbetweening (svd_keyframe_interpolation), which draws a clip from both of its ends "
            "at once. Its weights are made of Stable Video Diffusion's, which have a licence of their own from Stability AI.",
            search_aliases=["svdkfi", "svd_keyframe_interpolation", "keyframe interpolation", "diffusion tweening"],
            inputs=[
                io.Combo.Input(
                    "original",
                    options=there,
                    tooltip="The UNet of Stable Video Diffusion XT (25 frames) in diffusers' form, in models/diffusion_models.",
                ),
                io.Combo.Input(
                    "tuned", options=there, tooltip="The UNet that the authors of Generative Inbetweening give out."
                ),
                io.Combo.Input(
                    "base", options=there, tooltip="The UNet that they tuned: of Stable Video Diffusion with 14 frames."
                ),
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


class SvdkfiTween(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenSvdkfiTween",
            display_name="Generative Inbetweening",
            category=CATEGORY,
            description="Draws the frames between two keyframes, from both of them at once.",
            search_aliases=["svdkfi", "svd_keyframe_interpolation", "first last frame", "keyframe interpolation", "tween"],
            inputs=[
                PairType.Input("networks", tooltip="From Generative Inbetweening Loader."),
                *coder_inputs(),
                *keyframe_inputs(),
                *size_inputs("It", svdkfi.SIZE, svdkfi.FRAMES),
                io.Int.Input(
                    "steps", default=Drawing.steps, min=1, max=1000, tooltip="In how many steps noise becomes a clip."
                ),
                io.Int.Input("seed", default=0, min=0, max=2**64 - 1, tooltip="The same seed makes the same frames."),
                *clip_inputs(Drawing.motion),
                io.Float.Input(
                    "injected",
                    default=Drawing.injected,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="In which share of the steps noise is added again and the step repeated.",
                ),
                io.Int.Input(
                    "times",
                    default=Drawing.times,
                    min=0,
                    max=20,
                    optional=True,
                    advanced=True,
                    tooltip="How many times each of those steps is repeated.",
                ),
                io.Boolean.Input(
                    "even",
                    default=Drawing.even,
                    optional=True,
                    advanced=True,
                    tooltip="On: both networks count for half everywhere. Off: each the more the nearer its keyframe is.",
                ),
            ],
            outputs=[io.Image.Output("images", tooltip="The clip, both keyframes among it as they are drawn.")],
        )

    @classmethod
    def execute(
        cls,
        networks: Any,
        vae: Any,
        clip_vision: Any,
        start: Tensor,
        end: Tensor,
        width: int,
        height: int,
        frames: int,
        steps: int,
        seed: int,
        fps: int,
        motion_bucket: int,
        augmentation: float = Drawing.augmentation,
        injected: float = Drawing.injected,
        times: int = Drawing.times,
        even: bool = Drawing.even,
    ) -> io.NodeOutput:
        drawing = Drawing(steps, seed, fps, motion_bucket, augmentation, even=even, injected=injected, times=times)
        first, last, _ = fitted_keyframes(start, end, (width, height))
        return io.NodeOutput(networks.between(coders_of(vae, clip_vision), first, last, frames, drawing).movedim(1, -1))
