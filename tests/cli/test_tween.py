"""``vfi tween`` on real files: drawn motion, and how time runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from vfi import __main__
from vfi.clips.clip import Info
from vfi.clips.open import create_clip, open_clip
from vfi.core import Frame
from vfi.pixels.uint8 import floats
from vfi.tracks import Document, Point, Track

SIZE = (160, 96)


def vfi(*arguments: object) -> int:
    return __main__.main([str(argument) for argument in arguments])


def square(left: int, top: int) -> torch.Tensor:
    picture = torch.full((3, SIZE[1], SIZE[0]), 0.2)
    picture[:, top : top + 20, left : left + 20] = 1
    return picture


@pytest.fixture
def keyframes(tmp_path: Path) -> tuple[Path, Path]:
    """A white square, left and right."""
    folder = tmp_path / "keyframes"
    with create_clip(folder, Info(*SIZE, rate=None)) as writer:
        for index, left in enumerate((20, 120)):
            writer.write(Frame(square(left, 60), index))
    first, last = sorted(folder.iterdir())
    return first, last


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    """Over the straight way, drawn on a picture twice the size."""
    document = Document(SIZE, (Track((Point(29.5, 69.5), Point(79.5, 29.5), Point(129.5, 69.5)), interp="linear"),))
    path = tmp_path / "tracks.json"
    path.write_text(document.scaled((320, 192)).to_json(), encoding="utf-8")
    return path


def centres(path: Path) -> list[tuple[float, float]]:
    places = []
    for frame in open_clip(path):
        y, x = (frame.rgb[0].float() / (1 if frame.rgb.is_floating_point() else 255) > 0.6).nonzero(as_tuple=True)
        places.append((float(x.double().mean()), float(y.double().mean())))
    return places


def test_frames_follow_tracks(keyframes, tracks: Path, tmp_path: Path):
    assert vfi("tween", *keyframes, tmp_path / "out", "--frames", 3, "--model", "linear", "--tracks", tracks) == 0
    wanted = [(29.5, 69.5), (54.5, 49.5), (79.5, 29.5), (104.5, 49.5), (129.5, 69.5)]
    for made, drawn in zip(centres(tmp_path / "out"), wanted, strict=True):
        assert made == pytest.approx(drawn, abs=1)


def test_other_tools_tracks_are_followed(keyframes, tmp_path: Path):
    path = tmp_path / "kj.json"
    path.write_text(json.dumps([[{"x": 29.5, "y": 69.5}, {"x": 79.5, "y": 29.5}, {"x": 129.5, "y": 69.5}]]), encoding="utf-8")
    assert vfi("tween", *keyframes, tmp_path / "out", "--frames", 1, "--model", "linear", "--tracks", path) == 0
    assert centres(tmp_path / "out")[1] == pytest.approx((79.5, 29.5), abs=1)


@pytest.mark.parametrize(("ease", "earlier"), [("in", 1), ("out", -1), ("inout", 0)])
def test_time_runs_as_it_is_eased(keyframes, tracks: Path, tmp_path: Path, ease: str, earlier: int):
    asked = ("--frames", 3, "--model", "linear", "--tracks", tracks, "--ease", ease)
    assert vfi("tween", *keyframes, tmp_path / "out", *asked) == 0
    made = [x for x, _ in centres(tmp_path / "out")]
    assert len(made) == 5
    assert (made[0], made[-1]) == (29.5, 129.5)
    quarter = {"in": 1 / 16, "out": 7 / 16, "inout": 3 * 0.25**2 - 2 * 0.25**3}[ease]
    assert made[1] == pytest.approx(29.5 + 100 * quarter, abs=1)
    assert (79.5 - made[2]) * earlier > 10 if earlier else made[2] == pytest.approx(79.5, abs=1)


def test_a_file_of_tracks_can_be_the_guide(keyframes, tracks: Path, tmp_path: Path):
    for name, option in (("tracks", "--tracks"), ("guide", "--guide")):
        assert vfi("tween", *keyframes, tmp_path / name, "--frames", 1, "--model", "linear", option, tracks) == 0
    assert (tmp_path / "tracks" / "000001.png").read_bytes() == (tmp_path / "guide" / "000001.png").read_bytes()


def test_a_part_moves_with_its_track_and_nothing_else_does(keyframes, tracks: Path, tmp_path: Path):
    with create_clip(tmp_path / "mask", Info(*SIZE, rate=None)) as writer:
        writer.write(Frame((square(20, 60) > 0.6).float(), 0))
    (mask,) = (tmp_path / "mask").iterdir()
    asked = ("--frames", 1, "--model", "linear", "--tracks", tracks, "--parts", mask)
    assert vfi("tween", *keyframes, tmp_path / "out", *asked) == 0
    made = floats(list(open_clip(tmp_path / "out"))[1].rgb)
    torch.testing.assert_close(made[:, 22:38, 72:88], torch.ones(3, 16, 16), atol=0.1, rtol=0)
    torch.testing.assert_close(made[:, :10], torch.full((3, 10, SIZE[0]), 0.2), atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--tracks", "a.json", "--guide", "b.json"), "--tracks a.json and --guide b.json were both given"),
        (("--parts", "mask.png"), "--parts was given without --tracks"),
        (("--matcher", "xfeat"), "--matcher xfeat was given without --guide auto"),
        (("--guide", "auto", "--matcher", "loftr"), "get it with `vfi models fetch loftr`"),
    ],
)
def test_what_cannot_guide_is_one_sentence(keyframes, tmp_path: Path, capsys, monkeypatch, options: tuple[str, ...], told: str):
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path / "cache"))
    assert vfi("tween", *keyframes, tmp_path / "out", "--frames", 1, "--model", "linear", *options) == 2
    assert told in capsys.readouterr().err


def test_nothing_in_common_leads_nowhere(keyframes, tmp_path: Path):
    for name, guide in (("alone", "none"), ("auto", "auto")):
        assert vfi("tween", *keyframes, tmp_path / name, "--frames", 1, "--model", "dis", "--guide", guide) == 0
    pictures = [(tmp_path / name / "000001.png").read_bytes() for name in ("alone", "auto")]
    assert pictures[0] == pictures[1]


def test_tracks_that_cannot_be_read_are_one_sentence(keyframes, tmp_path: Path, capsys):
    path = tmp_path / "tracks.json"
    path.write_text("{", encoding="utf-8")
    assert vfi("tween", *keyframes, tmp_path / "out", "--frames", 1, "--model", "linear", "--tracks", path) == 2
    assert f"{path}: " in capsys.readouterr().err
