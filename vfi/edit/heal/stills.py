"""Stills of findings: which frames show what was wrong and what became of it, caught while the clip passes.

Holds small encoded pictures, of at most `PICTURED` findings. Knows nothing of pages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ...clips.clip import Reader, Seeks, read_since
from ...core import Frame
from ...pages.page import Picture
from ...pages.pictures import encoded
from ...parse import exact
from ...pixels.transfer import TRANSFERS, Transfer
from ...pixels.view import view
from .findings import BETWEEN, Finding
from .mend import Mending

PICTURED = 24
"""The most findings of which pictures are kept."""

LARGE, SMALL = 720, 176
"""Longer sides of the picture that matters most, and of those around it."""

INSIDE = 5
"""The most frames within a finding that are shown."""

FAR = Fraction(4)
"""Seconds from one frame to the next from which it is quicker to look for it than to read on."""


@dataclass(frozen=True)
class Still:
    """A frame, small, and large if it is the one that matters most."""

    small: Picture
    large: Picture | None = None


Place = tuple[int, int]
"""A frame of the input, and 0; of those put in before it, the number from 1."""


def pictured(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings to show, in order: of each kind in turn the surest, until there are `PICTURED`."""
    if len(found) <= PICTURED:
        return tuple(found)
    kinds: dict[str, list[Finding]] = {}
    for one in sorted(found, key=lambda one: -one.confidence):
        kinds.setdefault(one.kind, []).append(one)
    chosen: list[Finding] = []
    for rank in range(len(found)):
        chosen += [some[rank] for some in kinds.values() if rank < len(some)]
        if len(chosen) >= PICTURED:
            break
    return tuple(sorted(chosen[:PICTURED], key=lambda one: (one.first, one.last)))


def inside(one: Finding) -> list[int]:
    """Up to `INSIDE` frames of a finding, evenly, with its first and last."""
    many = min(one.last - one.first + 1, INSIDE)
    if many == 1:
        return [one.first]
    return [one.first + round(k * (one.last - one.first) / (many - 1)) for k in range(many)]


def around(one: Finding) -> tuple[list[int], list[int]]:
    """The frames before a finding and those after it that are shown."""
    early, late = (2, 1) if one.kind in BETWEEN else (1, 1)
    return (
        [k for k in range(one.first - early, one.first) if k >= 0],
        [one.last + k for k in range(1, late + 1)],
    )


