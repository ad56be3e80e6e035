"""Pictures made of two fields become whole frames: FFmpeg's bwdif for interlaced video, fieldmatch for telecined film.

Owns the filters, the pictures around a frame that they look at, and the times of film frames. Pictures come and go with exact
times. Knows nothing of containers and colour.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import cache
from itertools import chain, groupby, islice, pairwise
from typing import Any, Literal, TypeAlias, get_args

import av
import numpy as np
from numpy.typing import NDArray

from .. import yuv

Deinterlace = Literal["auto", "off", "telecine"]
DEINTERLACE: tuple[Deinterlace, ...] = get_args(Deinterlace)
"""How fields are treated. ``auto``: as the pictures' flags say; ``off``: the two fields of a frame count as one picture;
``telecine``: the clip is film at 24000/1001 frames per second, spread over fields by 3:2 pulldown."""

Shown: TypeAlias = "tuple[av.VideoFrame, Fraction, Fraction]"
"""A picture, its time and its duration in seconds."""

Filters: TypeAlias = "tuple[tuple[str, str], ...]"

BWDIF: Filters = (("bwdif", "mode=send_frame:parity=auto:deint=all"),)
"""One frame per frame: the field that is shown first is kept, the lines of the other are made from it and its neighbours."""

FILM: Filters = (
    ("fieldmatch", "order=auto:mode=pc_n:combmatch=full"),
    ("bwdif", "mode=send_frame:parity=auto:deint=interlaced"),
)
"""One frame per frame: fields are matched, and where they do not match, the frame is deinterlaced. For 8 bits only."""

ORDERS = {2: "tff", 3: "bff", 4: "bff", 5: "tff"}
"""The field shown first, by FFmpeg's numbers of what a container states."""

UNFLAGGED = {"ffv1", "ffvhuff", "huffyuv", "png", "qtrle"}
"""Codecs whose pictures carry no flag, so that the container's word counts."""

NTSC = Fraction(30000, 1001)
"""The frame rate at which 3:2 pulldown is looked for."""

FIELD = 1 / NTSC / 2

CYCLE = 5
"""Pictures that hold four film frames."""

PRIMED = 3
"""Pictures before a cycle that decide it: matching and deinterlacing look at one neighbour each, and so does the comparison."""

LOOKED_AT = 100
"""Pictures among which 3:2 pulldown is looked for."""


def stated_order(codec: str, field_order: int) -> str | None:
    """The field shown first, tff or bff, if only the container of a clip states that it is interlaced."""
    return ORDERS.get(field_order) if codec in UNFLAGGED else None


def deinterlaced(
    shown: Iterable[Shown], order: str | None, begins: Callable[[Fraction], object], refused: Callable[[str], object]
) -> Iterator[Shown]:
    """The pictures, each interlaced one as a whole frame at the same time; see `BWDIF`. The result depends on its neighbours.

    Pictures are interlaced as flagged, or all if ``order`` is given, see `stated_order`. ``begins`` is called with the time of
    the first, ``refused`` with the name of each pixel format that cannot be deinterlaced.
    """
    filters: Filters = BWDIF if order is None else (("setfield", f"mode={order}"), *BWDIF)
    before: Shown | None = None
    run: _Run | None = None
    for picture, time, duration in shown:
        one = yuv.unpacked(picture), time, duration
        layout = one[0].format.name
        wanted = picture.interlaced_frame or order is not None
        if wanted and not kept(filters, layout):
            refused(layout)
            wanted = False
        if run is not None and run.layout != layout:
            yield from run.rest()
            run = None
        if wanted and run is None:
            begins(time)
            run = _Run(filters, one[0])
            if before is not None and before[0].format.name == layout:
                yield from run.push(before, False)
        if run is not None:
            yield from run.push(one, wanted)
        if not wanted:
            if run is not None:
                yield from run.rest()
                run = None
            yield picture, time, duration
        before = one
    if run is not None:
        yield from run.rest()


