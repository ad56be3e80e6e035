"""Findings: what is wrong with a clip, where, how surely, and what is to be done about it. Knows nothing of how it was
found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal, TypeAlias, get_args

from ...core import InputError
from ...parse import Fields, count, finite, listed, numbers, one_of, or_none, seconds, share

Kind: TypeAlias = Literal[
    "flash", "dark", "corrupt", "missing", "repeat", "freeze", "junk", "border", "drift", "pulse", "uneven"
]
KINDS: tuple[Kind, ...] = get_args(Kind)

COURSES: tuple[Kind, ...] = ("border", "drift", "pulse", "uneven")
"""Kinds that say how light or motion go on from frame to frame. Their frames may have faults of other kinds too."""

Light: TypeAlias = tuple[float, float, float]
"""A change of light per channel, as logarithms."""

Action: TypeAlias = Literal["remake", "insert", "spread", "drop", "cut", "bridge", "regrade", "retime", "keep"]
"""``remake``: make the frames anew from those around them. ``insert``: make the lost frames. ``spread``: remake repeats,
so that motion goes on through their time. ``drop``: leave repeats out, with their time. ``cut``: the clip begins after them, or
ends before them. ``bridge``: spread a step of light or speed over the frames around it. ``regrade``: take the fault out of the
light. ``retime``: show each frame at its true time, and make the frames of the even times. ``keep``: do nothing."""

ACTIONS: dict[Kind, tuple[Action, ...]] = {
    "flash": ("remake", "keep"),
    "dark": ("remake", "keep"),
    "corrupt": ("remake", "keep"),
    "missing": ("insert", "keep"),
    "repeat": ("spread", "drop", "keep"),
    "freeze": ("cut", "keep"),
    "junk": ("cut", "keep"),
    "border": ("bridge", "keep"),
    "drift": ("regrade", "keep"),
    "pulse": ("regrade", "keep"),
    "uneven": ("keep", "retime"),
}
"""What can be done about each kind; the first is what is proposed."""


@dataclass(frozen=True)
class Finding:
    """Frames ``first`` to ``last`` of the clip, counted from 0.

    ``count``: how many frames are concerned; of ``missing``, how many are lost before frame ``first``, which is ``last`` too.
    ``confidence`` is from 0 to 1. ``start`` is the time of ``first``, in seconds, and ``end`` that at which ``last`` ends;
    None if they are not known.

    What a course does wrong: ``light`` of ``drift`` and ``pulse`` is how far the light of each frame is off, and of ``border``
    its step, or nothing; ``speed`` of ``border`` is that of the motion after it over that before; ``offsets`` of ``uneven``
    say how many frames later than its time each frame shows what it shows. A border lies before ``first``, which is ``last``
    too.
    """

    kind: Kind
    first: int
    last: int
    count: int
    confidence: float
    action: Action
    light: tuple[Light, ...] = ()
    speed: float = 1.0
    offsets: tuple[float, ...] = ()
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
        facts |= {name: str(time) for name, time in times.items() if time is not None}
        if self.speed != 1:
            facts["speed"] = round(self.speed, 4)
        if self.light:
            facts["light"] = [[round(channel, 4) for channel in one] for one in self.light]
        if self.offsets:
            facts["offsets"] = [round(offset, 4) for offset in self.offsets]
        return facts

    @property
    def where(self) -> str:
        """Its frames: "8-9", or "24"."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    @property
    def what(self) -> str:
        """The fault, in words: "flash", "2 missing before"."""
        named = f"{self.count} missing before" if self.kind == "missing" else str(self.kind)
        uneven = f" by up to {max(map(abs, self.offsets)):.2f} frames" if self.offsets else ""
        faster = f", {self.speed:.2f} times as fast" if self.speed != 1 else ""
        return named + uneven + faster

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
        if kind in BETWEEN and last != first:
            raise InputError(f"last is {last}: for {BETWEEN[kind]} it must be {first}, the frame after it, as first is")
        frames = last - first + 1
        many = one.take("count", count(1), 1 if kind == "missing" else frames)
        if kind == "missing" and many > MOST_LOST:
            raise InputError(f"count is {many}: at most {MOST_LOST} missing frames can be made at one place")
        sure = one.take("confidence", share, 1.0)
        action = one.take("action", one_of(ACTIONS[kind]), ACTIONS[kind][0])
        light: tuple[Light, ...] = ()
        speed, offsets = 1.0, tuple[float, ...]()
        if kind in ("drift", "pulse"):
            light = one.take("light", _each(frames, _light, "[red, green, blue]"))
        elif kind == "border":
            light = one.take("light", or_none(_each(1, _light, "[red, green, blue]")), None) or ()  # type: ignore[arg-type]
            speed = one.take("speed", _speed, 1.0)
        elif kind == "uneven":
            offsets = one.take("offsets", _each(frames, _offset, "a number of frames"))
        start, end = one.take("start", or_none(seconds), None), one.take("end", or_none(seconds), None)
        return cls(kind, first, last, many if kind == "missing" else frames, sure, action, light, speed, offsets, start, end)


