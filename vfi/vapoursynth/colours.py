"""The colours that a model takes, and back: any constant format of VapourSynth to planar RGB of 8 bits or floats.

Conversions are VapourSynth's own, with the matrix, range and chroma location that each frame states. Knows nothing of time or
of models.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import vapoursynth as vs

from ..serve.maker import Picture, Plane

LARGE = (576, 1024)
"""The height and width up to which a frame that states no matrix has that of Rec. 601, as players guess; beyond it is 709."""

REC601, REC709, UNSTATED = 6, 1, 2


def matrix(clip: vs.VideoNode) -> int:
    """The matrix of frames that state none."""
    return REC601 if clip.height <= LARGE[0] and clip.width <= LARGE[1] else REC709


def small(clip: vs.VideoNode, height: int, width: int) -> vs.VideoNode:
    """The clip as RGBS of another size."""
    if clip.format.color_family == vs.RGB:
        return _plain(clip).resize.Bilinear(width, height, format=vs.RGBS)
    return clip.resize.Bilinear(width, height, format=vs.RGBS, matrix_in=matrix(clip))


def to_rgb(clip: vs.VideoNode) -> vs.VideoNode:
    """The clip as RGB24, RGBH or RGBS: unchanged if it is that."""
    form = clip.format
    if form.color_family == vs.RGB:
        return clip if form.id in (vs.RGB24, vs.RGBH, vs.RGBS) else _plain(clip).resize.Point(format=vs.RGBS)
    if form.color_family == vs.GRAY:
        grey = clip if form.id == vs.GRAY8 else clip.resize.Point(format=vs.GRAYS)
        return vs.core.std.ShufflePlanes([grey] * 3, [0, 0, 0], vs.RGB)
    return clip.resize.Bicubic(format=vs.RGBS, matrix_in=matrix(clip))


def back(made: vs.VideoNode, source: vs.VideoNode, clip: vs.VideoNode) -> vs.VideoNode:
    """``made``, which is of the format of `to_rgb`, in the format of ``clip``; each frame as that of ``source`` states."""
    form = clip.format
    if form.color_family == vs.RGB:
        if made.format.id == form.id:
            return made
        return _per_frame(made, source, clip, lambda found: made.resize.Point(format=form.id, range_s=found["range_s"]))
    if form.color_family == vs.GRAY:
        grey = vs.core.std.ShufflePlanes(made, 0, vs.GRAY)
        if form.id == vs.GRAY8:
            return grey
        return _per_frame(grey, source, clip, lambda found: grey.resize.Point(format=form.id, range_s=found["range_s"]))
    return _per_frame(made, source, clip, lambda found: made.resize.Bicubic(format=form.id, **found))


def full(props: Any, otherwise: bool) -> bool:
    """Whether a frame states full range; ``_ColorRange`` is what VapourSynth called it before R74."""
    stated = props.get("_Range")
    if stated is not None:
        return bool(stated == 1)
    stated = props.get("_ColorRange")
    return otherwise if stated is None else bool(stated == 0)


def picture(frame: vs.VideoFrame) -> Picture:
    """A frame of `to_rgb` and its alpha."""
    rgb = np.stack([np.asarray(frame[plane]) for plane in range(3)])
    rgb = rgb if rgb.dtype == np.uint8 else rgb.astype(np.float32)
    alpha = frame.props.get("_Alpha")
    if alpha is None:
        return Picture(rgb)
    if alpha.format.color_family != vs.GRAY or (alpha.width, alpha.height) != (frame.width, frame.height):
        raise vs.Error(
            f"the alpha of a frame is {alpha.format.name}, {alpha.width} x {alpha.height}: "
            f"it must be grey, {frame.width} x {frame.height}"
        )
    plane: Plane = np.asarray(alpha[0])
    if rgb.dtype == np.uint8 and plane.dtype == np.uint8 and full(alpha.props, True):
        return Picture(rgb, plane[None].copy())
    low, high = _levels(alpha)
    straight = ((plane[None].astype(np.float32) - low) / (high - low)).clip(0, 1)
    return Picture(rgb, (straight * 255).round().astype(np.uint8) if rgb.dtype == np.uint8 else straight.astype(np.float32))


def filled(frame: vs.VideoFrame, made: Picture, *, grey: bool, alpha: vs.VideoFrame | None) -> vs.VideoFrame:
    """A copy of ``frame`` that shows ``made``; of a ``grey`` one, each plane is the mean. Its alpha is like ``alpha``."""
    planes = made.rgb
    if grey:
        mean = planes.mean(axis=0, dtype=np.float32)
        planes = np.stack([mean.round() if planes.dtype == np.uint8 else mean] * 3)
    out = frame.copy()
    for number, plane in enumerate(planes):
        np.asarray(out[number])[...] = plane
    if made.alpha is not None and alpha is not None:
        low, high = _levels(alpha)
        straight = made.alpha[0].astype(np.float32) / (255 if made.alpha.dtype == np.uint8 else 1)
        levels = straight * (high - low) + low
        moved = alpha.copy()
        np.asarray(moved[0])[...] = levels.round() if alpha.format.sample_type == vs.INTEGER else levels
        out.props["_Alpha"] = moved
    return out


def _plain(clip: vs.VideoNode) -> vs.VideoNode:
    """A clip of RGB that says so: one that was converted carelessly still states the matrix of YUV."""
    return clip.std.SetFrameProps(_Matrix=0)


def _levels(alpha: vs.VideoFrame) -> tuple[float, float]:
    """The numbers of transparent and opaque."""
    if alpha.format.sample_type == vs.FLOAT:
        return 0.0, 1.0
    bits = alpha.format.bits_per_sample
    return (0.0, 2.0**bits - 1) if full(alpha.props, True) else (16.0 * 2 ** (bits - 8), 235.0 * 2 ** (bits - 8))


def _per_frame(
    made: vs.VideoNode, source: vs.VideoNode, clip: vs.VideoNode, convert: Callable[[dict[str, Any]], vs.VideoNode]
) -> vs.VideoNode:
    """What ``convert`` makes of ``made``, for what each frame of ``source`` states."""
    known: dict[tuple[Any, ...], vs.VideoNode] = {}

    def converted(n: int, f: vs.VideoFrame) -> vs.VideoNode:
        stated = f.props.get("_Matrix", UNSTATED)
        limited = not full(f.props, clip.format.color_family == vs.RGB)
        found = {
            "matrix": int(matrix(clip) if stated == UNSTATED else stated),
            "range_s": "limited" if limited else "full",
        }
        if clip.format.subsampling_w or clip.format.subsampling_h:
            found["chromaloc"] = int(f.props.get("_ChromaLocation", 0))
        key = tuple(found.values())
        if key not in known:
            known[key] = convert(found)
        return known[key]

    blank = vs.core.std.BlankClip(clip, length=made.num_frames, fpsnum=0, fpsden=1, keep=True)
    return blank.std.FrameEval(converted, prop_src=source)
