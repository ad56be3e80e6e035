"""The verdicts of a clip, summed up: what is expected of it, and which frames to look at first.

Keeps all verdicts, which are small, and no pictures. Knows nothing of pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .causes import CAUSES
from .judge import Judged, Verdict

FIRST = 10
"""Frames that are named to be looked at first."""


@dataclass
class Summary:
    """The ``verdicts`` of a clip, in order; ``own`` frames of it were left out and made again to fit the audit, 0: too few."""

    own: int
    worse: float
    verdicts: list[Verdict] = field(default_factory=list)

    def take(self, found: Iterable[Judged]) -> Iterator[Judged]:
        """The judged frames, unchanged, while their verdicts are kept."""
        for one in found:
            self.verdicts.append(one.verdict)
            yield one

    def first(self, count: int = FIRST) -> list[Verdict]:
        """The frames to look at first: those of the lowest expected PSNR, lowest first."""
        return sorted(self.verdicts, key=lambda one: (one.psnr, one.number))[:count]

    @property
    def mean(self) -> float:
        """The mean of the expected PSNRs, in dB; 0 without frames."""
        return sum(one.psnr for one in self.verdicts) / max(len(self.verdicts), 1)

    @property
    def doubtful(self) -> float:
        """The share of all made pictures that is doubtful, 0 to 1."""
        return sum(one.doubtful for one in self.verdicts) / max(len(self.verdicts), 1)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "fitted_on": self.own,
            "worse_than": self.worse,
            "psnr": round(self.mean, 2),
            "doubtful": round(self.doubtful, 4),
            "first": [one.number for one in self.first()],
            "frames": [one.as_dict() for one in self.verdicts],
        }

    def lines(self) -> list[str]:
        """The result in sentences, one per line."""
        many = len(self.verdicts)
        if not many:
            return ["there is no made frame to judge"]
        low = self.first(1)[0]
        lines = [f"{counted(many, 'made frame')}: expected PSNR {self.mean:.1f} dB on average, {low.psnr:.1f} dB at the worst"]
        share = f"{100 * self.doubtful:.1f} % of the picture is doubtful"
        lines.append(f"{share}: more likely than not off by more than {self.worse:g} of 255")
        blamed = Counter(one.cause for one in self.verdicts if one.doubtful)
        if blamed:
            told = ", ".join(f"{CAUSES[name].words} ({count})" for name, count in blamed.most_common(3))
            lines.append(f"what dominates in frames with doubtful areas: {told}")
        return [*lines, self.ground]

    @property
    def ground(self) -> str:
        """What the figures rest on, in a sentence."""
        if not self.own:
            return "too few frames of the clip can be left out and made again: the figures rest on other clips alone"
        return f"fitted on {counted(self.own, 'frame')} of the clip that were left out and made again"


def counted(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
