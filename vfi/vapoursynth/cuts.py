"""Where no frame is made: what the frames' own properties say of cuts, else what is found, and which frames are repeats.

The marks of the pair of source frame n and the next are the properties of frame n of a clip of one pixel. Knows nothing of
outputs or of models.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import vapoursynth as vs

from ..serve.maker import THUMBNAIL, Maker, Mark
from .colours import small
from .errors import shown
from .places import ENDLESS

ALONE = (0, 1)
"""The pair alone: without a jump between its frames, it is no cut, whatever lies around it."""

AROUND = (-4, 5)
"""The frames around a pair that tell a cut from motion and flashes: a jump is compared with those before and after it."""

WIDER = (-8, 9)
"""The same for repeats: the longest run, and the step before and after it."""

KNOWN = 4096
"""Pairs whose marks are kept."""

CUT, FIRST, NEXT = "VfiCut", "VfiFirst", "VfiNext"
"""Properties of a pair: whether a shot begins between its frames; the frame that its first one repeats, or itself; and the
frame that follows all repeats, none if a shot begins first or the clip ends."""


@dataclass(frozen=True)
class Marking:
    """``scenes``: heed and find cuts, of which at least ``threshold`` of the picture, 0 to 1, is unexplained by motion and
    light. ``spread``: find repeats."""

    scenes: bool = True
    threshold: float = 0.0
    spread: bool = False


def marks(clip: vs.VideoNode, maker: Maker, marking: Marking) -> vs.VideoNode | None:
    """The marks of each pair of frames; None if there is nothing to look for.

    What lies around a pair is looked at only if the pair itself may be a cut, and not at all in a clip without a known end: a
    player gives few frames ahead.
    """
    if not (marking.scenes or marking.spread):
        return None
    look = _Look(clip, maker, marking)
    if marking.spread:
        return look.around(WIDER)
    alone = look.around(ALONE)
    whole = alone if clip.num_frames > ENDLESS else look.around(AROUND)
    sought = look.tiny.std.FrameEval(lambda n, f: whole if f.props[CUT] else alone, prop_src=alone)

    def stated(n: int, f: list[vs.VideoFrame]) -> vs.VideoNode:
        said = n + 1 == clip.num_frames or _stated(*f)
        if said is None:
            return sought
        return look.tiny.std.SetFrameProps(**{CUT: int(said), FIRST: n, NEXT: -1 if said else n + 1})

    return look.tiny.std.FrameEval(stated, prop_src=[clip, _shifted(clip, 1)])


class _Look:
    """Looks for cuts and repeats in thumbnails of a clip; ``tiny`` is a clip of one pixel, as long."""

    def __init__(self, clip: vs.VideoNode, maker: Maker, marking: Marking) -> None:
        self.tiny = vs.core.std.BlankClip(clip, width=1, height=1, format=vs.GRAY8, length=clip.num_frames, keep=True)
        self._maker, self._marking, self._count = maker, marking, clip.num_frames
        self._thumbnails = small(clip, *THUMBNAIL)

    def around(self, reach: tuple[int, int]) -> vs.VideoNode:
        """The marks of each pair, by the frames from ``reach[0]`` to ``reach[1]`` around its first one."""
        first, last = reach
        kept: OrderedDict[int, tuple[int, int, int]] = OrderedDict()

        def marked(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
            pair = kept.get(n)
            if pair is None:
                begin, end = max(first, -n), min(last, self._count - 1 - n)
                pair = kept[n] = self._pair(f[1 + begin - first : 2 + end - first], n, n + begin)
                if len(kept) > KNOWN:
                    kept.popitem(last=False)
            return _marked(f[0], pair)

        shifted = [_shifted(self._thumbnails, by) for by in range(first, last + 1)]
        return self.tiny.std.ModifyFrame([self.tiny, *shifted], marked)

    def _pair(self, frames: list[vs.VideoFrame], n: int, start: int) -> tuple[int, int, int]:
        """`CUT`, `FIRST` and `NEXT` of the pair of frame ``n``, by the frames from ``start`` on."""
        marking = self._marking
        known = [False, *(_stated(*two) if marking.scenes else False for two in pairwise(frames))]
        pictures = np.stack([[np.asarray(one[plane]) for plane in range(3)] for one in frames])
        with shown():
            return _of_pair(self._maker.marks(pictures, known, marking.spread, marking.threshold), n, start)


def _stated(before: vs.VideoFrame, after: vs.VideoFrame) -> bool | None:
    """Whether a shot begins with ``after``, as the two frames say; None if neither says anything."""
    said = [before.props.get("_SceneChangeNext"), after.props.get("_SceneChangePrev")]
    known = [bool(one) for one in said if one is not None]
    return any(known) if known else None


def _of_pair(found: list[Mark], n: int, start: int) -> tuple[int, int, int]:
    """`CUT`, `FIRST` and `NEXT` of the pair of frame ``n``, from the marks of the frames from ``start`` on."""
    first = n
    while first > start and found[first - start].repeat:
        first -= 1
    following = n + 1
    while following < start + len(found) and found[following - start].repeat:
        following += 1
    if following >= start + len(found):
        return 0, first, -1
    cut = found[following - start].cut
    return int(cut), first, -1 if cut else following


def _marked(frame: vs.VideoFrame, found: tuple[int, int, int]) -> vs.VideoFrame:
    out = frame.copy()
    for name, value in zip((CUT, FIRST, NEXT), found, strict=True):
        out.props[name] = value
    return out


def _shifted(clip: vs.VideoNode, by: int) -> vs.VideoNode:
    """The clip whose frame n is frame n + ``by``, the first or the last where there is none."""
    if by < 0:
        return clip[0] * -by + clip
    return clip[min(by, clip.num_frames - 1) :] if by else clip
