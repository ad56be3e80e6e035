"""Which instant of its media each frame of a strip shows, as exact fractions; and the job for ``vfi`` that follows.

Owns the arithmetic of a strip in time. Knows nothing of Blender, files or processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

EXACT = 1001
"""The largest denominator of a frame rate, which Blender gives as a float."""


class RefusedError(Exception):
    """What cannot be done, and why, in a sentence for the user."""


@dataclass(frozen=True)
class Strip:
    """A strip of a movie: ``length`` frames of the timeline at ``rate``, of a file of ``frames`` frames at ``media_rate``.

    Frame k of the strip shows frame ``entry + k * step`` of the file, of which ``first`` to ``last`` may be shown: what lies
    before or after is held. All frames are counted from 0.
    """

    rate: Fraction
    length: int
    frames: int
    media_rate: Fraction
    entry: Fraction
    step: Fraction
    first: int
    last: int

    def source(self, k: Fraction | int) -> Fraction:
        """The frame of the file that frame k of the strip shows; a fraction lies between two frames."""
        return min(max(self.entry + k * self.step, Fraction(self.first)), Fraction(self.last))


def rate_of(value: float) -> Fraction:
    """The exact frame rate that Blender gives as a float: 23.97602... is 24000/1001, also where its last digits are lost."""
    given = Fraction(value)
    if given <= 0:
        raise RefusedError("The frame rate of the media is unknown")
    usual = (Fraction(round(given)), Fraction(round(given * 1001 / 1000) * 1000, 1001))
    return next((rate for rate in usual if abs(rate - given) <= given / 10**6), given.limit_denominator(EXACT))


def scene_rate(fps: int, base: float) -> Fraction:
    """The frame rate of a scene: 24 over 1.001 is 24000/1001."""
    return Fraction(fps) / Fraction(base).limit_denominator(10000)


def placed(
    rate: Fraction,
    media_rate: Fraction,
    frames: int,
    *,
    length: int,
    offset: Fraction,
    content: Fraction,
    skipped: tuple[int, int] = (0, 0),
    keys: tuple[int, ...] = (),
    backwards: bool = False,
    multiplied: Fraction = Fraction(1),
) -> Strip:
    """The strip that Blender's numbers mean.

    ``offset``: frames of the timeline from the start of the content to the start of the strip. ``content``: how many of them
    the content lasts. ``skipped``: frames left out at both ends of the file. ``keys``: the places of the retiming keys, of
    which only the distance counts: Blender 5.0 counts them from another strip's start once a strip has lost its keys.
    ``multiplied``: the factor of a Speed Control effect. Raises `RefusedError`.
    """
    if len(keys) > 2:
        raise RefusedError("The strip has a speed ramp, which Blender does not tell: only one speed per strip is possible")
    usable = frames - sum(skipped)
    if usable < 1 or length < 1:
        raise RefusedError("The strip shows nothing of its media")
    if len(keys) == 2:
        span = Fraction(keys[1] - keys[0])
        if span <= 0 or abs(content - span) > 1:
            raise RefusedError("The retiming keys of the strip do not lie at the ends of its media: reset the retiming")
        step = Fraction(1) if span == usable - 1 else usable / span  # so Blender 4.2 keeps a speed of 100 %
        content = usable / step
    elif content == usable:
        step = Fraction(1)
    elif abs(content - usable * rate / media_rate) <= 1:  # Blender rounds the length of media of another frame rate
        step = media_rate / rate
    else:
        raise RefusedError("The length of the strip fits neither its media nor its frame rate: Reload Strips and Adjust Length")
    entry = skipped[0] + ((content - 1 - offset) if backwards else offset) * step
    return Strip(
        rate,
        length,
        frames,
        media_rate,
        entry,
        (-step if backwards else step) * multiplied,
        skipped[0],
        frames - 1 - skipped[1],
    )


def slowed(strip: Strip, factor: Fraction, *, longer: bool) -> Strip:
    """The strip ``factor`` times slower; ``longer`` shows all that it showed, else it keeps its length."""
    if factor <= 0:
        raise RefusedError("The factor must be above 0")
    length = max(floor(strip.length * factor + Fraction(1, 2)), 1) if longer else strip.length
    return replace(strip, length=length, step=strip.step / factor)


def in_real_time(strip: Strip) -> Strip:
    """The strip at the speed at which it was filmed, with all that it showed."""
    step = strip.media_rate / strip.rate
    factor = abs(strip.step) / step
    if factor == 0:
        raise RefusedError("The strip is a freeze frame: it has no speed")
    return slowed(strip, factor, longer=True)


@dataclass(frozen=True)
class Job:
    """A clip to be made: ``before`` frames of handle, the strip's own, and ``after`` frames of handle."""

    strip: Strip
    before: int
    after: int

    @property
    def total(self) -> int:
        return self.before + self.strip.length + self.after

    @property
    def seconds(self) -> Fraction:
        return self.total / self.strip.rate

    def curve(self) -> Mapping[str, list[list[str]]]:
        """The curve for ``vfi retime``: seconds of the output, and the second of the media shown there, as fractions."""
        strip, end = self.strip, self.strip.length + self.after - 1
        times = {Fraction(-self.before), Fraction(end)}
        for edge in (strip.first, strip.last):
            if strip.step:
                times.add((edge - strip.entry) / strip.step)  # where the file's end is met, and held from there on
        inside = sorted(k for k in times if -self.before <= k <= end)
        rows = [[str((k + self.before) / strip.rate), str(strip.source(k) / strip.media_rate)] for k in inside]
        return {"position": rows}


def job_of(strip: Strip, handles: int) -> Job:
    """The job that makes a strip, with up to ``handles`` frames more at both ends, as far as the media has them."""

    def held(k: int) -> bool:
        return not strip.first <= strip.entry + k * strip.step <= strip.last

    def room(edge: int, direction: int) -> int:
        if held(edge) or not strip.step:
            return 0
        towards = strip.last if strip.step * direction > 0 else strip.first
        return min(floor(abs((towards - strip.source(edge)) / strip.step)), handles)

    return Job(strip, room(0, -1), room(strip.length - 1, 1))


def frames_needed(strip: Strip) -> int:
    """How many frames of the strip lie between two of the file."""
    return sum(strip.source(k).denominator != 1 for k in range(strip.length))


def percent(text: str) -> int | None:
    """The number of a line of progress, ``percentage: 40``; None if the line is another."""
    word, colon, number = text.strip().partition(":")
    number = number.strip()
    if word != "percentage" or not colon or not number.isdecimal() or len(number) > 3:
        return None
    return min(int(number), 100)


def whole_frames(value: float) -> Fraction:
    """A place that Blender gives as a float, in frames, to the thousandth."""
    return Fraction(value).limit_denominator(1000)
