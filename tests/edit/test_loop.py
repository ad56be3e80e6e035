"""Loops: where a clip wraps, and the frames made across the wrap."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
import torch
from models import Blend

from vfi.core import Frame, InputError
from vfi.edit.loop import best_loop, turn_of, whole_loop
from vfi.render.run import frames_of_tensor, run
from vfi.timing.grids import Subdivide, Timing, Uniform


def ramp(values: list[float], rate: F = F(10)) -> list[Frame]:
    """A frame for each value, grey of that brightness everywhere."""
    return list(frames_of_tensor(torch.tensor(values)[:, None, None, None].expand(-1, 3, 4, 6).clone(), rate))


def seen(frames: list[Frame]) -> list[float]:
    return [round(frame.rgb[0, 0, 0].item(), 4) for frame in frames]


def made(clip: list[Frame], asked: Timing, loop, **spec) -> list[Frame]:
    timing = turn_of(asked, loop)
    frames = list(run(loop.wound(clip), Blend(**spec), timing.grid, tail="hold"))
    assert len(frames) == timing.grid.count(len(clip), F(0), "hold")
    return frames


@pytest.mark.parametrize("window", [2, 4])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_the_wrap_pair_gets_its_frames(times, window):
    clip = ramp([0, 0.3, 0.6])
    frames = made(clip, Timing(Subdivide(times)), whole_loop(clip), window=window)
    assert len(frames) == 3 * times
    wanted = torch.lerp(torch.tensor([0, 0.3, 0.6])[:, None], torch.tensor([0.3, 0.6, 0])[:, None], torch.arange(times) / times)
    assert seen(frames) == [round(value, 4) for value in wanted.flatten().tolist()]
    assert [frame.time for frame in frames] == [F(k, 10 * times) for k in range(3 * times)]
    assert sum(frame.duration for frame in frames) == F(3, 10)
    assert all(frame.rgb is clip[k].rgb and not frame.made for k, frame in enumerate(frames[::times]))


class Spread(Blend):
    """The mean of all four frames of a window."""

    def __call__(self, window, t):
        return window.mean(dim=1).expand(len(t), -1, -1, -1)


def test_windows_of_four_reach_across_the_wrap():
    clip = ramp([0, 0.1, 0.2, 0.3, 0.4])
    loop = whole_loop(clip)
    frames = list(run(loop.wound(clip), Spread(window=4), turn_of(Timing(Subdivide(2)), loop).grid, tail="hold"))
    means = [sum(clip[(k + shift) % 5].rgb[0, 0, 0].item() for shift in (-1, 0, 1, 2)) / 4 for k in range(5)]
    assert seen(frames[1::2]) == pytest.approx(means, abs=1e-4)


def test_a_frame_rate_goes_round_in_whole_frames():
    clip = ramp([0, 0.3, 0.6], F(16))
    frames = made(clip, Timing(Uniform(F(60)), F(60)), whole_loop(clip))
    assert len(frames) == 11
    assert [frame.time for frame in frames] == [F(k, 60) for k in range(11)]
    assert sum(frame.duration for frame in frames) == F(11, 60)
    assert frames[0].rgb is clip[0].rgb


def test_a_wide_wrap_takes_as_many_steps_as_it_is_wide():
    clip = ramp([0, 0.1, 0.2, 0.3])
    assert whole_loop(clip).jump == pytest.approx(2)
    loop = whole_loop(clip, gap=None)
    assert loop.gap == F(3, 10)
    assert seen(made(clip, Timing(Uniform(F(10))), loop)) == [0, 0.1, 0.2, 0.3, 0.2, 0.1]


def wave(count: int, period: int) -> list[Frame]:
    """A gradient that turns with the given period, in frames."""
    phase = torch.arange(count)[:, None] * 2 * torch.pi / period + torch.linspace(0, 3, 32)
    return list(frames_of_tensor((0.5 + 0.4 * phase.sin())[:, None, None].expand(-1, 3, 18, -1).clone(), F(24)))


@pytest.mark.parametrize("period", [17, 23])
def test_the_best_loop_of_a_periodic_clip_is_its_period(period):
    clip = wave(40, period)
    loop = best_loop(clip, F(12, 24))
    assert loop.frames % period == 0
    assert loop.jump < 1e-3
    assert loop.period == F(loop.frames, 24)
    frames = made(clip, Timing(Subdivide(1)), loop)
    assert seen(frames) == seen(clip[int(loop.start * 24) :][: loop.frames])


def test_position_alone_makes_no_loop():
    clip = ramp([0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3, 0.2, 0.1, 0.2, 0.3, 0.4, 0.7])
    assert best_loop(clip, F(3, 10)).frames == 8  # after 2, 4 and 6 frames it passes the same place the other way


def test_a_clip_that_loops_as_it_is_is_taken_whole():
    clip = wave(20, 20)
    assert best_loop(clip).frames == 20


def test_impossible_loops_are_one_sentence():
    with pytest.raises(InputError, match="at least 2"):
        whole_loop(ramp([0.5]))
    with pytest.raises(InputError, match="the clip lasts"):
        best_loop(ramp([0, 1]), F(1))


def test_a_still_clip_loops():
    assert best_loop(ramp([0.5] * 6)).jump == 0
