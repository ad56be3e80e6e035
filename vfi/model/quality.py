"""The quality ladder: presets for the trade-off between quality and time.

Owns the meaning of each rung: which models make a frame, and how each of them is used. Knows nothing of files or networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from torch import Tensor

from ..core import InputError

Source: TypeAlias = str | Path | Mapping[str, Tensor]
"""A model by name, file or state dict."""


@dataclass(frozen=True)
class Rung:
    """How a quality makes frames (``does``), its mean PSNR in dB on the README's 50 triplets, and its ``time`` relative to
    ``normal``, for 1280x720 on one CPU thread; both with RIFE 4.25 and 4.0 on disk."""

    does: str
    psnr: float
    time: float


RUNGS: dict[str, Rung] = {
    "linear": Rung("a blend of the two frames", 24.03, 0.01),
    "draft": Rung("rough motion, without a network", 28.32, 0.08),
    "fast": Rung("inbetween-s, or the model you choose, at half size, on the moving part of the frame", 29.08, 0.2),
    "normal": Rung("the model as it is", 29.94, 1),
    "best": Rung("the median of four passes, of RIFE 4.25, RIFE 4.0 and dis, if both RIFE models are on disk", 30.65, 5.5),
}
"""From the fastest to the best."""


@dataclass(frozen=True)
class Measured:
    """A model alone: its mean PSNR in dB on the README's 50 triplets, and ``seconds`` per 448x256 frame on one CPU thread."""

    psnr: float
    seconds: float


MEASURED: dict[str, Measured] = {
    "nearest": Measured(21.30, 0.002),
    "linear": Measured(24.03, 0.002),
    "dis-fast": Measured(28.32, 0.01),
    "dis": Measured(29.66, 0.04),
    "inbetween-s": Measured(29.85, 0.04),
    "rife-4.0": Measured(30.02, 0.15),
    "rife-4.25": Measured(29.94, 0.07),
}
"""The models that have been measured, by name."""


@dataclass(frozen=True)
class Member:
    """One of the models that make a frame: its ``source``, see `load.network`, and how it is used, see `load.Part`."""

    source: Source
    tta: str = "none"
    half_size: bool = False


WITHOUT_NETWORK = {"linear": "linear", "draft": "dis-fast"}

QUICK = "inbetween-s"
"""The model of ``fast``: faster at half size than RIFE 4.25, and more accurate except for the largest motion."""

VOTERS = (
    Member("rife-4.25"),
    Member("rife-4.25", tta="turned"),
    Member("rife-4.0", tta="back"),
    Member("dis", tta="turned"),
)
"""The passes with the best median: different networks, and one that sees reversed frames, fail in different places.

Of the mixes tried on the 50 triplets, it is the cheapest that gains 0.7 dB over the first pass alone. The mean of the first
three gains 0.57 dB; both networks with ``duo``, one pass more, gain 0.68 dB.
"""


def members(
    quality: str, models: Sequence[Source] = ("auto",), tta: str = "none", *, there: Callable[[str], bool]
) -> tuple[Member, ...]:
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
        if of_its_own and all(there(str(voter.source)) for voter in VOTERS):
            return VOTERS
        return (Member(models[0], tta="duo"),)
    if quality == "fast" and of_its_own and there(QUICK):
        return (Member(QUICK, tta, half_size=True),)
    return tuple(Member(model, tta, half_size=quality == "fast") for model in models)
