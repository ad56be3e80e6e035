"""Courses of light: borders, pulses and drift are found in measures of known light, and nothing in the light of scenes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

from vfi.core import Frame, InputError
from vfi.edit.heal.borders import borders
from vfi.edit.heal.course import calm, courses
from vfi.edit.heal.drifts import anchored, drifts
from vfi.edit.heal.findings import Finding
from vfi.edit.heal.judge import _courses
from vfi.edit.heal.pictures import light_between, light_of, thumbnail
from vfi.edit.heal.record import SPAN, Measure, Record, Spans

WHITE = np.ones(3)


def measured(light: np.ndarray, uneven: float = 0.0, noise: float = 0.001, cuts: tuple[int, ...] = ()) -> Record:
    """Frames in ``light`` [n,3], logarithms; ``uneven``: how much more of its changes some parts of the picture get."""
    dice = np.random.default_rng(5)
    steps = np.diff(light, axis=0, prepend=light[:1])
    more = 1 + uneven * np.linspace(-1, 1, 9)[:, None]
    made = []
    for k, step in enumerate(steps):
        shift = dice.normal(0, noise, 3) if k else np.zeros(3)
        parts = step * more + dice.normal(0, 2 * noise, (9, 3))
        gain = tuple(float(one) for one in step + shift)
        made.append(Measure(k, F(k, 24), k in cuts, (99.0, 100.0, 101.0), 40.0, gain=gain, parts=parts))  # type: ignore[arg-type]
    return Record(made)


def found(frames: Record, spans: Spans | None = None) -> list[Finding]:
    steps = borders(frames)
    return [*steps, *_courses(frames, steps, spans or Spans(), [False] * len(frames))]


def spanned(light: np.ndarray) -> Spans:
    """What spans tell of ``light`` [n,3], the same in all parts."""
    spans = Spans()
    for first in range(0, len(light) - SPAN, SPAN):
        spans.append(first, np.tile(light[first + SPAN] - light[first], (10, 1)))
    return spans


def grey(values: np.ndarray) -> np.ndarray:
    return np.outer(values, WHITE)


PLACES = np.arange(64)

LIGHT = {
    "brighter": ("drift", grey(np.log(1 + 0.1 * PLACES / 63))),
    "darker": ("drift", grey(np.log(1 - 0.1 * PLACES / 63))),
    "warmer": ("drift", np.outer(PLACES / 63, [0.05, 0, -0.05])),
    "settling": ("drift", grey(0.1 * (1 - np.exp(-PLACES / 12)))),
    "every eighth": ("pulse", grey(0.04 * (PLACES % 8 == 3))),
    "every sixteenth": ("pulse", grey(0.04 * (PLACES % 16 == 3))),
    "every second": ("pulse", grey(0.03 * (PLACES % 2))),
    "a wave": ("pulse", grey(0.04 * np.sin(PLACES * np.pi / 8))),
    "flicker": ("pulse", grey(np.random.default_rng(1).normal(0, 0.02, 64))),
    "a step": ("border", grey(0.03 * (PLACES >= 30))),
    "a step of colour": ("border", np.outer(PLACES >= 30, [0.03, 0, -0.03])),
    "a smeared step": ("border", grey(0.05 * np.clip((PLACES - 28) / 2, 0, 1) ** 2)),
}


@pytest.mark.parametrize("name", LIGHT)
def test_a_course_is_found_with_its_light(name: str):
    kind, light = LIGHT[name]
    (one,) = found(measured(light))
    assert one.kind == kind
    assert 0.4 < one.confidence <= 1
    if kind == "border":
        assert abs(one.first - 30) <= 1
        np.testing.assert_allclose(one.light[0], light[-1], atol=0.01)
        return
    assert (one.first, one.last) == (0, 63)
    rest = light - np.array(one.light)
    rest -= rest.mean(axis=0)
    whole = light - light.mean(axis=0)
    assert (rest**2).mean() < 0.1 * (whole**2).mean()  # 10 dB


@pytest.mark.parametrize("name", LIGHT)
def test_light_that_parts_of_a_picture_do_not_share_belongs_to_the_scene(name: str):
    assert found(measured(LIGHT[name][1], uneven=4.0)) == []


def test_spans_tell_drift_that_single_steps_do_not():
    light, errors = LIGHT["brighter"][1], grey(-0.09 * PLACES / 63)
    assert found(measured(light + errors)) == []
    (one,) = found(measured(light + errors), spanned(light))
    assert one.kind == "drift"
    np.testing.assert_allclose(np.array(one.light)[:, 0], light[:, 0], atol=0.02)
    assert found(measured(light), spanned(0 * light)) == []


def test_a_course_is_tied_to_what_spans_tell():
    light = LIGHT["brighter"][1]
    (course,) = courses(measured(0 * light, noise=0.0))
    spans = spanned(light)
    tied = course.tied(spans, [False] * 64)
    np.testing.assert_allclose(tied.light[::SPAN], light[::SPAN], atol=1e-6)
    np.testing.assert_allclose(tied.parts.sum(axis=0), np.tile(light[56], (9, 1)), atol=1e-6)
    loose = course.tied(spans, [8 <= k < 10 for k in range(64)])  # neither span at frame 8 counts
    np.testing.assert_allclose(loose.light[-1], light[56] - light[16], atol=1e-6)
    nothing = Spans()
    nothing.append(0, np.full((10, 3), np.nan))
    assert np.array_equal(course.tied(nothing, [False] * 64).light, course.light)


SCENES = {
    "nothing": grey(0.0 * PLACES),
    "a slow change": grey(0.02 * PLACES / 63),
    "a fade": grey(-0.1 * np.clip(PLACES - 20, 0, None)),
    "to and fro": grey(0.06 * np.sin(PLACES * np.pi / 63)),
    "a bright light": grey(0.5 * (PLACES >= 30)),
}


@pytest.mark.parametrize("name", SCENES)
def test_the_light_of_scenes_is_left_alone(name: str):
    assert found(measured(SCENES[name])) == []


def test_steps_pulses_and_drift_are_told_apart():
    light = LIGHT["brighter"][1] + LIGHT["every eighth"][1] + 0.05 * (PLACES >= 33)[:, None]
    some = found(measured(light))
    assert [one.kind for one in some] == ["border", "pulse", "drift"]
    total = np.array(some[1].light) + some[2].light + np.outer(some[0].first <= PLACES, some[0].light[0])
    assert np.abs(light - total).max() < 0.02


def test_each_shot_has_a_course_of_its_own():
    light = np.concatenate([LIGHT["brighter"][1], np.zeros((10, 3)), LIGHT["warmer"][1]])
    some = found(measured(light, cuts=(64, 74)))
    assert [(one.kind, one.first, one.last) for one in some] == [("drift", 0, 63), ("drift", 74, 137)]


def test_faults_are_bridged():
    light = LIGHT["brighter"][1].copy()
    light[30:32] += 0.4
    frames = measured(light)
    busy = [30 <= k < 32 for k in range(64)]
    (one,) = found(calm(frames, busy))
    assert one.kind == "drift"
    np.testing.assert_allclose(np.array(one.light)[:, 0], LIGHT["brighter"][1][:, 0], atol=0.012)
    assert frames[30].gain[0] > 0.3  # what was measured stays as it is


def test_short_and_unknown_shots_have_no_course():
    frames = measured(np.zeros((64, 3)), cuts=(5, 16))
    assert [course.first for course in courses(frames)] == [16]
    unknown = Record(replace(one, parts=None) for one in measured(LIGHT["brighter"][1]))
    assert found(unknown) == []
    assert drifts(courses(unknown)[0]) == []


def drift() -> Finding:
    light = tuple((0.01 * k, 0.0, -0.01 * k) for k in range(5))
    return Finding("drift", 3, 7, 5, 0.9, "regrade", light=light)


def test_drift_is_measured_from_its_anchor():
    one, other = drift(), Finding("flash", 1, 1, 1, 0.9, "remake")
    assert anchored([one, other], "first") == (one, other)
    (median,) = anchored([one], "median")
    np.testing.assert_allclose(median.light[2], 0, atol=1e-12)
    frames = measured(np.zeros((9, 3)))
    (twice,) = anchored([one], (99 / 2, 100.0, 101.0), frames)
    np.testing.assert_allclose(twice.light[0], (np.log(2), 0, 0), atol=1e-12)
    np.testing.assert_allclose(np.subtract(twice.light, twice.light[0]), np.subtract(one.light, one.light[0]), atol=1e-12)
    with pytest.raises(InputError, match="at most 20 times can be made even"):
        anchored([one], (1.0, 100.0, 101.0), frames)


def frame(rgb: np.ndarray, alpha: np.ndarray | None = None) -> Frame:
    import torch

    planes = torch.from_numpy(rgb).movedim(-1, 0).float()
    return Frame(planes, F(0), alpha=None if alpha is None else torch.from_numpy(alpha)[None].float())


def test_less_than_a_code_of_light_is_measured():
    """A still picture, 8 bit: 0.2 % changes most of its codes by nothing."""
    dice = np.random.default_rng(2)
    picture = dice.random((128, 128, 3)) * 0.6 + 0.2
    early, late = ((np.round(one * 255) / 255) for one in (picture, picture * 1.002))
    gain, parts = light_of(thumbnail(frame(early)), thumbnail(frame(late)), np.zeros((128, 128, 2), np.float32))
    np.testing.assert_allclose(gain, np.log(1.002), atol=2e-4)
    assert parts.shape == (9, 3)
    np.testing.assert_allclose(parts, np.log(1.002), atol=1e-3)


def test_light_is_measured_where_motion_meets():
    dice = np.random.default_rng(2)
    picture = (dice.random((96, 96, 3)) * 120 + 60).astype(np.float32)
    later = np.roll(picture, 3, axis=1) * np.float32(1.1)
    there = np.zeros((96, 96, 2), np.float32)
    there[..., 0] = -3
    light = light_between(picture, later, there, -there)
    assert light.shape == (10, 3)
    np.testing.assert_allclose(light, np.log(1.1), atol=0.01)
    wrong = -there
    wrong[:, 64:] += 5  # motion of the right third does not meet
    lost = light_between(picture, later, there, wrong)
    assert np.isnan(lost[3::3]).all()
    np.testing.assert_allclose(lost[[0, 1, 4, 7]], np.log(1.1), atol=0.01)


def test_what_is_black_white_or_transparent_tells_no_light():
    flow = np.zeros((64, 64, 2), np.float32)
    for one in (np.zeros((64, 64, 3)), np.ones((64, 64, 3))):
        gain, parts = light_of(thumbnail(frame(one)), thumbnail(frame(one)), flow)
        assert gain == (0, 0, 0)
        assert np.isnan(parts).all()
    grey = np.full((64, 64, 3), 0.5)
    half = np.zeros((64, 64))
    half[:, :32] = 1
    gain, parts = light_of(thumbnail(frame(grey, half)), thumbnail(frame(grey * 1.1, half)), flow)
    np.testing.assert_allclose(gain, np.log(1.1), atol=1e-5)
    assert np.isnan(parts[2::3]).all()
