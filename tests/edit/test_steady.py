"""Flicker taken out, on clips whose truth and motion are known."""

from __future__ import annotations

import weakref
from dataclasses import replace
from fractions import Fraction as F

import footage
import pytest
import torch
from torch import Tensor

from vfi.core import Frame, InputError
from vfi.edit.steady.even import evened
from vfi.edit.steady.steady import RADIUS, TEXTURE, Steady, steady
from vfi.pixels.uint8 import codes, floats

STEP = 1.5
"""Pixels per frame by which a clip of `panned` moves."""


class Moving:
    """Motion that is known: everything moves by ``step`` pixels to the left per frame."""

    def __init__(self, step: float = 0.0) -> None:
        self.step = step

    def __call__(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        flow = before.new_zeros(1, 2, *before.shape[-2:])
        flow[:, 0] = -self.step
        return flow, -flow


STILL = Moving()


def unsure(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Motion that contradicts itself everywhere."""
    flow = torch.full((1, 2, *before.shape[-2:]), 3.0)
    return flow, flow


def clip(pictures: list[Tensor], *, bits: int | None = 8) -> list[Frame]:
    made = [codes(picture) if bits == 8 else picture for picture in pictures]
    return [Frame(picture, F(k, 24), F(1, 24)) for k, picture in enumerate(made)]


def panned(count: int, step: float = 0.0, **size) -> list[Tensor]:
    return [0.8 * picture for picture in footage.panned(count, step, **size)]


def lit(pictures: list[Tensor], gains: list[float]) -> list[Tensor]:
    return [picture * gain for picture, gain in zip(pictures, gains, strict=True)]


def error(made: list[Frame], truth: list[Frame]) -> float:
    """Mean squared error of the light."""
    pairs = zip(made, truth, strict=True)
    return sum(float((floats(a.rgb) - floats(b.rgb)).mean((1, 2)).square().mean()) for a, b in pairs)


def same(made: list[Frame], given: list[Frame]) -> list[bool]:
    return [torch.equal(a.rgb, b.rgb) for a, b in zip(made, given, strict=True)]


@pytest.mark.parametrize("step", [0.0, STEP])
def test_random_flicker_falls_by_ten_decibels(step: float):
    dice = torch.Generator().manual_seed(2)
    gains = (1 + 0.03 * torch.randn(36, generator=dice)).tolist()
    truth = panned(36, step)
    made = list(steady(clip(lit(truth, gains)), Moving(step)))
    left = torch.tensor([float(floats(frame.rgb).mean() / picture.mean()) for frame, picture in zip(made, truth, strict=True)])
    assert float(left.std()) < 0.4 * torch.tensor(gains).std()
    assert float(left.diff().std()) < 0.1 * torch.tensor(gains).diff().std()


@pytest.mark.parametrize("step", [0.0, STEP])
def test_a_pulse_goes_and_the_frames_between_stay_bit_identical(step: float):
    truth = clip(panned(20, step))
    given = clip(lit(panned(20, step), [1.05 if k % 6 == 2 else 1.0 for k in range(20)]))
    made = list(steady(given, Moving(step)))
    assert error(made, truth) < 0.01 * error(given, truth)
    kept = same(made, given)
    assert not any(kept[k] for k in range(2, 20, 6))
    assert all(kept[k] for k in range(20) if k % 6 != 2) or step  # of a pan, the edge of the first and last may move by a code
    assert sum(kept) >= 12


def test_flicker_of_half_the_picture_goes_there():
    truth = panned(24, width=96, height=64)
    given = []
    for k, picture in enumerate(truth):
        spoilt = picture.clone()
        spoilt[..., :40] *= 1.06 if k % 5 == 2 else 1.0
        given.append(spoilt)
    made = list(steady(clip(given), STILL))
    left, right = slice(0, 24), slice(64, 96)
    for k in range(7, 24, 5):
        assert abs(float(floats(made[k].rgb)[..., left].mean() / truth[k][..., left].mean()) - 1) < 0.01
        assert abs(float(floats(made[k].rgb)[..., right].mean() / truth[k][..., right].mean()) - 1) < 0.01


@pytest.mark.parametrize(
    "gains",
    [
        [0.75] * 12 + [1.0] * 12,
        [0.92] * 12 + [1.0] * 12,
        [1.0] * 5 + [0.92] * 19,
        [1.0] * 10 + [1.6, 1.4] + [1.0] * 12,
        [1.0, 1.0, 1.0, 0.6, 0.6, 0.6] * 4,
        [1.0, 0.5] * 12,
        [1 - k / 22 for k in range(22)] + [0.0, 0.0],
        [0.5 + k / 46 for k in range(24)],
    ],
    ids=["lamp", "dim lamp", "early lamp", "lightning", "strobe", "fast strobe", "fade to black", "fade in"],
)
def test_real_light_stays(gains: list[float]):
    given = clip(lit(panned(24), gains))
    made = list(steady(given, STILL))
    worst = max(float((floats(a.rgb) - floats(b.rgb)).abs().mean()) for a, b in zip(made, given, strict=True))
    assert worst < 0.6 / 255


def test_nothing_reaches_across_a_cut():
    one, other = panned(12, seed=1), lit(panned(12, seed=2), [1.05 if k == 6 else 1.0 for k in range(12)])
    frames = clip([*one, *other])
    frames[12] = replace(frames[12], cut="hold")
    whole = list(steady(frames, STILL))
    apart = [*steady(frames[:12], STILL), *steady(frames[12:], STILL)]
    assert all(same(whole, apart))
    assert all(same(whole[:12], frames[:12]))
    assert whole[12].cut == "hold"


def noisy(count: int, amount: float = 0.02) -> list[Tensor]:
    dice = torch.Generator().manual_seed(3)
    return [picture + amount * torch.randn(picture.shape, generator=dice) for picture in panned(count)]


def test_texture_that_stands_still_is_held_still():
    given, truth = clip(noisy(24)), clip(panned(24))
    made = list(steady(given, STILL))

    def deviation(frames: list[Frame]) -> float:
        return float(torch.stack([floats(frame.rgb) for frame in frames]).std(0).mean())

    assert deviation(made) < 0.5 * deviation(given)
    off = [(floats(a.rgb) - floats(b.rgb)).square().mean() for a, b in zip(made, truth, strict=True)]
    assert float(torch.stack(off).mean()) < 0.25 * 0.02**2
    assert deviation(list(steady(given, STILL, Steady(texture=False)))) > 0.9 * deviation(given)


def test_what_moves_over_noise_leaves_no_ghost():
    given = noisy(24)
    for k, picture in enumerate(given):
        picture[:, 20:36, 2 * k : 2 * k + 12] = 0.95
    frames = clip(given)
    for k, (made, frame) in enumerate(zip(steady(frames, STILL), frames, strict=True)):
        box = (slice(None), slice(22, 34), slice(2 * k + 2, 2 * k + 10))
        assert float((floats(made.rgb) - floats(frame.rgb))[box].abs().max()) < 0.02
        assert float((floats(made.rgb) - floats(frame.rgb)).abs().max()) < 0.12


def test_a_lasting_change_in_a_still_place_keeps_its_time():
    given = noisy(24)
    for picture in given[12:]:
        picture[:, 20:40, 20:40] = picture[:, 20:40, 20:40] * 0.5 + 0.45
    inside = [float(floats(frame.rgb)[:, 24:36, 24:36].mean()) for frame in steady(clip(given), STILL)]
    assert max(inside[:12]) - min(inside[:12]) < 0.02
    assert max(inside[12:]) - min(inside[12:]) < 0.02
    assert inside[12] - inside[11] > 0.15


def test_strength_scales_the_correction():
    gains = [1.06 if k == 6 else 1.0 for k in range(13)]
    given = clip(lit(panned(13), gains))
    light = [float(list(steady(given, STILL, Steady(strength)))[6].rgb.float().mean()) for strength in (0, 0.5, 1)]
    assert light[0] == float(given[6].rgb.float().mean())
    assert light[1] == pytest.approx((light[0] + light[2]) / 2, rel=0.005)
    assert light[2] == pytest.approx(light[0] / 1.06, rel=0.005)


def test_where_motion_is_unsure_nothing_is_done():
    given = clip(lit(panned(16), [1.05 if k % 4 else 1.0 for k in range(16)]))
    assert [a is b for a, b in zip(steady(given, unsure), given, strict=True)] == [True] * 16


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_frames_are_as_they_were(count: int):
    given = clip(lit(panned(count), [1.0, 1.08][:count]))
    assert [a is b for a, b in zip(steady(given, STILL), given, strict=True)] == [True] * count


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (37, 3), (17, 31)])
def test_any_size(size: tuple[int, int]):
    height, width = size
    given = clip([torch.full((3, height, width), 0.5 * gain) for gain in [1.0, 1.0, 1.06, *[1.0] * 8]])
    made = list(steady(given, STILL))
    assert abs(float(floats(made[2].rgb).mean()) - 0.5) < 0.004
    assert all(frame.rgb.shape == (3, height, width) for frame in made)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_stay(value: float):
    given = clip([torch.full((3, 24, 32), value)] * 12)
    assert [a is b for a, b in zip(steady(given, STILL), given, strict=True)] == [True] * 12


def test_white_stays_white_while_the_rest_pulses():
    pictures = panned(18)
    for picture in pictures:
        picture[:, :20] = 1.0
    given = clip([(picture * (1.05 if k % 6 == 2 else 1.0)).clamp(0, 1) for k, picture in enumerate(pictures)])
    made = list(steady(given, STILL))
    assert all(bool((frame.rgb[:, :18] == 255).all()) for frame in made)
    assert float(made[8].rgb[:, 30:].float().mean()) == pytest.approx(float(given[7].rgb[:, 30:].float().mean()), rel=0.005)


def test_times_alpha_and_marks_are_kept():
    pictures = lit(panned(9), [1.0] * 4 + [1.05] + [1.0] * 4)
    alpha = torch.rand(1, 64, 64)
    times = [F(0), F(1, 24), F(1, 10), F(1, 5), F(3, 10), F(1, 3), F(1, 2), F(2, 3), F(1)]
    given = [
        Frame(codes(p), t, F(1, 30), codes(alpha), repeat=k == 7) for k, (p, t) in enumerate(zip(pictures, times, strict=True))
    ]
    made = list(steady(given, STILL))
    assert [(frame.time, frame.duration, frame.repeat) for frame in made] == [(f.time, f.duration, f.repeat) for f in given]
    assert all(torch.equal(a.alpha, b.alpha) for a, b in zip(made, given, strict=True))
    assert not torch.equal(made[4].rgb, given[4].rgb)


def test_floats_keep_what_lies_beyond_black_and_white():
    pictures = [4 * picture for picture in panned(16)]
    for picture in pictures:
        picture[:, 0, 0] = -0.05
    given = clip(lit(pictures, [1.05 if k == 7 else 1.0 for k in range(16)]), bits=None)
    made = list(steady(given, STILL))
    assert made[7].rgb.dtype == torch.float32
    assert float(made[7].rgb.max()) > 2
    assert float(made[7].rgb.min()) < 0
    torch.testing.assert_close(made[7].rgb, pictures[7], atol=0.02, rtol=0.01)
    assert made[3] is given[3]


def test_ten_bits_are_corrected_more_finely_than_eight():
    pictures = [(picture * 1023).round() / 1023 for picture in lit(panned(16), [1.05 if k == 7 else 1.0 for k in range(16)])]
    made = list(steady(clip(pictures, bits=None), STILL))
    codes_of_8 = made[7].rgb * 255
    assert float((codes_of_8 - codes_of_8.round()).abs().mean()) > 0.1


def test_frames_in_the_window_are_all_that_is_held():
    alive: weakref.WeakSet[Frame] = weakref.WeakSet()
    most = 0

    def source():
        for frame in clip(lit(panned(60), [1.04 if k % 2 else 1.0 for k in range(60)])):
            passed = replace(frame, rgb=frame.rgb.clone())
            alive.add(passed)
            yield passed

    for _ in steady(source(), STILL):
        most = max(most, len(alive))
    assert most <= RADIUS + 2 * TEXTURE + 4


def test_bad_input_gets_a_sentence():
    with pytest.raises(InputError, match=r"a strength of 1\.5 was given: it must lie between 0 and 1"):
        Steady(1.5)
    with pytest.raises(InputError, match=r"a flicker limit of 0\.8 was given"):
        Steady(reach=0.8)
    frames = [*clip(panned(3)), *clip(panned(1, width=48))]
    with pytest.raises(InputError, match="all frames of a clip must have one size"):
        list(steady(frames, STILL))


def test_a_series_keeps_its_steps_and_loses_its_outliers():
    known = torch.ones(17)
    step = torch.zeros(17, 1)
    step[10:] = 0.05
    outlier = torch.full((17, 1), -0.05)
    outlier[8] = 0.0
    nothing = torch.zeros(1)
    assert float(evened(step, known, nothing, 0.12)) == 0
    assert float(evened(outlier, known, nothing, 0.12)) == pytest.approx(-0.05, abs=1e-3)
    assert float(evened(outlier * 10, known, nothing, 0.12)) == 0
