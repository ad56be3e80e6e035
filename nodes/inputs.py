"""Inputs and outputs shared by several nodes, so that the same thing has the same name, limits and wording everywhere.

Knows nothing of what nodes do with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from comfy_api.v0_0_2 import io

from ..vfi.model.drawing import DRAWINGS
from ..vfi.model.pace import PACES
from .model import ModelType

USUAL = "23.976, 29.97 and 59.94 mean the exact NTSC rates."


def model_input(tooltip: str) -> io.Input:
    """The model, which may be left out; `load.usual` reads the answer."""
    return ModelType.Input("model", optional=True, tooltip=f"{tooltip} If none is connected: auto, the best model on disk.")


def image_inputs(model: str = "The model that makes the new frames.") -> list[io.Input]:
    """The source of new frames: a ``model``, with this tooltip, frames and their rate."""
    return [
        model_input(model),
        io.Image.Input("images", tooltip="The frames, in order: greyscale, RGB or RGBA."),
        source_fps_input(),
    ]


def video_inputs(model: str = "The model that makes the new frames.") -> list[io.Input]:
    """The source of a new video: a ``model``, with this tooltip, and a video."""
    return [
        model_input(model),
        io.Video.Input("video", tooltip="The video. If it is trimmed, only the trimmed part is read."),
    ]


def times_input() -> io.Int.Input:
    """The factor that multiplies the number of frames."""
    return io.Int.Input(
        "times",
        default=2,
        min=1,
        max=256,
        tooltip="Output frames per source frame: 2 puts one new frame between each pair, 4 puts three.",
    )


def pace_input() -> io.Combo.Input:
    """How the frames around a pair time its pixels, one of `vfi.model.pace.PACES`."""
    return io.Combo.Input(
        "pace",
        options=list(PACES),
        default="off",
        optional=True,
        advanced=True,
        tooltip="off: motion is even between two frames. auto: every pixel gets a time of its own, from the frames before and "
        "after the pair, so that motion speeds up and slows down smoothly. holds: the same, and drawings on twos or threes "
        "stay so. It needs a model of two frames: any but FLAVR.",
    )


def rate_input(name: str, default: float, tooltip: str, *, least: float = 0.01, optional: bool = False) -> io.Float.Input:
    """A frame rate, read by `vfi.timing.grids.exact_rate`; ``name`` is its id and, with spaces, its display name."""
    return io.Float.Input(
        name,
        display_name=name.replace("_", " "),
        default=default,
        min=least,
        max=1000.0,
        step=0.001,
        optional=optional,
        tooltip=tooltip,
    )


def source_fps_input() -> io.Float.Input:
    """The frame rate of an IMAGE, which does not carry one."""
    return rate_input(
        "source_fps",
        24.0,
        "Frames per second of the images, e.g. the fps of Get Video Components. 23.976 means 24000/1001, the exact NTSC rate.",
    )


def target_fps_input(tooltip: str, default: float = 60.0) -> io.Float.Input:
    """The frame rate of the output."""
    return rate_input("target_fps", default, f"Output frames per second. {tooltip}")


def codec_inputs() -> list[io.Input]:
    """The encoder settings of a new video."""
    return [
        io.Combo.Input(
            "codec",
            options=["h264", "hevc", "av1", "vp9"],
            default="h264",
            optional=True,
            advanced=True,
            tooltip="Codec of the new video. h264 plays everywhere; hevc and av1 make smaller files and encode more slowly.",
        ),
        io.Int.Input(
            "crf",
            default=18,
            min=0,
            max=51,
            optional=True,
            advanced=True,
            tooltip="Encoding quality: a lower number is better and the file larger. 18 looks like the source with h264.",
        ),
    ]


def drawing_input() -> io.Combo.Input:
    """Whether new frames stay drawings; `model.Drawing` takes the answer."""
    return io.Combo.Input(
        "drawing",
        options=list(DRAWINGS),
        default="auto",
        optional=True,
        advanced=True,
        tooltip="For line art and flat colour: new frames take each part from one of the two frames instead of blending, so "
        "that lines and colours stay as drawn. auto: where both frames are flat-coloured.",
    )


def image_outputs(told: str) -> list[io.Output]:
    """New frames, with ``told`` as their tooltip, their rate, their number, and a mask of those that are the source's."""
    return [
        io.Image.Output("images", tooltip=told),
        io.Float.Output("fps", tooltip="Frames per second to play them at."),
        io.Int.Output("count", tooltip="Number of frames."),
        io.Mask.Output(
            "originals",
            tooltip="One mask per frame: white for a frame of the source, black for a new one. Invert it to have a later node "
            "work on only the new frames.",
        ),
    ]


def times_output() -> io.String.Output:
    """The source time of each output frame; `listed_times` writes it."""
    return io.String.Output("times", tooltip="The source time, in seconds, shown by each output frame; one per line.")


def listed_times(seconds: Iterable[Fraction]) -> str:
    """Seconds as text, one per line."""
    return "\n".join(f"{float(second):.6f}" for second in seconds)


def video_outputs(told: str) -> list[io.Output]:
    """A new video, its frame rate and its number of frames; ``told`` says what it is."""
    return [
        io.Video.Output("video", tooltip=f"{told}, in a temporary file. Save Video copies it as is."),
        io.Float.Output("fps", tooltip="Its average frame rate."),
        io.Int.Output("count", tooltip="Number of frames."),
    ]
