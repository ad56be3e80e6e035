"""Nodes that find cuts and duplicates. Their result is a plan; owns also how the nodes that make frames follow one."""

from __future__ import annotations

from itertools import accumulate

from comfy_api.v0_0_2 import Input, io
from torch import Tensor

from ..vfi.clips.clip import Edited, Reader
from ..vfi.core import InputError
from ..vfi.edit.duplicates import LONGEST
from ..vfi.edit.find import Edit, Finder, find_plan, with_repeats
from ..vfi.edit.plan import CUTS, DUPLICATES, FLASHES, Plan
from ..vfi.timing.grids import Timing, exact_rate
from . import bridge, inputs
from .node import Node
from .video import Clip

CATEGORY = "Inbetween/shots"

PlanType = io.Custom("INBETWEEN_PLAN")


def plan_input() -> io.Input:
    """The optional plan of the nodes that make frames."""
    return PlanType.Input(
        "plan",
        optional=True,
        tooltip="From Find Shots, Find Duplicates or Find Faults, for these same frames: motion does not cross its cuts, is "
        "spread over repeated frames, and faults are mended in the same pass.",
    )


def planned(clip: Edited, plan: Plan | None) -> Edited:
    """The clip of an IMAGE, marked and mended by ``plan``. Raises `InputError` if its findings are of another number of
    frames."""
    if plan is None:
        return clip
    if plan.findings and plan.source.frames != clip.info.frames:
        raise InputError(
            f"the plan has faults of a clip of {plan.source.frames} frames: it was given with {clip.info.frames} frames, so it "
            "belongs to another clip"
        )
    return plan.applied(clip)


def timed(asked: Timing, plan: Plan | None) -> Timing:
    """The timing that is asked for, as the findings of ``plan`` change it."""
    return asked if plan is None else plan.mending.timing(asked)


def clip_inputs() -> list[io.Input]:
    """The clip to analyse; `clip_of` reads the answer."""
    return [
        io.Image.Input("images", optional=True, tooltip="The frames to analyse. Connect either these or a video."),
        io.Video.Input("video", optional=True, tooltip="The video to analyse, read frame by frame from its file."),
        inputs.source_fps_input(),
    ]


def clip_of(images: Tensor | None, video: Input.Video | None, source_fps: float) -> Reader:
    """The connected clip. Raises `InputError` unless exactly one is connected."""
    if (images is None) == (video is None):
        raise InputError(f"{'no clip' if images is None else 'both images and a video'} connected: connect one of the two")
    return Clip.of(video).reader if images is None else bridge.clip_of(images, exact_rate(source_fps))


class FindShots(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFindShots",
            display_name="Find Shots",
            category=CATEGORY,
            description="Finds the cuts between shots, so that no new frame mixes two shots. Fades and flashes are recognised "
            "and do not count as cuts.",
            search_aliases=["scene detection", "cut detection", "scene change", "shot boundary", "pyscenedetect"],
            inputs=[
                *clip_inputs(),
                io.Combo.Input(
                    "cuts",
                    options=list(CUTS),
                    default="hold",
                    tooltip="The transition at a cut. hold: the last frame of the shot stays until the next shot begins. "
                    "blend: a crossfade. interpolate: motion, as if there were no cut.",
                ),
                io.String.Input(
                    "edit",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="Corrects the detected cuts. +24 adds a cut before frame 24, -50 removes the cut before frame 50. "
                    "A list without signs, such as 24, 50, replaces all of them. A time such as 1.5s can stand for a frame.",
                ),
                io.Combo.Input(
                    "flashes",
                    options=list(FLASHES),
                    default="keep",
                    optional=True,
                    tooltip="Up to 4 frames that are lighter or darker than those around them, as generators make. keep: they "
                    "stay. remake: they are made anew from the frames around them.",
                ),
            ],
            outputs=[
                PlanType.Output("plan", tooltip="The shots, for Find Duplicates and the nodes that make frames."),
                io.String.Output("report", tooltip="One line per shot, then all cuts, fades and flashes."),
                io.String.Output("list", tooltip="The first frame after each cut, such as 24, 50: a list that edit accepts."),
                io.Int.Output("count", tooltip="Number of shots."),
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
        flashes: str = "keep",
    ) -> io.NodeOutput:
        clip = clip_of(images, video, source_fps)
        frames = bridge.watched(clip, clip.info.frames or 0)
        plan = find_plan(frames, clip.info.rate, Finder(cuts, edit=Edit.parse(edit), flashes=flashes))
        listed = ", ".join(map(str, firsts(plan)[1:]))
        return io.NodeOutput(plan, report(plan), listed, len(plan.shots))


class FindDuplicates(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFindDuplicates",
            display_name="Find Duplicates",
            category=CATEGORY,
            description="Finds frames that repeat the previous one, as in animation on twos and in clips padded to a higher "
            "frame rate. Motion can then be spread over their time instead of stuttering.",
            search_aliases=["duplicate frames", "cadence", "on twos", "dedup", "stutter", "judder", "mpdecimate"],
            inputs=[
                *clip_inputs(),
                io.Combo.Input(
                    "motion",
                    options=list(reversed(DUPLICATES)),
                    default="spread",
                    tooltip="spread: motion continues through the repeats, so no frame stands still. keep: repeats are listed "
                    "but stay as they are.",
                ),
                io.Int.Input(
                    "longest_hold",
                    display_name="longest hold",
                    default=LONGEST,
                    min=1,
                    max=120,
                    optional=True,
                    advanced=True,
                    tooltip="A hold longer than this many frames counts as intentional and is kept.",
                ),
                PlanType.Input("plan", optional=True, tooltip="A plan to add to: its cuts are kept."),
            ],
            outputs=[
                PlanType.Output(
                    "plan", tooltip="The repeats, and the cuts of the incoming plan, for the nodes that make frames."
                ),
                io.String.Output("report", tooltip="How long pictures are held, shot by shot."),
                io.Int.Output("count", tooltip="Number of frames that repeat the previous one."),
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
    """The index of each shot's first frame."""
    return list(accumulate((shot.frames for shot in plan.shots[:-1]), initial=0))


def report(plan: Plan) -> str:
    """A plan as text: one line per shot, then all cuts, repeats, fades and flashes."""
    lines = []
    for number, (first, shot) in enumerate(zip(firsts(plan), plan.shots, strict=True)):
        begins = "" if number == 0 else f", cut ({shot.across})"
        score = "" if shot.score is None else f", score {shot.score:.2f}"
        cadence = plan.cadence(number)
        frames = f"frames {first} to {first + shot.frames - 1}, from {float(shot.start):.3f} s"
        lines.append(f"shot {number + 1}: {frames}{begins}{score}{cadence and f', {cadence}'}")
    return "\n".join([*lines, *plan.notes(), *plan.event_notes()])
