"""Compares two clips by time: the frames that both show at once, and how far these differ.

Owns the instants of a comparison, its numbers and its words. Knows nothing of files, or of how pictures are shown.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor

from ..clips.clip import Info
from ..core import Frame
from ..parse import exact
from ..pixels.flicker import flicker
from ..pixels.metrics import SSIM_WINDOW, interpolation_error, psnr, ssim
from ..pixels.uint8 import floats

WORST = 5
"""The steps that differ most, which a report names."""


@dataclass(frozen=True)
class Step:
    """Frames ``a`` and ``b``, shown at once from ``time`` on, for ``duration`` seconds.

    ``numbers`` count the frames of each clip from 0; ``time`` counts from the first frame of each clip.
    """

    time: Fraction
    duration: Fraction
    a: Frame
    b: Frame
    numbers: tuple[int, int]


@dataclass(frozen=True)
class Numbers:
    """How far two pictures differ: ``error`` is their mean absolute difference, 0..255.

    ``psnr`` is in dB, infinite for pictures that are equal in 8 bits; ``ssim`` is None if it was not measured.
    """

    psnr: float
    error: float
    ssim: float | None = None

    @property
    def equal(self) -> bool:
        """Whether the pictures are equal in 8 bits."""
        return math.isinf(self.psnr)


def together(a: Iterable[Frame], b: Iterable[Frame], slack: Fraction = Fraction(0)) -> Iterator[Step]:
    """The steps of two clips: one begins whenever either clip shows its next frame. Ends with the shorter clip.

    The first frames of both are shown at 0. Changes at most ``slack`` seconds apart count as one. Holds a frame or two of each.
    """
    ones, others = _shown(a), _shown(b)
    one, other = next(ones, None), next(others, None)
    time = Fraction(0)
    while one is not None and other is not None:
        end = min(one.end, other.end)
        yield Step(time, end - time, one.frame, other.frame, (one.number, other.number))
        time = end
        if one.end <= end + slack:
            one = next(ones, None)
        if other.end <= end + slack:
            other = next(others, None)


@dataclass(frozen=True)
class _Shown:
    number: int
    frame: Frame
    end: Fraction


def _shown(frames: Iterable[Frame]) -> Iterator[_Shown]:
    """The frames of a clip, with the time since its first frame at which each gives way to the next."""
    first, waiting, number = Fraction(0), None, 0
    for number, frame in enumerate(frames):
        if waiting is None:
            first = frame.time
        else:
            yield _Shown(number - 1, waiting, frame.time - first)
        waiting = frame
    if waiting is not None:
        yield _Shown(number, waiting, waiting.time + waiting.duration - first)


def slack_of(a: Info, b: Info) -> Fraction:
    """How far apart two clips may show what was once shown at the same time, because their containers round times.

    Zero for clips whose frames last a whole number of ticks, such as 25 fps in milliseconds.
    """
    return _rounding(a) + _rounding(b)


def _rounding(info: Info) -> Fraction:
    if not info.rate or not info.time_base or (1 / info.rate / info.time_base).denominator == 1:
        return Fraction(0)
    return min(info.time_base, 1 / info.rate / 8)


def size_of(a: Info, b: Info) -> tuple[int, int]:
    """Height and width at which two clips are compared: those of the one with more pixels."""
    larger = max(a, b, key=lambda info: info.width * info.height)
    return larger.height, larger.width


def fitted(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture [3,H,W] of ``size``, in floats 0..1: scaled, and stretched if the shapes differ."""
    picture = floats(rgb)
    if picture.shape[1:] == size:
        return picture
    return F.interpolate(picture[None], size, mode="bicubic", align_corners=False, antialias=True)[0].clamp(0, 1)


def measured(a: Tensor, b: Tensor, similarity: bool = False) -> Numbers:
    """The numbers of two pictures [3,H,W] of the same size; ``similarity``: SSIM too, which takes most of the time.

    SSIM is not measured if a side is below 11 pixels.
    """
    similarity = similarity and min(a.shape[1:]) >= SSIM_WINDOW
    if torch.equal(a, b):
        return Numbers(math.inf, 0.0, 1.0 if similarity else None)
    return Numbers(psnr(a, b), interpolation_error(a, b), ssim(a, b) if similarity else None)


