"""``vfi loop`` on files."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import footage
import torch

from vfi import __main__
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip, open_clip
from vfi.core import Frame


def written(path: Path, frames, **info) -> Path:
    with create_clip(path, Info(64, 48, rate=F(24), **info), encoding=Encoding("ffv1")) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def vfi(*arguments: object) -> int:
    return __main__.main([*map(str, arguments), "--codec", "ffv1", "--model", "linear"])


def test_n_frames_become_n_times_k_and_the_wrap_is_filled(tmp_path: Path, capsys):
    source = written(tmp_path / "in.mkv", footage.moving(5))
    assert vfi("loop", source, tmp_path / "out.mkv", "--times", 3) == 0
    made, given = list(open_clip(tmp_path / "out.mkv")), list(open_clip(source))
    assert [frame.time for frame in made] == [F(k, 72) for k in range(15)]
    assert all(torch.equal(new.rgb, old.rgb) for new, old in zip(made[::3], given, strict=True))
    torch.testing.assert_close(made[13].rgb, torch.lerp(given[-1].rgb, given[0].rgb, 1 / 3), atol=2 / 255, rtol=0)
    assert "loop of 5 frames" in capsys.readouterr().err


def test_the_best_part_is_found(tmp_path: Path, capsys):
    once = list(footage.moving(9))
    frames = [*once, *once[-2:0:-1], *once[:4]]  # there, back, and a little further
    source = written(tmp_path / "in.mkv", (Frame(frame.rgb, F(k, 24), F(1, 24)) for k, frame in enumerate(frames)))
    assert vfi("loop", source, tmp_path / "out.mkv", "--times", 1, "--find") == 0
    assert len(list(open_clip(tmp_path / "out.mkv"))) == 16
    assert "loop of 16 frames" in capsys.readouterr().err


def test_one_frame_is_no_loop(tmp_path: Path, capsys):
    source = written(tmp_path / "in.mkv", footage.moving(1))
    assert vfi("loop", source, tmp_path / "out.mkv") == 2
    assert "at least 2" in capsys.readouterr().err
    assert not (tmp_path / "out.mkv").exists()
