"""Pictures brought to the size at which is drawn, and what was on them."""

from __future__ import annotations

import pytest
import torch

from vfi.tracks import Tracks
from vfi.tween.fit import Fit, shaped


@pytest.mark.parametrize(
    ("whole", "size", "corner", "part"),
    [
        ((512, 320), (512, 320), (0, 0), (512, 320)),
        ((640, 384), (512, 320), (13, 0), (614, 384)),
        ((1024, 1024), (512, 320), (0, 192), (1024, 640)),
        ((333, 100), (64, 64), (116, 0), (100, 100)),
        ((1, 50), (64, 64), (0, 24), (1, 1)),
    ],
)
def test_the_middle_of_a_picture_of_that_shape(whole, size, corner, part):
    fit = Fit.middle(whole, size)
    assert (fit.corner, fit.part, fit.size) == (corner, part, size)
    assert shaped(whole, size) == part


def test_pictures_of_the_size_are_not_touched():
    pictures = torch.rand(2, 3, 64, 96)
    fit = Fit.middle((96, 64), (96, 64))
    assert torch.equal(fit.pictures(pictures), pictures)
    assert torch.equal(fit.back(pictures), pictures)


def test_a_picture_goes_there_and_back():
    y, x = torch.meshgrid(torch.linspace(0, 1, 80), torch.linspace(0, 1, 150), indexing="ij")
    picture = torch.stack((x, y, (x + y) / 2))[None]
    fit = Fit((20, 10), (100, 60), (200, 120))
    small = fit.pictures(picture)
    assert small.shape == (1, 3, 120, 200)
    assert 0 <= small.min() <= small.max() <= 1
    assert torch.allclose(fit.back(small), fit.cut(picture), atol=0.01)


def test_tracks_stay_where_they_are_on_the_picture():
    path = torch.tensor([[[20.0, 10.0], [69.5, 39.5]], [[119.0, 69.0], [0.0, 0.0]]])
    tracks = Fit((20, 10), (100, 60), (200, 120)).tracks(Tracks(path, torch.ones(2, 2, dtype=torch.bool), (150, 80)))
    assert tracks.size == (200, 120)
    expected = torch.tensor([[[0.5, 0.5], [99.5, 59.5]], [[198.5, 118.5], [-39.5, -19.5]]])
    assert torch.allclose(tracks.path, expected)