def without_pulldown(shown: Iterable[Shown], first: Fraction, interval: Fraction, *, within: bool) -> Iterator[Shown]:
    """The film frames of telecined pictures: four per five, evenly over the same time.

    Cycles of five pictures are counted by time, from ``first``, the time of the clip's first one, and ``interval``, that of its
    frame rate. Fields are matched to frames; a frame that stays combed is deinterlaced. Of each whole cycle the frame most like
    that before it is left out, unless all five differ: then the cycle is video, and keeps its frames and times. ``within``:
    the pictures begin somewhere in the clip; the result begins with the first cycle that has enough pictures before it.
    """
    shown = ((yuv.unpacked(picture), time, duration) for picture, time, duration in shown)
    start = next(shown, None)
    if start is None:
        return

    def index(one: Shown) -> int:
        return round((one[1] - first) / interval)

    matched = _matched(chain((start,), shown), start[0])
    before: NDArray[Any] | None = None
    least = -(-(index(start) + PRIMED) // CYCLE) if within else 0
    for number, group in groupby(matched, lambda one: index(one) // CYCLE):
        cycle = list(group)
        lumas = [_luma(picture) for picture, _, _ in cycle]
        thens = (before, *lumas[:-1])
        changes = [float(np.abs(now - then).mean()) for then, now in zip(thens, lumas, strict=True) if then is not None]
        before = lumas[-1]
        if number < least:
            continue
        spare = _spare(changes) if len(cycle) == CYCLE else None
        if spare is None:
            yield from cycle
            continue
        (_, begin, _), (_, last, lasting) = cycle[0], cycle[-1]
        each = (last + lasting - begin) / (CYCLE - 1)
        del cycle[spare]
        for place, (picture, _, _) in enumerate(cycle):
            yield picture, begin + place * each, each


def is_cadence(stamps: Iterable[Fraction]) -> bool:
    """Whether times of pictures, in order, are those of film that is repeated by flags: two fields and three in turn."""
    lasting = [_fields(later - time) for time, later in pairwise(stamps)]
    turns = [one != two for one, two in pairwise(lasting) if {one, two} <= {2, 3}]
    return len(turns) >= 3 * CYCLE and sum(turns) >= 0.9 * len(turns)


def evened(shown: Iterable[Shown]) -> Iterator[Shown]:
    """The pictures of such film at even times: one of three fields that follows one of two begins half a field later."""
    before: Shown | None = None
    begun = Fraction(0)
    for one in shown:
        picture, time, duration = one
        if before is not None:
            late = _fields(before[2]) == 2 and _fields(duration) == 3
            begins = (before[1] + time + duration) / 2 if late else time
            yield before[0], begun, begins - begun
            begun = begins
        else:
            begun = time
        before = picture, time, duration
    if before is not None:
        yield before[0], begun, before[1] + before[2] - begun


def _fields(duration: Fraction) -> int | None:
    """How many fields a duration lasts, within a millisecond, as containers round it; None if it is no whole number."""
    count = round(duration / FIELD)
    return count if abs(duration - count * FIELD) <= Fraction(1, 1000) else None


def _matched(shown: Iterable[Shown], picture: av.VideoFrame) -> Iterator[Shown]:
    """Each picture as `FILM` makes it."""
    run = _Run(FILM, picture)
    for one in shown:
        yield from run.push(one, True)
    yield from run.rest()


def _spare(changes: list[float]) -> int | None:
    """Which picture of a cycle repeats the one before it, by how much each differs; None if all differ."""
    first = CYCLE - len(changes)  # the clip's first picture has none before it
    order = sorted(range(len(changes)), key=changes.__getitem__)
    least = changes[order[0]]
    others = changes[order[len(order) // 2]]
    return None if least > STILL and least > others / 2 else first + order[0]


STILL = 0.5
"""Mean difference, in codes of 8 bits, up to which two fields or pictures may show the same."""


def telecined(pictures: Iterable[av.VideoFrame]) -> bool:
    """Whether the first pictures of a clip are film spread over fields by 3:2 pulldown.

    In each cycle of five pictures then one repeats the upper field of the picture before it, and the one two or three later
    the lower field; all others change both. Pictures that stand still tell nothing; nine of ten others must fit, through at
    least three cycles.
    """
    seen: list[str | None] = []
    before: NDArray[Any] | None = None
    for picture in islice(pictures, LOOKED_AT):
        luma = _luma(yuv.unpacked(picture))
        if before is not None and before.shape == luma.shape:
            upper, lower = (float(np.abs(luma[side::2] - before[side::2]).mean()) for side in (0, 1))
            if max(upper, lower) <= STILL:
                seen.append(None)
            else:
                seen.append("upper" if upper < lower / 3 else "lower" if lower < upper / 3 else "both")
        before = luma
    told = [place for place, kind in enumerate(seen) if kind is not None]
    for phase in range(CYCLE):
        for gap in (2, 3):
            expected = {phase: "upper", (phase + gap) % CYCLE: "lower"}
            fitting = [place for place in told if seen[place] == expected.get(place % CYCLE, "both")]
            repeats = Counter(seen[place] for place in fitting)
            if min(repeats["upper"], repeats["lower"]) >= 3 and len(fitting) >= 0.9 * len(told):
                return True
    return False


def _luma(picture: av.VideoFrame) -> NDArray[Any]:
    """The first component of a planar picture, every fourth column, in codes of 8 bits."""
    samples = yuv.planes_of(picture)[0][:, ::4].astype(np.float32)
    return samples / np.float32(1 << max(picture.format.components[0].bits - 8, 0))


@cache
def kept(filters: Filters, layout: str) -> bool:
    """Whether filters keep pictures in a pixel format, by FFmpeg's name; others they convert."""
    picture = av.VideoFrame(64, 64, layout)
    try:
        run = _Run(filters, picture)
        found = [*run.push((picture, Fraction(0), Fraction(1)), True), *run.rest()]
    except (av.FFmpegError, ValueError):
        return False
    return [one[0].format.name for one in found] == [layout]


class _Run:
    """A filter graph that gives one picture for each, later; times pass by it."""

    def __init__(self, filters: Filters, picture: av.VideoFrame) -> None:
        self.layout = picture.format.name
        self._waiting: deque[tuple[Fraction, Fraction, bool]] = deque()
        graph = self._graph = av.filter.Graph()  # its contexts do not keep it
        graph.threads = 1
        self._begin = graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 1000)
        )
        self._end = graph.add("buffersink")
        graph.link_nodes(self._begin, *(graph.add(name, options) for name, options in filters), self._end).configure()

    def push(self, one: Shown, wanted: bool) -> Iterator[Shown]:
        """Put in a picture; gives those that are ready, as far as they were ``wanted``."""
        picture, time, duration = one
        self._waiting.append((time, duration, wanted))
        self._begin.push(picture)
        return self._ready()

    def rest(self) -> Iterator[Shown]:
        """The remaining pictures."""
        self._begin.push(None)
        return self._ready()

    def _ready(self) -> Iterator[Shown]:
        while True:
            try:
                picture: Any = self._end.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            time, duration, wanted = self._waiting.popleft()
            if wanted:
                yield picture, time, duration
