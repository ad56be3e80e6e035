"""DIS flow: scenes whose motion is known, the promises of an interpolator, and one real triplet."""

from __future__ import annotations

import math
from pathlib import Path

import contracts
import cv2
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vfi.archs.blend import Linear
from vfi.archs.dis import BUILTIN, Dis, DisFast, as_bright, find_flow, seen_by_dis
from vfi.core import Encodes, InputError, Interpolator, Moves, Options
from vfi.model.wrappers import Padded
from vfi.ops.warp import warp_corners

TRIPLET = Path(__file__).parent.parent / "data" / "triplet"
HALF = torch.tensor([0.5])


def texture(height: int, width: int, seed: int = 0) -> Tensor:
    """[3,height,width] in 0..1: details of every size, the larger the stronger, as pictures have them."""
    random = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 3, height, width)
    for cell in (4, 8, 16, 32):
        noise = torch.rand(1, 3, height // cell + 1, width // cell + 1, generator=random) - 0.5
        total += cell * F.interpolate(noise, size=(height, width), mode="bicubic")
    return (0.5 + total[0] / 40).clamp(0, 1)


def pan(step: float, height: int = 96, width: int = 128) -> Tensor:
    """[3,height,width]: a texture that has moved ``step`` pixels to the right."""
    wide = texture(height, width + 64)[None]
    shift = torch.tensor([32 - step, 0]).view(1, 2, 1, 1).expand(1, 2, height, width + 64)
    return warp_corners(wide, shift)[0, :, :, :width]


def over(step: int) -> Tensor:
    """[3,96,128]: a square that has moved ``step`` pixels to the right over a texture that stays."""
    frame = texture(96, 128)
    frame[:, 24:72, 36 + step : 84 + step] = texture(48, 48, seed=1)
    return frame


def pair(before: Tensor, after: Tensor) -> Tensor:
    return torch.stack((before, after))[None]


def psnr(made: Tensor, real: Tensor) -> float:
    return -10 * math.log10(float((made - real).square().mean()))


def plain_backward_warp(window: Tensor) -> Tensor:
    """The frame at 1/2 by the same flow without a thought for occlusion."""
    size = window.shape[-2:]
    small = F.interpolate(window[0].mean(1, keepdim=True), scale_factor=0.5, mode="area")
    before, after = (small[:, 0] * 255).round().byte().numpy()
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)
    flows = [torch.from_numpy(search.calc(a, b, None)).permute(2, 0, 1)[None] for a, b in ((before, after), (after, before))]
    forward, backward = (2 * F.interpolate(flow, size=size, mode="bilinear") for flow in flows)
    return (warp_corners(window[:, 0], backward / 2) + warp_corners(window[:, 1], forward / 2)) / 2


@pytest.mark.parametrize("t", [0.25, 0.5, 0.8])
def test_translation_is_followed(t: float):
    window, real = pair(pan(0), pan(6)), pan(6 * t)
    made = Dis()(window, torch.tensor([t]))[0]
    assert psnr(made, real) > psnr(Linear()(window, torch.tensor([t]))[0], real) + 6


def test_what_is_uncovered_is_taken_from_the_frame_that_shows_it():
    window, real = pair(over(0), over(12)), over(6)
    beside = (..., slice(20, 76), slice(30, 102))
    made = psnr(Dis()(window, HALF)[0][beside], real[beside])
    assert made > psnr(plain_backward_warp(window)[0][beside], real[beside]) + 1


def test_what_enters_the_frame_is_taken_from_the_frame_that_shows_it():
    motion = contracts.motion(Dis(), pair(pan(0), pan(12)), HALF)
    assert motion.mask[..., 10:-10, :3].max() < 0.25
    assert motion.mask[..., 10:-10, -3:].min() > 0.75


def test_motion_points_to_where_a_pixel_was_and_will_be():
    t = torch.tensor([0.25, 0.75])
    motion = contracts.motion(Dis(), pair(pan(0), pan(6)), t)
    inner = (slice(None), slice(None), slice(20, -20), slice(20, -20))
    velocity = torch.tensor([6.0, 0.0]).view(1, 2, 1, 1).expand(2, 2, 56, 88)
    back = t.view(-1, 1, 1, 1)
    torch.testing.assert_close(motion.flow0[inner], -back * velocity, atol=0.4, rtol=0)
    torch.testing.assert_close(motion.flow1[inner], (1 - back) * velocity, atol=0.4, rtol=0)
    assert motion.mask.shape == (2, 1, 96, 128)
    assert motion.occlusion is not None
    assert 0 <= motion.occlusion.min() <= motion.occlusion.max() <= 1
    assert motion.occlusion[inner].mean() < 0.05


