"""Nodes that add motion blur: each frame is the mean of the light that falls while a shutter is open."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.v0_0_2 import Input, io
from torch import Tensor

from ..vfi.clips.clip import Edited, Encoding
from ..vfi.parse import exact
from ..vfi.pixels.transfer import TRANSFERS, named
from ..vfi.render.run import batch_for, run
from ..vfi.timing.grids import Uniform, exact_rate, timing
from ..vfi.timing.shutter import Shutter, exposed
from . import bridge, inputs
from .load import usual
from .model import Model
from .node import Node
from .video import Clip, make_video

CATEGORY = "Inbetween/interpolate"


def shutter_inputs() -> list[io.Input]:
    """The exposure of the frames; `shutter_of` reads the answers."""
    return [
        inputs.target_fps_input(
            f"The source's rate keeps the frame count; a lower one gives fast footage a film look. {inputs.USUAL}", default=24.0
        ),
        io.Float.Input(
            "angle",
            default=180.0,
            min=1.0,
            max=360.0,
            step=0.1,
            tooltip="Shutter angle in degrees: 180 blurs over half of the time until the next frame, as on film; 360 over all "
            "of it.",
        ),
        io.Int.Input(
            "samples",
            default=8,
            min=2,
            max=256,
            tooltip="Samples averaged per exposure. Each costs a new frame. More samples hide the stepping of fast edges.",
        ),
    ]


def light_input(usual: str, told: str) -> io.Combo.Input:
    """The transfer function of a picture: ``usual``, explained by ``told``, or a curve by name."""
    return io.Combo.Input(
        "light",
        options=list(dict.fromkeys([usual, *TRANSFERS])),
        optional=True,
        advanced=True,
        tooltip=f"Transfer function of the pixel values; motion blur is computed in linear light. {usual}: {told}. linear: "
        "float images such as EXR. The others are those of displays, HDR and cameras.",
    )


class ShutterFrames(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenShutter",
            display_name="Shutter (Motion Blur)",
            category=CATEGORY,
            description="Exposes each frame for part of its time, as a film camera does, so that motion is blurred.",
            search_aliases=["motion blur", "shutter angle", "180 degree", "exposure", "film look", "frame blending"],
            inputs=[
                *inputs.image_inputs("The model that makes the samples of each exposure."),
                *shutter_inputs(),
                light_input("srgb", "ordinary images"),
            ],
            outputs=[
                io.Image.Output("images", tooltip="The blurred frames. The last one is sharp, because no frame follows it."),
                io.Float.Output("fps", tooltip="Frames per second to play them at."),
                io.Int.Output("count", tooltip="Number of frames."),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: Tensor,
        source_fps: float,
        target_fps: float,
        angle: float,
        samples: int,
        light: str = "srgb",
        model: Model | None = None,
    ) -> io.NodeOutput:
        source, target = exact_rate(source_fps), exact_rate(target_fps)
        shutter, outputs = shutter_of(angle, samples), Uniform(target)
        count = outputs.count(len(bridge.checked(images)), (len(images) - 1) / source, "stop")
        bridge.room(count, images.shape[1:])
        ready = usual(model).ready(images.shape[1:3], bridge.unbound(images))
        frames, batch = bridge.frames_of_images(images, source), batch_for(ready, images.shape[1:3])
        moments = run(frames, ready, shutter.grid(outputs), batch=batch)
        blurred = bridge.watched(exposed(bridge.heard(moments), named(light)), count)
        made, _ = bridge.collected(blurred, images, count)
        return io.NodeOutput(made, float(target), count)


class ShutterVideo(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenShutterVideo",
            display_name="Shutter Video (Motion Blur)",
            category=CATEGORY,
            description="Exposes each frame of a video for part of its time, as a film camera does, so that motion is blurred. "
            "A long clip is never held in memory; its sound is kept.",
            search_aliases=["motion blur", "shutter angle", "180 degree", "exposure", "film look", "frame blending"],
            inputs=[
                *inputs.video_inputs("The model that makes the samples of each exposure."),
                *shutter_inputs(),
                light_input("auto", "as tagged in the video"),
                *inputs.codec_inputs(),
            ],
            outputs=inputs.video_outputs("The new video"),
        )

    @classmethod
    def execute(
        cls,
        video: Input.Video,
        target_fps: float,
        angle: float,
        samples: int,
        light: str = "auto",
        codec: str = "h264",
        crf: int = 18,
        model: Model | None = None,
    ) -> io.NodeOutput:
        clip, target = Clip.of(video), exact_rate(target_fps)
        reader = clip.reader
        if light != "auto":
            reader = Edited(replace(reader.info, curve=light), reader.notes, lambda: iter(clip.reader))
        asked, shutter = timing(reader.info.rate, fps=target), shutter_of(angle, samples)
        result, count = make_video(usual(model), replace(clip, reader=reader), asked, Encoding(codec, crf), shutter)
        return io.NodeOutput(result, float(target), count)


def shutter_of(angle: float, samples: int) -> Shutter:
    """The shutter that the answers to `shutter_inputs` ask for."""
    return Shutter(exact(angle).limit_denominator(1000), samples)
