"""A clip of one's own as ground truth: some of its frames are dropped, and models remake them from their neighbours.

Owns the choice of frames, the race of models over them, and the bound on its time. Knows nothing of the command, or of how the
result is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import isfinite, sqrt
from statistics import fmean, stdev

import torch
from torch import Tensor

from ..core import Frame, InputError, Interpolator
from ..edit.find import Finder
from ..model import consensus
from ..model.ladder import Member
from ..pixels.metrics import psnr
from ..pixels.uint8 import codes, floats
from .sets import makes

HALF = Fraction(1, 2)

SURE = 4
"""Frames that every way remakes before any way is given up."""

WORSE = 0.1
"""Decibels that a way must be behind the leader, and that beyond doubt, before it is given up."""


@dataclass(frozen=True)
class Triple:
    """Three frames in a row: ``number`` counts the middle one from 0; pictures are uint8 [3,H,W]."""

    number: int
    time: Fraction
    before: Tensor
    true: Tensor
    after: Tensor

    @property
    def window(self) -> Tensor:
        """The two frames around the dropped one, [1,2,3,H,W], 0..1."""
        return torch.stack([floats(self.before), floats(self.after)])[None]


def triples(frames: Iterable[Frame], most: int) -> list[Triple]:
    """Up to ``most`` triples of a clip, evenly spread and at least half as many if the clip is long enough.

    Every second picture is dropped. Repeats are passed over, no triple reaches across a cut, and all three are as far apart in
    time. Holds at most ``most`` triples. Raises `InputError` if the clip has none.
    """
    held: list[tuple[int, Frame]] = []
    kept: list[Triple] = []
    stride, found = 1, 0
    pictures = 0
    for number, frame in enumerate(Finder(duplicates="spread").marks(frames)):
        if frame.repeat:
            continue
        held = [(number, frame)] if frame.cut is not None else [*held[-2:], (number, frame)]
        pictures += 1
        if len(held) < 3 or pictures % 2 == 0 or not _even([one.time for _, one in held]):
            continue
        before, true, after = (one.rgb if one.rgb.dtype == torch.uint8 else codes(one.rgb) for _, one in held)
        if torch.equal(before, true) or torch.equal(true, after):
            continue
        if found % stride == 0:
            if len(kept) == most:
                kept, stride = kept[::2], 2 * stride
            if found % stride == 0:
                kept.append(Triple(held[1][0], held[1][1].time, before, true, after))
        found += 1
    if not kept:
        raise InputError("the clip has no three frames in a row that move: there is nothing to remake")
    return kept


def _even(times: Sequence[Fraction]) -> bool:
    """Whether three times are as far apart, but for the rounding of files."""
    early, late = times[1] - times[0], times[2] - times[1]
    return abs(early - late) <= max(early, late) / 8


def spread(count: int) -> list[int]:
    """The numbers below ``count``, each far from those before it: however many are taken, they are evenly spread."""
    bits = max(count - 1, 1).bit_length()
    turned = (int(f"{number:0{bits}b}"[::-1], 2) for number in range(2**bits))
    return [number for number in turned if number < count]


@dataclass
class Runner:
    """A way to remake frames in a race: its ``members``, whose median makes each pixel; what it scored, in dB by number of
    the dropped frame; and the seconds that each took. ``late``: it starts after `SURE` frames, and takes no time from the
    others until then. ``given_up``: others are better beyond doubt."""

    name: str
    members: tuple[Member, ...]
    scores: dict[int, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    late: bool = False
    given_up: bool = False

    @property
    def time(self) -> float:
        """Mean seconds per frame."""
        return fmean(self.seconds)


@dataclass(frozen=True)
class Place:
    """A runner at the end of a race: its mean PSNR in dB, estimated from the frames that it and the leader share; ``behind``
    the best in dB, with the standard error of its distance to the leader; and its frames."""

    runner: Runner
    psnr: float
    behind: float
    error: float

    @property
    def frames(self) -> int:
        return len(self.runner.scores)


def race(
    runners: Sequence[Runner],
    models: Mapping[Member, Interpolator],
    found: Sequence[Triple],
    budget: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[int]:
    """Let the runners remake frame after frame until ``budget`` seconds are over; yields how many frames are done.

    The first frame is always remade by all that are not late. Each model makes a frame once, however many runners it belongs
    to, and its first time is not counted. A runner that is worse than the leader by `WORSE` beyond doubt is given up after
    `SURE` frames.
    """
    end = clock() + budget
    wait = min(SURE, len(found) - 1)
    warm: set[Member] = set()
    for done, index in enumerate(spread(len(found)), start=1):
        triple = found[index]
        made: dict[Member, tuple[Tensor, float]] = {}
        for runner in runners:
            if runner.given_up or (runner.late and done <= wait):
                continue
            for member in runner.members:
                if member in made:
                    continue
                if clock() > end and done > 1:
                    return
                if member not in warm:
                    warm.add(member)
                    next(makes(models[member], triple.window, [HALF]))
                started = clock()
                rgb = next(makes(models[member], triple.window, [HALF]))
                made[member] = rgb, clock() - started
            scored(runner, triple, [made[member] for member in runner.members])
        if done >= SURE:
            _give_up(runners)
        yield done


def scored(runner: Runner, triple: Triple, made: Sequence[tuple[Tensor, float]]) -> None:
    """Score what the members of a runner made of a triple."""
    runner.scores[triple.number] = psnr(joined([rgb for rgb, _ in made]), floats(triple.true))
    runner.seconds.append(sum(seconds for _, seconds in made))


def joined(pictures: Sequence[Tensor]) -> Tensor:
    """The median of pictures, of an even number the mean of the middle two."""
    made = consensus.ordered(pictures)
    return (made[(len(made) - 1) // 2] + made[len(made) // 2]) / 2


def ranked(runners: Sequence[Runner]) -> list[Place]:
    """The runners from the best: the leader has the best mean, and the others are measured against it on shared frames.

    Those that never started are left out.
    """
    runners = [runner for runner in runners if runner.scores]
    full = [runner for runner in runners if not runner.given_up]
    most = max(len(runner.scores) for runner in full)
    leader = max((one for one in full if len(one.scores) == most), key=lambda one: _mean(one.scores.values()))
    best = _mean(leader.scores.values())
    found = []
    for runner in runners:
        behind, error = _behind(leader, runner)
        found.append(Place(runner, best - behind, behind, error))
    least = min(one.behind for one in found)  # a late runner may be ahead of the leader
    return sorted((replace(one, behind=one.behind - least) for one in found), key=lambda one: one.behind)


def _give_up(runners: Sequence[Runner]) -> None:
    leader = ranked(runners)[0].runner
    for runner in runners:
        behind, error = _behind(leader, runner)
        if runner is not leader and behind - 2 * error > WORSE:
            runner.given_up = True


def _behind(leader: Runner, runner: Runner) -> tuple[float, float]:
    """How many dB a runner is behind the leader on the frames that both made, and the standard error of that."""
    shared = leader.scores.keys() & runner.scores.keys()
    apart = [leader.scores[number] - runner.scores[number] for number in shared]
    apart = [one for one in apart if isfinite(one)]
    if not apart:
        return 0.0, float("inf")
    return fmean(apart), stdev(apart) / sqrt(len(apart)) if len(apart) > 1 else float("inf")


def _mean(values: Iterable[float]) -> float:
    """The mean of those that are finite: a frame that is made exactly says nothing of the others."""
    known = [value for value in values if isfinite(value)]
    return fmean(known) if known else float("inf")
