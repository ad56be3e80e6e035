"""The quality ladder: what each rung is made of, what contradicts it, and what the best of it comes to."""

from __future__ import annotations

from pathlib import Path

import parity
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import vfi
from vfi.archs.blend import Linear
from vfi.clips.images import read_image
from vfi.core import InputError
from vfi.model import quality
from vfi.model.ladder import Ladder, Way
from vfi.model.load import networks
from vfi.model.quality import RUNGS, Member, members
from vfi.pixels import metrics

TRIPLET = Path(__file__).parents[1] / "data" / "triplet"
HALF = torch.tensor([0.5])
VOTERS = (Member("rife-4.25"), Member("rife-4.25", "turned"), Member("rife-4.0", "back"), Member("dis", "turned"))


def way(decibels: float, time: float, *members: Member) -> Way:
    return Way(members, {"one": {"all": decibels - 1}, "other": {"all": decibels + 1}}, time / 10, time)


LADDER = Ladder(
    (
        way(24, 0.01, Member("linear")),
        way(31, 0.2, Member("dis", half_size=True)),
        way(29, 0.2, Member("inbetween-s", half_size=True)),
        way(30.5, 0.4, Member("rife-4.25", half_size=True)),
        way(33, 0.4, Member("dis")),
        way(30, 0.4, Member("inbetween-s")),
        way(31, 1.0, Member("rife-4.25")),
        way(30.9, 1.0, Member("rife-4.25", "turned")),
        way(32, 2.0, Member("rife-4.0")),
        way(30.7, 0.8, Member("inbetween-s"), Member("dis")),
        way(34, 5.0, *VOTERS),
        way(35, 7.0, *VOTERS, Member("rife-4.0")),
    ),
    {"one": {"all": 1}, "other": {"all": 1}},
    {},
)
"""Figures that were not measured."""


@pytest.fixture(autouse=True)
def figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "LADDER", LADDER)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RIFE 4.25 and 4.0 as networks of their kind, with drawn weights."""
    folder = tmp_path_factory.mktemp("models")
    save_file(parity.load_set("rife/rife_v4.25").state(), folder / "rife_v4.25.safetensors")
    save_file(parity.load_set("rife/rife_v4.0_refine").state(), folder / "rife_v4.0.safetensors")
    return folder


@pytest.fixture
def two(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are on disk."""
    monkeypatch.setenv("INBETWEEN_MODELS", str(folder))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)