class Report:
    """The numbers of all steps of a comparison, summed up; only a few numbers are kept of each."""

    def __init__(self) -> None:
        self.steps = self.equal = 0
        self.end = Fraction(0)
        self._psnr = self._error = self._ssim = 0.0
        self._similar = 0
        self._worst: list[tuple[float, int, Step, Numbers]] = []
        self._colours: tuple[array[float], array[float]] = (array("d"), array("d"))
        self._made = bytearray()

    def add(self, step: Step, a: Tensor, b: Tensor, numbers: Numbers) -> None:
        """Count a step whose frames, at the same size, are ``a`` and ``b``."""
        if numbers.equal:
            self.equal += 1
        else:
            self._psnr += numbers.psnr
            self._error += numbers.error
            plain = replace(step, a=_plain(step.a), b=_plain(step.b))
            push = heapq.heappush if len(self._worst) < WORST else heapq.heappushpop
            push(self._worst, (-numbers.psnr, -self.steps, plain, numbers))
        if numbers.ssim is not None:
            self._ssim += numbers.ssim
            self._similar += 1
        for kept, picture in zip(self._colours, (a, b), strict=True):
            kept.extend([float(step.time), *picture.double().mean(dim=(1, 2)).tolist()])
        self._made.append(not numbers.equal)
        self.steps += 1
        self.end = step.time + step.duration

    @property
    def worst(self) -> list[tuple[int, Step, Numbers]]:
        """The steps with the lowest PSNR, lowest first, with their index; their frames hold no picture any more."""
        return [
            (-index, step, numbers) for _, index, step, numbers in sorted(self._worst, key=lambda one: one[:2], reverse=True)
        ]

    def lines(self) -> list[str]:
        """The numbers in words, one line each."""
        differing = self.steps - self.equal
        lines = [f"compared: {_counted(self.steps, 'step')}, {self.equal} of them equal in 8 bits"]
        if differing:
            lines.append(f"PSNR of those that differ: mean {self._psnr / differing:.2f} dB")
            lines.append(f"mean absolute difference of those that differ: {self._error / differing:.2f} of 255")
        if self._similar:
            lines.append(f"SSIM of all: mean {self._ssim / self._similar:.4f}")
        for index, step, numbers in self.worst:
            similar = "" if numbers.ssim is None else f", SSIM {numbers.ssim:.4f}"
            shown = "a {}, b {}".format(*step.numbers)
            lines.append(f"differs most: step {index}, {float(step.time):.3f} s ({shown}): PSNR {numbers.psnr:.2f} dB{similar}")
        return [*lines, *self._flickers()]

    def _flickers(self) -> list[str]:
        """Flicker of each clip, if some frames are equal: frames that differ are held to be new, all others the source's."""
        found = [flicker(self._means(colours)) for colours in self._colours]
        if not all(one.frames for one in found):
            return []
        told = " and ".join(f"{name} {100 * one.shift:+.2f} %" for name, one in zip("ab", found, strict=True))
        return [f"flicker: frames that differ are brighter than the equal frames around them by {told}"]

    def _means(self, colours: array[float]) -> Iterator[Frame]:
        """Each picture as one pixel, its mean colour."""
        for made, start in zip(self._made, range(0, len(colours), 4), strict=True):
            time, *rgb = colours[start : start + 4]
            yield Frame(torch.tensor(rgb).reshape(3, 1, 1), exact(time), made=bool(made))


def _plain(frame: Frame) -> Frame:
    return replace(frame, rgb=frame.rgb.new_empty(0), alpha=None, doubt=None)


def differences(a: Info, b: Info, end: Fraction | None = None) -> list[str]:
    """One sentence for each way in which two clips differ; ``end``: when the first of the two was found to end."""
    found = []
    if (a.width, a.height) != (b.width, b.height):
        height, width = size_of(a, b)
        smaller = "a" if (b.width, b.height) == (width, height) else "b"
        info = a if smaller == "a" else b
        how = "scaled" if info.width * height == info.height * width else "stretched, since its shape differs,"
        found.append(f"a is {a.width}x{a.height} and b is {b.width}x{b.height}: {smaller} was {how} to {width}x{height}.")
    if a.rate != b.rate and a.frames != 1 and b.frames != 1:
        found.append(
            f"a has {_rate(a)} and b has {_rate(b)}: compared by time, with a step whenever either shows its next frame."
        )
    for name, other, info in (("a", "b", a), ("b", "a", b)):
        if end is not None and info.duration is not None and info.duration - end > _tolerance(a, b):
            found.append(
                f"{name} goes on for {float(info.duration - end):.3f} s after {other} ends at {float(end):.3f} s: that part is "
                "not compared."
            )
        if info.alpha:
            found.append(f"{name} has alpha: only colours are compared.")
    return found


def _tolerance(a: Info, b: Info) -> Fraction:
    return slack_of(a, b) + Fraction(1, 1000)


def described(name: str, info: Info) -> str:
    """A clip in a few words."""
    known = [f"{info.width}x{info.height}"]
    if info.frames is not None:
        known.insert(0, _counted(info.frames, "frame"))
    if info.rate is not None:
        known.append(_rate(info))
    if info.duration is not None:
        known.append(f"{float(info.duration):.3f} s")
    return f"{name}: {', '.join(known)}"


def _rate(info: Info) -> str:
    return "an unknown rate" if info.rate is None else f"{float(info.rate):.6g} fps"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
