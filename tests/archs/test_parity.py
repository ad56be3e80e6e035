"""The script that makes parity data makes sets that the tests can use."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import make_parity
import parity
import pytest
import torch
from torch import Tensor, nn


class Toy(nn.Module):
    """A network as somebody else may have published it."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(6, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, window: Tensor, t: float) -> Tensor:
        return torch.sigmoid(self.norm(self.mix(window.flatten(1, 2))) * t)


def test_a_set_is_made_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    adapter = SimpleNamespace(SOURCE="a test", network=Toy, run=lambda network, window, t, options: {"out": network(window, t)})
    make_parity.make(adapter, tmp_path / "toy" / "toy")
    monkeypatch.setattr(parity, "DATA", tmp_path)
    (name,) = parity.names("toy")
    stored = parity.load_set(name)
    own = Toy().eval()
    own.load_state_dict(stored.state())
    for case in stored.cases:
        for t in case.timesteps:
            with torch.no_grad():
                stored.compare(case, f"out_t{t:g}", case.cut(own(case.window, t)))
    with torch.no_grad():
        own.mix.bias[0] += 0.01
        other = stored.cases[0].cut(own(stored.cases[0].window, 0.5))
    with pytest.raises(AssertionError):
        stored.compare(stored.cases[0], "out_t0.5", other)
