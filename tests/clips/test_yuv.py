"""Between decoded pictures and RGB: held against the equations of ITU-T H.273, written out here once more."""

from __future__ import annotations

import itertools

import av
import numpy as np
import pytest
import torch

from vfi.clips.clip import Colour
from vfi.clips.yuv import chroma_of, decode, depth_of, encode, has_alpha, planes_of

WEIGHTS = {5: (0.299, 0.587, 0.114), 1: (0.2126, 0.7152, 0.0722), 9: (0.2627, 0.6780, 0.0593)}
COLOURS = list(itertools.product(np.linspace(0, 255, 6).round() / 255, repeat=3)) + [(k / 255,) * 3 for k in range(256)]


def patches() -> torch.Tensor:
    """[3,8,8N]: colours of the whole cube and every grey, each 8 pixels wide and high."""
    return torch.tensor(COLOURS, dtype=torch.float32).T[:, None].repeat_interleave(8, 1).repeat_interleave(8, 2)


def codes(matrix: int, full: bool, bits: int) -> np.ndarray:
    """[N,3] Y', Cb, Cr of `COLOURS` as code values, not rounded."""
    rgb = np.array(COLOURS)
    red, _, blue = WEIGHTS[matrix]
    luma = rgb @ WEIGHTS[matrix]
    pb, pr = (rgb[:, 2] - luma) / (2 - 2 * blue), (rgb[:, 0] - luma) / (2 - 2 * red)
    if full:
        top, middle = 2**bits - 1, 2 ** (bits - 1)
        return np.stack([luma * top, pb * top + middle, pr * top + middle], 1).clip(0, top)
    return np.stack([219 * luma + 16, 224 * pb + 128, 224 * pr + 128], 1) * 2 ** (bits - 8)


