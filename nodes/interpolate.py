"""Nodes that make new frames, for IMAGE batches and for VIDEO, and two model options: test-time augmentation and consensus."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice

from comfy_api.v0_0_2 import Input, io
from torch import Tensor

from ..vfi.clips.clip import Encoding
from ..vfi.core import Doubts
from ..vfi.edit.plan import Plan
from ..vfi.model.pace import PaceMode
from ..vfi.model.wrappers import TTA_PASSES
from ..vfi.parse import exact
from ..vfi.render.run import batch_for, run
from ..vfi.timing.grids import Timing, exact_rate, resample, timing
from . import bridge, inputs
from .load import usual
from .model import Drawing, Model, ModelType, Several, over
from .node import Node
from .shots import plan_input, planned, timed
from .video import Clip, make_video

CATEGORY = "Inbetween/interpolate"


def mode_input() -> io.DynamicCombo.Input:
    """The number of frames to make; `timing_of` reads the answer."""
    rate = inputs.target_fps_input(f"{inputs.USUAL} It may be lower than the source's.")
    slower = io.Float.Input(
        "slower",
        default=2.0,
        min=0.1,
        max=256.0,
        step=0.1,
        tooltip="How many times slower the clip plays, at its own frame rate. 2 is half speed.",
    )
    options = {"times": inputs.times_input(), "frame rate": rate, "slow motion": slower}
    return io.DynamicCombo.Input(
        "mode",
        options=[io.DynamicCombo.Option(key, [widget]) for key, widget in options.items()],
        tooltip="times: multiplies the number of frames. frame rate: converts to another frame rate. Both keep the speed. "
        "slow motion: the clip plays slower and lasts longer.",
    )


def timing_of(mode: dict, source: Fraction | None) -> Timing:
    """The timing that an answer to `mode_input` gives a clip with ``source`` frames per second."""
    if mode["mode"] == "times":
        return timing(source, times=mode["times"])
    if mode["mode"] == "frame rate":
        return timing(source, fps=exact_rate(mode["target_fps"]))
    return timing(source, slow=exact(mode["slower"]).limit_denominator(1001))


class Interpolate(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenInterpolate",
            display_name="Interpolate Frames (In-between, Tween)",
            category=CATEGORY,
            description="Makes new frames between the frames of a batch. The source's own frames come out bit-exact.",
            search_aliases=[
                "frame interpolation",
                "rife",
                "rife vfi",
                "film",
                "film vfi",
                "vfi",
                "slow motion",
                "smooth",
                "fps",
                "in-between",
                "between",
                "tween",
                "morph",
            ],
            inputs=[
                *inputs.image_inputs(),
                mode_input(),
                io.Boolean.Input(
                    "hold_last",
                    display_name="hold last frame",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="On: the last frame is held for its own duration, so that sound fits: T frames become T x times. "
                    "Off: the clip ends on the last frame: (T - 1) x times + 1 frames.",
                ),
                inputs.drawing_input(),
                plan_input(),
                inputs.pace_input(),
            ],
            outputs=[
                *inputs.image_outputs("The source's frames and the new ones, in order."),
                io.Mask.Output(
                    "disagreement",
                    tooltip="How much the models of a Model Consensus disagree, per pixel of a new frame: black if they agree, "
                    "white if half see black and half see white. Black for a single model.",
                ),
                inputs.times_output(),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: Tensor,
        source_fps: float,
        mode: dict,
        hold_last: bool = False,
        drawing: str = "auto",
        plan: Plan | None = None,
        pace: PaceMode = "off",
        model: Model | Several | None = None,
    ) -> io.NodeOutput:
        source, tail = exact_rate(source_fps), "hold" if hold_last else "stop"
        clip = planned(bridge.clip_of(images, source), plan)
        asked = timed(timing_of(mode, source), plan)
        count = asked.expected(clip.info.frames, clip.info.duration, tail)
        doubtful = isinstance(model, Several)  # then the disagreement has numbers of its own
        bridge.room(count, (*images.shape[1:3], images.shape[3] + doubtful))
        drawing_model = Drawing(usual(model), drawing)
        ready = over(drawing_model.ready(images.shape[1:3], bridge.unbound(images), pace), (clip.info.frames - 1) / source)
        made = run(clip, ready, asked.grid, tail="hold", batch=batch_for(ready, images.shape[1:3]))
        made = islice(made, count)  # a plan may move the last frame
        disagreement = bridge.per_frame([False] * count, images)
        if isinstance(ready, Doubts):
            disagreement = disagreement.clone()
            made = bridge.noting_doubt(made, disagreement)
        out, originals = bridge.collected(bridge.watched(made, count), images, count)
        instants = bridge.heard(islice(resample(clip, asked.grid, tail="hold"), count))
        places = (instant.place if instant.t else instant.before.time for instant in instants)
        return io.NodeOutput(out, float(asked.rate), count, originals, disagreement, inputs.listed_times(places))


class InterpolateVideo(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenInterpolateVideo",
            display_name="Interpolate Video",
            category=CATEGORY,
            description="Makes new frames in a video. The file is read frame by frame, so a long clip is never held in memory. "
            "Sound is kept.",
            search_aliases=["video frame interpolation", "rife", "film", "vfi", "slow motion", "smooth video", "fps", "60 fps"],
            inputs=[
                *inputs.video_inputs(),
                mode_input(),
                *inputs.codec_inputs(),
                inputs.drawing_input(),
                plan_input(),
                inputs.pace_input(),
            ],
            outputs=inputs.video_outputs("The new video"),
        )

    @classmethod
    def execute(
        cls,
        video: Input.Video,
        mode: dict,
        codec: str = "h264",
        crf: int = 18,
        drawing: str = "auto",
        plan: Plan | None = None,
        pace: PaceMode = "off",
        model: Model | None = None,
    ) -> io.NodeOutput:
        given = Clip.of(video)
        asked = timed(timing_of(mode, given.reader.info.rate), plan)
        with given.planned(plan) as clip:
            result, count = make_video(Drawing(usual(model), drawing), clip, asked, Encoding(codec, crf), pace=pace)
        return io.NodeOutput(result, float(asked.rate or result.get_frame_rate()), count)


class Augment(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenTTA",
            display_name="Test-Time Augmentation",
            category="Inbetween/models",
            description="Runs a model several times per new frame, on mirrored, rotated or time-reversed input, and averages "
            "the results: better frames for more time.",
            search_aliases=["tta", "quality", "flip", "ensemble", "duo", "self-ensemble"],
            inputs=[
                inputs.model_input("The model to run several times."),
                io.Combo.Input(
                    "mode",
                    options=list(TTA_PASSES),
                    default="duo",
                    tooltip="Passes to average, and the gain measured with RIFE 4.25. duo: one more pass, rotated by 180 "
                    "degrees and reversed in time, +0.30 dB for 2x the time. flip: mirrored left-right, +0.22 dB, 2x. swap: "
                    "reversed in time, +0.23 dB, 2x. rot180: rotated by 180 degrees, 2x. flip4: all four flips, 4x. all: the "
                    "four flips in both time directions, +0.42 dB, 8x. none: a single pass.",
                ),
            ],
            outputs=[ModelType.Output("model", tooltip="The same model, run with these passes.")],
        )

    @classmethod
    def execute(cls, mode: str, model: Model | Several | None = None) -> io.NodeOutput:
        return io.NodeOutput(usual(model).augmented(mode))


class ModelConsensus(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        more = [
            ModelType.Input(f"model_{k}", display_name=f"model {k}", optional=k > 2, tooltip="Another model.")
            for k in range(2, 6)
        ]
        return io.Schema(
            node_id="InbetweenConsensus",
            display_name="Model Consensus",
            category="Inbetween/models",
            description="Runs several models per new frame and takes the median of every pixel, which is often better than "
            "the best single model. Interpolate Frames then also shows where they disagree.",
            search_aliases=["median", "ensemble", "combine models", "vote", "disagreement", "uncertainty", "quality"],
            inputs=[
                ModelType.Input(
                    "model_1",
                    display_name="model 1",
                    tooltip="The first model. Alpha follows the first model that estimates motion.",
                ),
                *more,
            ],
            outputs=[
                ModelType.Output(
                    "model",
                    tooltip="The models as one. RIFE 4.25, RIFE 4.0 and dis together measured +0.55 dB over RIFE 4.25 and "
                    "take the time of all three.",
                )
            ],
        )

    @classmethod
    def execute(cls, model_1: Model | Several, model_2: Model | Several, **others: Model | Several) -> io.NodeOutput:
        return io.NodeOutput(Several.of([model_1, model_2, *others.values()]))
