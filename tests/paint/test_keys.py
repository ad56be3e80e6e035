"""Names of keys, and what is painted in them."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest
import torch
from painting import marked, pictures, recoloured

from vfi.clips.clip import Info
from vfi.core import Frame, InputError
from vfi.paint.keys import files_of, number_of, paint_of, placed


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("48.png", 48),
        ("shot2_v3.0048.png", 48),
        ("frame-7 painted.webp", 7),
        ("0000.tif", 0),
        ("frame_0048_v3.png", 48),
        ("48v2.png", 48),
        ("v3.png", 3),
        ("retouch v2 0048.V11.png", 48),
    ],
)
def test_the_last_number_of_a_name_is_the_frame(name: str, number: int):
    assert number_of(Path(name)) == number


def test_keys_are_sorted_by_number_and_hidden_files_are_none(tmp_path: Path):
    for name in ("10.png", "9.png", ".8.png", "notes.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in files_of(tmp_path)] == ["9.png", "10.png"]
    assert files_of(tmp_path / "9.png") == [tmp_path / "9.png"]


def test_a_key_past_the_end_is_named_with_the_numbers_that_there_are():
    with pytest.raises(InputError, match=r"7\.png is the key of frame 7: the clip has frames 101 to 104"):
        placed([Path("7.png")], [7], Info(8, 8), 4, lambda number: number - 101)


def frame(rgb: torch.Tensor, alpha: torch.Tensor | None = None) -> Frame:
    return Frame(rgb, F(0), alpha=alpha)


def test_a_retouch_is_where_the_key_differs():
    (given,) = pictures(1)
    paint = paint_of(frame(marked(given, 0)), frame(given))
    cover = paint.layer[..., 3]
    assert not paint.whole
    assert cover[16:28, 50:62].mean() > 0.98
    assert cover.sum() == cover[16:28, 50:62].sum()


@pytest.mark.parametrize("noise", [1, 2])
def test_noise_of_another_conversion_is_no_paint(noise: int):
    (given,) = pictures(1)
    dice = torch.Generator().manual_seed(1)
    off = torch.randint(-noise, noise + 1, given.shape, generator=dice)
    key = (marked(given, 0).int() + off).clamp(0, 255).to(torch.uint8)
    cover = paint_of(frame(key), frame(given)).layer[..., 3]
    assert cover[16:28, 50:62].mean() > 0.95
    cover[14:30, 48:64] = 0
    assert cover.mean() < 0.002


def test_a_painting_covers_all_though_some_pixels_happen_to_be_equal():
    (given,) = pictures(1)
    key = recoloured(given)
    key[:, :3, :3] = given[:, :3, :3]
    assert paint_of(frame(key), frame(given)).whole


def test_transparent_paint_has_no_colour_of_its_own():
    (given,) = pictures(1)
    alpha = torch.zeros(1, *given.shape[1:])
    alpha[:, 10:20, 10:20] = 1
    key = torch.where(alpha > 0, torch.tensor(200), torch.tensor(0)).to(torch.uint8).expand(3, -1, -1)
    paint = paint_of(frame(key, alpha), frame(given))
    assert np.array_equal(paint.painted[30:], paint.original[30:])
    assert np.allclose(paint.painted[12, 12], 200 / 255)
    opaque = paint_of(frame(key, torch.ones_like(alpha)), frame(given))
    assert opaque.whole
