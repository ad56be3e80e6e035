"""``vfi bench quality``: the table, the JSON, what is left out and what stops it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from vfi import __main__
from vfi.core import InputError, Spec
from vfi.model import load, registry
from vfi.model.quality import members

TRIPLET = Path(__file__).parents[1] / "data" / "triplet"


def vfi(*arguments: object) -> int:
    return __main__.main(["bench", "quality", *(str(argument) for argument in arguments)])


def grey(path: Path, code: int, size: tuple[int, int] = (16, 12)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*size[::-1], 3), code, np.uint8))


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wide terminal, no models on disk, and no LPIPS."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    monkeypatch.setitem(sys.modules, "torchmetrics.image.lpip", None)


@pytest.fixture
def triplets(tmp_path: Path) -> Path:
    """Three triplets of plain greys; a linear blend is 0, 10 and 20 codes off; the second and third are hard."""
    root = tmp_path / "set"
    for number, off in enumerate((0, 10, 20)):
        for k, code in ((1, 100), (2, 120 + off), (3, 140)):
            grey(root / str(number) / f"im{k}.png", code)
    rows = [{"id": str(number), "subset": "hard" if number else "std"} for number in range(3)]
    (root / "manifest.json").write_text(json.dumps({"triplets": rows}))
    return root


def told(capsys: pytest.CaptureFixture[str]) -> dict:
    """The JSON on standard output."""
    return json.loads(capsys.readouterr().out)


def rows(text: str) -> list[list[str]]:
    """The cells of the table's rows."""
    return [line.split() for line in text.splitlines() if "." in line and "LPIPS" not in line and "timed" not in line]


