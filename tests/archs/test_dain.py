"""DAIN computes what the published network computes, once a frame and once a pair where it can."""

from __future__ import annotations

import contracts
import parity_other as parity
import pytest
import torch
from torch import Tensor

import vfi
from vfi.archs import dain
from vfi.archs.dain import Dain
from vfi.core import Encodes, InputError, Interpolator, Moves, Options
from vfi.model import registry

SET = parity.load_set("dain/dain_slowmotion")
WINDOW = contracts.window(128, 128)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return SET.state()


@pytest.fixture(scope="module")
def net(state: dict[str, Tensor]) -> Dain:
    return dain.build(state).requires_grad_(False)


def test_it_computes_what_the_published_network_does(net: Dain):
    """Early tensors strictly, for a small change of flow can move a whole pixel later."""
    window, times = SET.window(), torch.tensor(SET.options["frames"])
    features = [net.encode(rgb) for rgb in window.unbind(1)]
    SET.compare("log_depth", torch.cat([frame.context[:, -1:] for frame in features]), atol=1e-5)
    SET.compare("ctx0", features[0].context[:, ::16, ::4, ::4], atol=1e-5)
    SET.compare("pwc_flow_quarter", net.flownets(features[0].pyramid, features[1].pyramid), atol=1e-5)
    prepared = net.prepare(features, window.unbind(1))
    SET.compare("filter0", prepared.pair.kernel0[..., ::4, ::4], atol=1e-5)
    SET.compare("filter1", prepared.pair.kernel1[..., ::4, ::4], atol=1e-5)
    flows = net.project(prepared, times)
    SET.compare("projflow0_t0.75", flows[0][2:])
    SET.compare("projflow1_t0.75", flows[1][2:])
    blends, frames = net.render(prepared, flows, times)
    SET.compare("blend_t0.25", blends[:1])
    for t, frame in zip(SET.options["frames"], frames, strict=True):
        SET.compare(f"frame_t{t}", frame[None])


def test_it_is_recognised(state: dict[str, Tensor]):
    assert vfi.detect({f"module.{key}": value for key, value in state.items()}).name == "dain"
    assert dain.detect({key: value for key, value in state.items() if not key.startswith("depthNet.")}) is None


def test_it_has_every_weight_of_the_file_that_does_anything(state: dict[str, Tensor], net: Dain):
    assert sorted(state.keys() - net.state_dict().keys()) == sorted(SET.manifest["dead_keys"])
    assert not net.state_dict().keys() - state.keys()


def test_it_keeps_its_contracts(net: Dain):
    assert isinstance(net, Interpolator)
    assert isinstance(net, Encodes)
    assert isinstance(net, Moves)
    assert (net.spec.any_t, net.spec.multiple) == (True, 128)
    assert not dain.CHECKPOINTS[0].commercial


@pytest.mark.slow
def test_each_part_is_computed_once_and_serves_many_timesteps(net: Dain):
    parts = (net.depthNet, net.ctxNet, net.flownets, net.initScaleNets_filter)
    contracts.preparing_once_serves_every_timestep(net, WINDOW, torch.tensor([0.2, 0.7]), *parts)


@pytest.mark.exhaustive
def test_each_window_of_a_batch_is_made_by_itself(net: Dain):
    windows = torch.cat((WINDOW, WINDOW.flip(1) / 2))
    times = torch.tensor([0.25, 0.5])
    apart = torch.cat([net(one[None], t[None]) for one, t in zip(windows, times, strict=True)])
    assert (net(windows, times) - apart).abs().mean() < 1e-5


def test_motion_follows_the_frames(net: Dain):
    """Its flows lead to both frames; of a time near one of them, hardly away from it."""
    motion = contracts.motion(net, WINDOW, torch.tensor([0.01, 0.99]))
    assert motion.flow0.shape == motion.flow1.shape == (2, 2, 128, 128)
    assert motion.flow0[0].abs().mean() < motion.flow0[1].abs().mean() / 20
    assert motion.flow1[1].abs().mean() < motion.flow1[0].abs().mean() / 20
    torch.testing.assert_close(motion.mask[:, 0, 0, 0], torch.tensor([0.99, 0.01]))


@pytest.mark.exhaustive
def test_it_runs_in_half_precision_and_learns(net: Dain):
    contracts.half_precision_is_close(net, WINDOW)
    contracts.gradients_reach_every_weight(net, WINDOW)


@pytest.mark.exhaustive
def test_it_interpolates_a_clip(state: dict[str, Tensor]):
    contracts.interpolates_a_clip(vfi.load(state), 2)


@pytest.mark.parametrize("options", [Options(scale=0.5), Options(ensemble=True), Options(variant="slow")])
def test_what_it_has_not_is_refused(state: dict[str, Tensor], options: Options):
    with pytest.raises(InputError, match="dain"):
        registry.build(state, options)


def test_frames_and_weights_that_do_not_suit_are_refused(state: dict[str, Tensor], net: Dain):
    with pytest.raises(InputError, match=r"96x128.* multiples of 128"):
        net(torch.rand(1, 2, 3, 128, 96), torch.tensor([0.5]))
    with pytest.raises(InputError, match=r"ctxNet\.block3\.conv2\.weight"):
        registry.build({key: value for key, value in state.items() if key != "ctxNet.block3.conv2.weight"})
    with pytest.raises(InputError, match="DAIN"):
        dain.build({"depthNet.0.weight": torch.empty(1)})
