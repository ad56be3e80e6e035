"""The clip that is made: each output is a source frame, or is made of the frames around it when it is asked for.

Nothing is computed before a frame is asked for, and each depends on its number alone: any order and any number of threads give
the same. Knows nothing of arguments.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from threading import Lock
from typing import Any

import vapoursynth as vs

from ..serve.maker import Maker, Picture
from .colours import back, filled, picture, to_rgb
from .cuts import CUT, FIRST, NEXT, Marking, marks
from .errors import shown
from .places import Multiplied, Places

KEPT = 4
"""Batches of frames that are kept until they are asked for."""

_numbers = count()


@dataclass(frozen=True)
class Shown:
    """Source frame ``first`` itself, or, with a ``following`` one, the frame at ``t`` between both."""

    first: int
    following: int | None = None
    t: Fraction = Fraction(0)


class Graph:
    """The clip with the frames at ``places`` of ``source``, made by ``maker``, up to ``batch`` of a pair at once.

    ``keeps_time``: every instant of the source is shown at its own time.
    """

    def __init__(
        self, source: vs.VideoNode, places: Places, maker: Maker, marking: Marking, *, batch: int = 1, keeps_time: bool = True
    ) -> None:
        self._source = source.std.ModifyFrame(source, _progressive)
        self._places, self._maker, self._batch, self._keeps_time = places, maker, batch, keeps_time
        self._spread, self._last, self._half = marking.spread, source.num_frames - 1, maker.window // 2
        self._marks = marks(self._source, maker, marking)
        self._name = next(_numbers)
        self._lock = Lock()
        self._batches: OrderedDict[tuple[tuple[str, ...], tuple[Fraction, ...]], list[Picture]] = OrderedDict()
        self._grey = source.format.color_family == vs.GRAY

    def clip(self) -> vs.VideoNode:
        """The clip, in the format of the source."""
        blank, rgb = self._blank(self._source), to_rgb(self._source)
        told = [self._told(by) for by in range(1 - self._half, self._half)]
        before = self._chosen(blank, self._source, told, self._half - 1)
        window = [self._chosen(self._blank(rgb), rgb, told, place) for place in range(2 * self._half)]
        made = window[0].std.ModifyFrame([*window, *told], self._make)
        whole = back(made, before, self._source).std.CopyFrameProps(before).std.CopyFrameProps(made, props=["_Alpha"])

        def either(n: int, f: Any) -> vs.VideoNode:
            return before if self._shown(n, _listed(f)).following is None else whole

        pictures = blank.std.FrameEval(either, prop_src=told)
        around = [self._following(blank, by) for by in range(self._reach)]
        return pictures.std.ModifyFrame([pictures, *around], self._finish)

    def _blank(self, clip: vs.VideoNode) -> vs.VideoNode:
        """A clip of the format of ``clip`` and the length and rate of the output, which costs nothing."""
        rate = self._places.rate or Fraction(0)
        return vs.core.std.BlankClip(
            clip, length=self._places.frames, fpsnum=rate.numerator, fpsden=rate.denominator, keep=True
        )

    def _told(self, by: int) -> vs.VideoNode:
        """For each output, the marks of the pair that it lies in, or of the one ``by`` further; none where it needs none."""
        tiny = self._blank(vs.core.std.BlankClip(self._source, width=1, height=1, format=vs.GRAY8, length=1))
        pairs = self._marks
        if pairs is None:
            return tiny

        def pair(n: int) -> vs.VideoNode:
            index, t = self._places.at(n)
            return tiny if t == 0 and not self._spread else pairs[min(max(index + by, 0), self._last)]

        return tiny.std.FrameEval(pair)

    def _chosen(self, blank: vs.VideoNode, clip: vs.VideoNode, told: list[vs.VideoNode], place: int) -> vs.VideoNode:
        """For each output, the frame of ``clip`` at this place of its window."""
        return blank.std.FrameEval(lambda n, f: clip[self._window(n, _listed(f))[place]], prop_src=told)

    @property
    def _reach(self) -> int:
        """The frames, from the one at an output on, that tell when it is shown."""
        return self._places.reach if isinstance(self._places, Multiplied) and self._places.rate is None else 2

    def _following(self, blank: vs.VideoNode, by: int) -> vs.VideoNode:
        """For each output, the source frame ``by`` after the one it lies at, if its time depends on that."""

        def frame(n: int) -> vs.VideoNode:
            index, t = self._places.at(n)
            needed = by == 1 and t > 0
            if self._places.rate is None and isinstance(self._places, Multiplied):
                needed = needed or by < len(self._places.covered(n))
            return self._source[min(index + by, self._last) if needed else index]

        return blank.std.FrameEval(frame)

    def _shown(self, n: int, told: Sequence[vs.VideoFrame]) -> Shown:
        """What output ``n`` shows, by the marks of its pair."""
        index, t = self._places.at(n)
        props = told[self._half - 1].props
        first = props.get(FIRST, index)
        following = props.get(NEXT, -1 if index == self._last else index + 1)
        if following < 0 or (t == 0 and first == index):
            return Shown(index)
        return Shown(first, following, (index + t - first) / (following - first))

    def _window(self, n: int, told: Sequence[vs.VideoFrame]) -> list[int]:
        """The source frames around output ``n``: what lies beyond a cut or an end is the frame before it, once more."""
        shown = self._shown(n, told)
        if shown.following is None:
            return [shown.first] * (2 * self._half)
        before, after = [shown.first], [shown.following]
        for by in range(1, self._half):
            past, next_ = self._half - 1 - by, self._half - 1 + by
            before.append(before[-1] if told[past].props.get(CUT) else max(before[-1] - 1, 0))
            after.append(after[-1] if told[next_].props.get(CUT) else min(after[-1] + 1, self._last))
        return [*reversed(before), *after]

    def _make(self, n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        """Output ``n``, from the frames of its window and its marks."""
        told = f[2 * self._half :]
        names = tuple(f"{self._name}:{index}" for index in self._window(n, told))
        frames = dict(zip(names, f[: 2 * self._half], strict=True))
        outputs = self._together(n, told)
        with shown():
            pictures = self._pictures(names, frames, tuple(self._shown(one, told).t for one in outputs))
        before, after = f[self._half - 1], f[self._half]
        alpha = before.props.get("_Alpha", after.props.get("_Alpha"))
        return filled(before, pictures[outputs.index(n)], grey=self._grey, alpha=alpha)

    def _together(self, n: int, told: Sequence[vs.VideoFrame]) -> list[int]:
        """The outputs that are made at once with ``n``: they depend on ``n`` alone, as another number of them may round
        otherwise."""
        start, index = n - n % self._batch, self._places.at(n)[0]
        some = range(start, min(start + self._batch, self._places.frames))
        return [one for one in some if self._places.at(one)[0] == index and self._shown(one, told).following is not None]

    def _pictures(
        self, names: tuple[str, ...], frames: Mapping[str, vs.VideoFrame], steps: tuple[Fraction, ...]
    ) -> list[Picture]:
        """The frames at ``steps`` between the middle two of the window."""
        if len(steps) == 1:
            return self._maker.make(names, lambda name: picture(frames[name]), steps)
        with self._lock:
            found = self._batches.pop((names, steps), None)
            if found is None:
                found = self._maker.make(names, lambda name: picture(frames[name]), steps)
            self._batches[names, steps] = found
            if len(self._batches) > KEPT:
                self._batches.popitem(last=False)
            return found

    def _finish(self, n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        """Output ``n`` with the properties that tell of time."""
        out, around = f[0].copy(), f[1:]
        index, t = self._places.at(n)
        rate = self._places.rate
        duration = 1 / rate if rate else None
        if rate is None and isinstance(self._places, Multiplied):
            covered = self._places.covered(n)
            duration = self._places.duration(n, [duration_of(one) for one in around[: len(covered)]])
        if duration and max(duration.as_integer_ratio()) >= 2**63:  # VapourSynth holds no larger numbers
            duration = duration.limit_denominator(10**9)
        _set(out, "_DurationNum", duration and duration.numerator)
        _set(out, "_DurationDen", duration and duration.denominator)
        if "_AbsoluteTime" in out.props:
            _set(out, "_AbsoluteTime", self._time(n, index, t, around))
        if out.props.get("_SceneChangePrev") and n and self._places.at(n - 1)[0] == index:
            out.props["_SceneChangePrev"] = 0
        if out.props.get("_SceneChangeNext") and n + 1 < self._places.frames and self._places.at(n + 1)[0] == index:
            out.props["_SceneChangeNext"] = 0
        return out

    def _time(self, n: int, index: int, t: Fraction, around: Sequence[vs.VideoFrame]) -> float | None:
        """Seconds at which output ``n`` is shown; None if they are unknown."""
        if not self._keeps_time:
            return float(n / self._places.rate) if self._places.rate else None
        start, end = (one.props.get("_AbsoluteTime") for one in around[:2])
        if start is None or t == 0:
            return start if start is None else float(start)
        if index < self._last:
            return None if end is None else float(start + (end - start) * t)
        lasts = duration_of(around[0])
        return None if lasts is None else float(start + lasts * t)


def duration_of(frame: vs.VideoFrame) -> Fraction | None:
    """Seconds for which a frame says that it is shown; None if it does not say."""
    above, below = frame.props.get("_DurationNum"), frame.props.get("_DurationDen")
    return Fraction(above, below) if above is not None and below else None


def _progressive(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
    """The frame. Raises ``vs.Error`` if it holds two fields."""
    if f.props.get("_FieldBased") or f.props.get("_Combed"):
        raise vs.Error(f"frame {n} is interlaced (_FieldBased or _Combed is set): deinterlace the clip first")
    return f


def _set(frame: vs.VideoFrame, name: str, value: Any) -> None:
    """Set a property; None deletes it."""
    if value is not None:
        frame.props[name] = value
    elif name in frame.props:
        del frame.props[name]


def _listed(frames: Any) -> list[vs.VideoFrame]:
    """The frames that VapourSynth gives to a function: a single one comes without a list."""
    return frames if isinstance(frames, list) else [frames]
