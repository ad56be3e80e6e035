"""Which frames of an interpolated clip are real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction as F

import pytest
import torch
from footage import panned

from vfi.core import Frame, InputError
from vfi.evidence.real import Asked, ByTime, Every, Rule, between, real_frames, rule_of, unmade

PICTURES = panned(40, 1.5)
"""Two per frame of the source."""


def clip(numbers: Sequence[int], rate: int) -> list[Frame]:
    return [Frame(PICTURES[number], F(k, rate), F(1, rate)) for k, number in enumerate(numbers)]


SOURCE = clip(range(0, 40, 2), 24)


def asked(made: Sequence[Frame], rule: Rule, source: Sequence[Frame] = SOURCE) -> list[Asked]:
    return list(between(made, source, rule, 2))


def test_frames_half_way_are_yet_to_be_made():
    found = list(unmade(SOURCE, 2))
    assert [one.number for one in found] == list(range(1, 38, 2))
    assert {one.t for one in found} == {0.5}
    assert [one.time for one in found[:2]] == [F(1, 48), F(3, 48)]
    assert all(one.window == (SOURCE[one.after], SOURCE[one.after + 1]) for one in found)


def test_nothing_is_made_across_a_cut():
    cut = [replace(frame, cut="hold") if k == 5 else frame for k, frame in enumerate(SOURCE)]
    assert [one.after for one in unmade(cut, 2)] == [k for k in range(19) if k != 4]
    assert 4 not in [one.after for one in asked(clip(range(39), 48), Every(2), cut)]


@pytest.mark.parametrize("rate", [48, 24, 30])
def test_twice_as_many_are_told_whatever_their_times_say(rate: int):
    made = clip(range(39), rate)
    found = asked(made, rule_of(made, SOURCE))
    assert [one.number for one in found] == list(range(1, 38, 2))
    assert {one.t for one in found} == {0.5}
    assert all(one.made is made[one.number] for one in found)


def test_a_clip_may_begin_with_a_made_frame():
    made = clip(range(1, 39), 48)
    assert rule_of(made, SOURCE[1:]) == Every(2, 1)
    assert [one.number for one in asked(made, Every(2, 1), SOURCE[1:])][:2] == [2, 4]


def test_other_rates_are_told_by_time():
    fine = panned(120, 0.5)
    source = [Frame(fine[6 * k], F(k, 20), F(1, 20)) for k in range(20)]
    made = [Frame(fine[4 * k], F(k, 30), F(1, 30)) for k in range(29)]
    rule = rule_of(made, source)
    assert rule == ByTime()
    found = asked(made, rule, source)
    assert [(one.number, round(one.t, 3)) for one in found[:4]] == [(1, 0.667), (2, 0.333), (4, 0.667), (5, 0.333)]


def test_times_need_not_count():
    made = clip(range(39), 48)
    assert (rule_of(made, SOURCE), rule_of(made, SOURCE, timed=False)) == (ByTime(), Every(2))
    with pytest.raises(InputError, match=r"at even steps: look twice$"):
        rule_of(clip(range(0, 38, 2), 24)[::-1], SOURCE, timed=False, advice="look twice")


def test_noise_of_an_encoder_does_not_hide_the_real_frames():
    dice = torch.Generator().manual_seed(0)
    made = [replace(one, rgb=one.rgb + 0.01 * torch.randn(one.rgb.shape, generator=dice)) for one in clip(range(39), 24)]
    assert rule_of(made, SOURCE) == Every(2)


def test_times_or_numbers_decide_where_coding_hides_small_steps():
    slow = panned(40, 0.1)
    dice = torch.Generator().manual_seed(0)
    source = [Frame(slow[2 * k], F(k, 24), F(1, 24)) for k in range(20)]
    coded = [one + 0.005 * torch.randn(one.shape, generator=dice) for one in slow[:39]]
    made = [Frame(one, F(k, 48)) for k, one in enumerate(coded)]
    assert rule_of(made, source) == ByTime()
    assert rule_of(made, source, timed=False) == Every(2)
    with pytest.raises(InputError, match="say which are"):
        rule_of([replace(one, time=one.time * F(9, 7)) for one in made[:-3]], source)


def test_a_clip_of_something_else_is_refused():
    other = [Frame(one, F(k, 48), F(1, 48)) for k, one in enumerate(panned(39, 1.5, seed=9))]
    with pytest.raises(InputError, match="say which are, such as --real every:2"):
        rule_of(other, SOURCE)


def test_real_frames_last_until_the_next():
    found = list(real_frames(clip(range(9), 48), Every(4, 1)))
    assert [frame.time for frame in found] == [F(1, 48), F(5, 48)]
    assert found[0].duration == F(4, 48)


def test_rules_are_read_as_they_are_written():
    for text, rule in (("every:2", Every(2)), ("every:5+3", Every(5, 3))):
        assert Every.parse(text) == rule
        assert str(rule) == text
    for wrong in ("2", "every", "every:1", "every:0", "every:x", "each:2", "every:2+x", "every:-2"):
        with pytest.raises(InputError, match="was given as the real frames: give every:2"):
            Every.parse(wrong)
