"""Nodes that find, change and show tracks; the one to draw them is in `tracks`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Literal

import torch
from comfy_api.latest import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.motion import match
from ..vfi.motion.follow import WITHIN, corners, follow
from ..vfi.tracks import Document, Tracks
from ..vfi.tracks.arrays import core_dict, of_core
from ..vfi.tracks.formats import Read, dumps, loads, tracks_of
from ..vfi.tracks.heatmap import heatmaps
from ..vfi.tracks.sketch import Style, sketch
from . import bridge
from .model import Model, ModelType
from .tracks import CATEGORY, GROUND, shown

TEXT = "[[{x, y}, ...], ...] of KJNodes, LTX-Video and Wan, the points of Framer, what Track Editor holds, and others"

TOLERANCE = 1.0
"""How far, in pixels, a drawing may be from the tracks that it is made of."""


class MatchKeyframes(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenMatchKeyframes",
            display_name="Match Keyframes",
            category=CATEGORY,
            description="Finds points that the first and the last frame have in common, and makes tracks of them.",
            search_aliases=["sift", "feature matching", "loftr", "correspondence", "point tracks", "autopilot", "trajectory"],
            inputs=[
                io.Image.Input("first", tooltip="The first frame, or a clip of which the first is taken."),
                io.Image.Input("last", tooltip="The last frame, or a clip of which the last is taken; of the same size."),
                io.Combo.Input(
                    "method",
                    options=["sift", "loftr"],
                    default="sift",
                    tooltip="sift needs no weights. loftr needs loftr_outdoor.safetensors; it knows even surfaces too.",
                ),
                io.Int.Input(
                    "frames", default=25, min=2, max=4096, tooltip="How many frames the tracks have, both ends included."
                ),
                io.Int.Input("count", default=8, min=1, max=1000, tooltip="How many tracks to make, of the surest matches."),
                io.Float.Input(
                    "apart",
                    default=48.0,
                    min=0.0,
                    max=4096.0,
                    step=1.0,
                    tooltip="How many pixels the tracks are apart in the first frame, at the least.",
                ),
                io.Float.Input(
                    "ratio",
                    default=match.RATIO,
                    min=0.1,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="For sift: how near the best match is, as a share of the next best. Lower is fewer and surer.",
                ),
                io.Boolean.Input(
                    "consistent",
                    default=True,
                    optional=True,
                    advanced=True,
                    tooltip="Leave out matches that do not move together with others.",
                ),
            ],
            outputs=[
                io.Tracks.Output("tracks", tooltip="A straight track for each of the chosen points."),
                io.Tracks.Output("matches", tooltip="All matches, for Track Editor to snap to."),
                io.String.Output("drawing", tooltip="The chosen points as a drawing that can be edited further."),
                io.Int.Output("count", tooltip="How many points were matched."),
            ],
        )

    @classmethod
    def execute(
        cls,
        first: Tensor,
        last: Tensor,
        method: Literal["sift", "loftr"],
        frames: int,
        count: int,
        apart: float,
        ratio: float = match.RATIO,
        consistent: bool = True,
    ) -> io.NodeOutput:
        ends = shown(first, 0), shown(last, -1)
        found = match.loftr()(*ends) if method == "loftr" else match.sift(*ends, ratio)
        found = found.consistent() if consistent else found.unique()
        chosen = found.spread(count, apart).tracks(frames)
        drawing = Document.through(chosen, TOLERANCE).to_json()
        return io.NodeOutput(core_dict(chosen), core_dict(found.tracks(frames)), drawing, len(found))


class FollowPoints(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFollowPoints",
            display_name="Follow Points",
            category=CATEGORY,
            description="Follows points of the first frame through a clip, and makes tracks of where they go.",
            search_aliases=[
                "point tracking",
                "optical flow",
                "lucas kanade",
                "cotracker",
                "tapir",
                "motion tracking",
                "tracks",
            ],
            inputs=[
                io.Image.Input("images", tooltip="The frames, in order."),
                io.Tracks.Input(
                    "start",
                    optional=True,
                    tooltip="Where to start: the first place of each of these tracks, such as drawn ones.",
                ),
                ModelType.Input(
                    "model",
                    optional=True,
                    tooltip="The points go along the motion that this model sees. Without one they are looked for themselves.",
                ),
                io.Int.Input(
                    "count", default=16, min=1, max=1000, tooltip="How many points to choose where no start is connected."
                ),
                io.Float.Input(
                    "apart",
                    default=32.0,
                    min=1.0,
                    max=4096.0,
                    step=1.0,
                    tooltip="How many pixels the chosen points are apart, at the least.",
                ),
                io.Float.Input(
                    "within",
                    default=WITHIN,
                    min=0.05,
                    max=100.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="A point is lost when, followed forth and back, it comes back further away than so many pixels.",
                ),
            ],
            outputs=[
                io.Tracks.Output("tracks", tooltip="Where each point is in each frame, and whether it is seen there."),
                io.String.Output("drawing", tooltip="The same as a drawing of few points that can be edited further."),
                io.Int.Output("count", tooltip="How many points are seen to the end."),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: Tensor,
        count: int,
        apart: float,
        start: Mapping[str, Any] | None = None,
        model: Model | None = None,
        within: float = WITHIN,
    ) -> io.NodeOutput:
        height, width = bridge.checked(images).shape[1:3]
        frames = bridge.frames_of_images(images, Fraction(24))
        points = corners(next(frames), count, apart) if start is None else of_core(start, (width, height)).path[0]
        ready = None if model is None else model.ready((height, width))
        watched = bridge.watched(bridge.frames_of_images(images, Fraction(24)), len(images))
        tracks = follow(watched, points, ready, within=within)
        return io.NodeOutput(core_dict(tracks), Document.through(tracks, TOLERANCE).to_json(), int(tracks.visible[-1].sum()))


class EditTracks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        size = {"min": 1, "max": 16384}
        return io.Schema(
            node_id="InbetweenEditTracks",
            display_name="Edit Tracks",
            category=CATEGORY,
            description="Reads tracks from the text of other packs too, and joins, resamples, moves, reverses and scales them.",
            search_aliases=["tracks to json", "json to tracks", "coordinates", "trajectory", "spline", "convert tracks", "ati"],
            inputs=[
                io.Tracks.Input("tracks", optional=True, tooltip="The tracks."),
                io.Tracks.Input("more", optional=True, tooltip="Tracks that are joined to them."),
                io.String.Input("text", default="", multiline=True, tooltip=f"Tracks as text, joined to those before: {TEXT}."),
                io.Combo.Input(
                    "join",
                    options=["beside", "after"],
                    default="beside",
                    tooltip="beside: all tracks at the same time. after: each goes on where the one of its number goes on.",
                ),
                io.Int.Input("width", default=832, **size, tooltip="Width of the picture that the tracks are on."),
                io.Int.Input("height", default=480, **size, tooltip="Height of the picture that the tracks are on."),
                io.Int.Input(
                    "frames",
                    default=0,
                    min=0,
                    max=4096,
                    tooltip="How many frames the result has. 0 keeps those of the tracks; a drawing has none and needs this.",
                ),
                io.Boolean.Input("reverse", default=False, tooltip="Run the tracks backwards."),
                io.Float.Input(
                    "move_x",
                    default=0.0,
                    min=-16384.0,
                    max=16384.0,
                    step=0.5,
                    tooltip="How many pixels to move all tracks to the right, on the picture as it was.",
                ),
                io.Float.Input(
                    "move_y",
                    default=0.0,
                    min=-16384.0,
                    max=16384.0,
                    step=0.5,
                    tooltip="How many pixels to move all tracks down, on the picture as it was.",
                ),
                io.Int.Input(
                    "to_width", default=0, min=0, max=16384, tooltip="Width of the picture to scale the tracks to. 0 keeps it."
                ),
                io.Int.Input(
                    "to_height",
                    default=0,
                    min=0,
                    max=16384,
                    tooltip="Height of the picture to scale the tracks to. 0 keeps it.",
                ),
            ],
            outputs=[
                io.Tracks.Output("tracks", tooltip="The tracks, changed."),
                io.String.Output(
                    "coordinates", tooltip="The same as text, a place for each frame, as KJNodes and Wan take it."
                ),
                io.String.Output("drawing", tooltip="The same as a drawing of few points that can be edited further."),
                io.Int.Output("frames", tooltip="How many frames they have."),
                io.Int.Output("count", tooltip="How many tracks there are."),
            ],
        )

    @classmethod
    def execute(
        cls,
        text: str,
        join: Literal["beside", "after"],
        width: int,
        height: int,
        frames: int,
        reverse: bool,
        move_x: float,
        move_y: float,
        to_width: int,
        to_height: int,
        tracks: Mapping[str, Any] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> io.NodeOutput:
        size = (width, height)
        given: list[Read] = [of_core(one, size) for one in (tracks, more) if one is not None]
        if text.strip():
            given.append(loads(text, size))
        edited = joined_tracks(given, join, frames)
        edited = edited.resampled(frames or edited.frames).moved((move_x, move_y))
        edited = (edited.reversed() if reverse else edited).scaled((to_width or width, to_height or height))
        drawing = Document.through(edited, TOLERANCE).to_json()
        return io.NodeOutput(core_dict(edited), dumps(edited, "samples"), drawing, edited.frames, edited.count)


class DrawTracks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenDrawTracks",
            display_name="Draw Tracks",
            category=CATEGORY,
            description="Draws tracks over frames, as paths, arrows and dots, or as the heat-maps that Framer takes.",
            search_aliases=["show tracks", "preview tracks", "visualize tracks", "heatmap", "gaussian", "trajectory", "arrows"],
            inputs=[
                io.Tracks.Input("tracks", tooltip="The tracks."),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="What they are drawn on: one frame for all, or a clip, whose number of frames then counts.",
                ),
                io.Combo.Input(
                    "style",
                    options=["path", "trail", "dots", "heat-map"],
                    default="path",
                    tooltip="path: all of each track. trail: what lies behind the point. dots: the points alone. heat-map: a "
                    "soft disc at each point on black, as Framer's network takes it.",
                ),
                io.Boolean.Input("arrows", default=True, tooltip="Put a head on the end of each line."),
                io.Int.Input(
                    "thickness",
                    default=0,
                    min=0,
                    max=256,
                    tooltip="Of the lines, in pixels; dots go with it. 0 suits the picture.",
                ),
                io.Int.Input("width", default=832, min=16, max=16384, tooltip="Width of the picture, where none is connected."),
                io.Int.Input(
                    "height", default=480, min=16, max=16384, tooltip="Height of the picture, where none is connected."
                ),
            ],
            outputs=[io.Image.Output("images", tooltip="A picture for each frame.")],
        )

    @classmethod
    def execute(
        cls,
        tracks: Mapping[str, Any],
        style: Literal["path", "trail", "dots", "heat-map"],
        arrows: bool,
        thickness: int,
        width: int,
        height: int,
        images: Tensor | None = None,
    ) -> io.NodeOutput:
        size = (width, height) if images is None else (images.shape[2], images.shape[1])
        read = of_core(tracks, size)
        read = read if images is None or len(images) == 1 else read.resampled(len(images))
        if style == "heat-map":
            return io.NodeOutput((heatmaps(read).float() / 255)[..., None].expand(-1, -1, -1, 3))
        line: Literal["path", "trail", "none"] = "none" if style == "dots" else style
        look = Style(line, hidden=False, arrows=arrows, thickness=thickness)
        drawn = torch.empty(read.frames, size[1], size[0], 3)
        for index, ground in enumerate(bridge.watched(grounds_of(images, read), read.frames)):
            drawn[index] = sketch(ground, read, index, style=look).movedim(0, -1)
        return io.NodeOutput(drawn)


def joined_tracks(given: list[Read], join: Literal["beside", "after"], frames: int) -> Tracks:
    """Tracks that were given, as one, at the frames of the first that has any, else at ``frames``. Raises `InputError`."""
    if not given:
        raise InputError("there are no tracks: connect some, or give them as text")
    frames = next((one.frames for one in given if isinstance(one, Tracks)), frames)
    if not frames:
        raise InputError("a drawing has no frames of its own: say how many the result shall have")
    first, *others = (tracks_of(one, frames) if isinstance(one, Document) else one for one in given)
    for other in others:
        first = first.beside(other) if join == "beside" else first.then(other)
    return first


def grounds_of(images: Tensor | None, tracks: Tracks) -> Iterator[Tensor]:
    """What tracks are drawn on at each frame, [3,H,W]: the frames, or the only one, or grey."""
    width, height = (round(side) for side in tracks.size)
    for index in range(tracks.frames):
        if images is None:
            yield torch.full((3, height, width), GROUND)
        else:
            yield shown(images, index if len(images) > 1 else 0)
