"""A click track through every command that moves time: each click lies within one sample of where it belongs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path

import av
import footage
import numpy as np
import pytest
from waves import record

from vfi import __main__
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip

CLICKS = F(1, 16), F(9, 20), F(7, 10), F(31, 33)
FRAME = F(1, 24)


def pulse(rate: int) -> np.ndarray:
    """A rising tone of 6 ms: lossy codecs keep it, and it fits itself in one place only."""
    time = np.arange(round(0.006 * rate)) / rate
    return np.hanning(len(time)) * np.sin(2 * np.pi * (1500 * time + 250_000 * time**2))


def clip(path: Path, rate: int, at: Sequence[F] = CLICKS, *, codec: str = "flac", first: int = 0, channels: int = 1) -> Path:
    """A second of a moving picture, 24 frames, with a click at each of the times; without times, without sound."""
    wave, click = np.zeros((channels, rate), np.float32), pulse(rate)
    for time in at:
        wave[:, round(time * rate) :][:, : len(click)] = click
    sound = record(path.with_suffix(".sound.mkv"), wave, rate, codec) if at else None
    with create_clip(path, Info(64, 48, rate=F(24)), encoding=Encoding("ffv1"), audio=sound) as writer:
        for k, frame in enumerate(list(footage.moving(24 + first))[first:]):
            writer.write(replace(frame, time=k * FRAME))
    return path


def clicked(path: Path, track: int = 0) -> tuple[list[float], int, float]:
    """The samples from the first picture to each click in a file, their rate, and how loud the softest is."""
    with av.open(str(path)) as file:
        picture = next(file.decode(video=0))
        begin = float(picture.pts * picture.time_base)
    with av.open(str(path)) as file:
        frames = list(file.decode(audio=track))
    rate = frames[0].sample_rate
    form = pulse(rate)
    wave = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)[0]
    fits = np.correlate(wave, form, "valid") / (form @ form)
    peaks = [int(at) for at in np.flatnonzero(fits > 0.5) if fits[at] == fits[max(at - 99, 0) : at + 100].max()]
    start = float(frames[0].pts * frames[0].time_base) - begin
    return [start * rate + at for at in peaks], rate, float(fits[peaks].min())


def assert_clicks(path: Path, wanted: Sequence[F], track: int = 0, *, off: float = 1) -> None:
    found, rate, softest = clicked(path, track)
    assert found == pytest.approx([float(at * rate) for at in wanted], abs=off)
    assert softest > 0.9


def vfi(*arguments: object) -> None:
    assert __main__.main([*map(str, arguments), "--model", "nearest"]) == 0


@pytest.mark.parametrize("ending", [".mkv", ".mov", ".webm"])
@pytest.mark.parametrize("rate", [44100, 48000])
def test_heal_moves_clicks_with_the_picture(tmp_path: Path, ending: str, rate: int):
    """Five frames are cut off, one is made before frame 14, two are left out at 19."""
    source, plan = clip(tmp_path / "in.mkv", rate), tmp_path / "plan.json"
    found = [
        {"kind": "freeze", "first": 0, "last": 4},
        {"kind": "missing", "first": 14, "count": 1},
        {"kind": "repeat", "first": 19, "last": 20, "action": "drop"},
    ]
    assert __main__.main(["heal", str(source), "--list", "--plan", str(plan)]) == 0
    plan.write_text(json.dumps({**json.loads(plan.read_text()), "findings": found}))
    vfi("heal", source, tmp_path / f"out{ending}", "--plan", plan, "--duration", "grow")
    (*_, last), made, _ = clicked(tmp_path / f"out{ending}")
    assert last == pytest.approx(float((CLICKS[-1] - 6 * FRAME) * made), abs=1)


@pytest.mark.parametrize("command", [("heal",), ("interpolate", "--times", "2"), ("retime", "--speed", "1")])
def test_clicks_stay_where_time_is_kept(tmp_path: Path, command):
    source = clip(tmp_path / "in.mkv", 44100)
    vfi(command[0], source, tmp_path / "out.mkv", *command[1:])
    assert_clicks(tmp_path / "out.mkv", CLICKS)


def test_clicks_before_and_after_a_halt_stay_with_the_picture(tmp_path: Path):
    source = clip(tmp_path / "in.mkv", 44100)
    vfi("retime", source, tmp_path / "out.mkv", "--speed", "0:1, 0.6:1 hold, 0.61:0 hold, 0.86:1")
    assert_clicks(tmp_path / "out.mkv", [*CLICKS[:2], *(at + F(1, 4) for at in CLICKS[2:])])


@pytest.mark.parametrize("rates", [(44100, 44100), (44100, 48000)])
@pytest.mark.parametrize("ending", [".mkv", ".mov"])
def test_join_keeps_clicks_on_both_sides_of_a_seam(tmp_path: Path, rates, ending: str):
    """Three frames are shared; a mono clip is as loud as before beside a stereo clip."""
    one, other = clip(tmp_path / "a.mkv", rates[0]), clip(tmp_path / "b.mkv", rates[1], CLICKS[1:], first=21, channels=2)
    vfi("join", one, other, tmp_path / f"out{ending}", "--overlap", "3")
    assert_clicks(tmp_path / f"out{ending}", [*CLICKS, *(at + 21 * FRAME for at in CLICKS[1:])])


def test_join_is_silent_where_a_clip_has_no_sound(tmp_path: Path):
    one, mute = clip(tmp_path / "a.mkv", 44100, codec="aac"), clip(tmp_path / "b.mkv", 44100, ())
    found, rate, _ = clicked(one)
    vfi("join", mute, one, tmp_path / "out.mov", "--overlap", "0")
    assert_clicks(tmp_path / "out.mov", [1 + F(at / rate) for at in found])


@pytest.mark.parametrize("ending", [".mkv", ".mov"])
def test_a_loop_keeps_its_clicks(tmp_path: Path, ending: str):
    source = clip(tmp_path / "in.mkv", 44100)
    vfi("loop", source, tmp_path / f"out{ending}")
    assert_clicks(tmp_path / f"out{ending}", CLICKS)
