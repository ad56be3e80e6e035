"""FFmpeg's ``minterpolate`` filter as a baseline: what many people use, measured beside the models.

It is no model that makes clips: only the bench knows it. The filter runs in PyAV, so no ffmpeg command is needed. Knows nothing
of scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor

from ..core import InputError, Spec
from ..pixels.metrics import in_8_bits

BASELINES = {
    "minterpolate-mci": "mi_mode=mci",
    "minterpolate-aobmc": "mi_mode=mci:mc_mode=aobmc:vsbmc=1",
    "minterpolate-bidir": "mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1",
}
"""Names and options: the filter's defaults; adaptive blocks of variable size; and what most guides advise. The filter heeds
aobmc and vsbmc only with bilateral motion, its default, so that the last measures the same without them."""

ENDS = 3
"""How often the outer frames are repeated on either side: the filter looks at two frames before a pair and two after."""

SMALLEST = 32
"""Least side of a picture, two of the filter's blocks: it refuses smaller ones."""


class Minterpolate:
    """The filter as an interpolator: window [1,N,3,H,W], N even and any, 0..1, and t [1] in (0,1) give [1,3,H,W].

    The filter sees all frames of the window, then their ends repeated, as 8-bit 4:4:4 of full range, so that no chroma is
    lost. Its search for scene changes is off: no set holds one, and a wrong one would cost it a frame. Raises `InputError` for
    an unknown name, a picture with a side below 32 pixels, or an FFmpeg without the filter.
    """

    def __init__(self, name: str) -> None:
        if name not in BASELINES:
            raise InputError(f"{name!r} is not a baseline: give one of {', '.join(BASELINES)}")
        if "minterpolate" not in av.filter.filters_available:
            raise InputError(f"{name} was given: the FFmpeg inside PyAV has no filter minterpolate")
        self.spec = Spec(name, licence="LGPL-2.1-or-later")
        self.options = BASELINES[name]

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        (frames,), (at,) = window, t.tolist()
        place = Fraction(float(at)).limit_denominator(64)
        begin = len(frames) // 2 - 1
        pictures = [_picture(rgb) for rgb in frames]
        padded = [pictures[0]] * ENDS + pictures + [pictures[-1]] * ENDS
        wanted = (ENDS + begin + place) * place.denominator
        made = dict(self._run(padded, place.denominator))
        if wanted.numerator not in made:
            raise InputError(f"{self.spec.name} made no frame at t = {place}")
        return torch.from_numpy(made[wanted.numerator]).movedim(-1, 0)[None].float() / 255

    def _run(self, pictures: Sequence[Any], rate: int) -> Iterator[tuple[int, Any]]:
        """Each frame that the filter makes of one picture per second, [H,W,3] uint8, and its number at ``rate``."""
        height, width = pictures[0].shape[:2]
        if min(height, width) < SMALLEST:
            raise InputError(f"a picture of {width}x{height} was given: minterpolate needs sides of {SMALLEST} pixels or more")
        graph = av.filter.Graph()
        graph.threads = 1
        begin = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=Fraction(1, 1))
        filters = [("format", "yuvj444p"), ("minterpolate", f"fps={rate}:scd=none:{self.options}"), ("format", "rgb24")]
        end = graph.add("buffersink")
        graph.link_nodes(begin, *(graph.add(*one) for one in filters), end).configure()
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 1)
            begin.push(frame)
            yield from _ready(end, rate)
        begin.push(None)
        yield from _ready(end, rate)


def _ready(end: Any, rate: int) -> Iterator[tuple[int, Any]]:
    """The frames that a filter graph has ready."""
    while True:
        try:
            frame = end.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        yield round(frame.pts * frame.time_base * rate), frame.to_ndarray(format="rgb24")


def _picture(rgb: Tensor) -> Any:
    """A picture [3,H,W], 0..1, as [H,W,3] uint8."""
    return np.ascontiguousarray(in_8_bits(rgb).to(torch.uint8).movedim(0, -1).cpu().numpy())
