"""The Track Editor node, and the parts that all track nodes share. Its editor in the browser is `js/trajectory.js`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

import torch
from comfy_api.v0_0_2 import UI, io
from torch import Tensor
from torch.nn.functional import interpolate

from ..vfi.core import InputError
from ..vfi.tracks import Document, Tracks, instants
from ..vfi.tracks.arrays import core_dict, of_core
from ..vfi.tracks.formats import document_of, dumps, loads
from ..vfi.tracks.sketch import influence, sketch
from . import bridge
from .node import Node

CATEGORY = "Inbetween/tracks"

Drawing = io.Custom("INBETWEEN_DRAWN_TRACKS")
"""The widget: a track document as text."""

GROUND = 0.2
"""Grey background for tracks when there is no picture."""

MOST_MATCHES = 400
"""Maximum number of matched points sent to the browser: more would hide the picture."""

FIRST = "The first frame, or a clip whose first frame is used."
LAST = "The last frame, or a clip whose last frame is used."
"""Tooltips of keyframes that `shown` reads."""


class TrackEditor(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenTrackEditor",
            display_name="Track Editor",
            category=CATEGORY,
            description="Draw how points move from the first frame to the last: drag from an object's place in one to its "
            "place in the other. For models that follow tracks.",
            search_aliases=["trajectory", "spline editor", "motion path", "drag", "point tracks", "keyframes", "motion brush"],
            is_output_node=True,
            inputs=[
                io.Image.Input("first", optional=True, tooltip=f"{FIRST} Shown to draw on."),
                io.Image.Input("last", optional=True, tooltip=f"{LAST} Shown over the first."),
                io.Tracks.Input(
                    "matches",
                    optional=True,
                    tooltip="Points matched between the two frames: after a run, ends of tracks snap to them.",
                ),
                frames_input(),
                *size_inputs(", if neither frame is connected"),
                io.Float.Input(
                    "radius",
                    default=48.0,
                    min=1.0,
                    max=4096.0,
                    step=1.0,
                    tooltip="Radius of a point's influence in the mask, in pixels.",
                ),
                Drawing.Input("drawing", tooltip="The tracks. Each button has a tooltip; the help page explains the rest."),
            ],
            outputs=[
                io.Tracks.Output("tracks", tooltip="The position of each track in each frame, for nodes that take TRACKS."),
                io.String.Output(
                    "coordinates",
                    tooltip="The same as text in KJNodes' format, for nodes of Wan (ATI, Wan-Move), LTX-Video and others.",
                ),
                io.Image.Output("preview", tooltip="The tracks over a cross-fade from the first frame to the last."),
                io.Mask.Output("influence", tooltip="One mask per frame: white at the points, black beyond the radius."),
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
        bridge.room_for_tracks(len(document.tracks), frames)
        bridge.room(frames, (size[1], size[0], 4))  # the preview and the mask
        tracks = document.sampled(frames, bridge.heard)
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
        text, masks = dumps(tracks, "samples", watch=bridge.heard), influence(tracks, radius, bridge.heard)
        return io.NodeOutput(core_dict(tracks), text, preview, masks, ui=told)


def frames_input() -> io.Int.Input:
    """Number of frames of tracks between two keyframes."""
    return io.Int.Input("frames", default=25, min=2, max=4096, tooltip="Number of frames, the first and the last included.")


def size_inputs(which: str, least: int = 16) -> list[io.Input]:
    """Width and height of the picture under tracks; ``which`` completes "Width of the picture"."""
    return [
        io.Int.Input(name, default=usual, min=least, max=16384, tooltip=f"{name.title()} of the picture{which}.")
        for name, usual in (("width", 832), ("height", 480))
    ]


def drawing_output(told: str = "The same tracks") -> io.String.Output:
    """Tracks as a document of `Document.through`; ``told`` says which."""
    return io.String.Output("drawing", tooltip=f"{told} as a drawing with few points that can be edited further.")


def shown(images: Tensor, index: int) -> Tensor:
    """One picture of an IMAGE in colour, [3,H,W]. Raises `InputError` if there is none."""
    if images.ndim != 4 or 0 in images.shape:
        raise InputError(f"images of shape {list(images.shape)} were given: at least one frame is needed")
    return images[index, ..., :3].movedim(-1, 0).expand(3, -1, -1).float().cpu()


def grounds_of(ends: list[Tensor | None], size: tuple[int, int], frames: int) -> Iterator[Tensor]:
    """Background of each frame, [3,H,W] of ``size``: a cross-fade from the first picture to the last."""
    width, height = size
    there = [interpolate(end[None], (height, width), mode="bilinear", antialias=True)[0] for end in ends if end is not None]
    for t in instants(frames).tolist():
        yield torch.lerp(there[0], there[-1], t) if there else torch.full((3, height, width), GROUND)


def pairs(matches: Tracks) -> list[list[float]]:
    """Points visible in the first and the last frame: x, y in one and x, y in the other; thinned to `MOST_MATCHES`."""
    both = torch.cat((matches.path[0], matches.path[-1]), dim=1)[matches.visible[0] & matches.visible[-1]]
    return both[:: max(1, ceil(len(both) / MOST_MATCHES))].tolist()


def preview_of(picture: Tensor | None) -> list[Any]:
    """The names by which the browser fetches a picture [3,H,W]."""
    return [] if picture is None else UI.PreviewImage(picture.movedim(0, -1)[None]).as_dict()["images"]
