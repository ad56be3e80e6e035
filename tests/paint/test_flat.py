"""Areas of line art, and their colours handed on, on drawings whose motion is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from vfi.paint.flat import Colours, areas, coloured, common, is_flat, joined

RED, BLUE, SKIN = (0.8, 0.2, 0.2), (0.2, 0.2, 0.8), (1.0, 0.8, 0.6)


class Pan:
    """Everything moves by (``dx``, ``dy``) from frame to frame."""

    def __init__(self, dx: float, dy: float = 0.0) -> None:
        self.by = dx, dy

    def __call__(self, before: torch.Tensor, after: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flow = torch.tensor(self.by).view(1, 2, 1, 1).expand(1, 2, *before.shape[-2:])
        return flow, -flow


def drawn(x: int, *, painted: bool, gap: bool = False, bend: int = 0) -> np.ndarray:
    """A head with two eyes at ``x``, anti-aliased black lines on white paper, [120,160,3]."""
    colours = {"head": SKIN, "eye": BLUE, "hat": RED} if painted else dict.fromkeys(("head", "eye", "hat"), (1.0, 1.0, 1.0))
    big = np.ones((480, 640, 3), np.float32)
    at = (4 * x, 280)

    def outlined(points: np.ndarray, colour: tuple[float, ...], closed: bool = True) -> None:
        cv2.fillPoly(big, [points], colour)
        cv2.polylines(big, [points], closed, (0, 0, 0), 10)

    head = cv2.ellipse2Poly(at, (140, 140 + bend), 0, 0, 360, 5)
    outlined(head, colours["head"])
    outlined(np.array([(at[0] - 120, 160), (at[0], 40), (at[0] + 120, 160)], np.int32), colours["hat"])
    for side in (-56, 56):
        outlined(cv2.ellipse2Poly((at[0] + side, 260), (28, 28), 0, 0, 360, 10), colours["eye"])
    if gap:
        big[250:270, at[0] + 24 : at[0] + 34] = SKIN if painted else 1.0
    return np.rint(cv2.resize(big, (160, 120), interpolation=cv2.INTER_AREA) * 255).astype(np.float32) / 255


def test_the_areas_of_a_drawing():
    found = areas(drawn(80, painted=False))
    assert len(found.sizes) == 6  # lines, paper, head, hat, two eyes
    assert (found.colours[1:] > 0.99).all()


def test_a_ball_does_not_fit_through_a_gap():
    found = areas(drawn(80, painted=False, gap=True))
    eye, head = found.labels[65, 94], found.labels[100, 80]
    assert 0 < eye != head > 0


def test_flat_colour_is_told_from_painting():
    original, painted = drawn(80, painted=False), drawn(80, painted=True)
    assert is_flat(original, painted)
    noise = np.random.default_rng(0).normal(0, 0.1, painted.shape).astype(np.float32)
    assert not is_flat(original, (painted + noise).clip(0, 1))
    photograph = cv2.GaussianBlur(np.random.default_rng(1).random((120, 160, 3)).astype(np.float32), (0, 0), 3)
    assert not is_flat(photograph, 1 - photograph)


@pytest.mark.parametrize("step", [3, -5])
def test_colours_are_handed_on_exactly(step: int):
    colours = Colours(drawn(80, painted=False), drawn(80, painted=True), Pan(step))
    for k in range(1, 5):
        picture, truth = drawn(80 + k * step, painted=False, bend=2 * k), drawn(80 + k * step, painted=True, bend=2 * k)
        found = areas(picture)
        told = colours.step(picture, found)
        made = coloured(
            picture, found, np.concatenate((colours.table, np.full((1, 3), np.nan, np.float32)))[told.which], colours.ink
        )
        inside = areas(truth).labels > 0
        assert np.array_equal(
            np.rint(made * 255)[inside & (found.labels > 0)], np.rint(truth * 255)[inside & (found.labels > 0)]
        )
        assert np.abs(made - truth).mean() < 0.004  # soft edges too
    assert np.array_equal(np.rint(common(truth, found)[1] * 255), [255, 255, 255])


def test_an_area_that_jumps_further_than_its_size_keeps_its_colour():
    colours = Colours(drawn(70, painted=False), drawn(70, painted=True), Pan(0))
    picture = drawn(79, painted=False)
    told = colours.step(picture, found := areas(picture))
    eyes = [found.labels[65, 79 + side] for side in (-14, 14)]
    assert [np.rint(colours.table[told.which[eye]] * 255).tolist() for eye in eyes] == [[51, 51, 204]] * 2


def test_of_two_keys_the_one_that_knows_an_area_tells_it():
    colours = Colours(drawn(80, painted=False), drawn(80, painted=True), Pan(3))
    picture = drawn(83, painted=False)
    told = colours.step(picture, areas(picture))
    blank = told._replace(which=np.full_like(told.which, -1))
    both, later = joined(blank, told, 0.1)
    assert np.array_equal(both.which, told.which)
    assert later[told.which >= 0].all()
    both, later = joined(told, told, 0.1)
    assert not later.any()


def test_paper_does_not_show_along_a_level_line():
    """A long level line has runs of even ink that count as areas; the border of the paper beside it is painted all the same."""

    def horizon(*, painted: bool) -> np.ndarray:
        big = np.ones((480, 1280, 3), np.float32)
        big[:] = BLUE if painted else (1.0, 1.0, 1.0)
        ground = np.array([(-40, 250), (1320, 226), (1320, 520), (-40, 520)], np.int32)
        cv2.fillPoly(big, [ground], RED if painted else (1.0, 1.0, 1.0))
        cv2.polylines(big, [ground], True, (0, 0, 0), 12)
        return np.rint(cv2.resize(big, (320, 120), interpolation=cv2.INTER_AREA) * 255).astype(np.float32) / 255

    picture, truth = horizon(painted=False), horizon(painted=True)
    found = areas(picture)
    assert len(found.sizes) > 3  # lines, above, below, and runs of ink
    colours = Colours(picture, truth, Pan(0))
    told = colours.step(np.nextafter(picture, np.float32(1)), found)
    paint = np.concatenate((colours.table, np.full((1, 3), np.nan, np.float32)))[told.which]
    made = coloured(picture, found, paint, colours.ink)
    assert np.abs(made - truth).max() < 0.3
