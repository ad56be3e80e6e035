"""Findings: what is wrong with a clip, where, how surely, and what is to be done about it. Knows nothing of how it was
found."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias, get_args

from ...core import InputError
from ...parse import Fields, count, one_of, or_none, seconds, share

Kind: TypeAlias = Literal["flash", "dark", "corrupt", "missing", "repeat", "freeze", "junk"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Action: TypeAlias = Literal["remake", "insert", "spread", "drop", "cut", "keep"]
"""``remake``: make the frames anew from those around them. ``insert``: make the lost frames. ``spread``: remake repeats,
so that motion goes on through their time. ``drop``: leave repeats out, with their time. ``cut``: the clip begins after them, or
ends before them. ``keep``: do nothing."""

ACTIONS: dict[Kind, tuple[Action, ...]] = {
    "flash": ("remake", "keep"),
    "dark": ("remake", "keep"),
    "corrupt": ("remake", "keep"),
    "missing": ("insert", "keep"),
    "repeat": ("spread", "drop", "keep"),
    "freeze": ("cut", "keep"),
    "junk": ("cut", "keep"),
}
"""What can be done about each kind; the first is what is proposed."""


@dataclass(frozen=True)
class Finding:
    """Frames ``first`` to ``last`` of the clip, counted from 0.

    ``count``: how many frames are concerned; of ``missing``, how many are lost before frame ``first``, which is ``last`` too.
    ``confidence`` is from 0 to 1. ``start`` is the time of ``first``, in seconds, and ``end`` that at which ``last`` ends;
    None if they are not known.
    """

    kind: Kind
    first: int
    last: int
    count: int
    confidence: float
    action: Action
    start: Fraction | None = field(default=None, compare=False)
    end: Fraction | None = field(default=None, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """The finding for JSON."""
        facts: dict[str, Any] = {
            "kind": self.kind,
            "first": self.first,
            "last": self.last,
            "count": self.count,
            "confidence": round(self.confidence, 3),
            "action": self.action,
        }
        times = {"start": self.start, "end": self.end}
        return {**facts, **{name: str(time) for name, time in times.items() if time is not None}}

    @property
    def where(self) -> str:
        """Its frames: "8-9", or "24"."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    @property
    def what(self) -> str:
        """The fault, in words: "flash", "2 missing before"."""
        return f"{self.count} missing before" if self.kind == "missing" else self.kind

    def __str__(self) -> str:
        """All of it, in one line."""
        begins = "" if self.start is None else f", from {float(self.start):.3f} s"
        many = "frame" if self.first == self.last else "frames"
        return f"{many} {self.where}{begins}: {self.what}, confidence {self.confidence:.2f}, {self.action}"

    @classmethod
    def of(cls, one: Fields) -> Finding:
        """The finding in an entry of a plan; ``last``, ``count``, ``confidence`` and ``action`` may be left out. Raises
        `InputError`."""
        kind: Kind = one.take("kind", one_of(KINDS))
        first = one.take("first", count(0))
        last = one.take("last", count(first), first)
        if kind == "missing" and last != first:
            raise InputError(f"last is {last}: for missing frames it must be {first}, the frame after the gap, as first is")
        frames = last - first + 1
        many = one.take("count", count(1), 1 if kind == "missing" else frames)
        if kind == "missing" and many > MOST_LOST:
            raise InputError(f"count is {many}: at most {MOST_LOST} missing frames can be made at one place")
        sure = one.take("confidence", share, 1.0)
        action = one.take("action", one_of(ACTIONS[kind]), ACTIONS[kind][0])
        start, end = one.take("start", or_none(seconds), None), one.take("end", or_none(seconds), None)
        return cls(kind, first, last, many if kind == "missing" else frames, sure, action, start, end)


MOST_LOST = 8
"""The most frames that are made in one gap: motion further apart is a guess."""


def ordered(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings by their place. Of two about the same frames, the surer stays."""
    kept: list[Finding] = []
    for one in sorted(found, key=lambda one: -one.confidence):
        if not any(one.first <= other.last and other.first <= one.last for other in kept):
            kept.append(one)
    return tuple(sorted(kept, key=lambda one: (one.first, one.kind)))


def of_kinds(
    found: Iterable[Finding], only: Collection[str] | None = None, without: Collection[str] = ()
) -> tuple[Finding, ...]:
    """The findings of the kinds ``only`` (None: all), ``without`` some. Raises `InputError` for a kind that there is not."""
    for name in (*(only or ()), *without):
        if name not in KINDS:
            raise InputError(f"{name!r} is no kind of finding: there are {', '.join(KINDS)}")
    return tuple(one for one in found if (only is None or one.kind in only) and one.kind not in without)
