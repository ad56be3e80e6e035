"""Codes of 8 bits and floats, one as the other, and everything that takes frames of either."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
import torch

from vfi.clips import images
from vfi.clips.clip import Info
from vfi.clips.open import create_clip
from vfi.core import Frame
from vfi.pixels.flicker import flicker
from vfi.pixels.thumbnails import small
from vfi.pixels.transfer import named
from vfi.pixels.uint8 import codes, floats, like
from vfi.timing.shutter import exposed

ALL = torch.arange(256, dtype=torch.uint8).view(1, 16, 16).expand(3, -1, -1)


def test_codes_return_from_floats():
    assert torch.equal(floats(ALL), ALL.double().div(255).float())
    assert torch.equal(codes(floats(ALL)), ALL)


@pytest.mark.parametrize(("value", "code"), [(-1, 0), (0.4999 / 255, 0), (0.5001 / 255, 1), (254.6 / 255, 255), (300, 255)])
def test_the_nearest_code_is_taken(value: float, code: int):
    assert codes(torch.full((3, 2, 2), value)).unique().tolist() == [code]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
def test_a_picture_becomes_as_another_is(dtype: torch.dtype):
    made = like(torch.zeros(3, 16, 16, dtype=dtype), floats(ALL))
    assert made.dtype == dtype
    assert torch.equal(codes(floats(made)), ALL)


def test_floats_are_taken_as_they_are():
    picture = torch.rand(3, 4, 4)
    assert floats(picture) is picture


def both(alpha: bool = False) -> tuple[Frame, Frame]:
    """A frame of codes, and the same in floats."""
    seen = ALL[:1].flip(1) if alpha else None
    return Frame(ALL, F(0), F(1), seen), Frame(floats(ALL), F(0), F(1), None if seen is None else floats(seen))


def test_small_copies_mean_the_same():
    one, other = both()
    assert torch.equal(small(one), small(other))


@pytest.mark.parametrize("alpha", [False, True])
def test_an_exposure_of_codes_is_of_codes(alpha: bool):
    later = [Frame(frame.rgb.flip(2), F(0), F(1), frame.alpha) for frame in both(alpha)]
    one, other = (next(exposed(pair, named("srgb"))) for pair in zip(both(alpha), later, strict=True))
    assert one.rgb.dtype == torch.uint8
    assert torch.equal(one.rgb, codes(other.rgb))


def test_flicker_means_the_same():
    one, other = both()
    assert flicker([one, one]) == flicker([other, other])


@pytest.mark.parametrize("alpha", [False, True])
def test_written_images_are_the_same(tmp_path, alpha: bool):
    written = []
    for name, frame in zip(("codes", "floats"), both(alpha), strict=True):
        with create_clip(tmp_path / name, Info(16, 16, alpha=alpha)) as writer:
            writer.write(frame)
        written.append(next(iter(images.ImageReader(tmp_path / name, F(1)))))
    assert np.array_equal(written[0].rgb, written[1].rgb)
    assert torch.equal(codes(written[0].rgb), ALL)
