"""``vfi tween --chart`` on real files: each part where its chart puts it, and what does not go with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.cli.test_tween import SIZE, centres, keyframes, square, tracks, vfi  # noqa: F401
from vfi.clips.clip import Info
from vfi.clips.open import create_clip
from vfi.core import Frame


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """The square in the first keyframe, in a folder beside its chart."""
    folder = tmp_path / "charts"
    with create_clip(folder, Info(*SIZE, rate=None)) as writer:
        writer.write(Frame((square(20, 60) > 0.5).float(), 0))
    (file,) = folder.iterdir()
    return file


def chart(mask: Path, frames: int | None = 3, **charts: object) -> Path:
    file = mask.parent / "chart.json"
    file.write_text(json.dumps({**({} if frames is None else {"frames": frames}), "charts": charts}), encoding="utf-8")
    return file


def test_a_part_moves_by_its_chart(keyframes, mask: Path, tmp_path: Path, capsys):  # noqa: F811
    file = chart(mask, square={"spacing": [0.1, 0.1, 0.8], "mask": mask.name})
    assert vfi("tween", *keyframes, tmp_path / "out", "--chart", file, "--model", "linear") == 0
    wanted = [(x, 69.5) for x in (29.5, 39.5, 39.5, 109.5, 129.5)]
    assert torch.allclose(torch.tensor(centres(tmp_path / "out")), torch.tensor(wanted), atol=0.5)
    assert "square: 3 drawings in 3 frames" in capsys.readouterr().err


def test_tracks_are_its_way_and_its_region(keyframes, tracks: Path, mask: Path, tmp_path: Path):  # noqa: F811
    for number, how in enumerate(({"mask": mask.name}, {"tracks": 1})):
        file = chart(mask, None, square={"spacing": [0.25, 0.5, 0.5], **how})
        out = tmp_path / str(number)
        assert vfi("tween", *keyframes, out, "--chart", file, "--tracks", tracks, "--frames", 3, "--model", "linear") == 0
        wanted = [(29.5, 69.5), (54.5, 49.5), (79.5, 29.5), (79.5, 29.5), (129.5, 69.5)]
        assert torch.allclose(torch.tensor(centres(out)), torch.tensor(wanted), atol=0.6)


def test_without_parts_the_whole_picture_is_spaced(keyframes, mask: Path, tmp_path: Path):  # noqa: F811
    file = chart(mask, **{"*": [0, 0.5, 1]})
    assert vfi("tween", *keyframes, tmp_path / "out", "--chart", file, "--model", "nearest") == 0
    assert [x for x, _ in centres(tmp_path / "out")][::2] == [29.5, pytest.approx(79.5, abs=60), 129.5]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--frames", 4), "--frames 4 was given and"),
        (("--ease", "in"), "--ease was given with --chart"),
        (("--shutter", 180), "--shutter was given with --chart"),
        (("--draw", "framer"), "--chart was given with --draw"),
        (("--parts", "MASK"), "--parts was given with --chart"),
    ],
)
def test_what_does_not_go_with_a_chart(keyframes, mask: Path, tmp_path: Path, capsys, options, told: str):  # noqa: F811
    file = chart(mask, square={"spacing": "halves", "mask": mask.name})
    given = [mask if option == "MASK" else option for option in options]
    assert vfi("tween", *keyframes, tmp_path / "out", "--chart", file, "--model", "linear", *given) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({}, "the chart of square has neither a mask nor tracks"),
        ({"mask": "none.png"}, "none.png does not exist"),
        ({"tracks": 1}, "names tracks: give the file of tracks with --tracks"),
        ({"spacing": [0.1, 0.2, 0.3, 0.4]}, "4 ticks were given for 3 frames"),
    ],
)
def test_what_is_missing_is_told(keyframes, mask: Path, tmp_path: Path, capsys, row, told: str):  # noqa: F811
    assert vfi("tween", *keyframes, tmp_path / "out", "--chart", chart(mask, square=row), "--model", "linear") == 2
    assert told in capsys.readouterr().err


def test_the_number_of_frames_must_be_said(keyframes, mask: Path, tmp_path: Path, capsys):  # noqa: F811
    assert vfi("tween", *keyframes, tmp_path / "out") == 2
    assert "give --frames N" in capsys.readouterr().err
    assert vfi("tween", *keyframes, tmp_path / "out", "--chart", chart(mask, None)) == 2
    assert "give --frames N, or frames in the chart" in capsys.readouterr().err
    assert vfi("tween", *keyframes, tmp_path / "out", "--chart", tmp_path / "none.json") == 2
    assert "none.json cannot be read" in capsys.readouterr().err


def test_a_chart_that_is_no_text_gets_a_sentence(keyframes, mask: Path, tmp_path: Path, capsys):  # noqa: F811
    file = mask.parent / "chart.json"
    file.write_bytes('{"frames": 3, "charts": {"*": "even"}}'.encode("utf-16"))  # as a redirection of PowerShell writes it
    assert vfi("tween", *keyframes, tmp_path / "out", "--chart", file, "--model", "linear") == 2
    assert "chart.json is no text in UTF-8: charts are JSON in that encoding" in capsys.readouterr().err
