"""Measures the quality ladder: every model at one pass, then mixes of up to six passes, against several sets.

Mixes grow pass by pass. Each is judged by a sample of the pixels first, and the front runners by all of them. Knows nothing of
how the ladder is used: see `model.quality`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Any

import cv2
import numpy as np
import torch

from ..core import InputError, Interpolator
from ..model import load, registry, weights
from ..model.ladder import REFERENCE, Ladder, Member, Way, front
from ..model.load import Part
from ..model.wrappers import VIEWS, estimates_motion
from ..pixels.uint8 import floats
from .sets import Kept, Set, makes

MOST = 6
"""The most passes of a mix."""

LIGHT = 4.0
"""A pass that takes more than this many times as long as the reference is measured alone, and enters no mix."""

LAGS = 0.4
"""Decibels by which a model may be less accurate than a faster one and still enter mixes."""

HEAVY = 100.0
"""A model that takes more than this many times as long as the reference is not measured."""

SAMPLED = 64
"""One sample in so many judges a mix at first."""

KEPT = 16
"""The most accurate mixes of each number of passes, which grow further. So do all on the front of that number."""

FINAL = 3
"""The most accurate mixes, by the sample, that are measured on all samples. So is the front."""

STEP = 0.02
"""Decibels by which a mix on the front must be better than the next faster one, so that it is measured."""

ROUNDING = 0.02
"""Mean difference of frames, of 255, below which two passes count as one."""

TIMED = 8
"""Items on which passes are timed, taking turns."""

WITHOUT_MOTION = ("linear", "nearest", "dis-fast")
"""Models that are measured at one pass only: they are steps of the ladder, and no help in a mix."""


def measured(sets: Sequence[Set], names: Sequence[str], kept: Kept, said: Callable[[str], object]) -> Ladder:
    """The ladder of some models over some sets, on one CPU thread; ``said`` is told each step.

    Raises `InputError` if the reference is not among the models, or if one needs more frames than the items give.
    """
    if REFERENCE not in names:
        raise InputError(f"the ladder was asked of {', '.join(names)}: times are relative to {REFERENCE}, which is needed")
    with OneThread():
        models = {name: load.network(name) for name in names}
        timed = _timed(list(_passes(models)), sets, models, said)
        reference = timed[Member(REFERENCE)]
        rows: dict[Member, list[Any]] = {}

        def add(member: Member) -> None:
            said(f"{member.label}: {timed[member]:.3f} s per frame, {timed[member] / reference:.2f} of {REFERENCE}")
            made = [kept.row(member, over, partial(ready, models[str(member.source)], member)) for over in sets]
            if not any(_same(made, other) for other in rows.values()):  # DIS sees reversed frames as it sees any
                rows[member] = made

        for member in timed:
            if member.tta == "none":
                add(member)
        sample = _sampled(sets, rows)
        voters = _voters(timed, {member: sample.decibels([member]) for member in rows})
        for member in timed:
            if member.tta != "none" and member.source in voters:
                add(member)
    votes = [member for member in rows if member.source in voters and not member.half_size]
    chosen: list[tuple[Member, ...]] = [(member,) for member in rows]
    sample = _sampled(sets, rows)
    for having in _disks(names):
        some = [member for member in votes if member.source in having]
        said(f"mixes of up to {MOST} of {len(some)} passes")
        chosen += _grown(some, timed, sample)
    ways = []
    for members in dict.fromkeys(chosen):
        psnr = _exact(sets, rows, members, _median)
        averaged = _exact(sets, rows, members, _mean) if len(members) > 2 else None
        mean = None if averaged is None else round(fmean(some["all"] for some in averaged.values()), 3)
        took = sum(timed[member] for member in members)
        ways.append(Way(members, psnr, round(took, 4), round(took / reference, 3), mean))
    ahead = front(ways)
    ways = sorted((replace(way, front=way in ahead) for way in ways), key=lambda way: way.time)
    frames = {over.name: {name: sum(places) for name, places in _subsets(over).items()} for over in sets}
    facts = {"torch": torch.__version__, "threads": "1", "reference": REFERENCE}
    return Ladder(tuple(ways), frames, facts)


class OneThread:
    """Within, torch and OpenCV use one thread."""

    def __enter__(self) -> None:
        self.before = torch.get_num_threads(), cv2.getNumThreads()
        torch.set_num_threads(1)
        cv2.setNumThreads(1)

    def __exit__(self, *error: object) -> None:
        torch.set_num_threads(self.before[0])
        cv2.setNumThreads(self.before[1])


def ready(bare: Interpolator, member: Member) -> Interpolator:
    """A network, used as ``member`` says."""
    return Part(bare, tta=member.tta, half_size=member.half_size).ready()


def _passes(models: dict[str, Interpolator]) -> Iterator[Member]:
    """All uses of the models: whole, as half size, and seen otherwise."""
    for name, bare in models.items():
        yield Member(name)
        if name in WITHOUT_MOTION:
            continue
        yield from (Member(name, view) for view in VIEWS)
        if estimates_motion(bare):
            yield Member(name, half_size=True)


def _same(made: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two passes make the same frames, but for rounding."""
    apart = (np.abs(one[::SAMPLED].astype(np.int16) - another[::SAMPLED]) for one, another in zip(made, other, strict=True))
    return all(float(one.mean()) < ROUNDING for one in apart)


