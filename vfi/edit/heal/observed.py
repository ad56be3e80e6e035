"""What is kept of a clip for its report while it passes: its traces, a film of small pictures, and stills of its findings.

One object sees the clip when it is looked at (`first`), again when it is mended (`before`), and what is made of it (`after`).
Memory does not grow with the clip but for its traces. Knows nothing of pages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ...clips.clip import Info, transfer_of
from ...core import Frame
from ..plan import Plan
from .measures import Measures
from .stills import Moves, Stills, pictured
from .traces import Film, Trace, thumbnail_side


@dataclass
class Observed:
    """What was seen of the clip that ``info`` describes. ``now`` is the trace of what was made of it, if anything was."""

    info: Info
    trace: Trace = field(default_factory=Trace)
    now: Trace | None = None

    def __post_init__(self) -> None:
        self._transfer, self._primaries = transfer_of(self.info), self.info.colour.primaries
        self.film = Film(self._transfer, self._primaries)
        self.stills = Stills((), Moves(None), ())
        self._side = 1

    def first(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames of the clip, unchanged, when it is looked at."""
        for frame in self.film.take(frames):
            self._side = thumbnail_side(frame)
            yield frame

    def looked_through(self, frames: Iterable[Frame]) -> None:
        """Look at all frames of the clip for the curves alone: what is wrong with it is known."""
        deque(self.trace.take(self.first(frames)), maxlen=0)

    def measured(self, seen: Measures) -> None:
        """Take the traces from the measures of that look."""
        self.trace = Trace()
        self.trace.add(seen, self._side)

    def planned(self, plan: Plan, *, mends: bool) -> None:
        """Choose the frames that show the findings of ``plan``, which is followed if it ``mends``."""
        moves = Moves(plan.mending if mends and plan.findings else None)
        shown = pictured(plan.findings)
        self.stills = Stills(shown, moves, self.trace.times, self._transfer, self._primaries)

    def before(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames of the clip, unchanged, when it is mended."""
        return self.stills.before(frames)

    def after(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames that are made, unchanged."""
        self.now = Trace()
        return self.now.take(self.stills.after(frames))
