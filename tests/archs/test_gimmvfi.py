"""GIMM-VFI computes what the published network computes; what one frame tells once a frame, flow once a pair."""

from __future__ import annotations

import contracts
import halves
import parity_other as parity
import pytest
import torch
from networks import gimm_narrow
from torch import Tensor

import vfi
from vfi.archs import gimmvfi
from vfi.archs.gimmvfi import GimmVfi
from vfi.core import Encodes, InputError, Interpolator, Moves, Options

PARITY = parity.load_set("gimmvfi/gimmvfi_r")
HALF = torch.tensor([0.5])


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return gimm_narrow()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gimmvfi, "ITERATIONS", 2)


@pytest.fixture
def net(state: dict[str, Tensor], hurried: None) -> GimmVfi:
    return gimmvfi.build(state).requires_grad_(False)


def window(height: int = 128, width: int = 128, count: int = 2) -> Tensor:
    return torch.stack([torch.from_numpy(parity.waves(height, width, 4 * i, -3 * i)) for i in range(count)])[None]


@pytest.mark.slow
def test_it_computes_what_the_published_network_does():
    model = gimmvfi.build(PARITY.state()).requires_grad_(False)
    frames = PARITY.window("img0_a", "img1_a")
    before, after = (model.encode(rgb) for rgb in frames.unbind(1))
    pair = model.net.relate(before, after)
    PARITY.compare("raft_flow_a", torch.stack(pair.flow, dim=2), atol=1e-4)
    for t in ("0.5", "0.25"):
        at = torch.tensor([float(t)])
        velocity = model.net.velocity(pair, at.reshape(1, 1, 1, 1))
        made = model.net.estimate(before.seen, after.seen, pair, at)
        frame = (model.net.render((before.seen.frame, after.seen.frame), made) + 1) / 2
        PARITY.compare(f"ninrflow_a_t{t}", ((velocity / pair.extent + 1) / 2)[:, :, None])
        PARITY.compare(f"flowt_a_t{t}", velocity)
        PARITY.compare(f"flow_t0_a_t{t}", made.flow0)
        PARITY.compare(f"flow_t1_a_t{t}", made.flow1)
        PARITY.compare(f"frame_a_t{t}", frame.clamp(0, 1))


@pytest.mark.slow
def test_at_half_the_size_it_is_the_published_one():
    model = gimmvfi.build(PARITY.state(), Options(scale=0.5)).requires_grad_(False)
    frames = PARITY.window("img0_b", "img1_b")
    pair = model.net.relate(*(model.encode(rgb) for rgb in frames.unbind(1)))
    PARITY.compare("raft_flow_b", torch.stack(pair.flow, dim=2), atol=1e-4)
    PARITY.compare("frame_b_t0.5", model(frames, HALF))


def test_it_is_recognised_joined_in_every_way(state: dict[str, Tensor]):
    raft = {key.removeprefix("flow_estimator."): value for key, value in state.items() if key.startswith("flow_estimator.")}
    rest = {key: value for key, value in state.items() if not key.startswith("flow_estimator.")} | {"g_filter": torch.ones(1)}
    joined = {f"gimmvfi_r_arb.{key}": value for key, value in rest.items()}
    joined |= {f"raft-things.module.{key}": value for key, value in raft.items()}
    once = {key: value for key, value in raft.items() if ".norm3." not in key}
    for layout in (state, {f"module.{key}": value for key, value in state.items()}, joined, rest | raft, rest | once):
        assert vfi.detect(layout).name == "gimm-vfi-r/r-p"
    for layout in (joined, rest | raft, rest | once):
        assert gimmvfi.canonical(layout).keys() == state.keys()
    assert gimmvfi.build(joined, Options(variant="r-p")).spec.name == "gimm-vfi-r-p"


def test_it_keeps_its_contracts(net: GimmVfi):
    assert isinstance(net, Interpolator)
    assert isinstance(net, Encodes)
    assert isinstance(net, Moves)
    assert (net.spec.any_t, net.spec.multiple, net.spec.min_size) == (True, 32, 128)
    assert all(row.commercial is False for row in gimmvfi.CHECKPOINTS)


def test_one_window_serves_many_timesteps_and_flow_is_paid_once(net: GimmVfi):
    parts = (net.net.flow_estimator, net.net.cnn_encoder, net.net.amt_final_decoder.upsample)
    times = torch.tensor([0.2, 0.9])
    contracts.preparing_once_serves_every_timestep(net, window(), times, *parts, rtol=1e-3, atol=1e-3)


