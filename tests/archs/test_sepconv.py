"""SepConv computes what the networks of both papers compute."""

from __future__ import annotations

from pathlib import Path

import contracts
import parity_other as parity
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import vfi
from vfi.archs import sepconv
from vfi.archs.sepconv import Adaptive
from vfi.core import InputError, Interpolator, Moves, Options
from vfi.model import registry
from vfi.model.wrappers import Padded

HALF = torch.tensor([0.5])
OLD, NEW = parity.load_set("sepconv/sepconv_slomo"), parity.load_set("sepconv/sepconv_enhanced")


@pytest.fixture(scope="module", params=[OLD, NEW], ids=["2017", "2021"])
def stored(request: pytest.FixtureRequest) -> parity.ParitySet:
    return request.param


@pytest.fixture(scope="module")
def state(stored: parity.ParitySet) -> dict[str, Tensor]:
    return stored.state()


@pytest.fixture(scope="module")
def net(state: dict[str, Tensor]) -> Adaptive:
    return sepconv.build(state).requires_grad_(False)


@pytest.fixture(scope="module")
def window(net: Adaptive) -> Tensor:
    """No larger than it must be."""
    side = max(net.spec.multiple, 32)
    return contracts.window(side, side)


def test_it_computes_what_the_published_network_does(stored: parity.ParitySet, net: Adaptive):
    """The stored frames are blue, green and red."""
    frames = stored.window().flip(2)
    height, width = frames.shape[-2:]
    grown = torch.stack([rgb for rgb, _ in map(Padded(net).encode, frames.unbind(1))], dim=1)
    for name, kernel in zip(net.HEADS, net.kernels(grown), strict=True):
        stored.compare(f"kernel_net{name}_y0:8_x0:8", kernel[..., :8, :8])
    if stored is NEW:
        stored.compare("normaliser", net.sums(grown)[:, 3:, :height, :width])
    stored.compare("frame", net.render(grown)[..., :height, :width].flip(1))


def test_it_is_recognised_in_the_layout_of_the_files_of_2017():
    state = OLD.state()
    file = {key.replace("net", "module", 1): value for key, value in state.items()}
    assert vfi.detect(file) == vfi.detect(state)
    assert vfi.detect(file).name == "sepconv-l1/lf"
    assert sepconv.build(file).state_dict().keys() == state.keys()


def test_files_that_shapes_cannot_tell_apart_are_told_by_their_names(tmp_path: Path):
    for row in sepconv.CHECKPOINTS:
        save_file((NEW if row.name == "sepconv-paper" else OLD).state(), tmp_path / row.files[0])
        assert vfi.load(tmp_path / row.files[0]).spec.name == row.name
        assert not row.commercial


def test_shorter_kernels_are_read_off_the_shapes():
    for network in (sepconv.SepConv, sepconv.SepConvRevisited):
        spec = sepconv.specify(network, Options())
        net = sepconv.build(network(5, spec).state_dict())
        assert net.kernels(torch.rand(1, 2, 3, 32, 32)).vertical0.shape == (1, 5, 32, 32)


def test_it_keeps_its_contracts(stored: parity.ParitySet, net: Adaptive):
    assert isinstance(net, Interpolator)
    assert not isinstance(net, Moves)
    licence, multiple = (("LicenseRef-Adobe-Research", 2), ("LicenseRef-Academic", 128))[stored is OLD]
    assert (net.spec.any_t, net.spec.multiple, net.spec.licence) == (False, multiple, licence)
    assert sum(weight.numel() for weight in net.parameters()) == {OLD.name: 21_675_452, NEW.name: 13_560_102}[stored.name]


def test_timesteps_and_windows_are_made_by_themselves(net: Adaptive, window: Tensor):
    assert torch.equal(net(window, HALF.expand(3)), net(window, HALF).expand(3, -1, -1, -1))
    contracts.preparing_once_serves_every_timestep(net, window, HALF.expand(3), net.get_submodule(f"net{net.HEADS[0]}"))
    contracts.each_window_of_a_batch_is_made_by_itself(net, window, HALF.expand(2))


def test_it_runs_in_half_precision_and_learns(net: Adaptive, window: Tensor):
    contracts.half_precision_is_close(net, window)
    contracts.gradients_reach_every_weight(net, window)


def test_it_interpolates_a_clip(state: dict[str, Tensor]):
    contracts.interpolates_a_clip(vfi.load(state), 4)


@pytest.mark.parametrize("options", [Options(scale=0.5), Options(ensemble=True), Options(variant="l2")])
def test_what_it_has_not_is_refused(state: dict[str, Tensor], options: Options):
    with pytest.raises(InputError, match="sepconv"):
        registry.build(state, options)


def test_frames_times_and_weights_that_do_not_suit_are_refused(state: dict[str, Tensor], net: Adaptive, window: Tensor):
    with pytest.raises(InputError, match=r"only supports t = 0\.5, not "):
        net(window, torch.tensor([0.25]))
    with pytest.raises(InputError, match="must be multiples"):
        net(torch.rand(1, 2, 3, 33, 64), HALF)
    last = list(state)[-1]
    with pytest.raises(InputError, match=last.replace(".", r"\.")):
        registry.build({key: value for key, value in state.items() if key != last})
    with pytest.raises(InputError, match="SepConv"):
        sepconv.build({"netConv1.0.weight": torch.empty(1)})
