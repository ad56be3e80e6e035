"""A contest: the same frames by several clips or models, against the real ones or against the first clip, and its report.

Owns what is counted, which frames are shown, and the page. Knows nothing of how frames are made, or of the command.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf, isfinite
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from ..edit.compare import measured
from ..pages.page import Link, Page, Part, Picture, Section, Table, Wipe
from ..pages.pictures import encoded
from ..pixels.metrics import in_8_bits, psnr

AMPLIFIED = 4
"""Factor of the differences that are shown."""

LONGEST = 1280
"""Longest side of a picture on the page."""

CLOSE = 0.05
"""Decibels by which the best must be ahead to be called nearest."""


@dataclass(frozen=True)
class Shown:
    """One frame: its ``number`` and ``time`` in the real clip, the ``real`` picture, and those of the contenders by name, all
    [3,H,W], 0..1, of one size."""

    number: int
    time: Fraction
    real: Tensor
    made: Mapping[str, Tensor]


@dataclass
class Contest:
    """Counts frame after frame. ``real`` names what all are compared with. ``wanted``: the frames to show by number; if None,
    the ``most`` whose worst picture is worst. Only pictures of these are kept."""

    real: str
    names: Sequence[str]
    wanted: frozenset[int] | None = None
    most: int = 4
    scores: dict[str, dict[int, float]] = field(default_factory=dict)
    _kept: list[tuple[float, int, Shown]] = field(default_factory=list)

    def add(self, one: Shown) -> None:
        """Count a frame."""
        worst = inf
        for name in self.names:
            found = psnr(one.made[name], one.real)
            self.scores.setdefault(name, {})[one.number] = found
            worst = min(worst, found)
        if self.wanted is not None:
            if one.number in self.wanted:
                self._kept.append((-worst, one.number, one))
        elif isfinite(worst):
            push = heapq.heappush if len(self._kept) < self.most else heapq.heappushpop
            push(self._kept, (-worst, one.number, one))

    @property
    def frames(self) -> int:
        """How many frames were counted."""
        return len(next(iter(self.scores.values()), {}))

    @property
    def shown(self) -> list[Shown]:
        """The frames to show: in order if they were wanted, else the worst first."""
        if self.wanted is not None:
            return [one for _, _, one in sorted(self._kept, key=lambda row: row[1])]
        return [one for _, _, one in sorted(self._kept, key=lambda row: (row[0], row[1]), reverse=True)]

    def mean(self, name: str) -> float:
        """The mean PSNR of a contender over all frames that differ from the real ones; infinite if none does."""
        known = [value for value in self.scores[name].values() if isfinite(value)]
        return fmean(known) if known else inf

    def wins(self, name: str) -> int:
        """The frames in which no other contender is nearer to the real one."""
        numbers = self.scores[name]
        return sum(value >= max(self.scores[other][number] for other in self.names) for number, value in numbers.items())

    def ranking(self) -> list[str]:
        """The contenders, the nearest first."""
        return sorted(self.names, key=lambda name: -self.mean(name))

    def lead(self) -> str:
        """The result in a sentence."""
        first, *others = self.ranking()
        if not others:
            return f"{first} differs from {self.real} by a mean PSNR of {_db(self.mean(first))} over {_frames(self.frames)}."
        if self.mean(first) == self.mean(others[0]):
            return f"{first} and {others[0]} are equally near to {self.real}, over {_frames(self.frames)}."
        ahead = self.mean(first) - self.mean(others[0])
        if ahead < CLOSE:
            near = f"within {CLOSE:g} dB on average, over {_frames(self.frames)}"
            return f"{first} and {others[0]} are about equally near to {self.real}: {near}."
        told = "in all" if not isfinite(ahead) else f"by {ahead:.2f} dB on average"
        return (
            f"{first} is nearest to {self.real}: {told}, ahead of {others[0]}; it is best in {self.wins(first)} of "
            f"{_frames(self.frames)}."
        )


def page(contest: Contest, title: str, facts: Sequence[tuple[str, str]], seconds: Mapping[str, float], version: str) -> Page:
    """The report of a contest. ``seconds``: per frame, of contenders that are models."""
    heads = ("", "mean PSNR", "lowest", "best in", *(("s/frame",) if seconds else ()))
    rows = []
    for name in contest.ranking():
        lowest = min(contest.scores[name].values())
        took = (f"{seconds[name]:.3f}",) if name in seconds else ("",) if seconds else ()
        rows.append((name, _db(contest.mean(name)), _db(lowest), _frames(contest.wins(name)), *took))
    caption = f"PSNR in dB against {contest.real}, over {_frames(contest.frames)}: higher is nearer."
    table = Table(caption, heads, tuple(rows), frozenset(range(1, len(heads))))
    sections: list[Part] = [Section("Result", (table,), "result")]
    shown = contest.shown
    if shown:
        index = Table(
            "Frames are counted from 0.",
            ("frame", "time", *contest.names),
            tuple(
                (
                    Link(str(one.number), f"f{one.number}"),
                    f"{float(one.time):.3f} s",
                    *(_psnr_of(one, name) for name in contest.names),
                )
                for one in shown
            ),
            frozenset(range(1, 2 + len(contest.names))),
        )
        title_ = "Frames" if contest.wanted is not None else "Frames that differ most"
        sections.append(Section(title_, (index, *(_card(one, contest) for one in shown)), "frames"))
    return Page("Comparison", title, contest.lead(), tuple(facts), tuple(sections), f"Made by Inbetween {version}.")


def _card(one: Shown, contest: Contest) -> Section:
    """The pictures of a frame, and how each contender differs from the real one."""
    rows = []
    for name in contest.names:
        numbers = measured(one.made[name], one.real, similarity=True)
        similar = "" if numbers.ssim is None else f"{numbers.ssim:.4f}"
        rows.append((name, _db(numbers.psnr), similar, f"{numbers.error:.2f}"))
    table = Table("", ("", "PSNR", "SSIM", "mean difference"), tuple(rows), frozenset({1, 2, 3}))
    real = (contest.real, _picture(one.real))
    made = [(name, _picture(one.made[name])) for name in contest.names]
    sides = (*made, real) if len(made) > 1 else (real, *made)
    below = tuple(
        (f"{name}: difference, times {AMPLIFIED}", _picture((one.made[name] - one.real).abs() * AMPLIFIED))
        for name in contest.names
    )
    wipe = Wipe(sides, below, f"frame {one.number}")
    where = f"{float(one.time):.3f} s"
    return Section(f"Frame {one.number}", (wipe, table), f"f{one.number}", where=where, card=True)


def _psnr_of(one: Shown, name: str) -> str:
    return _db(psnr(one.made[name], one.real))


def _picture(rgb: Tensor) -> Picture:
    """A picture [3,H,W], 0..1, for a page."""
    height, width = rgb.shape[1:]
    scale = min(LONGEST / max(height, width), 1.0)
    if scale < 1:
        rgb = torch.nn.functional.interpolate(
            rgb[None].float(), (max(round(height * scale), 1), max(round(width * scale), 1)), mode="area"
        )[0]
    return encoded(np.ascontiguousarray(in_8_bits(rgb).to(torch.uint8).movedim(0, -1).numpy()))


def _db(value: float) -> str:
    return f"{value:.2f}" if isfinite(value) else "equal"


def _frames(count: int) -> str:
    return f"{count} frame{'' if count == 1 else 's'}"
