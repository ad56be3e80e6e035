"""Nodes that go from keyframes to a clip in one step, with Framer or another network that draws."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

import torch
from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.tween import sequence
from ..vfi.tween.fit import Fit
from ..vfi.tween.framer import Drawing
from . import bridge, painters
from .dynamicrafter import text_inputs
from .framer import (
    CATEGORY,
    Painter,
    Settings,
    coloured,
    drawing_inputs,
    fitted_keyframes,
    fitted_tracks,
    keyframe_inputs,
    model_inputs,
    size_inputs,
    steering_inputs,
)
from .node import Node

LED = 5
"""Number of matched points that lead in each pair of keyframes, as in Framer's own program."""


def network_inputs(models: list[io.Input]) -> list[io.Input]:
    """``models``, and Framer's ControlNet, which is optional."""
    return [
        *models,
        io.ControlNet.Input(
            "control_net", display_name="control net", optional=True, tooltip="From Framer Loader. Only tracks need it."
        ),
    ]


class FramerTween(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFramerTween",
            display_name="Framer Tween",
            category=CATEGORY,
            description="Generates the frames between two keyframes with Framer, in one node.",
            search_aliases=["framer", "first last frame", "two keyframes", "morph", "drag", "tween", "autopilot"],
            is_experimental=True,  # never run with published weights
            inputs=[
                *network_inputs(model_inputs()),
                *keyframe_inputs(),
                io.Tracks.Input(
                    "tracks",
                    optional=True,
                    tooltip="Point tracks in pixels of start, from Track Editor (drag) or Match Keyframes (autopilot).",
                ),
                *size_inputs(),
                *drawing_inputs(),
                *steering_inputs(),
            ],
            outputs=[io.Image.Output("images", tooltip="The clip, including both keyframes as Framer renders them.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        start: Tensor,
        end: Tensor,
        control_net: Any = None,
        tracks: Mapping[str, Any] | None = None,
        **shared: Any,
    ) -> io.NodeOutput:
        settings = Settings.of(Drawing, **shared)
        first, last, fit = fitted_keyframes(start, end, settings.size)
        led = None if tracks is None else fitted_tracks(tracks, fit, settings.frames)
        painter = Painter.of(model, control_net, settings, clips=1)
        return io.NodeOutput(painter.between(first, last, settings.frames, led).movedim(1, -1))


class KeyframeSequence(Node):
    LISTS = ("keyframes",)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenKeyframeSequence",
            display_name="Keyframe Sequence",
            category=CATEGORY,
            description="Generates one clip through several keyframes with Framer, DynamiCrafter or ToonCrafter, pair by pair. "
            "Each keyframe appears once, and with Framer, followed points pass through it smoothly.",
            search_aliases=["framer", "keyframes", "morph", "slideshow", "storyboard", "time-lapse", "multiple keyframes"],
            is_experimental=True,  # never run with published weights
            is_input_list=True,
            inputs=[
                *network_inputs(painters.model_inputs()),
                io.Image.Input("keyframes", tooltip="Two or more keyframes, in order: a batch, or a list."),
                io.Tracks.Input(
                    "tracks",
                    optional=True,
                    tooltip="Point tracks over the whole clip, in pixels of the keyframes.",
                ),
                io.Boolean.Input(
                    "follow",
                    default=False,
                    tooltip="Steer with points matched between neighbouring keyframes, in addition to tracks.",
                ),
                *size_inputs(),
                io.Combo.Input(
                    "timing",
                    options=["even", "motion"],
                    default="even",
                    tooltip="even: every pair has the same number of frames. motion: pairs with more motion get more frames, "
                    "for a constant speed; frames is then the mean.",
                ),
                *drawing_inputs(),
                *steering_inputs(),
                *text_inputs(optional=True),
            ],
            outputs=[
                io.Image.Output("images", tooltip="The clip, including the keyframes as the network renders them."),
                io.Int.Output("count", tooltip="Number of frames."),
                io.String.Output("places", tooltip="Frame numbers of the keyframes, counted from 0."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        keyframes: list[Tensor],
        follow: bool,
        timing: Literal["even", "motion"],
        control_net: Any = None,
        tracks: Mapping[str, Any] | None = None,
        positive: Any = None,
        negative: Any = None,
        **shared: Any,
    ) -> io.NodeOutput:
        height, width = same_size(keyframes)
        settings = Settings.of(Drawing, **shared)
        fit = Fit.middle((width, height), settings.size)
        pictures = fit.pictures(torch.cat([coloured(batch) for batch in keyframes]))
        pairs = len(pictures) - 1
        found = sequence.matched(bridge.heard(pictures)) if follow or timing == "motion" else []
        ways = sequence.distances(found) if timing == "motion" else [1.0] * pairs
        lengths = sequence.lengths(ways, pairs * (settings.frames - 1) + 1)
        places = sequence.places(lengths)
        bridge.room(2 * (places[-1] + 1), (settings.size[1], settings.size[0], 3))  # the clips, and the clip that they form
        led = None if tracks is None else fitted_tracks(tracks, fit, places[-1] + 1)
        if follow:
            own = sequence.through(found, lengths, LED)
            led = own if led is None else led.beside(own)
        painter = painters.painter_of(model, control_net, settings, (positive, negative), clips=pairs)
        leading = [None] * pairs if led is None else sequence.pieces(led, lengths)
        clips = (
            painter.between(*pair, length, piece)
            for pair, length, piece in zip(pairwise(pictures), lengths, leading, strict=True)
        )
        images = torch.stack(list(sequence.chained(clips))).movedim(1, -1)
        return io.NodeOutput(images, len(images), ", ".join(map(str, places)))


def same_size(keyframes: list[Tensor]) -> tuple[int, int]:
    """Height and width of the keyframes in all batches. Raises `InputError` unless there are two or more of one size."""
    sizes = {tuple(bridge.checked(batch).shape[1:3]) for batch in keyframes}
    if sum(map(len, keyframes)) < 2:
        raise InputError("one keyframe was given: two or more are needed, in one batch or as a list")
    if len(sizes) > 1:
        told = ", ".join(f"{width}x{height}" for height, width in sorted(sizes))
        raise InputError(f"keyframes of {told} were given: all must have the same size")
    ((height, width),) = sizes
    return height, width
