"""A list of places is shown frame by frame, forwards and backwards, and its sound goes along."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfi.core import InputError
from vfi.timing.places import along_places

RATES = [F(24000, 1001), F(24), F(25), F(30000, 1001), F(50), F(60000, 1001)]
moments = st.fractions(min_value=0, max_value=10, max_denominator=2002)


@given(st.lists(moments, min_size=1, max_size=30), st.sampled_from(RATES))
def test_every_output_shows_its_place(places: list[F], rate: F):
    along = along_places(tuple(places), rate, F(10))
    assert [along.place(k) for k in along.outputs] == places
    parts = [output for part in along.parts() for output in part.outputs]
    assert sorted(parts) == list(range(len(places)))
    assert along.length == len(places) / rate


@given(st.lists(moments, min_size=2, max_size=30), st.sampled_from(RATES))
def test_its_lines_pass_through_every_place(places: list[F], rate: F):
    along = along_places(tuple(places), rate, F(10))
    knots = along.knots(F(10))
    assert knots[0][1] == 0
    assert knots[-1][1] == along.length
    assert all((place, k / rate) in knots or along.path.at(k / rate) == place for k, place in enumerate(places))


def test_a_straight_part_is_one_line():
    along = along_places(tuple(F(k, 48) for k in range(1000)), F(24), F(100))
    assert len(along.path.spans) == 1
    assert along.path.forward


def test_no_frames_are_refused():
    with pytest.raises(InputError, match="no output frames were given"):
        along_places((), F(24), F(1))
