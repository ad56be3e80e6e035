"""Nodes that find, edit and show tracks; the node that draws them is in `tracks`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any, Literal

import folder_paths
import torch
from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.core import Frame, InputError
from ..vfi.motion import match
from ..vfi.motion.follow import WITHIN, corners, follow, follow_both_ways
from ..vfi.tracks import Document, Tracks
from ..vfi.tracks.arrays import core_dict, of_core, save_ati, save_wan_move
from ..vfi.tracks.formats import TRACK_ENDINGS, Read, dumps, loads, read_tracks, tracks_of
from ..vfi.tracks.heatmap import heatmaps
from ..vfi.tracks.sketch import Style, sketch
from . import bridge, matching, servers, tracking
from .model import Model, ModelType
from .node import Node
from .optical_flow import flow_input
from .tracks import CATEGORY, FIRST, GROUND, LAST, drawing_output, frames_input, shown, size_inputs

log = logging.getLogger(__name__)

TEXT = "[[{x, y}, ...], ...] as in KJNodes, LTX-Video and Wan, Framer's points, a Track Editor drawing, and others"

TOLERANCE = 1.0
"""How far, in pixels, a drawing may deviate from its tracks."""


RATE = Fraction(24)
"""Frames per second of images that are followed; any would do."""

NO_FILE = "none"

SAVED = ("JSON", "ATI", "Wan-Move")
"""Formats of files that Edit Tracks writes."""


class MatchKeyframes(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenMatchKeyframes",
            display_name="Match Keyframes",
            category=CATEGORY,
            description="Matches points between the first and the last frame, and turns them into tracks.",
            search_aliases=[
                "sift",
                "feature matching",
                "loftr",
                "xfeat",
                "lightglue",
                "correspondence",
                "point tracks",
                "autopilot",
                "trajectory",
            ],
            inputs=[
                io.Image.Input("first", tooltip=FIRST),
                io.Image.Input("last", tooltip=f"{LAST} Both have the same size."),
                io.Combo.Input(
                    "method",
                    options=list(matching.MATCHERS.options),
                    default="sift",
                    tooltip="sift needs no weights. xfeat finds more points across large motion and in blur. loftr also "
                    "matches smooth surfaces.",
                ),
                frames_input(),
                io.Int.Input("count", default=8, min=1, max=1000, tooltip="Maximum number of tracks; the surest matches win."),
                io.Float.Input(
                    "apart",
                    default=48.0,
                    min=0.0,
                    max=4096.0,
                    step=1.0,
                    tooltip="Minimum distance between tracks in the first frame, in pixels.",
                ),
                io.Float.Input(
                    "ratio",
                    default=match.RATIO,
                    min=0.1,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="For sift: distance ratio of the best to the next best match. Lower gives fewer, surer matches.",
                ),
                io.Boolean.Input(
                    "consistent",
                    default=True,
                    optional=True,
                    advanced=True,
                    tooltip="Drop matches that do not move together with others.",
                ),
            ],
            outputs=[
                io.Tracks.Output("tracks", tooltip="A straight track for each chosen point."),
                io.Tracks.Output("matches", tooltip="All matches, for Track Editor to snap to."),
                drawing_output("The chosen tracks"),
                io.Int.Output("count", tooltip="Number of matched points."),
            ],
        )

    @classmethod
    def validate_inputs(cls, method: str | None) -> bool | str:
        return matching.MATCHERS.fault(method, "method") or True

    @classmethod
    def fingerprint_inputs(cls, method: str | None, **options: object) -> str:
        return matching.MATCHERS.fingerprint(method, "method")

    @classmethod
    def execute(
        cls,
        first: Tensor,
        last: Tensor,
        method: str,
        frames: int,
        count: int,
        apart: float,
        ratio: float = match.RATIO,
        consistent: bool = True,
    ) -> io.NodeOutput:
        ends = shown(first, 0), shown(last, -1)
        found = match.sift(*ends, ratio) if method == "sift" else matching.matcher(method, "method")(*ends)
        found = found.consistent() if consistent else found.unique()
        chosen = found.spread(count, apart).tracks(frames)
        bridge.room_for_tracks(len(found), frames)
        watched = bridge.watched(range(chosen.count), chosen.count)
        drawing = Document.through(chosen, TOLERANCE, watched).to_json()
        return io.NodeOutput(core_dict(chosen), core_dict(found.tracks(frames)), drawing, len(found))


class FollowPoints(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFollowPoints",
            display_name="Follow Points",
            category=CATEGORY,
            description="Tracks points of the first frame through a clip.",
            search_aliases=[
                "point tracking",
                "optical flow",
                "lucas kanade",
                "alltracker",
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
                    tooltip="Start points: the first position of each of these tracks, such as drawn ones.",
                ),
                ModelType.Input(
                    "model",
                    optional=True,
                    tooltip="Points follow this model's optical flow. Without a model, tracker chooses how they are tracked.",
                ),
                flow_input(
                    "Points follow the flow of this model, from Load Optical Flow Model, which sees at most 1280x736 pixels."
                ),
                io.Int.Input("count", default=16, min=1, max=1000, tooltip="Number of points to choose without start."),
                io.Float.Input(
                    "apart",
                    default=32.0,
                    min=1.0,
                    max=4096.0,
                    step=1.0,
                    tooltip="Minimum distance between chosen points, in pixels.",
                ),
                io.Float.Input(
                    "within",
                    default=WITHIN,
                    min=0.05,
                    max=100.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="Forward-backward error, in pixels, above which a point counts as lost. Not for alltracker.",
                ),
                io.Combo.Input(
                    "tracker",
                    options=list(tracking.TRACKERS.options),
                    default=tracking.AUTO,
                    optional=True,
                    tooltip="auto: the connected model, else lk. lk (Lucas-Kanade) and dis (optical flow) need no weights, but "
                    "lose hidden points for good. alltracker can find them again. It needs weights, and a GPU to be fast.",
                ),
                io.Int.Input(
                    "frame",
                    default=0,
                    min=0,
                    max=2**20,
                    optional=True,
                    advanced=True,
                    tooltip="Frame that the points lie in, counted from 0. They are tracked from it to both ends of the clip.",
                ),
            ],
            outputs=[
                io.Tracks.Output("tracks", tooltip="The position of each point in each frame, and whether it is visible."),
                drawing_output(),
                io.Int.Output("count", tooltip="Number of points still visible in the last frame."),
            ],
        )

    @classmethod
    def validate_inputs(cls, tracker: str | None = None) -> bool | str:
        """Whether the weights of the tracker are there, before anything runs."""
        return tracking.TRACKERS.fault(tracker, "tracker") or True

    @classmethod
    def fingerprint_inputs(cls, tracker: str | None = None, **options: object) -> str:
        return tracking.TRACKERS.fingerprint(tracker, "tracker")

    @classmethod
    def execute(
        cls,
        images: Tensor,
        count: int,
        apart: float,
        start: Mapping[str, Any] | None = None,
        model: Model | None = None,
        within: float = WITHIN,
        tracker: str = tracking.AUTO,
        frame: int = 0,
        optical_flow: Any = None,
    ) -> io.NodeOutput:
        total, height, width = bridge.checked(images).shape[:3]
        if frame >= total:
            raise InputError(f"frame is {frame}: the clip has frames 0 to {total - 1}")
        ready = tracking.follower(tracker, model, optical_flow, (height, width))
        if start is None:
            points = corners(next(backwards(images[: frame + 1])), count, apart)
        else:
            points = of_core(start, (width, height)).path[0]
        on = bridge.watched(bridge.frames_of_images(images[frame:], RATE), total - frame)
        if frame:
            back = bridge.watched(backwards(images[: frame + 1]), frame + 1)
            tracks = follow_both_ways(back, on, points, ready, within=within, watch=bridge.heard)
        else:
            tracks = follow(on, points, ready, within=within, watch=bridge.heard)
        drawing = Document.through(tracks, TOLERANCE, bridge.heard(range(tracks.count))).to_json()
        return io.NodeOutput(core_dict(tracks), drawing, int(tracks.visible[-1].sum()))


def backwards(images: Tensor) -> Iterator[Frame]:
    """The frames of an IMAGE from the last to the first, as views."""
    for index in range(len(images) - 1, -1, -1):
        (shown,) = bridge.frames_of_images(images[index : index + 1], RATE)
        yield replace(shown, time=index / RATE)


class EditTracks(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenEditTracks",
            display_name="Edit Tracks",
            category=CATEGORY,
            description="Joins, resamples, moves, reverses and scales tracks; reads and writes the text of other packs.",
            search_aliases=["tracks to json", "json to tracks", "coordinates", "trajectory", "spline", "convert tracks", "ati"],
            inputs=[
                io.Tracks.Input("tracks", optional=True, tooltip="The tracks."),
                io.Tracks.Input("more", optional=True, tooltip="More tracks, joined to the first."),
                io.String.Input("text", default="", multiline=True, tooltip=f"Tracks as text, joined to those above: {TEXT}."),
                io.Combo.Input(
                    "join",
                    options=["beside", "after"],
                    default="beside",
                    tooltip="beside: all tracks at the same time. after: each continues the track with the same number.",
                ),
                *size_inputs(" that the tracks are on", least=1),
                io.Int.Input(
                    "frames",
                    default=0,
                    min=0,
                    max=4096,
                    tooltip="Number of frames of the result. 0 keeps that of the tracks; a drawing has none and needs one.",
                ),
                io.Boolean.Input("reverse", default=False, advanced=True, tooltip="Play the tracks backwards."),
                io.Float.Input(
                    "move_x",
                    display_name="move right",
                    advanced=True,
                    default=0.0,
                    min=-16384.0,
                    max=16384.0,
                    step=0.5,
                    tooltip="Shift of all tracks to the right, in pixels of the original picture.",
                ),
                io.Float.Input(
                    "move_y",
                    display_name="move down",
                    advanced=True,
                    default=0.0,
                    min=-16384.0,
                    max=16384.0,
                    step=0.5,
                    tooltip="Downward shift of all tracks, in pixels of the original picture.",
                ),
                io.Int.Input(
                    "to_width",
                    display_name="scaled width",
                    default=0,
                    min=0,
                    max=16384,
                    advanced=True,
                    tooltip="Width to scale the tracks to. 0 keeps it.",
                ),
                io.Int.Input(
                    "to_height",
                    display_name="scaled height",
                    default=0,
                    min=0,
                    max=16384,
                    advanced=True,
                    tooltip="Height to scale the tracks to. 0 keeps it.",
                ),
                io.Combo.Input(
                    "file",
                    options=[NO_FILE, *track_files()],
                    default=NO_FILE,
                    optional=True,
                    advanced=True,
                    tooltip="A file of tracks in ComfyUI's input folder, joined to the others: JSON, ATI's .npz or .pth, or "
                    "Wan-Move's .npy.",
                ),
                io.Combo.Input(
                    "save_as",
                    display_name="save as",
                    options=[NO_FILE, *SAVED],
                    default=NO_FILE,
                    optional=True,
                    advanced=True,
                    tooltip="Also writes the edited tracks to ComfyUI's output folder: JSON, ATI's .npz, or a folder with "
                    "Wan-Move's track.npy and visibility.npy. Nothing is overwritten.",
                ),
            ],
            is_output_node=True,
            outputs=[
                io.Tracks.Output("tracks", tooltip="The edited tracks."),
                io.String.Output("coordinates", tooltip="The same as text, one position per frame, for KJNodes and Wan."),
                drawing_output(),
                io.Int.Output("frames", tooltip="Number of frames."),
                io.Int.Output("count", tooltip="Number of tracks."),
                io.String.Output("points", tooltip="The drawing as [[[x, y], ...], ...], for Framer and DragNUWA."),
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
        tracks: Mapping[str, Any] | None = None,
        more: Mapping[str, Any] | None = None,
        file: str = NO_FILE,
        save_as: str = NO_FILE,
        **changes: Any,
    ) -> io.NodeOutput:
        size = (width, height)
        given: list[Read] = [of_core(one, size) for one in (tracks, more) if one is not None]
        if text.strip():
            given.append(loads(text, size))
        if file != NO_FILE:
            given.append(read_tracks(Path(folder_paths.get_input_directory()) / Path(file).name, size))
        joined = joined_tracks(given, join, frames)
        bridge.room_for_tracks(joined.count, frames or joined.frames)
        edited = changed(joined.resampled(frames or joined.frames), **changes)
        drawn = Document.through(edited, TOLERANCE, bridge.watched(range(edited.count), edited.count))
        texts = dumps(edited, "samples", watch=bridge.heard), drawn.to_json(bridge.heard)
        if save_as != NO_FILE:
            log.info("tracks saved to %s", servers.told(str(save(edited, save_as))))
        points = dumps(drawn, "framer", watch=bridge.heard)
        return io.NodeOutput(core_dict(edited), *texts, edited.frames, edited.count, points)


class DrawTracks(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenDrawTracks",
            display_name="Draw Tracks",
            category=CATEGORY,
            description="Draws tracks over frames, as paths, arrows and dots, or as Framer's heat-maps.",
            search_aliases=["show tracks", "preview tracks", "visualize tracks", "heatmap", "gaussian", "trajectory", "arrows"],
            inputs=[
                io.Tracks.Input("tracks", tooltip="The tracks."),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="Background: one frame for all, or a clip, which then sets the number of frames.",
                ),
                io.Combo.Input(
                    "style",
                    options=["path", "trail", "dots", "heat-map"],
                    default="path",
                    tooltip="path: the whole track. trail: the part behind the point. dots: only the points. heat-map: a soft "
                    "disc at each point on black, the input of Framer's network.",
                ),
                io.Boolean.Input("arrows", default=True, tooltip="Draw an arrowhead at the end of each line."),
                io.Int.Input(
                    "thickness",
                    default=0,
                    min=0,
                    max=256,
                    tooltip="Line width in pixels; dots scale with it. 0 chooses one from the picture size.",
                ),
                *size_inputs(", if no images are connected"),
            ],
            outputs=[io.Image.Output("images", tooltip="One picture per frame.")],
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
            bridge.room(read.frames, (size[1], size[0], 2))  # bytes, numbers and a copy of them while they are scaled
            maps = heatmaps(read, watch=bridge.heard).float().div_(255)
            return io.NodeOutput(maps[..., None].expand(-1, -1, -1, 3))
        line: Literal["path", "trail", "none"] = "none" if style == "dots" else style
        look = Style(line, hidden=False, arrows=arrows, thickness=thickness)
        bridge.room(read.frames, (size[1], size[0], 3))
        drawn = torch.empty(read.frames, size[1], size[0], 3)
        for index, ground in enumerate(bridge.watched(grounds_of(images, read), read.frames)):
            drawn[index] = sketch(ground, read, index, style=look).movedim(0, -1)
        return io.NodeOutput(drawn)


def track_files() -> list[str]:
    """The names of the files in ComfyUI's input folder that may hold tracks."""
    folder = Path(folder_paths.get_input_directory())
    return sorted(path.name for path in folder.glob("*") if path.suffix in TRACK_ENDINGS) if folder.is_dir() else []


