"""Nodes that join clips seamlessly: for IMAGE batches and for VIDEO."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TypeVar

from comfy_api.v0_0_2 import Input, io
from torch import Tensor

from ..vfi.clips.clip import Edited, Encoding
from ..vfi.core import Frame, InputError
from ..vfi.edit.join import Seam, described, joined, seam, seam_in_words
from ..vfi.render.run import batch_for, run
from ..vfi.render.splice import joined_sound
from ..vfi.timing.grids import Subdivide, exact_rate, timing
from . import bridge, inputs
from .load import usual
from .model import Model
from .node import Node
from .video import Clip, make_video

T = TypeVar("T")

CATEGORY = "Inbetween/time"
DESCRIPTION = (
    "Joins clips end to end. Frames that a clip repeats from the previous one are dropped, its colours are matched to the "
    "previous one, and frames around the seam are re-interpolated if the motion jumps."
)
ALIASES = ["concatenate clips", "extend video", "continue video", "stitch", "seam", "crossfade", "colour match", "overlap"]


def growing(one: io.Input) -> io.Autogrow.TemplateNames:
    """Sockets for up to 16 clips like ``one``. ComfyUI shows the names as they are, so they are words that count from 1."""
    return io.Autogrow.TemplateNames(one, names=[f"{one.id} {k}" for k in range(1, 17)], min=1)


def seam_inputs() -> list[io.Input]:
    """The treatment of the seams; `seams_of` reads the answers."""
    return [
        io.Int.Input(
            "overlap",
            default=-1,
            min=-1,
            max=24,
            tooltip="Frames that a clip repeats from the end of the previous one; they are dropped. -1 detects them.",
        ),
        io.Boolean.Input(
            "match_colours",
            display_name="match colours",
            default=True,
            tooltip="On: match the colours of each clip to the previous one, measured where the two meet.",
        ),
        io.Int.Input(
            "bridge_frames",
            display_name="bridge",
            default=-1,
            min=-1,
            max=24,
            tooltip="Frames to re-interpolate on each side of a seam, for continuous motion. -1: only if the motion jumps, as "
            "many as the jump needs, at most 4. 0: none.",
        ),
    ]


def seams_of(clips: list[Iterable[Frame]], overlap: int, match_colours: bool, bridge_frames: int) -> list[Seam]:
    """The seam between each clip and the next, as the answers to `seam_inputs` ask."""
    asked = {
        "overlap": None if overlap < 0 else overlap,
        "match": match_colours,
        "bridge": None if bridge_frames < 0 else bridge_frames,
    }
    return [seam(bridge.heard(before), bridge.heard(after), **asked) for before, after in pairwise(clips)]


def several(clips: list[T], what: str) -> list[T]:
    """Return ``clips``, from sockets and lists. Raises `InputError` unless there are two or more."""
    if len(clips) < 2:
        raise InputError(f"one {what} was given: two or more are needed, in sockets of their own or as a list in one")
    return clips


def report_of(seams: list[Seam]) -> str:
    return "\n".join(seam_in_words(number, found) for number, found in enumerate(seams, start=1))


class JoinClips(Node):
    LISTS = ("clips",)

    @classmethod
    def define_schema(cls) -> io.Schema:
        clip = io.Image.Input("clip", tooltip="A clip.")
        return io.Schema(
            node_id="InbetweenJoinClips",
            display_name="Join Clips",
            category=CATEGORY,
            description=DESCRIPTION,
            search_aliases=ALIASES,
            is_input_list=True,
            inputs=[
                inputs.model_input("The model that re-interpolates frames at a seam."),
                io.Autogrow.Input(
                    "clips",
                    template=growing(clip),
                    tooltip="The clips, in order, all of the same size. More inputs appear as they are used; each also takes a "
                    "list of clips.",
                ),
                inputs.source_fps_input(),
                *seam_inputs(),
            ],
            outputs=[
                io.Image.Output("images", tooltip="The joined clip."),
                io.Int.Output("count", tooltip="Number of frames."),
                io.Mask.Output("originals", tooltip="White for a frame of the clips, black for a re-interpolated one."),
                io.String.Output("report", tooltip="What was found and done at each seam, one line per seam."),
            ],
        )

    @classmethod
    def execute(
        cls,
        clips: list[Tensor],
        source_fps: float,
        overlap: int = -1,
        match_colours: bool = True,
        bridge_frames: int = -1,
        model: Model | None = None,
    ) -> io.NodeOutput:
        images = several(clips, "clip")
        read = [bridge.clip_of(clip, exact_rate(source_fps)) for clip in images]
        seams = seams_of(read, overlap, match_colours, bridge_frames)
        count = sum(map(len, images)) - sum(found.overlap for found in seams)
        bridge.room(count, images[0].shape[1:])
        ready = usual(model).ready(images[0].shape[1:3], bridge.unbound(*images))
        made = run(joined(read, seams), ready, Subdivide(1), tail="hold", batch=batch_for(ready, images[0].shape[1:3]))
        out, originals = bridge.collected(bridge.watched(made, count), images[0], count)
        return io.NodeOutput(out, count, originals, report_of(seams))


class JoinVideos(Node):
    LISTS = ("videos",)

    @classmethod
    def define_schema(cls) -> io.Schema:
        video = io.Video.Input("video", tooltip="A video.")
        return io.Schema(
            node_id="InbetweenJoinVideos",
            display_name="Join Videos",
            category=CATEGORY,
            description=f"{DESCRIPTION} Works from file to file: a long clip is never held in memory. Sound is cut with the "
            "picture, and crossfaded at each seam.",
            search_aliases=[*ALIASES, "concatenate videos"],
            is_input_list=True,
            inputs=[
                inputs.model_input("The model that re-interpolates frames at a seam."),
                io.Autogrow.Input(
                    "videos",
                    template=growing(video),
                    tooltip="The videos, in order, all of the same size. More inputs appear as they are used; each also takes "
                    "a list of videos.",
                ),
                *seam_inputs(),
                *inputs.codec_inputs(),
            ],
            outputs=[
                io.Video.Output("video", tooltip="The joined video, in a temporary file. Save Video copies it as is."),
                io.Int.Output("count", tooltip="Number of frames."),
                io.String.Output(
                    "report", tooltip="What was done at each seam, one line per seam; then where sound is missing."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        videos: list[Input.Video],
        overlap: int = -1,
        match_colours: bool = True,
        bridge_frames: int = -1,
        codec: str = "h264",
        crf: int = 18,
        model: Model | None = None,
    ) -> io.NodeOutput:
        given = [Clip.of(video) for video in several(videos, "video")]
        clips = [clip.reader for clip in given]
        seams = seams_of(clips, overlap, match_colours, bridge_frames)
        info = described([clip.info for clip in clips], seams)
        notes: list[str] = []
        with joined_sound([clip.sound for clip in given], clips, seams, ".mp4", notes) as sound:
            together = Clip(Edited(info, notes, lambda: joined(clips, seams)), sound)
            result, count = make_video(usual(model), together, timing(info.rate, times=1), Encoding(codec, crf), audio="copy")
        return io.NodeOutput(result, count, "\n".join([report_of(seams), *notes]))
