"""The quality ladder: presets for the trade-off between quality and time.

Owns the meaning of each rung: which models make a frame, and how each of them is used. Which are best, and the figures, come
from the measured `ladder`. Knows nothing of files or networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

from ..core import InputError
from . import ladder
from .ladder import Member as Member
from .ladder import Source as Source
from .ladder import Way

LADDER = ladder.shipped()
"""The figures behind all rungs."""

WITHOUT_NETWORK = {"linear": "linear", "draft": "dis-fast"}

WITHOUT_WEIGHTS = ("nearest", "linear", "dis-fast", "dis")
"""Models that ``auto`` and ``fast`` never choose: they are there for whoever names them."""

QUICK, NO_SLOWER, LONGEST = 0.3, 1.25, 6.0
"""The most time of ``fast``, of ``auto`` and of ``best``, relative to `ladder.REFERENCE`."""

WORTH = 0.04
"""Decibels that a mix must gain for as much time as `ladder.REFERENCE` takes."""

There: TypeAlias = Callable[[str], bool]
"""Tells whether a model is available by name."""


def order() -> tuple[str, ...]:
    """The models that ``auto`` looks for: those with weights that take no longer than the reference, most accurate first."""
    able = [
        way
        for way in LADDER.ways
        if len(way.members) == 1 and way.members[0] == Member(way.members[0].source) and way.time <= NO_SLOWER
    ]
    names = (str(way.members[0].source) for way in sorted(able, key=lambda way: -way.decibels))
    return tuple(name for name in names if name not in WITHOUT_WEIGHTS)


def quick(there: There) -> Way | None:
    """The most accurate way of one model at half size, within the time of ``fast``; None without one."""
    able = (way for way in LADDER.ways if len(way.members) == 1 and way.members[0].half_size and way.time <= QUICK)
    return _best((way for way in able if way.members[0].source not in WITHOUT_WEIGHTS), there)


def mix(there: There) -> Way | None:
    """The mix within the time of ``best`` that gains most for its time; None without one."""
    return _best((way for way in LADDER.ways if len(way.members) > 1 and way.time <= LONGEST), there, WORTH)


def _best(ways: Iterable[Way], there: There, worth: float = 0.0) -> Way | None:
    """The most accurate of some ways whose models are all available; time costs ``worth`` decibels per unit."""
    known = cache(there)
    able = (way for way in ways if all(known(str(member.source)) for member in way.members))
    return max(able, key=lambda way: way.decibels - worth * way.time, default=None)


@dataclass(frozen=True)
class Rung:
    """How a quality makes frames (``does``), its mean PSNR in dB over the sets of the ladder, and its ``time`` relative to
    `ladder.REFERENCE` on one CPU thread; both with all models of the ladder on disk."""

    does: str
    psnr: float
    time: float


def _rung(does: str, way: Way | None) -> Rung:
    assert way is not None, f"the ladder has no way for: {does}"
    return Rung(does, way.decibels, way.time)


def _all(name: str) -> bool:
    return True


RUNGS: dict[str, Rung] = {
    "linear": _rung("a blend of the two frames", LADDER.one("linear")),
    "draft": _rung("rough motion, without a network", LADDER.one("dis-fast")),
    "fast": _rung("a small model, or the model you choose, at half size, on the moving part of the frame", quick(_all)),
    "normal": _rung("the model as it is", LADDER.one(order()[0])),
    "best": _rung("the median of several passes, of the models on disk that measured best together", mix(_all)),
}
"""From the fastest to the best."""


@dataclass(frozen=True)
class Measured:
    """A model alone: its mean PSNR in dB over the sets of the ladder, and ``seconds`` per frame on one CPU thread."""

    psnr: float
    seconds: float


MEASURED: dict[str, Measured] = {
    str(way.members[0].source): Measured(way.decibels, way.seconds)
    for way in LADDER.ways
    if len(way.members) == 1 and way.members[0] == Member(way.members[0].source)
}
"""The models that have been measured, by name."""


def members(quality: str, models: Sequence[Source] = ("auto",), tta: str = "none", *, there: There) -> tuple[Member, ...]:
    """The models that make a frame at ``quality``; if several, by their `consensus.Consensus`.

    ``models`` and ``tta`` are the requested ones; ``there`` tells whether a model is available by name. Raises `InputError`
    for an unknown quality, or if the request contradicts it.
    """
    if quality not in RUNGS:
        raise InputError(f"{quality!r} is not a quality: give one of {', '.join(RUNGS)}")
    of_its_own = len(models) == 1 and models[0] == "auto"
    if quality in WITHOUT_NETWORK:
        if tta != "none" or not of_its_own:
            raise InputError(f"quality {quality} uses no network: leave the model at auto and test-time augmentation at none")
        return (Member(WITHOUT_NETWORK[quality]),)
    if quality == "best":
        if tta != "none" or len(models) > 1:
            raise InputError("quality best has its own passes: give at most one model and no test-time augmentation")
        several = mix(there) if of_its_own else None
        return (Member(models[0], tta="duo"),) if several is None else several.members
    small = quick(there) if quality == "fast" and of_its_own else None
    if small is not None:
        return (replace(small.members[0], tta=tta),)
    return tuple(Member(model, tta, half_size=quality == "fast") for model in models)
