"""Plays a clip along a speed curve, backwards too, in constant memory.

A model only ever sees frames in their original order: reversed parts are made forwards, block by block from the end, and
emitted in reverse. Knows nothing of files: `clip.read_since` reads a clip from any time.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from math import ceil
from operator import itemgetter

from ..clips.clip import Reader, read_since
from ..core import Frame, InputError, Interpolator
from ..timing.curves import Along
from ..timing.grids import Knots, Tail
from .prefetch import ahead
from .run import run

BLOCK = 2**28
"""Numbers that the frames of a block may hold: 1 GiB as float32, about 40 frames at 1080p."""


def remap(
    clip: Reader,
    model: Interpolator,
    along: Along,
    *,
    batch: int = 1,
    block: int | None = None,
    since: Fraction | None = None,
    count: int | None = None,
) -> Generator[Frame, None, None]:
    """The frames of a clip along a curve, in output order.

    Instants on an input frame show that frame unchanged, and an instant shown by several outputs is made once. ``batch`` is as
    in `run.run`. While the clip plays backwards, up to ``block`` outputs are held (None: as many as `BLOCK` allows). Each block
    is read from the key frame before it, or from the start of a clip that cannot seek. Only outputs from ``since`` on are
    made, at most ``count``. Raises `InputError` if the clip has no frames.
    """
    opening = next(iter(clip), None)
    if opening is None:
        raise InputError("the clip has no frames")
    first = opening.time
    block = block or max(BLOCK // opening.rgb.numel(), 1)
    begin = 0 if since is None else max(ceil((since - first) * along.rate), 0)
    end = None if count is None else begin + count
    for part in along.parts():
        if part.outputs.step > 0:
            yield from _forwards(clip, model, part, first, batch, _between(part.outputs, begin, end))
            continue
        for upto in range(len(part.outputs), 0, -block):
            some = replace(part, outputs=part.outputs[max(upto - block, 0) : upto])
            made = _forwards(clip, model, some, first, batch, _between(some.outputs, begin, end))
            yield from reversed(list(made))


def _between(outputs: range, begin: int, end: int | None) -> range:
    """The part of ``outputs``, which rise or fall by 1, that is at least ``begin`` and below ``end``."""
    if not outputs:
        return outputs
    lowest, highest = sorted((outputs[0], outputs[-1]))
    begin, end = max(begin, lowest), highest + 1 if end is None else min(end, highest + 1)
    return range(begin, end) if outputs.step > 0 else range(end - 1, begin - 1, -1)


def _forwards(clip: Reader, model: Interpolator, part: Along, first: Fraction, batch: int, wanted: range) -> Iterator[Frame]:
    """The frames of the ``wanted`` outputs of ``part``, ordered by clip time."""
    if not wanted:
        return
    lowest, highest = (first + part.place(wanted[end]) for end in (0, -1))
    around = model.spec.window // 2
    with closing(ahead(_until(read_since(clip, lowest, around - 1), highest, around))) as frames:
        made = run(frames, model, _Shown(part, first), tail="hold", batch=batch, since=lowest, live=clip.info.live)
        for _, outputs in groupby(wanted, key=part.place):
            frame = next(made)
            for time in (output / part.rate for output in outputs):
                yield replace(frame, time=first + time, duration=min(1 / part.rate, part.length - time))


@dataclass(frozen=True)
class _Shown:
    """The instants that outputs show, each once; ``first`` is the time of the clip's first frame, wherever reading begins."""

    part: Along
    first: Fraction

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        return ((place, place) for place, _ in groupby(self.part.within(start, end, self.first), key=itemgetter(0)))

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return self.part.count(frames, span, tail)

    def knots(self, span: Fraction) -> Knots:
        return (Fraction(0), Fraction(0)), (span, span)


def _until(frames: Iterable[Frame], highest: Fraction, more: int) -> Iterator[Frame]:
    """The frames up to ``highest`` and ``more`` distinct ones; the last is held beyond ``highest`` if the clip ends early."""
    last: Frame | None = None
    for frame in frames:
        if last is not None:
            yield last
        last = frame
        more -= frame.time > highest and not frame.repeat
        if not more:
            break
    if last is not None:
        yield replace(last, duration=max(last.duration, highest + 1 - last.time))
