"""What a sheet asks for: which drawings enclose a tick, when it is shown, and at which time between them it lies."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import pytest
from sheeting import xdts

from vfi.core import InputError
from vfi.sheets.sheet import Sheet
from vfi.sheets.wanted import SPACINGS, Left, Spacing, wanted
from vfi.sheets.xdts import read_xdts
from vfi.timing.charts import Charts, of_json


def sheet(entries: dict[int, Any], duration: int = 12, **others: dict[int, Any]) -> Sheet:
    return read_xdts(xdts({"A": entries, **others}, duration), "a.xdts")


def asked(entries: dict[int, Any], spacing: Spacing = "ticks", duration: int = 12) -> list[tuple[Any, ...]]:
    """(frame, how long, before, after, t) of each in-between; none may be left."""
    found, left = wanted(sheet(entries, duration), spacing)
    assert not left
    return [(one.frame, one.frames, one.before.drawing, one.after.drawing, one.t) for one in found]


@pytest.mark.parametrize("spacing", SPACINGS)
def test_on_ones_and_on_twos_both_spacings_are_the_same(spacing: Spacing):
    twos = {0: "1", 2: "o", 4: "o", 6: "o", 8: "5"}
    assert asked(twos, spacing) == [(2 * k, 2, "1", "5", F(k, 4)) for k in (1, 2, 3)]
    ones = {0: "1", 1: "o", 2: "o", 3: "2"}
    assert asked(ones, spacing) == [(1, 1, "1", "2", F(1, 3)), (2, 1, "1", "2", F(2, 3))]


def test_after_a_held_drawing_ticks_are_even_and_frames_keep_the_time():
    held = {0: "1", 1: "-", 4: "o", 6: "o", 8: "2"}
    assert [t for *_, t in asked(held, "ticks")] == [F(1, 3), F(2, 3)]
    assert [t for *_, t in asked(held, "frames")] == [F(1, 2), F(3, 4)]


def test_a_drawing_that_is_entered_in_every_frame_is_one_exposure():
    again = {0: "1", 1: "1", 2: "1", 3: "o", 4: "-", 5: "2", 6: "2"}
    assert asked(again, "frames") == [(3, 2, "1", "2", F(3, 5))]


def test_each_tick_lies_between_the_nearest_drawings():
    chain = {0: "1", 2: "o", 4: "3", 5: "o", 6: "5"}
    assert asked(chain) == [(2, 2, "1", "3", F(1, 2)), (5, 1, "3", "5", F(1, 2))]


def test_a_tick_may_be_shown_to_the_end_of_a_hold_but_needs_two_drawings():
    found, left = wanted(sheet({0: "o", 2: "1", 4: "o", 6: "x", 7: "o", 8: "2", 10: "o"}))
    assert not found
    before = "no drawing stands before it: an in-between needs one on each side"
    after = "no drawing stands after it: an in-between needs one on each side"
    assert left == [Left(0, 0, "", before), Left(0, 4, "", after), Left(0, 7, "", before), Left(0, 10, "", after)]


def test_what_is_never_shown_is_not_asked_for_but_counts():
    early = {-6: "1", -4: "o", -2: "o", 2: "2"}
    assert asked(early) == [(-2, 4, "1", "2", F(2, 3))]
    late = {8: "1", 10: "o", 12: "o", 14: "2"}
    assert asked(late) == [(10, 2, "1", "2", F(1, 3))]


def test_layers_are_apart_and_reverse_ticks_are_told():
    found, left = wanted(sheet({0: "1", 2: "o", 4: "3", 6: "*", 8: "1"}, B={0: "9", 6: "o", 11: "7"}))
    assert not left
    assert [(one.layer, one.frame, one.before.drawing, one.after.drawing, one.reverse) for one in found] == [
        (0, 2, "1", "3", False),
        (0, 6, "3", "1", True),
        (1, 6, "9", "7", False),
    ]


def test_a_numbered_tick_keeps_its_number():
    numbered = {"id": 0, "values": ["2", "SYMBOL_TICK_1"]}
    (one,), _ = wanted(sheet({0: "1", 2: numbered, 4: "3"}))
    assert (one.drawing, one.places) == ("2", [(0, 2)])


def test_a_numbered_tick_that_is_entered_in_every_frame_is_one_in_between():
    numbered = {"id": 0, "values": ["2", "SYMBOL_TICK_1"]}
    (one,), _ = wanted(sheet({0: "1", 2: numbered, 3: numbered, 4: "3"}))
    assert (one.frame, one.frames, one.t, one.places) == (2, 2, F(1, 2), [(0, 2), (0, 3)])


def test_an_empty_layer_asks_for_nothing():
    assert wanted(sheet({})) == ([], [])


def charted(charts: str) -> Charts:
    return of_json(f'{{"frames": 9, "charts": {charts}}}')


def test_charts_space_the_ticks_of_the_layers_that_they_name():
    entries = {0: "1", 2: "o", 4: "o", 6: "o", 8: "5", 9: "o", 10: "7"}
    both = sheet(entries, B=entries)

    def times(charts: str) -> dict[int, list[F]]:
        found, left = wanted(both, "ticks", charted(charts))
        assert not left
        return {layer: [one.t for one in found if one.layer == layer] for layer in (0, 1)}

    even = [F(1, 4), F(1, 2), F(3, 4), F(1, 2)]
    assert times('{"A": "favour-a"}') == {0: [F(1, 7), F(1, 3), F(3, 5), F(1, 3)], 1: even}
    assert times('{"*": "halves-b", "B": "even"}') == {0: [F(1, 2), F(3, 4), F(7, 8), F(1, 2)], 1: even}


def test_ticks_that_a_chart_holds_show_one_place():
    found, _ = wanted(sheet({0: "1", 2: "o", 4: "o", 6: "o", 8: "5"}), "ticks", charted('{"A": [0.25]}'))
    assert [one.t for one in found] == [F(1, 4), F(1, 4)]


def test_a_tick_on_a_drawing_and_ticks_that_do_not_fit_are_left():
    entries = {0: "1", 2: "o", 4: "o", 6: "5"}
    found, left = wanted(sheet(entries), "ticks", charted('{"A": [0, 0.5]}'))
    assert [one.t for one in found] == [F(1, 2)]
    assert [one.reason for one in left] == ["its chart puts it on drawing 1: enter that instead of a tick"]
    found, left = wanted(sheet(entries), "ticks", charted('{"A": [0.1, 0.5, 0.8]}'))
    assert not found
    assert [one.reason for one in left] == ["its chart: 3 ticks were given for 2 frames: at most 2 fit"] * 2


@pytest.mark.parametrize(
    ("charts", "reason"),
    [
        ('{"C": "even"}', "there is a chart of C: the sheet has the layers A"),
        ('{"A": {"mask": "a.png"}}', "the chart of A has a mask or tracks: in a sheet, a whole layer is a part"),
    ],
)
def test_charts_must_suit_the_sheet(charts: str, reason: str):
    with pytest.raises(InputError, match=reason):
        wanted(sheet({0: "1", 2: "o", 4: "2"}), "ticks", charted(charts))
