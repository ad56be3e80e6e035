"""Grading: the light that findings say is wrong is taken out of the frames of a clip.

Owns the gain of each frame and what it does to the pixels. Knows nothing of how findings are made, of files or models.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import exp

import torch
from torch import Tensor

from ...core import Frame
from ...pixels.uint8 import TOP, floats, like
from .findings import Finding, Light

SIDE = 12
"""Frames on each side of a border over which its step is spread."""


@dataclass(frozen=True)
class Ramp:
    """A step of ``light`` at the time ``at``, spread evenly over the time from ``start`` to ``end``."""

    light: Light
    start: float
    at: float
    end: float

    def share(self, time: float) -> float:
        """How much of the step a frame at ``time`` is given, below 0 if it is taken away."""
        if not self.start < time < self.end:
            return 0.0
        ramp = (time - self.start) / (self.end - self.start)
        return ramp if time < self.at else ramp - 1


def ramp(border: Finding, at: Fraction, step: Fraction, walls: Sequence[Fraction]) -> Ramp:
    """The ramp of a border at the time ``at``, in a clip whose frames last ``step`` seconds; it ends at the ``walls``: the
    beginning and the end of the clip, and its cuts."""
    middle = at - step / 2  # between the frames on both sides
    before = max([wall - step for wall in walls if wall < at] or [middle])
    after = min([wall for wall in walls if wall > at] or [middle])
    start, end = max(before, middle - SIDE * step), min(after, middle + SIDE * step)
    return Ramp(border.light[0], float(start), float(middle), float(end))


def graded(frames: Iterable[Frame], findings: Iterable[Finding], ramps: Sequence[Ramp] = ()) -> Iterator[Frame]:
    """The frames of a clip without the ``light`` of its drift and pulse ``findings``, and with the steps of its borders spread
    over ``ramps``. Frames that this changes by less than half a code stay as they are."""
    waiting = sorted(findings, key=lambda one: one.first, reverse=True)
    slopes = sorted(ramps, key=lambda one: one.start, reverse=True)
    here: list[Finding] = []
    near: list[Ramp] = []
    for index, frame in enumerate(frames):
        time = float(frame.time)
        while waiting and waiting[-1].first <= index:
            here.append(waiting.pop())
        while slopes and slopes[-1].start < time:
            near.append(slopes.pop())
        here = [one for one in here if one.last >= index]
        near = [one for one in near if one.end > time]
        off = [one.light[index - one.first] for one in here]
        given = [(one.light, one.share(time)) for one in near]
        if not off and not given:
            yield frame
            continue
        red, green, blue = (
            sum(light[channel] * share for light, share in given) - sum(light[channel] for light in off) for channel in range(3)
        )
        yield relit(frame, (red, green, blue))


def relit(frame: Frame, light: Light) -> Frame:
    """A frame in other light: its code values times the exponential of ``light``, per channel; alpha stays.

    Codes are clipped at 0 and 255; floats are not: what is brighter than white stays so. The frame itself if no value from 0 to
    1 changes by half a code.
    """
    gains = [exp(channel) for channel in light]
    if max(abs(gain - 1) for gain in gains) * TOP < 0.5:
        return frame
    return replace(frame, rgb=_times(frame.rgb, gains))


def _times(rgb: Tensor, gains: Sequence[float]) -> Tensor:
    made = floats(rgb) * torch.tensor(gains, dtype=torch.float32, device=rgb.device)[:, None, None]
    return like(rgb, made)
