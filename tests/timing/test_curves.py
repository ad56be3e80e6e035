"""Curves of speed and position: exact integrals, counts known before the work, and every output in its place."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vfi.core import Frame, InputError
from vfi.timing.curves import CLOSE, EASINGS, Along, Key, TimeCurve, along, drawn, keyed, of_json, parse
from vfi.timing.grids import Timing, resample

RATES = [F(24), F(30000, 1001), F(60), F(7, 3), F(120)]


def keys(low: int, high: int, most: int = 5) -> st.SearchStrategy[list[Key]]:
    """Keyframes with values between two numbers, in hundredths."""
    steps = st.lists(st.integers(1, 150), min_size=1, max_size=most)
    values = st.integers(low * 100, high * 100)

    def of(steps: list[int]) -> st.SearchStrategy[list[Key]]:
        times = [F(sum(steps[: k + 1]) - steps[0], 100) for k in range(len(steps))]
        return st.tuples(*(st.builds(Key, st.just(time), values.map(lambda v: F(v, 100)), st.sampled_from(sorted(EASINGS)))
                           for time in times)).map(list)  # fmt: skip

    return steps.flatmap(of)


def clip(count: int, rate: F) -> list[Frame]:
    return [Frame(torch.zeros(3, 1, 1), k / rate, 1 / rate) for k in range(count)]


def played(text: str, seconds: int = 4, *, kind: str = "speed", rate: F = F(24), **options) -> Along:
    """The grid along a curve for a clip of 24 frames a second."""
    return along(parse(text, kind), rate, F(seconds), 24 * seconds, **options)


def places(grid: Along) -> list[F]:
    return [grid.place(output) for output in grid.outputs]


@pytest.mark.parametrize("name", EASINGS)
def test_an_easing_goes_from_one_value_to_the_next_and_never_beyond(name: str):
    curve = keyed([Key(F(1), F(2), name), Key(F(3), F(5))], "speed")
    values = [curve.at(F(k, 50)) for k in range(250)]
    assert values[:51] == [F(2)] * 51
    assert values[150:] == [F(5)] * 100
    assert values == sorted(values)
    if name != "hold":
        assert max(after - before for before, after in pairwise(values)) < F(1, 4)


@pytest.mark.parametrize(
    ("name", "third"),
    [("linear", F(1, 3)), ("ease", F(7, 27)), ("ease-in", F(1, 9)), ("ease-out", F(5, 9)), ("ease-in-cubic", F(1, 27)),
     ("ease-out-cubic", F(19, 27)), ("ease-in-out-cubic", F(4, 27)), ("ease-in-out-quad", F(2, 9)), ("hold", F(0)),
     ("smoother", F(17, 81))],
)  # fmt: skip
def test_easings_are_what_editors_call_so(name: str, third: F):
    assert keyed([Key(F(0), F(0), name), Key(F(1), F(1))], "speed").at(F(1, 3)) == third


@given(keys(-3, 4), st.integers(0, 4000))
def test_position_is_the_integral_of_speed(given_keys: list[Key], end: int):
    curve = keyed(given_keys, "speed")
    path, time = curve.position(F(1)), F(end, 1000)
    nodes = [F(0), *sorted({span.start for span in curve.spans if 0 < span.start < time}), time]
    # three points of Gauss are exact up to degree 5
    gauss = ((0.5 - 0.15**0.5, 5 / 18), (0.5, 8 / 18), (0.5 + 0.15**0.5, 5 / 18))
    total = 1.0
    for start, stop in pairwise(nodes):
        total += sum(weight * float(curve.at(start + (stop - start) * F(u))) for u, weight in gauss) * float(stop - start)
    assert float(path.at(time)) == pytest.approx(total, abs=1e-9)
    assert path.at(F(0)) == 1


@given(keys(-3, 4))
def test_position_has_no_jumps_and_is_straight_where_speed_is_constant(given_keys: list[Key]):
    path = keyed(given_keys, "speed").position(F(0))
    for span, following in pairwise(path.spans):
        assert span.at(following.start) == following.at(following.start)
    end = given_keys[-1].time
    assert path.at(end + 2) - path.at(end) == 2 * given_keys[-1].value


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0:1, 2:0.25 ease-in-out, 4:1", [(0, 1, "linear"), (2, F(1, 4), "ease-in-out"), (4, 1, "linear")]),
        ("0.5", [(0, F(1, 2), "linear")]),
        ("-1", [(0, -1, "linear")]),
        ("1/3", [(0, F(1, 3), "linear")]),
        (" 0s : 1 ; 1.5s:2 easeInOutCubic\n3:4", [(0, 1, "linear"), (F(3, 2), 2, "ease-in-out-cubic"), (3, 4, "linear")]),
        ("0.5:1 EASE_IN,1:-.5", [(F(1, 2), 1, "ease-in"), (1, F(-1, 2), "linear")]),
    ],
)  # fmt: skip
def test_text_is_read_as_an_editor_writes_it(text: str, wanted: list):
    assert parse(text, "speed") == keyed([Key(F(time), F(value), ease) for time, value, ease in wanted], "speed")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "needs at least one keyframe"),
        ("fast", "'fast' is not a keyframe"),
        ("0:1, 2", "'2' is not a keyframe"),
        ("0:1 bouncy, 1:2", "'bouncy' is not an easing"),
        ("1:1, 0:2", "must increase"),
        ("0:1, 0:2", "must increase"),
        ("-1:1", "must increase from 0"),
        ("0:1/0", "divides by zero"),
        ("9" * 5000, "is not a keyframe"),
        ("1" * 100_000 + "!", "is not a keyframe"),
        ("0:" + "9" * 30, "at most 1000000000000"),
        ("0:1 " + "a" * 50, "is not a keyframe"),
        (",".join(f"{k}:1" for k in range(1001)), "at most 1000 are possible"),
    ],
)
def test_text_that_is_no_curve_gets_a_sentence(text: str, says: str):
    with pytest.raises(InputError, match=says):
        parse(text, "speed")


@pytest.mark.parametrize(
    "text",
    [
        '{"speed": [[0, 1e999999999]]}',
        '{"speed": [["0", "1e999999999"]]}',
        '{"speed": [[1e-99999999, 1]]}',
        '{"points": [[0, 0], [1, 1e999999999]]}',
        '{"points": [[0, 0], ["1e999999999", 1]]}',
        '{"points": ' + str([[k, k] for k in range(1001)]) + "}",
        '{"speed": [[0, ' + "9" * 5000 + "]]}",
        '{"speed": [[0, 1, ["ease"]], [1, 1]]}',
        '{"speed": [[0, NaN]]}',
    ],
)
def test_numbers_of_json_that_cost_too_much_get_a_sentence(text: str):
    with pytest.raises(InputError) as caught:
        of_json(text, F(9))
    assert len(str(caught.value)) < 600


def test_a_curve_makes_no_more_frames_than_possible():
    for text, length in (("0.000000001", None), ("1", F(10**12)), ("0:1, 999999999:-1", None)):
        with pytest.raises(InputError, match="at most 100000000 are possible"):
            along(parse(text, "speed"), F(24), F(2), 48, length=length)


def test_json_holds_what_text_does_and_what_a_curve_editor_draws():
    assert of_json('{"speed": [[0, 1], [2, 0.25, "ease-in-out"], [4, 1]]}', F(9)) == parse(
        "0:1, 2:0.25 ease-in-out, 4:1", "speed"
    )
    assert of_json('{"position": [[0, 0], [1.5, 3]]}', F(9)) == parse("0:0, 1.5:3", "position")
    editor = '{"points": [[0, 0], [0.5, 0.1], [1, 1]], "interpolation": "linear"}'
    assert of_json(editor, F(8)) == parse("0:0, 4:0.8, 8:8", "position")
    assert of_json(editor, F(8), F(2)) == parse("0:0, 1:0.8, 2:8", "position")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"speed": 3}', '{"tempo": [[0, 1]]}', '{"points": [1]}', '{"speed": [["a", 1]]}']
)
def test_json_that_is_no_curve_gets_a_sentence(text: str):
    with pytest.raises(InputError, match="this JSON is not a curve" if text else "the curve is not valid JSON"):
        of_json(text, F(1))


def test_a_drawn_curve_is_that_of_comfyui():
    """The values of ComfyUI 0.25's MonotoneCubicCurve for these points."""
    curve = drawn([(1, 1), (0, 0), (0.25, 0.7), (0.5, 0.75)], "speed", smooth=True, width=F(1), height=F(1))
    seen = {0.1: 0.33317668657971816, 0.3: 0.7228070490721316, 0.45: 0.7451116291871175, 0.8: 0.8825442129294648, 1.0: 1.0}
    assert {x: float(curve.at(F(str(x)))) for x in seen} == pytest.approx(seen, abs=1e-8)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=2, max_size=7), st.booleans())
