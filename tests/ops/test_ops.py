"""The building blocks compute what the published ones do, in every type, with gradients and without great memory."""

from __future__ import annotations

import parity_other as parity
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vfi.ops.adaptive import (
    adacof,
    adaptive_convolution,
    adaptive_warp,
    deformable_separable_convolution,
    separable_convolution,
)
from vfi.ops.correlation import AllPairs, absolute_difference, correlation
from vfi.ops.projection import fill_holes, project_flow
from vfi.ops.splat import splat_average, splat_linear, splat_softmax, splat_sum
from vfi.ops.warp import (
    Outside,
    look_up,
    sample,
    targets,
    warp_corners,
    warp_cubic,
    warp_moved,
    warp_shrunk,
    warp_valid,
    warp_zeros,
)

CASES = parity.load_cases()


def half_pixel_off(src: Tensor, flow: Tensor) -> Tensor:
    """Super SloMo's grid read without aligned corners: what its code gives since that became the default."""
    x, y = targets(flow)
    return sample(src, x - 0.5, y - 0.5, outside="zeros")


def stretched(src: Tensor, flow: Tensor) -> Tensor:
    """A grid of corners read without aligned corners."""
    x, y = targets(flow)
    height, width = src.shape[-2:]
    return sample(src, x * width / (width - 1) - 0.5, y * height / (height - 1) - 0.5, outside="border")


OPERATORS = {
    "backwarp_zeros": warp_zeros,
    "backwarp_border": warp_corners,
    "backwarp_slomo_trained": warp_shrunk,
    "backwarp_slomo_modern": half_pixel_off,
    "backwarp_half_border": stretched,
    "backwarp_pwc_mask": warp_valid,
    "splat_sum": splat_sum,
    "splat_avg": splat_average,
    "splat_avg_clipeps": lambda src, flow: splat_average(src, flow, empty="clip"),
    "splat_linear": splat_linear,
    "splat_linear_zeroeps": lambda src, flow, metric: splat_linear(src, flow, metric, empty="zero"),
    "splat_soft": splat_softmax,
    "splat_soft_zeroeps": lambda src, flow, metric: splat_softmax(src, flow, metric, empty="zero"),
    "splat_soft_clipeps": lambda src, flow, metric: splat_softmax(src, flow, metric, empty="clip"),
    "dain_depth_flow_projection": project_flow,
    "dain_filter_interpolation": adaptive_warp,
    "correlation81": correlation,
    "costvol_l1": absolute_difference,
    "raft_allpairs_lookup": lambda fa, fb, coords: AllPairs(fa, fb, levels=2, radius=2)(coords),
    "sepconv": separable_convolution,
    "adaconv2d": adaptive_convolution,
    "adacof": adacof,
    "dsepconv": deformable_separable_convolution,
}


def test_every_stored_case_has_an_operator():
    assert OPERATORS.keys() == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_the_published_one_does(name: str):
    case = CASES[name]
    made = OPERATORS[name](*case.inputs.values())
    made = made if isinstance(made, tuple) else (made,)
    for output, got in zip(case.expected, made, strict=True):
        case.compare(output, got)


FLOATING = [name for name in CASES if name != "dain_depth_flow_projection"]
"""Those that return the type of the picture; projected flow is always float32 or better."""


@pytest.mark.parametrize("name", FLOATING)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_half_picture_is_sampled_exactly(name: str, dtype: torch.dtype):
    """Flows and kernels stay float32, as networks keep them."""
    first, *rest = CASES[name].inputs.values()
    both = name in ("correlation81", "costvol_l1", "raft_allpairs_lookup")
    rest = [rest[0].to(dtype), *rest[1:]] if both else rest
    made = OPERATORS[name](first.to(dtype), *rest)
    assert made.dtype == dtype
    exact = OPERATORS[name](first.to(dtype).float(), *(value.float() for value in rest))
    torch.testing.assert_close(made, exact.to(dtype))


