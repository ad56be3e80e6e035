"""``vfi join`` on files."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path

import footage
import pytest
import torch

from vfi import __main__
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip, open_clip


def part(path: Path, first: int, last: int, shade: float = 0.0, size: tuple[int, int] = (64, 48)) -> Path:
    """Frames ``first`` up to ``last`` of a clip, made darker by ``shade``."""
    with create_clip(path, Info(*size, rate=F(24)), encoding=Encoding("ffv1")) as writer:
        for k, frame in enumerate(list(footage.moving(last, width=size[0], height=size[1]))[first:]):
            writer.write(replace(frame, rgb=(frame.rgb - shade).clamp(0, 1), time=F(k, 24)))
    return path


def vfi(*arguments: object) -> int:
    return __main__.main([*map(str, arguments), "--codec", "ffv1", "--model", "linear"])


def test_shared_frames_and_colours_are_put_right(tmp_path: Path, capsys):
    parts = [part(tmp_path / "a.mkv", 0, 12), part(tmp_path / "b.mkv", 9, 24, shade=0.02), part(tmp_path / "c.mkv", 24, 30)]
    assert vfi("join", *parts, tmp_path / "out.mkv") == 0
    made, wanted = list(open_clip(tmp_path / "out.mkv")), list(footage.moving(30))
    assert [frame.time for frame in made] == [F(k, 24) for k in range(30)]
    for new, old in zip(made[:24], wanted, strict=False):
        torch.testing.assert_close(new.rgb, old.rgb, atol=4 / 255, rtol=0)
    said = capsys.readouterr().err
    assert "seam 1: 3 shared frames left out" in said
    assert "seam 2: no shared frames" in said


@pytest.mark.parametrize(("asked", "frames"), [(("--times", 2), 40), (("--fps", 60), 50)])
def test_joined_clips_can_be_interpolated_in_the_same_run(tmp_path: Path, asked, frames):
    parts = [part(tmp_path / "a.mkv", 0, 10), part(tmp_path / "b.mkv", 10, 20)]
    assert vfi("join", *parts, tmp_path / "out.mkv", *asked) == 0
    assert len(list(open_clip(tmp_path / "out.mkv"))) == frames


def test_a_jump_is_bridged(tmp_path: Path, capsys):
    parts = [part(tmp_path / "a.mkv", 0, 10), part(tmp_path / "b.mkv", 14, 24)]
    assert vfi("join", *parts, tmp_path / "out.mkv", "--no-match") == 0
    made = list(open_clip(tmp_path / "out.mkv"))
    given = [frame for path in parts for frame in open_clip(path)]
    same = [torch.equal(new.rgb, old.rgb) for new, old in zip(made, given, strict=True)]
    assert [index for index, unchanged in enumerate(same) if not unchanged] == [8, 9, 10, 11]
    assert "4 frames re-interpolated" in capsys.readouterr().err


def test_clips_of_two_sizes_are_one_sentence(tmp_path: Path, capsys):
    parts = [part(tmp_path / "a.mkv", 0, 4), part(tmp_path / "b.mkv", 4, 8, size=(32, 48))]
    assert vfi("join", *parts, tmp_path / "out.mkv") == 2
    assert "clip 2 is 32x48, those before it 64x48" in capsys.readouterr().err
    assert not (tmp_path / "out.mkv").exists()
