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
from vfi.pixels.uint8 import floats

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


def pictures(path: Path) -> torch.Tensor:
    return torch.stack([floats(frame.rgb) for frame in open_clip(path)])


@pytest.mark.parametrize("policy", ["hold", "blend", "mark"])
def test_doubtful_frames_are_treated_and_all_others_copied(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], policy: str
):
    out, mask = tmp_path / "mended.mkv", tmp_path / "mask"
    asked = ["--source", folder / "source.mkv", "--model", "dis", "--doubtful", policy, "--out", out, "--mask", mask]
    assert vfi("audit", folder / "made.mkv", *asked, "--codec", "ffv1", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["policy"] == {"name": policy, "changed": 1, "of": 10, "output": str(out)}
    given, mended = open_clip(folder / "made.mkv"), open_clip(out)
    assert mended.info.rate == given.info.rate
    assert [frame.time for frame in mended] == [frame.time for frame in given]
    made, shown, true = pictures(folder / "made.mkv"), pictures(out), pictures(folder / "source.mkv")
    others = [k for k in range(len(TRUE)) if k != SPOILT]
    assert torch.equal(shown[others], made[others])
    assert not torch.equal(shown[SPOILT], made[SPOILT])
    if policy == "hold":
        assert torch.equal(shown[SPOILT], true[SPOILT // 2])
    if policy == "blend":
        mean = (true[SPOILT // 2] + true[SPOILT // 2 + 1]) / 2
        assert float((shown[SPOILT] - mean)[:, 24:40, 24:40].abs().max()) < 1.01 / 255
        assert torch.equal(shown[SPOILT][:, :, :4], made[SPOILT][:, :, :4])
    assert float(pictures(mask)[SPOILT][:, 20:44, 20:44].mean()) > 0.5


def test_a_policy_without_doubt_changes_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "mended.mkv"
    asked = ["--source", folder / "source.mkv", "--model", "dis", "--doubtful", "hold", "--limit", "60", "--out", out]
    assert vfi("audit", folder / "made.mkv", *asked, "--codec", "ffv1") == 0
    assert "no made frame is doubtful in more than 60 % of the picture: nothing was changed" in capsys.readouterr().out
    assert torch.equal(pictures(out), pictures(folder / "made.mkv"))


def test_a_clip_alone_is_written_with_the_frames_that_were_judged(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out, plain = tmp_path / "mended.mkv", tmp_path / "plain.mkv"
    part = ["--model", "dis", "--to", "5f", "--codec", "ffv1"]
    assert vfi("interpolate", folder / "source.mkv", plain, "--times", "2", *part) == 0
    asked = ["--doubtful", "hold", "--below", "99", "--out", out, *part]
    assert vfi("audit", folder / "source.mkv", *asked) == 0
    assert "4 of 4 made frames held" in capsys.readouterr().out
    shown, made, true = pictures(out), pictures(plain), pictures(folder / "source.mkv")
    assert torch.equal(shown[::2], made[::2])
    assert torch.equal(shown[1:8:2], true[:4])
    assert len(shown) == len(made) == 10


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--doubtful", "hold"], "--doubtful hold was given without --out: name the clip to write"),
        (["--out", "new.mkv"], "--out was given without --doubtful: give hold, blend or mark too"),
        (["--doubtful", "hold", "--out", "made.mkv"], "is an input: give the output another name"),
        (["--doubtful", "hold", "--out", "there.mkv"], "there.mkv exists already: give another name, or --overwrite"),
        (["--doubtful", "hold", "--out", "new.txt"], "has an unsupported ending"),
        (
            ["--doubtful", "mark", "--out", "new.mkv", "--limit", "3"],
            "--limit was given with --doubtful mark: only hold has a limit",
        ),
        (["--doubtful", "hold", "--out", "new.mkv", "--limit", "101"], "a percentage from 0 to 100 is needed"),
        (["--doubtful", "hold", "--out", "new.mkv", "--below", "-1"], "a number from 0 up is needed"),
    ],
)
def test_options_that_do_not_fit_get_a_sentence(
    folder: Path, options: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(folder)
    (folder / "there.mkv").write_bytes(b"something")
    try:
        code = vfi("audit", "made.mkv", "--real", "every:2", "--model", "dis", *options)
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert says in capsys.readouterr().err
    assert not (folder / "new.mkv").exists()
    assert (folder / "there.mkv").read_bytes() == b"something"