@pytest.mark.parametrize("name", CASES)
def test_double_stays_double(name: str):
    made = OPERATORS[name](*(value.double() for value in CASES[name].inputs.values()))
    made = made[0] if isinstance(made, tuple) else made
    assert made.dtype == torch.float64
    torch.testing.assert_close(made.float(), next(iter(CASES[name].expected.values())), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_everything_stays_on_the_device_of_its_inputs(name: str):
    made = OPERATORS[name](*(value.to("meta") for value in CASES[name].inputs.values()))
    assert all(part.device.type == "meta" for part in (made if isinstance(made, tuple) else (made,)))


@pytest.mark.parametrize("name", CASES)
def test_gradients_flow(name: str):
    inputs = [value[:1, :, :5, :6].double() for value in CASES[name].inputs.values()]
    if name in ("sepconv", "adaconv2d", "adacof", "dsepconv"):
        inputs = [inputs[0], *(value[:, :, :1, :2] for value in inputs[1:])]
        inputs[0] = CASES[name].inputs["src"][:1, :1, :5, :6].double()
    # A bilinear look-up has a kink at whole numbers: away from them.
    torch.manual_seed(0)
    inputs = [(value.nan_to_num(0.3, 0.3, 0.3) + 0.01 * torch.rand_like(value)).requires_grad_() for value in inputs]
    assert torch.autograd.gradcheck(OPERATORS[name], inputs, eps=1e-7, atol=1e-4, fast_mode=True)


@pytest.mark.parametrize("warp", [warp_corners, warp_cubic, warp_zeros, warp_valid, warp_shrunk, splat_sum, splat_average])
def test_one_of_a_batch_serves_all_of_the_other(warp):
    torch.manual_seed(0)
    image, flow = torch.rand(3, 2, 6, 5), torch.randn(3, 2, 6, 5)
    for pictures, flows in ((image[:1], flow), (image, flow[:1])):
        apart = [warp(pictures[index % len(pictures)][None], flows[index % len(flows)][None]) for index in range(3)]
        torch.testing.assert_close(warp(pictures, flows), torch.cat(apart))


@pytest.mark.parametrize("warp", [warp_corners, warp_cubic, warp_zeros, warp_valid, splat_sum, splat_average])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (4, 1), (3, 5)])
def test_still_pictures_stay(warp, size: tuple[int, int]):
    image = torch.rand(1, 3, *size)
    torch.testing.assert_close(warp(image, torch.zeros(1, 2, *size)), image, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (4, 1), (3, 5)])
def test_what_lies_outside(size: tuple[int, int]):
    image, away = torch.rand(1, 3, *size) + 1, torch.full((1, 2, *size), 50.0)
    assert not warp_zeros(image, away).any()
    assert not splat_sum(image, away).any()
    assert torch.equal(warp_corners(image, away), image[..., -1:, -1:].expand_as(image))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_look_up_in_half_precision_is_refused(dtype: torch.dtype):
    """torch's own gives NaN for large pictures, or crashes."""
    with pytest.raises(TypeError, match="both must be float32"):
        look_up(torch.zeros(1, 1, 4, 4, dtype=dtype), torch.zeros(1, 4, 4, 2, dtype=dtype))


def test_a_half_pixel_grid_looks_at_the_same_places():
    torch.manual_seed(0)
    image, flow = torch.rand(2, 3, 7, 9), 3 * torch.randn(2, 2, 7, 9)
    height, width = 7, 9
    x = torch.linspace(1 / width - 1, 1 - 1 / width, width) + flow[:, 0] / (width / 2)
    y = torch.linspace(1 / height - 1, 1 - 1 / height, height)[:, None] + flow[:, 1] / (height / 2)
    expected = F.grid_sample(image, torch.stack((x, y), -1), padding_mode="border", align_corners=False)
    torch.testing.assert_close(warp_corners(image, flow), expected, atol=1e-5, rtol=1e-5)