def test_reversed_time_gives_the_same_frames():
    window, t = pair(over(0), over(12)), torch.tensor([0.25, 0.5, 0.75])
    torch.testing.assert_close(Dis()(window.flip(1), 1 - t), Dis()(window, t), atol=1e-4, rtol=0)


def test_near_the_ends_it_is_the_frames_themselves():
    window = pair(over(0), over(12))
    made = Dis()(window, torch.tensor([1e-6, 1 - 1e-6]))
    torch.testing.assert_close(made, window[0], atol=1e-3, rtol=0)


def test_one_window_serves_every_t():
    window, t = pair(over(0), over(12)), torch.tensor([0.2, 0.5, 0.9])
    together = Dis()(window, t)
    torch.testing.assert_close(together, torch.cat([Dis()(window, one[None]) for one in t]), atol=1e-5, rtol=0)
    torch.testing.assert_close(together, Dis()(window.expand(3, -1, -1, -1, -1), t), atol=1e-5, rtol=0)


def test_a_batch_of_pairs_is_each_pair():
    windows, t = torch.cat((pair(over(0), over(12)), pair(pan(0), pan(6)))), torch.tensor([0.3, 0.6])
    torch.testing.assert_close(
        Dis()(windows, t), torch.cat([Dis()(windows[i : i + 1], t[i : i + 1]) for i in (0, 1)]), atol=1e-5, rtol=0
    )


def test_it_is_the_same_twice():
    window = pair(over(0), over(12))
    assert torch.equal(Dis()(window, HALF), Dis()(window, HALF))


def test_flow_found_once_serves_every_timestep(monkeypatch: pytest.MonkeyPatch):
    model, window = Dis(), pair(over(0), over(12))
    contracts.preparing_once_serves_every_timestep(model, window, torch.tensor([0.2, 0.5, 0.9]))
    prepared = model.prepare([model.encode(rgb) for rgb in window.unbind(1)], window.unbind(1))
    monkeypatch.setattr(cv2, "DISOpticalFlow", None)
    assert model.at(prepared, HALF).isfinite().all()


