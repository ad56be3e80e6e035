"""Nodes of drawn motion. What the Track Editor shows in the browser is in `js/trajectory.js`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

import torch
from comfy_api.latest import UI, io
from torch import Tensor
from torch.nn.functional import interpolate

from ..vfi.core import InputError
from ..vfi.tracks import Document, Tracks, instants
from ..vfi.tracks.arrays import core_dict, of_core
from ..vfi.tracks.formats import document_of, dumps, loads
from ..vfi.tracks.sketch import influence, sketch
from . import bridge

CATEGORY = "Inbetween/tracks"

Drawing = io.Custom("INBETWEEN_DRAWN_TRACKS")
"""The widget: a document of tracks as text."""

GROUND = 0.2
"""The grey that tracks are drawn on where there is no picture."""

MOST_MATCHES = 400
"""How many matched points are sent to the browser: more hide the picture."""


class TrackEditor(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenTrackEditor",
            display_name="Track Editor",
            category=CATEGORY,
            description="Draws how points move from the first frame to the last: drag from where a thing is in one to where "
            "it is in the other. For models that follow tracks.",
            search_aliases=["trajectory", "spline editor", "motion path", "drag", "point tracks", "keyframes", "motion brush"],
            is_output_node=True,
            inputs=[
                io.Image.Input(
                    "first", optional=True, tooltip="The first frame, or a clip of which the first is taken. Shown to draw on."
                ),
                io.Image.Input(
                    "last", optional=True, tooltip="The last frame, or a clip of which the last is taken. Shown over the first."
                ),
                io.Tracks.Input(
                    "matches",
                    optional=True,
                    tooltip="Points that were matched in the two frames: ends of tracks snap to them, after a run.",
                ),
                io.Int.Input(
                    "frames", default=25, min=2, max=4096, tooltip="How many frames there will be, the first and last included."
                ),
                io.Int.Input(
                    "width", default=832, min=16, max=16384, tooltip="Width of the picture, where neither frame is connected."
                ),
                io.Int.Input(
                    "height", default=480, min=16, max=16384, tooltip="Height of the picture, where neither frame is connected."
                ),
                io.Float.Input(
                    "radius",
                    default=48.0,
                    min=1.0,
                    max=4096.0,
                    step=1.0,
                    tooltip="How many pixels round a point its influence reaches, in the mask.",
                ),
                Drawing.Input("drawing", tooltip="The tracks. Every button says what it does; the help page says the rest."),
            ],
            outputs=[
                io.Tracks.Output("tracks", tooltip="Where each track is at each frame, for nodes that take TRACKS."),
                io.String.Output(
                    "coordinates",
                    tooltip="The same as text, for nodes of Wan (ATI, Wan-Move), LTX-Video and others that take KJNodes' form.",
                ),
                io.Image.Output("preview", tooltip="The tracks over the two frames, from the first faded to the last."),
                io.Mask.Output("influence", tooltip="A mask a frame: white at the points, black from the radius on."),
            ],
        )

    @classmethod
    def execute(
        cls,
        frames: int,
        width: int,
        height: int,
        radius: float,
        drawing: str,
        first: Tensor | None = None,
        last: Tensor | None = None,
        matches: Mapping[str, Any] | None = None,
    ) -> io.NodeOutput:
        ends = [None if first is None else shown(first, 0), None if last is None else shown(last, -1)]
        size = next(((end.shape[2], end.shape[1]) for end in ends if end is not None), (width, height))
        document = document_of(loads(drawing, size)) if drawing.strip() else Document(size)
        tracks = document.sampled(frames)
        colours = [track.colour for track in document.tracks if track.on] or ["#ffffff"]
        preview = torch.empty(frames, size[1], size[0], 3)
        for index, ground in enumerate(bridge.watched(grounds_of(ends, size, frames), frames)):
            preview[index] = sketch(ground, tracks, index, colours).movedim(0, -1)
        told = {
            "frames": [frames],
            "size": list(size),
            "matches": [] if matches is None else pairs(of_core(matches, size)),
            "first": preview_of(ends[0]),
            "last": preview_of(ends[1]),
        }
        return io.NodeOutput(core_dict(tracks), dumps(tracks, "samples"), preview, influence(tracks, radius), ui=told)


def shown(images: Tensor, index: int) -> Tensor:
    """A picture of an IMAGE in colour, [3,H,W]. Raises `InputError` where there is none."""
    if images.ndim != 4 or 0 in images.shape:
        raise InputError(f"images of shape {list(images.shape)} were given: at least one frame is needed")
    return images[index, ..., :3].movedim(-1, 0).expand(3, -1, -1).float().cpu()


def grounds_of(ends: list[Tensor | None], size: tuple[int, int], frames: int) -> Iterator[Tensor]:
    """What tracks are drawn on at each frame, [3,H,W]: the first picture, faded to the last, at the ``size`` of the first."""
    width, height = size
    there = [interpolate(end[None], (height, width), mode="bilinear", antialias=True)[0] for end in ends if end is not None]
    for t in instants(frames).tolist():
        yield torch.lerp(there[0], there[-1], t) if there else torch.full((3, height, width), GROUND)


def pairs(matches: Tracks) -> list[list[float]]:
    """The points that are seen in the first and in the last frame: x, y in the one and x, y in the other. Of many, some."""
    both = torch.cat((matches.path[0], matches.path[-1]), dim=1)[matches.visible[0] & matches.visible[-1]]
    return both[:: max(1, ceil(len(both) / MOST_MATCHES))].tolist()


def preview_of(picture: Tensor | None) -> list[Any]:
    """What the browser can fetch a picture [3,H,W] by."""
    return [] if picture is None else UI.PreviewImage(picture.movedim(0, -1)[None]).as_dict()["images"]
