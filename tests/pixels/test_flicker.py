"""Alternation of brightness and colour between new frames and the input's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction as F

import pytest
import torch
from models import Blend

from vfi.core import Frame
from vfi.model.load import load
from vfi.pixels.flicker import Flicker, flicker
from vfi.render.run import run
from vfi.timing.grids import Subdivide, Uniform


class Tinted(Blend):
    """A blend that multiplies its new frames by ``gain``, a number for each colour."""

    def __init__(self, *gain: float) -> None:
        super().__init__()
        self.gain = torch.tensor(gain)[:, None, None]

    def __call__(self, window, t):
        return super().__call__(window, t) * self.gain


def panning(count: int, level: float = 0.5, grow: float = 0.02) -> Iterator[Frame]:
    """A texture that moves by two pixels a frame, in light that grows; a cut to something far brighter in the middle."""
    torch.manual_seed(0)
    texture = torch.nn.functional.interpolate(torch.rand(1, 3, 12, 60), (48, 240), mode="bicubic")[0].clamp(0, 1)
    for index in range(count):
        later = index >= count // 2
        rgb = texture[:, :, 2 * index : 2 * index + 64] * level * (1 + grow * index) * (1.6 if later else 1)
        yield Frame(rgb.clamp(0, 1), F(index, 24), F(1, 24), cut="hold" if index == count // 2 else None)


@pytest.mark.parametrize("grid", [Subdivide(2), Subdivide(5), Uniform(F(60))])
@pytest.mark.parametrize("level", [0.06, 0.5])
def test_new_frames_one_per_cent_darker_are_found(grid, level):
    found = flicker(run(panning(20, level), Tinted(0.99, 0.99, 0.99), grid, tail="hold"))
    assert found.seen
    assert found.shift == pytest.approx(-0.01, abs=1e-3)
    assert found.frames > 10


def test_a_tint_is_found():
    found = flicker(run(panning(20), Tinted(1.01, 1.0, 0.99), Subdivide(2)))
    assert found.seen
    assert found.colour == pytest.approx((0.01, 0, -0.01), abs=1.5e-3)
    assert abs(found.shift) < 0.003


@pytest.mark.parametrize("model", ["linear", "dis"])
@pytest.mark.parametrize("grid", [Subdivide(2), Uniform(F(60))])
def test_clean_frames_are_clean(model, grid):
    found = flicker(run(panning(20), load(model), grid, tail="hold"))
    assert not found.seen
    assert found.frames > 10


def test_brightness_that_is_the_inputs_own_is_no_flicker():
    frames = [replace(frame, rgb=frame.rgb * (1 + 0.1 * (index % 2))) for index, frame in enumerate(panning(20))]
    assert not flicker(run(frames, Blend(), Subdivide(2))).seen


def test_without_new_frames_there_is_none():
    assert flicker(run(panning(4), Blend(), Subdivide(1))) == Flicker()
    assert flicker([]) == Flicker()
