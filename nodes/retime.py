"""Nodes that vary the speed of a clip over time: for IMAGE batches and for VIDEO."""

from __future__ import annotations

from fractions import Fraction

from comfy_api.input import CurveInput, LinearCurve  # v0_0_2 of ComfyUI 0.25 has no curves
from comfy_api.v0_0_2 import Input, io
from torch import Tensor

from ..vfi.clips.clip import Encoding, Info
from ..vfi.core import InputError
from ..vfi.edit.plan import Plan
from ..vfi.model.pace import PaceMode
from ..vfi.parse import number, quoted
from ..vfi.render.remap import remap
from ..vfi.render.run import batch_for
from ..vfi.timing.curves import Along, TimeCurve, along, drawn, parse
from ..vfi.timing.grids import Timing, exact_rate
from . import bridge, inputs
from .load import usual
from .model import Model
from .node import Node
from .shots import plan_input, planned, timed
from .video import Clip, make_video

CATEGORY = "Inbetween/time"
DESCRIPTION = (
    "Plays a clip along a speed curve: ramps, freezes and reversed parts, with new frames wherever the speed needs them."
)
ALIASES = ["speed ramp", "time remap", "slow motion", "retime", "reverse", "freeze frame", "velocity", "timewarp"]
EASINGS = "linear, hold, ease, ease-in, ease-out, ease-in-out, and those with -quad, -cubic, -quart or -quint"


def curve_inputs() -> list[io.Input]:
    """The speed or position curve; `along_of` reads the answers."""
    speed = io.String.Input(
        "speed",
        default="0:1, 1:0.25 ease-in-out, 3:1",
        tooltip="Keyframes time:speed, separated by commas: the output time in seconds, and the speed there. 1 is normal, 0 a "
        f"freeze, 2 twice as fast, -1 backwards. A speed may be followed by the easing to the next one: {EASINGS}.",
    )
    start = io.Float.Input(
        "start",
        default=-1.0,
        min=-1.0,
        max=100000.0,
        step=0.01,
        tooltip="Where in the clip playback begins, in seconds. -1: at its first frame, or at its last if it begins backwards.",
    )
    position = io.String.Input(
        "position",
        default="0:0, 1:0.5 ease-in-out, 3:1",
        tooltip="Keyframes time:position, separated by commas: the output time and the clip time shown there, in seconds. A "
        f"position may be followed by the easing to the next one: {EASINGS}.",
    )
    fastest = io.Float.Input(
        "fastest",
        default=2.0,
        min=0.01,
        max=1000.0,
        step=0.01,
        tooltip="The speed at the top of the curve; the bottom is a freeze.",
    )
    speeds = io.Curve.Input(
        "speed_curve",
        display_name="speed curve",
        default=[(0.0, 0.5), (0.5, 0.1), (1.0, 0.5)],
        socketless=False,
        tooltip="The speed over the length of the output: the bottom is a freeze, the top is the value of fastest.",
    )
    positions = io.Curve.Input(
        "position_curve",
        display_name="position curve",
        default=[(0.0, 0.0), (1.0, 1.0)],
        socketless=False,
        tooltip="The clip time over the length of the output: the bottom is the start of the clip, the top is its end.",
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
            tooltip="speed: keyframes of the speed, as text. position: keyframes of the clip time shown, as text. drawn speed "
            "and drawn position: the same as a curve, drawn here or connected from a Curve Editor.",
        ),
        io.Float.Input(
            "duration",
            default=0.0,
            min=0.0,
            max=100000.0,
            step=0.01,
            optional=True,
            tooltip="Length of the output in seconds. 0: speed keyframes run until the clip is used up, position keyframes end "
            "at the last one, and a drawn curve is as wide as the clip is long.",
        ),
        inputs.rate_input("target_fps", 0.0, "Output frames per second. 0: the clip's own rate.", least=0.0, optional=True),
    ]


def along_of(curve: dict, duration: float, target_fps: float, info: Info) -> Along:
    """The grid of output frames that the answers to `curve_inputs` ask for."""
    length = _exact(duration) if duration else None
    rate = exact_rate(target_fps) if target_fps else info.rate
    start = _exact(curve["start"]) if curve.get("start", -1) >= 0 else None
    path = curve_of(curve, length or info.duration or Fraction(1), info.duration or Fraction(1))
    return along(path, rate, info.duration, info.frames, start=start, length=length)


