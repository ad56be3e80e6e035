"""Nodes that find and mend what generators, cutters and encoders broke: for IMAGE batches and for VIDEO."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import torch
from comfy_api.v0_0_2 import Input, io
from torch import Tensor

from ..vfi.clips.clip import Edited, Encoding, Reader
from ..vfi.edit.faults import AS_IT_IS, REPEATED, find_faults, left_alone, mean_light, notes_of, places, treated
from ..vfi.edit.heal.drifts import Anchor
from ..vfi.edit.heal.findings import KINDS, Finding
from ..vfi.edit.heal.measures import Measures
from ..vfi.edit.heal.mend import DURATIONS
from ..vfi.edit.heal.observed import Observed
from ..vfi.edit.heal.sheet import Names, page
from ..vfi.edit.plan import Plan
from ..vfi.pages.drawn import drawn
from ..vfi.pixels.uint8 import floats
from ..vfi.render.run import batch_for, run
from ..vfi.timing.grids import exact_rate
from . import bridge, inputs
from .audio import mended_audio
from .clip import listed
from .load import usual
from .model import Model, over
from .node import Node
from .shots import PlanType, clip_inputs, clip_of, planned, timed
from .video import Clip, make_video

CATEGORY = "Inbetween/heal"
BROKEN = "flashes, corrupt, missing and repeated frames, frozen ends, chunk borders, drift and more"
DESCRIPTION = (
    f"Finds and mends what generators, cutters and encoders broke in a clip: {BROKEN}. Frames are remade from those around "
    "them; frames without faults come out bit-exact."
)
ALIASES = [
    *("heal", "repair video", "fix video", "flash frame", "corrupt frame", "missing frame", "dropped frame", "frozen frame"),
    *("flicker", "glitch", "clip doctor"),
]
AUTO = "auto"
ANCHORS = ("first", "median")

TOLD: Mapping[str, str] = {
    "flash": "Up to a few frames that are far lighter than those around them.",
    "dark": "Up to a few frames that are black or far darker than those around them.",
    "corrupt": "Frames with blocks, grey areas or half of another picture.",
    "missing": "Places where motion jumps, because one or more frames are lost.",
    "repeat": "Frames that repeat the one before, while motion goes on around them.",
    "freeze": "A beginning or an end that stands still.",
    "junk": "Frames at the beginning or the end that do not belong to the clip.",
    "border": "Steps of colour or speed where a generator began its next chunk.",
    "drift": "Brightness or colour that drifts away in the course of the clip.",
    "pulse": "Brightness or colour that comes and goes at a regular pace.",
    "uneven": "Motion in uneven steps, as a change of frame rate leaves it; see even motion.",
}
"""What each kind of finding is."""


def treatment_inputs(follows: bool) -> list[io.Input]:
    """What is done about gaps, repeats and uneven motion; `treatment_of` reads the answers. ``follows``: a plan may have
    decided it."""
    auto = ["auto"] if follows else []
    told = "auto: as the plan says; without one, {}. " if follows else ""
    return [
        io.Combo.Input(
            "duration",
            options=[*auto, *DURATIONS],
            default=[*auto, *DURATIONS][0],
            tooltip=f"Missing frames. {told.format('keep')}keep: the motion of a gap is spread over the frames around it. "
            "grow: the lost frames are made, and the clip lasts longer.",
        ),
        io.Combo.Input(
            "repeats",
            options=[*auto, *REPEATED],
            default=[*auto, *REPEATED][0],
            tooltip=f"Repeated frames. {told.format('spread')}spread: motion goes on through them. drop: they are left out, "
            "and the clip lasts less.",
        ),
        io.Boolean.Input(
            "even",
            display_name="even motion",
            default=False,
            tooltip="On: frames that lie unevenly in time are shown at their true times, and the frames of the even times are "
            "made. Off: they are only reported, unless a plan says otherwise.",
        ),
    ]


def kinds_input() -> io.DynamicCombo.Input:
    """The kinds of findings that count; `treatment_of` reads the answer. It is the last widget, as optional ones are: there
    may be more kinds some day."""
    each = [io.Boolean.Input(kind, default=True, optional=True, tooltip=TOLD[kind]) for kind in KINDS]
    return io.DynamicCombo.Input(
        "kinds",
        options=[io.DynamicCombo.Option("all", []), io.DynamicCombo.Option("chosen", each)],
        optional=True,
        tooltip="The kinds of faults that count. all: every kind. chosen: a switch for each.",
    )


def treatment_of(duration: str, repeats: str, even: bool, kinds: dict | None) -> dict[str, Any]:
    """The options of `faults.treated` that the answers ask for."""
    only = None if kinds is None or kinds["kinds"] == "all" else [kind for kind in KINDS if kinds.get(kind, True)]
    asked = {"duration": duration, "repeats": repeats}
    return {"only": only, "even": even, **{name: None if answer == AUTO else answer for name, answer in asked.items()}}


def faults_plan_input() -> io.Input:
    """The optional plan of the nodes that mend."""
    return PlanType.Input(
        "plan",
        optional=True,
        tooltip="From Find Faults, for these same frames: what it found is mended. Without one, faults are found first.",
    )


def report_output() -> io.String.Output:
    """`report_of` writes it."""
    return io.String.Output("report", tooltip="One line per finding, then what is done.")


def report_of(found: Iterable[Finding], notes: Iterable[str]) -> str:
    """One line per finding, then notes."""
    return "\n".join([*(map(str, found) if found else ["nothing was found"]), *notes])


def found(clip: Reader, plan: Plan | None = None, anchor: Anchor = "first") -> Plan:
    """The plan of a clip with its faults; see `faults.find_faults`."""
    return find_faults(bridge.watched(clip, clip.info.frames or 0), clip.info.rate, plan=plan, anchor=anchor)


def observed(clip: Reader, plan: Plan | None) -> tuple[Plan, Observed]:
    """The ``plan`` of a clip, or that with its faults, and what a report shows of it."""
    seen, measures = Observed(clip.info), Measures()
    frames = bridge.watched(clip, clip.info.frames or 0)
    if plan is None:
        plan = find_faults(seen.first(frames), clip.info.rate, seen=measures)
        seen.measured(measures)
    else:
        seen.looked_through(frames)
    return plan, seen


def sheet_output() -> io.Image.Output:
    """`sheet_of` draws it."""
    return io.Image.Output(
        "sheet",
        tooltip="The report as a picture: findings along the clip, curves of brightness, colour and motion, and frames before "
        "and after.",
    )


def sheet_of(plan: Plan, seen: Observed) -> Tensor:
    """The report [1,H,W,3] on a clip that was mended."""
    return floats(torch.from_numpy(drawn(page(Names("clip", "mended clip"), plan, seen))))[None]


class FindFaults(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFindFaults",
            display_name="Find Faults",
            category=CATEGORY,
            description="Finds what generators, cutters and encoders broke in a clip, without making frames: "
            f"{BROKEN}. The nodes that heal mend what the plan says; those that interpolate do so while they make new frames.",
            search_aliases=[*ALIASES, "quality check", "detect"],
            inputs=[
                *clip_inputs(),
                *treatment_inputs(follows=False),
                io.Combo.Input(
                    "anchor",
                    options=list(ANCHORS),
                    default=ANCHORS[0],
                    tooltip="The light that drift is measured from, shot by shot. first: that of the first frame. median: the "
                    "median of all frames.",
                ),
                io.String.Input(
                    "leave",
                    display_name="leave alone",
                    default="",
                    optional=True,
                    tooltip="Frames whose findings are left as they are, because nothing is wrong with them: a list such as "
                    "24, 90-96.",
                ),
                kinds_input(),
                io.Image.Input(
                    "reference",
                    optional=True,
                    tooltip="A picture whose light drift is measured from instead of the anchor; the first, if there are more.",
                ),
                PlanType.Input("plan", optional=True, tooltip="A plan to add to: its cuts and repeats are kept."),
            ],
            outputs=[
                PlanType.Output("plan", tooltip="The faults, for the nodes that heal and those that make frames."),
                io.String.Output("report", tooltip="One line per finding: frames, time, kind, confidence and action."),
                io.String.Output(
                    "list", tooltip="The frames of the findings, such as 8-9, 24: a list that Select Frames accepts."
                ),
                io.Int.Output("count", tooltip="Number of findings."),
            ],
        )

    @classmethod
    def execute(
        cls,
        source_fps: float,
        duration: str,
        repeats: str,
        even: bool,
        anchor: str,
        images: Tensor | None = None,
        video: Input.Video | None = None,
        leave: str = "",
        kinds: dict | None = None,
        reference: Tensor | None = None,
        plan: Plan | None = None,
    ) -> io.NodeOutput:
        light = anchor if reference is None else mean_light(next(iter(bridge.clip_of(reference[:1], Fraction(1)))))
        plan = treated(found(clip_of(images, video, source_fps), plan, light), **treatment_of(duration, repeats, even, kinds))
        for part in filter(None, re.split(r"[\s,;]+", leave.strip())):
            plan = left_alone(plan, listed(part, plan.source.frames))
        frames = ", ".join(one.where for one in places(plan.findings))
        return io.NodeOutput(plan, report_of(plan.findings, plan.notes()), frames, len(plan.findings))


class HealClip(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenHealClip",
            display_name="Heal Clip",
            category=CATEGORY,
            description=DESCRIPTION,
            search_aliases=ALIASES,
            inputs=[
                *inputs.image_inputs("The model that remakes frames."),
                *treatment_inputs(follows=True),
                kinds_input(),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="The sound of the clip. It is cut where frames are left out, and stretched where time is put in.",
                ),
                faults_plan_input(),
            ],
            outputs=[
                *inputs.image_outputs("The mended clip."),
                io.Audio.Output("audio", tooltip="The sound that goes with it; unchanged if the duration is."),
                report_output(),
                sheet_output(),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: Tensor,
        source_fps: float,
        duration: str,
        repeats: str,
        even: bool,
        kinds: dict | None = None,
        audio: dict[str, Any] | None = None,
        plan: Plan | None = None,
        model: Model | None = None,
    ) -> io.NodeOutput:
        rate = exact_rate(source_fps)
        clip = bridge.clip_of(images, rate)
        given, seen = observed(clip, plan)
        asked_for = treated(given, **treatment_of(duration, repeats, even, kinds))
        seen.planned(asked_for, mends=True)
        watched = Edited(clip.info, clip.notes, lambda: seen.before(clip))
        mended, asked = planned(watched, asked_for), timed(AS_IT_IS.timing(rate), asked_for)
        count = asked.expected(mended.info.frames, mended.info.duration, "hold")
        bridge.room(count, images.shape[1:])
        ready = over(usual(model).ready(images.shape[1:3], bridge.unbound(images)), (mended.info.frames - 1) / rate)
        made = seen.after(run(mended, ready, asked.grid, tail="hold", batch=batch_for(ready, images.shape[1:3])))
        out, originals = bridge.collected(bridge.watched(made, count), images, count)
        heard = None if audio is None else mended_audio(audio, asked_for.mending)
        report = report_of(asked_for.findings, notes_of(asked_for, given, even))
        return io.NodeOutput(out, float(rate), count, originals, heard, report, sheet_of(asked_for, seen))


class HealVideo(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenHealVideo",
            display_name="Heal Video",
            category=CATEGORY,
            description=f"{DESCRIPTION} Works from file to file: a long clip is never held in memory. Sound goes with the "
            "frames.",
            search_aliases=[*ALIASES, "heal video"],
            inputs=[
                *inputs.video_inputs("The model that remakes frames."),
                *treatment_inputs(follows=True),
                *inputs.codec_inputs(),
                kinds_input(),
                faults_plan_input(),
            ],
            outputs=[*inputs.video_outputs("The mended video"), report_output(), sheet_output()],
        )

    @classmethod
    def execute(
        cls,
        video: Input.Video,
        duration: str,
        repeats: str,
        even: bool,
        codec: str = "h264",
        crf: int = 18,
        kinds: dict | None = None,
        plan: Plan | None = None,
        model: Model | None = None,
    ) -> io.NodeOutput:
        clip = Clip.of(video)
        reader = clip.reader
        given, seen = observed(reader, plan)
        asked_for = treated(given, **treatment_of(duration, repeats, even, kinds))
        seen.planned(asked_for, mends=True)
        watched = Clip(Edited(reader.info, reader.notes, lambda: seen.before(reader)), clip.sound, clip.extras)
        with watched.planned(asked_for) as mended:
            asked = timed(AS_IT_IS.timing(reader.info.rate), asked_for)
            result, count = make_video(usual(model), mended, asked, Encoding(codec, crf), seen=seen.after)
        report = report_of(asked_for.findings, notes_of(asked_for, given, even))
        sheet = sheet_of(asked_for, seen)
        return io.NodeOutput(result, float(reader.info.rate or result.get_frame_rate()), count, report, sheet)
