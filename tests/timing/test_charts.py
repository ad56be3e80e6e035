"""Spacing charts: what each frame shows, presets as animators name them, and JSON written by hand."""

from __future__ import annotations

import json
from fractions import Fraction as F
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfi.core import InputError
from vfi.timing.charts import HOLDS, PRESETS, REST, Chart, Charts, Row, named, of_json, preset

KNOWN = Path(__file__).parents[1] / "data" / "charts" / "presets.json"


def test_presets_are_those_that_the_browser_draws():
    known = json.loads(KNOWN.read_text(encoding="utf-8"))
    assert list(known) == list(PRESETS)
    for name, counts in known.items():
        for wanted in counts:
            assert [float(place) for place in PRESETS[name](len(wanted))] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("even", [F(1, 4), F(1, 2), F(3, 4)]),
        ("halves", [F(1, 4), F(1, 2), F(3, 4)]),
        ("halves-a", [F(1, 8), F(1, 4), F(1, 2)]),
        ("halves-b", [F(1, 2), F(3, 4), F(7, 8)]),
        ("thirds", [F(1, 3), F(1, 2), F(2, 3)]),
        ("thirds-b", [F(2, 3), F(8, 9), F(26, 27)]),
        ("favour-a", [F(1, 7), F(1, 3), F(3, 5)]),
        ("ease-in", [F(1, 16), F(1, 4), F(9, 16)]),
    ],
)
def test_presets(name: str, places: list[F]):
    assert PRESETS[name](3) == places


@given(st.sampled_from(sorted(PRESETS)), st.integers(1, 60), st.integers(1, 5))
def test_a_preset_goes_from_a_to_b_and_each_drawing_is_held(name: str, frames: int, hold: int):
    places = preset(name, frames, hold).places(frames)
    assert len(places) == frames
    assert list(places) == sorted(places)
    assert 0 <= places[0] <= places[-1] < 1
    assert list(places[: hold - 1]) == [0] * min(hold - 1, frames)


@given(st.integers(0, 40), st.integers(1, 40))
def test_ticks_are_held_as_evenly_as_they_fit(count: int, frames: int):
    chart = Chart(tuple(F(k, 50) for k in range(count)))
    if count > frames:
        with pytest.raises(InputError, match=f"{count} ticks were given for {frames} frames: at most {frames} fit"):
            chart.drawings(frames)
        return
    shown = chart.drawings(frames)
    assert set(shown) | {0} == set(range(count + 1))
    assert all(late - early in (0, 1) for early, late in pairwise(shown))
    times = [[0, *shown].count(drawing) for drawing in range(count + 1)]
    assert max(times) - min(times) <= 1


def test_a_hand_writes_charts():
    text = """{"frames": 7, "charts": {
      "*": "twos",
      "arm": {"spacing": [0, "1/3", 0.6, 0.5, 0.9], "mask": "arm.png", "mask_b": "arm_b.png"},
      "head": "Favor A on threes",
      "leg": {"spacing": "halves", "on": "twos", "tracks": [1, 2]}
    }}"""
    charts = of_json(text)
    assert charts.frames == 7
    arm = Row("arm", (F(0), F(1, 3), F(3, 5), F(1, 2), F(9, 10)), mask="arm.png", mask_b="arm_b.png")
    assert charts.rows == (Row(REST, "even", 2), arm, Row("head", "favour-a", 3), Row("leg", "halves", 2, tracks=(1, 2)))
    assert of_json(charts.to_json()) == charts
    assert charts.places(7)[4] == (F(1, 2), F(3, 5), F(1, 5), F(1, 2))


def test_the_rest_is_even_if_nothing_is_said():
    assert Charts((Row("arm", "hold"),)).places(3) == ((F(1, 4), F(0)), (F(1, 2), F(0)), (F(3, 4), F(0)))


@pytest.mark.parametrize("word", HOLDS)
def test_a_hold_alone_is_even(word: str):
    assert named(word) == ("even", HOLDS[word])
    assert named(f"ease_in_out on {word}") == ("ease-in-out", HOLDS[word])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense", "the charts are not valid JSON"),
        ("[]", "the JSON of charts is .*it must be an object"),
        ('{"charts": []}', "charts is .*it must be an object"),
        ("{}", "the JSON of charts has no 'charts'"),
        ('{"v": 2, "charts": {}}', "v is 2: this version reads 1"),
        ('{"charts": {"arm": [1.2]}}', "a tick at 1.2 was given.*an overshoot needs a keyframe of its own"),
        ('{"charts": {"arm": [-0.1]}}', "a tick at -0.1 was given"),
        ('{"charts": {"arm": [NaN]}}', "charts.arm.spacing"),
        ('{"charts": {"arm": [1e999]}}', "charts.arm.spacing"),
        ('{"charts": {"arm": ["1/0"]}}', "charts.arm.spacing"),
        ('{"charts": {"arm": [true]}}', "a tick must be a number"),
        ('{"frames": 2, "charts": {"arm": [0.2, 0.4, 0.6]}}', "the chart of arm: 3 ticks were given for 2 frames"),
        ('{"frames": 5, "charts": {"arm": {"spacing": [0.2, 0.4, 0.6], "on": 2}}}', "each drawing held for 2: at most 2 fit"),
        ('{"charts": {"arm": "bounce"}}', "'bounce' is no preset of a spacing chart: choose from even"),
        ('{"charts": {"arm": {"spacing": "twos", "on": 3}}}', "on 2 and on 3 at once"),
        ('{"charts": {"arm": {"on": 0}}}', "charts.arm.on is 0"),
        ('{"charts": {"arm": {"mask": 3}}}', "charts.arm.mask is 3: it must be the name of a picture"),
        ('{"charts": {"arm": {"ease": 3}}}', 'unknown field "ease": it may have spacing, on, mask'),
        ('{"charts": {"arm": [0.2], "arm": [0.3]}}', '"arm" is there twice'),
        ('{"charts": {"*": {"mask": "all.png"}}}', "which is all that is in no part"),
        ('{"charts": {"arm": {"mask": "a.png", "tracks": 1}}}', "a mask and tracks were given for arm"),
        ('{"charts": {"  ": [0.2]}}', "no name of a part"),
        ('{"frames": 0, "charts": {}}', "frames is 0"),
        ('{"frames": 100000, "charts": {}}', "1 to 1000 are possible"),
    ],
)
def test_what_is_no_chart_is_one_sentence(text: str, told: str):
    with pytest.raises(InputError, match=told) as error:
        of_json(text)
    assert "\n" not in str(error.value)
