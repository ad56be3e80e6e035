"""Wrappers: padding, test-time augmentation, bisection."""

from __future__ import annotations

import logging

import contracts
import pytest
import torch
from models import Blend, Encoding, Lopsided, Shift

from vfi.archs.dis import Dis
from vfi.core import InputError
from vfi.model.wrappers import TTA_PASSES, VIEWS, Pad, Padded, Placed, Recursive, Tta
from vfi.render.run import interpolate

HALF = torch.tensor([0.5])


def clip(height: int = 5, width: int = 7, count: int = 2) -> torch.Tensor:
    return torch.rand(1, count, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("mode", ["zeros", "edge", "reflect"])
@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (2, 33), (33, 1), (17, 31), (64, 64), (97, 161)])
def test_padding_takes_any_size_and_gives_it_back(mode, centre, size):
    window = clip(*size)
    padded = Padded(Blend(multiple=32, min_size=64), Pad(mode, centre))
    assert torch.equal(padded(window, HALF), Blend()(window, HALF))
    assert (padded.spec.multiple, padded.spec.min_size) == (1, 1)


def test_padding_modes_fill_as_they_say():
    row = torch.arange(1.0, 4.0).expand(1, 3, 8, 3)

    def grown(text: str) -> list[float]:
        return Padded(Blend(multiple=8), Pad.parse(text))._grow(row)[0, 0, 0].tolist()

    assert grown("zeros") == [1, 2, 3, 0, 0, 0, 0, 0]
    assert grown("edge") == [1, 2, 3, 3, 3, 3, 3, 3]
    assert grown("reflect") == [1, 2, 3, 2, 1, 2, 3, 2]
    assert grown("reflect:centre") == [3, 2, 1, 2, 3, 2, 1, 2]
    assert grown("zeros:centre") == [0, 0, 1, 2, 3, 0, 0, 0]
    assert len(grown("zeros:16")) == 16
    assert len(grown("zeros:12")) == 8


def test_frames_are_grown_as_the_model_asks():
    assert Padded(Blend(multiple=8)).pad == Pad("zeros")
    assert Padded(Blend(multiple=8, pad="edge:centre")).pad == Pad("edge", centre=True)


@pytest.mark.parametrize("text", ["wrap", "zeros:left", "edge:0", ""])
def test_what_is_no_padding_is_one_sentence(text):
    with pytest.raises(InputError, match="is not a padding"):
        Pad.parse(text)


def test_motion_is_cut_to_the_frame():
    motion = Padded(Shift(2, multiple=32), Pad(centre=True)).motion(clip(), HALF)
    assert motion.flow0.shape == (1, 2, 5, 7)
    assert motion.mask.shape == (1, 1, 5, 7)


def test_a_model_without_motion_says_so():
    with pytest.raises(InputError, match="does not estimate motion"):
        Padded(Blend()).motion(clip(), HALF)


@pytest.mark.parametrize("mode", TTA_PASSES)
def test_augmentation_is_the_mean_of_its_passes(mode):
    model = Lopsided()
    window, t = clip(), torch.tensor([0.25])
    wanted = torch.stack(
        [
            model((window.flip(1) if swap else window).flip(dims), 1 - t if swap else t).flip(dims)
            for dims, swap in TTA_PASSES[mode]
        ]
    ).mean(0)
    made = Tta(model, mode)(window, t)
    torch.testing.assert_close(made, wanted)
    if mode != "none":
        assert not torch.allclose(made, model(window, t))


@pytest.mark.parametrize(
    ("mode", "passes"), [("none", 1), ("flip", 2), ("rot180", 2), ("swap", 2), ("duo", 2), ("flip4", 4), ("all", 8)]
)
def test_augmentation_costs_what_is_said(mode, passes):
    model = Blend()
    Tta(model, mode)(clip(), HALF)
    assert model.calls == passes


def test_augmentation_shares_what_it_computes_of_a_frame():
    model = Encoding()
    Tta(model, "all")(clip(), HALF)
    assert model.encoded == 2 * 4


@pytest.mark.parametrize("mode", VIEWS)
def test_a_view_is_one_pass_of_another_kind(mode):
    ((dims, swap),) = VIEWS[mode]
    model, window, t = Lopsided(), clip(), torch.tensor([0.25])
    seen = (window.flip(1) if swap else window).flip(dims)
    torch.testing.assert_close(Tta(model, mode)(window, t), model(seen, 1 - t if swap else t).flip(dims))