def test_the_table_has_a_row_for_each_model_and_subset(triplets: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(triplets, "--models", "linear,nearest") == 0
    out = capsys.readouterr().out
    headings = "model subset frames PSNR PSNR_DIV SSIM IE LPIPS flicker % s/frame"
    assert out.splitlines()[1].split() == headings.split()
    cells = rows(out)
    assert [row[:3] for row in cells] == [
        [model, subset, count]
        for model in ("linear", "nearest")
        for subset, count in (("all", "3"), ("std", "1"), ("hard", "2"))
    ]
    assert [row[6] for row in cells] == ["10.00", "0.00", "15.00", "30.00", "20.00", "35.00"]
    assert (cells[0][3], cells[1][3], cells[2][3]) == ("inf", "inf", f"{(28.1308 + 22.1102) / 2:.2f}")
    assert {row[7] for row in cells} == {"-"}
    assert "…" not in out, "numbers are whole, however narrow the console"
    assert "LPIPS needs torchmetrics and torchvision, the extra 'bench'" in out


def test_json_has_means_by_subset_and_the_facts(triplets: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(triplets, "--models", "linear", "--json", "--device", "cpu") == 0
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert (result["layout"], result["device"], result["torch"]) == ("triplets", "cpu", torch.__version__)
    assert (result["limit"], result["interrupted"]) == (None, False)
    assert "the extra 'bench'" in result["lpips"]
    (model,) = result["models"].values()
    assert {key: model[key] for key in ("network", "window", "tta", "pad", "scale", "dtype", "note")} == {
        "network": "linear",
        "window": 2,
        "tta": "none",
        "pad": "zeros",
        "scale": 1.0,
        "dtype": "float32",
        "note": None,
    }
    means = model["subsets"]
    assert {name: (some["items"], some["frames"], some["ie"]) for name, some in means.items()} == {
        "all": (3, 3, 10),
        "std": (1, 1, 0),
        "hard": (2, 2, 15),
    }
    assert means["all"]["psnr"] is None  # infinite
    assert means["hard"]["psnr"] == pytest.approx(25.12, abs=0.01)
    assert means["all"]["lpips"] is None
    assert means["all"]["seconds"] > 0
    assert "linear" in output.err


def test_scores_list_every_frame(triplets: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(triplets, "--models", "linear", "--json", "--scores") == 0
    scores = told(capsys)["models"]["linear"]["scores"]
    assert [(one["item"], one["subset"], one["t"], one["ie"]) for one in scores] == [
        ("0", "std", "1/2", 0),
        ("1", "hard", "1/2", 10),
        ("2", "hard", "1/2", 20),
    ]


def test_a_real_triplet_is_measured_as_scikit_image_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(TRIPLET, "--models", "nearest", "--json") == 0
    means = told(capsys)["models"]["nearest"]["subsets"]["all"]
    assert (means["psnr"], means["ssim"]) == (pytest.approx(14.6746, abs=1e-4), pytest.approx(0.296994, abs=1e-6))


def test_every_t_of_a_sequence_is_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for k, code in enumerate((0, 12, 20, 33, 40)):
        grey(tmp_path / "set" / f"{k}.png", code)
    assert vfi(tmp_path / "set", "--layout", "sequence:4", "--models", "linear", "--json") == 0
    result = told(capsys)
    assert result["layout"] == "sequence:4"
    means = result["models"]["linear"]["subsets"]["all"]
    assert (means["items"], means["frames"], means["ie"]) == (1, 3, pytest.approx(5 / 3))
    assert {t: some["ie"] for t, some in means["times"].items()} == {"1/4": 2, "1/2": 0, "3/4": 3}


def test_models_augmentations_and_paddings_are_combined(triplets: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(triplets, "--models", "linear", "--tta", "none,duo", "--pad", "auto,edge:64", "--limit", 1, "--json") == 0
    models = told(capsys)["models"]
    assert list(models) == ["linear", "linear, pad edge:64", "linear, duo", "linear, duo, pad edge:64"]
    assert models["linear, duo, pad edge:64"]["pad"] == "edge:64"
    assert {model["subsets"]["all"]["frames"] for model in models.values()} == {2}


def test_rungs_of_the_ladder_are_measured_like_models(triplets: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(triplets, "--models", "auto", "--quality", "linear,draft,best", "--limit", 1, "--json") == 0
    models = told(capsys)["models"]
    first = str(members("best", there=load.there)[0].source)
    assert [(name, model["network"]) for name, model in models.items()] == [
        ("auto, linear", "linear"),
        ("auto, draft", "dis-fast"),
        ("auto, best", first),
    ]
    assert vfi(triplets, "--models", "dis", "--quality", "draft") == 2
    assert "quality draft uses no network" in capsys.readouterr().err


def test_a_limit_counts_in_each_subset_and_subsets_can_be_chosen(triplets: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(triplets, "--models", "linear", "--limit", 1, "--subsets", "hard", "--json") == 0
    means = told(capsys)["models"]["linear"]["subsets"]
    assert {name: some["ie"] for name, some in means.items()} == {"all": 10, "hard": 10}


def test_without_models_it_takes_those_that_are_there(triplets: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(triplets, "--json", "--limit", 1) == 0
    assert list(told(capsys)["models"]) == ["linear", "dis", load.auto()]


class Odd:
    """A model of ``window`` frames that does ``make`` of them."""

    def __init__(self, make, window: int = 2) -> None:
        self.spec = Spec("odd", window=window)
        self.make = make

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        return self.make(window)


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch):
    """Makes a model known by the name odd."""

    def declare(make, window: int = 2) -> None:
        known = {**registry.builtins(), "odd": lambda options: Odd(make, window)}
        monkeypatch.setattr(registry, "builtins", lambda: known)

    return declare


def test_models_of_four_frames_are_scored_where_four_are_given(tmp_path: Path, odd, capsys: pytest.CaptureFixture[str]):
    for k in range(7):
        grey(tmp_path / "set" / f"{k}.png", 10 * k)
    odd(lambda window: window.mean(dim=1), window=4)
    assert vfi(tmp_path / "set", "--models", "odd,linear", "--json") == 0
    models = told(capsys)["models"]
    assert (models["odd"]["subsets"]["all"]["items"], models["linear"]["subsets"]["all"]["items"]) == (1, 3)
    assert models["odd"]["subsets"]["all"]["ie"] == 0
    assert models["odd"]["note"] == "scored on 1 of 3 items: it needs 4 frames, and the others have fewer"


def test_models_of_four_frames_are_left_out_where_two_are_given(triplets: Path, odd, capsys: pytest.CaptureFixture[str]):
    odd(lambda window: window[:, 0], window=4)
    assert vfi(triplets, "--models", "odd,linear") == 0
    out = capsys.readouterr().out
    assert ["odd", "0", *"-------"] in [line.split() for line in out.splitlines()]
    assert "odd: not scored: it needs 4 frames, and the others have fewer" in out


def broken(window: Tensor) -> Tensor:
    if round(float(window[0, 0, 0, 0, 0]) * 255) == 101:
        raise RuntimeError("out of memory")
    return window[:, 0]


def refused(window: Tensor) -> Tensor:
    raise InputError("no such size")


@pytest.mark.parametrize(
    ("make", "item", "message"),
    [
        (broken, 1, "out of memory"),
        (refused, 0, "no such size"),
        (lambda window: window[:, 0] * float("nan"), 0, "values that are not finite"),
    ],
)
def test_a_model_that_fails_stops_with_its_name_and_the_item(
    triplets: Path, odd, make, item: int, message: str, capsys: pytest.CaptureFixture[str]
):
    grey(triplets / "1" / "im1.png", 101)
    odd(make)
    assert vfi(triplets, "--models", "linear,odd") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"vfi: odd failed on {item}: ")
    assert message in error


def test_ctrl_c_leaves_what_is_done(triplets: Path, odd, capsys: pytest.CaptureFixture[str]):
    def interrupted(window: Tensor) -> Tensor:
        raise KeyboardInterrupt

    odd(interrupted)
    assert vfi(triplets, "--models", "linear,odd,nearest", "--json") == 130
    result = told(capsys)
    assert result["interrupted"] is True
    assert {name: len(model["subsets"]) for name, model in result["models"].items()} == {"linear": 3, "odd": 0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layout", "vimeo"], "'vimeo' is not a layout"),
        (["--layout", "xiph:2"], "'xiph:2' is not a layout"),
        (["--subsets", "hard,soft"], "there is no subset 'soft' here: std, hard"),
        (["--models", "linear,rife-9"], "no model is called 'rife-9'"),
        (["--device", "moon"], "there is no device 'moon' here"),
    ],
)
def test_what_is_unknown_is_said_before_any_work(
    triplets: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    assert vfi(triplets, *options) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert output.out == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tta", "none,all8"], "'all8' is not a test-time augmentation"),
        (["--pad", "edge,grey"], "'grey' is not a padding"),
        (["--quality", "fast,great"], "'great' is not a quality: give some of linear, draft"),
        (["--models", ","], "one or more names are needed"),
        (["--limit", "0"], "a whole number from 1 up is needed"),
        (["--scale", "0"], "it must be above 0"),
    ],
)
def test_options_are_checked(triplets: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        vfi(triplets, *options)
    assert message in capsys.readouterr().err


def test_pictures_of_different_size_are_said(triplets: Path, capsys: pytest.CaptureFixture[str]):
    grey(triplets / "2" / "im2.png", 120, size=(12, 12))
    assert vfi(triplets, "--models", "linear") == 2
    assert "im2.png is 12x12, but" in capsys.readouterr().err


def test_the_filter_of_ffmpeg_is_a_baseline(capsys: pytest.CaptureFixture[str]):
    assert vfi(TRIPLET, "--models", "linear,minterpolate-mci", "--json") == 0
    models = told(capsys)["models"]
    assert models["minterpolate-mci"]["options"] == "mi_mode=mci"
    assert models["minterpolate-mci"]["subsets"]["all"]["psnr"] > models["linear"]["subsets"]["all"]["psnr"] + 3
    assert vfi(TRIPLET, "--models", "minterpolate-mci", "--tta", "duo") == 2
    assert "minterpolate-mci was given with options of models" in capsys.readouterr().err


def shifted(root: Path, place: int) -> None:
    """A triplet of a texture that moves by 8 pixels, its middle frame by ``place``."""
    root.mkdir(parents=True)
    noise = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 255, (96, 160, 3), np.uint8), (0, 0), 2)
    noise = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)
    for k, left in enumerate((0, place, 8), start=1):
        cv2.imwrite(str(root / f"im{k}.png"), noise[:, 16 - left : 144 - left])


def test_only_evenly_timed_items_count_if_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name, place in (("even", 4), ("late", 6)):
        shifted(tmp_path / "set" / name, place)
    assert vfi(tmp_path / "set", "--models", "dis", "--json", "--scores") == 0
    both = told(capsys)
    assert (both["timing"], both["models"]["dis"]["subsets"]["all"]["items"]) == ({"asked": "any", "items": 2}, 2)
    assert vfi(tmp_path / "set", "--models", "dis", "--timing", "even", "--json", "--scores") == 0
    output = capsys.readouterr()
    one = json.loads(output.out)
    assert one["timing"] == {"asked": "even", "items": 2, "even": 1}
    assert [score["item"] for score in one["models"]["dis"]["scores"]] == ["even"]
    assert "evenly timed: 1 of 2 items, the others were left out" in output.err


def test_a_set_without_an_even_item_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shifted(tmp_path / "set" / "late", 7)
    assert vfi(tmp_path / "set", "--models", "dis", "--timing", "even") == 2
    assert "has no evenly timed item: --timing any takes all 1" in capsys.readouterr().err
