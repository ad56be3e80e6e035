"""Spacing Chart and Tween with Charts: parts of a picture at times of their own, from masks or tracks."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor

CHART = json.dumps({"charts": {"*": "even", "square": [0, 0.2, 0.9]}})


def square(left: int) -> Tensor:
    """A bright square of 24 pixels on a grey ramp: [1,H,W,3]."""
    image = torch.linspace(0.1, 0.4, 160).expand(96, 160)[..., None].repeat(1, 1, 3)
    image[30:54, left : left + 24] = torch.tensor([0.9, 0.9, 0.2])
    return image[None]


def mask(left: int) -> Tensor:
    plane = torch.zeros(1, 96, 160)
    plane[:, 30:54, left : left + 24] = 1
    return plane


def centre(image: Tensor) -> float:
    return float((image[..., 0] > 0.6).nonzero(as_tuple=True)[1].double().mean())


@pytest.fixture
def linear(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    return model


@pytest.fixture
def charts(run):
    charts, text = run("InbetweenSpacingChart", frames=3, chart=CHART)
    assert json.loads(text) == {"v": 1, "frames": 3, **json.loads(CHART)}
    return charts


def test_a_part_is_where_its_chart_puts_it(run, linear, charts):
    images, parts = run("InbetweenTweenCharts", first=square(20), last=square(100), charts=charts, parts=mask(20), model=linear)
    assert torch.equal(images[[0, -1]], torch.cat([square(20), square(100)]))
    assert [centre(image) for image in images[1:-1]] == pytest.approx([31.5, 47.5, 103.5], abs=0.5)
    assert torch.equal(parts, mask(20))


def test_masks_of_both_keyframes_or_a_track_do_as_well(run, linear, charts):
    given = {"first": square(20), "last": square(100), "charts": charts, "model": linear}
    path = torch.tensor([[[30.0, 40.0]], [[110.0, 40.0]]])
    tracks = {"track_path": path, "track_visibility": torch.ones(2, 1, dtype=torch.bool)}
    for more in ({"parts": mask(20), "last_parts": mask(100)}, {"tracks": tracks}):
        images, _ = run("InbetweenTweenCharts", **given, **more)
        assert [centre(image) for image in images[1:-1]] == pytest.approx([31.5, 47.5, 103.5], abs=0.5)


def test_an_empty_chart_is_even(run, linear):
    charts, text = run("InbetweenSpacingChart", frames=1, chart=" ")
    assert json.loads(text) == {"v": 1, "frames": 1, "charts": {}}
    images, _ = run("InbetweenTweenCharts", first=square(20), last=square(100), charts=charts, model=linear)
    assert torch.allclose(images[1], (square(20) + square(100))[0] / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"parts": None}, "the charts have 1 parts and no masks were given"),
        ({"parts": torch.zeros(2, 96, 160)}, "the charts have 1 parts and 2 masks were given"),
        ({"parts": torch.zeros(1, 96, 160)}, "the mask of square in the first keyframe is empty"),
        ({"parts": torch.ones(1, 64, 64)}, "the mask of square is 64x64 and the keyframes are 160x96"),
        ({"last": square(100)[:, :64]}, "the first frame is 160x96 with 3 channels and the last 160x64"),
        ({"charts": "ones"}, "charts is of type str: connect Spacing Chart"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(run, linear, charts, given, told):
    usual = {"first": square(20), "last": square(100), "charts": charts, "parts": mask(20), "model": linear}
    with pytest.raises(ValueError, match=told):
        run("InbetweenTweenCharts", **{key: value for key, value in {**usual, **given}.items() if value is not None})


def test_a_model_that_follows_a_guide_is_refused(run, linear, charts):
    tracks = {"track_path": torch.zeros(2, 1, 2), "track_visibility": torch.ones(2, 1, dtype=torch.bool)}
    (model,) = run("InbetweenGuide", model=linear, strength=1.0, auto=False, tracks=tracks)
    with pytest.raises(ValueError, match="connect its tracks to tracks of Tween with Charts instead"):
        run("InbetweenTweenCharts", first=square(20), last=square(100), charts=charts, parts=mask(20), model=model)


@pytest.mark.parametrize("text", ["nonsense", '{"charts": {"a": [2]}}', '{"charts": {"a": [0.1, 0.2]}}'])
def test_what_is_no_chart_is_refused(run, text):
    with pytest.raises(ValueError, match="chart"):
        run("InbetweenSpacingChart", frames=1, chart=text)