@pytest.mark.parametrize("mode", VIEWS)
def test_motion_seen_another_way_is_the_same_motion(mode):
    window, t = contracts.window(96, 128), torch.tensor([0.25])
    plain, seen = (contracts.motion(model, window, t) for model in (Dis(), Tta(Dis(), mode)))
    for one, other in ((plain.flow0, seen.flow0), (plain.flow1, seen.flow1), (plain.mask, seen.mask)):
        assert (one - other).abs().mean() < 0.25 * one.abs().mean()


def test_unknown_augmentation_is_one_sentence():
    with pytest.raises(InputError, match="is not a test-time augmentation"):
        Tta(Blend(), "spin")


class HalfOnly(Blend):
    def __call__(self, window, t):
        assert torch.all(t == 0.5)
        return super().__call__(window, t)


def test_bisection_reaches_dyadic_times_exactly():
    model = Recursive(HalfOnly(any_t=False))
    window = clip()
    t = torch.tensor([0.25, 0.5, 0.75, 0.125])
    torch.testing.assert_close(model(window, t), Blend()(window, t))
    assert model.spec.any_t


@pytest.mark.parametrize(("times", "calls"), [(2, 1), (4, 3), (8, 7)])
def test_bisection_makes_each_half_way_frame_once_and_encodes_each_frame_once(times, calls):
    model = Encoding(any_t=False)
    made = interpolate(clip()[0], Recursive(model), times)
    torch.testing.assert_close(made, interpolate(clip()[0], Blend(), times))
    assert model.calls == model.prepared == calls
    assert model.encoded == 2 + (calls - 1) // 2


class HalfShift(Shift):
    def motion_at(self, window, t):
        assert torch.all(t == 0.5)
        return super().motion_at(window, t)


def test_bisection_moves_at_an_even_speed():
    model, t = HalfShift(8, any_t=False), torch.tensor([0.25, 0.5])
    motion, wanted = Recursive(model).motion(clip(), t), Shift(8).motion_at(clip(), t)
    torch.testing.assert_close(motion.flow0, wanted.flow0)
    torch.testing.assert_close(motion.flow1, wanted.flow1)
    assert motion.mask[:, 0, 0, 0].tolist() == [0.75, 0.5]


class Cubic(Blend):
    """The half-way frame of four by a cubic, exact for frames that follow one."""

    def __call__(self, window, t):
        self.calls += 1
        assert torch.all(t == 0.5)
        a, b, c, d = window.unbind(1)
        return (9 * (b + c) - a - d) / 16


@pytest.mark.parametrize(("times", "calls"), [(2, 1), (4, 5), (8, 11)])
def test_a_model_of_four_frames_is_bisected_with_frames_as_far_apart(times, calls):
    def parabola(place):
        return (place - 0.3) ** 2

    model = Cubic(window=4, any_t=False)
    window = parabola(torch.arange(-1.0, 3)).view(1, 4, 1, 1, 1).expand(-1, -1, 3, 2, 2)
    t = torch.arange(1, times) / times
    made = Recursive(model)(window, t)
    # beyond the window frames are repeated, which only the neighbouring pairs feel much
    torch.testing.assert_close(made[:, 0, 0, 0], parabola(t), atol=0.02, rtol=0)
    assert made[times // 2 - 1, 0, 0, 0].item() == pytest.approx(parabola(0.5), abs=1e-6)
    assert model.calls == calls


def test_bisection_keeps_no_more_than_quarters_and_one_path():
    model = Recursive(HalfOnly(any_t=False))
    prepared = model.prepare([None, None], clip().unbind(1))
    for step in range(1, 64):
        model.at(prepared, torch.tensor([step / 64]))
        assert len(prepared[0].frames) <= 5 + model.depth - 2


def test_bisection_says_when_it_rounds(caplog):
    model = Recursive(HalfOnly(any_t=False))
    with caplog.at_level(logging.WARNING):
        made = model(clip(), torch.tensor([1 / 3]))
    torch.testing.assert_close(made, Blend()(clip(), torch.tensor([21 / 64])))
    assert "only supports t = 1/2" in caplog.text


def test_placed_computes_without_gradients():
    window = clip().requires_grad_()
    assert not Placed(Blend())(window, HALF).requires_grad
