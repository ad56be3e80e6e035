"""Spacing charts: the node that draws them, and the one that tweens by them. The chart in the browser is `js/chart.js`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import torch
from comfy_api.v0_0_2 import UI, io
from torch import Tensor
from torch.nn.functional import interpolate

from ..vfi.core import InputError
from ..vfi.motion.parts import Charted, Part, region
from ..vfi.render.run import run
from ..vfi.timing.charts import MOST_FRAMES, Charts, Row, of_json
from ..vfi.timing.grids import Subdivide
from ..vfi.tracks import Tracks
from ..vfi.tracks.arrays import of_core
from . import bridge, inputs
from .load import usual
from .model import Following, Model, Several
from .node import Node
from .tracks import FIRST, LAST, preview_of, shown

CATEGORY = "Inbetween/charts"
SIDE = 480
"""The longer side, in pixels, of the pictures that the browser gets."""

ChartType = io.Custom("INBETWEEN_CHARTS")
Drawing = io.Custom("INBETWEEN_DRAWN_CHARTS")
"""The widget: charts as JSON."""


class SpacingChart(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenSpacingChart",
            display_name="Spacing Chart",
            category=CATEGORY,
            description="Draw where each part of a picture is in every frame between two keyframes: a line from A to B with a "
            "tick per drawing, as animators draw it.",
            search_aliases=["timing chart", "ease", "ones twos threes", "animation timing", "inbetween chart", "favour"],
            is_output_node=True,
            inputs=[
                io.Image.Input("first", optional=True, tooltip=f"{FIRST} Shown with the chart."),
                io.Image.Input("last", optional=True, tooltip=f"{LAST} Shown with the chart."),
                io.Int.Input(
                    "frames",
                    default=7,
                    min=1,
                    max=MOST_FRAMES,
                    tooltip="Number of new frames between the two keyframes.",
                ),
                Drawing.Input("chart", tooltip="The charts. Each button has a tooltip; the help page explains the rest."),
            ],
            outputs=[
                ChartType.Output("charts", tooltip="The charts, for Tween with Charts."),
                io.String.Output("json", tooltip="The same as JSON, as the command vfi tween --chart reads it."),
            ],
        )

    @classmethod
    def execute(cls, frames: int, chart: str, first: Tensor | None = None, last: Tensor | None = None) -> io.NodeOutput:
        charts = replace(of_json(chart) if chart.strip() else Charts(), frames=frames)
        ends = {"first": None if first is None else shown(first, 0), "last": None if last is None else shown(last, -1)}
        return io.NodeOutput(charts, charts.to_json(), ui={name: preview_of(end) for name, end in ends.items()})


class TweenCharts(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenTweenCharts",
            display_name="Tween with Charts",
            category=CATEGORY,
            description="Makes the frames between two keyframes. Each part of the picture is where its spacing chart puts it.",
            search_aliases=["spacing chart", "timing chart", "in-between", "tween", "cut-out animation", "layers", "parts"],
            inputs=[
                inputs.model_input("The model that makes the new frames: any that takes two frames."),
                io.Image.Input("first", tooltip=f"{FIRST}"),
                io.Image.Input("last", tooltip=f"{LAST} Of the same size."),
                ChartType.Input("charts", tooltip="From Spacing Chart."),
                io.Mask.Input(
                    "parts",
                    optional=True,
                    tooltip="One mask per part in the first frame, in the order of the charts: white on the part. A later part "
                    "lies on top.",
                ),
                io.Mask.Input(
                    "last_parts",
                    display_name="last parts",
                    optional=True,
                    tooltip="The same in the last frame, for parts that change shape. Without it, each part is searched there.",
                ),
                io.Tracks.Input(
                    "tracks",
                    optional=True,
                    tooltip="Ways of parts, such as arcs: tracks that begin in the mask of a part move it. Without masks, "
                    "track 1 moves part 1, and so on.",
                ),
            ],
            outputs=[
                io.Image.Output("images", tooltip="The first keyframe, the new frames and the last keyframe."),
                io.Mask.Output("parts", tooltip="The masks of the parts in the first frame, as they were given or found."),
            ],
        )

    @classmethod
    def execute(
        cls,
        first: Tensor,
        last: Tensor,
        charts: Charts,
        parts: Tensor | None = None,
        last_parts: Tensor | None = None,
        tracks: Mapping[str, Any] | None = None,
        model: Model | Several | Following | None = None,
    ) -> io.NodeOutput:
        if not isinstance(charts, Charts) or charts.frames is None:
            raise InputError(f"charts is of type {type(charts).__name__}: connect Spacing Chart")
        if isinstance(model, Following):
            raise InputError("the model follows a guide: connect its tracks to tracks of Tween with Charts instead")
        ends = bridge.checked(torch.cat([bridge.checked(first)[:1], _like(bridge.checked(last)[-1:], first)]))
        size = (ends.shape[2], ends.shape[1])
        drawn = None if tracks is None else of_core(tracks, size)
        pictures = shown(ends, 0), shown(ends, 1)
        cut = [
            Part(mask, None if last_parts is None else _mask(last_parts, index, charts.parts), row.name)
            for index, (row, mask) in enumerate(zip(charts.parts, _masks(charts.parts, parts, drawn, pictures), strict=True))
        ]
        ready = usual(model).ready((size[1], size[0]), bridge.unbound(ends))
        maker = Charted(ready, cut, charts.places(charts.frames), drawn if parts is not None else _chosen(charts.parts, drawn))
        steps = charts.frames + 1
        made = run(bridge.frames_of_images(ends, Fraction(1)), maker, Subdivide(steps))
        images, _ = bridge.collected(bridge.watched(made, steps + 1), ends, steps + 1)
        masks = torch.stack([part.before for part in cut]) if cut else torch.zeros(1, *ends.shape[1:3])
        return io.NodeOutput(images, masks, ui={"inbetween_frames": [_saved(images)]})


def _like(last: Tensor, first: Tensor) -> Tensor:
    """``last``, if it is as large as ``first`` and has as many channels. Raises `InputError`."""
    if last.shape[1:] != first.shape[1:]:
        told = [f"{one.shape[2]}x{one.shape[1]} with {one.shape[3]} channels" for one in (first, last)]
        raise InputError(f"the first frame is {told[0]} and the last {told[1]}: both must be alike")
    return last


def _masks(rows: Sequence[Row], parts: Tensor | None, tracks: Tracks | None, frames: tuple[Tensor, Tensor]) -> list[Tensor]:
    """The mask of each part in the first frame: given, or of what its track moves. Raises `InputError`."""
    if parts is not None:
        return [_mask(parts, index, rows) for index in range(len(rows))]
    if rows and tracks is None:
        raise InputError(f"the charts have {len(rows)} parts and no masks were given: connect parts, or tracks that move them")
    return [] if tracks is None else [region(tracks, _numbers(row, index), frames) for index, row in enumerate(rows)]


def _mask(masks: Tensor, index: int, rows: Sequence[Row]) -> Tensor:
    """One of ``masks``, of which there must be one per row. Raises `InputError`."""
    if masks.ndim == 2:
        masks = masks[None]
    if masks.ndim != 3 or len(masks) != len(rows):
        count = f"{len(masks)} masks" if masks.ndim == 3 else f"masks of shape {list(masks.shape)}"
        raise InputError(
            f"the charts have {len(rows)} parts and {count} were given: one mask per part is needed, in their order"
        )
    return masks[index].float().cpu()


def _numbers(row: Row, index: int) -> list[int]:
    """The tracks, from 0, that move a part without a mask: those that its row names, else the one with its own number."""
    return [number - 1 for number in row.tracks] or [index]


def _chosen(rows: Sequence[Row], tracks: Tracks | None) -> Tracks | None:
    """The tracks that move parts without masks."""
    if tracks is None or not rows:
        return None
    return tracks.select(sorted({number for index, row in enumerate(rows) for number in _numbers(row, index)}))


def _saved(images: Tensor) -> list[Any]:
    """The names by which the browser fetches small pictures of the frames."""
    shrink = min(1.0, SIDE / max(images.shape[1:3]))
    size = [max(1, round(side * shrink)) for side in images.shape[1:3]]
    small = [interpolate(shown(images, index)[None], size, mode="area")[0].movedim(0, -1) for index in range(len(images))]
    return list(UI.PreviewImage(torch.stack(small)).as_dict()["images"])
