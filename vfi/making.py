"""From a clip to the frames that are asked of it: read ahead, made along a grid or a curve, and exposed if so wished.

Owns nothing but that order. Knows nothing of files, options or who asks.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from fractions import Fraction

from . import light, media
from .core import Frame, Interpolator
from .overlap import ahead
from .remap import remap
from .run import run
from .shutter import Shutter, exposed
from .speed import Along
from .time import Tail, Timing


def frames_of(
    reader: media.Reader,
    model: Interpolator,
    asked: Timing,
    *,
    tail: Tail = "hold",
    batch: int = 1,
    shutter: Shutter | None = None,
    curve: light.Curve | None = None,
    since: Fraction | None = None,
) -> Generator[Frame, None, None]:
    """The frames of a clip at the times that are asked for; close the generator to stop early.

    Reading is done in a thread, ahead. ``shutter`` blurs their motion in the light that ``curve`` says the codes mean, which
    the clip's tags do when None. ``since``: only those from this time of the output on. Raises `InputError`.
    """
    grid = asked.grid if shutter is None else shutter.grid(asked.grid)
    if isinstance(grid, Along):
        with closing(remap(reader, model, grid, batch=batch, since=since)) as frames:
            yield from frames
        return
    with closing(ahead(reader)) as read:
        made = run(read, model, grid, tail=tail, batch=batch, since=since)
        yield from made if shutter is None else exposed(made, curve or light.of(reader.info))
