"""Plans: what they say in JSON, how they mark frames, and that no marks change how many frames there are, or when."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction as F
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import Blend

from vfi.core import Frame, InputError
from vfi.edit.duplicates import Repeats
from vfi.edit.heal.findings import Finding
from vfi.edit.plan import Event, Output, Plan, Shot, Source
from vfi.render.run import run
from vfi.timing.grids import Subdivide, Uniform

PLAN = Plan(
    Source(10, F(10 * 1001, 24000), F(24000, 1001), 64, 48),
    (Shot(F(0), 4), Shot(F(4004, 24000), 3, "blend", 0.75), Shot(F(7007, 24000), 3, "interpolate", 0.5)),
    (Event("fade", F(1001, 12000), 2),),
    (Repeats(F(1001, 24000), 1), Repeats(F(5005, 24000), 2)),
    "spread",
    Output(fps=F(60)),
)


def clip(times: list[F], last: F = F(1, 24)) -> list[Frame]:
    """Frames at ``times``, number k of brightness k / 100."""
    ends = [*times[1:], times[-1] + last]
    pairs = enumerate(zip(times, ends, strict=True))
    return [Frame(torch.full((3, 2, 3), k / 100), start, end - start) for k, (start, end) in pairs]


CLIP = clip([F(1001 * k, 24000) for k in range(10)])


def test_a_plan_comes_back_from_its_text():
    assert Plan.from_json(PLAN.to_json()) == PLAN
    data = json.loads(PLAN.to_json())
    assert data["shots"][1] == {"start": "1001/6000", "frames": 3, "across": "blend", "score": 0.75}
    assert data["output"]["frames"] == PLAN.expected() == 26


def test_frames_are_marked_by_their_times():
    marked = list(PLAN.marked(CLIP))
    assert [frame.cut for frame in marked] == [None] * 4 + ["blend"] + [None] * 5
    assert [frame.repeat for frame in marked] == [k in (1, 5, 6) for k in range(10)]
    assert all(after.rgb is before.rgb for after, before in zip(marked, CLIP, strict=True))


def test_policies_may_be_overruled():
    kept = PLAN.with_policies("hold", "keep")
    assert [(frame.cut, frame.repeat) for frame in kept.marked(CLIP)][4:8] == [
        ("hold", False),
        *[(None, False)] * 2,
        ("hold", False),
    ]
    assert not any(frame.cut for frame in PLAN.with_policies("interpolate", None).marked(CLIP))
    assert PLAN.with_policies(None, None) == PLAN


def edited(change) -> str:
    data = json.loads(PLAN.to_json())
    change(data)
    return json.dumps(data)


def put(*path, value):
    def change(data):
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["plan"], 2, "this version reads format 1"),
        (["source", "frames"], 0, "whole number from 1 up"),
        (["source", "duration"], "long", r"source.duration is \"long\": it must be seconds"),
        (["source", "rate"], "fast", "is not a frame rate"),
        (["source", "colour"], 1, 'source has an unknown field "colour": it may have frames'),
        (["source"], 7, "source is 7: it must be an object"),
        (["shots"], [], "shots is empty"),
        (["shots"], {}, "it must be a list"),
        (["shots", 1, "across"], "cross", r"shots\[1\].across is \"cross\": it must be hold, blend or interpolate"),
        (["shots", 1, "start"], 0.16, "in quotes so that they stay exact"),
        (["shots", 1, "start"], "1/0", "it must be seconds"),
        (["shots", 1, "start"], "0", r"shots\[1\].start is 0: it must be after the one before, 0"),
        (["shots", 1, "frames"], -1, "whole number from 0 up"),
        (["shots", 1, "frames"], True, "whole number from 0 up"),
        (["shots", 1, "score"], 2, "from 0 to 1"),
        (["events", 0, "kind"], "wipe", "it must be fade or flash"),
        (["repeats", 0, "frames"], 0, r"repeats\[0\].frames is 0: it must be a whole number from 1 up"),
        (["repeats", 1, "start"], "0", r"repeats\[1\].start is 0"),
        (["duplicates"], ["keep"], "it must be keep or spread"),
        (["output", "times"], 2, "drop one of the two"),
        (["output", "slow"], "-1", "it must be above 0"),
        (["notes"], "", 'the plan has an unknown field "notes"'),
    ],
    ids=lambda value: None if isinstance(value, str) and " " in value else str(value),
)
def test_what_is_wrong_is_named(path: list, value, says: str):
    with pytest.raises(InputError, match=says) as raised:
        Plan.from_json(edited(put(*path, value=value)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"plan": 1}', "nonsense", '{"plan": 1, "source": {}, "shots": []}'])
def test_what_is_no_plan_is_refused(text: str):
    with pytest.raises(InputError):
        Plan.from_json(text)


@pytest.mark.parametrize(
    ("time", "nearest"), [("0.17", "1001/6000"), ("1/1000", "0"), ("99", "3003/8000"), ("0.2", "1001/4800")]
)
@pytest.mark.parametrize("what", ["shots", "repeats"])
def test_a_time_that_no_frame_has_names_the_nearest(what: str, time: str, nearest: str):
    def change(data):
        data["shots"] = data["shots"][:1]
        data["repeats"] = []
        data[what].append({"start": time, "frames": 1})

    with pytest.raises(InputError, match=f"the nearest frame begins at {nearest} ") as raised:
        list(Plan.from_json(edited(change)).marked(CLIP))
    assert str(F(time)) in str(raised.value)


@pytest.mark.parametrize(("length", "stated", "has"), [(12, 12, "12"), (12, None, "more"), (12, 3, "more"), (8, 8, "8")])
def test_a_clip_of_another_length_is_refused(length: int, stated: int | None, has: str):
    plan = replace(PLAN, shots=PLAN.shots[:1], repeats=())
    other = clip([F(1001 * k, 24000) for k in range(length)])
    with pytest.raises(
        InputError, match=rf"a clip of 10 frames \(0.417 s\), and this one has {has}: give the plan of"
    ) as raised:
        list(plan.marked(other, stated))
    assert "\n" not in str(raised.value)
    assert len(list(plan.marked(CLIP))) == 10


def test_a_shot_stays_when_the_one_before_it_is_taken_out():
    def change(data):
        del data["shots"][0]

    assert [frame.cut for frame in Plan.from_json(edited(change)).marked(CLIP)][4] == "blend"


def test_a_plan_is_told_in_sentences():
    assert PLAN.notes() == [
        "2 cuts, at 0.167, 0.292 s (blend, interpolate)",
        "3 repeats in 10 frames (spread)",
    ]
    assert PLAN.event_notes() == ["1 fade, at 0.083 s"]
    assert [PLAN.cadence(shot) for shot in range(3)] == ["1 repeat", "on threes, 2 repeats", ""]
    assert replace(PLAN, shots=PLAN.shots[:1], repeats=()).notes() == []


def test_repeats_that_are_mended_and_those_that_are_kept_are_told_in_one_sentence():
    kept = replace(PLAN, shots=PLAN.shots[:1], duplicates="keep")
    mended = kept.with_findings([Finding("repeat", 9, 9, 1, 1.0, "spread", start=F(9, 24), end=F(10, 24))])
    assert mended.notes() == ["1 frame (repeat) at frame 9: motion goes on through them; 3 other repeats are kept"]


@st.composite
def marked_clips(draw) -> list[Frame]:
    steps = draw(st.lists(st.integers(1, 90), min_size=1, max_size=14))
    tick = draw(st.sampled_from([F(1, 24), F(1001, 30000), F(1, 1000)]))
    start = draw(st.integers(-50, 50))
    frames = clip([(start + sum(steps[:k])) * tick for k in range(len(steps))], steps[-1] * tick)
    marks = st.tuples(st.sampled_from([None, None, "hold", "blend"]), st.booleans())
    return [replace(frame, cut=cut, repeat=repeat) for frame in frames for cut, repeat in [draw(marks)]]


@settings(deadline=None, max_examples=80)
@given(
    marked_clips(),
    st.one_of(
        st.builds(Subdivide, st.integers(1, 5), st.fractions(F(1, 3), 5, max_denominator=4)),
        st.builds(Uniform, st.fractions(1, 130, max_denominator=1001), st.fractions(F(1, 3), 5, max_denominator=4)),
    ),
    st.sampled_from(["hold", "stop"]),
    st.sampled_from([2, 4]),
)
def test_marks_change_neither_how_many_frames_there_are_nor_when(frames: list[Frame], grid, tail, window: int):
    first, last = frames[0].time, frames[-1]
    end = last.time + last.duration
    plain = [replace(frame, cut=None, repeat=False) for frame in frames]
    made = list(run(frames, Blend(window=window), grid, tail=tail))
    unmarked = list(run(plain, Blend(window=window), grid, tail=tail))
    assert [(frame.time, frame.duration) for frame in made] == [(frame.time, frame.duration) for frame in unmarked]
    assert len(made) == grid.count(len(frames), (end if tail == "hold" else last.time) - first, tail)
    assert all(before.time < after.time for before, after in pairwise(made))
    if tail == "hold":
        assert sum(frame.duration for frame in made) == (end - first) * grid.stretch
    stays = {frame.time: frame for k, frame in enumerate(frames) if k == 0 or frame.cut or not frame.repeat}
    for frame in made:
        at = first + (frame.time - first) / grid.stretch
        if at in stays:
            assert not frame.made
            assert torch.equal(frame.rgb, stays[at].rgb)
