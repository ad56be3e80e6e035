"""Nodes that take flicker out of a clip: for IMAGE batches and for VIDEO."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from comfy_api.v0_0_2 import Input, io
from torch import Tensor

from ..vfi.clips.clip import DEFAULT_RATE, Edited, Encoding, Reader, unbound
from ..vfi.core import Frame, Interpolator
from ..vfi.edit.find import Finder
from ..vfi.edit.plan import Plan
from ..vfi.edit.steady.steady import Steady, steady
from ..vfi.motion.flow import BothWays
from ..vfi.timing.grids import timing
from . import bridge, inputs
from .load import opened
from .model import ModelType
from .node import Node
from .optical_flow import flow_input, source
from .shots import PlanType
from .video import Clip, make_video

CATEGORY = "Inbetween/time"
DESCRIPTION = (
    "Takes flicker out of a clip, shot by shot. Brightness and colour are made even along the motion, and what stands still is "
    "held still. Lamps, lightning, fades and cuts stay as they are."
)
ALIASES = ["deflicker", "flicker", "stabilize brightness", "temporal consistency", "shimmer", "pulsing", "temporal denoise"]
MOTION = "The model whose motion is followed: dis, RIFE, FILM or any other that estimates motion. If none is connected: dis."


def steady_inputs() -> list[io.Input]:
    """The options; `Steady` takes their answers."""
    return [
        io.Float.Input(
            "strength",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.05,
            tooltip="Share of the flicker to take out. 0 changes nothing.",
        ),
        io.Float.Input(
            "reach",
            display_name="flicker limit",
            default=Steady.reach,
            min=0.01,
            max=0.5,
            step=0.01,
            optional=True,
            advanced=True,
            tooltip="Largest change of brightness that counts as flicker, as a share. Larger ones are taken for real. Raise it "
            "for strong flicker, as of old film and time-lapse.",
        ),
        io.Boolean.Input(
            "texture",
            default=True,
            optional=True,
            advanced=True,
            tooltip="Also hold still the texture of what does not move, as after upscaling. Off: only light is made even.",
        ),
        flow_input("The optical flow model whose motion is followed, in place of a model: from Load Optical Flow Model."),
        PlanType.Input(
            "plan",
            optional=True,
            tooltip="From Find Shots, for these same frames: its cuts are used. If none is connected: cuts are found.",
        ),
    ]


def motion_input() -> io.Input:
    """The model of motion, which may be left out; `motion_of` reads the answer."""
    return ModelType.Input("model", optional=True, tooltip=MOTION)


def motion_of(model: Any, optical_flow: Any) -> Any:
    """What estimates motion; dis if nothing is connected. Raises `InputError` if two are."""
    found = source(model, optical_flow)
    return opened("dis") if found is None else found


def steadied(clip: Reader, model: Interpolator, options: Steady, plan: Plan | None) -> Iterator[Frame]:
    """The frames without flicker. No repeats are marked: nobody is to make them anew."""
    clip = bridge.heard_clip(clip)
    marked = Finder().marks(clip) if plan is None else plan.marked(clip)
    return (replace(frame, repeat=False) for frame in steady(marked, BothWays(model), options))


class SteadyClip(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenSteady",
            display_name="Steady Clip",
            category=CATEGORY,
            description=DESCRIPTION,
            search_aliases=ALIASES,
            inputs=[
                motion_input(),
                io.Image.Input("images", tooltip="The frames, in order: greyscale, RGB or RGBA."),
                *steady_inputs(),
            ],
            outputs=[
                io.Image.Output("images", tooltip="As many frames, without flicker."),
                io.Mask.Output("unchanged", tooltip="One mask per frame: white for a frame that stayed as it was."),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: Tensor,
        strength: float,
        reach: float = Steady.reach,
        texture: bool = True,
        model: Any = None,
        optical_flow: Any = None,
        plan: Plan | None = None,
    ) -> io.NodeOutput:
        clip, options = bridge.clip_of(images, DEFAULT_RATE), Steady(strength, reach, texture)
        bridge.room(len(images), images.shape[1:])
        ready = motion_of(model, optical_flow).ready(images.shape[1:3])
        out = images.new_empty(images.shape)
        kept = []
        made = bridge.watched(steadied(clip, ready, options, plan), len(images))
        for image, given, frame in zip(out, images, made, strict=True):
            bridge.write(frame, image)
            kept.append(bool((image == given).all()))
        return io.NodeOutput(out, bridge.per_frame(kept, images))


class SteadyVideo(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenSteadyVideo",
            display_name="Steady Video",
            category=CATEGORY,
            description=f"{DESCRIPTION} Works from file to file: a long clip is never held in memory. Sound is copied.",
            search_aliases=[*ALIASES, "video deflicker"],
            inputs=[
                motion_input(),
                io.Video.Input("video", tooltip="The video. If it is trimmed, only the trimmed part is read."),
                *steady_inputs(),
                *inputs.codec_inputs(),
            ],
            outputs=inputs.video_outputs("The video without flicker"),
        )

    @classmethod
    def execute(
        cls,
        video: Input.Video,
        strength: float,
        reach: float = Steady.reach,
        texture: bool = True,
        codec: str = "h264",
        crf: int = 18,
        model: Any = None,
        optical_flow: Any = None,
        plan: Plan | None = None,
    ) -> io.NodeOutput:
        clip, options, motion = Clip.of(video), Steady(strength, reach, texture), motion_of(model, optical_flow)
        reader, info = clip.reader, clip.reader.info
        ready = motion.ready((info.height, info.width), *(() if optical_flow is not None else (unbound(info),)))
        steadily = Edited(info, reader.notes, lambda: steadied(reader, ready, options, plan))
        asked = timing(info.rate, times=1)
        result, count = make_video(_Ready(ready), replace(clip, reader=steadily), asked, Encoding(codec, crf), audio="copy")
        return io.NodeOutput(result, float(asked.rate or result.get_frame_rate()), count)


class _Ready:
    """A model that is ready: all frames are there, and it makes none."""

    def __init__(self, model: Interpolator) -> None:
        self.model = model

    def ready(self, size: tuple[int, int], transfer: object = None, pace: object = "off") -> Interpolator:
        return self.model
