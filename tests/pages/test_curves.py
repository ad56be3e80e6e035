"""What lies between numbers and a drawing."""

from __future__ import annotations

from array import array
from math import nan

import pytest

from vfi.pages import curves


def test_a_short_line_keeps_every_point():
    (line,) = curves.lines([0, 1, 2], [5, 6, 4], 0, 2, 10)
    assert line == [(0, 5), (1, 6), (2, 4)]


def test_a_long_line_keeps_every_peak():
    values = [float(k % 7) for k in range(100_000)]
    values[61_803] = 99
    values[31_337] = -99
    (line,) = curves.lines(range(100_000), values, 0, 100_000, 500)
    assert len(line) <= 1004
    assert (61_803, 99) in line
    assert (31_337, -99) in line
    assert line == sorted(line)


@pytest.mark.parametrize("frames", [9, 9000])
def test_what_is_not_finite_breaks_a_line(frames: int):
    values = [1.0] * frames
    values[frames // 3] = nan
    early, late = curves.lines(range(frames), values, 0, frames, 100)
    assert (early[0][0], early[-1][0]) == (0, frames // 3 - 1)
    assert (late[0][0], late[-1][0]) == (frames // 3 + 1, frames - 1)


def test_nothing_is_no_line():
    assert list(curves.lines([], [], 0, 1, 10)) == []
    assert list(curves.lines([0.0], [nan], 0, 1, 10)) == []
    assert curves.reach([nan]) is None


def test_a_part_of_a_line_is_cut_out():
    (line,) = curves.lines(array("d", range(10)), array("f", range(10)), 2, 4, 100)
    assert [place for place, _ in line] == [2, 3, 4]


def test_columns_show_their_highest_and_hold_it():
    assert curves.tops([0.1, 0.2, 2.5], [1, 3, nan], 0, 3, 3) == [3, 3, 3]
    assert curves.tops([2.5], [4], 0, 3, 3) == [None, None, 4]


@pytest.mark.parametrize(
    ("least", "most", "found"),
    [(0, 255, [0, 100, 200]), (-7, 14, [0, 10]), (0.01, 0.052, [0.02, 0.04]), (3, 3, [3])],
)
def test_axes_have_round_numbers(least: float, most: float, found: list[float]):
    assert curves.round_numbers(least, most, 3) == found


@pytest.mark.parametrize(
    ("end", "first", "last"),
    [
        (5, "0 s", "5 s"),
        (0.04, "0.000 s", "0.040 s"),
        (2.5, "0.0 s", "2.5 s"),
        (600, "0:00", "10:00"),
        (7200, "0:00:00", "2:00:00"),
    ],
)
def test_times_are_as_on_a_clock(end: float, first: str, last: str):
    found = curves.instants(0, end, 6)
    assert 2 <= len(found) <= 8
    assert (found[0][1], found[-1][1]) == (first, last)


@pytest.mark.parametrize("end", [0.001, 0.3, 59.9, 61, 3599, 86_400 * 40])
def test_any_length_has_an_axis(end: float):
    assert 1 <= len(curves.instants(0, end, 8)) <= 11


def test_a_clock_never_shows_sixty_seconds():
    assert curves.clock(59.9996, 120, 0.001) == "1:00.000"
    assert curves.clock(119.99996, 3600, 0.001) == "0:02:00.000"
