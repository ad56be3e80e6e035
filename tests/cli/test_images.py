"""Folders of images at the command: missing numbers keep or lose their time as asked, and what images cannot hold is named."""

from __future__ import annotations

import json
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest
from footage import film, png

from vfi import __main__
from vfi.clips.open import open_clip


def vfi(*arguments: object) -> int:
    return __main__.main([*map(str, arguments)])


@pytest.fixture
def gapped(tmp_path: Path) -> Path:
    """Images 1, 2, 5 and 6 of a series; image k is grey 10 k."""
    (tmp_path / "50% in").mkdir()
    for number in (1, 2, 5, 6):
        (tmp_path / "50% in" / f"shot {number:03d}.PNG").write_bytes(png(np.full((48, 64), 10 * number), 0))
    return tmp_path / "50% in"


def greys(path: Path) -> list[tuple[F, int]]:
    return [(frame.time, round(float(frame.rgb.mean()) * 255)) for frame in open_clip(path)]


def test_held_gaps_are_filled_at_a_rate(gapped: Path, tmp_path: Path, capsys):
    given = ("--in-fps", 10, "--fps", 10, "--model", "linear", "--codec", "ffv1", "--json")
    assert vfi("interpolate", gapped, tmp_path / "o.mkv", "--gaps", "hold", *given) == 0
    assert greys(tmp_path / "o.mkv") == [(F(k - 1, 10), 10 * k) for k in range(1, 7)]
    told = json.loads(capsys.readouterr().out)
    assert (told["frames"], told["duration"]) == (6, "3/5")
    assert told["notes"] == [f"{gapped} lacks 2 images of its series, first after shot 002.PNG: the time of these is kept"]


@pytest.mark.parametrize("asked", [(), ("--gaps", "close")])
def test_closed_gaps_are_said(gapped: Path, tmp_path: Path, capsys, asked):
    given = ("--in-fps", 10, "--fps", 10, "--model", "linear", "--codec", "ffv1", "--json")
    assert vfi("interpolate", gapped, tmp_path / "o.mkv", *asked, *given) == 0
    assert greys(tmp_path / "o.mkv") == [(F(k, 10), grey) for k, grey in enumerate([10, 20, 50, 60])]
    (note,) = json.loads(capsys.readouterr().out)["notes"]
    assert note.endswith("the images around each gap follow one another, --gaps hold keeps their time")


def test_a_resumed_run_tells_gaps_apart(gapped: Path, tmp_path: Path):
    for gaps, frames in (("hold", 6), ("close", 4)):
        given = ("--gaps", gaps, "--in-fps", 10, "--fps", 10, "--model", "linear", "--overwrite", "--resume")
        assert vfi("interpolate", gapped, tmp_path / "o.mkv", *given) == 0
        assert len(greys(tmp_path / "o.mkv")) == frames


def test_gaps_of_joined_folders(gapped: Path, tmp_path: Path, capsys):
    given = ("--in-fps", 10, "--model", "linear", "--codec", "ffv1", "--overlap", 0, "--bridge", 0, "--no-match", "--json")
    assert vfi("join", gapped, gapped, tmp_path / "o.mkv", "--gaps", "hold", *given) == 0
    assert [time * 10 for time, _ in greys(tmp_path / "o.mkv")] == [0, 1, 4, 5, 6, 7, 10, 11]
    (note,) = json.loads(capsys.readouterr().out)["notes"]
    assert note.endswith(": the time of these is kept")


def test_gaps_of_a_video_are_refused(tmp_path: Path, capsys):
    film(tmp_path / "a.mp4", range(5), F(1, 10))
    assert vfi("interpolate", tmp_path / "a.mp4", tmp_path / "o.mp4", "--gaps", "hold") == 2
    assert "gaps can only be set for a folder of images" in capsys.readouterr().err


@pytest.mark.parametrize("output", ["frames", "frames/%04d.png", "frames/%d.exr"])
@pytest.mark.parametrize(("audio", "said"), [("auto", True), ("copy", True), ("drop", False)])
def test_sound_that_images_cannot_hold_is_named(tmp_path: Path, capsys, output: str, audio: str, said: bool):
    film(tmp_path / "a.mp4", range(5), F(1, 10), sound=F(1, 2))
    given = ("--model", "nearest", "--audio", audio, "--json")
    assert vfi("interpolate", tmp_path / "a.mp4", tmp_path / output, *given) == 0
    note = "images hold no sound: it is left out, and only a video file as the output keeps it"
    assert json.loads(capsys.readouterr().out)["notes"] == ([note] if said else [])


def test_no_note_on_sound_where_there_is_none(gapped: Path, tmp_path: Path, capsys):
    film(tmp_path / "a.mp4", range(5), F(1, 10))
    assert vfi("interpolate", tmp_path / "a.mp4", tmp_path / "o", "--model", "nearest", "--json") == 0
    assert json.loads(capsys.readouterr().out)["notes"] == []


def test_flow_names_the_sound_that_it_leaves_out(tmp_path: Path, capsys):
    film(tmp_path / "a.mp4", range(5), F(1, 10), sound=F(1, 2))
    assert vfi("flow", tmp_path / "a.mp4", tmp_path / "o.mp4", "--model", "dis", "--json") == 0
    assert json.loads(capsys.readouterr().out)["notes"] == ["the sound is left out: flow pictures have none"]
