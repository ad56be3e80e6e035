"""Pictures as a person sees them."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
import torch

from vfi.core import Frame
from vfi.pixels.transfer import TRANSFERS
from vfi.pixels.view import view


def frame(rgb: torch.Tensor, alpha: torch.Tensor | None = None) -> Frame:
    return Frame(rgb, F(0), F(1, 24), alpha)


def test_codes_of_ordinary_clips_are_shown_as_they_are():
    rgb = torch.randint(0, 256, (3, 20, 30), dtype=torch.uint8)
    for name in ("srgb", "bt1886"):
        assert np.array_equal(view(frame(rgb), 100, TRANSFERS[name]), rgb.movedim(0, -1).numpy())


@pytest.mark.parametrize(
    ("size", "wanted"), [((40, 100), (20, 50)), ((100, 40), (50, 20)), ((1, 400), (1, 50)), ((1, 1), (1, 1))]
)
def test_pictures_are_reduced_in_proportion(size: tuple[int, int], wanted: tuple[int, int]):
    assert view(frame(torch.rand(3, *size)), 50).shape == (*wanted, 3)


@pytest.mark.parametrize(("name", "white"), [("pq", 0.5807), ("hlg", 0.75), ("linear", 1.0)])
def test_white_of_hdr_is_nearly_white_and_what_is_brighter_still_differs(name: str, white: float):
    shown = [
        view(frame(torch.full((3, 4, 4), code)), 4, TRANSFERS[name])[0, 0, 0] for code in (0, white * 0.6, white, white * 1.2)
    ]
    assert shown[0] == 0
    assert 225 < shown[2] < 250
    assert shown[1] < shown[2] < shown[3] <= 255


def test_wide_primaries_become_those_of_the_screen():
    green = torch.zeros(3, 2, 2)
    green[1] = 0.5
    grey = torch.full((3, 2, 2), 0.5)
    assert tuple(view(frame(green), 2, TRANSFERS["pq"], 9)[0, 0]) != tuple(view(frame(green), 2, TRANSFERS["pq"])[0, 0])
    assert np.abs(view(frame(grey), 2, TRANSFERS["pq"], 9).astype(int) - view(frame(grey), 2, TRANSFERS["pq"])).max() <= 1


def test_what_is_transparent_shows_a_checkerboard():
    made = view(frame(torch.ones(3, 32, 32), torch.zeros(1, 32, 32)), 32)
    assert len(np.unique(made)) == 2
    half = torch.cat([torch.ones(1, 32, 16), torch.zeros(1, 32, 16)], 2)
    assert np.all(view(frame(torch.ones(3, 32, 32), half), 32)[:, :16] == 255)


def test_what_is_no_number_is_black():
    assert view(frame(torch.full((3, 2, 2), float("nan"))), 2).max() == 0
    assert view(frame(torch.full((3, 2, 2), float("inf"))), 2).min() == 255
