"""Transfer functions: code values to linear light and back.

Each curve is a pair of inverses on tensors of any shape and float dtype, with the constants of its published definition.
Knows nothing of frames, primaries or files.

Light is relative. For camera curves, 1 is a white surface of 100 % reflectance and 0.18 is mid grey; for display curves, 1 is
the display's white. PQ is absolute: 1 is 100 cd/m2, and codes 0..1 reach 100.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from ..core import InputError

Change: TypeAlias = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Colour:
    """Colour tags as found: codes of ITU-T H.273, where 2 is unspecified. ``full`` is None if no range is tagged."""

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    full: bool | None = None


UNTAGGED = Colour()


@dataclass(frozen=True, eq=False)
class Transfer:
    """A pair of inverses: ``light`` maps code values to linear light, ``code`` maps them back."""

    name: str
    light: Change
    code: Change


def _mirrored(change: Change) -> Change:
    """``change`` extended to negative values by symmetry."""
    return lambda values: change(values.abs()).copysign(values)


def _power(name: str, gamma: float) -> Transfer:
    """A pure power law, as of a display."""
    return Transfer(name, _mirrored(lambda code: code**gamma), _mirrored(lambda light: light ** (1 / gamma)))


def _toed(name: str, slope: float, offset: float, gamma: float, cut: float) -> Transfer:
    """A power law with an offset; below ``cut`` in light, a line of ``slope``."""

    def light(code: Tensor) -> Tensor:
        return torch.where(code <= slope * cut, code / slope, ((code + offset) / (1 + offset)) ** gamma)

    def code(light: Tensor) -> Tensor:
        return torch.where(light <= cut, light * slope, (1 + offset) * light ** (1 / gamma) - offset)

    return Transfer(name, _mirrored(light), _mirrored(code))


def _logarithm(
    name: str, *, gain: float, inside: float, scale: float, outside: float, cut: float, slope: float, zero: float
) -> Transfer:
    """A camera curve, ``scale * log10(gain * light + inside) + outside``; below ``cut`` in light, ``slope * light + zero``."""
    least = gain * cut + inside
    bend = slope * cut + zero

    def light(code: Tensor) -> Tensor:
        curved = (10 ** ((code - outside) / scale) - inside) / gain
        return torch.where(code < bend, (code - zero) / slope, curved)

    def code(light: Tensor) -> Tensor:
        curved = scale * (gain * light + inside).clamp(min=least).log10() + outside
        return torch.where(light < cut, slope * light + zero, curved)

    return Transfer(name, light, code)


# SMPTE ST 2084:2014, section 5; also BT.2100, table 4.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def _pq_light(code: Tensor) -> Tensor:
    root = code.clamp(0, 1.2) ** (1 / _M2)  # the curve has a pole at 1.9
    return 100 * ((root - _C1).clamp(min=0) / (_C2 - _C3 * root)) ** (1 / _M1)


def _pq_code(light: Tensor) -> Tensor:
    root = (light.clamp(min=0) / 100) ** _M1
    return ((_C1 + _C2 * root) / (1 + _C3 * root)) ** _M2


# ARIB STD-B67; BT.2100, table 5. Scene light, 1 at the largest code: BT.2100's system gamma is left to the display.
_A = 0.17883277
_B, _C = 1 - 4 * _A, 0.5 - _A * math.log(4 * _A)


def _hlg_light(code: Tensor) -> Tensor:
    return torch.where(code <= 0.5, code**2 / 3, (((code - _C) / _A).exp() + _B) / 12)


def _hlg_code(light: Tensor) -> Tensor:
    return torch.where(light <= 1 / 12, (3 * light).sqrt(), _A * (12 * light - _B).clamp(min=_A).log() + _C)


def _logc4() -> Transfer:
    """ARRI, LogC4 Logarithmic Color Space Specification (2022), section 3: log2 as log10, its line as slope and zero."""
    a, b, c = (2**18 - 16) / 117.45, (1023 - 95) / 1023, 95 / 1023
    s = 7 * math.log(2) * 2 ** (7 - 14 * c / b) / (a * b)
    t = (2 ** (14 * -c / b + 6) - 64) / a
    scale = b / 14
    return _logarithm(
        "logc4", gain=a, inside=64, scale=scale / math.log10(2), outside=c - 6 * scale, cut=t, slope=1 / s, zero=-t / s
    )


_SLOG3_BEND = (171.2102946929 - 95) / 0.01125

TRANSFERS = {
    curve.name: curve
    for curve in (
        Transfer("linear", torch.clone, torch.clone),
        _toed("srgb", 12.92, 0.055, 2.4, 0.0031308),  # IEC 61966-2-1; mirrored below 0, as in its amendment 1
        _power("bt1886", 2.4),  # BT.1886 with a black of 0: the display curve of BT.709 and BT.601 video
        _toed("bt709", 4.5, 0.09929682680944, 1 / 0.45, 0.018053968510807),  # BT.709 and BT.2020: the camera curve
        _power("gamma2.2", 2.2),
        _power("gamma2.6", 2.6),
        _power("gamma2.8", 2.8),
        Transfer("pq", _pq_light, _pq_code),
        Transfer("hlg", _mirrored(_hlg_light), _mirrored(_hlg_code)),
        _logarithm(  # ARRI, ALEXA Log C Curve: Usage in VFX (2012), scene exposure at EI 800
            "logc3",
            gain=5.555556,
            inside=0.052272,
            scale=0.247190,
            outside=0.385537,
            cut=0.010591,
            slope=5.367655,
            zero=0.092809,
        ),
        _logc4(),
        _logarithm(  # Sony, Technical Summary for S-Gamut3.Cine/S-Log3, appendix
            "slog3",
            gain=1 / 0.19,
            inside=0.01 / 0.19,
            scale=261.5 / 1023,
            outside=420 / 1023,
            cut=0.01125,
            slope=_SLOG3_BEND / 1023,
            zero=95 / 1023,
        ),
        _logarithm(  # Panasonic, V-Log/V-Gamut Reference Manual (2014), section 2
            "vlog", gain=1, inside=0.00873, scale=0.241514, outside=0.598206, cut=0.01, slope=5.6, zero=0.125
        ),
        _logarithm(  # RED, White Paper on REDWideGamutRGB and Log3G10 (2018)
            "log3g10",
            gain=155.975327,
            inside=1 + 1.55975327,
            scale=0.224282,
            outside=0,
            cut=-0.01,
            slope=15.1927,
            zero=0.151927,
        ),
    )
}
"""The curves by name."""

# By transfer code of ITU-T H.273, table 3. The codes of BT.709 and BT.601 mean the display curve: video is graded on a display.
TAGGED = {
    **dict.fromkeys((1, 6, 7, 11, 12, 14, 15), "bt1886"),
    4: "gamma2.2",
    5: "gamma2.8",
    8: "linear",
    13: "srgb",
    16: "pq",
    17: "gamma2.6",
    18: "hlg",
}


def named(name: str) -> Transfer:
    """The curve called ``name``. Raises `InputError`."""
    if name not in TRANSFERS:
        raise InputError(f"{name!r} is not a transfer function: choose from {', '.join(TRANSFERS)}")
    return TRANSFERS[name]
