"""The record of a clip: measures come back as they were, in single precision, from few bytes each."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

from vfi.edit.heal.pictures import Place
from vfi.edit.heal.record import BLOCK, SPAN, Measure, Record, Spans


def measure(k: int) -> Measure:
    """One whose numbers all differ, and are exact in single precision."""
    numbers = [k + number / 64 for number in range(18)]
    parts = np.arange(27, dtype=np.float32).reshape(9, 3) + k
    mean, gain, place = tuple(numbers[:3]), tuple(numbers[3:6]), Place(*numbers[6:9])
    return Measure(k, F(1001 * k, 24000), k % 7 == 0, mean, *numbers[9:14], gain, parts, numbers[14], place)  # type: ignore[arg-type]


MANY = BLOCK + 100
RECORD = Record(map(measure, range(MANY)))


@pytest.mark.parametrize("k", [0, 1, BLOCK - 1, BLOCK, MANY - 1])
def test_measures_come_back(k: int):
    assert RECORD[k] == measure(k)
    assert np.array_equal(RECORD[k].parts, measure(k).parts)
    assert RECORD[k - MANY] == RECORD[k]


def test_slices_are_sequences_too():
    some = RECORD[BLOCK - 3 : BLOCK + 5]
    assert [one.index for one in some] == list(range(BLOCK - 3, BLOCK + 5))
    assert [one.index for one in some[2:4]] == [BLOCK - 1, BLOCK]
    assert [one.index for one in RECORD[5:2:-1]] == [5, 4, 3]
    assert len(RECORD[MANY:]) == 0
    with pytest.raises(IndexError):
        some[8]


@pytest.mark.parametrize("part", [slice(None), slice(0, 3), slice(BLOCK - 3, BLOCK + 5), slice(BLOCK, None), slice(4, 4)])
@pytest.mark.parametrize("name", ["width", "gain", "parts", "place"])
def test_a_column_holds_a_number_of_all(part: slice, name: str):
    lit = replace(measure(BLOCK + 1), width=0.5, gain=(1.0, 2.0, 3.0), parts=None, place=Place(0.25, 0.5, 0.75))
    record = RECORD.altered([lit])[part]
    wanted = np.array([np.full((9, 3), np.nan) if getattr(one, name) is None else getattr(one, name) for one in record])
    column = record.column(name)
    assert len(column) == len(record)
    if len(record):
        np.testing.assert_array_equal(column, wanted)


def test_altered_measures_leave_the_record_as_it_is():
    lit = replace(measure(3), width=0.5, parts=None)
    made = RECORD.altered([lit])
    assert made[3] is lit
    assert made[2:5][1] is lit
    assert made.altered([replace(measure(4), width=0.25)])[3] is lit
    assert RECORD[3] == measure(3)


def test_parts_that_were_not_measured_tell_nothing():
    (one,) = Record([replace(measure(0), parts=None)])
    assert one.parts is not None
    assert np.isnan(one.parts).all()


def test_times_of_any_length_are_exact():
    times = [F(1, 3), F(2**70 + 1, 3), F(-(2**65), 7), F(1, 2**66)]
    record = Record(replace(measure(k), time=time) for k, time in enumerate(times))
    assert [one.time for one in record] == times


def test_spans_are_found_by_their_frames():
    spans = Spans()
    for first in range(0, 80, SPAN):
        spans.append(first, np.full((10, 3), first, dtype=np.float32))
    assert [first for first, _ in spans.within(0, 79)] == list(range(0, 72, SPAN))
    assert [first for first, _ in spans.within(3, 40)] == [8, 16, 24, 32]
    assert all((light == first).all() and light.shape == (10, 3) for first, light in spans.within(0, 79))


def test_a_frame_takes_at_most_200_bytes():
    measure(0)
    tracemalloc.start()
    record, spans = Record(map(measure, range(8 * BLOCK))), Spans()
    for first in range(0, len(record), SPAN):
        spans.append(first, np.zeros((10, 3), np.float32))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(record) == 8 * BLOCK
    assert kept < 200 * len(record)