def test_a_drawn_curve_never_overshoots(points: list[tuple[int, int]], smooth: bool):
    curve = drawn([(x / 100, y / 100) for x, y in points], "position", smooth=smooth, width=F(2), height=F(3))
    at = sorted({F(x, 50): F(3 * y, 100) for x, y in points}.items())
    assert [curve.at(time) for time, _ in at] == [value for _, value in at]
    for (start, low), (end, high) in pairwise(at):
        values = [curve.at(start + (end - start) * k / 20) for k in range(21)]
        assert values == sorted(values, reverse=high < low)
    rises = [value for _, value in at]
    assert curve.forward == (rises == sorted(rises))


@pytest.mark.parametrize(
    ("text", "options", "length"),
    [
        ("1", {}, F(4)),
        ("2", {}, F(2)),
        ("0.4", {}, F(10)),
        ("1", {"start": F(1)}, F(3)),
        ("-1", {}, F(4)),
        ("-2", {}, F(2)),
        ("-1", {"start": F(2)}, F(2) + F(1, 24)),
        ("0:1, 2:0.25 ease-in-out, 4:1", {}, F(11, 2)),
        ("0:1, 1:0", {}, F(1)),
        ("0:1, 1:1 hold, 2:0.5", {}, F(6)),
        ("0:2, 2:0", {}, F(2)),
        ("0:1", {"length": F(1)}, F(1)),
        ("0", {"length": F(3)}, F(3)),
        ("1", {"length": F(6)}, F(6)),
    ],
)
def test_an_output_lasts_until_the_clip_is_used_up_or_rests(text: str, options: dict, length: F):
    grid = played(text, **options)
    assert grid.length == length
    assert len(grid.outputs) == -(-length * 24 // 1)


def test_a_clip_backwards_is_its_frames_in_reverse():
    grid = played("-1")
    assert places(grid) == [F(k, 24) for k in range(95, -1, -1)]
    (part,) = grid.parts()
    assert [part.place(output) for output in part.outputs] == [F(k, 24) for k in range(96)]


def test_beyond_its_ends_a_clip_stands_still():
    assert set(places(played("1", length=F(6)))[96:]) == {F(4)}
    assert set(places(played("-1", length=F(6)))[95:]) == {F(0)}
    assert places(played("0:-1, 2:5", kind="position", rate=F(2))) == [0, F(1, 2), 2, F(7, 2)]


@pytest.mark.parametrize(
    ("text", "kind", "options", "says"),
    [("0", "speed", {}, "no length"), ("0:1", "position", {}, "no length"), ("1", "speed", {"start": F(5)}, "a start at 5 s"),
     ("1", "speed", {"length": F(-1)}, "no length"), ("0:1, 2:2", "position", {"start": F(1)}, "only a speed curve takes one")],
)  # fmt: skip
def test_curves_that_cannot_be_played_get_a_sentence(text: str, kind: str, options: dict, says: str):
    with pytest.raises(InputError, match=says):
        played(text, kind=kind, **options)


CURVES = st.one_of(
    st.builds(keyed, keys(-2, 3), st.just("speed")),
    st.builds(keyed, keys(0, 4), st.just("speed")),
    st.builds(keyed, keys(-1, 5), st.just("position")),
)


@given(CURVES, st.sampled_from(RATES), st.integers(1, 40), st.integers(1, 300))
def test_outputs_are_in_order_and_fill_the_length(curve: TimeCurve, rate: F, count: int, hundredths: int):
    grid = along(curve, rate, count / F(24), count, length=F(hundredths, 100))
    assert grid.count(count, grid.span, "hold") == len(grid.outputs)
    assert (len(grid.outputs) - 1) / rate < grid.length <= len(grid.outputs) / rate
    seen: list[int] = []
    for part in grid.parts():
        shown = places(part)
        assert shown == sorted(shown)
        assert 0 <= shown[0] <= shown[-1] <= grid.span
        seen += part.outputs if part.outputs.step > 0 else part.outputs[::-1]
    assert seen == list(grid.outputs)


@given(CURVES, st.sampled_from(RATES), st.integers(1, 40), st.integers(1, 300))
def test_knots_follow_the_curve(curve: TimeCurve, rate: F, count: int, hundredths: int):
    grid = along(curve, rate, count / F(24), count, length=F(hundredths, 100))
    knots = grid.knots(grid.span)
    assert (knots[0][1], knots[-1][1]) == (0, grid.length)
    assert Timing(grid, rate).length(grid.span) == grid.length
    times = [time for _, time in knots]
    assert times == sorted(times)
    for (here, start), (there, end) in pairwise(knots):
        for k in range(1, 4) if end > start else ():
            time = start + (end - start) * k / 4
            line = here + (there - here) * (time - start) / (end - start)
            exact = min(max(grid.path.at(time), F(0)), grid.span)
            assert abs(line - exact) <= CLOSE * F(11, 10)


@given(keys(0, 4), st.sampled_from(RATES), st.integers(1, 60), st.data())
def test_forwards_every_output_is_placed_once_however_the_clip_is_cut_up(given_keys: list[Key], rate: F, count: int, data):
    if given_keys[-1].value == 0 == given_keys[-1].time:
        given_keys[0] = Key(F(0), F(1))
    grid = along(keyed(given_keys, "speed"), rate, count / F(24), count)
    edges = sorted({0, count, *data.draw(st.lists(st.integers(0, count), max_size=4))})
    found = [pair for a, b in pairwise(edges) for pair in grid.within(F(a, 24) + 7, F(b, 24) + 7, F(7))]
    assert found == [(7 + grid.place(k), 7 + k / rate) for k in grid.outputs]
    made = list(resample(clip(count, F(24)), grid, tail="hold"))
    assert [instant.time for instant in made] == [k / rate for k in grid.outputs]
    assert sum(instant.duration for instant in made) == grid.length
    for instant in made:
        assert instant.place == grid.place(round(instant.time * rate))
        assert instant.before.time + instant.t / 24 == min(instant.place, F(count - 1, 24)) or instant.place > F(count - 1, 24)


@pytest.mark.parametrize("rate", RATES)
def test_speed_1_is_plain_resampling_and_keeps_time(rate: F):
    grid = along(parse("1", "speed"), rate, F(2), 48)
    made = list(resample(clip(48, F(24)), grid, tail="hold"))
    assert [(one.place, one.time) for one in made] == [(k / rate, k / rate) for k in range(len(made))]
    assert Timing(grid, rate).keeps_time(F(2))
    assert not Timing(along(parse("1", "speed"), rate, F(2), 48, length=F(1)), rate).keeps_time(F(2))
    assert not Timing(along(parse("0.5", "speed"), rate, F(2), 48), rate).keeps_time(F(2))
