"""VFIMamba computes what the published network does, with a scan of its own."""

from __future__ import annotations

import contracts
import parity
import pytest
import torch
from torch import Tensor

import vfi
from vfi.archs import vfimamba
from vfi.archs.vfimamba import Config, VfiMamba
from vfi.core import Encodes, InputError, Interpolator, Moves, Options

STORED = parity.load_set("vfimamba/vfimamba_s")
MILLIONS = {"vfimamba-s": 16.8, "vfimamba": 66.1}
"""Of weights."""

HALF = torch.tensor([0.5])
WINDOW = contracts.window(32, 64)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return STORED.state()


@pytest.fixture(scope="module")
def net(state: dict[str, Tensor]) -> VfiMamba:
    return vfimamba.build(state).requires_grad_(False)


@pytest.fixture(scope="module")
def small() -> VfiMamba:
    torch.manual_seed(3)
    return VfiMamba(Config(8, (1, 2))).eval().requires_grad_(False)


CASES = [pytest.param(case, id=case.name, marks=[pytest.mark.exhaustive] * (case.name == "odd")) for case in STORED.cases]


@pytest.mark.parametrize("case", CASES)
def test_it_computes_what_the_published_network_does(state: dict[str, Tensor], case: parity.Case):
    model = vfimamba.build(state, Options(scale=case.options.get("scale", 1.0))).requires_grad_(False)
    prepared = model.prepare([model.encode(rgb) for rgb in case.window.unbind(1)], case.window.unbind(1))
    for t in case.timesteps:
        motion = model.motion_at(prepared, torch.tensor([t]))
        STORED.compare(case, f"flow_t{t:g}", case.cut(torch.cat((motion.flow0, motion.flow1), dim=1)))
        STORED.compare(case, f"mask_t{t:g}", case.cut(motion.mask))
        STORED.compare(case, f"out_t{t:g}", case.cut(model.at(prepared, torch.tensor([t]))))


@pytest.mark.parametrize("config", vfimamba.PUBLISHED, ids=vfimamba.PUBLISHED.get)
def test_both_published_sizes_are_read_off_their_shapes(config: Config):
    with torch.device("meta"):
        net = VfiMamba(config).net
    name = vfimamba.PUBLISHED[config]
    assert sum(weight.numel() for weight in net.parameters()) == pytest.approx(MILLIONS[name] * 1e6, rel=2e-3)
    assert vfi.detect({f"module.{key}": value for key, value in net.state_dict().items()}).name == name
    without = {key: value for key, value in net.state_dict().items() if not key.endswith("A_logs")}
    assert vfimamba.detect(without) is None


def test_it_keeps_its_contracts(net: VfiMamba):
    assert isinstance(net, Interpolator)
    assert isinstance(net, Encodes)
    assert isinstance(net, Moves)
    spec = net.spec
    assert (spec.window, spec.any_t, spec.multiple, spec.licence, spec.tiles) == (2, True, 32, "Apache-2.0", False)


def test_pairs_are_scanned_once_for_all_timesteps(small: VfiMamba):
    times = torch.tensor([0.2, 0.5, 0.9])
    contracts.preparing_once_serves_every_timestep(small, WINDOW, times, small.net.feature_bone.block3)
    contracts.one_window_serves_many_timesteps(small, WINDOW, times)
    contracts.each_window_of_a_batch_is_made_by_itself(small, WINDOW, times[:2])


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_time_per_pixel_may_be_the_same_everywhere(small: VfiMamba, scale: float):
    model = vfimamba.build(small.net.state_dict(), Options(scale=scale)).requires_grad_(False)
    everywhere = torch.full((1, 1, 32, 64), 0.3)
    torch.testing.assert_close(model(WINDOW, everywhere), model(WINDOW, torch.tensor([0.3])))
    ramp = torch.linspace(0.1, 0.9, 64).expand(1, 1, 32, 64)
    assert (model(WINDOW, ramp) - model(WINDOW, everywhere)).abs().max() > 1e-5


def test_it_runs_in_half_precision_and_learns(small: VfiMamba):
    contracts.half_precision_is_close(small, WINDOW)
    contracts.gradients_reach_every_weight(small, contracts.window(64, 64))


def test_it_interpolates_a_clip(small: VfiMamba):
    contracts.interpolates_a_clip(vfi.load(small.net.state_dict()), 3)


@pytest.mark.parametrize("options", [Options(scale=2), Options(ensemble=True), Options(variant="small")])
def test_what_it_has_not_is_refused(small: VfiMamba, options: Options):
    with pytest.raises(InputError, match="vfimamba"):
        vfimamba.build(small.net.state_dict(), options)


def test_frames_and_weights_that_do_not_suit_are_refused(small: VfiMamba):
    with pytest.raises(InputError, match=r"48x32.* multiples of 32"):
        small(torch.rand(1, 2, 3, 32, 48), HALF)
    state = {key: value for key, value in small.net.state_dict().items() if key != "unet.conv.bias"}
    with pytest.raises(InputError, match=r"unet\.conv\.bias"):
        vfimamba.build(state)
    with pytest.raises(InputError, match="not VFIMamba's"):
        vfimamba.build({"feature_bone.block0.conv.0.weight": torch.zeros(8, 3, 3, 3)})
