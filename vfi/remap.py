"""Playing a clip along a curve of its speed, backwards too, in constant memory.

A model only ever sees frames in their own order: what plays backwards is made forwards, a block at a time from the end, and
given out in reverse. Knows nothing of files: a clip is read from within by `media.since`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from math import ceil
from operator import itemgetter

from . import media
from .core import Frame, InputError, Interpolator
from .overlap import ahead
from .run import run
from .speed import Along
from .time import Knots, Tail

BLOCK = 2**28
"""Numbers that the frames of a block may hold: 1 GiB as float32, some 40 frames of 1080p."""


def remap(
    clip: media.Reader,
    model: Interpolator,
    along: Along,
    *,
    batch: int = 1,
    block: int | None = None,
    since: Fraction | None = None,
) -> Generator[Frame, None, None]:
    """The frames of a clip along a curve, in order of the output.

    Instants on an input frame show that very picture, and one that is shown for several outputs is made once. ``batch`` as in
    `run.run`. While the clip runs backwards up to ``block`` outputs are held, as many as `BLOCK` allows when None; each block
    is read from the key frame before it, or from the start of a clip that cannot seek. Outputs before ``since`` are left out.
    Raises `InputError` when the clip has no frame.
    """
    opening = next(iter(clip), None)
    if opening is None:
        raise InputError("the clip has no frames")
    first = opening.time
    block = block or max(BLOCK // opening.rgb.numel(), 1)
    for part in along.parts():
        if part.outputs.step > 0:
            yield from _forwards(clip, model, part, first, batch, since)
            continue
        for end in range(len(part.outputs), 0, -block):
            some = replace(part, outputs=part.outputs[max(end - block, 0) : end])
            if since is None or first + some.outputs[0] / part.rate >= since:
                made = reversed(list(_forwards(clip, model, some, first, batch)))
                yield from (frame for frame in made if since is None or frame.time >= since)


def _forwards(
    clip: media.Reader, model: Interpolator, part: Along, first: Fraction, batch: int, since: Fraction | None = None
) -> Iterator[Frame]:
    """The frames of outputs, in the order of what they show; where that is their own order too, from ``since`` on."""
    wanted = part.outputs
    if since is not None:
        wanted = wanted[max(ceil((since - first) * part.rate) - wanted.start, 0) :]
    if not wanted:
        return
    lowest, highest = (first + part.place(wanted[end]) for end in (0, -1))
    around = model.spec.window // 2
    with closing(ahead(_until(media.since(clip, lowest, around - 1), highest, around))) as frames:
        made = run(frames, model, _Shown(part, first), tail="hold", batch=batch, since=lowest)
        shown = groupby(wanted, key=part.place)
        for frame, (_, outputs) in zip(made, shown, strict=True):
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
