"""``vfi audit`` on files."""

from __future__ import annotations

import json
from fractions import Fraction as F
from pathlib import Path

import pytest
import torch
from footage import panned

from vfi import __main__
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip, open_clip
from vfi.core import Frame

TRUE = panned(21, 1.5)
SPOILT = 7


def vfi(*arguments: object) -> int:
    return __main__.main([*map(str, arguments)])


def clip(path: Path, pictures: list[torch.Tensor], rate: int) -> Path:
    with create_clip(path, Info(64, 64, rate=F(rate)), encoding=Encoding("ffv1")) as writer:
        for k, picture in enumerate(pictures):
            writer.write(Frame((picture * 255).round() / 255, F(k, rate), F(1, rate)))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source, and a clip of twice as many frames of which one is spoilt."""
    folder = tmp_path_factory.mktemp("audit")
    clip(folder / "source.mkv", TRUE[::2], 24)
    made = list(TRUE)
    made[SPOILT] = made[SPOILT].clone()
    made[SPOILT][:, 16:48, 16:48] = made[SPOILT][:, 16:48, 16:48].flip(1, 2)
    clip(folder / "made.mkv", made, 48)
    return folder


def test_frames_that_any_program_made_are_judged(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    page, mask = tmp_path / "page.html", tmp_path / "mask.mkv"
    command = ["--source", folder / "source.mkv", "--model", "dis", "--json", "--report", page, "--mask", mask]
    assert vfi("audit", folder / "made.mkv", *command) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["first"][0] == SPOILT
    assert [one["frame"] for one in told["frames"]] == list(range(1, 20, 2))
    assert told["fitted_on"] == 9
    spoilt = next(one for one in told["frames"] if one["frame"] == SPOILT)
    assert spoilt["low"] <= spoilt["psnr"] <= spoilt["high"] < min(one["psnr"] for one in told["frames"] if one is not spoilt)
    masks = list(open_clip(mask))
    assert len(masks) == len(TRUE)
    assert float(masks[SPOILT].rgb[:, 20:44, 20:44].float().mean()) > 0.5
    assert not float(masks[SPOILT - 1].rgb.float().max()) > 0.1
    text = page.read_text(encoding="utf-8")
    assert "Look at these first" in text
    assert '<b class="a">doubt</b>' in text
    assert f"frame {SPOILT}" in text


def test_without_a_source_every_second_frame_may_be_real(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi("audit", folder / "made.mkv", "--real", "every:2", "--model", "dis") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "real frames: every:2"
    rows = [line.split() for line in lines if " dB " in line and " to " in line]
    assert rows[0][0] == str(SPOILT)


def test_a_clip_alone_says_how_a_model_would_do(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    mask = tmp_path / "masks"
    assert vfi("audit", folder / "source.mkv", "--model", "dis", "--json", "--mask", mask, "--to", "5f") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["real"], told["fitted_on"]) == (None, 0)
    assert [one["after"] for one in told["frames"]] == [0, 1, 2, 3]
    assert len(list(open_clip(mask))) == 10


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--real", "2"], "give every:2"),
        (["--source", "small.mkv"], "both must have one size"),
        (["--report", "page.txt"], "its name must end in .html"),
        (["--worse", "0"], "a whole number from 1 up is needed"),
    ],
)
def test_bad_input_gets_a_sentence(folder: Path, options: list[str], says: str, capsys: pytest.CaptureFixture[str]):
    if options[1] == "small.mkv":
        with create_clip(folder / "small.mkv", Info(32, 32, rate=F(24)), encoding=Encoding("ffv1")) as writer:
            writer.write(Frame(torch.zeros(3, 32, 32), F(0), F(1, 24)))
        options = [options[0], str(folder / "small.mkv")]
    try:
        code = vfi("audit", folder / "made.mkv", "--model", "dis", "--overwrite", *options)
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert says in capsys.readouterr().err
