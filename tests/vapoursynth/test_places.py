"""The places of outputs, judged by the library's own resampling, which goes through the frames in order."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from fractions import Fraction as F
from itertools import accumulate
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vfi.core import Frame, InputError
from vfi.timing.grids import Subdivide, Uniform, resample

RATES = [F(24000, 1001), F(24), F(25), F(30000, 1001), F(50), F(60000, 1001), F(10), F(7, 3)]
PICTURE = torch.zeros(3, 1, 1)


@pytest.fixture(scope="module")
def places() -> Iterator[Any]:
    """The module, which needs no VapourSynth of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "vapoursynth", ModuleType("vapoursynth"))
        before = set(sys.modules)
        yield importlib.import_module("vfi.vapoursynth.places")
        for name in set(sys.modules) - before:
            if name.startswith("vfi.vapoursynth"):
                del sys.modules[name]


def expected(durations: list[F], grid: object) -> list[tuple[int, F, F]]:
    """The frame, t and duration of each output, as `resample` gives them; t is 0 from the last frame on."""
    starts = list(accumulate(durations, initial=F(0)))
    frames = [Frame(PICTURE, start, duration) for start, duration in zip(starts, durations, strict=False)]
    numbers = {frame: n for n, frame in enumerate(frames)}
    return [(numbers[one.before], one.t, one.duration) for one in resample(frames, grid, tail="hold")]  # type: ignore[arg-type]


def found(places: Any, last: int) -> list[tuple[int, F]]:
    made = [places.at(n) for n in range(places.frames)]
    return [(index, F(0) if index == last else t) for index, t in made]


@given(st.integers(1, 40), st.sampled_from(RATES), st.sampled_from(RATES))
def test_a_constant_rate_becomes_another(places, count: int, source: F, target: F):
    made = places.Multiplied(count, target / source, target)
    right = expected([1 / source] * count, Uniform(target))
    assert found(made, count - 1) == [(index, t) for index, t, _ in right]
    clock = places.Timed(places.Steady(count, source), target, count / source)
    assert found(clock, count - 1) == [(index, t) for index, t, _ in right]


@given(st.lists(st.fractions(F(1, 1000), F(2), max_denominator=1000), min_size=1, max_size=12), st.sampled_from(RATES))
def test_a_variable_rate_becomes_constant(places, durations: list[F], target: F):
    clock = places.Uneven(tuple(durations))
    made = places.Timed(clock, target, clock.length)
    right = expected(durations, Uniform(target))
    assert found(made, len(durations) - 1) == [(index, t) for index, t, _ in right]


@given(st.lists(st.fractions(F(1, 1000), F(2), max_denominator=1000), min_size=1, max_size=12), st.integers(1, 6))
def test_a_whole_factor_divides_each_duration(places, durations: list[F], times: int):
    made = places.Multiplied(len(durations), F(times), None)
    right = expected(durations, Subdivide(times))
    assert found(made, len(durations) - 1) == [(index, t) for index, t, _ in right]
    shown = [made.duration(n, [durations[index] for index, _ in made.covered(n)]) for n in range(made.frames)]
    assert shown == [duration for _, _, duration in right]


@given(
    st.lists(st.fractions(F(1, 1000), F(2), max_denominator=1000), min_size=1, max_size=12),
    st.fractions(F(1, 10), F(10), max_denominator=20),
    st.fractions(F(1, 4), F(4), max_denominator=8),
)
def test_no_time_is_lost_by_any_factor(places, durations: list[F], factor: F, stretch: F):
    made = places.Multiplied(len(durations), factor, None, stretch)
    total = F(0)
    for n in range(made.frames):
        covered = made.covered(n)
        assert covered[0][0] == made.at(n)[0]
        assert len(covered) <= made.reach
        assert all(share > 0 for _, share in covered)
        total += made.duration(n, [durations[index] for index, _ in covered])
    assert total == sum(durations) * stretch


def test_an_unknown_duration_makes_those_that_cover_it_unknown(places):
    made = places.Multiplied(3, F(2, 3), None)
    assert made.duration(0, [F(1, 24), None]) is None
    assert made.duration(1, [F(1, 24), F(1, 24)]) == F(1, 16)


def test_what_cannot_be_is_refused(places):
    with pytest.raises(InputError, match="frame 1"):
        places.Uneven((F(1), F(0)))
    with pytest.raises(InputError, match="at most"):
        places.Multiplied(places.ENDLESS, F(1000), None)
    with pytest.raises(InputError, match="at most"):
        places.Timed(places.Steady(24, F(24)), F(10**6), F(10**6))
    assert places.Multiplied(2**27, F(100), None).frames == places.LONGEST