def curve_of(curve: dict, width: Fraction, duration: Fraction) -> TimeCurve:
    """The written curve, or the drawn one, ``width`` seconds wide, for a clip of ``duration`` seconds."""
    kind = curve["curve"]
    if kind in ("speed", "position"):
        return parse(curve[kind], kind)
    kind = kind.removeprefix("drawn ")
    raw = curve[f"{kind}_curve"]
    try:
        given = CurveInput.from_raw(raw)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the {kind} curve is {quoted(raw)}: points with an x and a y each are needed") from error
    height = _exact(curve["fastest"]) if kind == "speed" else duration
    return drawn(given.points, kind, smooth=not isinstance(given, LinearCurve), width=width, height=height)


def _exact(value: float) -> Fraction:
    """The decimal number that a widget shows. Raises `InputError`."""
    try:
        return number(str(value))
    except ValueError as error:
        raise InputError(f"{quoted(value)} was given: {error}") from error


class RetimeFrames(Node):
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
                inputs.pace_input(),
            ],
            outputs=[
                *inputs.image_outputs("The retimed frames."),
                inputs.times_output(),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: Tensor,
        source_fps: float,
        curve: dict,
        duration: float = 0.0,
        target_fps: float = 0.0,
        plan: Plan | None = None,
        pace: PaceMode = "off",
        model: Model | None = None,
    ) -> io.NodeOutput:
        clip = planned(bridge.clip_of(images, exact_rate(source_fps)), plan)
        grid = along_of(curve, duration, target_fps, clip.info)
        timed(Timing(grid, grid.rate), plan)  # raises where motion is to be spread along a curve
        count = len(grid.outputs)
        bridge.room(count, images.shape[1:])
        ready = usual(model).ready(images.shape[1:3], bridge.unbound(images), pace)
        made = remap(clip, ready, grid, batch=batch_for(ready, images.shape[1:3]))
        out, originals = bridge.collected(bridge.watched(made, count), images, count)
        times = inputs.listed_times(map(grid.place, bridge.heard(grid.outputs)))
        return io.NodeOutput(out, float(grid.rate), count, originals, times)


class RetimeVideo(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenRetimeVideo",
            display_name="Retime Video",
            category=CATEGORY,
            description=f"{DESCRIPTION} Works from file to file: a long clip is never held in memory. Sound is time-stretched "
            "and keeps its pitch.",
            search_aliases=[*ALIASES, "retime video", "time stretch"],
            inputs=[
                *inputs.video_inputs(),
                *curve_inputs(),
                io.Combo.Input(
                    "audio",
                    options=["auto", "copy", "drop"],
                    default="auto",
                    optional=True,
                    tooltip="auto: sound is time-stretched and keeps its pitch; it is reversed in reversed parts and silent in "
                    "a freeze. copy: sound stays unchanged. drop: no sound.",
                ),
                *inputs.codec_inputs(),
                plan_input(),
                inputs.pace_input(),
            ],
            outputs=[
                *inputs.video_outputs("The new video"),
                inputs.times_output(),
            ],
        )

    @classmethod
    def execute(
        cls,
        video: Input.Video,
        curve: dict,
        duration: float = 0.0,
        target_fps: float = 0.0,
        audio: str = "auto",
        codec: str = "h264",
        crf: int = 18,
        plan: Plan | None = None,
        pace: PaceMode = "off",
        model: Model | None = None,
    ) -> io.NodeOutput:
        with Clip.of(video).planned(plan, audio) as clip:
            grid = along_of(curve, duration, target_fps, clip.reader.info)
            asked = timed(Timing(grid, grid.rate), plan)
            result, count = make_video(usual(model), clip, asked, Encoding(codec, crf), audio=audio, pace=pace)
        times = inputs.listed_times(map(grid.place, bridge.heard(grid.outputs)))
        return io.NodeOutput(result, float(grid.rate), count, times)
