"""Motion blur: each output frame is the mean of the light that falls while the shutter is open.

An exposure begins at the frame's own time, as in a film camera, and lasts the shutter's angle over 360 degrees of the time
until the next frame. It is sampled at evenly spaced instants, which any model can make. Owns the choice of those instants
and their mean; knows nothing of models or of how frames are made.
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
    """A shutter that is open for ``angle`` degrees of 360, sampled at ``samples`` instants, the first when it opens.

    Moving edges show as steps when they move further than a pixel or two from one sample to the next. Raises `InputError`
    unless ``angle`` is above 0 and at most 360, and ``samples`` at least 2.
    """

    angle: Fraction = Fraction(180)
    samples: int = 8

    def __post_init__(self) -> None:
        if not 0 < self.angle <= 360:
            raise InputError(f"a shutter of {float(self.angle):g} degrees cannot be: it must be above 0 and at most 360")
        if self.samples < 2:
            raise InputError(f"{self.samples} samples of an exposure were asked for: at least 2 are needed")

    def grid(self, outputs: Grid) -> Exposures:
        """The instants at which the exposures of ``outputs`` are sampled. Raises `InputError` where these follow a curve."""
        if not isinstance(outputs, Subdivide | Uniform):
            raise InputError(
                "a shutter needs outputs at even steps of the input's time: times as many or a frame rate, no curve"
            )
        open_for = self.angle / 360
        return Exposures(tuple(replace(outputs, late=open_for * k / self.samples) for k in range(self.samples)))


@dataclass(frozen=True)
class Exposures:
    """Grids that sample the same outputs at different moments of the exposure; all moments of an output have its time."""

    moments: tuple[Subdivide | Uniform, ...]

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        return merge(*(grid.within(start, end, first) for grid in self.moments), key=lambda pair: (pair[1], pair[0]))

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return self.moments[0].count(frames, span, tail)

    def knots(self, span: Fraction) -> Knots:
        return self.moments[0].knots(span)


def exposed(frames: Iterable[Frame], curve: Transfer) -> Iterator[Frame]:
    """One frame for all that have the same time, one after another: the mean of their light.

    ``curve`` says what light the code values mean. What shows another shot than the first is left out, so that an exposure
    ends at a cut; alpha is averaged, and colours are weighed by it. A picture that does not change comes out as it is.
    Holds one frame.
    """
    spacing = Fraction(0)
    for _, moments in groupby(frames, key=lambda frame: frame.time):
        exposure = _Exposure(curve)
        for frame in moments:
            spacing = frame.duration or spacing
            exposure.add(frame)
        yield replace(exposure.frame(), duration=spacing)


class _Exposure:
    """The mean of frames in light; nothing is computed until one differs from the first."""

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
