"""Times at their limits, from file to file: rates from 1 to 1000, shots of one frame, gaps, odd starts and odd lengths."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import pairwise
from pathlib import Path

import footage
import pytest
import torch

from vfi import __main__
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip, open_clip
from vfi.core import Frame


def vfi(*arguments: object) -> int:
    return __main__.main([*map(str, arguments), "--model", "linear"])


def written(path: Path, stamps: list[F], colours: list[float] | None = None) -> Path:
    """A clip whose frames begin at ``stamps``, the last of which is its end; MP4 keeps them all to the tick."""
    info = Info(64, 48, rate=F(24))
    with create_clip(path, info, encoding=Encoding("h264", crf=0), time_base=F(1, 90000)) as writer:
        for k, (start, end) in enumerate(pairwise(stamps)):
            grey = k / 32 if colours is None else colours[k]
            writer.write(Frame(torch.full((3, 48, 64), grey), start, end - start))
    return path


def times_of(path: Path) -> tuple[list[F], F]:
    """When the frames begin, and when the last ends."""
    frames = list(open_clip(path))
    return [frame.time for frame in frames], frames[-1].time + frames[-1].duration


@pytest.mark.parametrize("fps", ["1", "0.5", "7.3", "23.976", "1000", "1000000/1001"])
@pytest.mark.parametrize("stamps", [[F(k, 24) for k in range(6)], [F(0), F(1, 10), F(31, 10), F(19, 6)], [F(0), F(1, 7)]])
def test_any_rate_of_any_clip_fills_its_time_exactly(tmp_path: Path, fps: str, stamps: list[F]):
    if fps.startswith("1000"):
        stamps = [stamp / 10 for stamp in stamps]  # hundreds of frames
    source = written(tmp_path / "in.mp4", stamps)
    given, end = times_of(source)
    assert vfi("interpolate", source, tmp_path / "out.mp4", "--fps", fps) == 0
    made, made_end = times_of(tmp_path / "out.mp4")
    rate = {"23.976": F(24000, 1001)}.get(fps) or F(fps)
    assert made == [k / rate for k in range(len(made))]
    assert made_end == end
    assert (len(made) - 1) / rate < end <= len(made) / rate
    assert given == pytest.approx([float(stamp) for stamp in stamps[:-1]], abs=2e-5)


def test_a_clip_that_begins_before_zero(tmp_path: Path):
    source = footage.film(tmp_path / "in.mkv", [-80, -40, 0, 40, 80], F(1, 1000))
    given, end = times_of(source)
    assert given[0] == 0
    assert vfi("interpolate", source, tmp_path / "out.mp4", "--times", "3") == 0
    made, made_end = times_of(tmp_path / "out.mp4")
    assert made[::3] == given
    assert (len(made), made_end) == (12, end)


def test_every_frame_a_shot(tmp_path: Path):
    frames = list(footage.moving(2))
    shots = [frames[0].rgb, 1 - frames[0].rgb, frames[0].rgb.flip(1), (frames[0].rgb * 9) % 1]
    source = tmp_path / "in.mkv"
    with create_clip(source, Info(64, 48, rate=F(24)), encoding=Encoding("ffv1")) as writer:
        for k in range(12):
            writer.write(Frame(shots[k // 3], F(k, 24), F(1, 24)))
    plan = tmp_path / "plan.json"
    assert vfi_shots(source, plan) == 0
    assert vfi("interpolate", source, tmp_path / "out.mkv", "--codec", "ffv1", "--plan", plan, "--times", 4) == 0
    made, given = list(open_clip(tmp_path / "out.mkv")), list(open_clip(source))
    assert len(made) == 48
    assert all(torch.equal(frame.rgb, given[k // 4].rgb) for k, frame in enumerate(made))


def vfi_shots(source: Path, plan: Path) -> int:
    """A plan in which every frame begins a shot, the second pair's first among them."""
    every = ", ".join(str(k) for k in range(1, 12))
    return __main__.main(["shots", str(source), "--plan", str(plan), "--edit", every])


@pytest.mark.parametrize("count", [1, 2])
def test_the_shortest_clips(tmp_path: Path, count: int):
    source = written(tmp_path / "in.mp4", [F(k, 24) for k in range(count + 1)])
    for asked in (("--times", 5), ("--fps", 60), ("--slow", "2.5")):
        assert vfi("interpolate", source, tmp_path / "out.mp4", *asked, "--overwrite") == 0
        made, end = times_of(tmp_path / "out.mp4")
        assert end == F(count, 24) * (F(5, 2) if asked[0] == "--slow" else 1)
        assert made[0] == 0