def test_every_window_of_a_batch_is_made_by_itself(net: GimmVfi):
    windows = torch.cat((window(), window().flip(1)))
    times = torch.tensor([0.25, 0.5])
    apart = torch.cat([net(windows[i : i + 1], times[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(net(windows, times), apart, rtol=1e-3, atol=1e-3)


def test_flow_there_and_back_is_that_of_the_swapped_frames(net: GimmVfi):
    before, after = (net.encode(rgb) for rgb in window().unbind(1))
    there, back = net.net.relate(before, after), net.net.relate(after, before)
    torch.testing.assert_close(there.flow[0], back.flow[1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(there.extent, torch.cat(there.flow).abs().max().reshape(1, 1, 1, 1))


def test_frames_without_motion_are_no_division_by_zero(net: GimmVfi):
    still = torch.full((1, 2, 3, 128, 128), 0.5)
    assert net(still, HALF).isfinite().all()


def test_flow_that_does_not_lead_back_is_trusted_less():
    flow = torch.zeros(1, 2, 16, 16)
    back = flow.clone()
    back[..., 8:] = 3
    one = torch.ones(1)
    trust = gimmvfi.reliability(flow, back, one, one)
    torch.testing.assert_close(trust[..., :8], torch.full((1, 1, 16, 8), 2.0))
    torch.testing.assert_close(trust[..., 8:], torch.full((1, 1, 16, 8), 1.25))


def test_motion_is_the_mean_of_all_fields(net: GimmVfi):
    motion = contracts.motion(net, window(), torch.tensor([0.25, 0.75]))
    assert motion.flow0.shape == motion.flow1.shape == (2, 2, 128, 128)
    assert motion.mask.shape == (2, 1, 128, 128)
    assert 0 < motion.mask.min() <= motion.mask.max() < 1
    assert motion.flow0.abs().mean() > 0.1


def test_bfloat16_is_close_and_output_keeps_the_type_of_the_window(state: dict[str, Tensor], net: GimmVfi):
    half = gimmvfi.build(state).requires_grad_(False).bfloat16()
    with halves.quick():
        made, same = half(window(), HALF), half(window().bfloat16(), HALF)
    exact = net(window(), HALF)
    assert (made.dtype, same.dtype) == (torch.float32, torch.bfloat16)
    assert made.isfinite().all()
    assert (made - exact).abs().mean() < 0.05


def test_gradients_reach_every_weight(state: dict[str, Tensor], hurried: None):
    model = gimmvfi.build(state)
    model(window(), HALF).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


def test_it_interpolates_a_clip_of_an_odd_and_small_size(state: dict[str, Tensor], hurried: None):
    clip = window(45, 67, 3)[0]
    made = vfi.interpolate(clip, vfi.load(state), 4)
    assert made.shape == (9, 3, 45, 67)
    assert made.isfinite().all()
    assert torch.equal(made[::4], clip)
    assert 0 <= made.min() <= made.max() <= 1


@pytest.mark.parametrize("options", [Options(scale=2), Options(ensemble=True), Options(variant="f")])
def test_what_it_has_not_is_refused(state: dict[str, Tensor], options: Options):
    with pytest.raises(InputError, match="gimm-vfi"):
        gimmvfi.build(state, options)


def test_frames_and_weights_that_do_not_suit_are_refused(state: dict[str, Tensor], net: GimmVfi):
    with pytest.raises(InputError, match=r"128x96.* at least 128"):
        net(torch.rand(1, 2, 3, 96, 128), HALF)
    with pytest.raises(InputError, match=r"144x128.* multiples of 32"):
        net(torch.rand(1, 2, 3, 128, 144), HALF)
    with pytest.raises(InputError, match="one t per window"):
        net(torch.rand(2, 2, 3, 128, 128), torch.full((3,), 0.5))
    with pytest.raises(InputError, match=r"raft-things\.pth"):
        gimmvfi.build({key: value for key, value in state.items() if not key.startswith("flow_estimator.")})
    for part in ("amt_comb_block.0.weight", "res_conv.5.bias"):
        with pytest.raises(InputError, match=part.replace(".", r"\.")):
            gimmvfi.build({key: value for key, value in state.items() if key != part})
