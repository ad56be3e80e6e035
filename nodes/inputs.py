"""Inputs and outputs that several nodes have, so that the same thing has the same name, limits and words everywhere.

Knows nothing of what nodes do with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from comfy_api.latest import io

from .model import ModelType

USUAL = "23.976, 29.97 and 59.94 mean the exact NTSC rates."


def image_inputs(model: str = "The model that makes the new frames.") -> list[io.Input]:
    """What frames are made of: a ``model``, of which that is said, frames and their rate."""
    return [
        ModelType.Input("model", tooltip=model),
        io.Image.Input("images", tooltip="The frames, in order: grey, colour, or colour with alpha."),
        source_fps_input(),
    ]


def video_inputs(model: str = "The model that makes the new frames.") -> list[io.Input]:
    """What a video is made of: a ``model``, of which that is said, and a video."""
    return [
        ModelType.Input("model", tooltip=model),
        io.Video.Input("video", tooltip="The video. A trimmed one is read from where it starts to where it ends."),
    ]


def times_input() -> io.Int.Input:
    """How many times as many frames."""
    return io.Int.Input(
        "times",
        default=2,
        min=1,
        max=256,
        tooltip="How many frames there will be for each one there is: 2 puts one new frame between each pair, 4 puts three.",
    )


def rate_input(name: str, default: float, tooltip: str, *, least: float = 0.01, optional: bool = False) -> io.Float.Input:
    """A frame rate, which `vfi.timing.grids.exact_rate` reads; ``name`` is its id, and its display name with spaces."""
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
    """The frame rate of an IMAGE, which has none of its own."""
    return rate_input(
        "source_fps",
        24.0,
        "Frames a second of the images, such as the fps of Get Video Components. 23.976 means 24000/1001, the exact NTSC rate.",
    )


def target_fps_input(tooltip: str, default: float = 60.0) -> io.Float.Input:
    """The frame rate that is wanted."""
    return rate_input("target_fps", default, f"Frames a second wanted. {tooltip}")


def codec_inputs() -> list[io.Input]:
    """How a new video is encoded."""
    return [
        io.Combo.Input(
            "codec",
            options=["h264", "hevc", "av1", "vp9"],
            default="h264",
            optional=True,
            advanced=True,
            tooltip="What the new video is encoded with. h264 plays everywhere; hevc and av1 are smaller and slower.",
        ),
        io.Int.Input(
            "crf",
            default=18,
            min=0,
            max=51,
            optional=True,
            advanced=True,
            tooltip="Quality of the encoding: lower is better and larger. 18 looks like the source with h264.",
        ),
    ]


def image_outputs(told: str) -> list[io.Output]:
    """New frames, how fast to play them, how many they are, and which of them are the source's; ``told`` says what they are."""
    return [
        io.Image.Output("images", tooltip=told),
        io.Float.Output("fps", tooltip="Frames a second to play them at."),
        io.Int.Output("count", tooltip="How many frames there are."),
        io.Mask.Output(
            "originals",
            tooltip="One mask a frame: white where the frame is one of the source's, black where it is new. Inverted, it lets "
            "a later node work on the new frames alone.",
        ),
    ]


def times_output() -> io.String.Output:
    """When what a frame shows is in the source; `listed_times` writes it."""
    return io.String.Output("times", tooltip="What each frame shows: the second of the source, a line for each.")


def listed_times(seconds: Iterable[Fraction]) -> str:
    """Seconds, a line each."""
    return "\n".join(f"{float(second):.6f}" for second in seconds)


def video_outputs(told: str) -> list[io.Output]:
    """A new video, its frame rate and how many frames it has; ``told`` says what it is."""
    return [
        io.Video.Output("video", tooltip=f"{told}, in a temporary file. Save Video copies it as it is."),
        io.Float.Output("fps", tooltip="Its frames a second, on average."),
        io.Int.Output("count", tooltip="How many frames it has."),
    ]