def test_identical_frames_are_kept():
    window = pair(over(0), over(0))
    torch.testing.assert_close(Dis()(window, HALF), window[:, 0], atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", ["flat", "black to white", "noise"])
def test_frames_without_motion_to_find_give_a_picture(kind: str):
    flat = torch.zeros(3, 64, 80)
    noise = torch.rand(2, 3, 64, 80, generator=torch.Generator().manual_seed(3))
    window = {"flat": pair(flat, flat), "black to white": pair(flat, flat + 1), "noise": noise[None]}[kind]
    made = Dis()(window, HALF)
    assert made.isfinite().all()
    assert 0 <= made.min() <= made.max() <= 1
    if kind != "noise":
        torch.testing.assert_close(made, window.mean(1))


@pytest.mark.parametrize("size", [(1, 1), (2, 511), (33, 1), (17, 31), (32, 32), (37, 101)])
def test_any_size_through_padding(size: tuple[int, int]):
    frame = texture(64, 512)[:, : size[0], : size[1]]
    window = pair(frame, frame.roll(1, -1))
    model = Padded(Dis())
    assert model(window, HALF).shape == (1, 3, *size)
    assert contracts.motion(model, window, HALF).flow0.shape == (1, 2, *size)
    assert model(window, HALF).isfinite().all()


@pytest.mark.parametrize("scale", [0.25, 0.5, 2, 4])
def test_scale_changes_how_fine_flow_is_and_not_what_it_says(scale: float):
    window = pair(pan(0), pan(6))
    model = BUILTIN["dis"](Options(scale=scale))
    assert isinstance(model, Moves)
    flow = contracts.motion(model, window, HALF).flow1[..., 20:-20, 20:-20]
    assert flow[:, 0].median() == pytest.approx(3, abs=0.3)
    assert model(window, HALF).shape == (1, 3, 96, 128)


def test_half_precision_keeps_its_type():
    window = pair(pan(0), pan(6))
    made = Dis()(window.bfloat16(), HALF)
    assert made.dtype == torch.bfloat16
    assert psnr(made.float(), Dis()(window, HALF)) > 35


def test_it_keeps_its_promises():
    model = BUILTIN["dis"](Options())
    assert isinstance(model, Interpolator)
    assert isinstance(model, Encodes)
    assert isinstance(model, Moves)
    assert (model.spec.name, model.spec.licence, model.spec.any_t) == ("dis", "MIT", True)


@pytest.mark.parametrize("options", [Options(ensemble=True), Options(variant="4.0")])
@pytest.mark.parametrize("name", BUILTIN)
def test_options_of_networks_are_refused(name: str, options: Options):
    with pytest.raises(InputError, match=f"{name} is not a neural network"):
        BUILTIN[name](options)


def test_a_real_triplet():
    before, real, after = (
        torch.from_numpy(cv2.imread(str(TRIPLET / f"{name}.webp"))).permute(2, 0, 1) / 255 for name in ("im1", "im2", "im3")
    )
    window = pair(before, after)
    made = psnr(Dis()(window, HALF)[0], real)
    assert made > 29
    assert made > psnr(Linear()(window, HALF)[0], real) + 12


@pytest.mark.parametrize("t", [0.25, 0.5, 0.8])
def test_the_fast_form_follows_too(t: float):
    window, real, step = pair(pan(0), pan(6)), pan(6 * t), torch.tensor([t])
    inner = (..., slice(8, -8), slice(8, -8))
    assert psnr(DisFast()(window, step)[0][inner], real[inner]) > psnr(Linear()(window, step)[0][inner], real[inner]) + 6
    motion = contracts.motion(DisFast(), window, step)
    assert motion.flow0[0, 0, 20:-20, 20:-20].median() == pytest.approx(-6 * t, abs=0.4)
    assert motion.flow1[0, 0, 20:-20, 20:-20].median() == pytest.approx(6 - 6 * t, abs=0.4)


@pytest.mark.parametrize("scale", [0.5, 2])
def test_the_fast_form_finds_the_same_motion_at_other_sizes(scale: float):
    flow = contracts.motion(BUILTIN["dis-fast"](Options(scale=scale)), pair(pan(0), pan(6)), HALF).flow1
    assert flow.shape == (1, 2, 96, 128)
    assert flow[:, 0, 20:-20, 20:-20].median() == pytest.approx(3, abs=0.4)


def test_the_fast_form_finds_flow_once_and_makes_each_pair_by_itself():
    frames, t = pair(over(0), over(12)), torch.tensor([0.3, 0.6])
    contracts.preparing_once_serves_every_timestep(DisFast(), frames, t)
    contracts.each_window_of_a_batch_is_made_by_itself(DisFast(), frames, t)
    near_the_ends = DisFast()(frames, torch.tensor([1e-6, 1 - 1e-6]))
    torch.testing.assert_close(near_the_ends, frames[0], atol=1e-3, rtol=0)


@pytest.mark.parametrize("roughly", [False, True])
def test_threads_find_what_one_alone_finds(roughly: bool):
    pictures = [seen_by_dis(torch.stack([pan(step + k) for step in (0.0, 3.0, 6.0)]), 0.5) for k in (0, 2)]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = find_flow(*pictures, roughly=roughly)
        torch.set_num_threads(3)
        assert torch.equal(find_flow(*pictures, roughly=roughly), alone)
    finally:
        torch.set_num_threads(threads)
    assert alone.shape == (3, 2, 48, 64)


def test_rough_flow_follows_pictures_brought_to_the_same_light():
    before, after = (seen_by_dis(pan(place)[None], 1) for place in (0.0, 6.0))
    dark = (after * 0.8).round().to(torch.uint8)
    inside = (0, 0, slice(16, -16), slice(16, -16))
    plain = find_flow(before, after, roughly=True)[inside].median()
    lit = find_flow(before, as_bright(dark, before), roughly=True)[inside].median()
    assert plain.abs() > 1
    torch.testing.assert_close(lit, plain, atol=0.1, rtol=0)
    assert torch.equal(as_bright(before, before), before)
