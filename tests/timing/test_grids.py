"""Exact time: where outputs lie, how many there are and how long they last."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F

import pytest
import torch

from vfi.core import Frame, InputError
from vfi.timing.grids import At, Subdivide, Timing, Uniform, exact_rate, resample, timing


def frames(times: list[F], last: F = F(0)) -> list[Frame]:
    ends = [*times[1:], times[-1] + last]
    return [Frame(torch.zeros(3, 1, 1), time, end - time) for time, end in zip(times, ends, strict=True)]


def constant(count: int, rate: F) -> list[Frame]:
    return frames([k / rate for k in range(count)], 1 / rate)


VARIABLE = [F(0), F(100, 1000), F(167, 1000), F(217, 1000), F(251, 1000)]


@pytest.mark.parametrize(
    ("given", "rate"),
    [
        (60, F(60)),
        ("60", F(60)),
        ("30000/1001", F(30000, 1001)),
        (23.976, F(24000, 1001)),
        (23.98, F(24000, 1001)),
        (24000 / 1001, F(24000, 1001)),
        (60000 / 1001, F(60000, 1001)),
        ("29.97", F(30000, 1001)),
        (59.94, F(60000, 1001)),
        (119.88, F(120000, 1001)),
        (12.5, F(25, 2)),
        (24.0, F(24)),
        (25.5, F(51, 2)),
        ("0.5", F(1, 2)),
    ],
)
def test_rates_are_exact(given, rate):
    assert exact_rate(given) == rate


@pytest.mark.parametrize("given", ["1e9", "1" + "0" * 30, "1e999999999", "1e-7", 2e9, "9" * 5000, "0.123456789123"])
def test_an_absurd_frame_rate_gets_a_sentence(given: str | float):
    with pytest.raises(InputError, match="is not a frame rate") as caught:
        exact_rate(given)
    assert len(str(caught.value)) < 150


def test_an_output_has_no_more_frames_than_possible():
    for asked in ({"times": 10**8}, {"slow": F(10**6)}):
        with pytest.raises(InputError, match="at most"):
            timing(F(24), **asked)
    for asked in ({"times": 10**5}, {"fps": F(10**6)}, {"slow": F(10**5)}):
        with pytest.raises(InputError, match="at most 100000000 are possible"):
            timing(F(24), **asked).expected(24_000, F(1000), "hold")


@pytest.mark.parametrize("given", [0, -24, "fast", "1/0", float("nan"), float("inf"), ""])
def test_what_is_no_rate_is_one_sentence(given):
    with pytest.raises(InputError, match="not a frame rate"):
        exact_rate(given)


@pytest.mark.parametrize("tail", ["stop", "hold"])
@pytest.mark.parametrize("grid", [Subdivide(1), Subdivide(3), Uniform(F(60)), Uniform(F(24000, 1001)), Uniform(F(7, 3))])
@pytest.mark.parametrize("rate", [F(24), F(30000, 1001), F(16)])
@pytest.mark.parametrize("count", [1, 2, 5, 48])
def test_the_count_is_known_before_the_work(tail, grid, rate, count):
    clip = constant(count, rate)
    span = F(count if tail == "hold" else count - 1) / rate
    assert len(list(resample(clip, grid, tail=tail))) == grid.count(count, span, tail)


def test_times_two_holds_the_last_frame():
    made = list(resample(constant(3, F(10)), Subdivide(2), tail="hold"))
    assert [instant.time for instant in made] == [F(k, 20) for k in range(6)]
    assert [instant.t for instant in made] == [0, F(1, 2), 0, F(1, 2), 0, 0]
    assert all(instant.duration == F(1, 20) for instant in made)


def test_duration_is_kept_to_the_tick():
    clip = constant(60, F(30000, 1001))
    made = list(resample(clip, Uniform(F(60)), tail="hold"))
    assert len(made) == 121
    assert made[-1].time + made[-1].duration == F(60060, 30000)
    assert sum(instant.duration for instant in made) == F(60060, 30000)


def test_input_frames_pass_through_where_times_meet():
    clip = constant(9, F(24))
    made = list(resample(clip, Uniform(F(60))))
    passed = {instant.time: instant.before for instant in made if instant.t == 0}
    assert passed == {frame.time: frame for frame in clip[::2]}


def test_variable_rate_is_subdivided_in_its_own_time():
    made = list(resample(frames(VARIABLE, F(40, 1000)), Subdivide(2), tail="hold"))
    assert [instant.time for instant in made[::2]] == VARIABLE
    assert made[1].time == F(50, 1000)
    assert made[3].time == F(267, 2000)
    assert sum(instant.duration for instant in made) == F(291, 1000)


def test_variable_rate_to_uniform_lies_where_time_says():
    made = list(resample(frames(VARIABLE, F(40, 1000)), Uniform(F(20)), tail="hold"))
    assert [instant.time for instant in made] == [F(k, 20) for k in range(6)]
    assert made[1].t == F(1, 2)
    assert made[4].t == F(200 - 167, 217 - 167)
    assert made[5].t == F(250 - 217, 251 - 217)


def test_slow_motion_stretches_output_times():
    made = list(resample(constant(3, F(24)), Subdivide(2, F(2)), tail="hold"))
    assert [instant.time for instant in made] == [F(k, 24) for k in range(6)]
    assert made[-1].time + made[-1].duration == F(6, 24)


def test_times_count_from_the_first_frame():
    clip = frames([F(5) + F(k, 10) for k in range(3)], F(1, 10))
    made = list(resample(clip, Uniform(F(20) / 3, F(3))))
    assert [instant.time for instant in made[:3]] == [F(5), F(5) + F(3, 20), F(5) + F(6, 20)]


def test_given_times():
    made = list(resample(constant(4, F(1)), At((F(0), F(1, 3), F(1, 3), F(3)))))
    assert [instant.t for instant in made] == [0, F(1, 3), F(1, 3), 0]
    with pytest.raises(InputError, match="must not decrease"):
        At((F(1), F(0)))


def test_windows_repeat_the_ends():
    clip = constant(3, F(1))
    a, b, c = clip
    made = list(resample(clip, Subdivide(1), window=4))
    assert [instant.window for instant in made] == [(a, a, b, c), (a, b, c, c), (b, c, c, c)]
    assert [instant.before for instant in made] == clip


def test_reading_runs_no_further_ahead_than_the_window():
    read = []

    def source():
        for frame in constant(10, F(1)):
            read.append(frame)
            yield frame

    stream = resample(source(), Subdivide(2))
    next(stream)
    assert len(read) <= 3


def test_nothing_in_nothing_out():
    assert list(resample([], Subdivide(2))) == []


def test_times_must_increase():
    clip = frames([F(0), F(1)])
    with pytest.raises(InputError, match="must increase"):
        list(resample([clip[1], clip[0]], Subdivide(2)))


def test_times_below_one_are_refused():
    with pytest.raises(InputError, match="from 1 up"):
        Subdivide(0)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, Timing(Subdivide(2), F(48))),
        ({"times": 4}, Timing(Subdivide(4), F(96))),
        ({"times": 1}, Timing(Subdivide(1), F(24))),
        ({"fps": F(60)}, Timing(Uniform(F(60)), F(60))),
        ({"slow": F(3)}, Timing(Subdivide(3, F(3)), F(24))),
        ({"slow": F(5, 2)}, Timing(Uniform(F(24), F(5, 2)), F(24))),
        ({"slow": F(2), "fps": F(60)}, Timing(Uniform(F(60), F(2)), F(60))),
        ({"slow": F(2), "times": 2}, Timing(Subdivide(4, F(2)), F(48))),
    ],
)
def test_what_is_asked_of_time(asked, wanted):
    assert timing(F(24), **asked) == wanted


@pytest.mark.parametrize("slow", [F(1, 2), F(2), F(5, 2)])
def test_slow_motion_keeps_the_rate_and_multiplies_the_duration(slow):
    asked = timing(F(24), slow=slow)
    made = list(resample(constant(8, F(24)), asked.grid, tail="hold"))
    assert len(made) == 8 * slow
    assert [instant.time for instant in made] == [F(k, 24) for k in range(len(made))]
    assert made[-1].time + made[-1].duration == F(8, 24) * slow


@pytest.mark.parametrize("asked", [{"times": 0}, {"times": 2, "fps": F(60)}, {"slow": F(0)}, {"slow": F(-2)}, {"times": -1}])
def test_impossible_timings_are_one_sentence(asked):
    with pytest.raises(InputError):
        timing(F(24), **asked)


def test_slow_motion_by_a_fraction_needs_a_rate():
    assert timing(None, slow=F(2)).rate is None
    with pytest.raises(InputError, match="needs the clip's frame rate"):
        timing(None, slow=F(3, 2))


def test_all_output_times_and_the_end_are_multiples_of_the_tick():
    clip = frames(VARIABLE, F(40, 1000))
    for asked in (timing(None, times=3), timing(F(20), fps=F(60000, 1001)), timing(F(20), slow=F(5, 2))):
        tick = asked.tick(F(1, 1000), F(291, 1000))
        assert tick is not None
        for instant in resample(clip, asked.grid, tail="hold"):
            assert (instant.time / tick).denominator == 1
            assert (instant.duration / tick).denominator == 1
    assert timing(None, times=2).tick(None, None) is None


def marked(count: int, **marks: dict[int, object]) -> list[Frame]:
    return [
        replace(frame, **{mark: where[index] for mark, where in marks.items() if index in where})
        for index, frame in enumerate(constant(count, F(1)))
    ]


def test_a_cut_is_held_or_blended_and_no_window_crosses_it():
    a, b, c, d = clip = marked(4, cut={2: "hold"})
    made = list(resample(clip, Subdivide(2), tail="hold", window=4))
    assert [instant.t for instant in made] == [0, F(1, 2), 0, 0, 0, F(1, 2), 0, 0]
    assert [instant.window for instant in made[::2]] == [(a, a, b, b), (a, b, b, b), (c, c, d, d), (c, d, d, d)]
    a, b, c, d = clip = marked(4, cut={2: "blend"})
    made = list(resample(clip, Subdivide(2), window=4))
    assert made[3].window == (b, c)
    assert [instant.blend for instant in made] == [False, False, True, True, False, False, False]
    assert [instant.t for instant in made] == [0, F(1, 2), 0, F(1, 2), 0, F(1, 2), 0]


def test_a_cut_on_the_first_pair_and_shots_of_one_frame():
    clip = marked(3, cut={1: "hold", 2: "hold"})
    made = list(resample(clip, Subdivide(3), tail="hold"))
    assert [instant.before for instant in made] == [frame for frame in clip for _ in range(3)]
    assert all(instant.t == 0 for instant in made)


def test_motion_goes_on_through_repeats():
    clip = marked(6, repeat={1: True, 3: True, 4: True})
    a, b, c = clip[0], clip[2], clip[5]
    made = list(resample(clip, Subdivide(2)))
    assert [instant.time for instant in made] == [F(k, 2) for k in range(11)]
    assert [instant.window for instant in made] == [(a, b)] * 4 + [(b, c)] * 6 + [(c, c)]
    assert [instant.t for instant in made] == [0, F(1, 4), F(1, 2), F(3, 4), *(F(k, 6) for k in range(6)), 0]


@pytest.mark.parametrize("tail", ["stop", "hold"])
def test_repeats_at_the_end_and_before_a_cut(tail):
    clip = marked(5, repeat={1: True, 4: True}, cut={2: "hold"})
    made = list(resample(clip, Subdivide(2), tail=tail))
    assert len(made) == (10 if tail == "hold" else 9)
    assert [instant.t for instant in made[:6]] == [0, 0, 0, 0, 0, F(1, 2)]
    assert all(instant.before is clip[3] and instant.t == 0 for instant in made[6:])
    assert sum(instant.duration for instant in made) == (5 if tail == "hold" else F(9, 2))


def test_shots_are_counted():
    clip = marked(5, cut={0: "hold", 2: "hold", 3: "blend"}, repeat={1: True})
    made = list(resample(clip, Subdivide(2), tail="hold", window=4))
    assert [instant.shot for instant in made] == [0, 0, 0, 0, 1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize("tail", ["stop", "hold"])
@pytest.mark.parametrize("grid", [Subdivide(3), Subdivide(2, F(3)), Uniform(F(60)), Uniform(F(7), F(2))])
def test_a_late_grid_shows_later_instants_at_the_same_times(grid, tail):
    clip = frames(VARIABLE, F(40, 1000))
    due = list(resample(clip, grid, tail=tail))
    late = list(resample(clip, replace(grid, late=F(1, 3)), tail=tail))
    assert [instant.time for instant in late] == [instant.time for instant in due[: len(late)]]
    assert len(due) - len(late) <= 1
    for before, here, after in zip(due, late, due[1:], strict=False):
        assert before.place < here.place < after.place
        if isinstance(grid, Uniform):
            assert here.place - before.place == 1 / (grid.rate * grid.stretch) / 3


def test_the_tick_counts_the_start_of_the_first_frame():
    clip = [replace(frame, time=frame.time + F(51, 100)) for frame in frames(VARIABLE, F(40, 1000))]
    for rate in (F(1), F(10), F(24), F(60000, 1001)):
        asked = timing(F(20), fps=rate)
        tick = asked.tick(F(1, 1000), F(291, 1000))
        assert tick is not None
        for instant in resample(clip, asked.grid, tail="hold"):
            assert (instant.time / tick).denominator == 1
            assert (instant.duration / tick).denominator == 1


def test_an_odd_average_rate_does_not_make_the_clock_finer():
    rate = F(2 * 211 * 90000, 1353499)
    assert Timing(Subdivide(2), rate).tick(F(1, 90000), F(1353499, 90000)) == F(1, 180000)
