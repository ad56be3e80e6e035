"""Segments of an output, each made by itself: the frames are those of the whole, wherever a segment begins and ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction as F
from itertools import chain, islice
from math import ceil

import pytest
import torch
from footage import moving
from labour import Around

from vfi.archs.blend import Linear
from vfi.clips.clip import Edited, Info, from_shown_at
from vfi.core import Frame, InputError
from vfi.render.pipeline import Task, render_frames
from vfi.render.segments import Segment, Stamp, Stamped, segments
from vfi.timing.curves import along, parse
from vfi.timing.grids import At, Subdivide, Timing, Uniform
from vfi.timing.shutter import Shutter

INFO = Info(12, 8, rate=F(24))
GRIDS = {
    "times 2": Subdivide(2),
    "times 7": Subdivide(7),
    "slow": Subdivide(5, F(5)),
    "60 a second": Uniform(F(60)),
    "slow at a rate": Uniform(F(50), F(5, 2)),
    "fewer": Uniform(F(7)),
    "instants": At(tuple(F(k * k, 300) for k in range(20))),
}


class Clip:
    """30 frames of uneven lengths; it can be read from within, and counts the frames that are read."""

    def __init__(self, frames: list[Frame]) -> None:
        self.info, self.notes, self.frames, self.read = INFO, [], frames, 0

    def __iter__(self) -> Iterator[Frame]:
        return self.since(self.frames[0].time)

    def since(self, time: F, before: int = 0) -> Iterator[Frame]:
        for frame in from_shown_at(self.frames, time, before, lambda frame: frame.time + frame.duration):
            self.read += 1
            yield replace(frame, cut=None, repeat=False)


def marked(marks: str) -> list[Frame]:
    steps = [F(1 + (k % 4 == 0), 24) for k in range(30)]
    starts = [F(1, 7) + sum(steps[:k]) for k in range(30)]
    frames = [
        replace(frame, time=start, duration=step)
        for frame, start, step in zip(moving(30, height=8, width=12), starts, steps, strict=True)
    ]
    across = {"cuts": "hold", "blends": "blend"}.get(marks)
    if across:
        frames = [replace(frame, cut=across) if k in (0, 1, 9, 10, 22) else frame for k, frame in enumerate(frames)]
    if marks == "repeats":
        frames = [replace(frame, repeat=k % 3 == 2 or 12 <= k < 18) for k, frame in enumerate(frames)]
    return frames


def facts(frames) -> list[tuple[F, F, bytes]]:
    return [(frame.time, frame.duration, frame.rgb.numpy().tobytes()) for frame in frames]


def parts(frames: list[Frame], model, asked: Timing, length: int, **how) -> list[Frame]:
    """The frames made segment by segment, the last first."""
    task = Task(INFO, asked, **how)
    cut = list(segments(frames, task.grid, window=model.spec.window, length=length))
    assert [one.number for one in cut] == list(range(len(cut)))
    assert [one.before for one in cut] == [length * k for k in range(len(cut))]
    made: dict[int, list[Frame]] = {}
    for one in reversed(cut):
        stamps = tuple(map(Stamp.of, frames)) if one.stamps is None else one.stamps
        clip = Stamped(Clip(frames), INFO, stamps, more=one.more)
        made[one.number] = list(render_frames(clip, model, task, segment=one))
        assert len(made[one.number]) == one.frames
        assert made[one.number][0].time == one.start
    return list(chain.from_iterable(made[one.number] for one in cut))


@pytest.mark.parametrize("marks", ["none", "cuts", "blends", "repeats"])
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("model", [Linear(), Around()], ids=["two", "four"])
def test_segments_are_the_whole_to_the_bit(grid, marks: str, model):
    frames = marked(marks)
    for batch, length in ((1, 5), (3, 8), (4, 1), (1, 100)):
        whole = render_frames(Edited(INFO, [], lambda: iter(frames)), model, Task(INFO, Timing(grid), batch=batch))
        assert facts(whole) == facts(parts(frames, model, Timing(grid), length, batch=batch))


@pytest.mark.parametrize("marks", ["none", "cuts", "repeats"])
@pytest.mark.parametrize("grid", [Subdivide(3), Uniform(F(10)), Uniform(F(48), F(2))])
def test_exposures_are_cut_between(grid, marks: str):
    frames, shutter = marked(marks), Shutter(F(360), 3)
    whole = render_frames(Edited(INFO, [], lambda: iter(frames)), Linear(), Task(INFO, Timing(grid), shutter=shutter, batch=2))
    assert facts(whole) == facts(parts(frames, Linear(), Timing(grid), 4, shutter=shutter, batch=2))


@pytest.mark.parametrize("marks", ["none", "cuts", "repeats"])
@pytest.mark.parametrize("speed", ["0.3", "0:1, 0.5:-1, 1:1", "0:2, 0.3:0 ease, 0.6:-2, 1:0.2", "-1"])
def test_curves_are_cut_anywhere(speed: str, marks: str):
    frames = marked(marks)
    end = frames[-1].time + frames[-1].duration - frames[0].time
    grid = along(parse(speed, "speed"), F(40), end, 30, length=F(3, 2))
    clip = Edited(INFO, [], lambda: iter(frames))
    for model in (Linear(), Around()):
        whole = facts(render_frames(clip, model, Task(INFO, Timing(grid), batch=3)))
        assert len(whole) == 60
        assert whole == facts(parts(frames, model, Timing(grid), 7, batch=3))


def test_a_segment_reads_no_more_of_the_clip_than_it_needs():
    frames = list(moving(200, height=8, width=12))
    clip = Clip(frames)
    middle = next(islice(segments(frames, Subdivide(2), window=2, length=20), 5, None))
    assert [stamp.time for stamp in middle.stamps[:2]] == [frames[50].time, frames[51].time]
    stamped = Stamped(clip, INFO, middle.stamps, more=True)
    assert len(list(render_frames(stamped, Linear(), Task(INFO, Timing(Subdivide(2))), segment=middle))) == 20
    assert clip.read <= 16


def test_the_clip_is_read_once_and_segments_come_while_it_is():
    clip = Clip(list(moving(200, height=8, width=12)))
    cut = segments(clip, Subdivide(4), window=2, length=40)
    for number in range(1, 5):
        assert next(cut).number == number - 1
        assert clip.read <= 10 * number + 8
    assert sum(1 for _ in cut) == 16
    assert clip.read == 200


def test_what_is_done_is_left_out():
    left = list(segments(moving(20, height=8, width=12), Subdivide(2), window=2, length=10, skip=[0, 2]))
    assert [(one.number, one.before, one.frames) for one in left] == [(1, 10, 10), (3, 30, 10)]
    curve = along(parse("1", "speed"), F(24), F(1), 24)
    left = list(segments(moving(24, height=8, width=12), curve, window=2, length=10, skip=[1]))
    assert [(one.number, one.before, one.frames) for one in left] == [(0, 0, 10), (2, 20, 4)]


class Unsteady(Clip):
    """A clip whose times come out otherwise where reading begins within."""

    def since(self, time: F, before: int = 0) -> Iterator[Frame]:
        late = F(1, 1000) if time > self.frames[0].time else 0
        return (replace(frame, time=frame.time + late) for frame in super().since(time, before))


def test_times_that_depend_on_where_reading_begins_are_found_from_the_start():
    frames = list(moving(20, height=8, width=12))
    stamps = tuple(map(Stamp.of, frames[8:12]))
    found = list(Stamped(Unsteady(frames), INFO, stamps))
    assert [frame.time for frame in found] == [frame.time for frame in frames[8:12]]
    assert all(torch.equal(one.rgb, other.rgb) for one, other in zip(found, frames[8:12], strict=True))
    with pytest.raises(InputError, match=r"the clip has changed: there was a frame at 0\.339 s"):
        list(Stamped(Clip(frames), INFO, (replace(stamps[0], time=stamps[0].time + F(1, 180)),)))


def test_nobody_asks_for_more_than_is_known():
    frames = list(moving(20, height=8, width=12))
    segment = Segment(0, 0, 10, F(0), F(0), tuple(map(Stamp.of, frames[:4])), more=True)
    clip = Stamped(Clip(frames), INFO, segment.stamps, more=True)
    with pytest.raises(RuntimeError, match="the clip was read past the stamps"):
        list(render_frames(clip, Linear(), Task(INFO, Timing(Subdivide(2))), segment=segment))
    assert ceil(segment.frames / 2) > 4
