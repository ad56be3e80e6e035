"""Playing along a curve: the right frame at every instant, forwards and backwards, in blocks of any size."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction as F
from pathlib import Path

import pytest
import torch
from footage import moving
from hypothesis import given
from hypothesis import strategies as st
from models import Blend

from vfi.clips.clip import Edited, Info
from vfi.clips.open import create_clip
from vfi.clips.video import VideoReader
from vfi.core import Frame, InputError
from vfi.render.remap import remap
from vfi.render.run import run
from vfi.timing.curves import Along, along, parse

RATE = F(24)


class Ramp:
    """A clip whose frame at time t is of brightness t, which counts what is read of it and from where."""

    def __init__(self, count: int, start: F = F(0)) -> None:
        self.info = Info(4, 2, rate=RATE, frames=count, duration=count / RATE)
        self.notes: list[str] = []
        self.start = start
        self.read = 0
        self.begun: list[int] = []

    def __iter__(self) -> Iterator[Frame]:
        yield from self.since(F(0))

    def since(self, time: F, before: int = 0) -> Iterator[Frame]:
        first = max(min(int((time - self.start) * RATE), self.info.frames - 1) - before, 0)
        self.begun.append(first)
        for index in range(first, self.info.frames):
            self.read += 1
            at = index / RATE
            yield Frame(torch.full((3, 2, 4), float(at)), self.start + at, 1 / RATE)


def played(text: str, count: int = 48, *, kind: str = "speed", rate: F = RATE, **options) -> Along:
    return along(parse(text, kind), rate, count / RATE, count, **options)


def shown(frames) -> list[float]:
    return [round(float(frame.rgb[0, 0, 0]), 6) for frame in frames]


def wanted(grid: Along, count: int) -> list[float]:
    """What each output shows: the clip's last frame from its time on."""
    return [round(float(min(grid.place(k), (count - 1) / RATE)), 6) for k in grid.outputs]


CURVES = [
    ("1", "speed", {}),
    ("-1", "speed", {}),
    ("0:1, 1:-1 ease, 2:1", "speed", {"length": F(3)}),
    ("0:2, 0.5:0 ease-in-out-cubic, 1:0, 1.5:1", "speed", {}),
    ("0:1, 0.7:-2 hold, 1.1:3", "speed", {"length": F(2)}),
    ("0:0, 1:1.5 ease, 2:0.2 ease-out-cubic, 3:2.5", "position", {}),
    ("0:1.9 hold, 1:0.3 hold, 2:1", "position", {"length": F(3)}),
    ("0:-1, 3:5", "position", {}),
]


@pytest.mark.parametrize("window", [2, 4])
@pytest.mark.parametrize("block", [None, 1, 5])
@pytest.mark.parametrize("rate", [F(24), F(60), F(24000, 1001)])
@pytest.mark.parametrize(("text", "kind", "options"), CURVES)
def test_every_output_shows_its_instant(text: str, kind: str, options: dict, rate: F, block: int | None, window: int):
    grid = played(text, kind=kind, rate=rate, **options)
    made = list(remap(Ramp(48, F(7)), Blend(window=window), grid, block=block))
    assert shown(made) == pytest.approx(wanted(grid, 48), abs=2e-6)
    assert [frame.time for frame in made] == [7 + k / rate for k in grid.outputs]
    assert sum(frame.duration for frame in made) == grid.length
    assert all(frame.duration > 0 for frame in made)


@given(st.integers(1, 60), st.sampled_from([F(24), F(50), F(24000, 1001)]), st.data())
def test_any_curve_of_any_clip_in_any_blocks(count: int, rate: F, data):
    times = sorted(data.draw(st.sets(st.integers(0, 40), min_size=1, max_size=4)))
    eases = data.draw(st.lists(st.sampled_from(["linear", "hold", "ease", "ease-out-cubic"]), min_size=4, max_size=4))
    speeds = data.draw(st.lists(st.integers(-30, 30), min_size=4, max_size=4))
    text = ", ".join(f"{time}/10:{speed}/10 {ease}" for time, speed, ease in zip(times, speeds, eases, strict=False))
    grid = played(text, count, rate=rate, length=F(data.draw(st.integers(1, 120)), 30))
    made = list(remap(Ramp(count), Blend(), grid, batch=data.draw(st.integers(1, 3)), block=data.draw(st.integers(1, 9))))
    assert shown(made) == pytest.approx(wanted(grid, count), abs=2e-6)
    assert [frame.time for frame in made] == [k / rate for k in grid.outputs]


