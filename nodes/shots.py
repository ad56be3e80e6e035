"""Nodes that find cuts and duplicates. What they find is a plan, which the nodes that make frames follow."""

from __future__ import annotations

from itertools import accumulate

from comfy_api.latest import Input, io
from torch import Tensor

from ..vfi.clips.clip import Reader
from ..vfi.core import InputError
from ..vfi.edit.duplicates import LONGEST
from ..vfi.edit.find import Edit, Finder, find_plan, with_repeats
from ..vfi.edit.plan import CUTS, DUPLICATES, Plan
from ..vfi.timing.grids import exact_rate
from . import bridge, inputs
from .video import Clip

CATEGORY = "Inbetween/shots"

PlanType = io.Custom("INBETWEEN_PLAN")


def plan_input() -> io.Input:
    """A plan to follow, for the nodes that make frames."""
    return PlanType.Input(
        "plan",
        optional=True,
        tooltip="From Find Shots or Find Duplicates, of these very frames: nothing is mixed across its cuts, and motion is "
        "spread over its repeats.",
    )


def clip_inputs() -> list[io.Input]:
    """The clip to look at; `clip_of` reads the answer."""
    return [
        io.Image.Input("images", optional=True, tooltip="The frames to look at. Connect these or a video."),
        io.Video.Input("video", optional=True, tooltip="The video to look at, frame by frame from its file."),
        inputs.source_fps_input(),
    ]


def clip_of(images: Tensor | None, video: Input.Video | None, source_fps: float) -> Reader:
    """The clip that is connected. Raises `InputError` unless it is one."""
    if (images is None) == (video is None):
        raise InputError(f"{'no clip' if images is None else 'both images and a video'} was connected: connect one of the two")
    return Clip.of(video).reader if images is None else bridge.clip_of(images, exact_rate(source_fps))


class FindShots(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFindShots",
            display_name="Find Shots",
            category=CATEGORY,
            description="Finds where one shot is cut to the next, so that no frame is made of two shots. Fades and flashes are "
            "told apart and are no cuts.",
            search_aliases=["scene detection", "cut detection", "scene change", "shot boundary", "pyscenedetect", "morph"],
            inputs=[
                *clip_inputs(),
                io.Combo.Input(
                    "cuts",
                    options=list(CUTS),
                    default="hold",
                    tooltip="What is shown from one shot to the next. hold: the last frame of the shot, until the next begins. "
                    "blend: a crossfade. interpolate: motion, as if there were no cut.",
                ),
                io.String.Input(
                    "edit",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="Corrects the cuts that are found. +24 adds one before frame 24, -50 takes away that before frame "
                    "50. A list without signs, such as 24, 50, is all cuts there are. 1.5s is a time in place of a frame.",
                ),
            ],
            outputs=[
                PlanType.Output("plan", tooltip="The shots, for the nodes that make frames, and for Find Duplicates."),
                io.String.Output("report", tooltip="Shots, fades and flashes, a line each."),
                io.String.Output("list", tooltip="The frames before which there are cuts, such as 24, 50: what edit takes."),
                io.Int.Output("count", tooltip="How many shots there are."),
            ],
        )

    @classmethod
    def execute(
        cls,
        source_fps: float,
        cuts: str,
        images: Tensor | None = None,
        video: Input.Video | None = None,
        edit: str = "",
    ) -> io.NodeOutput:
        clip = clip_of(images, video, source_fps)
        frames = bridge.watched(clip, clip.info.frames or 0)
        plan = find_plan(frames, clip.info.rate, Finder(cuts, edit=Edit.parse(edit)))
        listed = ", ".join(map(str, firsts(plan)[1:]))
        return io.NodeOutput(plan, report(plan), listed, len(plan.shots))


class FindDuplicates(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFindDuplicates",
            display_name="Find Duplicates",
            category=CATEGORY,
            description="Finds frames that repeat the one before, as in animation on twos and in clips padded to a higher "
            "frame rate, so that motion can be spread over their time instead of stuttering.",
            search_aliases=["duplicate frames", "cadence", "on twos", "dedup", "stutter", "judder", "mpdecimate"],
            inputs=[
                *clip_inputs(),
                io.Combo.Input(
                    "motion",
                    options=list(reversed(DUPLICATES)),
                    default="spread",
                    tooltip="spread: motion goes on through the repeats, and no frame stands still. keep: they stay as they "
                    "are, and are only listed.",
                ),
                io.Int.Input(
                    "longest_hold",
                    display_name="longest hold",
                    default=LONGEST,
                    min=1,
                    max=120,
                    optional=True,
                    advanced=True,
                    tooltip="A picture that is shown for more frames than this stands still on purpose, and is left.",
                ),
                PlanType.Input("plan", optional=True, tooltip="A plan to add to: its cuts are kept."),
            ],
            outputs=[
                PlanType.Output(
                    "plan", tooltip="The repeats, and the cuts of the plan that came in, for the nodes that make frames."
                ),
                io.String.Output("report", tooltip="Where pictures are held, shot by shot."),
                io.Int.Output("count", tooltip="How many frames repeat the one before."),
            ],
        )

    @classmethod
    def execute(
        cls,
        source_fps: float,
        motion: str,
        images: Tensor | None = None,
        video: Input.Video | None = None,
        longest_hold: int = LONGEST,
        plan: Plan | None = None,
    ) -> io.NodeOutput:
        clip = clip_of(images, video, source_fps)
        frames = bridge.watched(clip, clip.info.frames or 0)
        if plan is None:
            plan = find_plan(frames, clip.info.rate, Finder("interpolate", motion, thorough=True, longest=longest_hold))
        else:
            plan = with_repeats(plan, frames, motion, longest_hold)
        return io.NodeOutput(plan, report(plan), sum(run.frames for run in plan.repeats))


def firsts(plan: Plan) -> list[int]:
    """The number of each shot's first frame."""
    return list(accumulate((shot.frames for shot in plan.shots[:-1]), initial=0))


def report(plan: Plan) -> str:
    """What a plan holds, in a line for each shot, and one for all there is to say of it."""
    lines = []
    for number, (first, shot) in enumerate(zip(firsts(plan), plan.shots, strict=True)):
        begins = "" if number == 0 else f", cut ({shot.across})"
        score = "" if shot.score is None else f", score {shot.score:.2f}"
        cadence = plan.cadence(number)
        frames = f"frames {first} to {first + shot.frames - 1}, from {float(shot.start):.3f} s"
        lines.append(f"shot {number + 1}: {frames}{begins}{score}{cadence and f', {cadence}'}")
    return "\n".join([*lines, *plan.notes(), *plan.event_notes()])
