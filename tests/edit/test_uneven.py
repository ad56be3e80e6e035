"""Uneven motion and steps of speed: what is found in clips of known motion, and what mending makes of it."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from fractions import Fraction as F
from itertools import pairwise

import numpy as np
import pytest
import torch
from footage import panned

from vfi.core import Frame, InputError
from vfi.edit.heal.findings import Finding, retimed
from vfi.edit.heal.judge import findings
from vfi.edit.heal.measures import Measures
from vfi.edit.heal.mend import Mending, mending
from vfi.edit.heal.speeds import joined
from vfi.timing.grids import Subdivide, Timing, Uniform, resample

PICTURES = [(one * 255).round().byte() for one in panned(130, 1.0)]
"""What lies 0, 1, 2, ... pixels along a path."""


def clip(places, stamps=None) -> list[Frame]:
    """Frames that show these places, one a second unless at ``stamps``."""
    stamps = [*range(len(places) + 1)] if stamps is None else stamps
    return [
        Frame(PICTURES[int(place)], F(start), F(end - start))
        for place, (start, end) in zip(places, pairwise(stamps), strict=True)
    ]


def found(frames: list[Frame]) -> tuple[Finding, ...]:
    seen = Measures()
    deque(seen.take(frames), maxlen=0)
    return findings(seen)


def nearest(ratio: F, count: int = 40) -> list[int]:
    """Frames of a source, ``ratio`` of which are shown per frame."""
    return [int(k * ratio + F(1, 3)) for k in range(count)]


@pytest.mark.parametrize("ratio", ["4/5", "5/4", "2/3", "5/6", "5/2", "8/5", "8/15"])
def test_a_change_of_rate_is_found_by_its_pattern_exactly(ratio: str):
    shown = nearest(F(ratio))
    (one,) = [one for one in found(clip([2 * k if F(ratio) < 2 else k for k in shown])) if one.kind == "uneven"]
    assert (one.first, one.last, one.count, one.action) == (0, 39, 40, "keep")
    assert one.confidence > 0.9
    true = [k - (source - shown[0]) / F(ratio) for k, source in enumerate(shown)]
    assert np.allclose(one.offsets[:30], list(map(float, true[:30])), atol=1e-6)
    assert one.offsets[0] == 0


def test_the_source_of_a_change_of_rate_comes_back_exactly():
    frames = clip([2 * k for k in nearest(F(4, 5), 41)])
    (one,) = retimed(one for one in found(frames) if one.kind == "uneven")
    mends = mending([one], "keep", frames=41, begin=F(0), lasts=F(41))
    asked = Timing(Uniform(F(4, 5)), F(4, 5))
    out = [*resample(mends.frames(frames), mends.timing(asked).grid, tail="hold")]
    assert [next(k for k in range(130) if PICTURES[k] is instant.before.rgb) // 2 for instant in out] == [*range(33)]
    assert not any(instant.t for instant in out)


def test_what_has_no_pattern_is_found_by_smooth_motion():
    dice = np.random.default_rng(4)
    away = dice.uniform(-0.45, 0.45, 40)
    away[0] = away[-1] = 0
    (one,) = [one for one in found(clip((3 * (np.arange(40) + away)).round())) if one.kind == "uneven"]
    left = np.array(one.offsets) + away
    assert left.std() < 0.55 * away.std()
    assert max(one.offsets[k + 1] - one.offsets[k] for k in range(39)) <= 1 + 1e-9


def test_time_stamps_that_tell_the_truth_are_even():
    dice = np.random.default_rng(2)
    stamps = np.cumsum(dice.integers(1, 4, 41)).tolist()
    assert found(clip(stamps[:-1], stamps)) == ()
    assert "uneven" in [one.kind for one in found(clip(stamps[:-1]))]


@pytest.mark.parametrize(
    "places",
    [
        [2 * k for k in range(40)],
        [0.06 * k * k + k for k in range(36)],
        [60 - 55 * np.cos(k / 9) for k in range(60)],
        [3 * min(k, 24) for k in range(40)],
        [5 * (k // 2) for k in range(40)],
        [5 * (k // 3) for k in range(40)],
        [7] * 40,
    ],
    ids=["even", "speeding up", "swinging", "stopping", "on twos", "on threes", "standing still"],
)
def test_even_motion_is_left_alone(places):
    assert not [one for one in found(clip(np.round(places))) if one.kind in ("uneven", "border")]


@pytest.mark.parametrize("before", [2, 4])
def test_a_step_of_speed_is_a_border(before: int):
    after = 6 - before
    (one,) = found(clip([before * k if k < 16 else before * 15 + after * (k - 15) for k in range(32)]))
    assert (one.kind, one.action) == ("border", "bridge")
    assert abs(one.first - 16) <= 1
    assert one.speed == pytest.approx(after / before, rel=0.2)


def test_a_step_of_light_and_one_of_speed_are_one_border():
    light = Finding("border", 20, 20, 1, 0.6, "bridge", light=((0.1, 0.0, 0.0),))
    speed = Finding("border", 26, 26, 1, 0.8, "bridge", speed=1.5)
    assert joined([light], [speed]) == [replace(light, speed=1.5, confidence=0.8)]
    assert joined([light], [replace(speed, first=29, last=29)]) == [light, replace(speed, first=29, last=29)]


def uneven(first: int, *offsets: float) -> Finding:
    last = first + len(offsets) - 1
    return Finding("uneven", first, last, len(offsets), 1.0, "retime", offsets=offsets, start=F(first), end=F(last + 1))


def mended(*some: Finding, frames: int = 12, duration="keep", cuts=()) -> Mending:
    return mending(some, duration, frames=frames, begin=F(0), lasts=F(frames), cuts=cuts)


def shown(mends: Mending, frames: list[Frame], times: int = 1) -> list[tuple[F, Frame, Frame, F]]:
    """The time, the frames on both sides and the t of each output."""
    grid = mends.timing(Timing(Subdivide(times), F(times))).grid
    return [(one.time, *one.window, one.t) for one in resample(mends.frames(frames), grid, tail="hold")]


OFFSETS = (0.0, 0.2, 0.4, -0.2, 0.0)
"""Four frames of five: the true times are 0, 0.8, 1.6, 3.2 and 4."""


def test_true_times_become_time_stamps_and_the_output_is_even():
    frames = clip(range(12))
    mends = mended(uneven(3, *OFFSETS))
    times = [frame.time for frame in mends.frames(frames)]
    assert times == [0, 1, 2, 3, F("3.8"), F("4.6"), F("6.2"), 7, 8, 9, 10, 11]
    out = shown(mends, frames)
    assert [time for time, *_ in out] == [*range(12)]
    assert all(early.rgb is PICTURES[k] and t == 0 for k, (_, early, _, t) in enumerate(out) if k not in (4, 5, 6))
    assert [(early.rgb is PICTURES[k], t) for (_, early, _, t), k in zip(out[4:7], (4, 5, 5), strict=True)] == [
        (True, F(1, 4)),
        (True, F(1, 4)),
        (True, F(7, 8)),
    ]
    assert len(shown(mends, frames, 2)) == 24
    assert mends.spans()[0].length is None
    assert not mends.changes_time


def test_what_shows_the_same_repeats():
    mends = mended(uneven(2, 0.0, -0.25, -0.5, -0.75, 0.25, 0.0))
    frames = [*mends.frames(clip(range(12)))]
    assert [k for k, frame in enumerate(frames) if frame.repeat] == [6]
    assert frames[5].time == F("5.75")
    assert all(late.time > early.time for early, late in pairwise(frames))


def test_cuts_and_the_ends_of_shots_stay_where_they_are():
    frames = clip(range(12))
    frames[6] = replace(frames[6], cut="hold")
    out = [*mended(uneven(6, 0.5, 0.4, 0.2, 0.0), cuts=[F(6)]).frames(frames)]
    assert out[6].time == 6
    assert out[-1].time + out[-1].duration == 12


def test_gaps_are_not_spread_twice_and_time_put_in_is_even():
    gap = Finding("missing", 6, 6, 1, 1.0, "insert", start=F(6), end=F(6))
    places = uneven(3, 0.0, 0.2, 0.4, -0.2, 0.0)
    both = mended(places, gap)
    assert [frame.time for frame in both.frames(clip(range(12)))] == [
        frame.time for frame in mended(places).frames(clip(range(12)))
    ]
    grown = [frame.time for frame in mended(places, gap, duration="grow").frames(clip(range(12)))]
    assert grown == [*range(13)]


def test_repeats_that_are_dropped_take_their_unevenness_along():
    held = Finding("repeat", 6, 6, 1, 1.0, "drop", start=F(6), end=F(7))
    frames = mended(uneven(2, 0.0, -0.25, -0.5, -0.75, 0.25, 0.0), held).frames(clip(range(12)))
    assert [frame.time for frame in frames] == [*range(11)]


def test_uneven_time_stamps_are_moved_by_the_same():
    stamps = [0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15]
    times = [frame.time for frame in mended(uneven(0, *[0.0] * 4, 0.2, *[0.0] * 7)).frames(clip(range(12), stamps))]
    assert times[:4] + times[5:] == stamps[:4] + stamps[5:12]
    assert times[4] == 5 - F("0.2")


@pytest.mark.parametrize("speed", [0.5, 1.5, 4.0])
def test_a_step_of_speed_is_spread_evenly(speed: float):
    one = Finding("border", 12, 12, 1, 1.0, "bridge", speed=speed, start=F(12), end=F(12))
    times = [float(frame.time) for frame in mended(one, frames=24).frames(clip(range(24)))]
    assert times[:4] == [0, 1, 2, 3]
    assert times[20:] == [20, 21, 22, 23]
    moved = np.where(np.arange(23) < 11.5, 1, speed)
    moved[11] = (1 + speed) / 2
    speeds = (moved / np.diff(times))[3:20]
    assert np.abs(np.diff(np.log(speeds))).max() < 0.5 * abs(np.log(speed))
    assert np.all(np.diff(speeds) * (speed - 1) > -1e-3)


def test_frames_out_of_order_are_refused():
    with pytest.raises(InputError, match="frame 5 would be shown before frame 4"):
        deque(mended(uneven(3, 0.0, 0.0, 1.5, 0.0)).frames(clip(range(12))), maxlen=0)


def test_only_what_is_uneven_is_retimed():
    some = [Finding("flash", 1, 1, 1, 1.0, "remake"), replace(uneven(3, 0.0, 0.1, 0.0), action="keep")]
    assert [one.action for one in retimed(some)] == ["remake", "retime"]


@pytest.mark.parametrize("count", [1, 2, 3, 11])
def test_the_shortest_clips_have_no_evenness(count: int):
    assert found(clip([2 * k for k in range(count)])) == ()


def test_alpha_and_pictures_pass_unchanged():
    frames = [replace(frame, alpha=torch.ones(1, 64, 64)) for frame in clip(range(12))]
    out = [*mended(uneven(3, *OFFSETS)).frames(frames)]
    assert all(new.rgb is old.rgb and new.alpha is old.alpha for new, old in zip(out, frames, strict=True))
