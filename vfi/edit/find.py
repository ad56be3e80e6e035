"""Finds the plan of a clip: runs `shots` and `duplicates`, applies manual corrections, and marks the frames.

One pass, which may be the same pass in which new frames are made. Knows nothing of files or models.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from ..core import Frame, InputError
from ..parse import number, quoted, whole
from .duplicates import LONGEST, Repeats, duplicates
from .plan import TWICE, Cuts, Duplicates, Event, Flashes, Output, Plan, Shot, Source
from .shots import Found, shots

SHOWN = Fraction(1, 2000)
"""How far a time, given with three decimals, may be from that of the frame it names."""


@dataclass(frozen=True)
class Edit:
    """Cuts to add or remove by hand, by frame number or by time in seconds (a `Fraction`).

    ``only``: the ``added`` cuts replace all others.
    """

    added: tuple[int | Fraction, ...] = ()
    removed: tuple[int | Fraction, ...] = ()
    only: bool = False

    @classmethod
    def parse(cls, text: str) -> Edit:
        """``+24, -50`` adds a cut before frame 24 and removes the one before frame 50; ``24, 50`` lists all cuts.

        ``1.5s`` is a time instead of a frame; an empty text changes nothing. Raises `InputError`.
        """
        places: dict[str, list[int | Fraction]] = {"+": [], "-": [], "": []}
        for word in filter(None, re.split(r"[\s,;]+", text.strip())):
            match = re.fullmatch(r"([+-]?)(\d{1,12}(?=s?$)|\d{1,9}\.\d{1,20}(?=s$))(s?)", word, re.ASCII)
            if match is None:
                raise InputError(f"{quoted(word)} is not a cut: write frames or times such as 24, +24, -50 or +1.5s")
            sign, place, seconds = match.groups()
            places[sign].append(number(place) if seconds else whole(place))
        if places[""] and (places["+"] or places["-"]):
            raise InputError(f"{text!r} both lists cuts and changes them: write 24, 50 for all cuts, or +24, -50")
        return cls((*places[""], *places["+"]), tuple(places["-"]), only=bool(places[""]))

    def done(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames with these cuts changed. Raises `InputError` for a cut to remove that is not there, or past the end."""
        added, removed = set(self.added), set(self.removed)
        count = 0
        for count, frame in enumerate(frames, start=1):
            here = {place for place in added | removed if _begins(place, count - 1, frame.time)}
            cut = None if self.only else frame.cut
            if here & added:
                cut = cut or "hold"
            if here & removed:
                if cut is None:
                    raise InputError(f"the cut before frame {count - 1} cannot be removed: there is none")
                cut = None
            added, removed = added - here, removed - here
            yield frame if cut == frame.cut else replace(frame, cut=cut)
        for place in added | removed:
            named = f"frame {place}" if isinstance(place, int) else f"{float(place):g} s"
            raise InputError(f"a cut at {named} was given: the clip has only {count} frames")


def _begins(place: int | Fraction, index: int, time: Fraction) -> bool:
    """Whether the frame has the number ``place``, or begins at that time or later."""
    return place == index if isinstance(place, int) else time >= place - SHOWN


@dataclass
class Finder:
    """Marks the frames that pass through `marks`, and then returns their `plan`.

    ``cuts``, ``duplicates`` and ``flashes`` say how each is handled; ``edit`` corrects the cuts. Looks for repeats only if
    motion is spread over them or ``thorough`` is set; ``longest``: see `duplicates.duplicates`. Holds `shots.AHEAD` + 1
    frames, and ``longest`` more when looking for repeats.
    """

    cuts: Cuts = "hold"
    duplicates: Duplicates = "keep"
    edit: Edit = Edit()
    thorough: bool = False
    longest: int = LONGEST
    flashes: Flashes = "keep"
    _found: list[Found] = field(default_factory=list, init=False)
    _repeats: list[Repeats] = field(default_factory=list, init=False)
    _shots: list[Shot] = field(default_factory=list, init=False)
    _last: Frame | None = field(default=None, init=False)

    def marks(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames, marked. Raises what `Edit.done` and `duplicates.duplicates` raise."""
        frames = self._counted(self.edit.done(shots(frames, "hold", self._found, flashes=self.flashes == "remake")))
        if self.thorough or self.duplicates == "spread":
            frames = duplicates(frames, self._repeats, mark=self.duplicates == "spread", longest=self.longest)
        across = None if self.cuts == "interpolate" else self.cuts
        for frame in frames:
            yield frame if frame.cut is None else replace(frame, cut=across)

    def plan(self, rate: Fraction | None, output: Output = TWICE) -> Plan:
        """The plan of the frames that have passed; ``rate`` is their frame rate, if known."""
        if self._last is None:
            raise InputError("the clip has no frames: a plan needs at least one")
        last, count = self._last, sum(shot.frames for shot in self._shots)
        source = Source(count, last.time + last.duration - self._shots[0].start, rate, last.rgb.shape[2], last.rgb.shape[1])
        scores = {one.time: one.score for one in self._found if one.kind == "cut"}
        planned = tuple(replace(shot, score=scores.get(shot.start)) for shot in self._shots)
        events = tuple(Event(one.kind, one.time, one.frames) for one in self._found if one.kind != "cut")
        ordered = tuple(sorted(events, key=lambda event: event.start))
        return Plan(source, planned, ordered, tuple(self._repeats), self.duplicates, output, self.flashes)

    def _counted(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if frame.cut is not None or not self._shots:
                self._shots.append(Shot(frame.time, 0, self.cuts))
            self._shots[-1] = replace(self._shots[-1], frames=self._shots[-1].frames + 1)
            self._last = frame
            yield frame


def find_plan(frames: Iterable[Frame], rate: Fraction | None, finder: Finder, output: Output = TWICE) -> Plan:
    """Find the plan of a clip in one pass, without making frames."""
    deque(finder.marks(frames), maxlen=0)
    return finder.plan(rate, output)


def with_repeats(plan: Plan, frames: Iterable[Frame], policy: Duplicates, longest: int = LONGEST) -> Plan:
    """The plan with the repeats found in the frames of its clip, shot by shot."""
    found: list[Repeats] = []
    marked = replace(plan, duplicates="keep").with_policies("hold", None).marked(frames)
    deque(duplicates(marked, found, mark=False, longest=longest), maxlen=0)
    return replace(plan, repeats=tuple(found), duplicates=policy)
