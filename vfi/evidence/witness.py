"""The passes that a frame is compared with: the model, the same model turned round, and another model.

Owns which model the other is. Knows nothing of clips, or of what the comparison says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..core import Interpolator
from ..model import load, wrappers
from ..model.load import Choice
from ..model.wrappers import Tta
from ..pixels.transfer import Transfer
from .features import DIS, Cells, Pair, features

OTHER = "inbetween-s"
"""The other model where the model is DIS itself; it ships with the library. DIS is the other for all others, at no cost."""


@dataclass(frozen=True)
class Witness:
    """A ``model``, and the ``other`` that its frames are compared with; None: DIS."""

    model: Interpolator
    other: Interpolator | None

    @classmethod
    def of(
        cls, choice: Choice, device: torch.device, size: tuple[int, int] | None = None, transfer: Transfer | None = None
    ) -> Witness:
        """The witness for the model of ``choice``, for frames of ``size`` (height, width). Raises `InputError`."""
        model = load.build(choice, device, size, transfer)
        if not needs_other(model):
            return cls(model, None)
        small = replace(choice, models=(OTHER,), quality="normal", tta="none", ensemble=False, variant=None, backend="torch")
        return cls(model, load.build(small, device, size, transfer))

    def between(self, window: Sequence[Tensor]) -> Between:
        """What it says of frames between the middle two of ``window``, pictures [3,H,W], 0..1."""
        return Between(self, [rgb[None].float() for rgb in window])


def needs_other(model: Interpolator) -> bool:
    """Whether `OTHER` must be loaded beside ``model``, since DIS is no other opinion."""
    return model.spec.name.startswith("dis")


class Between:
    """The frames between two neighbours, as the witness sees them; what does not depend on the time is computed once."""

    def __init__(self, witness: Witness, window: list[Tensor]) -> None:
        middle = len(window) // 2
        self.witness = witness
        self.pair = Pair.of(window[middle - 1][0], window[middle][0])
        self.turned = Tta(witness.model, "turned")
        self._model = _prepared(witness.model, window)
        self._turned = _prepared(self.turned, window)
        self._other = None if witness.other is None else _prepared(witness.other, window[middle - 1 : middle + 1])

    def made(self, t: float) -> Tensor:
        """The model's frame at ``t``, [3,H,W], 0..1."""
        return wrappers.at(self.witness.model, self._model, torch.tensor([t]))[0].clamp(0, 1)

    def cells(self, made: Tensor, t: float) -> Cells:
        """The `features.features` of ``made`` at ``t``, whatever made it."""
        at = torch.tensor([t])
        turned = wrappers.at(self.turned, self._turned, at)[0]
        if self.witness.other is None or self._other is None:
            other = DIS.at(self.pair.motion, at)[0]
        else:
            other = wrappers.at(self.witness.other, self._other, at)[0]
        return features(self.pair, made, t, (turned, other))


def _prepared(model: Interpolator, window: Sequence[Tensor]) -> object:
    return wrappers.prepare(model, [wrappers.encode(model, rgb) for rgb in window], window)
