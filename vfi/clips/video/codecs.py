"""Output formats: the codecs, the containers that hold them, and the pixel format that suits a clip best.

Policy only: nothing is opened or encoded here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import av

from ...core import InputError
from .. import yuv
from ..clip import Colour, Info


@dataclass(frozen=True)
class Codec:
    """An encoder and its properties.

    ``layouts``: its usable pixel formats. ``crf``: the default, None if it has no such option; ``worst``: the largest.
    ``even``: subsampled pictures must have even sides. ``full``: it can tag the range as full. ``repeatable``: options that the
    same frames need to always give the same bits.
    """

    encoder: str
    layouts: tuple[str, ...]
    crf: int | None = None
    worst: int = 0
    even: bool = False
    full: bool = True
    options: dict[str, str] = field(default_factory=dict)
    repeatable: dict[str, str] = field(default_factory=dict)


def _yuv(depths: tuple[int, ...], chromas: tuple[str, ...] = ("420", "422", "444"), alpha: str = "") -> tuple[str, ...]:
    return tuple(f"yuv{alpha}{chroma}p{'' if depth == 8 else f'{depth}le'}" for depth in depths for chroma in chromas)


CODECS = {
    # The mbtree of x264 (core 165), which tracks how much later frames refer to a macroblock, reads uninitialised memory and
    # races. A lookahead of 20 frames, as in its preset "faster", instead of 40 takes 60 MB less at 1280x720.
    "h264": Codec(
        "libx264",
        _yuv((8, 10)),
        crf=18,
        worst=51,
        even=True,
        options={"rc-lookahead": "20"},
        repeatable={"mbtree": "0"},
    ),
    "hevc": Codec("libx265", _yuv((8, 10, 12)), crf=20, worst=51, even=True, options={"x265-params": "log-level=error"}),
    "vp9": Codec("libvpx-vp9", (*_yuv((8, 10, 12)), "yuva420p"), crf=24, worst=63, options={"row-mt": "1", "cpu-used": "3"}),
    "av1": Codec("libsvtav1", _yuv((8, 10), ("420",)), crf=24, worst=63, options={"preset": "6"}),
    "ffv1": Codec(
        "ffv1",
        (
            *_yuv((8, 10, 12, 16)),
            *_yuv((8, 10, 16), alpha="a"),
            *("bgr0", "gbrp10le", "gbrp12le", "gbrp16le"),
            *("bgra", "gbrap10le", "gbrap12le", "gbrap16le"),
        ),
        options={"level": "3", "slicecrc": "1"},
    ),
    "prores": Codec("prores_ks", ("yuv422p10le", "yuv444p10le", "yuva444p10le"), full=False),
}

# By ending: FFmpeg's name of the container, and the codecs that can be written to it, the default first.
CONTAINERS = {
    ".mp4": ("mp4", ("h264", "hevc", "av1", "vp9")),
    ".m4v": ("mp4", ("h264", "hevc")),
    ".mov": ("mov", ("h264", "hevc", "prores")),
    ".mkv": ("matroska", ("h264", "hevc", "vp9", "av1", "ffv1", "prores")),
    ".webm": ("webm", ("vp9", "av1")),
}

# By a clip's chroma: the output's chroma, best first. RGB that cannot stay RGB becomes 4:2:0, which plays everywhere.
CHROMA = {
    "rgb": ("rgb", "420", "422", "444"),
    "grey": ("420", "422", "444", "rgb"),
    "420": ("420", "422", "444", "rgb"),
    "422": ("422", "444", "420", "rgb"),
    "444": ("444", "422", "420", "rgb"),
}


def choose(ending: str, name: str | None) -> str:
    """The codec ``name``, or the default of a file's ending. Raises `InputError` if the container cannot hold it."""
    if ending not in CONTAINERS:
        raise InputError(f"video files cannot end in {ending!r}: use one of {', '.join(CONTAINERS)}")
    held = CONTAINERS[ending][1]
    if name is not None and name not in CODECS:
        raise InputError(f"{name!r} is not a codec that can be written: choose from {', '.join(CODECS)}")
    if name is not None and name not in held:
        raise InputError(f"{ending} files cannot hold {name}: choose from {', '.join(held)}")
    return name or held[0]


def quality(name: str, crf: int | None, *, repeatable: bool = False) -> dict[str, str]:
    """The encoder's options for a codec at ``crf``; ``repeatable``: see `clip.Encoding`.

    Raises `InputError` if ``crf`` is out of range or the codec has none.
    """
    codec = CODECS[name]
    options = {**codec.options, **(codec.repeatable if repeatable else {})}
    if codec.crf is None:
        if crf is not None:
            raise InputError(f"{name} has no crf: its quality is fixed")
        return options
    crf = codec.crf if crf is None else crf
    if not 0 <= crf <= codec.worst:
        raise InputError(f"crf {crf} is out of range: {name} takes 0 to {codec.worst}")
    return {**options, "crf": str(crf)}


def layout_for(name: str, info: Info, depth: int) -> tuple[av.VideoFormat, list[str]]:
    """The pixel format that keeps most of a clip at ``depth`` bits per sample, and a note on each property it loses.

    Alpha counts first, then depth, then chroma. Raises `InputError` if the encoder is missing.
    """
    codec = CODECS[name]
    try:
        known = {layout.name for layout in av.codec.Codec(codec.encoder, "w").video_formats or ()}
    except av.codec.codec.UnknownCodecError as error:
        raise InputError(f"{name} cannot be written: this build of PyAV lacks {codec.encoder}") from error
    layouts = [av.VideoFormat(layout) for layout in codec.layouts if layout in known]
    if codec.even:
        layouts = [layout for layout in layouts if _divides(layout, info)]

    def loss(layout: av.VideoFormat) -> tuple[bool, bool, int, int]:
        bits = yuv.depth_of(layout)
        chroma = CHROMA[info.chroma].index(yuv.chroma_of(layout))
        return yuv.has_alpha(layout) != info.alpha, bits < depth, abs(bits - depth), chroma

    best = min(layouts, key=loss)
    notes = []
    if info.alpha and not yuv.has_alpha(best):
        notes.append(f"{name} has no alpha, so transparency is dropped: prores, ffv1, vp9 and PNG images keep it")
    if yuv.depth_of(best) < depth:
        notes.append(f"{name} is written with {yuv.depth_of(best)} bits per sample, not {depth}")
    if codec.even and info.chroma != "444" and (info.width % 2 or info.height % 2):
        notes.append(f"{info.width}x{info.height} is odd, so it is coded in 4:4:4, which some players cannot show")
    return best, notes


def tags_for(name: str, layout: av.VideoFormat, colour: Colour) -> Colour:
    """The colour tags of the output: those of the clip, if the pixel format and the codec allow it. RGB becomes BT.709."""
    if yuv.is_rgb(layout):
        return replace(colour, matrix=0, full=True)
    if colour.matrix == 0:
        return replace(colour, matrix=1, full=False)
    return colour if CODECS[name].full else replace(colour, full=False)


def _divides(layout: av.VideoFormat, info: Info) -> bool:
    across, down = yuv.subsampling(layout)
    return info.width % across == 0 and info.height % down == 0
