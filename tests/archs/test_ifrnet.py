"""IFRNet computes what the published networks compute, in all its sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import contracts
import parity
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import vfi
from vfi.archs import ifrnet
from vfi.archs.ifrnet import Config, IFRNet
from vfi.core import InputError, Interpolator, Moves, Options
from vfi.model import registry
from vfi.ops.warp import warp_corners

SETS = [parity.load_set(name) for name in parity.names("ifrnet")]
BASE = parity.load_set("ifrnet/ifrnet")
GOPRO = Options(variant="gopro")
MILLIONS = {"ifrnet-s": 2.80, "ifrnet": 4.96, "ifrnet-l": 19.70, "ifrnet-dr": 5.13}
"""Of weights."""

HALF = torch.tensor([0.5])
WINDOW = contracts.window(48, 64)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return BASE.state()


@pytest.fixture(scope="module")
def net(state: dict[str, Tensor]) -> IFRNet:
    return ifrnet.build(state, GOPRO).requires_grad_(False)


@pytest.mark.parametrize(
    ("stored", "case"), [(stored, case) for stored in SETS for case in stored.cases], ids=lambda value: value.name
)
def test_it_computes_what_the_published_network_does(stored: parity.ParitySet, case: parity.Case):
    options = replace(GOPRO, scale=case.options.get("scale_factor", 1))
    options = replace(options, variant=None) if stored.name.endswith("_dr") else options
    net = ifrnet.build(stored.state(), options).requires_grad_(False)
    for t in case.timesteps:
        made = net.estimate(net.prepare((), case.window.unbind(1)), case.times(t))
        stored.compare(case, f"flow_t{t:g}", case.cut(torch.cat((made.flow0, made.flow1), dim=1)))
        stored.compare(case, f"out_t{t:g}", case.cut(net(case.window, case.times(t))))


@pytest.mark.parametrize("config", ifrnet.PUBLISHED, ids=ifrnet.PUBLISHED.get)
def test_every_published_size_is_read_off_its_shapes(config: Config):
    net, name = IFRNet(config), ifrnet.PUBLISHED[config]
    assert sum(weight.numel() for weight in net.parameters()) == pytest.approx(MILLIONS[name] * 1e6, rel=2e-3)
    assert ifrnet.configure(net.state_dict()) == config
    assert vfi.detect({f"module.{key}": value for key, value in net.state_dict().items()}).name == name


def test_a_time_per_pixel_may_be_the_same_everywhere(net: IFRNet):
    times = torch.tensor([0.25, 0.75])
    referred = ifrnet.build(parity.load_set("ifrnet/ifrnet_dr").state(), Options(scale=0.5)).requires_grad_(False)
    for model, window in ((net, WINDOW), (referred, contracts.window(64, 64))):
        everywhere = times.reshape(-1, 1, 1, 1).expand(-1, 1, *window.shape[-2:])
        torch.testing.assert_close(model(window, everywhere), model(window, times), rtol=0, atol=2e-5)
        contracts.one_window_serves_many_timesteps(model, window, times)
    with pytest.raises(InputError, match=r"of shape \[1, 1, 3, 4\] was given: \[B, 1, 48, 64\] is needed"):
        net(WINDOW, torch.full((1, 1, 3, 4), 0.5))


def test_a_size_that_nobody_published_is_built_all_the_same():
    config = Config((8, 12, 16, 20), 4, 5)
    net = ifrnet.build(IFRNet(config).state_dict())
    assert net.spec.name == "ifrnet-custom"
    assert net(WINDOW, HALF).shape == (1, 3, 48, 64)


def test_only_weights_of_gopro_know_any_t(state: dict[str, Tensor], net: IFRNet):
    vimeo = ifrnet.build(state)
    assert (vimeo.spec.name, vimeo.spec.any_t) == ("ifrnet", False)
    assert (net.spec.name, net.spec.any_t, net.spec.multiple, net.spec.licence) == ("ifrnet-gopro", True, 16, "")
    torch.testing.assert_close(vimeo(WINDOW, HALF), net(WINDOW, HALF))
    with pytest.raises(InputError, match=r"only supports t = 0\.5, not "):
        vimeo(WINDOW, torch.tensor([0.25]))


def test_the_catalogue_says_which_weights_know_any_t(state: dict[str, Tensor], tmp_path: Path):
    for row in (row for row in ifrnet.CHECKPOINTS if not any(kind in row.name for kind in ("-s", "-l", "-dr"))):
        save_file(state, tmp_path / row.files[0])
        assert vfi.load(tmp_path / row.files[0]).spec.name == row.name


def test_it_keeps_its_contracts(net: IFRNet):
    assert isinstance(net, Interpolator)
    assert isinstance(net, Moves)


def test_the_frames_are_encoded_once_however_many_timesteps_there_are(net: IFRNet):
    contracts.preparing_once_serves_every_timestep(net, WINDOW, torch.tensor([0.2, 0.5, 0.9]), net.encoder)


def test_timesteps_and_windows_are_made_by_themselves(net: IFRNet):
    contracts.one_window_serves_many_timesteps(net, WINDOW, torch.tensor([0.2, 0.5, 0.9]))
    contracts.each_window_of_a_batch_is_made_by_itself(net, WINDOW, torch.tensor([0.25, 0.5]))


def test_motion_blends_the_frames_into_what_the_network_returns(net: IFRNet):
    times = torch.tensor([0.25, 0.75])
    motion, residual = contracts.motion(net, WINDOW, times), net.estimate(net.prepare((), WINDOW.unbind(1)), times).residual
    before, after = WINDOW.unbind(1)
    assert motion.flow0.shape == motion.flow1.shape == (2, 2, 48, 64)
    assert motion.mask.shape == (2, 1, 48, 64)
    blend = motion.mask * warp_corners(before, motion.flow0) + (1 - motion.mask) * warp_corners(after, motion.flow1)
    torch.testing.assert_close((blend + residual).clamp(0, 1), net(WINDOW, times))


def test_it_runs_in_half_precision_and_learns(net: IFRNet):
    contracts.half_precision_is_close(net, WINDOW)
    contracts.gradients_reach_every_weight(net, WINDOW)


@pytest.mark.parametrize("variant", ["vimeo", "gopro"])
def test_it_interpolates_a_clip(state: dict[str, Tensor], variant: str):
    contracts.interpolates_a_clip(vfi.load(state, variant=variant, scale=0.5), 4)


@pytest.mark.parametrize("options", [Options(scale=0.3), Options(ensemble=True), Options(variant="vimeo90k")])
def test_what_it_has_not_is_refused(state: dict[str, Tensor], options: Options):
    with pytest.raises(InputError, match="ifrnet"):
        registry.build(state, options)


def test_frames_and_weights_that_do_not_suit_are_refused(state: dict[str, Tensor], net: IFRNet):
    with pytest.raises(InputError, match=r"70x64.* multiples of 16"):
        net(torch.rand(1, 2, 3, 64, 70), HALF)
    with pytest.raises(InputError, match="multiples of 32"):
        ifrnet.build(state, Options(scale=0.5))(torch.rand(1, 2, 3, 48, 64), HALF)
    with pytest.raises(InputError, match=r"decoder2\.convblock\.1\.conv5\.bias"):
        registry.build({key: value for key, value in state.items() if key != "decoder2.convblock.1.conv5.bias"})