def save(tracks: Tracks, form: str) -> Path:
    """Write ``tracks`` in a ``form`` of `SAVED` to ComfyUI's output folder, under the next free name; returns its path."""
    folder, ending = Path(folder_paths.get_output_directory()), {"JSON": ".json", "ATI": ".npz", "Wan-Move": ""}[form]
    paths = (folder / f"tracks_{number:05d}{ending}" for number in count(1))
    path = next(path for path in paths if not path.exists())
    if form == "Wan-Move":
        path.mkdir(parents=True)
        save_wan_move(tracks, path)
    elif form == "ATI":
        save_ati(tracks, path)
    else:
        path.write_text(dumps(tracks, "samples", watch=bridge.heard), encoding="utf-8")
    return path


def joined_tracks(given: list[Read], join: Literal["beside", "after"], frames: int) -> Tracks:
    """All ``given`` as one, at the frame count of the first that has one, else at ``frames``. Raises `InputError`."""
    if not given:
        raise InputError("no tracks were given: connect some or enter them as text")
    frames = next((one.frames for one in given if isinstance(one, Tracks)), frames)
    if not frames:
        raise InputError("a drawing has no frame count of its own: set frames")
    counts = [len(one.tracks) if isinstance(one, Document) else one.count for one in given]
    bridge.room_for_tracks(sum(counts), max(frames, sum(_frames(one, frames) for one in given) if join == "after" else 0))
    first, *others = (tracks_of(one, frames, bridge.heard) if isinstance(one, Document) else one for one in given)
    for other in others:
        first = first.beside(other) if join == "beside" else first.then(other)
    return first


def _frames(read: Read, frames: int) -> int:
    """The frames of what was read; a drawing has as many as are asked for."""
    return frames if isinstance(read, Document) else read.frames


def changed(tracks: Tracks, reverse: bool, move_x: float, move_y: float, to_width: int, to_height: int) -> Tracks:
    """Tracks moved, reversed and scaled, in this order; a width or height of 0 keeps theirs."""
    moved = tracks.moved((move_x, move_y))
    width, height = tracks.size
    return (moved.reversed() if reverse else moved).scaled((to_width or width, to_height or height))


def grounds_of(images: Tensor | None, tracks: Tracks) -> Iterator[Tensor]:
    """Background of each frame, [3,H,W]: its own image, or the only one, or grey."""
    width, height = (round(side) for side in tracks.size)
    for index in range(tracks.frames):
        if images is None:
            yield torch.full((3, height, width), GROUND)
        else:
            yield shown(images, index if len(images) > 1 else 0)
