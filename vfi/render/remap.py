"""Playing a clip along a curve of its speed, backwards too, in constant memory.

A model only ever sees frames in their own order: what plays backwards is made forwards, a block at a time from the end, and
given out in reverse. Knows nothing of files: a clip is read from within by `clip.read_since`.
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
"""Numbers that the frames of a block may hold: 1 GiB as float32, some 40 frames of 1080p."""


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
    """The frames of a clip along a curve, in order of the output.

    Instants on an input frame show that very picture, and one that is shown for several outputs is made once. ``batch`` as in
    `run.run`. While the clip runs backwards up to ``block`` outputs are held, as many as `BLOCK` allows when None; each block
    is read from the key frame before it, or from the start of a clip that cannot seek. Outputs before ``since`` are left out,
    and those after ``count`` others. Raises `InputError` when the clip has no frame.
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
    """Those of ``outputs``, which rise or fall by 1, from ``begin`` to before ``end``."""
    if not outputs:
        return outputs
    lowest, highest = sorted((outputs[0], outputs[-1]))
    begin, end = max(begin, lowest), highest + 1 if end is None else min(end, highest + 1)
    return range(begin, end) if outputs.step > 0 else range(end - 1, begin - 1, -1)


def _forwards(clip: Reader, model: Interpolator, part: Along, first: Fraction, batch: int, wanted: range) -> Iterator[Frame]:
    """The frames of the outputs of ``part`` that are ``wanted``, in the order of what they show."""
    if not wanted:
        return
    lowest, highest = (first + part.place(wanted[end]) for end in (0, -1))
    around = model.spec.window // 2
    with closing(ahead(_until(read_since(clip, lowest, around - 1), highest, around))) as frames:
        made = run(frames, model, _Shown(part, first), tail="hold", batch=batch, since=lowest)
        for _, outputs in groupby(wanted, key=part.place):
            frame = next(made)
            for time in (output / part.rate for output in outputs):
                yield replace(frame, time=first + time, duration=min(1 / part.rate, part.length - time))


@dataclass(frozen=True)
class _Shown:
    """The instants that outputs show, each once, where the clip's first frame is at ``first``, wherever reading begins."""

    part: Along
    first: Fraction

    def within(self, start: Fraction, end: Fraction, first: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
        return ((place, place) for place, _ in groupby(self.part.within(start, end, self.first), key=itemgetter(0)))

    def count(self, frames: int, span: Fraction, tail: Tail) -> int:
        return self.part.count(frames, span, tail)

    def knots(self, span: Fraction) -> Knots:
        return (Fraction(0), Fraction(0)), (span, span)


def _until(frames: Iterable[Frame], highest: Fraction, more: int) -> Iterator[Frame]:
    """The frames up to ``highest`` and ``more`` distinct ones; the last is shown beyond that, however early the clip ends."""
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
