"""``vfi flow`` on files."""

from __future__ import annotations

import json
from fractions import Fraction as F
from pathlib import Path

import pytest
import torch

from vfi import __main__
from vfi.clips.clip import Info
from vfi.clips.open import create_clip, open_clip
from vfi.core import Frame


@pytest.fixture
def pan(tmp_path: Path) -> Path:
    """Five frames of a texture that moves by 4 pixels to the right, with alpha and 16 bits."""
    torch.manual_seed(0)
    wide = torch.nn.functional.interpolate(torch.rand(1, 3, 12, 24), (48, 112), mode="bicubic")[0].clamp(0, 1)
    path = tmp_path / "in"
    with create_clip(path, Info(80, 48, depth=16, alpha=True)) as writer:
        for k in range(5):
            writer.write(Frame(wide[:, :, 24 - 4 * k : 104 - 4 * k], F(k, 24), F(1, 24), torch.ones(1, 48, 80)))
    return path


def vfi(*arguments: object) -> int:
    return __main__.main([str(argument) for argument in arguments])


def middle(frame: Frame) -> list[float]:
    return frame.rgb[:, 12:36, 24:56].mean((1, 2)).tolist()


def test_a_pan_is_red_and_the_last_picture_white(pan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi("flow", pan, tmp_path / "out", "--model", "dis", "--radius", 4, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["frames"], told["model"]) == (5, "dis")
    clip = open_clip(tmp_path / "out")
    assert (clip.info.depth, clip.info.alpha) == (8, False)
    *moving, last = map(middle, clip)
    assert moving == [pytest.approx([1, 0.5, 0.5], abs=0.05)] * 4
    assert last == [1, 1, 1]


def test_the_radius_is_measured(pan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert vfi("flow", pan, tmp_path / "out.mkv", "--model", "dis", "--toward", "previous", "--codec", "ffv1") == 0
    assert "full colour is 2." in capsys.readouterr().err
    frames = list(open_clip(tmp_path / "out.mkv"))
    assert [frame.time for frame in frames] == [F(k, 24) for k in range(5)]
    assert middle(frames[0]) == pytest.approx([0.1, 0.8, 1], abs=0.1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--model", "linear"], "linear does not estimate motion"),
        (["--model", "linear", "--radius", "3"], "linear does not estimate motion"),
        (["--model", "dis", "--consensus", "linear"], "--consensus was given: it acts on new frames"),
        (["--quality", "best"], "--quality was given: it acts on new frames"),
        (["--model", "dis", "--tta", "duo"], "--tta was given: it acts on new frames"),
    ],
)
def test_what_cannot_be_shown_gets_a_sentence(
    pan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
):
    assert vfi("flow", pan, tmp_path / "out", *options) == 2
    assert sentence in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