def test_clamped_coordinates_are_the_repeated_border():
    torch.manual_seed(0)
    image, flow = torch.rand(2, 3, 7, 9), 20 * torch.randn(2, 2, 7, 9)
    x, y = targets(flow)
    grid = torch.stack((x * (2 / 8) - 1, y * (2 / 6) - 1), dim=-1)
    expected = F.grid_sample(image, grid, padding_mode="border", align_corners=True)
    torch.testing.assert_close(warp_corners(image, flow), expected, atol=1e-6, rtol=1e-6)


def test_a_picture_that_is_warped_there_and_back_stays_sharper_by_a_cubic():
    image, flow = (
        F.interpolate(torch.rand(1, 3, 16, 16), scale_factor=3, mode="bicubic").clamp(0, 1),
        torch.full((1, 2, 48, 48), 0.5),
    )
    lost = [(warp(warp(image, flow), -flow) - image)[..., 4:-4, 4:-4].abs().mean() for warp in (warp_corners, warp_cubic)]
    assert lost[1] < lost[0] / 3
    made = warp_cubic(image, flow)
    assert image.min() <= made.min() <= made.max() <= image.max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_picture_keeps_its_bits_where_nothing_is_moved(dtype):
    image, flow = torch.rand(2, 3, 12, 15).to(dtype), torch.zeros(2, 2, 12, 15)
    assert torch.equal(warp_moved(image, flow), image)
    flow[1, 0, 4:8, 5:9] = 0.5
    made = warp_moved(image, flow)
    changed = (made != image).any(dim=1)
    assert made.dtype == dtype
    assert changed[1, 4:8, 5:9].all()
    assert changed.sum() == 16


def test_splatting_keeps_what_stays_inside():
    torch.manual_seed(0)
    image, flow = torch.rand(1, 3, 12, 12), torch.rand(1, 2, 12, 12) * 4 - 2
    image[..., :2, :] = image[..., -2:, :] = image[..., :, :2] = image[..., :, -2:] = 0
    torch.testing.assert_close(splat_sum(image, flow).sum((2, 3)), image.sum((2, 3)))


def test_splatting_the_same_twice_gives_the_same():
    torch.manual_seed(0)
    image, flow = torch.rand(1, 3, 40, 40), 5 * torch.randn(1, 2, 40, 40)
    assert torch.equal(splat_average(image, flow), splat_average(image, flow))


def test_the_more_important_covers_the_rest():
    image = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    flow = torch.tensor([[[[2.0, 1.0, 0.0]], [[0.0, 0.0, 0.0]]]])
    assert splat_softmax(image, flow, torch.tensor([[[[0.0, 30.0, 0.0]]]]))[0, 0, 0].tolist() == pytest.approx([0, 0, 2])
    assert splat_average(image, flow)[0, 0, 0].tolist() == pytest.approx([0, 0, 2])
    assert splat_sum(image, flow)[0, 0, 0].tolist() == pytest.approx([0, 0, 6])
    assert splat_linear(image, flow, torch.tensor([[[[1.0, 0.0, 3.0]]]]))[0, 0, 0].tolist() == pytest.approx([0, 0, 2.5])


@pytest.fixture(scope="module")
def features() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    at = 10 * torch.randn(2, 2, 11, 13) + 5
    at[0, 0, 0, :3] = torch.tensor([1e12, -1e12, float("nan")])
    return torch.randn(2, 16, 11, 13), torch.randn(2, 16, 11, 13), at


def reference_pairs(a: Tensor, b: Tensor, at: Tensor, levels: int, radius: int, outside: Outside = "zeros") -> Tensor:
    """The whole volume, pooled, sampled by grid_sample."""
    batch, channels, height, width = a.shape
    volume = torch.einsum("bcij,bckl->bijkl", a, b).reshape(-1, 1, height, width) / channels**0.5
    reach = torch.arange(-radius, radius + 1.0)
    made = []
    for level in range(levels):
        x = (at[:, 0] / 2**level).reshape(-1, 1, 1) + reach[:, None]
        y = (at[:, 1] / 2**level).reshape(-1, 1, 1) + reach
        x, y = torch.broadcast_tensors(x, y)
        made.append(sample(volume, x, y, outside=outside).reshape(batch, height, width, -1))
        volume = F.avg_pool2d(volume, 2)
    return torch.cat(made, -1).permute(0, 3, 1, 2)


