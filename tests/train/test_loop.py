"""Training learns, and goes on to the bit where it was cut off."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import vfi
from vfi.archs.inbetween import Config, Inbetween
from vfi.core import InputError
from vfi.model.weights import read as read_weights
from vfi.pixels.metrics import psnr
from vfi.train import Material, Recipe, train
from vfi.train.loop import Progress, rate_at
from vfi.train.recipe import Data, Schedule, read_recipe
from vfi.train.sources import Mixed, Shards
from vfi.train.students import FRESH
from vfi.train.synthetic import Synthetic
from vfi.train.teachers import each

TINY = Config((8, 8), (8, 12))


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """Two triplets of shapes that pass over each other, as DIS cannot wholly follow."""
    import random

    still = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.interpolate(still, (160, 160), mode="bicubic")[0].clamp(0, 1)
    made = [Synthetic().made([picture, picture.flip(-1)], 64, random.Random(seed)) for seed in (1, 2)]
    frames = torch.stack([rgb for one in made for rgb in (one.before, one.truth, one.after)])
    path = tmp_path / "two-0000.safetensors"
    windows = torch.tensor([[0, 1, 2], [3, 4, 5]])
    save_file({"frames": (frames * 255).byte(), "windows": windows, "times": torch.full((2,), 0.5)}, path)
    return path


@pytest.fixture
def material(shard: Path) -> Material:
    return Material(Mixed([(Shards([shard]), 1.0)]), (shard,))


def recipe(**changes: object) -> Recipe:
    schedule = Schedule(steps=12, batch=2, rate=2e-3, warm_up=2, average=0.9, validate=4)
    return Recipe(seed=3, data=Data(size=64), schedule=replace(schedule, **changes))  # type: ignore[arg-type]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FRESH, "inbetween-s", lambda: Inbetween(TINY))


@pytest.mark.slow
def test_two_triplets_are_learned_by_heart(material: Material, shard: Path, tmp_path: Path):
    """In a few seconds of training, far beyond what DIS makes of them."""
    torch.manual_seed(3)
    before, dis = Inbetween().eval(), vfi.load("dis")
    by_heart = replace(material, source=Shards([shard], vary=False))
    weights = train(recipe(steps=60, validate=60), by_heart, tmp_path / "out")
    after = vfi.load(weights)
    for window, t, truth in each(shard):
        with torch.no_grad():
            assert psnr(after(window, t)[0], truth[0]) > max(psnr(net(window, t)[0], truth[0]) for net in (before, dis)) + 6


@pytest.mark.usefixtures("tiny")
def test_training_that_was_cut_off_goes_on_to_the_bit(material: Material, tmp_path: Path):
    whole = train(recipe(), material, tmp_path / "whole")
    for until in (3, 8, None):
        parts = train(recipe(), material, tmp_path / "parts", until=until)
    for name in ("state.safetensors", "weights.safetensors"):
        one, other = (read_weights(path.parent / name) for path in (whole, parts))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    notes = [[json.loads(line) for line in (path.parent / "log.jsonl").read_text().splitlines()] for path in (whole, parts)]
    measured = [[(note["step"], note["psnr"]) for note in log if "psnr" in note] for log in notes]
    assert measured[0] == measured[1]
    assert [step for step, _ in measured[0]] == [4, 8, 12]
    assert (tmp_path / "whole" / "curves.png").stat().st_size > 1000


@pytest.mark.usefixtures("tiny")
def test_the_same_recipe_makes_the_same_weights_and_another_seed_others(material: Material, tmp_path: Path):
    made = [
        read_weights(train(one, material, tmp_path / str(number)))
        for number, one in enumerate((recipe(steps=3), recipe(steps=3), replace(recipe(steps=3), seed=4)))
    ]
    assert all(torch.equal(made[0][key], made[1][key]) for key in made[0])
    assert not all(torch.equal(made[0][key], made[2][key]) for key in made[0])


@pytest.mark.usefixtures("tiny")
def test_processes_that_draw_change_nothing(material: Material, tmp_path: Path):
    alone, helped = (
        read_weights(train(recipe(steps=3, workers=workers), material, tmp_path / str(workers))) for workers in (0, 2)
    )
    assert all(torch.equal(alone[key], helped[key]) for key in alone)


@pytest.mark.usefixtures("tiny")
def test_it_stops_when_it_gets_no_better(material: Material, tmp_path: Path):
    steps: list[Progress] = []
    train(recipe(steps=40, rate=1e-9, last_rate=1e-9, validate=1, patience=3), material, tmp_path / "out", told=steps.append)
    assert 3 <= steps[-1].step < 40


@pytest.mark.usefixtures("tiny")
def test_a_state_of_another_network_is_refused(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    train(recipe(steps=1), material, tmp_path / "out")
    monkeypatch.setitem(FRESH, "inbetween-s", lambda: Inbetween(replace(TINY, decoder=(12, 12))))
    with pytest.raises(InputError, match="the state of another network"):
        train(recipe(steps=2), material, tmp_path / "out")


def test_what_was_trained_is_trained_further(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(FRESH, "inbetween-s", lambda: Inbetween(TINY))
    first = train(recipe(steps=2), material, tmp_path / "first")
    second = train(replace(recipe(steps=2), start=str(first)), material, tmp_path / "second")
    one, other = read_weights(first), read_weights(second)
    assert one.keys() == other.keys()
    assert any(not torch.equal(one[key], other[key]) for key in one)
    assert vfi.detect(other).name == "inbetween-custom"
    with pytest.raises(InputError, match="no model is called"):
        train(replace(recipe(), start="nothing"), material, tmp_path / "third")
    with pytest.raises(InputError, match="no network called 'dis' can be trained"):
        train(replace(recipe(), network="dis"), material, tmp_path / "third")


def test_rife_learns_with_its_teacher(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from vfi.archs.rife import Config as RifeConfig
    from vfi.archs.rife import Rife

    small = RifeConfig((16, 12, 8), prelu=True, timed=False, residual=False, outputs=5, teacher=8)
    monkeypatch.setitem(FRESH, "rife-eccv", lambda: Rife(small))
    weights = train(replace(recipe(steps=4), network="rife-eccv"), material, tmp_path / "out")
    state = read_weights(weights)
    assert any("block_tea" in key for key in state)
    assert vfi.load(weights)(torch.rand(1, 2, 3, 40, 50), torch.tensor([0.5])).shape == (1, 3, 40, 50)


def test_the_rate_warms_up_and_falls_along_a_cosine():
    schedule = Schedule(steps=110, warm_up=10, rate=1.0, last_rate=0.1)
    rates = [rate_at(schedule, step) for step in range(111)]
    assert rates[:10] == pytest.approx([(k + 1) / 10 for k in range(10)])
    assert rates[60] == pytest.approx(0.55)
    assert rates[110] == pytest.approx(0.1)
    assert sorted(rates[10:], reverse=True) == rates[10:]


def test_a_recipe_is_read_and_what_it_does_not_know_is_said(tmp_path: Path):
    path = tmp_path / "a.toml"
    path.write_text('seed = 2\n[data]\nclips = ["a", "b"]\nsize = 128\n[data.motion]\nlayers = 1\n[schedule]\nrate = 1\n')
    read = read_recipe(path)
    assert (read.seed, read.data.clips, read.data.size, read.data.motion.layers) == (2, ("a", "b"), 128, 1)
    assert read.schedule.rate == 1.0
    for text, message in (
        ("speed = 2", 'has an unknown field "speed": it may have network, start, refine, seed'),
        ("[data]\nsize = 100", "size 100 was given: a multiple of 32"),
        ("[data]\nsize = 'big'", r"\[data\], has size = 'big': a whole number is needed"),
        ("[schedule]\nsteps = 0", "steps 0 was given"),
        ("= 2", "is not valid TOML"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_recipe(path)


@pytest.mark.usefixtures("tiny")
def test_some_of_the_weights_at_the_start_stay_in_the_result(material: Material, tmp_path: Path):
    start = train(recipe(steps=1, validate=1), material, tmp_path / "start")
    without = replace(material, held_out=())  # the result is then the last one
    moved = {
        kept: read_weights(train(replace(recipe(kept=kept), start=str(start)), without, tmp_path / f"{kept}"))
        for kept in (0.0, 0.25)
    }
    for name, old in read_weights(start).items():
        expected = 0.25 * old.float() + 0.75 * moved[0.0][name].float()
        torch.testing.assert_close(moved[0.25][name].float(), expected, atol=2e-3, rtol=2e-3)
    assert any((moved[0.0][name] != old).any() for name, old in read_weights(start).items())


def test_a_new_network_has_no_weights_to_keep(material: Material, tmp_path: Path):
    with pytest.raises(InputError, match=r"kept 0\.5 was given without a start"):
        train(recipe(kept=0.5), material, tmp_path / "out")
    with pytest.raises(InputError, match="kept 1 was given: it must be at least 0 and below 1"):
        recipe(kept=1.0)
