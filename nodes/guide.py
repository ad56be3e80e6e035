"""The option that makes a model follow drawn motion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.motion.guided import Guide
from .model import Following, Model, ModelType, Several


class GuideModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenGuide",
            display_name="Guide",
            category="Inbetween/models",
            description="Has a model follow tracks: what they were drawn on is where they say in every new frame, along curves "
            "and with their timing.",
            search_aliases=["tracks", "drag", "trajectory", "motion brush", "framer", "control", "large motion", "autopilot"],
            inputs=[
                ModelType.Input("model", tooltip="The model that makes the frames; any of two frames."),
                io.Tracks.Input(
                    "tracks",
                    optional=True,
                    tooltip="Where points go from the first frame to the last, in pixels of the frames: from Track Editor, "
                    "Match Keyframes, Follow Points or Edit Tracks.",
                ),
                io.Mask.Input(
                    "parts",
                    optional=True,
                    tooltip="Things in the first frame, a mask each: a track that begins in one moves all of it, nothing else. "
                    "Without, what goes along with a track is found out.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How far new frames follow: 1 all the way, 0 not at all.",
                ),
                io.Boolean.Input(
                    "auto",
                    default=False,
                    tooltip="Let points that both frames share lead where the model has lost them: for large motion. "
                    "Tracks that are drawn lead as well.",
                ),
            ],
            outputs=[ModelType.Output("model", tooltip="The same model, which follows.")],
        )

    @classmethod
    def execute(
        cls,
        model: Model | Several | Following,
        strength: float,
        auto: bool,
        tracks: Mapping[str, Any] | None = None,
        parts: Tensor | None = None,
    ) -> io.NodeOutput:
        if tracks is None and not auto:
            raise InputError("there is nothing to follow: connect tracks, or turn auto on")
        if isinstance(model, Following):
            raise InputError("the model follows a guide already: join the tracks with Edit Tracks, and guide it once")
        return io.NodeOutput(Following(model, Guide(auto=auto, strength=strength, parts=parts), tracks))