def test_frames_of_the_clip_pass_untouched_backwards_too():
    clip = list(moving(24))
    made = list(remap(Edited(Info(64, 48), [], lambda: iter(clip)), Blend(), played("-1", 24), block=7))
    assert all(torch.equal(frame.rgb, given.rgb) for frame, given in zip(made, reversed(clip), strict=True))
    assert not any(frame.made for frame in made)


def test_what_falls_between_frames_is_marked_as_made():
    made = list(remap(Ramp(4), Blend(), played("-0.5", 4), block=3))
    assert [frame.made for frame in made] == [False, True] * 3 + [False, False]


def test_forwards_it_is_what_run_makes():
    grid = played("0:1, 1:0.3 ease, 2:1", rate=F(30))
    clip = list(moving(48))
    straight = list(run(clip, Blend(), grid, tail="hold"))
    made = list(remap(Edited(Info(64, 48), [], lambda: iter(clip)), Blend(), grid))
    assert len(made) == len(straight)
    for frame, other in zip(made, straight, strict=True):
        assert torch.equal(frame.rgb, other.rgb)
        assert (frame.time, frame.duration, frame.made) == (other.time, other.duration, other.made)


def test_a_freeze_is_made_once():
    model = Blend()
    grid = played("0:1, 0.5:1 hold, 0.51:0, 20:0", length=F(20))
    made = list(remap(Ramp(48), model, grid))
    assert len(made) == 480
    assert model.calls <= 2


def test_it_reads_no_more_than_it_needs_and_a_block_at_a_time():
    clip = Ramp(2400)
    first = next(remap(clip, Blend(), played("-1", 2400, start=F(50)), block=10))
    assert float(first.rgb[0, 0, 0]) == 50
    assert clip.begun == [0, 1191]
    assert clip.read < 20
    clip = Ramp(2400)
    list(remap(clip, Blend(), played("1", 2400, start=F(50), length=F(1))))
    assert clip.begun == [0, 1200]
    assert clip.read < 35


def test_a_clip_shorter_than_it_says_holds_its_last_frame():
    clip = Ramp(48)
    grid = played("-1", 60)
    assert shown(remap(clip, Blend(), grid, block=5)) == pytest.approx(wanted(grid, 48), abs=2e-6)


def test_a_clip_without_frames_gets_a_sentence():
    with pytest.raises(InputError, match="no frames"):
        list(remap(Edited(Info(4, 2), [], lambda: iter(())), Blend(), played("1")))


def test_a_video_file_plays_backwards_frame_by_frame(tmp_path: Path):
    with create_clip(tmp_path / "clip.mp4", Info(64, 48, rate=RATE)) as writer:
        for frame in moving(30):
            writer.write(frame)
    reader = VideoReader(tmp_path / "clip.mp4")
    made = list(remap(reader, Blend(), played("-1", 30), block=4))
    assert all(torch.equal(frame.rgb, given.rgb) for frame, given in zip(made, list(reader)[::-1], strict=True))


@pytest.mark.parametrize("text", ["0:1, 2:0.25 ease, 4:1", "0:1, 1:-1 ease, 2:1", "0:0, 1:2", "0:-1, 1:-0.5"])
@pytest.mark.parametrize("block", [1, 5, None])
def test_outputs_before_a_time_are_left_out_and_not_read_for(text: str, block: int | None):
    grid = played(text, start=F(1) if text.startswith("0:-") else None)
    whole = list(remap(Ramp(48), Blend(), grid, block=block))
    for done in (1, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        rest = list(remap(Ramp(48), Blend(), grid, block=block, since=whole[done].time))
        assert [(frame.time, frame.duration) for frame in rest] == [(frame.time, frame.duration) for frame in whole[done:]]
        assert all(torch.equal(one.rgb, other.rgb) for one, other in zip(rest, whole[done:], strict=True))


@pytest.mark.parametrize("block", [1, 3, 7])
def test_motion_goes_on_through_repeats_wherever_a_block_begins(block: int):
    def frames() -> Iterator[Frame]:
        ramp = Ramp(30)
        return (Frame(one.rgb, one.time, one.duration, repeat=k % 3 == 2) for k, one in enumerate(ramp))

    clip, grid = Edited(Ramp(30).info, [], frames), played("-1", 30, rate=F(40))
    assert shown(remap(clip, Blend(), grid, block=block)) == shown(remap(clip, Blend(), grid))