@pytest.fixture
def one(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only RIFE 4.25 is."""
    (tmp_path / "rife_v4.25.safetensors").symlink_to(folder / "rife_v4.25.safetensors")
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)


def frames(height: int = 45, width: int = 61) -> Tensor:
    return torch.from_numpy(parity.synthetic_frames(height, width, 2, 1.0))[None]


def test_rungs_go_up_in_time_and_quality():
    assert list(RUNGS) == ["linear", "draft", "fast", "normal", "best"]
    rungs = list(RUNGS.values())
    assert rungs == sorted(rungs, key=lambda rung: rung.time) == sorted(rungs, key=lambda rung: rung.psnr)


@pytest.mark.parametrize(
    ("rung", "made_of"),
    [
        ("linear", [Member("linear")]),
        ("draft", [Member("dis-fast")]),
        ("fast", [Member("inbetween-s", half_size=True)]),
        ("normal", [Member("auto")]),
        ("best", list(VOTERS)),
    ],
)
def test_what_a_rung_is_made_of(rung: str, made_of: list[Member]):
    assert list(members(rung, there=lambda name: True)) == made_of


def test_auto_is_the_most_accurate_with_weights_that_is_no_slower_than_the_reference():
    assert quality.order() == ("rife-4.25", "inbetween-s")


def test_the_best_is_the_most_accurate_mix_of_what_is_there_within_its_time():
    assert members("best", there=lambda name: name != "rife-4.0") == (Member("inbetween-s"), Member("dis"))
    assert members("fast", there=lambda name: name != "inbetween-s") == (Member("auto", half_size=True),)


def test_without_a_mix_the_best_is_duo():
    assert members("best", there=lambda name: name == "dis") == (Member("auto", tta="duo"),)
    assert members("best", ["film"], there=lambda name: True) == (Member("film", tta="duo"),)


@pytest.mark.parametrize("rung", ["fast", "normal"])
def test_models_and_augmentation_of_ones_own_go_with_the_middle_rungs(rung: str):
    made_of = members(rung, ["film", "dis"], "duo", there=lambda name: True)
    assert made_of == tuple(Member(name, "duo", half_size=rung == "fast") for name in ("film", "dis"))


@pytest.mark.parametrize(
    ("rung", "models", "tta", "sentence"),
    [
        ("great", ["auto"], "none", "'great' is not a quality: give one of linear, draft, fast, normal, best"),
        ("linear", ["film"], "none", "quality linear uses no network: leave the model at auto"),
        ("draft", ["auto", "dis"], "none", "quality draft uses no network"),
        ("draft", ["auto"], "duo", "quality draft uses no network"),
        ("best", ["auto"], "flip", "quality best has its own passes"),
        ("best", ["film", "dis"], "none", "quality best has its own passes: give at most one model"),
    ],
)
def test_what_contradicts_a_rung_is_one_sentence(rung: str, models: list[str], tta: str, sentence: str):
    with pytest.raises(InputError, match=sentence):
        members(rung, models, tta, there=lambda name: True)


@pytest.mark.usefixtures("two")
def test_the_best_is_the_median_of_its_votes():
    window, t = frames(), torch.tensor([0.25])
    a, b, d = (vfi.load(name) for name in ("rife-4.25", "rife-4.0", "dis"))
    turned = window.flip(-1, -2).flip(1)
    votes = torch.stack((a(window, t), a(turned, 1 - t).flip(-1, -2), b(window.flip(1), 1 - t), d(turned, 1 - t).flip(-1, -2)))
    made = vfi.load(quality="best")(window, t)
    torch.testing.assert_close(made, votes.sort(dim=0).values[1:3].mean(0))


@pytest.mark.usefixtures("two")
def test_a_network_that_votes_twice_is_loaded_once():
    bare = [model for _, model in networks(VOTERS)]
    assert bare[0] is bare[1]
    assert len({id(model) for model in bare}) == 3


@pytest.mark.usefixtures("one")
def test_the_best_of_a_model_of_ones_own_is_its_duo():
    window = frames()
    assert torch.equal(vfi.load("rife-4.25", quality="best")(window, HALF), vfi.load("rife-4.25", tta="duo")(window, HALF))


@pytest.mark.usefixtures("one")
@pytest.mark.parametrize("tta", ["none", "duo"])
def test_fast_estimates_motion_at_half_the_size(tta: str):
    window = frames(128, 160)
    made, whole = (vfi.load(quality=rung, tta=tta)(window, HALF) for rung in ("fast", "normal"))
    assert made.shape == whole.shape
    assert not torch.equal(made, whole)


@pytest.mark.usefixtures("one")
def test_only_fast_without_augmentation_leaves_out_what_stands_still():
    window = torch.rand(1, 1, 3, 320, 320).repeat(1, 2, 1, 1, 1)
    window[:, 1, :, 10:20, 10:20] = 1
    blend, corner = Linear()(window, HALF), (..., slice(200, None), slice(200, None))
    left_out = {
        (rung, tta): torch.equal(vfi.load(quality=rung, tta=tta)(window, HALF)[corner], blend[corner])
        for rung, tta in (("fast", "none"), ("fast", "duo"), ("normal", "none"))
    }
    assert left_out == {("fast", "none"): True, ("fast", "duo"): False, ("normal", "none"): False}


@pytest.mark.parametrize(("rung", "name"), quality.WITHOUT_NETWORK.items())
def test_rungs_without_a_network_are_models_without_weights(rung: str, name: str):
    window = frames()
    assert torch.equal(vfi.load(quality=rung)(window, HALF), vfi.load(name)(window, HALF))


def test_a_model_that_does_not_move_is_told_so():
    with pytest.raises(InputError, match="linear does not estimate motion"):
        vfi.load("linear", quality="fast")


@pytest.mark.slow
def test_the_ladder_goes_up_on_a_real_triplet(
    rife425_state: dict[str, Tensor], rife40_state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path))
    save_file(rife425_state, tmp_path / "rife_v4.25.safetensors")
    save_file(rife40_state, tmp_path / "rife_v4.0.safetensors")
    before, real, after = (read_image(TRIPLET / f"im{k}.webp").rgb for k in (1, 2, 3))
    window = torch.stack((before, after))[None]
    scores = {rung: metrics.compare(vfi.load(quality=rung)(window, HALF)[0], real).psnr for rung in RUNGS}
    assert scores["linear"] + 5 < scores["draft"] < scores["normal"] < scores["best"]
