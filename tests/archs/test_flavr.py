"""FLAVR computes what the published networks compute, and answers any t with the nearest frame that it gives."""

from __future__ import annotations

import logging

import contracts
import parity
import pytest
import torch
from torch import Tensor

import vfi
from vfi.archs import flavr
from vfi.archs.flavr import Flavr
from vfi.core import InputError, Interpolator, Moves, Options
from vfi.model import registry

SETS = [parity.load_set(name) for name in parity.names("flavr")]
TWICE, FOUR_TIMES, EIGHT_TIMES = SETS
WINDOW = contracts.window(16, 24, 4)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return FOUR_TIMES.state()


@pytest.fixture(scope="module")
def net(state: dict[str, Tensor]) -> Flavr:
    return flavr.build(state).requires_grad_(False)


@pytest.mark.parametrize("stored", SETS, ids=lambda stored: stored.name)
def test_it_computes_what_the_published_network_does(stored: parity.ParitySet):
    net = flavr.build(stored.state()).requires_grad_(False)
    for case in stored.cases:
        made = case.cut(net.render(case.window))
        assert made.shape[1] == len(case.expected)
        for index, frame in enumerate(made.unbind(1)):
            stored.compare(case, f"out_{index}", frame)


@pytest.mark.parametrize(("stored", "outputs"), [(TWICE, 1), (FOUR_TIMES, 3), (EIGHT_TIMES, 7)], ids=["2x", "4x", "8x"])
def test_every_published_network_is_read_off_its_shapes(stored: parity.ParitySet, outputs: int):
    shapes = {f"module.{key}": torch.empty(shape) for key, (shape, _) in stored.manifest["state_dict"].items()}
    config = flavr.configure(registry.normalise(shapes))
    assert (config.frames, config.outputs, config.bias) == (4, outputs, outputs > 1)
    spec = vfi.detect(shapes)
    assert (spec.name, spec.window, spec.multiple, spec.tiles) == (f"flavr-{outputs + 1}x", 4, 8, False)


def test_it_keeps_its_contracts(net: Flavr):
    assert isinstance(net, Interpolator)
    assert not isinstance(net, Moves)


def test_each_t_is_answered_with_the_nearest_frame(net: Flavr, caplog: pytest.LogCaptureFixture):
    first, middle, last = net.prepare((), WINDOW.unbind(1))[0]
    with caplog.at_level(logging.WARNING):
        made = net(WINDOW, torch.tensor([0.25, 0.5, 0.75]))
        assert not caplog.records
        torch.testing.assert_close(made, torch.stack((first, middle, last)))
        made = net(WINDOW, torch.tensor([0.01, 0.3, 0.375, 0.6, 0.99]))
    torch.testing.assert_close(made, torch.stack((first, first, first, middle, last)))
    assert [record.getMessage() for record in caplog.records] == [
        "flavr-4x only supports t = 1/4, 2/4, 3/4: t = 0.0100 is rounded to the nearest"
    ]


def test_the_network_runs_once_however_many_timesteps_there_are(net: Flavr):
    contracts.preparing_once_serves_every_timestep(net, WINDOW, torch.tensor([0.25, 0.5, 0.75]), net.encoder, net.outconv)


def test_timesteps_and_windows_are_made_by_themselves(net: Flavr):
    contracts.one_window_serves_many_timesteps(net, WINDOW, torch.tensor([0.25, 0.5, 0.75]))
    contracts.each_window_of_a_batch_is_made_by_itself(net, WINDOW, torch.tensor([0.25, 0.75]))


def test_it_runs_in_half_precision_and_learns(net: Flavr):
    contracts.half_precision_is_close(net, WINDOW)
    contracts.gradients_reach_every_weight(net, WINDOW)


def test_it_interpolates_a_clip_whose_ends_have_no_neighbours(state: dict[str, Tensor]):
    contracts.interpolates_a_clip(vfi.load(state), 4, 21, 27)


def test_the_smallest_frame_is_enough(net: Flavr):
    assert net(torch.rand(1, 4, 3, 8, 8), torch.tensor([0.5])).isfinite().all()


@pytest.mark.parametrize("options", [Options(scale=0.5), Options(ensemble=True), Options(variant="2x")])
def test_what_it_has_not_is_refused(state: dict[str, Tensor], options: Options):
    with pytest.raises(InputError, match="flavr-4x"):
        registry.build(state, options)


def test_frames_and_weights_that_do_not_suit_are_refused(state: dict[str, Tensor], net: Flavr):
    half = torch.tensor([0.5])
    with pytest.raises(InputError, match=r"100x68.* multiples of 8"):
        net(torch.rand(1, 4, 3, 68, 100), half)
    with pytest.raises(InputError, match="needs 4 of the same shape"):
        net(torch.rand(1, 2, 3, 64, 64), half)
    with pytest.raises(InputError, match=r"decoder\.3\.conv\.0\.bias"):
        registry.build({key: value for key, value in state.items() if key != "decoder.3.conv.0.bias"})
