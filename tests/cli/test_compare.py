"""``vfi compare``: clips and models, the table, the page and the sheet, and what it refuses."""

from __future__ import annotations

from fractions import Fraction as F
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


def clip(folder: Path, *, off: int = 0, worst: int | None = None, count: int = 9) -> Path:
    """A texture that moves by 6 pixels per frame, ``off`` codes too bright, frame ``worst`` 40 more."""
    noise = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 255, (64, 200, 3), np.uint8), (0, 0), 2)
    noise = cv2.normalize(noise, None, 30, 180, cv2.NORM_MINMAX)
    folder.mkdir()
    for k in range(count):
        shift = off + (40 if k == worst else 0)
        cv2.imwrite(str(folder / f"{k:03}.png"), noise[:, 6 * k : 6 * k + 96] + np.uint8(shift))
    return folder


def vfi(*arguments: object) -> int:
    return __main__.main(["compare", *(str(argument) for argument in arguments)])


def rows(out: str, *names: str) -> dict[str, list[str]]:
    lines = [line.split() for line in out.splitlines()]
    return {line[0]: line[1:] for line in lines if line and line[0] in names and len(line) > 3}


def test_clips_are_compared_with_the_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    truth, near, far = clip(tmp_path / "truth"), clip(tmp_path / "near", off=2), clip(tmp_path / "far", off=20, worst=5)
    report, sheet = tmp_path / "page.html", tmp_path / "sheet.png"
    assert vfi(near, far, "--truth", truth, "--report", report, "--sheet", sheet, "--worst", 2) == 0
    out = capsys.readouterr().out
    assert "near is nearest to truth: by " in out
    assert "it is best in 9 of 9 frames" in out
    found = rows(out, "near", "far")
    assert [float(found[name][0]) for name in ("near", "far")] == [42.11, 21.05]
    text = report.read_text(encoding="utf-8")
    assert text.index('id="f5"') < text.index('class="wipe"', text.index('id="f5"'))
    assert text.count('<div class="wipe">') == 2
    assert "http" not in text.replace("http-equiv", "")
    assert cv2.imread(str(sheet)).shape[1] == 1120


def test_two_clips_are_compared_with_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    one, other = clip(tmp_path / "one"), clip(tmp_path / "other", off=20)
    assert vfi(one, other) == 0
    assert "other differs from one by a mean PSNR of 22.11 over 9 frames" in capsys.readouterr().out
    assert vfi(one, one) == 0
    assert "equal" in capsys.readouterr().out


def test_models_remake_every_second_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    report = tmp_path / "page.html"
    assert vfi("linear", "dis", "linear+dis", "--on", clip(tmp_path / "moving"), "--report", report, "--frames", "3,5") == 0
    out = capsys.readouterr().out
    found = rows(out, "linear", "dis", "linear+dis")
    assert float(found["dis"][0]) > float(found["linear+dis"][0]) > float(found["linear"][0])
    text = report.read_text(encoding="utf-8")
    assert 'id="f3"' in text
    assert 'id="f5"' in text
    assert 'id="f1"' not in text


def test_the_frames_of_clips_of_other_rates_are_found_by_time(tmp_path: Path):
    from vfi.bench.contest import Contest
    from vfi.cli.compare import shown
    from vfi.clips.open import open_clip

    slow, fast = (
        open_clip(clip(tmp_path / "slow", count=4), rate=F(12)),
        open_clip(clip(tmp_path / "fast", count=8), rate=F(24)),
    )
    contest = Contest("slow", ["fast"])
    found = list(shown([slow, fast], ["slow", "fast"]))
    for one in found:
        contest.add(one)
    assert [one.number for one in found] == [0, 1, 2, 3]
    assert [float(one.made["fast"].sum() - one.real.sum()) == 0 for one in found] == [True, False, False, False]
    assert contest.frames == 4


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "alone was given: give two clips"),
        (["--on", "x.mp4", "--truth", "y.mp4"], "--truth was given with --on"),
        (["-"], "- was given as a clip"),
    ],
)
def test_what_cannot_be_compared_is_said(tmp_path: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert vfi(clip(tmp_path / "one"), *more) == 2
    assert message in capsys.readouterr().err


def test_frames_that_are_not_there_are_said_and_nothing_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    one, other = clip(tmp_path / "one"), clip(tmp_path / "other", off=9)
    assert vfi(one, other, "--frames", "3,99", "--report", tmp_path / "page.html") == 2
    assert "frame 99 was asked for: it was not compared" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.html"))
    (tmp_path / "page.html").write_text("mine")
    assert vfi(one, other, "--report", tmp_path / "page.html") == 2
    assert (tmp_path / "page.html").read_text() == "mine"
