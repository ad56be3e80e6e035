"""``vfi bench gpu``: what is measured of a device, here the CPU, and what the page says of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from models import Blend
from torch import Tensor, nn

from vfi import __main__
from vfi.bench import device as bench
from vfi.bench.device import Case
from vfi.bench.device_page import page
from vfi.cli import gpu
from vfi.core import Spec
from vfi.pages import plain
from vfi.render.run import run

CPU = torch.device("cpu")


class Changed(nn.Module):
    """A blend that is brighter by ``by`` once it was copied, as if another device rounded otherwise."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.spec, self.by, self.more = Spec("changed"), by, 0.0

    def __deepcopy__(self, memo: object) -> Changed:
        other = copy.copy(self)
        other.more = self.by
        return other

    def forward(self, window: Tensor, t: Tensor) -> Tensor:
        return torch.lerp(window[:, 0], window[:, 1], t.view(-1, 1, 1, 1)) + self.more


@pytest.mark.parametrize(("by", "same"), [(0.0, True), (1e-4, True), (0.01, False)])
def test_frames_of_a_device_are_compared_with_those_of_the_cpu(by: float, same: bool):
    (record,) = bench.agreement("changed", Changed(by), CPU, [torch.float32])
    assert record["same"] is same
    assert record["most"] == pytest.approx(by, abs=1e-6)
    told = plain.text(page({"machine": bench.machine(CPU), "agreement": [record]}))
    assert ("1 of 1 networks make" in told) is same
    assert ("NO" in told) is not same


def test_a_network_that_fails_is_told_and_the_rest_goes_on():
    class Broken(Blend):
        def __call__(self, window: Tensor, t: Tensor) -> Tensor:
            raise NotImplementedError("aten::grid_sampler is missing here")

    record = bench.speed("broken", Broken(), CPU, torch.float32, Case(32, 16, 2), run)
    assert "grid_sampler is missing" in record["error"]
    told = plain.text(page({"machine": bench.machine(CPU), "speed": [record]}))
    assert "broken float32 32x16 x2: NotImplementedError: aten::grid_sampler" in told
    assert "1 measurements failed" in told


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize("times", [2, 4])
def test_speed_counts_new_frames_and_takes_the_steps_apart(as_bytes: bool, times: int):
    model = Blend(activations=7)
    record = bench.speed("blend", model, CPU, torch.float32, Case(48, 32, times, as_bytes), run, seconds=0.05)
    assert record["new"] % (times - 1) == 0
    assert record["fps"] * record["ms"] == pytest.approx(1000)
    assert all(record[step] > 0 for step in ("copy in ms", "network ms", "copy out ms"))
    assert record["promised"] == 7 * 48 * 32 * 4
    assert (record["peak"], record["waits"]) == (None, None)  # nobody counts these on a CPU


def test_nothing_begins_after_the_time_is_over():
    ours = gpu.Bench(CPU, {"blend": Blend}, {"blend": Blend}, (Case(32, 16, 2),), minutes=-1)
    results = ours.measured()
    assert results["speed"] == results["agreement"] == []
    assert len(results["notes"]) == 2
    assert "left out" in plain.text(page(results))


def test_the_command_prints_json_and_writes_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(gpu.load, "models", lambda: ["linear"])
    file = tmp_path / "gpu.html"
    words = ["bench", "gpu", "--device", "cpu", "--small", "--models", "linear,rife-9", "--json", "--report", str(file)]
    assert __main__.main(words) == 0
    results = json.loads(capsys.readouterr().out)
    assert [one["model"] for one in results["agreement"]] == ["linear"]
    assert [one["bytes"] for one in results["speed"]] == [False, True]
    assert "not on disk, so not timed: rife-9" in results["notes"]
    assert "<html" in file.read_text()
    assert __main__.main([*words[:-1], str(tmp_path / "gpu.txt")]) != 0
    assert "must end in .html" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--minutes", "--seconds"])
@pytest.mark.parametrize("text", ["nan", "inf", "-1", "0", "1e9999", "two"])
def test_a_time_that_would_never_end_is_refused(option: str, text: str, capsys):
    with pytest.raises(SystemExit):
        __main__.main(["bench", "gpu", "--device", "cpu", f"{option}={text}"])
    assert f"argument {option}: " in capsys.readouterr().err