def key_of(one: Finding) -> int:
    """The frame of a finding that is shown large: the one that is most off, if that is known, else the middle one."""
    off = [max(map(abs, light)) for light in one.light] or [abs(offset) for offset in one.offsets]
    if len(off) == one.last - one.first + 1:
        return one.first + max(range(len(off)), key=off.__getitem__)
    some = inside(one)
    return some[len(some) // 2]


@dataclass
class Moves:
    """When the instants of a clip are shown once it is mended, and the other way."""

    mending: Mending | None

    def __post_init__(self) -> None:
        self._changes: list[tuple[Fraction, Fraction, int]] = []  # where, by how much, and how many frames are put in
        if self.mending is None:
            return
        step = self.mending.step
        for one in self.mending.findings:
            start = self.mending.begin + one.first * step if one.start is None else one.start
            if one.action in ("cut", "drop"):
                end = start + (one.last - one.first + 1) * step if one.end is None else one.end
                self._changes.append((start, start - end, 0))
            elif one.action == "insert" and self.mending.duration == "grow":
                self._changes.append((start, one.count * step, one.count))

    def shown(self, time: Fraction) -> Fraction:
        """When the frame at ``time`` is shown; of what is left out, when what follows is."""
        moved = Fraction(0)
        for at, by, _ in self._changes:
            if by > 0 and time >= at:
                moved += by
            elif by < 0 and time > at:
                moved -= min(-by, time - at)
        return time + moved

    def place(self, shown: float) -> float:
        """The instant of the clip in whose place something is shown; frames that are put in lie within their gap."""
        moved = 0.0
        for at, by, count in self._changes:
            begins = float(at) + moved
            if by < 0 and shown >= begins:
                moved += float(by)
            elif by > 0 and shown >= begins:
                if shown < begins + float(by):
                    step = float(by) / count
                    return float(at) - step + step * ((shown - begins) / step + 1) / (count + 1)
                moved += float(by)
        return shown - moved


@dataclass
class Stills:
    """Catches the frames of ``findings`` from the clip as it passes (`before`) and from what is made of it (`after`).

    ``times`` are those of all frames of the clip, in seconds. ``old[k]`` is frame k of the clip; ``new[k, 0]`` is what is shown
    at its time, and ``new[k, n]`` the nth frame put in before it.
    """

    findings: tuple[Finding, ...]
    moves: Moves
    times: Sequence[float]
    transfer: Transfer = TRANSFERS["srgb"]
    primaries: int = 1
    old: dict[int, Still] = field(default_factory=dict)
    new: dict[Place, Still] = field(default_factory=dict)

    def __post_init__(self) -> None:
        many = len(self.times)
        self._large = {key_of(one) for one in self.findings}
        self._wanted = {
            k for one in self.findings for some in (*around(one), inside(one), [key_of(one)]) for k in some if k < many
        }
        mending = self.moves.mending
        mended = () if mending is None else mending.findings
        gone = {k for one in mended if one.action in ("cut", "drop") for k in range(one.first, one.last + 1)}
        put: dict[int, int] = {}
        step = 0.0
        if mending is not None:
            step = float(mending.step)
            if mending.duration == "grow":
                put = {one.first: one.count for one in mended if one.action == "insert"}
        asked: list[tuple[float, Place]] = []
        for k in self.wanted:
            at, lost = float(self.moves.shown(exact(self.times[k]))), put.get(k, 0)
            asked += [(at - (lost - n) * step, (k, n + 1)) for n in range(lost)]
            if k not in gone:
                asked.append((at, (k, 0)))
        self._asked = deque(asked)
        self._near = step / 2 or 1.0

    @property
    def wanted(self) -> list[int]:
        """The frames of the clip that are caught, in order."""
        return sorted(self._wanted)

    def before(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames of the clip, unchanged."""
        self.old = {}
        for index, frame in enumerate(frames):
            if index in self._wanted:
                self.old[index] = self._still(index, frame)
            yield frame

    def look(self, clip: Reader) -> None:
        """Catch the frames of the clip by reading it again where they are."""
        wanted, times = deque(self.wanted), self.times
        while wanted:
            begin = exact(times[wanted[0]]).limit_denominator(10**6)
            for frame in read_since(clip, begin) if isinstance(clip, Seeks) else clip:
                while wanted and float(frame.time) > times[wanted[0]] + 1e-6:
                    wanted.popleft()  # a clip that changes while it is read
                if wanted and abs(float(frame.time) - times[wanted[0]]) <= 1e-6:
                    index = wanted.popleft()
                    self.old[index] = self._still(index, frame)
                    if not wanted:
                        return
                if isinstance(clip, Seeks) and wanted and times[wanted[0]] - float(frame.time) > FAR:
                    break
            else:
                return

    def after(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames that are made, unchanged; of each asked for, that nearest to its time is caught."""
        last: tuple[float, Frame] | None = None
        for frame in frames:
            now = float(frame.time)
            while self._asked and self._asked[0][0] <= now:
                time, place = self._asked.popleft()
                if last is not None and time - last[0] < now - time:
                    self._catch(place, last[1])
                elif now - time <= self._near:  # else it was made by an earlier run
                    self._catch(place, frame)
            last = now, frame
            yield frame
        while self._asked and last is not None:
            self._catch(self._asked.popleft()[1], last[1])

    def _catch(self, place: Place, frame: Frame) -> None:
        self.new[place] = self._still(place[0], frame)

    def _still(self, index: int, frame: Frame) -> Still:
        large = self._pictured(frame, LARGE) if index in self._large else None
        return Still(self._pictured(frame, SMALL), large)

    def _pictured(self, frame: Frame, side: int) -> Picture:
        return encoded(view(frame, side, self.transfer, self.primaries))
