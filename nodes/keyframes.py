"""Nodes that go from keyframes to a clip at once, by Framer."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

import torch
from comfy_api.latest import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.tracks.arrays import of_core
from ..vfi.tween import sequence
from ..vfi.tween.edm import GuidanceCurve
from ..vfi.tween.fit import Fit
from ..vfi.tween.framer import Drawing
from . import bridge
from .framer import (
    CATEGORY,
    Painter,
    clip_inputs,
    coder_inputs,
    coders_of,
    drawing_inputs,
    fitted_keyframes,
    keyframe_inputs,
    size_inputs,
    steering_inputs,
)

LED = 5
"""How many matched points lead in each pair of keyframes, as in Framer's own program."""


def network_inputs() -> list[io.Input]:
    """What draws."""
    return [
        io.Model.Input("model", tooltip="From Framer Loader, or a LoRA loader after it. It is guided as said below."),
        *coder_inputs(),
        io.ControlNet.Input(
            "control_net", display_name="control net", optional=True, tooltip="From Framer Loader. Only tracks need it."
        ),
    ]


class FramerTween(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFramerTween",
            display_name="Framer Tween",
            category=CATEGORY,
            description="Draws the frames between two keyframes with Framer, in one node.",
            search_aliases=["framer", "first last frame", "keyframe interpolation", "morph", "drag", "tween", "autopilot"],
            inputs=[
                *network_inputs(),
                *keyframe_inputs(),
                io.Tracks.Input(
                    "tracks",
                    optional=True,
                    tooltip="Where points go, in pixels of the start: from Track Editor (drag) or Match Keyframes (autopilot).",
                ),
                *size_inputs(),
                *drawing_inputs(),
                *clip_inputs(),
                *steering_inputs(),
            ],
            outputs=[io.Image.Output("images", tooltip="The clip, both keyframes among it as Framer draws them.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        vae: Any,
        clip_vision: Any,
        start: Tensor,
        end: Tensor,
        width: int,
        height: int,
        frames: int,
        steps: int,
        curve: GuidanceCurve,
        first: float,
        last: float,
        seed: int,
        fps: int,
        motion_bucket: int,
        strength: float,
        control_net: Any = None,
        tracks: Mapping[str, Any] | None = None,
        augmentation: float = Drawing.augmentation,
        refine: bool = False,
    ) -> io.NodeOutput:
        drawing = Drawing(steps, seed, fps, motion_bucket, augmentation, (first, last), curve, strength, refine=refine)
        one, other, fit = fitted_keyframes(start, end, (width, height))
        led = None if tracks is None else fit.tracks(of_core(tracks, fit.part)).resampled(frames)
        painter = Painter.of(model, control_net, coders_of(vae, clip_vision), drawing, clips=1)
        return io.NodeOutput(painter.between(one, other, frames, led).movedim(1, -1))


class KeyframeSequence(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenKeyframeSequence",
            display_name="Keyframe Sequence",
            category=CATEGORY,
            description="Draws one clip through several keyframes with Framer, pair by pair. Each keyframe comes once, and "
            "points that are followed pass it without a jerk.",
            search_aliases=["framer", "keyframes", "morph", "slideshow", "storyboard", "time-lapse", "multiple keyframes"],
            inputs=[
                *network_inputs(),
                io.Image.Input("keyframes", tooltip="Two keyframes or more, in order."),
                io.Tracks.Input(
                    "tracks",
                    optional=True,
                    tooltip="Where points go over the whole clip, in pixels of the keyframes.",
                ),
                io.Boolean.Input(
                    "follow",
                    default=False,
                    tooltip="Let points that keyframes share with the next lead, through all that have them. Tracks lead too.",
                ),
                *size_inputs(),
                io.Combo.Input(
                    "timing",
                    options=["even", "motion"],
                    default="even",
                    tooltip="even: each pair has as many frames. motion: the more the further things move in it, so that they "
                    "move equally fast throughout; frames is the mean.",
                ),
                *drawing_inputs(),
                *clip_inputs(),
                *steering_inputs(),
            ],
            outputs=[
                io.Image.Output("images", tooltip="The clip, keyframes among it as Framer draws them."),
                io.Int.Output("count", tooltip="How many frames it has."),
                io.String.Output("places", tooltip="Which frames are the keyframes, counted from 0."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        vae: Any,
        clip_vision: Any,
        keyframes: Tensor,
        follow: bool,
        width: int,
        height: int,
        frames: int,
        timing: Literal["even", "motion"],
        steps: int,
        curve: GuidanceCurve,
        first: float,
        last: float,
        seed: int,
        fps: int,
        motion_bucket: int,
        strength: float,
        control_net: Any = None,
        tracks: Mapping[str, Any] | None = None,
        augmentation: float = Drawing.augmentation,
        refine: bool = False,
    ) -> io.NodeOutput:
        if len(bridge.checked(keyframes)) < 2:
            raise InputError("one keyframe was given: two or more are needed, in one batch")
        drawing = Drawing(steps, seed, fps, motion_bucket, augmentation, (first, last), curve, strength, refine=refine)
        fit = Fit.middle((keyframes.shape[2], keyframes.shape[1]), (width, height))
        pictures = fit.pictures(keyframes[..., :3].movedim(-1, 1).float().expand(-1, 3, -1, -1))
        pairs = len(pictures) - 1
        found = sequence.matched(list(pictures)) if follow or timing == "motion" else []
        ways = sequence.distances(found) if timing == "motion" else [1.0] * pairs
        lengths = sequence.lengths(ways, pairs * (frames - 1) + 1)
        led = None if tracks is None else fit.tracks(of_core(tracks, fit.part)).resampled(sequence.places(lengths)[-1] + 1)
        if follow:
            own = sequence.through(found, lengths, LED)
            led = own if led is None else led.beside(own)
        painter = Painter.of(model, control_net, coders_of(vae, clip_vision), drawing, clips=pairs)
        leading = [None] * pairs if led is None else sequence.pieces(led, lengths)
        clips = (
            painter.between(*pair, length, piece)
            for pair, length, piece in zip(pairwise(pictures), lengths, leading, strict=True)
        )
        images = torch.stack(list(sequence.chained(clips))).movedim(1, -1)
        return io.NodeOutput(images, len(images), ", ".join(map(str, sequence.places(lengths))))
