"""Sound of joined clips and of loops, from the command to the file: in step with the picture, and named where it lacks."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path

import av
import footage
import numpy as np
import pytest
from waves import RATE, onsets, record, tone

from vfi import __main__
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip


def clip(path: Path, first: int, last: int, sound: Path | None = None) -> Path:
    """Frames ``first`` up to ``last`` of a moving picture, 24 per second."""
    with create_clip(path, Info(64, 48, rate=F(24)), encoding=Encoding("ffv1"), audio=sound) as writer:
        for k, frame in enumerate(list(footage.moving(last, width=64, height=48))[first:]):
            writer.write(replace(frame, time=F(k, 24)))
    return path


def clicks(path: Path, *at: F, seconds: F) -> Path:
    """Sound with one click, 5 ms of 2 kHz, at each of the times."""
    wave, click = np.zeros((1, round(seconds * RATE)), np.float32), tone(0.005, pitch=2000) * 2
    for time in at:
        wave[:, round(time * RATE) :][:, : click.shape[1]] = click
    return record(path, wave)


def clicked(path: Path) -> list[float]:
    """The time of each click in a file, on its clock."""
    with av.open(str(path)) as file:
        frames = list(file.decode(file.streams.audio[0]))
    start = float(frames[0].pts * frames[0].time_base)
    return [start + at for at in onsets(np.concatenate([frame.to_ndarray() for frame in frames], axis=1)[0])]


def vfi(*arguments: object) -> int:
    return __main__.main([*map(str, arguments), "--codec", "h264", "--model", "linear"])


def test_joined_clips_keep_their_sound_without_what_both_show(tmp_path: Path, capsys):
    one = clip(tmp_path / "a.mkv", 0, 12, clicks(tmp_path / "a.wav", F(1, 8), F(3, 8), seconds=F(1, 2)))
    other = clip(tmp_path / "b.mkv", 9, 24, clicks(tmp_path / "b.wav", F(1, 16), F(1, 4), F(1, 2), seconds=F(5, 8)))
    assert vfi("join", one, other, tmp_path / "out.mov") == 0  # 3 frames, 1/8 s, are shared
    assert clicked(tmp_path / "out.mov") == pytest.approx([1 / 8, 3 / 8, 1 / 2 + 1 / 8, 1 / 2 + 3 / 8], abs=3 / RATE)
    assert "sound" not in capsys.readouterr().err


def test_sound_that_lacks_is_named(tmp_path: Path, capsys):
    parts = [
        clip(tmp_path / "a.mkv", 0, 12, clicks(tmp_path / "a.wav", F(1, 8), seconds=F(1, 4))),
        clip(tmp_path / "b.mkv", 12, 20),
        clip(tmp_path / "c.mkv", 20, 30, clicks(tmp_path / "c.wav", F(1, 8), seconds=F(5, 12))),
    ]
    assert vfi("join", *parts, tmp_path / "out.mov") == 0
    assert clicked(tmp_path / "out.mov") == pytest.approx([1 / 8, 20 / 24 + 1 / 8], abs=3 / RATE)
    said = " ".join(capsys.readouterr().err.split())
    assert "the sound of clip 1 ends 0.250 s before its picture: it is silent there" in said
    assert "clip 2 has no sound: it is silent there" in said


@pytest.mark.parametrize("asked", [("--times", "2"), ("--fps", "25")])
def test_a_loop_keeps_its_sound(tmp_path: Path, asked):
    sound = clicks(tmp_path / "a.wav", F(1, 8), F(5, 8), seconds=F(1))
    source = clip(tmp_path / "in.mkv", 0, 24, sound)
    assert vfi("loop", source, tmp_path / "out.mov", *asked) == 0
    assert clicked(tmp_path / "out.mov") == pytest.approx([1 / 8, 5 / 8], abs=3 / RATE)
    with av.open(str(tmp_path / "out.mov")) as file:
        assert file.streams.audio[0].duration * file.streams.audio[0].time_base == pytest.approx(1, abs=1 / RATE)


def test_sound_can_be_dropped(tmp_path: Path):
    source = clip(tmp_path / "in.mkv", 0, 12, clicks(tmp_path / "a.wav", F(1, 8), seconds=F(1, 2)))
    for made, arguments in (("loop.mov", ["loop", source]), ("join.mov", ["join", source, source])):
        assert vfi(*arguments, tmp_path / made, "--audio", "drop") == 0
        with av.open(str(tmp_path / made)) as file:
            assert not file.streams.audio
