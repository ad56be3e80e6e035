"""GMFSS computes what the published networks compute; flow and importance are estimated once a pair."""

from __future__ import annotations

import contracts
import halves
import parity_other as parity
import pytest
import torch
from torch import Tensor

import vfi
from vfi.archs import gmfss
from vfi.archs.gmfss import Gmfss
from vfi.core import Encodes, InputError, Interpolator, Moves, Options
from vfi.ops.warp import warp_corners

BASE, UNION = (parity.load_set(f"gmfss/gmfss_{version}") for version in ("base", "union"))
HALF = torch.tensor([0.5])
PARTS = ("flownet", "metricnet", "feat_ext", "fusionnet", "ifnet")
FILES = (
    ("flownet", "metric", "feat", "fusionnet", "rife"),
    (
        "GMFSS_fortuna_flownet",
        "GMFSS_fortuna_union_metric",
        "GMFSS_fortuna_union_feat",
        "GMFSS_fortuna_union_fusionnet",
        "rife46",
    ),
)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return UNION.state()


@pytest.fixture(scope="module")
def net(state: dict[str, Tensor]) -> Gmfss:
    return gmfss.build(state).requires_grad_(False)


def window(height: int = 64, width: int = 64, count: int = 2) -> Tensor:
    return torch.stack([torch.from_numpy(parity.waves(height, width, 6 * i, -4 * i)) for i in range(count)])[None]


@pytest.mark.parametrize("case", [BASE, UNION], ids=["base", "union"])
def test_it_computes_what_the_published_network_does(case: parity.ParitySet):
    model = gmfss.build(case.state()).requires_grad_(False)
    features = [model.encode(rgb) for rgb in case.window().unbind(1)]
    between = model.net.relate(features)
    made = model(case.window(), torch.tensor([0.5, 0.25]))
    outputs = {
        "flow01_half": between.flow[0],
        "flow10_half": between.flow[1],
        "metric0": between.importance[0],
        "metric1": between.importance[1],
        "feat0_l3": features[0].context[2][:, :8],
        "frame_t0.5": made[:1],
        "frame_t0.25": made[1:],
    }
    if case is UNION:
        outputs["rife_half_t0.25"] = model.net.rife_frame([frame.rife for frame in features], torch.tensor([0.25]))
    assert outputs.keys() == case.expected.keys()
    for key, got in outputs.items():
        case.compare(key, got)


def test_the_parts_are_recognised_by_the_names_of_their_files(state: dict[str, Tensor]):
    assert vfi.detect(state).name == "gmfss-union"
    assert vfi.detect(BASE.state()).name == "gmfss-base"
    for files in FILES:
        named = dict(zip(PARTS, files, strict=True))
        converted = {f"{named[part]}.{key}": state[f"{part}.{key}"] for part, key in (name.split(".", 1) for name in state)}
        assert vfi.detect(converted).name == "gmfss-union"
        assert gmfss.canonical(converted).keys() == state.keys()
    assert gmfss.detect({**state, "encoder.weight": torch.zeros(1)}) is None


def test_it_keeps_its_contracts(net: Gmfss):
    assert isinstance(net, Interpolator)
    assert isinstance(net, Encodes)
    assert isinstance(net, Moves)
    assert (net.spec.any_t, net.spec.multiple, net.spec.licence) == (True, 64, "MIT")


def test_one_window_serves_many_timesteps_and_flow_is_paid_once(net: Gmfss):
    parts = (net.net.flownet, net.net.metricnet, net.net.feat_ext)
    contracts.preparing_once_serves_every_timestep(net, window(), torch.tensor([0.2, 0.5, 0.9]), *parts)


