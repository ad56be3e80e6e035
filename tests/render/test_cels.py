"""In-betweens of two cels: float light, depth and transparency stay, and cels that do not fit are named."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import pytest
import torch
from sheeting import cel

from vfi.archs.blend import Linear
from vfi.clips.clip import Info, transfer_of
from vfi.clips.images import ImageEncoder, read_described, read_image
from vfi.core import Frame, InputError
from vfi.pixels.uint8 import floats
from vfi.render.cels import Tweener


def tweener() -> Tweener:
    return Tweener(lambda info: Linear())


def exr(path: Path, light: float, alpha: float | None) -> Path:
    """A cel of linear light."""
    info = Info(6, 4, alpha=alpha is not None, floats=True, depth=32, curve="linear")
    plane = None if alpha is None else torch.full((1, 4, 6), alpha)
    path.write_bytes(ImageEncoder(".exr", info).encoded(Frame(torch.full((3, 4, 6), light), F(0), alpha=plane)))
    return path


def test_light_beyond_white_and_its_transparency_are_kept(tmp_path: Path):
    before, after = exr(tmp_path / "a.exr", 4, 0.5), exr(tmp_path / "b.exr", 8, None)
    info, frames = tweener().between(before, after, [F(1, 2)])
    (made,) = frames
    assert (info.alpha, info.floats, info.depth, transfer_of(info).name) == (True, True, 32, "linear")
    assert made.alpha is not None
    assert made.alpha.unique().tolist() == [0.75]
    assert made.rgb.unique().tolist() == pytest.approx([(0.5 * 2 + 0.5 * 8) / 0.75])
    (tmp_path / "c.exr").write_bytes(ImageEncoder(".exr", info).encoded(made))
    again, _ = read_described(tmp_path / "c.exr")
    assert torch.allclose(again.rgb, made.rgb)


def test_the_same_drawing_twice_is_that_drawing(tmp_path: Path):
    cel(tmp_path / "a.png", 90)
    _, frames = tweener().between(tmp_path / "a.png", tmp_path / "a.png", [F(1, 3), F(2, 3)])
    for frame in frames:
        assert torch.equal(frame.rgb, read_image(tmp_path / "a.png").rgb)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_cel_without_transparency_counts_as_opaque(tmp_path: Path, swapped: bool):
    cel(tmp_path / "a.png", 0)
    cel(tmp_path / "b.png", 100, alpha=False)
    names = ("b.png", "a.png") if swapped else ("a.png", "b.png")
    info, frames = tweener().between(*(tmp_path / name for name in names), [F(1, 2)])
    (made,) = frames
    assert info.alpha
    assert made.alpha is not None
    assert (floats(made.alpha)[0, 0] * 255).round().tolist() == [255.0] * 6 + [128.0] * 6
    assert (floats(made.rgb)[0, 0] * 255).round().tolist() == [50.0] * 6 + [100.0] * 6  # what is hidden has no colour


def test_cels_that_changed_are_read_anew_by_another_tweener(tmp_path: Path):
    for shade in (10, 60):
        cel(tmp_path / "a.png", shade, alpha=False)
        _, frames = tweener().between(tmp_path / "a.png", tmp_path / "a.png", [F(1, 2)])
        assert (floats(next(frames).rgb) * 255).round().unique().tolist() == [shade]


def test_cels_that_do_not_fit_are_refused(tmp_path: Path):
    cel(tmp_path / "a.png", 0)
    cel(tmp_path / "b.png", 0, size=(8, 12))
    exr(tmp_path / "c.exr", 1, None)
    cel(tmp_path / "d.png", 0, size=(6, 4))
    with pytest.raises(InputError, match=r"a\.png is 12x8 and b\.png 8x12: the cels around an in-between must have one size"):
        tweener().between(tmp_path / "a.png", tmp_path / "b.png", [F(1, 2)])
    for pair in (("c.exr", "d.png"), ("d.png", "c.exr")):
        with pytest.raises(InputError, match=r"c\.exr holds linear light and d\.png does not: both cels must be of one kind"):
            tweener().between(*(tmp_path / name for name in pair), [F(1, 2)])
    with pytest.raises(InputError, match=r"none\.png does not exist"):
        tweener().between(tmp_path / "a.png", tmp_path / "none.png", [F(1, 2)])
