"""From a clip to the frames that are asked of it: read ahead, made along a grid or a curve, and exposed if so wished.

Owns nothing but that order. Knows nothing of files, options or who asks.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from fractions import Fraction
from itertools import islice

from ..clips.clip import Reader, transfer_of
from ..core import Frame, Interpolator
from ..pixels.transfer import Transfer
from ..timing.curves import Along
from ..timing.grids import Grid, Tail, Timing, Within
from ..timing.shutter import Shutter, exposed
from . import malloc
from .prefetch import ahead
from .remap import remap
from .run import run
from .segments import Segment


def render_frames(
    reader: Reader,
    model: Interpolator,
    asked: Timing,
    *,
    tail: Tail = "hold",
    batch: int = 1,
    shutter: Shutter | None = None,
    curve: Transfer | None = None,
    since: Fraction | None = None,
    segment: Segment | None = None,
) -> Generator[Frame, None, None]:
    """The frames of a clip at the times that are asked for; close the generator to stop early.

    Reading is done in a thread, ahead, and memory is kept at hand, see `malloc`. ``shutter`` blurs their motion in the light that
    ``curve`` says the codes mean, which the clip's tags do when None. ``since``: only those from this time of the output on;
    ``segment``: only those of it, where reading begins at its stamps. Raises `InputError`.
    """
    grid: Grid = asked.grid if shutter is None else shutter.grid(asked.grid)
    since, count = (since, None) if segment is None else (segment.start, segment.frames)
    if isinstance(grid, Along):
        with closing(remap(reader, model, grid, batch=batch, since=since, count=count)) as frames:
            yield from malloc.keeping(frames)
        return
    if segment is not None and segment.stamps is not None:
        grid = Within(grid, segment.first, segment.stamps[0].time)
    with closing(ahead(reader)) as read:
        made = run(read, model, grid, tail=tail, batch=batch, since=since)
        made = made if shutter is None else exposed(made, curve or transfer_of(reader.info))
        yield from malloc.keeping(islice(made, count))
