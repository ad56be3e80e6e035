"""FILM computes what the published network computes, once a frame and once a pair where it can."""

from __future__ import annotations

import re

import contracts
import parity
import pytest
import torch
from torch import Tensor

import vfi
from vfi.archs import film
from vfi.archs.film import Film
from vfi.core import Encodes, InputError, Interpolator, Moves, Options
from vfi.model import registry

PARITY = parity.load_set("film/film")

WINDOW = contracts.window(64, 80)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return PARITY.state()


@pytest.fixture(scope="module")
def net(state: dict[str, Tensor]) -> Film:
    return film.build(state).requires_grad_(False)


@pytest.mark.parametrize("case", PARITY.cases, ids=lambda case: case.name)
def test_it_computes_what_the_published_network_does(net: Film, case: parity.Case):
    prepared = net.prepare([net.encode(rgb) for rgb in case.window.unbind(1)], case.window.unbind(1))
    PARITY.compare(case, "forward_flow", case.cut(prepared.flows.forward[0]))
    PARITY.compare(case, "backward_flow", case.cut(prepared.flows.backward[0]))
    for t in case.timesteps:
        PARITY.compare(case, f"out_t{t:g}", case.cut(net.render(prepared, torch.tensor([t]))))


def test_it_is_recognised_in_every_published_layout(state: dict[str, Tensor]):
    repacked = {re.sub(r"\.0\.(weight|bias)$", r".conv.\1", key): value.half() for key, value in state.items()}
    assert sum(".conv." in key for key in repacked) == 80
    scripted = state | {"extract.extract_sublevels.target_dtype": torch.zeros(())}
    for layout in (state, repacked, scripted, {f"module.{key}": value for key, value in state.items()}):
        assert vfi.detect(layout).name == "film"
        assert film.published(registry.normalise(layout)).keys() == state.keys()
        registry.build(layout)


def test_it_keeps_its_contracts(net: Film):
    assert isinstance(net, Interpolator)
    assert isinstance(net, Encodes)
    assert isinstance(net, Moves)
    assert (net.spec.any_t, net.spec.multiple, net.spec.min_size, net.spec.licence) == (True, 1, 64, "Apache-2.0")


def test_flow_is_estimated_once_however_many_timesteps_there_are(net: Film):
    times = torch.tensor([0.2, 0.5, 0.9])
    contracts.preparing_once_serves_every_timestep(net, WINDOW, times, net.extract, net.predict_flow)


def test_timesteps_and_windows_are_made_by_themselves(net: Film):
    contracts.one_window_serves_many_timesteps(net, WINDOW, torch.tensor([0.2, 0.9]))
    contracts.each_window_of_a_batch_is_made_by_itself(net, WINDOW, torch.tensor([0.25, 0.5]))


def test_motion_is_in_pixels_and_grows_with_the_distance_in_time(net: Film):
    motion = contracts.motion(net, WINDOW, torch.tensor([0.25, 0.75]))
    assert motion.flow0.shape == motion.flow1.shape == (2, 2, 64, 80)
    torch.testing.assert_close(motion.flow0[1], 3 * motion.flow0[0])
    torch.testing.assert_close(motion.flow1[0], 3 * motion.flow1[1])
    assert motion.mask.shape == (2, 1, 64, 80)
    assert motion.mask[0].unique().tolist() == [0.75]


def test_it_runs_in_half_precision_and_learns(net: Film):
    contracts.half_precision_is_close(net, WINDOW)
    contracts.gradients_reach_every_weight(net, WINDOW)


def test_it_interpolates_a_clip_that_is_too_small_for_it(state: dict[str, Tensor]):
    contracts.interpolates_a_clip(vfi.load(state), 4)


@pytest.mark.parametrize("options", [Options(scale=0.5), Options(ensemble=True), Options(variant="style")])
def test_what_it_has_not_is_refused(state: dict[str, Tensor], options: Options):
    with pytest.raises(InputError, match="film"):
        film.build(state, options)


def test_frames_and_weights_that_do_not_suit_are_refused(state: dict[str, Tensor], net: Film):
    half = torch.tensor([0.5])
    with pytest.raises(InputError, match=r"80x63.* at least 64"):
        net(torch.rand(1, 2, 3, 63, 80), half)
    with pytest.raises(InputError, match="needs 2 of the same shape"):
        net(torch.rand(1, 4, 3, 64, 80), half)
    with pytest.raises(InputError, match="one t per window"):
        net(torch.rand(2, 2, 3, 64, 64), torch.full((3,), 0.5))
    for part in ("fuse.convs.0.1.0.bias", "predict_flow._predictors.1._convs.2.0.weight"):
        with pytest.raises(InputError, match=re.escape(part)):
            film.build({key: value for key, value in state.items() if key != part})
