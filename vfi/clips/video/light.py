"""The static metadata of HDR10: read from a decoded picture, and given to the encoders that write it.

Owns their binary and textual forms. Knows nothing of transfer functions: values are carried, not used.
"""

from __future__ import annotations

from fractions import Fraction
from struct import Struct

import av

from ..clip import Light
from .carried import carried_by

DISPLAY = Struct("=22i")
"""FFmpeg's AVMasteringDisplayMetadata: ten fractions, red, green, blue and white as x and y, lowest and highest luminance; then
whether the colours and whether the luminances are set."""

LEVELS = Struct("=2I")
"""FFmpeg's AVContentLightMetadata: MaxCLL and MaxFALL."""

DYNAMIC = {
    "DOVI_RPU_BUFFER": "Dolby Vision",
    "DOVI_METADATA": "Dolby Vision",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
}
"""Metadata that change per frame, which no in-between frame could take over."""

ENCODERS = {
    "h264": ("x264-params", "mastering-display", "cll", False),
    "hevc": ("x265-params", "master-display", "max-cll", False),
    "av1": ("svtav1-params", "mastering-display", "content-light", True),
}
"""By codec: the encoder's option, its names for the display and the levels, and whether it takes the display in plain units."""

STEP, LUMINANCE = 50_000, 10_000
"""Units of ST 2086 as bitstreams count: of chromaticity, and per cd/m2."""


def light_of(picture: av.VideoFrame) -> Light:
    """What a decoded picture carries of it; impossible values count as missing."""
    display: tuple[Fraction, ...] | None = None
    levels: tuple[int, int] | None = None
    dynamic: list[str] = []
    try:
        carried = carried_by(picture)
    except ValueError:  # PyAV refuses all if one is of a kind that it does not know, such as the Exif of an image
        return Light()
    for kind, raw in carried:
        if kind in DYNAMIC:
            dynamic.append(DYNAMIC[kind])
        elif kind == "MASTERING_DISPLAY_METADATA" and len(raw) >= DISPLAY.size:
            *numbers, coloured, lit = DISPLAY.unpack_from(raw)
            pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
            if coloured and lit and all(below > 0 for _, below in pairs):
                display = tuple(Fraction(above, below) for above, below in pairs)
                display = display if _possible(display) else None
        elif kind == "CONTENT_LIGHT_LEVEL" and len(raw) >= LEVELS.size:
            most, average = LEVELS.unpack_from(raw)
            levels = (most, average) if 0 < max(most, average) < 2**16 else None
    return Light(display, levels, tuple(dict.fromkeys(dynamic)))


def _possible(display: tuple[Fraction, ...]) -> bool:
    *colours, lowest, highest = display
    return all(0 <= value <= 1 for value in colours) and 0 <= lowest < highest <= 10_000


def options_for(codec: str, light: Light) -> dict[str, str]:
    """The encoder's option that writes ``light``; none if there is nothing to write or the codec cannot."""
    if codec not in ENCODERS or (light.display is None and light.levels is None):
        return {}
    option, display, levels, plain = ENCODERS[codec]
    values = []
    if light.display is not None:
        red, green, blue, white = (light.display[place : place + 2] for place in (0, 2, 4, 6))
        lowest, highest = light.display[8:]
        named = (
            ("G", green, STEP),
            ("B", blue, STEP),
            ("R", red, STEP),
            ("WP", white, STEP),
            ("L", (highest, lowest), LUMINANCE),
        )
        values.append(f"{display}={''.join(_coded(name, pair, 0 if plain else unit) for name, pair, unit in named)}")
    if light.levels is not None:
        values.append(f"{levels}={light.levels[0]},{light.levels[1]}")
    return {option: ":".join(values)}


def _coded(name: str, pair: tuple[Fraction, ...], unit: int) -> str:
    """A pair of values in ``unit``; 0: as they are."""
    one, other = (f"{float(value):.6f}" if not unit else str(round(value * unit)) for value in pair)
    return f"{name}({one},{other})"


def left_out(light: Light, codec: str = "") -> str | None:
    """A note that names what an output in ``codec`` does not keep; "" is images. None if it keeps all."""
    static = (("mastering display", light.display), ("content light level", light.levels))
    lost = [] if codec in ENCODERS else [f"the {name}" for name, value in static if value is not None]
    lost += [f"the dynamic metadata of {name}" for name in light.dynamic]
    return f"not kept of the clip's HDR metadata: {', '.join(lost)}" if lost else None
