"""``vfi retime`` on real files: the frames along a curve, their number and length, and the sound that goes with them."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path

import av
import pytest
import torch
from footage import film, moving, sounds

from vfi import __main__
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip, open_clip


def vfi(*arguments: object) -> int:
    return __main__.main([str(argument) for argument in arguments])


def lengths(path: Path) -> dict[str, F]:
    with av.open(str(path)) as container:
        return {stream.type: stream.duration * stream.time_base for stream in container.streams}


def brightness(path: Path) -> list[int]:
    return [round(float(frame.rgb.mean()) * 219 + 16) for frame in open_clip(path)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two seconds whose frame k has Y' of 16 + k, with sound."""
    return film(tmp_path / "in.mp4", list(range(49)), F(1, 24), sound=F(2))


def test_a_clip_is_played_along_a_curve(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out.mkv"
    assert vfi("retime", source, out, "--speed", "0:1, 1:1 hold, 2:0.5", "--model", "linear", "--codec", "ffv1", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["frames"], told["duration"], told["fps"], told["notes"]) == (48, "2", "24", [])
    assert brightness(out)[:24] == list(range(16, 40))
    shown = brightness(out)
    assert (
        vfi("retime", source, out, "--speed", "0:1, 1:0.5, 2:0.5", "--model", "nearest", "--codec", "ffv1", "--overwrite") == 0
    )
    assert shown != brightness(out)


@pytest.mark.parametrize(
    ("arguments", "frames", "length"),
    [
        (["--speed", "2"], 24, F(1)),
        (["--speed", "1", "--fps", "60000/1001"], 120, F(2)),
        (["--speed", "-1"], 48, F(2)),
        (["--speed", "1", "--start", "1.5"], 12, F(1, 2)),
        (["--speed", "0", "--start", "1", "--duration", "3"], 72, F(3)),
        (["--position", "0:0, 1:2 ease-in-cubic, 3:0"], 72, F(3)),
    ],
)
def test_frames_and_sound_last_as_long_as_the_curve(source: Path, tmp_path: Path, arguments: list[str], frames: int, length: F):
    assert vfi("retime", source, tmp_path / "out.mp4", *arguments, "--model", "nearest") == 0
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == frames
    assert lengths(tmp_path / "out.mp4") == {"video": length, "audio": length}


def test_backwards_is_the_clip_in_reverse_to_the_bit(tmp_path: Path):
    info = Info(64, 48, rate=F(24))
    with create_clip(tmp_path / "in.mkv", info, encoding=Encoding("ffv1")) as writer:
        for frame in moving(30):
            writer.write(frame)
    assert vfi("retime", tmp_path / "in.mkv", tmp_path / "out.mkv", "--speed", "-1", "--codec", "ffv1") == 0
    clip, made = (list(open_clip(tmp_path / name)) for name in ("in.mkv", "out.mkv"))
    assert [frame.time for frame in made] == [frame.time for frame in clip]
    assert all(torch.equal(frame.rgb, given.rgb) for frame, given in zip(made, reversed(clip), strict=True))


@pytest.mark.parametrize("text", ["0.5", "-0.5", "0:0.7 hold, 1:-0.7"])
@pytest.mark.parametrize("cuts", ["hold", "interpolate"])
def test_no_frame_is_made_of_two_shots(tmp_path: Path, text: str, cuts: str):
    info = Info(64, 48, rate=F(24))
    with create_clip(tmp_path / "in.mkv", info, encoding=Encoding("ffv1")) as writer:
        for index, frame in enumerate(moving(24)):
            writer.write(replace(frame, rgb=frame.rgb if index < 9 else torch.full_like(frame.rgb, 0.0)))
    arguments = ["--speed", text, "--model", "linear", "--codec", "ffv1", "--cuts", cuts, "--duration", "2"]
    assert vfi("retime", tmp_path / "in.mkv", tmp_path / "out.mkv", *arguments) == 0
    means = [float(frame.rgb.mean()) for frame in open_clip(tmp_path / "out.mkv")]
    between = [mean for mean in means if 0.05 < mean < 0.4]
    assert (not between) == (cuts == "hold")


def test_sound_is_copied_to_the_bit_where_time_is_kept(source: Path, tmp_path: Path):
    assert vfi("retime", source, tmp_path / "out.mp4", "--speed", "1", "--fps", "30", "--model", "nearest") == 0
    assert sounds(tmp_path / "out.mp4") == sounds(source)


@pytest.mark.parametrize(("audio", "kept"), [("drop", None), ("copy", F(2)), ("stretch", F(4))])
def test_sound_becomes_what_is_asked_for(source: Path, tmp_path: Path, audio: str, kept: F | None):
    assert vfi("retime", source, tmp_path / "out.mp4", "--speed", "0.5", "--audio", audio, "--model", "nearest") == 0
    assert lengths(tmp_path / "out.mp4").get("audio") == (kept and pytest.approx(kept, abs=0.03))


def test_webm_gets_its_own_kind_of_sound(source: Path, tmp_path: Path):
    assert vfi("retime", source, tmp_path / "out.webm", "--speed", "2", "--model", "nearest") == 0
    with av.open(str(tmp_path / "out.webm")) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == ["opus"]
        assert sum(frame.samples for frame in container.decode(audio=0)) == pytest.approx(48000, abs=960)


def test_curves_come_from_files_and_clips_from_folders(tmp_path: Path):
    with create_clip(tmp_path / "in", Info(64, 48)) as writer:
        for frame in moving(10):
            writer.write(frame)
    (tmp_path / "curve.json").write_text('{"points": [[0, 0], [1, 1]], "interpolation": "linear"}')
    arguments = ["--curve", tmp_path / "curve.json", "--in-fps", "10", "--duration", "2", "--model", "linear"]
    assert vfi("retime", tmp_path / "in", tmp_path / "out", *arguments) == 0
    made, given = (list(open_clip(tmp_path / name, rate=F(10))) for name in ("out", "in"))
    assert len(made) == 20
    assert all(torch.equal(frame.rgb, before.rgb) for frame, before in zip(made[::2], given, strict=True))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--speed", "fast"], "'fast' is not a keyframe"),
        (["--speed", "0"], "no length"),
        (["--speed", "1", "--start", "9"], "a start at 9 s"),
        (["--position", "0:0, 1:1", "--start", "1"], "only a speed curve takes one"),
        (["--curve", "missing.json"], "missing.json cannot be read"),
        (["--speed", "1", "--shutter", "180"], "a shutter needs"),
    ],
)
def test_bad_input_is_one_sentence(
    source: Path, tmp_path: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
):
    assert vfi("retime", source, tmp_path / "out.mp4", *arguments) == 2
    assert says in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("interpolate", ["--fps", "1e999999999"]),
        ("interpolate", ["--fps", "1e9"]),
        ("interpolate", ["--slow", "1e-99999999"]),
        ("interpolate", ["--times", "999999999"]),
        ("interpolate", ["--times", "9" * 5000]),
        ("interpolate", ["--from", "9" * 5000]),
        ("interpolate", ["--seed", "9" * 5000]),
        ("interpolate", ["--edit", "9" * 5000]),
        ("retime", ["--speed", "9" * 5000]),
        ("retime", ["--speed", "0.000000001"]),
        ("retime", ["--speed", "1", "--duration", "1e999999999"]),
        ("retime", ["--speed", "1", "--duration", "1e12"]),
        ("retime", ["--speed", "1", "--start", "1e999999999"]),
    ],
)
def test_numbers_that_cost_too_much_are_one_sentence(
    source: Path, tmp_path: Path, command: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
):
    try:
        code = vfi(command, source, tmp_path / "out.mp4", "--model", "nearest", *arguments)
    except SystemExit as left:
        code = left.code
    assert code == 2
    assert len(capsys.readouterr().err.splitlines()[-1]) < 400
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_sound_ends_where_the_curve_is_asked_to_end(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out.mov"
    assert vfi("retime", source, out, "--model", "linear", "--position", "0:0, 2:1") == 0
    assert lengths(out) == {"video": 2, "audio": 2}
    assert "left out" not in capsys.readouterr().err
