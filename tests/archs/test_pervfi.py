"""PerVFI computes what the published networks do, from noise that a seed tells."""

from __future__ import annotations

import copy
import math

import contracts
import halves
import parity
import pytest
import torch
from torch import Tensor

import vfi
from vfi.archs import pervfi
from vfi.archs.pervfi import PerVfi
from vfi.core import Encodes, InputError, Interpolator, Moves, Options, Sampling

STORED = {name: parity.load_set(f"pervfi/pervfi_{name}") for name in ("v00", "vb")}
HALF = torch.tensor([0.5])
WINDOW = contracts.window(64, 64)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return STORED["v00"].state()


@pytest.fixture(scope="module")
def built(state: dict[str, Tensor]) -> PerVfi:
    return pervfi.build(state).requires_grad_(False)


@pytest.fixture(autouse=True)
def hurried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """RAFT corrects its flow twice, not twelve times, but where it is compared with the published one."""
    if "whole" not in request.node.name:
        monkeypatch.setattr(pervfi, "ITERATIONS", 2)


@pytest.fixture
def net(built: PerVfi) -> PerVfi:
    """Its sampling may be changed."""
    built.sampling = Sampling()
    return built


def given(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Flow there and back, that tears holes."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    across, down = 3 + 14 * torch.sin(2 * math.pi * x / 29), -1.5 + 6 * torch.cos(2 * math.pi * y / 23)
    flow = torch.stack((across, down))[None]
    return flow, -0.9 * flow


def noise(height: int, width: int) -> list[Tensor]:
    shapes = [1, 6, height // 2, width // 2], [1, 12, height // 4, width // 4], [1, 48, height // 8, width // 8]
    rules = [{"match": "", "std": 0.3}]
    return [torch.from_numpy(parity.drawn(f"noise {size}", shape, rules, "float32")) for size, shape in enumerate(shapes)]


CASES = [
    pytest.param(name, case, id=f"{name}-{case.name}", marks=[pytest.mark.exhaustive] * (case.name == "whole"))
    for name, stored in STORED.items()
    for case in stored.cases
]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_it_computes_what_the_published_network_does(name: str, case: parity.Case):
    stored, frames = STORED[name], case.window.unbind(1)
    model = pervfi.build(stored.state()).requires_grad_(False)
    prepared = model.prepare([model.encode(rgb) for rgb in frames], frames)
    size = case.window.shape[-2:]
    if case.options["given"]:
        flow = given(*size)
        prepared = prepared._replace(flow=flow, hidden=model.net.relate(*prepared.levels, flow))
    else:
        stored.compare(case, "flow_t0.5", case.cut(torch.cat(prepared.flow, dim=1)))
    for t in case.timesteps:
        stored.compare(case, f"out_t{t:g}", case.cut(model.render(prepared, torch.tensor([t]), noise(*size))))


def test_both_networks_are_told_apart_whole_or_joined_with_raft(state: dict[str, Tensor]):
    for name, stored in STORED.items():
        whole = stored.blank()
        raft = {key.removeprefix("flownet."): value for key, value in whole.items() if key.startswith("flownet.")}
        rest = {key: value for key, value in whole.items() if not key.startswith("flownet.")}
        joined = {f"{name}.module.{key}": value for key, value in rest.items()}
        joined |= {f"raft-sintel.module.{key}": value for key, value in raft.items() if ".norm3." not in key}
        for layout in (whole, rest | raft, joined):
            assert vfi.detect(layout).name == {"v00": "pervfi", "vb": "pervfi-vb"}[name]
        assert pervfi.lacking(whole) is None
        assert pervfi.detect(rest) is None
        assert "raft-sintel.pth" in str(pervfi.lacking(rest))
        for layout in (rest | raft, joined):
            assert pervfi.canonical(layout).keys() == pervfi.canonical(whole).keys()
    assert pervfi.detect({key: value for key, value in state.items() if "condFLownet" not in key}) is None


def test_it_keeps_its_contracts(net: PerVfi):
    assert isinstance(net, Interpolator)
    assert isinstance(net, Encodes)
    assert not isinstance(net, Moves)
    spec = net.spec
    assert (spec.any_t, spec.multiple, spec.licence, spec.tiles, spec.half) == (True, 8, "Apache-2.0", False, False)
    times = torch.tensor([0.2, 0.9])
    parts = (net.net.flownet, net.net.featurePyramid.netEncode, net.net.featurePyramid.netSoftmetric)
    contracts.preparing_once_serves_every_timestep(net, WINDOW, times, *parts, rtol=1e-3, atol=1e-3)


@pytest.mark.exhaustive
def test_windows_of_a_batch_are_made_by_themselves(net: PerVfi):
    windows, times = torch.cat((WINDOW, WINDOW.flip(1))), torch.tensor([0.25, 0.5])
    apart = torch.cat([net(windows[i : i + 1], times[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(net(windows, times), apart, rtol=1e-3, atol=1e-3)


def test_a_seed_draws_the_same_frame_and_more_heat_another(net: PerVfi, monkeypatch: pytest.MonkeyPatch):
    frames = WINDOW.unbind(1)
    prepared = net.prepare([net.encode(rgb) for rgb in frames], frames)
    seen = net.net.see(prepared, HALF.reshape(1, 1, 1, 1))
    monkeypatch.setattr(net.net, "see", lambda prepared, t: seen)

    def drawn(**sampling: float) -> Tensor:
        net.sampling = Sampling(**sampling)
        return net.at(prepared, HALF)

    first = drawn()
    torch.rand(3)
    assert torch.equal(drawn(seed=0, heat=0.3, steps=4, eta=1), first)
    for other in ({"seed": 1}, {"heat": 0.6}, {"heat": 0}):
        assert (drawn(**other) - first).abs().mean() > 1e-3
    assert torch.equal(drawn(heat=0, seed=9), drawn(heat=0, seed=8))


def test_a_step_of_the_flow_undoes_the_step_of_training():
    """Forwards, by Glow's formulas: scaled and shifted, mixed, then one half scaled and shifted by what the other tells."""
    torch.manual_seed(2)
    step = pervfi.FlowStep(12, 5).requires_grad_(False)
    for weight in (*step.actnorm.values(), step.coupling.scale, step.coupling.scale_shift):
        torch.nn.init.normal_(weight, std=0.3)
    x, seen = torch.randn(2, 12, 6, 7), torch.randn(2, 5, 6, 7)
    mixed = step.invconv((x + step.actnorm["loc"]) * step.actnorm["logs"].exp())
    changed, kept = mixed.chunk(2, dim=1)
    shift, power = step.coupling.affine["tail"](torch.cat((kept, seen), dim=1)).chunk(2, dim=1)
    power = step.coupling.scale * power.tanh() + step.coupling.scale_shift
    z = torch.cat((changed * power.exp() + shift, kept), dim=1)
    torch.testing.assert_close(step(z, seen), x, rtol=1e-4, atol=1e-4)


def test_options_say_how_frames_are_drawn(state: dict[str, Tensor]):
    asked = Sampling(seed=5, heat=0.5)
    assert pervfi.build(state, Options(sampling=asked)).sampling == asked
    with pytest.raises(InputError, match="heat"):
        Sampling(heat=1.5)
    with pytest.raises(InputError, match="pervfi-vb draws nothing from noise"):
        pervfi.build(STORED["vb"].blank(), Options(sampling=asked))


@pytest.mark.exhaustive
def test_bfloat16_is_close_and_output_keeps_the_type_of_the_window(net: PerVfi):
    half = copy.deepcopy(net).bfloat16()
    with halves.quick():
        made, same = half(WINDOW, HALF), half(WINDOW.bfloat16(), HALF)
    assert (made.dtype, same.dtype) == (torch.float32, torch.bfloat16)
    assert (made - net(WINDOW, HALF)).abs().mean() < 0.1


@pytest.mark.exhaustive
def test_gradients_reach_every_weight(state: dict[str, Tensor]):
    model = pervfi.build(state)
    frames = WINDOW.unbind(1)
    prepared = model.prepare([model.encode(rgb) for rgb in frames], frames)
    flow = tuple(one + 0 * raft for one, raft in zip(given(64, 64), prepared.flow, strict=True))
    prepared = prepared._replace(flow=flow, hidden=model.net.relate(*prepared.levels, flow))
    model.render(prepared, HALF, noise(64, 64)).square().sum().backward()
    unmoved = [name for name, weight in model.net.named_parameters() if weight.grad is None or not weight.grad.abs().sum()]
    # The coarsest noise has a prior of its own: a bias.
    assert {name for name in unmoved if not name.startswith("flownet.")} == {"condFLownet.blocks.2.prior.conv.weight"}


def test_it_interpolates_a_clip(state: dict[str, Tensor]):
    contracts.interpolates_a_clip(vfi.load(state), 2)


@pytest.mark.parametrize("options", [Options(scale=0.5), Options(ensemble=True), Options(variant="v00")])
def test_what_it_has_not_is_refused(state: dict[str, Tensor], options: Options):
    with pytest.raises(InputError, match="pervfi"):
        pervfi.build(state, options)


def test_frames_and_weights_that_do_not_suit_are_refused(state: dict[str, Tensor], net: PerVfi):
    with pytest.raises(InputError, match=r"64x56.* at least 64"):
        net(torch.rand(1, 2, 3, 56, 64), HALF)
    with pytest.raises(InputError, match=r"68x64.* multiples of 8"):
        net(torch.rand(1, 2, 3, 64, 68), HALF)
    with pytest.raises(InputError, match=r"raft-sintel\.pth"):
        pervfi.build({key: value for key, value in state.items() if not key.startswith("flownet.")})
    with pytest.raises(InputError, match=r"extra1\.0\.weight"):
        pervfi.build({key: value for key, value in state.items() if key != "multiscaleFuse.extra1.0.weight"})
    with pytest.raises(InputError, match="not PerVFI"):
        pervfi.build({"featurePyramid.netEncode.netOne.0.weight": torch.zeros(32, 3, 3, 3)})
