"""Nodes that change the speed of a clip over time: for IMAGE batches and for VIDEO."""

from __future__ import annotations

from fractions import Fraction

from comfy_api.input import CurveInput, LinearCurve
from comfy_api.latest import Input, io
from torch import Tensor

from ..vfi.clips.clip import Encoding, Info
from ..vfi.edit.plan import Plan
from ..vfi.render.remap import remap
from ..vfi.timing.curves import Along, TimeCurve, along, drawn, parse
from ..vfi.timing.grids import Timing, exact_rate
from . import bridge, inputs
from .model import Model
from .shots import plan_input
from .video import Clip, make

CATEGORY = "Inbetween/time"
DESCRIPTION = (
    "Plays a clip along a curve of its speed: ramps, freezes and parts that run backwards, with new frames where the speed "
    "asks for them."
)
ALIASES = ["speed ramp", "time remap", "slow motion", "retime", "reverse", "freeze frame", "velocity", "timewarp"]
EASINGS = "linear, hold, ease, ease-in, ease-out, ease-in-out, and those with -quad, -cubic, -quart or -quint"


def curve_inputs() -> list[io.Input]:
    """How the clip is played; `along_of` reads the answers."""
    speed = io.String.Input(
        "speed",
        default="0:1, 1:0.25 ease-in-out, 3:1",
        tooltip="time:speed, parted by commas: seconds of the output, and the speed there. 1 is as filmed, 0 a freeze, 2 "
        f"twice as fast, -1 backwards. After a speed stands the easing to the next: {EASINGS}.",
    )
    start = io.Float.Input(
        "start",
        default=-1.0,
        min=-1.0,
        max=100000.0,
        step=0.01,
        tooltip="The second of the clip where it begins. -1: at its first frame, or at its last where it begins backwards.",
    )
    position = io.String.Input(
        "position",
        default="0:0, 1:0.5 ease-in-out, 3:1",
        tooltip="time:position, parted by commas: seconds of the output, and the second of the clip that is shown there. After "
        f"a position stands the easing to the next: {EASINGS}.",
    )
    fastest = io.Float.Input(
        "fastest",
        default=2.0,
        min=0.01,
        max=1000.0,
        step=0.01,
        tooltip="The speed that the top of the curve stands for; the bottom is a freeze.",
    )
    speeds = io.Curve.Input(
        "speed_curve",
        display_name="speed curve",
        default=[(0.0, 0.5), (0.5, 0.1), (1.0, 0.5)],
        socketless=False,
        tooltip="The speed over the length of the output, from a freeze at the bottom to the fastest at the top.",
    )
    positions = io.Curve.Input(
        "position_curve",
        display_name="position curve",
        default=[(0.0, 0.0), (1.0, 1.0)],
        socketless=False,
        tooltip="What is shown over the length of the output, from the start of the clip at the bottom to its end at the top.",
    )
    return [
        io.DynamicCombo.Input(
            "curve",
            options=[
                io.DynamicCombo.Option("speed", [speed, start]),
                io.DynamicCombo.Option("position", [position]),
                io.DynamicCombo.Option("drawn speed", [speeds, fastest]),
                io.DynamicCombo.Option("drawn position", [positions]),
            ],
            tooltip="speed: how fast the clip runs, written as keyframes. position: what of it is shown. drawn: the same as a "
            "curve, drawn here or connected from a Curve Editor.",
        ),
        io.Float.Input(
            "duration",
            default=0.0,
            min=0.0,
            max=100000.0,
            step=0.01,
            optional=True,
            tooltip="Seconds of output. 0: a speed lasts until the clip is used up, a position until its last keyframe, and a "
            "drawn curve is as wide as the clip is long.",
        ),
        inputs.rate_input(
            "target_fps", 0.0, "Frames a second of the output. 0: as many as the clip has.", least=0.0, optional=True
        ),
    ]


def along_of(curve: dict, duration: float, target_fps: float, info: Info) -> Along:
    """What the answers to `curve_inputs` ask of a clip."""
    length = Fraction(str(duration)) if duration else None
    rate = exact_rate(target_fps) if target_fps else info.rate
    start = Fraction(str(curve["start"])) if curve.get("start", -1) >= 0 else None
    path = curve_of(curve, length or info.duration or Fraction(1), info.duration or Fraction(1))
    return along(path, rate, info.duration, info.frames, start=start, length=length)


def curve_of(curve: dict, width: Fraction, duration: Fraction) -> TimeCurve:
    """The curve that was written, or drawn ``width`` seconds wide for a clip of ``duration`` seconds."""
    kind = curve["curve"]
    if kind in ("speed", "position"):
        return parse(curve[kind], kind)
    kind = kind.removeprefix("drawn ")
    given = CurveInput.from_raw(curve[f"{kind}_curve"])
    height = Fraction(str(curve["fastest"])) if kind == "speed" else duration
    return drawn(given.points, kind, smooth=not isinstance(given, LinearCurve), width=width, height=height)


class RetimeFrames(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenRetime",
            display_name="Retime Frames",
            category=CATEGORY,
            description=DESCRIPTION,
            search_aliases=ALIASES,
            inputs=[
                *inputs.image_inputs(),
                *curve_inputs(),
                plan_input(),
            ],
            outputs=[
                *inputs.image_outputs("The frames along the curve."),
                inputs.times_output(),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Model,
        images: Tensor,
        source_fps: float,
        curve: dict,
        duration: float = 0.0,
        target_fps: float = 0.0,
        plan: Plan | None = None,
    ) -> io.NodeOutput:
        clip = bridge.clip_of(images, exact_rate(source_fps))
        if plan is not None:
            clip = plan.applied(clip)
        grid = along_of(curve, duration, target_fps, clip.info)
        count = len(grid.outputs)
        ready = model.ready(images.shape[1:3], bridge.unbound(images))
        made = remap(clip, ready, grid)
        out, originals = bridge.collected(bridge.watched(made, count), images, count)
        return io.NodeOutput(out, float(grid.rate), count, originals, inputs.listed_times(map(grid.place, grid.outputs)))


class RetimeVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenRetimeVideo",
            display_name="Retime Video",
            category=CATEGORY,
            description=f"{DESCRIPTION} From file to file: a long clip is never held in memory. Its sound follows and keeps "
            "its pitch.",
            search_aliases=[*ALIASES, "retime video", "time stretch"],
            inputs=[
                *inputs.video_inputs(),
                *curve_inputs(),
                io.Combo.Input(
                    "audio",
                    options=["auto", "copy", "drop"],
                    default="auto",
                    optional=True,
                    tooltip="auto: the sound is stretched along and keeps its pitch, backwards it is heard backwards, and in a "
                    "freeze there is silence. copy: it stays as it is. drop: there is none.",
                ),
                *inputs.codec_inputs(),
                plan_input(),
            ],
            outputs=[
                *inputs.video_outputs("The new video"),
                inputs.times_output(),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Model,
        video: Input.Video,
        curve: dict,
        duration: float = 0.0,
        target_fps: float = 0.0,
        audio: str = "auto",
        codec: str = "h264",
        crf: int = 18,
        plan: Plan | None = None,
    ) -> io.NodeOutput:
        clip = Clip.of(video)
        if plan is not None:
            clip = clip.planned(plan)
        grid = along_of(curve, duration, target_fps, clip.reader.info)
        result, count = make(model, clip, Timing(grid, grid.rate), Encoding(codec, crf), audio=audio)
        return io.NodeOutput(result, float(grid.rate), count, inputs.listed_times(map(grid.place, grid.outputs)))
