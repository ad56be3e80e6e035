"""The node that has Framer draw anew what another model was unsure of."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.tween.edm import GuidanceCurve
from ..vfi.tween.framer import Drawing
from ..vfi.tween.repair import Repair, repaired
from . import bridge
from .framer import CATEGORY, Painter, clip_inputs, coder_inputs, coders_of, drawing_inputs, size_inputs


class RepairFrames(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenRepair",
            display_name="Repair Frames",
            category=CATEGORY,
            description="Has Framer draw anew what another model was unsure of: only those frames, and only there, between "
            "frames that are right.",
            search_aliases=["framer", "inpaint", "fix artifacts", "occlusion", "hybrid", "confidence", "refine interpolation"],
            inputs=[
                io.Model.Input("model", tooltip="From Framer Loader, or a LoRA loader after it. It is guided as said below."),
                *coder_inputs(),
                io.Image.Input("images", tooltip="A clip, such as the images of Interpolate Frames."),
                io.Mask.Input(
                    "doubt",
                    tooltip="A mask a frame, white where the frame is wrong: the disagreement of Interpolate Frames with a "
                    "Model Consensus, or one that is painted. The first and the last frame stay as they are.",
                ),
                io.Float.Input(
                    "threshold",
                    default=Repair.threshold,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="From which grey of the mask on a pixel is drawn anew.",
                ),
                io.Int.Input(
                    "grow",
                    default=Repair.grow,
                    min=0,
                    max=512,
                    tooltip="How many pixels around that the new picture fades into the old. Beyond, nothing changes.",
                ),
                *size_inputs(),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.05,
                    max=1.0,
                    step=0.05,
                    tooltip="1 draws from noise alone; less keeps more of what is there.",
                ),
                *drawing_inputs(),
                *clip_inputs(),
            ],
            outputs=[
                io.Image.Output("images", tooltip="The clip, repaired."),
                io.Mask.Output("redrawn", tooltip="How much of each pixel is new."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        vae: Any,
        clip_vision: Any,
        images: Tensor,
        doubt: Tensor,
        threshold: float,
        grow: int,
        width: int,
        height: int,
        frames: int,
        denoise: float,
        steps: int,
        curve: GuidanceCurve,
        first: float,
        last: float,
        seed: int,
        fps: int,
        motion_bucket: int,
        augmentation: float = Drawing.augmentation,
    ) -> io.NodeOutput:
        count, rows, columns = bridge.checked(images).shape[:3]
        if doubt.shape[1:] != (rows, columns) or len(doubt) not in (1, count):
            raise InputError(
                f"a doubt of {len(doubt)} masks of {doubt.shape[-1]}x{doubt.shape[-2]} was given for {count} images of "
                f"{columns}x{rows}: a mask a frame, or one for all, of their size is needed"
            )
        repair = Repair(threshold, grow, frames, (width, height))
        shares = repair.shares(doubt.expand(count, -1, -1).float())
        drawing = Drawing(steps, seed, fps, motion_bucket, augmentation, (first, last), curve)
        clip = images[..., :3].movedim(-1, 1).float().expand(-1, 3, -1, -1)
        painter = Painter.of(model, None, coders_of(vae, clip_vision), drawing, clips=len(repair.windows(shares)))
        made = repaired(clip, shares, lambda part, mask: painter.over(part, mask, denoise), repair).movedim(1, -1)
        return io.NodeOutput(torch.cat((made, images[..., 3:]), dim=-1), shares)