BETWEEN: dict[Kind, str] = {"missing": "missing frames", "border": "a border"}
"""Kinds whose place is between two frames, and what they are called."""


MOST_LOST = 8
"""The most frames that are made in one gap: motion further apart is a guess."""


LIGHT_RANGE = 3.0
"""The largest change of light, as a logarithm: twenty times as bright."""

SPEED_RANGE = 16.0
"""The largest change of speed at a border."""

OFFSET_RANGE = 8.0
"""How many frames a frame may lie from its true time."""


def _each(many: int, read: Callable[[Any], Any], what: str) -> Callable[[Any], tuple[Any, ...]]:
    """A list of ``many`` values that ``read`` reads."""

    def each(value: Any) -> tuple[Any, ...]:
        values = listed(value)
        if len(values) != many:
            raise ValueError(f"it must be a list with {what} for each of {many} frames" if many > 1 else f"it must be [{what}]")
        return tuple(map(read, values))

    return each


def _light(value: Any) -> Light:
    if not numbers(value, 3) or max(map(abs, value)) > LIGHT_RANGE:
        raise ValueError(f"each change of light must be three numbers from {-LIGHT_RANGE:g} to {LIGHT_RANGE:g}")
    red, green, blue = map(float, value)
    return red, green, blue


def _speed(value: Any) -> float:
    if not finite(value) or not 1 / SPEED_RANGE <= value <= SPEED_RANGE:
        raise ValueError(f"it must be a number from {1 / SPEED_RANGE:g} to {SPEED_RANGE:g}")
    return float(value)


def _offset(value: Any) -> float:
    if not finite(value) or abs(value) > OFFSET_RANGE:
        raise ValueError(f"each offset must be a number from {-OFFSET_RANGE:g} to {OFFSET_RANGE:g}")
    return float(value)


def overlap(one: Finding, other: Finding) -> bool:
    """Whether two findings claim the same frames for what cannot both be done. A course claims them from its own kind alone."""
    rivals = one.kind == other.kind if {one.kind, other.kind} & {*COURSES} else True
    return rivals and one.first <= other.last and other.first <= one.last


def ordered(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings by their place. Of two that `overlap`, the surer stays."""
    kept: list[Finding] = []
    for one in sorted(found, key=lambda one: -one.confidence):
        if not any(overlap(one, other) for other in kept):
            kept.append(one)
    return tuple(sorted(kept, key=lambda one: (one.first, one.kind)))


def retimed(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, with uneven motion to be retimed."""
    return tuple(replace(one, action="retime") if one.kind == "uneven" else one for one in found)


def of_kinds(
    found: Iterable[Finding], only: Collection[str] | None = None, without: Collection[str] = ()
) -> tuple[Finding, ...]:
    """The findings of the kinds ``only`` (None: all), ``without`` some. Raises `InputError` for a kind that there is not."""
    for name in (*(only or ()), *without):
        if name not in KINDS:
            raise InputError(f"{name!r} is no kind of finding: there are {', '.join(KINDS)}")
    return tuple(one for one in found if (only is None or one.kind in only) and one.kind not in without)
