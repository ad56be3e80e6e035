"""A node that carries painted frames through a clip."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.clips.clip import DEFAULT_RATE
from ..vfi.core import Frame, InputError
from ..vfi.edit.find import Finder
from ..vfi.edit.plan import Plan
from ..vfi.motion.flow import BothWays, check_motion
from ..vfi.paint.keys import Key
from ..vfi.paint.through import KINDS, WIDEST, Course, Painted, Through
from . import bridge
from .clip import listed
from .node import Node
from .optical_flow import flow_input
from .shots import PlanType
from .steady import motion_input, motion_of


class PaintThrough(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenPaintThrough",
            display_name="Paint Through",
            category="Inbetween/frames",
            description="Carries painted or retouched frames through a clip along its motion. Between two painted frames each "
            "pixel follows the one that shows it better. What was not painted stays as it is. Line art that is filled with "
            "flat colours is filled exactly.",
            search_aliases=[
                "propagate painting",
                "style by example",
                "retouch video",
                "rotoscope paint",
                "colorize line art",
                "keyframe propagation",
            ],
            inputs=[
                motion_input(),
                io.Image.Input("images", tooltip="The frames of the clip, in order: greyscale, RGB or RGBA."),
                io.Image.Input("keys", tooltip="The painted frames, of the clip's size. Transparent parts are not painted."),
                io.String.Input(
                    "frames",
                    default="0",
                    tooltip="The number of each key's frame, in order, counted from 0: 0, 24. -1 is the last frame.",
                ),
                io.Combo.Input(
                    "kind",
                    options=list(KINDS),
                    default=Through.kind,
                    tooltip="flat: line art whose areas are filled with flat colours. painted: anything else. auto tells from "
                    "the keys.",
                ),
                io.Int.Input(
                    "radius",
                    display_name="search radius",
                    default=Through.radius,
                    min=0,
                    max=WIDEST,
                    optional=True,
                    advanced=True,
                    tooltip="How far from the place that motion leads to patches are compared, in pixels.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="White where the keys are painted: one mask per key, or one for all. Without it, they are painted "
                    "where they differ from their frames.",
                ),
                flow_input(
                    "The optical flow model whose motion is followed, in place of a model: from Load Optical Flow Model."
                ),
                PlanType.Input(
                    "plan",
                    optional=True,
                    tooltip="From Find Shots, for these same frames: its cuts are used. If none is connected: cuts are found.",
                ),
            ],
            outputs=[
                io.Image.Output("images", tooltip="As many frames, painted."),
                io.Mask.Output("unchanged", tooltip="One mask per frame: white for a frame that stayed as it was."),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: Tensor,
        keys: Tensor,
        frames: str,
        kind: Any,
        radius: int = Through.radius,
        mask: Tensor | None = None,
        model: Any = None,
        optical_flow: Any = None,
        plan: Plan | None = None,
    ) -> io.NodeOutput:
        clip, options = bridge.clip_of(images, DEFAULT_RATE), Through(kind, radius)
        bridge.room(len(images), images.shape[1:])
        painted = keys_of(bridge.checked(keys), listed(frames, len(images)), mask)
        ready = motion_of(model, optical_flow).ready(images.shape[1:3])
        check_motion(ready)
        heard = bridge.heard_clip(clip)
        course = Course.of(Finder().marks(heard) if plan is None else plan.marked(heard))
        done, show = 0, None

        def worked() -> None:
            nonlocal done
            done += 1
            if show is not None:
                show(done)

        made = Painted(clip, course, painted, lambda: BothWays(ready), options, worked=worked)
        show = bridge.progress(made.work)
        out = images.new_empty(images.shape)
        kept = []
        for image, given, frame in zip(out, images, made, strict=True):
            bridge.write(frame, image)
            kept.append(bool((image == given).all()))
        return io.NodeOutput(out, bridge.per_frame(kept, images))


def keys_of(keys: Tensor, frames: list[int], mask: Tensor | None) -> list[Key]:
    """The keys of an IMAGE in the order of their frames, with the alpha of a MASK. Raises `InputError`."""
    if len(frames) != len(keys):
        raise InputError(f"{len(keys)} keys and {len(frames)} numbers of frames were given: name one frame per key")
    if len(set(frames)) < len(frames):
        raise InputError(f"frames {', '.join(map(str, frames))} were given: each key needs a frame of its own")
    if mask is not None and (mask.shape[1:] != keys.shape[1:3] or len(mask) not in (1, len(keys))):
        raise InputError(
            f"mask has {len(mask)} masks of {mask.shape[-1]}x{mask.shape[-2]} for {len(keys)} keys of "
            f"{keys.shape[2]}x{keys.shape[1]}: one mask per key, or one for all, of their size is needed"
        )
    pictures = bridge.frames_of_images(keys, DEFAULT_RATE)
    found = []
    for number, (frame, picture) in enumerate(zip(frames, pictures, strict=True)):
        if mask is not None:
            picture = replace(picture, alpha=mask[number % len(mask)][None])
        found.append(Key(frame, f"key {number}", lambda picture=picture: _of(picture)))  # type: ignore[misc]
    return sorted(found, key=lambda key: key.frame)


def _of(picture: Frame) -> Frame:
    return picture
