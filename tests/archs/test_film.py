"""FILM computes what the published network computes, once a frame and once a pair where it can."""

from __future__ import annotations

import re

import parity
import pytest
import torch
from torch import Tensor

import vfi
from vfi import registry
from vfi.archs import film
from vfi.archs.film import Film
from vfi.core import Encodes, InputError, Interpolator, Moves, Options

PARITY = parity.load_set("film/film")


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return PARITY.state()


@pytest.fixture(scope="module")
def net(state: dict[str, Tensor]) -> Film:
    return film.build(state).requires_grad_(False)


def window(height: int = 64, width: int = 80) -> Tensor:
    return torch.from_numpy(parity.synthetic_frames(height, width, 2, 1.0))[None]


@pytest.mark.parametrize("case", PARITY.cases, ids=lambda case: case.name)
def test_it_computes_what_the_published_network_does(net: Film, case: parity.Case):
    features = [net.encode(rgb) for rgb in case.window.unbind(1)]
    flows = net.flows(features)
    PARITY.compare(case, "forward_flow", case.cut(flows.forward[0]))
    PARITY.compare(case, "backward_flow", case.cut(flows.backward[0]))
    for t in case.timesteps:
        PARITY.compare(case, f"out_t{t:g}", case.cut(net.render(features, flows, torch.tensor([t]))))


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


def test_one_window_serves_many_timesteps_and_its_flow_is_estimated_once(net: Film, monkeypatch: pytest.MonkeyPatch):
    calls: list[int] = []
    estimate = net.predict_flow.forward
    monkeypatch.setattr(net.predict_flow, "forward", lambda *args: calls.append(args[0][0].shape[0]) or estimate(*args))
    times = torch.tensor([0.2, 0.5, 0.9])
    together = net(window(), times)
    assert calls == [1, 1]
    apart = torch.cat([net(window(), t[None]) for t in times])
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=2e-5)


def test_every_window_of_a_batch_is_made_by_itself(net: Film):
    windows = torch.cat((window(), window().flip(1)))
    times = torch.tensor([0.25, 0.5])
    apart = torch.cat([net(windows[i : i + 1], times[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(net(windows, times), apart, rtol=1e-4, atol=2e-5)


def test_motion_is_in_pixels_and_grows_with_the_distance_in_time(net: Film):
    motion = net.motion(window(), torch.tensor([0.25, 0.75]))
    assert motion.flow0.shape == motion.flow1.shape == (2, 2, 64, 80)
    torch.testing.assert_close(motion.flow0[1], 3 * motion.flow0[0])
    torch.testing.assert_close(motion.flow1[0], 3 * motion.flow1[1])
    assert motion.mask.shape == (2, 1, 64, 80)
    assert motion.mask[0].unique().tolist() == [0.75]


def test_bfloat16_is_close_and_output_keeps_the_type_of_the_window(state: dict[str, Tensor], net: Film):
    half = film.build(state).requires_grad_(False).bfloat16()
    made, exact = half(window(), torch.tensor([0.5])), net(window(), torch.tensor([0.5]))
    assert made.dtype == torch.float32
    assert (made - exact).abs().mean() < 0.02
    assert half(window().bfloat16(), torch.tensor([0.5])).dtype == torch.bfloat16


def test_gradients_reach_every_weight(state: dict[str, Tensor]):
    net = film.build(state)
    net(window(), torch.tensor([0.5])).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in net.parameters())


@pytest.mark.parametrize("times", [2, 4])
def test_it_interpolates_a_clip_of_an_odd_and_small_size(state: dict[str, Tensor], times: int):
    clip = torch.from_numpy(parity.synthetic_frames(50, 67, 3, 1.0))
    made = vfi.interpolate(clip, vfi.load(state), times)
    assert made.shape == (2 * times + 1, 3, 50, 67)
    assert made.isfinite().all()
    assert torch.equal(made[::times], clip)
    assert 0 <= made.min() <= made.max() <= 1


@pytest.mark.parametrize("options", [Options(scale=0.5), Options(ensemble=True), Options(variant="style")])
def test_what_it_has_not_is_refused(state: dict[str, Tensor], options: Options):
    with pytest.raises(InputError, match="film"):
        film.build(state, options)


def test_frames_and_weights_that_do_not_suit_are_refused(state: dict[str, Tensor], net: Film):
    half = torch.tensor([0.5])
    with pytest.raises(InputError, match=r"80x63.* at least 64"):
        net(torch.rand(1, 2, 3, 63, 80), half)
    with pytest.raises(InputError, match=r"\[B,2,3,H,W\]"):
        net(torch.rand(1, 4, 3, 64, 80), half)
    with pytest.raises(InputError, match="one t a window"):
        net(torch.rand(2, 2, 3, 64, 64), torch.full((3,), 0.5))
    for part in ("fuse.convs.0.1.0.bias", "predict_flow._predictors.1._convs.2.0.weight"):
        with pytest.raises(InputError, match=re.escape(part)):
            film.build({key: value for key, value in state.items() if key != part})
