"""The state of training: what has to be kept so that it goes on, to the bit, where it was.

Owns one file, which is written whole or not at all. Examples are functions of seed and step, so that weights, their moving
average, the optimiser's moments and a few numbers are all there is.
"""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..core import InputError
from ..model.weights.files import read_safetensors, write

MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass
class Tally:
    """``step``: how many are done. ``best``: the highest mean PSNR measured, in dB, and ``waited``: how many measurements ago.
    ``seconds`` that all steps took."""

    step: int = 0
    best: float = 0.0
    waited: int = 0
    seconds: float = 0.0


class State:
    """A network that learns, the moving ``average`` of its weights, its optimiser, and the ``tally``."""

    def __init__(self, model: nn.Module, optimiser: torch.optim.AdamW) -> None:
        self.model = model
        self.optimiser = optimiser
        self.average = copy.deepcopy(model).eval().requires_grad_(False)
        self.tally = Tally()

    @torch.no_grad()
    def follow(self, share: float) -> None:
        """Move the average: ``share`` of it stays, less in the first steps, when it knows little."""
        share = min(share, (1 + self.tally.step) / (10 + self.tally.step))
        for kept, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
            kept.lerp_(new, 1 - share)

    def save(self, path: Path) -> None:
        """Write all of it to a safetensors file. Raises `InputError`."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        for name, weight in self.model.named_parameters():
            for moment in MOMENTS:
                if weight in self.optimiser.state:
                    tensors[f"{moment}.{name}"] = self.optimiser.state[weight][moment]
        write(path, tensors, {"tally": json.dumps(asdict(self.tally))})

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote. Raises `InputError` where it is of another network."""
        from safetensors import safe_open

        tensors = read_safetensors(path)
        with safe_open(path, framework="pt") as file:
            tally = Tally(**json.loads((file.metadata() or {}).get("tally", "{}")))
        for prefix, net in (("model.", self.model), ("average.", self.average)):
            own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            if {name: value.shape for name, value in own.items()} != {n: v.shape for n, v in net.state_dict().items()}:
                raise InputError(f"{path} is the state of another network than the recipe's")
            net.load_state_dict(own)
        for name, weight in self.model.named_parameters():
            if f"{MOMENTS[0]}.{name}" in tensors:
                moments = {moment: _alike(tensors[f"{moment}.{name}"], weight) for moment in MOMENTS}
                self.optimiser.state[weight] = {"step": torch.tensor(float(tally.step)), **moments}
        self.tally = tally


def _alike(value: Tensor, weight: Tensor) -> Tensor:
    """``value`` on the device of ``weight`` and laid out in memory as that is."""
    return torch.empty_like(weight).copy_(value)
