"""Motion blur: each output frame is the mean of the light that arrives while the shutter is open.

An exposure begins at the frame's own time, as in a film camera, and lasts angle / 360 of the time until the next frame. It is
sampled at evenly spaced instants, which any model can make. Owns the choice of those instants and their mean; knows nothing
of models or of how frames are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from heapq import merge
from itertools import groupby

from torch import Tensor, ones_like

from ..core import Frame, InputError
from ..pixels.transfer import Transfer
from ..pixels.uint8 import floats, like
from .grids import Grid, Knots, Subdivide, Tail, Uniform


@dataclass(frozen=True)
class Shutter:
    """A shutter that is open for ``angle`` of 360 degrees, sampled at ``samples`` instants, the first when it opens.

    Moving edges show steps if they move further than a pixel or two between samples. Raises `InputError` unless ``angle`` is
    above 0 and at most 360, and ``samples`` at least 2.
    """

    angle: Fraction = Fraction(180)
    samples: int = 8

    def __post_init__(self) -> None:
        if not 0 < self.angle <= 360:
            raise InputError(f"a shutter angle of {float(self.angle):g} degrees was given: it must be above 0 and at most 360")
        if self.samples < 2:
            raise InputError(f"{self.samples} samples per exposure were given: at least 2 are needed")

    def grid(self, outputs: Grid) -> Exposures:
        """The grid that samples the exposures of ``outputs``. Raises `InputError` if these follow a curve."""
        if not isinstance(outputs, Subdivide | Uniform):
            raise InputError("a shutter needs evenly spaced outputs: use a multiple or a frame rate, not a curve")
        open_for = self.angle / 360
        return Exposures(tuple(replace(outputs, late=open_for * k / self.samples) for k in range(self.samples)))


@dataclass(frozen=True)
class Exposures:
    """Grids that sample the same outputs at different moments of the exposure; all moments of an output share its time."""

    moments: tuple[Subdivide | Uniform, ...]

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        return merge(*(grid.within(start, end, first) for grid in self.moments), key=lambda pair: (pair[1], pair[0]))

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return self.moments[0].count(frames, span, tail)

    def knots(self, span: Fraction) -> Knots:
        return self.moments[0].knots(span)


def exposed(frames: Iterable[Frame], curve: Transfer) -> Iterator[Frame]:
    """Average consecutive frames that share a time into one, in linear light.

    ``curve`` is the transfer function of the code values. An exposure ends at a cut: frames of another shot than its first
    are left out. Alpha is averaged, and colours are weighted by it. A picture that does not change stays untouched. Holds one
    frame.
    """
    spacing = Fraction(0)
    for _, moments in groupby(frames, key=lambda frame: frame.time):
        exposure = _Exposure(curve)
        for frame in moments:
            spacing = frame.duration or spacing
            exposure.add(frame)
        yield replace(exposure.frame(), duration=spacing)


class _Exposure:
    """The mean of frames in linear light; nothing is computed until a frame differs from the first."""

    def __init__(self, curve: Transfer) -> None:
        self._curve = curve
        self._first: Frame | None = None
        self._same = self._count = 0
        self._light: Tensor | None = None
        self._alpha: Tensor | None = None

    def add(self, frame: Frame) -> None:
        first = self._first = self._first or frame
        if frame.shot != first.shot:
            return
        if self._light is None and frame.rgb is first.rgb:
            self._same += 1
            return
        if self._light is None:
            self._sum(first, first, self._same)
        self._sum(first, frame, 1)

    def frame(self) -> Frame:
        assert self._first is not None
        if self._light is None:
            return self._first
        alpha = None if self._alpha is None else self._alpha / self._count
        light = self._light / (self._count if self._alpha is None else self._alpha.clamp(min=1e-6))
        rgb = like(self._first.rgb, self._curve.code(light))
        return replace(self._first, rgb=rgb, alpha=alpha, doubt=None, made=True)

    def _sum(self, first: Frame, frame: Frame, times: int) -> None:
        light = self._curve.light(floats(frame.rgb))
        if first.alpha is not None:
            alpha = ones_like(light[:1]) if frame.alpha is None else floats(frame.alpha)
            self._alpha = alpha * times + (0 if self._alpha is None else self._alpha)
            light = light * alpha
        self._light = light * times + (0 if self._light is None else self._light)
        self._count += times
