"""Nodes that make a clip loop: for IMAGE batches and for VIDEO."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.v0_0_2 import Input, io
from torch import Tensor

from ..vfi.clips.clip import Edited, Encoding, Reader
from ..vfi.edit.loop import Loop, best_loop, turn_of, whole_loop
from ..vfi.parse import exact
from ..vfi.render.run import batch_for, run
from ..vfi.render.splice import looped_sound
from ..vfi.timing.grids import Timing, exact_rate, timing
from . import bridge, inputs
from .load import usual
from .model import Model
from .node import Node
from .video import Clip, make_video

CATEGORY = "Inbetween/time"
DESCRIPTION = (
    "Makes a clip loop seamlessly. In-between frames are also made between its last frame and its first, so N frames become "
    "N x times, with no stutter at the loop point."
)
JUMP = "How visible the loop point is: its jump, relative to the clip's usual frame-to-frame change. 0 is seamless."
ALIASES = ["seamless loop", "loop", "cinemagraph", "gif", "perfect loop", "wrap"]


def loop_inputs() -> list[io.Input]:
    """The options of a loop; `looped` reads the answers."""
    rate = inputs.target_fps_input("The loop is rounded to a whole number of frames, at most half a frame longer or shorter.")
    shortest = io.Float.Input(
        "shortest",
        display_name="shortest loop",
        default=0.0,
        min=0.0,
        max=36000.0,
        step=0.01,
        tooltip="Minimum length of the loop in seconds; 0 is half of the clip.",
    )
    return [
        io.DynamicCombo.Input(
            "mode",
            options=[io.DynamicCombo.Option("times", [inputs.times_input()]), io.DynamicCombo.Option("frame rate", [rate])],
            tooltip="times: multiplies the number of frames. frame rate: converts to another frame rate.",
        ),
        io.DynamicCombo.Input(
            "part",
            options=[io.DynamicCombo.Option("whole clip", []), io.DynamicCombo.Option("best loop", [shortest])],
            tooltip="whole clip: loops from its last frame to its first. best loop: uses the part whose end best matches its "
            "beginning in position and speed, and drops the rest.",
        ),
        io.Int.Input(
            "gap",
            default=1,
            min=0,
            max=240,
            optional=True,
            advanced=True,
            tooltip="Length of the transition from the last frame back to the first, in frames. 1 is like any other pair; use "
            "more if the two ends are far apart. 0 chooses it from how far apart they are.",
        ),
    ]


def looped(clip: Reader, mode: dict, part: dict, gap: int) -> tuple[Loop, Timing, Edited]:
    """The loop that the answers to `loop_inputs` ask for, its timing and its frames."""
    clip = bridge.heard_clip(clip)
    if part["part"] == "best loop":
        loop = best_loop(clip, exact(part["shortest"]).limit_denominator(1000) or None, gap or None)
    else:
        loop = whole_loop(clip, gap or None)
    rate = exact_rate(mode["target_fps"]) if mode["mode"] == "frame rate" else None
    asked = turn_of(timing(clip.info.rate, times=mode.get("times"), fps=rate), loop)
    turn = replace(clip.info, frames=loop.frames, duration=loop.period, start=None)
    return loop, asked, Edited(turn, clip.notes, lambda: loop.wound(clip))


class LoopFrames(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenLoop",
            display_name="Loop Frames",
            category=CATEGORY,
            description=DESCRIPTION,
            search_aliases=ALIASES,
            inputs=[
                *inputs.image_inputs(),
                *loop_inputs(),
            ],
            outputs=[
                *inputs.image_outputs("One cycle of the loop."),
                io.Float.Output("jump", tooltip=JUMP),
            ],
        )

    @classmethod
    def execute(
        cls, images: Tensor, source_fps: float, mode: dict, part: dict, gap: int = 1, model: Model | None = None
    ) -> io.NodeOutput:
        loop, asked, turn = looped(bridge.clip_of(images, exact_rate(source_fps)), mode, part, gap)
        count = asked.grid.count(loop.frames, loop.period, "hold")
        bridge.room(count, images.shape[1:])
        ready = usual(model).ready(images.shape[1:3], bridge.unbound(images))
        made = run(turn, ready, asked.grid, tail="hold", batch=batch_for(ready, images.shape[1:3]))
        out, originals = bridge.collected(bridge.watched(made, count), images, count)
        return io.NodeOutput(out, float(asked.rate), count, originals, loop.jump)


class LoopVideo(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenLoopVideo",
            display_name="Loop Video",
            category=CATEGORY,
            description=f"{DESCRIPTION} Works from file to file: a long clip is never held in memory. The end of the sound is "
            "crossfaded into its beginning.",
            search_aliases=[*ALIASES, "video loop"],
            inputs=[
                *inputs.video_inputs(),
                *loop_inputs(),
                *inputs.codec_inputs(),
            ],
            outputs=[
                *inputs.video_outputs("One cycle of the loop"),
                io.Float.Output("jump", tooltip=JUMP),
            ],
        )

    @classmethod
    def execute(
        cls,
        video: Input.Video,
        mode: dict,
        part: dict,
        gap: int = 1,
        codec: str = "h264",
        crf: int = 18,
        model: Model | None = None,
    ) -> io.NodeOutput:
        clip = Clip.of(video)
        loop, asked, turn = looped(clip.reader, mode, part, gap)
        with looped_sound(clip.sound, loop, asked, ".mp4", turn.notes) as sound:
            result, count = make_video(usual(model), Clip(turn, sound), asked, Encoding(codec, crf), audio="copy")
        return io.NodeOutput(result, float(asked.rate or result.get_frame_rate()), count, loop.jump)
