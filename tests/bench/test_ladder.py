"""Measuring the ladder: single passes, mixes, what is kept, and what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from vfi.bench import ladder, sets
from vfi.bench.ladder import measured
from vfi.bench.sets import Kept, read_sets
from vfi.core import InputError, Interpolator, Options, Spec
from vfi.model import load
from vfi.model.consensus import Consensus
from vfi.model.ladder import REFERENCE, Member, front
from vfi.pixels.metrics import psnr


class Noisy:
    """Blends and adds its own noise, from a seed: noise of several models is averaged out by their median."""

    def __init__(self, seed: int, strength: float) -> None:
        self.spec = Spec(f"noisy {seed}")
        self.seed, self.strength, self.calls = seed, strength, 0

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        noise = torch.randn(window.shape[2:], generator=torch.Generator().manual_seed(self.seed))
        return (window.mean(dim=1) + self.strength * noise).clamp(0, 1)


MODELS = {REFERENCE: (1, 0.04), "a": (2, 0.05), "b": (3, 0.05)}


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two sets of two triplets that a blend makes exactly."""
    found = []
    for name, shade in (("one", 0.3), ("other", 0.5)):
        for k in range(2):
            for place, more in ((1, 0.0), (2, 0.1), (3, 0.2)):
                folder = tmp_path / name / "triplets" / str(k)
                folder.mkdir(parents=True, exist_ok=True)
                plain = np.full((40, 48 + 8 * k, 3), round(255 * (shade + more)), np.uint8)
                cv2.imwrite(str(folder / f"im{place}.png"), plain)
        found.append(tmp_path / name / "triplets")
    return found


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Noisy]:
    models = {name: Noisy(*given) for name, given in MODELS.items()}

    def network(name: str, options: Options | None = None) -> Interpolator:
        return models[name]

    monkeypatch.setattr(load, "network", network)
    monkeypatch.setattr(load, "source", lambda name: name)
    monkeypatch.setattr(ladder, "LIGHT", 1e9)  # times of such models are all overhead
    monkeypatch.setattr(ladder, "HEAVY", 1e9)
    monkeypatch.setattr(ladder, "LAGS", 1e9)
    return models


def test_sets_of_the_same_name_are_called_as_what_holds_them(folders: list[Path]):
    found = read_sets(folders)
    assert [over.name for over in found] == ["one", "other"]
    assert [len(over.items) for over in found] == [2, 2]
    assert [part.stop - part.start for part in found[0].parts()] == [3 * 40 * 48, 3 * 40 * 56]
    with pytest.raises(InputError, match="sets of the same name were given"):
        read_sets([folders[0], folders[0]])


def test_singles_and_mixes_are_measured_as_a_consensus_makes_them(folders: list[Path], made: dict[str, Noisy], tmp_path: Path):
    found = measured(read_sets(folders), list(MODELS), Kept(tmp_path / "kept"), lambda line: None)
    singles = {way.members[0] for way in found.ways if len(way.members) == 1}
    assert singles == {Member(name, tta) for name in MODELS for tta in ("none", "back", "turned")} - {
        Member(name, "back") for name in MODELS
    }  # reversed in time, these make the same frames
    assert found.one(REFERENCE).time == 1
    assert found.frames == {"one": {"all": 2}, "other": {"all": 2}}
    mixes = [way for way in found.ways if len(way.members) > 2]
    assert mixes
    best = max(mixes, key=lambda way: way.decibels)
    assert best.decibels > max(way.decibels for way in found.ways if len(way.members) == 1) + 2
    assert best.mean == pytest.approx(best.decibels, abs=1.5)
    item = read_sets(folders)[0].items[0]
    window, ((_, true),) = item.read(2)
    ready = [ladder.ready(made[str(member.source)], member) for member in best.members]
    at_once = psnr(Consensus(ready)(window, torch.tensor([0.5]))[0], true)
    assert at_once == pytest.approx(best.psnr["one"]["all"], abs=0.3)
    assert [way for way in found.ways if way.front] == front(found.ways)


def test_what_is_kept_is_not_made_again(folders: list[Path], made: dict[str, Noisy], tmp_path: Path):
    over, calls = read_sets(folders)[0], made["a"].calls
    kept = Kept(tmp_path / "kept")
    first = kept.row(Member("a"), over, lambda: made["a"])
    assert made["a"].calls == calls + 2
    again = Kept(tmp_path / "kept").row(Member("a"), over, lambda: made["a"])
    assert made["a"].calls == calls + 2
    assert np.array_equal(first, again)
    kept.row(Member("b"), over, lambda: made["b"])
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_a_ladder_without_its_reference_is_refused(folders: list[Path], tmp_path: Path):
    with pytest.raises(InputError, match=r"times are relative to rife-4\.25"):
        measured(read_sets(folders), ["linear"], Kept(tmp_path), lambda line: None)


def test_rows_hold_pictures_as_files_do():
    row = sets.row_of(torch.tensor([0.0, 0.5, 1.2]).reshape(3, 1, 1))
    assert row.tolist() == [0, 128, 255]
