"""Paint-through: the keys of a clip carried through its shots, as a clip of its own.

Owns the stretches between keys, the order in which their frames are read, and what is held meanwhile: two keys, a block of
frames and the last step of motion; what is carried back from a later key waits on disk (`spool`). Knows nothing of models or of
where keys come from.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from ..clips.clip import Reader, from_shown_at, read_since
from ..core import Frame, InputError
from ..pixels.uint8 import floats, like
from .carry import Carried, Carrier, Flows, Search, voted
from .flat import Areas, Colours, Told, areas, coloured, is_flat, joined
from .keys import Key, Paint, checked, paint_of
from .light import lit
from .planes import Array, array_of, sampled, tensor_of
from .sides import Side, painted, share_of
from .spool import Spool

Kind: TypeAlias = Literal["auto", "painted", "flat"]
KINDS: tuple[Kind, ...] = get_args(Kind)

BLOCK = 128_000_000
"""Bytes of frames that are held while a clip is read backwards, at least `LEAST` frames."""

LEAST = 4

WIDEST = 8
"""The largest radius of search, in pixels."""


@dataclass(frozen=True)
class Through:
    """How keys are carried. ``kind``: as flat colour, whose areas are filled exactly, or as a painting, which moves with the
    picture; auto: flat colour if both keys of a stretch are. ``radius``, 0 to 8: pixels around the place that motion leads to
    within which patches are compared."""

    kind: Kind = "auto"
    radius: int = 2

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"kind {self.kind!r} was given: choose one of {', '.join(KINDS)}")
        if not 0 <= self.radius <= WIDEST:
            raise InputError(f"a search radius of {self.radius} pixels was given: it must lie between 0 and {WIDEST}")


@dataclass(frozen=True)
class Course:
    """When the frames of a clip begin, ``times``, and which of them begin a shot, ``cuts``, without the first."""

    times: tuple[Fraction, ...]
    cuts: tuple[int, ...] = ()

    @classmethod
    def of(cls, frames: Iterable[Frame]) -> Course:
        """The course of marked frames, see `core.Frame`; holds no pictures."""
        times, cuts = [], []
        for number, frame in enumerate(frames):
            times.append(frame.time)
            if number and frame.cut is not None:
                cuts.append(number)
        return cls(tuple(times), tuple(cuts))

    @property
    def shots(self) -> list[tuple[int, int]]:
        """The first frame of each shot, and that after its last."""
        return list(pairwise((0, *self.cuts, len(self.times))))


class Stretch(NamedTuple):
    """Frames from ``first`` to just before ``end``, with the key ``before`` them, which is the first, and the one ``after``, at
    the end; either may be lacking."""

    first: int
    end: int
    before: Key | None = None
    after: Key | None = None


def stretches(course: Course, keys: Sequence[Key]) -> Iterator[Stretch]:
    """All frames of a clip, in stretches between the keys of each shot."""
    for first, end in course.shots:
        own = [key for key in keys if first <= key.frame < end]
        if not own:
            yield Stretch(first, end)
            continue
        if own[0].frame > first:
            yield Stretch(first, own[0].frame, None, own[0])
        for before, after in pairwise((*own, None)):
            assert before is not None
            yield Stretch(before.frame, end if after is None else after.frame, before, after)


class Painted:
    """A clip painted by its ``keys``, sorted by their frames: a reader that needs one stretch at a time.

    ``clip`` is read more than once. ``flows`` makes what estimates motion. ``worked`` is called after each piece of work, of
    which there are ``work``, and may raise to stop. A key's own frame is the key itself; frames of a shot without a key pass
    unchanged. Raises `InputError` at once for a key of another size than the clip's.
    """

    def __init__(
        self,
        clip: Reader,
        course: Course,
        keys: Sequence[Key],
        flows: Callable[[], Flows],
        options: Through = Through(),
        *,
        worked: Callable[[], object] = bool,
    ) -> None:
        self.info, self.notes = clip.info, clip.notes
        self._clip, self._course, self._flows, self._options, self._worked = clip, course, flows, options, worked
        self._stretches = list(stretches(course, keys))
        self._paints: dict[int, Paint] = {}
        self._empty: dict[int, bool] = {key.frame: False for key in keys}
        for key in keys:
            checked(key, clip.info.width, clip.info.height)
        bare = [one for one in self._stretches if one.before is one.after is None]
        if bare:
            at = ", ".join(f"{float(course.times[one.first]):.3f}" for one in bare[:8])
            many = f"{len(bare)} shots have no key: they stay" if len(bare) > 1 else "a shot has no key: it stays"
            self.notes.append(f"{many} as in the clip, from {at} s{' and later' if len(bare) > 8 else ''}")

    @property
    def work(self) -> int:
        """How many pieces of work there are: each frame, and each that is carried back."""
        back = sum(one.end - one.first - (one.before is not None) for one in self._stretches if one.after is not None)
        return len(self._course.times) + back

    def __iter__(self) -> Iterator[Frame]:
        return self.costly(None)

    def costly(self, since: Fraction | None) -> Generator[Frame, None, None]:
        """As `clips.clip.Costly.costly`."""
        frames = iter(self._clip)
        for stretch in self._stretches:
            yield from self._made(stretch, frames, since)
        if self._empty and all(self._empty.values()):
            self.notes.append("nothing is painted: every key equals its frame, or is transparent")

    def _made(self, stretch: Stretch, frames: Iterator[Frame], since: Fraction | None) -> Iterator[Frame]:
        times = self._course.times
        unwanted = since is not None and times[stretch.end - 1] < since
        if (stretch.before is stretch.after is None) or unwanted:
            pieces = stretch.end - stretch.first
            if unwanted and stretch.after is not None:
                pieces += pieces - (stretch.before is not None)
            for number in range(stretch.first, stretch.end):
                yield self._next(frames, number)
            for _ in range(pieces):
                self._worked()
            return
        before, after = (None if key is None else self._paint(key) for key in (stretch.before, stretch.after))
        known = [paint for paint in (before, after) if paint is not None]
        flat = self._options.kind == "flat" or (
            self._options.kind == "auto" and all(is_flat(paint.original, paint.painted) for paint in known)
        )
        yield from (self._flat if flat else self._moved)(stretch, before, after, frames, since)

    def _moved(
        self, stretch: Stretch, before: Paint | None, after: Paint | None, frames: Iterator[Frame], since: Fraction | None
    ) -> Iterator[Frame]:
        """The frames of a stretch, as a painting that moves with them."""
        with Spool() as spool:
            if after is not None:
                last = self._carrier(after)
                for number, picture in self._backwards(stretch):
                    spool.put(number, last.step(picture))
                    self._worked()
            carrier = None if before is None else self._carrier(before)
            share: Array | None = None
            for number in range(stretch.first, stretch.end):
                frame = self._next(frames, number)
                wanted = since is None or frame.time >= since
                if stretch.before is not None and number == stretch.first:
                    yield self._key(frame, stretch.before)
                    self._worked()
                    continue
                picture = array_of(floats(frame.rgb))
                one = None if carrier is None else carrier.step(picture)
                other = None if after is None else spool.take(number)
                far = (number - stretch.first) / (stretch.end - stretch.first)
                if one is not None and other is not None and carrier is not None:
                    share = share_of(one, other, far, None if share is None else sampled(share, carrier.back))
                if wanted:
                    told = ((before, one, far), (after, other, 1 - far))
                    sides = [_side(paint, carried, away) for paint, carried, away in told if paint and carried]
                    whole = all(paint.whole for paint in (before, after) if paint is not None)
                    frame = _with(frame, painted(picture, sides, share, whole=whole))
                yield frame
                self._worked()

    def _flat(
        self, stretch: Stretch, before: Paint | None, after: Paint | None, frames: Iterator[Frame], since: Fraction | None
    ) -> Iterator[Frame]:
        """The frames of a stretch, as areas of flat colour."""
        later: dict[int, Told] = {}
        second = None if after is None else Colours(after.original, after.painted, self._flows())
        if second is not None:
            for number, picture in self._backwards(stretch):
                later[number] = second.step(picture, areas(picture))
                self._worked()
        first = None if before is None else Colours(before.original, before.painted, self._flows())
        for number in range(stretch.first, stretch.end):
            frame = self._next(frames, number)
            if stretch.before is not None and number == stretch.first:
                yield self._key(frame, stretch.before)
                self._worked()
                continue
            picture = array_of(floats(frame.rgb))
            found = areas(picture)
            one = None if first is None else first.step(picture, found)
            if since is None or frame.time >= since:
                far = (number - stretch.first) / (stretch.end - stretch.first)
                frame = _with(frame, _filled(picture, found, (first, one), (second, later.pop(number, None)), far))
            yield frame
            self._worked()

    def _carrier(self, paint: Paint) -> Carrier:
        return Carrier(paint.original, paint.painted, self._flows, Search(self._options.radius))

    def _key(self, frame: Frame, key: Key) -> Frame:
        """A key's own frame, with its paint."""
        paint = self._paint(key)
        cover = paint.layer[..., 3:]
        return _with(frame, np.where(cover > 0, paint.painted, paint.original))

    def _paint(self, key: Key) -> Paint:
        """The paint of a key; that of the last two is kept."""
        if key.frame not in self._paints:
            original = next(self._from(key.frame))
            self._paints = dict(list(self._paints.items())[-1:])
            paint = paint_of(checked(key, self.info.width, self.info.height), original)
            self._paints[key.frame], self._empty[key.frame] = paint, not paint.layer[..., 3].any()
        return self._paints[key.frame]

    def _backwards(self, stretch: Stretch) -> Iterator[tuple[int, Array]]:
        """The pictures of a stretch from its end to its first frame, that of the key before left out."""
        first = stretch.first + (stretch.before is not None)
        length = max(BLOCK // (12 * self.info.width * self.info.height), LEAST)
        for end in range(stretch.end, first, -length):
            start = max(end - length, first)
            block = [frame.rgb for frame, _ in zip(self._from(start), range(start, end), strict=False)]
            for number in range(end - 1, start - 1, -1):
                yield number, array_of(floats(block[number - start]))
                block.pop()

    def _from(self, number: int) -> Iterator[Frame]:
        """The frames of the clip from ``number`` on."""
        time = self._course.times[number]
        frames = read_since(self._clip, time)
        frame = next(frames, None)
        if frame is None or frame.time != time:
            frames = from_shown_at(self._clip, time, 0, lambda frame: frame.time + frame.duration)
            frame = next(frames, None)
        if frame is None or frame.time != time:
            raise InputError(f"the clip has changed: there was a frame at {float(time):.3f} s")
        yield frame
        yield from frames

    def _next(self, frames: Iterator[Frame], number: int) -> Frame:
        frame = next(frames, None)
        if frame is None or frame.time != self._course.times[number]:
            raise InputError(f"the clip has changed: there was a frame at {float(self._course.times[number]):.3f} s")
        return frame


def _side(paint: Paint, carried: Carried, far: float) -> Side:
    layer = lit(voted(paint.layer, carried), carried.light)
    cover = layer[..., 3:].clip(0, 1)
    cover[cover < 1 / 512] = 0
    layer = np.dstack((layer[..., :3] * (cover > 0), cover))
    return Side(layer, carried.seen, far)


def _filled(
    picture: Array,
    found: Areas,
    first: tuple[Colours | None, Told | None],
    second: tuple[Colours | None, Told | None],
    far: float,
) -> Array:
    """A frame coloured as one key or both tell."""
    (one, told), (other, told_later) = first, second
    if one is not None and told is not None and other is not None and told_later is not None:
        both, later = joined(told, told_later, far)
        table, which = np.concatenate((one.table, other.table)), both.which + later * len(one.table)
        ink = one.ink + np.float32(far) * (other.ink - one.ink)
        return coloured(picture, found, _looked_up(table, np.where(both.which < 0, -1, which)), ink)
    for colours, said in ((one, told), (other, told_later)):
        if colours is not None and said is not None:
            return coloured(picture, found, _looked_up(colours.table, said.which), colours.ink)
    return picture


def _looked_up(table: Array, which: np.ndarray[tuple[int], np.dtype[np.int32]]) -> Array:
    """The colour of each area, not a number where none is known."""
    return np.concatenate((table, np.full((1, 3), np.nan, np.float32)))[which]


def _with(frame: Frame, picture: Array) -> Frame:
    return replace(frame, rgb=like(frame.rgb, tensor_of(picture)))
