"""``vfi tune``: the table, the command it ends in, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vfi import __main__


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A texture that moves by 6 pixels per frame."""
    noise = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 255, (64, 200, 3), np.uint8), (0, 0), 2)
    noise = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)
    folder = tmp_path / "a clip"
    folder.mkdir()
    for k in range(9):
        cv2.imwrite(str(folder / f"{k:03}.png"), noise[:, 6 * k : 6 * k + 96])
    return folder


def vfi(*arguments: object) -> int:
    return __main__.main(["tune", *(str(argument) for argument in arguments)])


def test_the_model_that_follows_motion_is_best(clip: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(clip, "--models", "linear,dis") == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines() if line.strip().startswith("--model")]
    assert [row[1] for row in rows] == ["dis", "linear"]
    assert float(rows[0][2]) > float(rows[1][2]) + 3
    assert f"best: vfi interpolate '{clip}' OUT --model dis" in out


def test_json_has_every_way(clip: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(clip, "--models", "nearest,dis", "--frames", 2, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [(way["way"], way["frames"]) for way in told["ways"]] == [("--model dis", 2), ("--model nearest", 2)]
    assert told["ways"][0]["behind"] == 0
    assert told["command"].endswith("--model dis")


def test_without_names_it_tries_what_is_on_disk_and_the_presets(clip: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(clip, "--json") == 0
    ways = {way["way"] for way in json.loads(capsys.readouterr().out)["ways"]}
    assert {"--model dis", "--model inbetween-s", "--quality fast", "--quality best"} <= ways
    assert not {"--model linear", "--model rife-4.25"} & ways


def test_what_cannot_be_tried_is_said(clip: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi(clip, "--models", "rife-9") == 2
    assert "no model is called 'rife-9'" in capsys.readouterr().err
