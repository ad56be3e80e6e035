"""The node that shows a model's optical flow as pictures."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.clips.clip import DEFAULT_RATE
from ..vfi.motion import flow
from . import bridge, inputs
from .load import usual
from .model import Model
from .node import Node
from .optical_flow import flow_input, source

CATEGORY = "Inbetween/quality"


class FlowPicture(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFlowPicture",
            display_name="Flow Picture",
            category=CATEGORY,
            description="Shows a model's optical flow between frames in colour, and where to distrust it.",
            search_aliases=["optical flow", "motion", "flow to image", "flow visualization", "occlusion", "debug", "raft"],
            inputs=[
                inputs.model_input(
                    "The model whose flow is shown: dis, RIFE, FILM or any other that estimates motion. FLAVR, SepConv, "
                    "LDMVFI, linear and nearest do not."
                ),
                io.Image.Input("images", tooltip="The frames, in order."),
                flow_input("The optical flow model whose flow is shown, in place of a model: from Load Optical Flow Model."),
                io.Combo.Input(
                    "toward",
                    options=["next", "previous"],
                    default="next",
                    tooltip="Direction of the flow: to the next frame, or back to the previous one.",
                ),
                io.Float.Input(
                    "radius",
                    default=0.0,
                    min=0.0,
                    max=10000.0,
                    step=0.1,
                    tooltip="Motion, in pixels, shown at full saturation; faster motion is darker. 0 takes the 99th percentile "
                    "of the fastest frame. Set a number to compare models or clips.",
                ),
                io.Float.Input(
                    "t",
                    default=0.5,
                    min=0.01,
                    max=0.99,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Timestep between the two frames at which the flow is shown: 0.5 is half-way.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "flow",
                    tooltip="One picture per frame, of the flow between it and the next frame; white is no motion.",
                ),
                io.Mask.Output(
                    "occlusion",
                    tooltip="White where neither frame shows what is there at t, or where the flows are inconsistent.",
                ),
                io.Mask.Output(
                    "weight",
                    tooltip="Blend weight of the previous frame: white takes all from it, black all from the next.",
                ),
                io.Float.Output("radius", tooltip="Motion, in pixels, shown at full saturation."),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: Tensor,
        toward: flow.Toward,
        radius: float,
        t: float = 0.5,
        model: Model | None = None,
        optical_flow: Any = None,
    ) -> io.NodeOutput:
        bridge.checked(images)
        bridge.room(len(images), (*images.shape[1:3], 5))  # the picture, which begins as the flow, and two masks
        ready = usual(source(model, optical_flow)).ready(images.shape[1:3])
        found = flow.motions(bridge.frames_of_images(images, DEFAULT_RATE), ready, t)
        pictures = images.new_empty((*images.shape[:3], 3))
        occlusion, weight = images.new_empty((2, *images.shape[:3]))
        fields = pictures[..., :2].movedim(-1, 1)  # stored in place of the picture until the radius is known
        for index, (_, motion) in enumerate(bridge.watched(found, len(images))):
            fields[index] = flow.arm(motion, toward)[0]
            occlusion[index] = flow.occlusion(motion, images.new_tensor([t]))[0, 0]
            weight[index] = motion.mask[0, 0]
        radius = radius or flow.radius_of(field[None] for field in bridge.heard(fields))
        for picture, field in bridge.heard(zip(pictures, fields, strict=True)):
            picture[:] = flow.colours(field[None], radius)[0].movedim(0, -1)
        return io.NodeOutput(pictures, occlusion, weight, radius)