def _voters(timed: Mapping[Member, float], decibels: Mapping[Member, float]) -> set[str]:
    """The models that may vote in mixes: neither slow, nor far less accurate than one that is faster."""
    whole = [member for member in decibels if member == Member(member.source)]
    found = set()
    for member in whole:
        faster = [decibels[other] for other in whole if timed[other] < timed[member]]
        light = timed[member] <= LIGHT * timed[Member(REFERENCE)]
        if light and member.source not in WITHOUT_MOTION and decibels[member] > max(faster, default=0.0) - LAGS:
            found.add(str(member.source))
    return found


def _timed(
    passes: Sequence[Member], sets: Sequence[Set], models: dict[str, Interpolator], said: Callable[[str], object]
) -> dict[Member, float]:
    """The seconds per frame of each pass, by the processor's clock, so that other processes do not count. Passes take turns.

    Models that are too slow on the first item are left out.
    """
    items = [(floats(window)[None], item.times) for over in sets for item, window in zip(over.items, over.windows, strict=True)]
    items = items[:: -(-len(items) // TIMED)]
    used = {member: ready(models[str(member.source)], member) for member in passes}
    for member, model in used.items():
        if model.spec.window != 2:
            raise InputError(f"{member.source} needs {model.spec.window} frames, and the ladder gives two: leave it out")
    took: dict[Member, list[float]] = {member: [] for member in used}
    for index, (window, times) in enumerate(items):
        for member, model in used.items():
            if index == 0:
                list(makes(model, window, times))
            started = time.process_time()
            count = len(list(makes(model, window, times)))
            took[member].append((time.process_time() - started) / count)
        if index == 0:
            slow = {member.source for member in used if took[member][0] > HEAVY * took[Member(REFERENCE)][0]}
            for name in slow:
                said(f"{name} is left out: it takes more than {HEAVY:g} times as long as {REFERENCE}")
            used = {member: model for member, model in used.items() if member.source not in slow}
    return {member: float(np.mean(took[member])) for member in used}


def _disks(names: Sequence[str]) -> Iterator[set[str]]:
    """What people may have on disk: what ships with the library, that and one more model, and all models."""
    shipped = {name for name in names if name in registry.builtins() or weights.on_disk(name, [])}
    yield shipped
    for name in names:
        if name not in shipped:
            yield shipped | {name}
    yield set(names)


def _subsets(over: Set) -> dict[str, list[bool]]:
    """The frames of all, and of each subset."""
    known = sorted({name for name in over.subsets if name is not None})
    return {"all": [True] * len(over.subsets)} | {name: [one == name for one in over.subsets] for name in known}


# --- errors -------------------------------------------------------------------------------------------------------------------


def _median(rows: Sequence[Any]) -> Any:
    """The median of rows of samples, in float32: of an even number, the mean of the middle two. See `consensus.ordered`."""
    made, half = list(rows), len(rows) // 2
    for last in range(len(made) - 1, 0, -1):
        for k in range(last):
            made[k], made[k + 1] = np.minimum(made[k], made[k + 1]), np.maximum(made[k], made[k + 1])
    return made[half].astype(np.float32) if len(made) % 2 else (made[half - 1].astype(np.float32) + made[half]) / 2


def _mean(rows: Sequence[Any]) -> Any:
    total = rows[0].astype(np.float32)
    for row in rows[1:]:
        total += row
    return total / len(rows)


def _decibels(made: Any, true: Any) -> float:
    error = float(np.square(np.rint(made) - true.astype(np.float32)).mean())
    return float(10 * np.log10(255**2 / max(error, 1e-6)))


def _exact(
    sets: Sequence[Set], rows: dict[Member, list[Any]], members: Sequence[Member], joined: Callable[[Sequence[Any]], Any]
) -> dict[str, dict[str, float]]:
    """The mean PSNR of a mix over each set and subset, on all samples."""
    found = {}
    for index, over in enumerate(sets):
        each = [
            _decibels(joined([np.asarray(rows[member][index][part]) for member in members]), over.truth[part])
            for part in over.parts()
        ]
        found[over.name] = {
            name: round(fmean(value for value, counts in zip(each, places, strict=True) if counts), 3)
            for name, places in _subsets(over).items()
        }
    return found


@dataclass(frozen=True)
class Sample:
    """Some samples of every frame of all sets: the true ones, those of each pass, where each frame begins, and its weight."""

    true: Any
    made: dict[Member, Any]
    begins: Any
    counts: Any
    weights: Any

    def decibels(self, members: Sequence[Member]) -> float:
        """The PSNR of a mix, about: the mean over the sets of their mean over frames."""
        errors = np.square(_median([self.made[member] for member in members]) - self.true)
        means = np.add.reduceat(errors, self.begins) / self.counts
        return float((10 * np.log10(255**2 / np.maximum(means, 1e-6)) * self.weights).sum())


def _sampled(sets: Sequence[Set], rows: dict[Member, list[Any]]) -> Sample:
    """The same random samples of all passes."""
    generator = np.random.default_rng(1)
    picked, weights = [], []
    for over in sets:
        picked.append([np.sort(generator.integers(part.start, part.stop, _size(part))) for part in over.parts()])
        weights += [1 / len(over.subsets) / len(sets)] * len(over.subsets)
    counts = np.array([len(some) for each in picked for some in each])

    def taken(each: Sequence[Any]) -> Any:
        return np.concatenate([np.asarray(row)[np.concatenate(some)] for row, some in zip(each, picked, strict=True)])

    made = {member: taken(some) for member, some in rows.items()}
    begins = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return Sample(taken([over.truth for over in sets]).astype(np.float32), made, begins, counts, np.array(weights))


def _size(part: slice) -> int:
    return max((part.stop - part.start) // SAMPLED, 1)


def _grown(votes: Sequence[Member], seconds: Mapping[Member, float], sample: Sample) -> list[tuple[Member, ...]]:
    """The mixes of two passes and more that are worth measuring: the most accurate, and those that none beats in time too."""
    order = {member: place for place, member in enumerate(votes)}
    level: list[tuple[Member, ...]] = [(member,) for member in votes]
    found: list[tuple[float, tuple[Member, ...]]] = []
    for _ in range(2, MOST + 1):
        bigger = {
            tuple(sorted((*mix, member), key=order.__getitem__)) for mix in level for member in votes if member not in mix
        }
        scored = sorted(((sample.decibels(mix), mix) for mix in bigger), key=lambda one: -one[0])
        level = list(dict.fromkeys([*(mix for _, mix in scored[:KEPT]), *_ahead(scored, seconds)]))
        found += scored
    found.sort(key=lambda one: -one[0])
    return list(dict.fromkeys([*(mix for _, mix in found[:FINAL]), *_ahead(found, seconds, STEP)]))


def _ahead(
    scored: Iterable[tuple[float, tuple[Member, ...]]], seconds: Mapping[Member, float], step: float = 0.0
) -> Iterator[tuple[Member, ...]]:
    """The mixes, from the fastest, that are more accurate than all faster ones, by more than ``step`` decibels."""
    best = float("-inf")
    for decibels, mix in sorted(scored, key=lambda one: (sum(seconds[member] for member in one[1]), -one[0])):
        if decibels > best + step:
            best = decibels
            yield mix
