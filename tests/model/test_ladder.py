"""The file of the measured ladder."""

from __future__ import annotations

from pathlib import Path

import pytest

from vfi.core import InputError
from vfi.model.ladder import FILE, REFERENCE, Ladder, Member, Way, front, read, shipped


def way(decibels: float, time: float, *names: str) -> Way:
    return Way(tuple(map(Member, names)), {"a": {"all": decibels, "hard": 20.0}, "b": {"all": decibels + 2}}, time, time)


def test_a_ladder_comes_back(tmp_path: Path):
    mix = Way((Member("a"), Member("b", "turned")), {"a": {"all": 31.0}}, 0.3, 3.0, 30.9, True)
    half = Way((Member("a", half_size=True),), {"a": {"all": 29.0}}, 0.1, 1.0)
    ladder = Ladder((half, mix), {"a": {"all": 2}}, {"torch": "2.10"})
    (tmp_path / "ladder.json").write_text(ladder.to_json())
    assert read(tmp_path / "ladder.json") == ladder
    assert ladder.one("a", half_size=True) is half
    assert ladder.one("a") is None
    assert mix.label == "a + b turned"


def test_decibels_are_the_mean_over_the_sets():
    assert way(30, 1, "a").decibels == 31


def test_the_front_is_what_nothing_beats_in_both():
    slow, quick, worse, best = way(30, 4, "a"), way(29, 1, "b"), way(28, 2, "c"), way(31, 3, "d")
    assert front([slow, quick, worse, best]) == [quick, best]


def test_what_is_no_ladder_is_said(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read(tmp_path / "none.json")
    (tmp_path / "wrong.json").write_text('{"ways": [{}]}')
    with pytest.raises(InputError, match="is not a file of the quality ladder"):
        read(tmp_path / "wrong.json")


def test_the_shipped_ladder_is_whole():
    ladder = shipped()
    assert FILE.read_text(encoding="utf-8") == ladder.to_json()
    reference = ladder.one(REFERENCE)
    assert reference is not None
    assert reference.time == 1
    assert [one for one in ladder.ways if one.front] == front(ladder.ways)
    assert list(ladder.ways) == sorted(ladder.ways, key=lambda one: one.time)
    assert len({one.members for one in ladder.ways}) == len(ladder.ways)
