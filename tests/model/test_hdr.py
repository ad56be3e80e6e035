"""Light above 1 and below 0 in new frames, through models that clamp to 0..1."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
import torch
from models import Blend

from vfi.clips.clip import Info, unbound
from vfi.core import Frame
from vfi.model import hdr
from vfi.model.hdr import Lit
from vfi.model.load import load
from vfi.pixels.transfer import Colour, named
from vfi.render.run import run
from vfi.timing.grids import Subdivide

LINEAR = named("linear")


class Clamping(Blend):
    """A blend that takes and gives 0..1, as networks do."""

    def __call__(self, window, t):
        assert window.min() >= 0
        assert window.max() <= 1
        return super().__call__(window, t).clamp(0, 1)


@pytest.mark.parametrize(("dtype", "near"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_light_survives_its_code(dtype, near):
    light = torch.cat((torch.linspace(-0.005, 0.005, 101), torch.logspace(-3, 4.8, 101))).to(dtype)
    coded = hdr.code(light)
    assert coded.min() >= 0
    assert coded.max() <= 1
    assert (coded[:101].diff() > 0).all()
    torch.testing.assert_close(hdr.light(coded), light, rtol=near, atol=near / 10)


def test_what_is_not_finite_is_coded_all_the_same():
    coded = hdr.code(torch.tensor([float("nan"), float("inf"), -float("inf"), 1e9]))
    torch.testing.assert_close(coded, torch.tensor([hdr.BLACK, 1, 0, 1]))


def test_the_code_bends_nowhere():
    light = torch.tensor([1 - 1e-4, 1, 1 + 1e-4], dtype=torch.float64)
    below, above = hdr.code(light).diff()
    assert above / below == pytest.approx(1, abs=5e-3)
    assert hdr.code(torch.tensor([0.0, 1.0, 65504.0])).tolist() == pytest.approx([hdr.BLACK, hdr.WHITE, 1])


def test_codes_above_white_survive_too():
    frames = [Frame(torch.full((3, 4, 6), level), F(k), F(1)) for k, level in enumerate((3.0, 3.0))]
    _, made, _ = run(frames, Lit(Clamping(), named("srgb")), Subdivide(2))
    torch.testing.assert_close(made.rgb, frames[0].rgb, rtol=1e-4, atol=0)


@pytest.mark.parametrize("level", [-0.005, 0.18, 1.0, 12.5, 900.0, 60000.0])
@pytest.mark.parametrize("alpha", [None, 0.5])
def test_a_still_picture_keeps_its_light(level, alpha):
    plane = None if alpha is None else torch.full((1, 4, 6), alpha)
    frames = [Frame(torch.full((3, 4, 6), level), F(k), F(1), plane) for k in range(2)]
    first, made, _ = run(frames, Lit(Clamping(), LINEAR), Subdivide(2))
    assert first.rgb is frames[0].rgb
    torch.testing.assert_close(made.rgb, first.rgb, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["dis", "linear"])
def test_a_highlight_moves_at_full_brightness(name):
    torch.manual_seed(0)
    ground = torch.nn.functional.interpolate(torch.rand(1, 3, 16, 24), (64, 96), mode="bicubic")[0].clamp(0, 1)

    def at(left: int) -> torch.Tensor:
        picture = ground.clone()
        picture[:, 24:40, left : left + 16] = 50 * (0.5 + ground[:, 24:40, 20:36])
        return picture

    frames = [Frame(at(left), F(k), F(1)) for k, left in enumerate((30, 38))]
    _, made, _ = run(frames, Lit(load(name), LINEAR), Subdivide(2))
    expected = at(34)[:, 28:36, 38:46]
    found = made.rgb[:, 28:36, 38:46]
    assert (found / expected).median() == pytest.approx(1, abs=0.15)
    assert found.max() > 25
    assert made.rgb[:, :8].max() < 1.01


@pytest.mark.parametrize(
    ("info", "curve"),
    [
        (Info(1, 1), None),
        (Info(1, 1, colour=Colour(9, 9, 18)), None),
        (Info(1, 1, colour=Colour(0, transfer=8)), None),
        (Info(1, 1, colour=Colour(9, 9, 16)), "pq"),
        (Info(1, 1, curve="slog3"), "slog3"),
        (Info(1, 1, colour=Colour(0, transfer=8), floats=True), "linear"),
    ],
)
def test_which_clips_reach_above_white(info, curve):
    found = unbound(info)
    assert (found and found.name) == curve


def test_a_window_and_its_parts_give_the_same():
    window = torch.rand(2, 2, 3, 16, 16) * 20
    model = Lit(load("dis"), LINEAR)
    t = torch.tensor([0.25, 0.5])
    parts = model.prepare([model.encode(rgb) for rgb in window.unbind(1)], window.unbind(1))
    assert torch.equal(model.at(parts, t), model(window, t))
    assert model.motion(window, t).flow0.shape == (2, 2, 16, 16)
