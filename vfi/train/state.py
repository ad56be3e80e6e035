"""The training state: everything needed to resume bit-exactly.

Owns one file, written atomically. Examples depend only on seed and step, so the state is just the weights, their moving
average, the optimiser's moments and a few numbers.
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
    """``step``: steps done. ``best``: the highest mean PSNR measured, in dB; ``waited``: measurements since then. ``seconds``:
    total time of all steps."""

    step: int = 0
    best: float = 0.0
    waited: int = 0
    seconds: float = 0.0


class State:
    """The trained network, the moving ``average`` of its weights, its optimiser, and the ``tally``.

    ``kept``: share of the weights at the start in the `result`.
    """

    def __init__(self, model: nn.Module, optimiser: torch.optim.AdamW, kept: float = 0.0) -> None:
        self.model = model
        self.kept = kept
        self.start = [weight.detach().clone() for weight in model.parameters()] if kept else []
        self.optimiser = optimiser
        self.average = copy.deepcopy(model).eval().requires_grad_(False)
        self.tally = Tally()

    @torch.no_grad()
    def follow(self, share: float) -> None:
        """Update the moving average: it keeps ``share`` of itself, and less during the first steps."""
        share = min(share, (1 + self.tally.step) / (10 + self.tally.step))
        for kept, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
            kept.lerp_(new, 1 - share)

    @torch.no_grad()
    def result(self) -> nn.Module:
        """The moving average, blended with the weights at the start if some of them are kept."""
        if not self.kept:
            return self.average
        blended = copy.deepcopy(self.average)
        for weight, old in zip(blended.parameters(), self.start, strict=True):
            weight.lerp_(old.to(weight.device), self.kept)
        return blended

    def save(self, path: Path) -> None:
        """Write everything to a safetensors file. Raises `InputError`."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        for name, weight in self.model.named_parameters():
            for moment in MOMENTS:
                if weight in self.optimiser.state:
                    tensors[f"{moment}.{name}"] = self.optimiser.state[weight][moment]
        write(path, tensors, {"tally": json.dumps(asdict(self.tally))})

    def load(self, path: Path) -> None:
        """Restore what `save` wrote. Raises `InputError` if it belongs to another network."""
        from safetensors import safe_open

        tensors = read_safetensors(path)
        with safe_open(path, framework="pt") as file:
            tally = Tally(**json.loads((file.metadata() or {}).get("tally", "{}")))
        for prefix, net in (("model.", self.model), ("average.", self.average)):
            own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            if {name: value.shape for name, value in own.items()} != {n: v.shape for n, v in net.state_dict().items()}:
                raise InputError(f"{path} is the state of another network: the recipe's is needed")
            net.load_state_dict(own)
        for name, weight in self.model.named_parameters():
            if f"{MOMENTS[0]}.{name}" in tensors:
                moments = {moment: _alike(tensors[f"{moment}.{name}"], weight) for moment in MOMENTS}
                self.optimiser.state[weight] = {"step": torch.tensor(float(tally.step)), **moments}
        self.tally = tally


def _alike(value: Tensor, weight: Tensor) -> Tensor:
    """``value`` with the device, dtype and memory layout of ``weight``."""
    return torch.empty_like(weight).copy_(value)
