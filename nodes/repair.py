"""The node that redraws frames that another model is unsure of, with Framer or another network that draws."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.tween.framer import Drawing
from ..vfi.tween.repair import Repair, repaired
from . import bridge
from .dynamicrafter import text_inputs
from .framer import CATEGORY, Settings, coloured, drawing_inputs, size_inputs
from .node import Node
from .painters import model_inputs, painter_of


class RepairFrames(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenRepair",
            display_name="Repair Frames",
            category=CATEGORY,
            description="Redraws doubtful frames with Framer, DynamiCrafter or ToonCrafter, between frames that are right. "
            "Only masked areas change.",
            search_aliases=["framer", "inpaint", "fix artifacts", "occlusion", "hybrid", "confidence", "refine interpolation"],
            is_experimental=True,  # never run with published weights
            inputs=[
                *model_inputs(),
                io.Image.Input("images", tooltip="A clip, such as the images of Interpolate Frames."),
                io.Mask.Input(
                    "doubt",
                    tooltip="One mask per frame, white where the frame is wrong: the disagreement of Interpolate Frames with a "
                    "Model Consensus, or a painted mask. The first and the last frame never change.",
                ),
                io.Float.Input(
                    "threshold",
                    default=Repair.threshold,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Mask value above which a pixel is redrawn.",
                ),
                io.Int.Input(
                    "grow",
                    default=Repair.grow,
                    min=0,
                    max=512,
                    tooltip="Feather, in pixels: how far beyond the mask the repaired area blends into the original.",
                ),
                *size_inputs(),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.05,
                    max=1.0,
                    step=0.05,
                    tooltip="1 draws from pure noise; lower values keep more of the original.",
                ),
                *drawing_inputs(),
                *text_inputs(optional=True),
            ],
            outputs=[
                io.Image.Output("images", tooltip="The repaired clip."),
                io.Mask.Output("redrawn", tooltip="How much of each pixel is new."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        images: Tensor,
        doubt: Tensor,
        threshold: float,
        grow: int,
        denoise: float,
        positive: Any = None,
        negative: Any = None,
        **shared: Any,
    ) -> io.NodeOutput:
        count, rows, columns = bridge.checked(images).shape[:3]
        if doubt.shape[1:] != (rows, columns) or len(doubt) not in (1, count):
            raise InputError(
                f"doubt has {len(doubt)} masks of {doubt.shape[-1]}x{doubt.shape[-2]} for {count} images of "
                f"{columns}x{rows}: one mask per frame, or one for all, of their size is needed"
            )
        bridge.room(2 * count, (rows, columns, 4))  # the repaired clip, its masks, and a copy of both
        settings = Settings.of(Drawing, **shared)
        repair = Repair(threshold, grow, settings.frames, settings.size)
        shares = repair.shares(doubt.expand(count, -1, -1).float())
        painter = painter_of(model, None, settings, (positive, negative), clips=len(repair.windows(shares)))
        made = repaired(coloured(images), shares, lambda part, mask: painter.over(part, mask, denoise), repair).movedim(1, -1)
        return io.NodeOutput(torch.cat((made, images[..., 3:]), dim=-1), shares)