@pytest.mark.parametrize("limit", [0, 2 * 143 * (5 * 6 + 2 * 3) * 4, 2**20])
def test_pairs_are_the_same_stored_or_not(features, limit: int):
    a, b, at = features
    pairs = AllPairs(a, b, levels=3, radius=3, limit=limit)
    assert sum(volume is not None for volume in pairs.volumes) == {0: 0, 2**20: 3}.get(limit, 2)
    at = torch.where(at.isfinite(), at, 1e12)
    torch.testing.assert_close(pairs(at), reference_pairs(a, b, at, 3, 3), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("limit", [0, 2**20])
def test_beyond_the_edge_pairs_are_those_of_the_edge_if_asked(features, limit: int):
    a, b, at = features
    at = torch.where(at.isfinite(), at, 1e9)
    pairs = AllPairs(a, b, levels=3, radius=3, limit=limit, outside="border")
    torch.testing.assert_close(pairs(at), reference_pairs(a, b, at, 3, 3, "border"), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("limit", [0, 2**20])
def test_levels_may_be_made_elsewhere(features, limit: int):
    a, b, at = features
    levels = [b, F.avg_pool2d(b, 2), F.avg_pool2d(F.avg_pool2d(b, 2), 2)]
    whole = AllPairs(a, b, levels=3, radius=2, limit=limit)(at)
    torch.testing.assert_close(AllPairs(a, levels, radius=2, limit=limit)(at), whole, equal_nan=True)


@pytest.mark.parametrize("limit", [0, 2**20])
def test_one_pair_of_features_serves_many_look_ups(features, limit: int):
    a, b, at = features
    pairs = AllPairs(a[:1], b[:1], levels=2, radius=2, limit=limit)
    torch.testing.assert_close(pairs(at), torch.cat([pairs(at[:1]), pairs(at[1:])]), equal_nan=True)


def test_places_far_away_have_no_pairs(features):
    a, b, at = features
    for limit in (0, 2**20):
        found = AllPairs(a, b, levels=2, radius=4, limit=limit)(at)
        assert not found[0, :, 0, :2].any()
        assert found[1].isfinite().all()


def test_a_pair_of_1080p_is_never_stored_whole():
    """What a look-up of RAFT keeps, at an eighth of 1920x1080, stays within its limit."""
    pairs = AllPairs(torch.zeros(1, 4, 135, 240), torch.zeros(1, 4, 135, 240))
    stored = sum(volume.numel() * volume.element_size() for volume in pairs.volumes if volume is not None)
    assert 0 < stored <= 512 * 2**20
    assert pairs(torch.zeros(1, 2, 135, 240)).shape == (1, 4 * 81, 135, 240)


def test_holes_take_the_mean_of_their_nearest_neighbours():
    values = torch.zeros(1, 1, 5, 7)
    values[0, 0, 2, 0], values[0, 0, 2, 6], values[0, 0, 0, 3] = 1, 2, 6
    filled = fill_holes(values, values > 0)[0, 0]
    assert filled[2, 3] == 3
    assert filled[2, 1] == 1.5
    assert filled[4, 0] == 1
    assert filled[4, 1] == 0
    assert filled[0, 3] == 6


def test_projected_flow_leads_back():
    flow = torch.zeros(1, 2, 6, 8)
    flow[:, 0], flow[:, 1] = 2, -1
    back, count = project_flow(flow, torch.ones(1, 1, 6, 8))
    assert torch.equal(back, -flow)
    assert not count[..., :2].any()


def test_large_kernels_need_no_memory_for_neighbourhoods():
    """51 taps a side of a 96x96 picture unfold to 290 MB; the operator keeps a few pictures."""
    inputs = torch.rand(1, 3, 146, 146), torch.rand(1, 51, 96, 96), torch.rand(1, 51, 96, 96)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        separable_convolution(*inputs)
    picture = 3 * 96 * 96 * 4
    assert 0 < max(event.self_cpu_memory_usage for event in profile.events()) <= 2 * picture