@pytest.mark.parametrize("layout", ["yuv444p", "yuv420p", "yuv422p", "yuv444p10le", "yuv420p10le", "yuv422p10le"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", WEIGHTS)
def test_codes_are_those_of_the_standard(layout: str, full: bool, matrix: int):
    picture = encode(patches(), None, av.VideoFormat(layout), Colour(matrix, full=full))
    bits = depth_of(picture.format)
    found = np.stack([plane[plane.shape[0] // 2, 4 * plane.shape[1] // picture.width :: 8 * plane.shape[1] // picture.width]
                      for plane in planes_of(picture)], 1)  # fmt: skip
    error = found - codes(matrix, full, bits)
    luma, chroma = error[:, 0], error[:, 1:]
    assert np.abs(luma).max() <= 0.51
    assert np.abs(luma.mean()) < 0.05
    if "444" in layout:
        assert np.abs(chroma).max() <= 0.51
        assert np.abs(chroma.mean(0)).max() < 0.05


@pytest.mark.parametrize("layout", ["yuv444p", "yuv420p", "yuv444p10le", "yuv420p10le"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", WEIGHTS)
def test_brightness_and_colour_come_back_unshifted(layout: str, full: bool, matrix: int):
    colour = Colour(matrix, full=full)
    grey = torch.linspace(0, 1, 512).expand(3, 16, 512)
    slopes = torch.stack(torch.meshgrid(torch.linspace(0.2, 0.8, 64), torch.linspace(0.2, 0.8, 64), indexing="ij"))
    smooth = torch.cat([slopes, 1 - slopes.mean(0, keepdim=True)])
    for picture in (grey, smooth):
        back, _ = decode(encode(picture, None, av.VideoFormat(layout), colour), colour)
        error = (back - picture) * 255
        assert error.mean((1, 2)).abs().max() < 0.05
        assert error.abs().mean() < 0.5


@pytest.mark.parametrize("matrix", WEIGHTS)
def test_libswscale_agrees_where_it_is_exact(matrix: int):
    """At 8 bit and 4:4:4 libswscale rounds well: an implementation of others, to catch a wrong equation."""
    picture = encode(patches(), None, av.VideoFormat("yuv444p"), Colour(matrix, full=False))
    theirs = picture.reformat(format="rgb24", src_colorspace=matrix, src_color_range=1).to_ndarray()
    ours, _ = decode(picture, Colour(matrix, full=False))
    assert np.abs(ours.permute(1, 2, 0).numpy() * 255 - theirs).max() < 2.1


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p", "yuva420p", "yuv420p10le", "yuv422p10le", "yuv420p12le"])
@pytest.mark.parametrize("colour", [Colour(), Colour(1, full=True), Colour(9, full=False)])
def test_samples_that_were_only_looked_at_are_the_same(layout: str, colour: Colour):
    """The filters of chroma undo one another: an input frame that is passed through is encoded from its own samples."""
    picture = av.VideoFrame(48, 32, layout)
    step = 2 ** (depth_of(picture.format) - 8)
    random = np.random.default_rng(0)
    for number, plane in enumerate(planes_of(picture)):
        low, high = ((60, 190), (110, 146), (110, 146), (0, 255))[number]
        plane[:] = random.integers(low * step, high * step, plane.shape)
    rgb, alpha = decode(picture, colour)
    assert 0 < rgb.min() < rgb.max() < 1
    again = encode(rgb, alpha, picture.format, colour)
    for ours, original in zip(planes_of(again), planes_of(picture), strict=True):
        assert np.array_equal(ours, original)


@pytest.mark.parametrize(
    "layout",
    ["rgb24", "bgr24", "rgba", "argb", "bgr0", "rgb48be", "rgba64le", "gbrp", "gbrp10le", "gbrap12le", "gbrp16le", "gbrp16be"],
)
def test_rgb_is_kept_to_the_bit(layout: str):
    form = av.VideoFormat(layout)
    top = 2 ** form.components[0].bits - 1
    samples = torch.randint(0, top + 1, (4, 17, 31), generator=torch.Generator().manual_seed(0)) / top
    rgb, alpha = decode(encode(samples[:3], samples[3:], form, Colour(0)), Colour(0))
    assert torch.equal((rgb * top).round(), (samples[:3] * top).round())
    assert (alpha is not None) == has_alpha(form)
    if alpha is not None:
        assert torch.equal((alpha * top).round(), (samples[3:] * top).round())


def test_grey_keeps_its_16_bits_and_alpha_its_own():
    samples = np.arange(6 * 8, dtype=np.uint16).reshape(6, 8) * 1300
    grey, none = decode(av.VideoFrame.from_ndarray(samples, format="gray16le"), Colour(full=True))
    assert none is None
    assert torch.allclose(grey, torch.from_numpy(samples / 65535).float().expand(3, -1, -1), atol=1e-6)
    picture = av.VideoFrame(8, 6, "ya8")
    np.frombuffer(picture.planes[0], np.uint8).reshape(6, -1)[:, :16] = np.arange(6 * 16).reshape(6, 16)
    grey, alpha = decode(picture, Colour(full=True))
    assert alpha is not None
    assert torch.equal((grey[0] * 255).round(), torch.arange(0, 96, 2).view(6, 8).float())
    assert torch.equal((alpha[0] * 255).round(), torch.arange(1, 97, 2).view(6, 8).float())


def test_missing_alpha_is_opaque_and_unwanted_alpha_is_left_out():
    rgb = torch.rand(3, 4, 6)
    _, alpha = decode(encode(rgb, None, av.VideoFormat("yuva444p10le"), Colour()), Colour())
    assert alpha is not None
    assert torch.equal(alpha, torch.ones(1, 4, 6))
    _, alpha = decode(encode(rgb, torch.zeros(1, 4, 6), av.VideoFormat("yuv444p"), Colour()), Colour())
    assert alpha is None


@pytest.mark.parametrize(("lines", "matrix"), [(576, 5), (718, 5), (720, 1), (1080, 1)])
def test_an_unspecified_matrix_is_what_players_take_it_for(lines: int, matrix: int):
    red = torch.tensor([1.0, 0, 0])[:, None, None].expand(3, lines, 16)
    layout = av.VideoFormat("yuv444p")
    unspecified, named = (encode(red, None, layout, colour) for colour in (Colour(), Colour(matrix, full=False)))
    assert all(np.array_equal(a, b) for a, b in zip(planes_of(unspecified), planes_of(named), strict=True))


def test_chroma_samples_lie_on_even_columns_and_between_lines():
    """A slope of Cb over the picture: 4:2:0 as MPEG-2 sites it, and centred as JPEG does."""
    picture = av.VideoFrame(32, 32, "yuv420p")
    luma, blue, red = planes_of(picture)
    luma[:], red[:] = 128, 128
    blue[:] = 98 + 4 * np.arange(16)
    column = torch.arange(4, 28)
    for centred, offset in ((False, 0.0), (True, 0.5)):
        rgb, _ = decode(picture, Colour(1, full=True), centred=centred)
        expected = (128 + 1.8556 * (98 + 4 * (column - offset) / 2 - 128)) / 255
        assert torch.allclose(rgb[2, 16, 4:28], expected.float(), atol=1e-4)


@pytest.mark.parametrize("layout", ["nv12", "p010le", "yuyv422", "uyvy422"])
def test_packed_layouts_are_unpacked_without_change(layout: str):
    planar = {"nv12": "yuv420p", "p010le": "yuv420p10le"}.get(layout, "yuv422p")
    original = encode(patches()[..., :256], None, av.VideoFormat(planar), Colour(1, full=False))
    ours, _ = decode(original, Colour(1, full=False))
    packed, _ = decode(original.reformat(format=layout), Colour(1, full=False))
    assert torch.equal(ours, packed)


@pytest.mark.parametrize("height, width", [(1, 1), (31, 17), (1, 33), (5, 2)])  # noqa: PT006
@pytest.mark.parametrize("layout", ["yuv420p", "yuv444p10le", "rgb24"])
def test_any_size_will_do(height: int, width: int, layout: str):
    rgb, _ = decode(encode(torch.full((3, height, width), 0.5), None, av.VideoFormat(layout), Colour()), Colour())
    assert rgb.shape == (3, height, width)
    assert (rgb - 0.5).abs().max() < 1 / 255


@pytest.mark.parametrize(
    ("layout", "chroma", "depth"),
    [
        *(("yuvj420p", "420", 8), ("yuv422p10le", "422", 10), ("yuv444p12le", "444", 12), ("yuv411p", "444", 8)),
        *(("gbrp16le", "rgb", 16), ("rgb565le", "rgb", 8), ("pal8", "rgb", 8), ("monob", "rgb", 8), ("gray", "grey", 8)),
    ],
)
def test_the_words_for_a_layout(layout: str, chroma: str, depth: int):
    assert (chroma_of(av.VideoFormat(layout)), depth_of(av.VideoFormat(layout))) == (chroma, depth)


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p", "yuva420p", "yuv420p10le", "yuv444p12le", "yuv420p16le"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", WEIGHTS)
def test_every_sample_comes_back_bit_exactly(layout: str, full: bool, matrix: int):
    """Also below black and above white, in colours that no screen shows."""
    picture = av.VideoFrame(64, 32, layout)
    top = 2 ** picture.format.components[0].bits
    for plane in planes_of(picture):
        plane[:] = np.random.default_rng(0).integers(0, top, plane.shape)
        plane.flat[: min(top, plane.size)] = np.linspace(0, top - 1, min(top, plane.size)).round()
    back = encode(*decode(picture, Colour(matrix, full=full)), picture.format, Colour(matrix, full=full))
    for before, after in zip(planes_of(picture), planes_of(back), strict=True):
        assert np.array_equal(before, after)


def test_rgb_formats_clip():
    rgb = torch.tensor([-0.2, 0.0, 1.0, 1.2]).expand(3, 2, 4)
    back, _ = decode(encode(rgb, None, av.VideoFormat("rgb24"), Colour(0)), Colour(0))
    assert back[0, 0].tolist() == [0, 0, 1, 1]
