"""Time maps: exact on their keyframes and lines, and as smooth as the editors draw them."""

from __future__ import annotations

from fractions import Fraction as F
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfi.core import InputError
from vfi.timeline.maps import Cubics, LastFrames, Polyline, Smooth, Speed, Summed, square_root

seconds = st.fractions(min_value=-100, max_value=100, max_denominator=1001)


@given(seconds, seconds, seconds)
def test_a_speed_is_exact_at_any_time(speed: F, start: F, time: F):
    assert Speed(speed, start).at(time) == start + speed * time


@given(st.lists(st.tuples(seconds, seconds), min_size=2, max_size=8, unique_by=lambda point: point[0]))
def test_lines_pass_through_their_keyframes_and_hold_their_ends(points: list[tuple[F, F]]):
    points.sort()
    line = Polyline(tuple(points))
    assert all(line.at(time) == value for time, value in points)
    assert (line.first, line.last) == (points[0][0], points[-1][0])
    assert (line.at(line.first - 1), line.at(line.last + 1)) == (points[0][1], points[-1][1])


def test_two_keyframes_at_one_time_make_no_map():
    with pytest.raises(InputError, match="keyframes at 1 s and then at 1 s: their times must increase"):
        Polyline(((F(0), F(0)), (F(1), F(1)), (F(1), F(2))))
    with pytest.raises(InputError, match="has no keyframes"):
        Polyline(())


def test_a_ramp_of_final_cut_shows_the_frames_that_a_public_test_names():
    # Eleven frames of a 60 s ramp at 30 fps; two of them lie just before a frame's edge.
    none, one, tiny = F(0), F(1), F(16666667, 10**9)
    points = (
        (F(3600), F(3600), none, none),
        (F(111052287, 30720), F(3613110416666, 10**9), one, one),
        (F(55756287, 15360), F(3622474999999, 10**9), one, one),
        (F(111972861, 30720), F(3628093749999, 10**9), one, one),
        (F(56216575, 15360), F(3629966666666, 10**9), one, tiny),
        (F(1405439975, 384000), F(3629966666666, 10**9), tiny, F(8333333, 10**9)),
        (F(1405452775, 384000), F(3630), none, none),
    )
    curve = Smooth(tuple(point[:2] for point in points), tuple(point[2:] for point in points))
    shown = {k: floor((curve.at(3600 + F(k, 30)) - 3600) * 30) for k in (0, 1, 2, 424, 449, 925, 1349, 1374, 1782, 1799, 1800)}
    wanted = {0: 0, 1: 0, 2: 1, 424: 370, 449: 391, 925: 684, 1349: 841, 1374: 845, 1782: 896, 1799: 899, 1800: 899}
    assert sorted(k for k in wanted if shown[k] != wanted[k]) == [925, 1799]
    for k in (925, 1799):
        assert abs((curve.at(3600 + F(k, 30)) - 3600) * 30 - wanted[k]) < F(1, 30)


def test_backwards_the_last_frame_comes_first():
    there_and_back = Polyline(((F(0), F(0)), (F(1), F(1)), (F(2), F(0))))
    shown = LastFrames(there_and_back, F(1, 4))
    assert [shown.at(F(k, 4)) for k in range(8)] == [F(k, 4) for k in (0, 1, 2, 3, 3, 2, 1, 0)]


def test_pieces_and_sums():
    step = Cubics((F(0), F(1), F(3)), ((F(5),), (F(0), F(0), F(1))), F(7))
    assert [step.at(F(time)) for time in (-1, 0, F(1, 2), 1, 2, 3, 4)] == [5, 5, 5, 0, F(1, 4), 7, 7]
    total = Summed(F(1), F(1, 2), (F(1), F(2), F(0)))
    assert [total.at(F(k, 2)) for k in range(4)] == [1, F(3, 2), F(5, 2), F(5, 2)]


@given(st.fractions(min_value=0, max_value=10**6, max_denominator=10**6))
def test_square_roots_are_within_a_trillionth(value: F):
    root = square_root(value)
    assert root**2 <= value < (root + F(1, 2**40)) ** 2
    assert square_root(F(9, 4)) == F(3, 2)
