"""Why a cell is doubted, in words: the feature that stands out most there, by what it usually costs.

Knows nothing of frames or clips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fit import Fit
from .regression import Array


@dataclass(frozen=True)
class Cause:
    """What may be wrong, in words, and the features that speak for it, which count so much beside others."""

    words: str
    features: tuple[str, ...]
    counts: float = 1.0


SIGNS = 0.5
"""How much features count that say that something is wrong, but not why."""

CAUSES: dict[str, Cause] = {
    "motion": Cause("fast motion", ("length",)),
    "hidden": Cause("hidden areas", ("hidden", "loop")),
    "parting": Cause("parts that move apart", ("spread",)),
    "double": Cause("a double exposure", ("double",)),
    "blur": Cause("lost detail", ("soft",)),
    "artefact": Cause("detail out of nowhere", ("sharp",)),
    "astray": Cause("parts off their path", ("astray",)),
    "unlike": Cause("like no neighbour", ("near",), SIGNS),
    "texture": Cause("fine detail", ("contrast",)),
    "apart": Cause("models that disagree", ("turned", "other", "sides"), SIGNS),
    "none": Cause("nothing stands out", ()),
}
"""All causes by name."""

SHARE = 0.1
"""Share of a frame's cells, the most doubtful, that tell its cause."""

FAINT = 0.2
"""Doubt of a cell below which nothing is blamed for it."""


class Causes:
    """Finds the cause that dominates in a frame, by what a fit has learned."""

    def __init__(self, fit: Fit) -> None:
        self.fit = fit
        slopes = fit.slopes[: len(fit.names)]
        self.costs = dict(zip(fit.names, slopes.clip(min=0), strict=True))

    def of(self, columns: Array, scores: Array, doubt: Array) -> str:
        """The name in `CAUSES` of what dominates in a frame's worst cells, "none" if these are hardly in doubt.

        ``columns`` are [cells,columns], ``scores`` and ``doubt`` [cells].
        """
        worst = np.argsort(scores)[-max(round(SHARE * len(scores)), 1) :]
        if doubt[worst].max() < FAINT:
            return "none"
        stands_out = ((columns[worst].astype(float) - self.fit.basis.centre) / self.fit.basis.scale).mean(axis=0)
        by_name = {name: self.costs[name] * stands_out[k] for k, name in enumerate(self.fit.names)}
        costs = {
            name: cause.counts * float(np.mean([by_name[one] for one in cause.features]))
            for name, cause in CAUSES.items()
            if cause.features
        }
        return max(costs, key=lambda name: costs[name])
