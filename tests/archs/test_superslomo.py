"""Super SloMo computes what the published networks compute, sampled as they were trained."""

from __future__ import annotations

import contracts
import parity_other as parity
import pytest
import torch
from torch import Tensor

import vfi
from vfi.archs import superslomo
from vfi.archs.superslomo import SuperSloMo
from vfi.core import InputError, Interpolator, Moves, Options
from vfi.model import registry
from vfi.ops.warp import warp_zeros

SET = parity.load_set("superslomo/superslomo")
WINDOW = contracts.window(32, 64)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return SET.state()


@pytest.fixture(scope="module")
def net(state: dict[str, Tensor]) -> SuperSloMo:
    return superslomo.build(state).requires_grad_(False)


def test_it_computes_what_the_published_networks_do(net: SuperSloMo):
    window = SET.window()
    prepared = net.prepare((), window.unbind(1))
    SET.compare("f01", prepared.forward)
    SET.compare("f10", prepared.backward)
    for t in SET.options["timesteps"]:
        made = net.estimate(prepared, torch.tensor([t]))
        SET.compare(f"ft0_t{t}", made.flow0)
        SET.compare(f"ft1_t{t}", made.flow1)
        SET.compare(f"vis0_t{t}", made.visible)
        SET.compare(f"frame_t{t}", net.render(prepared, made))


def test_it_is_not_half_a_pixel_off(net: SuperSloMo):
    made = net(SET.window(), torch.tensor([0.5]))[..., 1::4, 1::4]
    assert (made - SET.expected["frame_t0.5_torch13_default_align_corners_false"]).abs().mean() > 1e-3


def test_it_is_recognised_in_both_layouts(state: dict[str, Tensor]):
    script = {
        key.replace("flow.", "state_dictFC.", 1).replace("interp.", "state_dictAT.", 1): value for key, value in state.items()
    }
    assert not any(key in state for key in script)
    for layout in (state, script):
        assert vfi.detect(layout).name == "superslomo"
        assert superslomo.build(layout).state_dict().keys() == state.keys()
    assert superslomo.detect({key: value for key, value in state.items() if key.startswith("flow.")}) is None


def test_it_keeps_its_contracts(net: SuperSloMo):
    assert isinstance(net, Interpolator)
    assert isinstance(net, Moves)
    assert (net.spec.any_t, net.spec.multiple, net.spec.licence) == (True, 32, "")
    assert sum(weight.numel() for weight in net.parameters()) == 39_610_473


def test_flow_between_the_frames_is_estimated_once(net: SuperSloMo):
    contracts.preparing_once_serves_every_timestep(net, WINDOW, torch.tensor([0.2, 0.5, 0.9]), net.flow)


def test_timesteps_and_windows_are_made_by_themselves(net: SuperSloMo):
    contracts.one_window_serves_many_timesteps(net, WINDOW, torch.tensor([0.2, 0.9]))
    contracts.each_window_of_a_batch_is_made_by_itself(net, WINDOW, torch.tensor([0.25, 0.5]))


def test_motion_leads_to_where_the_network_looks(net: SuperSloMo):
    t = torch.tensor([0.25])
    motion = contracts.motion(net, WINDOW, t)
    prepared = net.prepare((), WINDOW.unbind(1))
    seen0, seen1 = warp_zeros(prepared.before, motion.flow0), warp_zeros(prepared.after, motion.flow1)
    blend = motion.mask * seen0 + (1 - motion.mask) * seen1
    made = net.render(prepared, net.estimate(prepared, t))
    torch.testing.assert_close(blend + superslomo.mean(blend), made, atol=1e-4, rtol=1e-4)


def test_it_runs_in_half_precision_and_learns(net: SuperSloMo):
    contracts.half_precision_is_close(net, WINDOW)
    contracts.gradients_reach_every_weight(net, WINDOW)


def test_it_interpolates_a_clip(state: dict[str, Tensor]):
    contracts.interpolates_a_clip(vfi.load(state), 4)


@pytest.mark.parametrize("options", [Options(scale=0.5), Options(ensemble=True), Options(variant="adobe240")])
def test_what_it_has_not_is_refused(state: dict[str, Tensor], options: Options):
    with pytest.raises(InputError, match="superslomo"):
        registry.build(state, options)


def test_frames_and_weights_that_do_not_suit_are_refused(state: dict[str, Tensor], net: SuperSloMo):
    with pytest.raises(InputError, match=r"70x64.* multiples of 32"):
        net(torch.rand(1, 2, 3, 64, 70), torch.tensor([0.5]))
    with pytest.raises(InputError, match=r"interp\.up3\.conv1\.bias"):
        registry.build({key: value for key, value in state.items() if key != "interp.up3.conv1.bias"})
    with pytest.raises(InputError, match="Super SloMo"):
        superslomo.build({"flow.conv1.weight": state["flow.conv1.weight"]})
