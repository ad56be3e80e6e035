"""Nodes that hand keyframes to video models that ComfyUI runs with nodes of its own: Wan VACE and LTX-Video.

Of what these nodes take, only shapes are read here; the models stay ComfyUI's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from comfy_api.v0_0_2 import io
from comfy_execution.graph_utils import GraphBuilder
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.timing.grids import exact_rate
from ..vfi.tween import vace
from ..vfi.tween.fit import Fit, Pixels
from ..vfi.tween.places import EVEN, Place, Span, snapped
from . import bridge, inputs
from .framer import CATEGORY, coloured
from .node import Node

EIGHT = 8
"""Frames of a latent of LTX-Video."""


def keyframes_input(*, optional: bool = False) -> io.Input:
    """The keyframes, as a batch or as a list."""
    return io.Image.Input(
        "keyframes",
        optional=optional,
        tooltip="The keyframes, in order: a batch, or a list. Other aspect ratios are centre-cropped.",
    )


def places_input() -> io.Input:
    """The places of the keyframes, which `Span.places` reads."""
    return io.String.Input(
        "places",
        default=EVEN,
        tooltip="The place of each keyframe: frames such as 0, 24, -1, counted from 0 or from the end, or times such as 1.5s. "
        "even spreads them over the clip.",
    )


def report_output() -> io.Output:
    """The result of `report_of`."""
    return io.String.Output(
        "report", tooltip="The place of each keyframe, one per line, and how far it is from the one asked for."
    )


def report_of(places: Sequence[Place], span: Span) -> str:
    return "\n".join(f"keyframe {number}: {place.words(span.rate)}" for number, place in enumerate(places, start=1))


def pictures_of(batches: Sequence[Tensor], size: Pixels) -> Iterator[Tensor]:
    """The pictures of IMAGEs, [3,h,w] each, cropped and resized to ``size`` (width, height); sizes may differ. `InputError`."""
    for batch in batches:
        pictures = coloured(bridge.checked(batch)).cpu()
        fit = Fit.middle((pictures.shape[3], pictures.shape[2]), size)
        for picture in bridge.heard(pictures):
            yield fit.pictures(picture[None])[0]


# --- Wan VACE -----------------------------------------------------------------------------------------------------------------


class VaceKeyframes(Node):
    LISTS = ("keyframes",)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenVaceKeyframes",
            display_name="Keyframes to VACE",
            category=CATEGORY,
            description="Makes the control video and masks with which Wan VACE draws a clip through keyframes at any frame, or "
            "continues or connects clips.",
            search_aliases=[
                "wan vace",
                "vace control video",
                "keyframes",
                "first last frame",
                "multiple keyframes",
                "extend video",
            ],
            is_experimental=True,  # never run with published weights
            is_input_list=True,
            inputs=[
                keyframes_input(optional=True),
                places_input(),
                io.Int.Input(
                    "width",
                    default=832,
                    min=vace.CELL,
                    max=4096,
                    step=vace.CELL,
                    tooltip="Width of the clip. VACE 1.3B was trained on 832x480, 14B also on 1280x720.",
                ),
                io.Int.Input("height", default=480, min=vace.CELL, max=4096, step=vace.CELL, tooltip="Height of the clip."),
                io.Int.Input(
                    "length",
                    default=81,
                    min=vace.GROUP + 1,
                    max=4097,
                    step=vace.GROUP,
                    tooltip="Number of frames: a multiple of 4, plus 1. Wan was trained on 81.",
                ),
                inputs.rate_input("fps", 16.0, "Frames per second of the clip, for places in seconds. Wan's own rate is 16."),
                io.Image.Input("before", optional=True, tooltip="A clip to continue: its last frames open the new one."),
                io.Image.Input("after", optional=True, tooltip="A clip to lead to: its first frames close the new one."),
                io.Int.Input(
                    "kept",
                    default=9,
                    min=1,
                    max=4096,
                    optional=True,
                    tooltip="Number of frames to take from before and after. More of them show more of the motion. 5, 9 or 13 "
                    "of before and 4, 8 or 12 of after fit Wan's groups of 4.",
                ),
                io.Image.Input(
                    "reference",
                    optional=True,
                    tooltip="A picture of a person or thing that is to appear, best on white. It is no frame of the clip.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "control_video",
                    display_name="control video",
                    tooltip="For WanVaceToVideo: the known frames, and grey in place of those to make.",
                ),
                io.Mask.Output(
                    "control_masks",
                    display_name="control masks",
                    tooltip="For WanVaceToVideo: white for a frame to make, black for a known one.",
                ),
                io.Image.Output(
                    "reference",
                    tooltip="The reference, whole on a white canvas, for WanVaceToVideo; nothing without one.",
                ),
                io.Int.Output("width", tooltip="Width, for WanVaceToVideo."),
                io.Int.Output("height", tooltip="Height, for WanVaceToVideo."),
                io.Int.Output("length", tooltip="Number of frames, for WanVaceToVideo."),
                report_output(),
            ],
        )

    @classmethod
    def execute(
        cls,
        places: str,
        width: int,
        height: int,
        length: int,
        fps: float,
        keyframes: Sequence[Tensor] = (),
        before: Tensor | None = None,
        after: Tensor | None = None,
        kept: int = 9,
        reference: Tensor | None = None,
    ) -> io.NodeOutput:
        size = width, height
        vace.check(length, size)
        head = [] if before is None else [before[-kept:]]
        tail = [] if after is None else [after[:kept]]
        if not (keyframes or head or tail):
            raise InputError("no picture was given: connect keyframes, or a clip as before or after")
        span = Span(length, exact_rate(fps), sum(map(len, head)), sum(map(len, tail)))
        count = sum(map(len, keyframes))
        if span.before + span.after + count >= length:
            raise InputError(
                f"a length of {length} frames was asked for, all filled by keyframes ({count}), before ({span.before}) and "
                f"after ({span.after}): ask for a longer clip, or keep fewer frames"
            )
        found = span.places(places, count)
        needed = 2 * length * height * width * 3 * 4  # this one in floats, and the copy that WanVaceToVideo makes
        bridge.fits(needed, f"control videos of {length} frames of {width}x{height}", "ask for fewer frames, or a smaller size")
        known = chain(
            enumerate(pictures_of(head, size)),
            zip((place.frame for place in found), pictures_of(keyframes, size), strict=True),
            enumerate(pictures_of(tail, size), start=length - span.after),
        )
        video, unknown = vace.control(known, length, size)
        images = video.movedim(1, -1)
        shown = None if reference is None else vace.reference(coloured(bridge.checked(reference[:1]))[0].cpu(), size)
        return io.NodeOutput(
            images,
            bridge.per_frame(unknown.tolist(), images),
            None if shown is None else shown.movedim(0, -1)[None],
            width,
            height,
            length,
            report_of(found, span),
        )


# --- LTX-Video ----------------------------------------------------------------------------------------------------------------


class LtxKeyframes(Node):
    LISTS = ("keyframes",)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenLtxKeyframes",
            display_name="Keyframes to LTX",
            category=CATEGORY,
            description="Has LTX-Video draw a clip through keyframes: becomes one LTXVAddGuide per keyframe, each with its "
            "frame index.",
            search_aliases=[
                "ltx-2",
                "ltxv",
                "ltxvaddguide",
                "frame_idx",
                "keyframes",
                "multiple keyframes",
                "first last frame",
            ],
            is_experimental=True,  # never run with published weights
            is_input_list=True,
            enable_expand=True,
            inputs=[
                io.Conditioning.Input("positive", tooltip="From LTXVConditioning."),
                io.Conditioning.Input("negative", tooltip="From LTXVConditioning."),
                io.Vae.Input("vae", tooltip="The video VAE of LTX."),
                io.Latent.Input("latent", tooltip="The empty clip, from EmptyLTXVLatentVideo: it sets size and length."),
                keyframes_input(),
                places_input(),
                inputs.rate_input(
                    "fps", 25.0, "Frames per second of the clip, for places in seconds: as LTXVConditioning has it."
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How closely the clip follows the keyframes. ComfyUI's own templates use 0.7.",
                ),
                io.Boolean.Input(
                    "align",
                    default=False,
                    optional=True,
                    tooltip="On: moves each keyframe to the nearest multiple of 8, where a latent of LTX ends. The report says "
                    "how far.",
                ),
            ],
            outputs=[
                io.Conditioning.Output("positive", tooltip="With the keyframes. LTXVCropGuides takes them out after sampling."),
                io.Conditioning.Output("negative", tooltip="With the keyframes. LTXVCropGuides takes them out after sampling."),
                io.Latent.Output("latent", tooltip="The clip with the keyframes at its end, for the sampler."),
                report_output(),
            ],
        )

    @classmethod
    def execute(
        cls,
        positive: Any,
        negative: Any,
        vae: Any,
        latent: Mapping[str, Any],
        keyframes: Sequence[Tensor],
        places: str,
        fps: float,
        strength: float,
        align: bool = False,
    ) -> io.NodeOutput:
        length, size = shape_of(vae, latent)
        if any(row[1].get("keyframe_idxs") is not None for row in chain(positive, negative)):
            raise InputError("the conditioning holds keyframes already: give all of them to one Keyframes to LTX")
        span = Span(length, exact_rate(fps))
        found = span.places(places, sum(map(len, keyframes)))
        if align:
            found = snapped(found, EIGHT)
        graph = GraphBuilder()
        for place, picture in zip(found, pictures_of(keyframes, size), strict=True):
            guide = graph.node(
                "LTXVAddGuide",
                positive=positive,
                negative=negative,
                vae=vae,
                latent=latent,
                image=picture.movedim(0, -1)[None],
                frame_idx=place.frame,
                strength=strength,
            )
            positive, negative, latent = (guide.out(index) for index in range(3))
        return io.NodeOutput(positive, negative, latent, report_of(found, span), expand=graph.finalize())


def shape_of(vae: Any, latent: Mapping[str, Any]) -> tuple[int, Pixels]:
    """Frames and size (width, height) of the clip of a latent. Raises `InputError` unless both are of LTX's kind."""
    scales = getattr(vae, "downscale_index_formula", None)
    samples = latent["samples"]
    if not scales or scales[0] != EIGHT:
        raise InputError("the VAE is not LTX's: connect the VAE of its checkpoint")
    if samples.is_nested:
        raise InputError(
            "the latent holds sound too: connect EmptyLTXVLatentVideo's, and add sound with LTXVConcatAVLatent afterwards"
        )
    if samples.ndim != 5:
        raise InputError(f"a latent of shape {list(samples.shape)} was given: one of EmptyLTXVLatentVideo is needed")
    frames, height, width = samples.shape[2:]
    return (frames - 1) * EIGHT + 1, (width * scales[2], height * scales[1])
