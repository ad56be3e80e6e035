"""The control video and masks of Wan VACE."""

from __future__ import annotations

import pytest
import torch

from vfi.core import InputError
from vfi.tween import vace


def test_known_frames_are_shown_and_the_others_are_grey():
    pictures = torch.rand(2, 3, 32, 48)
    video, unknown = vace.control([(0, pictures[0]), (7, pictures[1])], 9, (48, 32))
    assert video.shape == (9, 3, 32, 48)
    assert unknown.tolist() == [False, *[True] * 6, False, True]
    assert torch.equal(video[[0, 7]], pictures)
    assert (video[unknown] == 0.5).all()


@pytest.mark.parametrize("frames", [1, 5, 81, 4097])
def test_lengths_that_wan_can_draw(frames):
    vace.check(frames, (832, 480))


@pytest.mark.parametrize(
    ("frames", "size", "said"),
    [
        (80, (832, 480), "such as 77 or 81"),
        (82, (832, 480), "such as 81 or 85"),
        (0, (832, 480), "such as 1 or 5"),
        (81, (840, 480), "a size of 840x480 was asked for: Wan needs multiples of 16"),
    ],
)
def test_other_lengths_and_sizes_are_refused(frames, size, said):
    with pytest.raises(InputError, match=said):
        vace.check(frames, size)


@pytest.mark.parametrize(("width", "height", "rows", "columns"), [(10, 20, (0, 32), (16, 32)), (40, 10, (10, 22), (0, 48))])
def test_a_reference_is_whole_on_a_white_canvas(width, height, rows, columns):
    canvas = vace.reference(torch.full((3, height, width), 0.25), (48, 32))
    assert canvas.shape == (3, 32, 48)
    inside = torch.zeros(32, 48, dtype=torch.bool)
    inside[slice(*rows), slice(*columns)] = True
    torch.testing.assert_close(canvas[:, inside], torch.full_like(canvas[:, inside], 0.25))
    assert (canvas[:, ~inside] == 1).all()


def test_a_reference_of_the_size_is_not_touched():
    picture = torch.rand(3, 32, 48)
    assert torch.equal(vace.reference(picture, (48, 32)), picture)
