"""The node that makes a model follow drawn motion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.motion.guided import Guide
from . import inputs, matching, prompts
from .load import usual
from .model import Following, Model, ModelType, Several
from .node import Node
from .optical_flow import FlowModel, flow_input


class GuideModel(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenGuide",
            display_name="Guide",
            category="Inbetween/models",
            description="Makes a model follow drawn tracks: whatever a track starts on is moved along its curve, with its "
            "timing, in every new frame.",
            search_aliases=["tracks", "drag", "trajectory", "motion brush", "framer", "control", "large motion", "autopilot"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                inputs.model_input("The model that makes the new frames: any that takes two frames."),
                io.Tracks.Input(
                    "tracks",
                    optional=True,
                    tooltip="Point tracks from the first frame to the last, in pixels of the frames: from Track Editor, Match "
                    "Keyframes, Follow Points or Edit Tracks.",
                ),
                io.Mask.Input(
                    "parts",
                    optional=True,
                    tooltip="One mask per object in the first frame: a track that starts in a mask moves all of it, and "
                    "nothing else. Without masks, the region that moves with a track is estimated.",
                ),
                flow_input(
                    "Estimates motion for a model that estimates none, such as SepConv, in place of dis: from Load "
                    "Optical Flow Model."
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How closely new frames follow: 1 fully, 0 not at all.",
                ),
                io.Boolean.Input(
                    "auto",
                    default=False,
                    tooltip="For large motion: points matched in both frames lead wherever the model misses them, in addition "
                    "to drawn tracks.",
                ),
                io.Combo.Input(
                    "matcher",
                    options=list(matching.MATCHERS.options),
                    default="sift",
                    optional=True,
                    advanced=True,
                    tooltip="For auto: how points are matched. sift needs no weights. xfeat finds more points across large "
                    "motion and in blur. loftr also matches smooth surfaces.",
                ),
            ],
            outputs=[ModelType.Output("model", tooltip="The same model, following the tracks.")],
        )

    @classmethod
    def validate_inputs(cls, matcher: str | None = "sift") -> bool | str:
        """Only the matcher is named, as in Load Interpolation Model; without auto it is not used."""
        if prompts.others(cls).get("auto") is False:
            return True
        return matching.MATCHERS.fault(matcher, "matcher") or True

    @classmethod
    def fingerprint_inputs(cls, matcher: str | None = "sift", **options: object) -> str:
        return matching.MATCHERS.fingerprint(matcher, "matcher")

    @classmethod
    def execute(
        cls,
        strength: float,
        auto: bool,
        matcher: str = "sift",
        tracks: Mapping[str, Any] | None = None,
        parts: Tensor | None = None,
        model: Model | Several | Following | None = None,
        optical_flow: Any = None,
    ) -> io.NodeOutput:
        if tracks is None and not auto:
            raise InputError("there is nothing to follow: connect tracks or turn auto on")
        if isinstance(model, Following):
            raise InputError("the model already follows a guide: join the tracks with Edit Tracks")
        flow = None if optical_flow is None else FlowModel(optical_flow)
        finder = matching.matcher(matcher if auto else "sift", "matcher")
        guide = Guide(auto=auto, strength=strength, parts=parts, matcher=finder)
        return io.NodeOutput(Following(usual(model), guide, tracks, flow))