def test_every_window_of_a_batch_is_made_by_itself(net: Gmfss):
    windows = torch.cat((window(), window().flip(1)))
    times = torch.tensor([0.25, 0.5])
    apart = torch.cat([net(windows[i : i + 1], times[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(net(windows, times), apart, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_flow_is_in_pixels_of_the_frame_at_any_scale(state: dict[str, Tensor], scale: float):
    model = gmfss.build(state, Options(scale=scale)).requires_grad_(False)
    assert model.spec.multiple == (128 if scale < 1 else 64)
    size = model.spec.multiple
    features = [model.encode(rgb) for rgb in window(size, size).unbind(1)]
    between = model.net.relate(features)
    assert between.flow[0].shape == (1, 2, size // 2, size // 2)
    scaled = model.net.flownet(*(feature.matching for feature in features))[0]
    torch.testing.assert_close(between.flow[0].mean(), scaled.mean() / scale, rtol=1e-3, atol=1e-3)
    assert model(window(size, size), HALF).isfinite().all()


def test_motion_is_where_pixels_were_and_will_be(net: Gmfss, monkeypatch: pytest.MonkeyPatch):
    moved = torch.tensor([3.0, -2.0]).reshape(1, 2, 1, 1).expand(1, 2, 32, 32)
    level = torch.zeros(1, 1, 32, 32)
    monkeypatch.setattr(net.net, "relate", lambda features: gmfss.Between((moved, -moved), (level, level)))
    motion = contracts.motion(net, window(), torch.tensor([0.25, 0.5]))
    assert motion.occlusion is not None
    assert (motion.flow0.shape, motion.mask.shape, motion.occlusion.shape) == ((2, 2, 64, 64), (2, 1, 64, 64), (2, 1, 64, 64))
    inner = (..., slice(16, 48), slice(16, 48))
    assert not motion.occlusion[inner].any()
    for at, t in enumerate((0.25, 0.5)):
        torch.testing.assert_close(motion.flow0[at][inner].mean((1, 2)), torch.tensor([-6 * t, 4 * t]))
        torch.testing.assert_close(motion.flow1[at][inner].mean((1, 2)), torch.tensor([6 * (1 - t), -4 * (1 - t)]))
        torch.testing.assert_close(motion.mask[at][inner].mean(), torch.tensor(1 - t))
    before, after = window().unbind(1)
    seen0, seen1 = warp_corners(before, motion.flow0[1:]), warp_corners(after, motion.flow1[1:])
    assert (seen0 - seen1)[inner].abs().mean() < 0.01


def test_what_nothing_lands_on_is_occluded(net: Gmfss, monkeypatch: pytest.MonkeyPatch):
    apart = torch.zeros(1, 2, 32, 32)
    apart[:, 0, :, :16], apart[:, 0, :, 16:] = -10, 10
    level = torch.zeros(1, 1, 32, 32)
    monkeypatch.setattr(net.net, "relate", lambda features: gmfss.Between((apart, apart), (level, level)))
    motion = contracts.motion(net, window(), HALF)
    assert motion.occlusion is not None
    assert motion.occlusion[0, 0, 32, 32] == 1
    assert motion.mask[0, 0, 32, 32] == 0.5
    assert motion.flow0[0, :, 32, 32].abs().max() == 0
    assert motion.occlusion[0, 0, 32, 8] == 0


def test_bfloat16_is_close_and_output_keeps_the_type_of_the_window(state: dict[str, Tensor], net: Gmfss):
    half = gmfss.build(state).requires_grad_(False).bfloat16()
    with halves.quick():
        made, same = half(window(), HALF), half(window().bfloat16(), HALF)
    exact = net(window(), HALF)
    assert (made.dtype, same.dtype) == (torch.float32, torch.bfloat16)
    assert made.isfinite().all()
    assert (made - exact).abs().mean() < 0.03


def test_gradients_reach_every_weight(state: dict[str, Tensor]):
    model = gmfss.build(state)
    model(window(), HALF).sum().backward()
    weak = {name for name, weight in model.net.named_parameters() if weight.grad is None or not weight.grad.any()}
    assert weak == set(UNION.manifest["dead_keys"])


@pytest.mark.parametrize("case", [BASE, UNION], ids=["base", "union"])
def test_it_interpolates_a_clip_of_an_odd_and_small_size(case: parity.ParitySet):
    clip = window(45, 67, 3)[0]
    made = vfi.interpolate(clip, vfi.load(case.state()), 4)
    assert made.shape == (9, 3, 45, 67)
    assert made.isfinite().all()
    assert torch.equal(made[::4], clip)
    assert 0 <= made.min() <= made.max() <= 1


@pytest.mark.parametrize("options", [Options(scale=0.3), Options(ensemble=True), Options(variant="pg")])
def test_what_it_has_not_is_refused(state: dict[str, Tensor], options: Options):
    with pytest.raises(InputError, match="gmfss-union"):
        gmfss.build(state, options)


def test_frames_and_weights_that_do_not_suit_are_refused(state: dict[str, Tensor], net: Gmfss):
    with pytest.raises(InputError, match=r"96x64.* multiples of 64"):
        net(torch.rand(1, 2, 3, 64, 96), HALF)
    with pytest.raises(InputError, match="needs 2 of the same shape"):
        net(torch.rand(1, 3, 3, 64, 64), HALF)
    with pytest.raises(InputError, match="one t per window"):
        net(torch.rand(2, 2, 3, 64, 64), torch.full((3,), 0.5))
    with pytest.raises(InputError, match=r"feat_ext\.block3\.3\.bias"):
        gmfss.build({key: value for key, value in state.items() if key != "feat_ext.block3.3.bias"})
    with pytest.raises(InputError, match=r"convert rife\.pkl"):
        gmfss.build({key: value for key, value in state.items() if not key.startswith("ifnet.")})
