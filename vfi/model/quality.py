"""The quality ladder: one word for how good frames are, and how long they take.

Owns what each rung means: which models make a frame, and how each of them is used. Knows nothing of files or of what is in a
model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from torch import Tensor

from ..core import InputError

Source: TypeAlias = str | Path | Mapping[str, Tensor]
"""What a model is made of: a name, a file or a state dict."""


@dataclass(frozen=True)
class Rung:
    """What a quality ``does``, and with RIFE 4.25 and 4.0 on disk its mean PSNR, in dB, on the README's 50 triplets and its
    ``time`` for a frame of 1280x720 on one CPU thread, as a multiple of that of ``normal``."""

    does: str
    psnr: float
    time: float


RUNGS: dict[str, Rung] = {
    "linear": Rung("blends the two frames", 24.03, 0.01),
    "draft": Rung("follows the motion roughly, without a network", 28.32, 0.08),
    "fast": Rung("inbetween-s, or the model asked for, at half the size, on the part of the frame that moves", 29.08, 0.2),
    "normal": Rung("the model as it is", 29.94, 1),
    "best": Rung("several passes; of RIFE 4.25, RIFE 4.0 and dis, where both are on disk", 30.65, 5.5),
}
"""From the quickest up."""


@dataclass(frozen=True)
class Member:
    """One of the models that make a frame: its ``source``, see `load.network`, and how it is used, see `load.Part`."""

    source: Source
    tta: str = "none"
    half_size: bool = False


WITHOUT_NETWORK = {"linear": "linear", "draft": "dis-fast"}

QUICK = "inbetween-s"
"""What is fast at half the size: quicker there than RIFE 4.25, and nearer to the truth but where motion is widest."""

VOTERS = (
    Member("rife-4.25"),
    Member("rife-4.25", tta="turned"),
    Member("rife-4.0", tta="back"),
    Member("dis", tta="turned"),
)
"""Whose median is best: different networks, and one that looks the other way, go wrong in different places.

Of the mixes tried on the 50 triplets it is the cheapest that gains 0.7 dB over the first alone. The mean of the first three
gains 0.57, and both networks with ``duo``, a pass more, 0.68.
"""


def members(
    quality: str, models: Sequence[Source] = ("auto",), tta: str = "none", *, there: Callable[[str], bool]
) -> tuple[Member, ...]:
    """The models that make a frame in ``quality``; of several, it is their `consensus.Consensus`.

    ``models`` and ``tta`` are those asked for; ``there`` says whether one of a name is on disk. Raises `InputError` for a
    quality that there is not, and where what is asked for contradicts it.
    """
    if quality not in RUNGS:
        raise InputError(f"{quality!r} is no quality: give {', '.join(RUNGS)}")
    of_its_own = len(models) == 1 and models[0] == "auto"
    if quality in WITHOUT_NETWORK:
        if tta != "none" or not of_its_own:
            raise InputError(f"quality {quality} uses no network: leave the model at auto, and test-time augmentation at none")
        return (Member(WITHOUT_NETWORK[quality]),)
    if quality == "best":
        if tta != "none" or len(models) > 1:
            raise InputError("quality best has passes of its own: give no more than one model, and no test-time augmentation")
        if of_its_own and all(there(str(voter.source)) for voter in VOTERS):
            return VOTERS
        return (Member(models[0], tta="duo"),)
    if quality == "fast" and of_its_own and there(QUICK):
        return (Member(QUICK, tta, half_size=True),)
    return tuple(Member(model, tta, half_size=quality == "fast") for model in models)
