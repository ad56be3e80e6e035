"""``vfi train``: a recipe or clips in, weights out that ``--model`` takes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import vfi
from vfi.__main__ import main
from vfi.archs.inbetween import Config, Inbetween
from vfi.cli import train
from vfi.model import weights
from vfi.train.students import FRESH

RECIPE = """
[data]
clips = ["clip"]
stills = ["clip/000000.png"]
synthetic = 0.5
size = 64
held_out = ["other"]
[teachers]
motion = "dis"
pictures = "dis"
[loss]
motion = 0.1
picture = 0.5
blend = 0.5
[schedule]
steps = 3
batch = 2
validate = 2
"""


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FRESH, "inbetween-s", lambda: Inbetween(Config((8, 8), (8, 8))))


def pan(folder: Path, seed: int) -> Path:
    """A folder of pictures that show more and more of what lies on the right."""
    folder.mkdir()
    wide = cv2.resize(np.random.default_rng(seed).integers(0, 256, (12, 32, 3), dtype=np.uint8), (256, 96))
    for number in range(6):
        cv2.imwrite(str(folder / f"{number:06d}.png"), wide[:, 5 * number : 5 * number + 128])
    return folder


def test_a_recipe_is_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pan(tmp_path / "clip", 1)
    pan(tmp_path / "other", 2)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    assert main(["train", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "out")]) == 0
    weights = tmp_path / "out" / "weights.safetensors"
    assert capsys.readouterr().out.strip() == str(weights)
    assert {"state.safetensors", "log.jsonl", "curves.png", "data"} <= {path.name for path in (tmp_path / "out").iterdir()}
    made = vfi.load(weights)(torch.rand(1, 2, 3, 40, 50), torch.tensor([0.3]))
    assert made.shape == (1, 3, 40, 50)
    assert main(["models", "show", str(weights)]) == 0


def test_more_steps_go_on_from_the_last_one(tmp_path: Path):
    pan(tmp_path / "clip", 1)
    pan(tmp_path / "other", 2)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    for steps in ("2", "4"):
        arguments = ["train", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "out"), "--steps", steps]
        assert main([*arguments, "--data", str(tmp_path / "shards")]) == 0
    steps = [line.split(",")[0] for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines() if "psnr" in line]
    assert steps == ['{"step": 2', '{"step": 4']
    assert list((tmp_path / "shards").glob("*.motion.safetensors"))


def test_clips_alone_teach_a_network_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from dataclasses import replace

    from safetensors.torch import save_file

    gentle = train.own
    quick = {"steps": 2, "batch": 1, "validate": 2}
    monkeypatch.setattr(
        train,
        "own",
        lambda clips: replace(
            gentle(clips), data=replace(gentle(clips).data, size=64), schedule=replace(gentle(clips).schedule, **quick)
        ),
    )
    save_file(Inbetween(Config((8, 8), (8, 8))).state_dict(), tmp_path / "start.safetensors")
    clip = pan(tmp_path / "clip", 3)
    assert main(["train", str(clip), "--out", str(tmp_path / "out"), "--start", str(tmp_path / "start.safetensors")]) == 0
    assert vfi.detect(weights.read(tmp_path / "out" / "weights.safetensors")).name == "inbetween-custom"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["{}/a.toml", "{}/clip"], "2 inputs were given, one of them a recipe"),
        (["{}/a.toml"], "is not a recipe"),
        (["{}/nothing"], "does not exist: a clip or a folder of clips is needed"),
    ],
)
def test_what_cannot_be_learned_from_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], inputs: list[str], message: str
):
    assert main(["train", *(text.format(tmp_path) for text in inputs), "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err


def test_the_model_to_start_from_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    clip = pan(tmp_path / "clip", 1)
    model = tmp_path / "out" / "weights.safetensors"
    model.parent.mkdir()
    model.write_bytes(b"dear to me")
    assert main(["train", str(clip), "--start", str(model), "--out", str(tmp_path / "out")]) == 2
    assert "holds the model to start from" in capsys.readouterr().err
    assert [path.name for path in model.parent.iterdir()] == ["weights.safetensors"]
