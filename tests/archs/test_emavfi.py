"""EMA-VFI computes what the published networks compute, and each part as seldom as it can."""

from __future__ import annotations

import contracts
import halves
import parity as sampled
import parity_other as parity
import pytest
import torch
from torch import Tensor

import vfi
from vfi.archs import emavfi
from vfi.archs.emavfi import EmaVfi
from vfi.core import Encodes, InputError, Interpolator, Moves, Options

BASE, SMALL = (parity.load_set(f"emavfi/emavfi_{size}") for size in ("base", "small"))
REFERRED = sampled.load_set("emavfi/emavfi_dr")
"""InterpAny-Clearer's, of the small size."""

HALF = torch.tensor([0.5])


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return SMALL.state()


@pytest.fixture(scope="module")
def net(state: dict[str, Tensor]) -> EmaVfi:
    return emavfi.build(state, Options(variant="small-t")).requires_grad_(False)


def window(height: int = 32, width: int = 64, count: int = 2) -> Tensor:
    return torch.stack([torch.from_numpy(parity.waves(height, width, 3 * i, -2 * i)) for i in range(count)])[None]


@pytest.mark.parametrize(
    ("case", "size"), [pytest.param(BASE, "64x64", marks=pytest.mark.slow), (SMALL, "64x96"), (SMALL, "96x128")]
)
def test_it_computes_what_the_published_network_does(case: parity.ParitySet, size: str):
    pictures = case.window(f"img0_{size}", f"img1_{size}")
    frames = list(pictures.unbind(1))
    weights, variant = case.state(), case.name.rpartition("_")[2] + "-t"
    model = emavfi.build(weights, Options(variant=variant)).requires_grad_(False)
    pair = model.net.feature_bone(*(model.net.feature_bone.encode(frame) for frame in frames))
    flow, mask = model.net.estimate(frames, pair, HALF)
    made = model(pictures.flip(2), torch.tensor([0.5, 0.25])).flip(1)
    outputs = {
        **{f"af{level}_{size}": torch.cat(both)[:, :8] for level, both in enumerate(pair.appearance)},
        **{f"mf{level + 3}_{size}": torch.cat(both) for level, both in enumerate(pair.motion)},
        f"flow_{size}_t0.5": flow,
        f"mask_{size}_t0.5": torch.sigmoid(mask),
        f"merged_{size}_t0.5": model.net.blend(frames, flow, mask)[0],
        f"frame_{size}_t0.5": made[:1],
        f"frame_{size}_t0.25": made[1:],
    }
    if f"frame_{size}_t0.25_downscale0.5" in case.expected:
        halved = emavfi.build(weights, Options(scale=0.5, variant=variant)).requires_grad_(False)
        outputs[f"frame_{size}_t0.25_downscale0.5"] = halved(pictures.flip(2), torch.tensor([0.25])).flip(1)
    stored = {key for key in case.expected if f"_{size}" in key}
    assert len(stored) >= 2
    assert stored <= outputs.keys()
    for key in stored:
        case.compare(key, outputs[key])


@pytest.mark.parametrize("case", REFERRED.cases, ids=lambda case: case.name)
def test_it_computes_what_the_network_with_a_reference_does(case: sampled.Case):
    model = emavfi.build(REFERRED.state()).requires_grad_(False)
    for t in case.timesteps:
        motion = model.motion_at(model.prepare((None, None), case.window.unbind(1)), case.times(t))
        REFERRED.compare(case, f"flow_t{t:g}", case.cut(torch.cat((motion.flow0, motion.flow1), dim=1)))
        REFERRED.compare(case, f"out_t{t:g}", case.cut(model(case.window, case.times(t))))


def test_the_network_with_a_reference_knows_any_t():
    model = emavfi.build(REFERRED.state()).requires_grad_(False)
    assert model.spec.any_t
    times = torch.tensor([0.2, 0.9])
    contracts.one_window_serves_many_timesteps(model, window(), times)
    contracts.preparing_once_serves_every_timestep(model, window(), times)
    contracts.motion(model, window(), times)
    halved = emavfi.build(REFERRED.state(), Options(scale=0.5)).requires_grad_(False)
    torch.testing.assert_close(halved(window(), torch.full((1, 1, 32, 64), 0.3)), halved(window(), torch.tensor([0.3])))
    with torch.device("meta"):
        published = emavfi.EmaVfi(emavfi.Config(32, (4, 4), reference=True)).net.state_dict()
    assert vfi.detect(published).name == "ema-vfi-base-dr"


def test_it_is_recognised_whatever_training_left_in_the_file(state: dict[str, Tensor]):
    left = {"feature_bone.block4.1.attn_mask": torch.zeros(4, 49, 49), "feature_bone.block4.1.HW": torch.zeros(1)}
    wrapped = {f"module.{key}": value for key, value in (state | left).items()}
    assert vfi.detect(wrapped).name == "ema-vfi-small/small-t"
    base = {row["key"]: torch.empty(row["shape"], device="meta") for row in BASE.manifest["keys"]}
    assert vfi.detect(base).name == "ema-vfi-base/base-t/base-d"
    assert vfi.load(wrapped, variant="small").spec.name == "ema-vfi-small"
    assert emavfi.detect(state | {"matching_block.0.weight": torch.zeros(1)}) is None
    assert emavfi.detect({key: value for key, value in state.items() if "cor_embed" not in key}) is None


def test_any_t_is_for_weights_that_were_trained_for_it(state: dict[str, Tensor], net: EmaVfi):
    assert net.spec.any_t
    for variant in (None, "small"):
        fixed = emavfi.build(state, Options(variant=variant))
        assert not fixed.spec.any_t
        torch.testing.assert_close(fixed(window(), HALF), net(window(), HALF))
        with pytest.raises(InputError, match=r"only supports t = 0\.5, not "):
            fixed(window(), torch.tensor([0.25]))


def test_it_keeps_its_contracts(net: EmaVfi):
    assert isinstance(net, Interpolator)
    assert isinstance(net, Encodes)
    assert isinstance(net, Moves)
    assert (net.spec.window, net.spec.multiple, net.spec.licence) == (2, 32, "Apache-2.0")


def test_one_window_serves_many_timesteps_and_attention_is_paid_once(state: dict[str, Tensor], net: EmaVfi):
    times = torch.tensor([0.2, 0.5, 0.9])
    contracts.preparing_once_serves_every_timestep(net, window(), times, net.net.feature_bone)
    contracts.one_window_serves_many_timesteps(net, window(), times)
    halved = emavfi.build(state, Options(scale=0.5, variant="small-t")).requires_grad_(False)
    contracts.preparing_once_serves_every_timestep(halved, window(), times, halved.net.feature_bone)


def test_every_window_of_a_batch_is_made_by_itself(net: EmaVfi):
    windows = torch.cat((window(), window().flip(1)))
    times = torch.tensor([0.25, 0.5])
    apart = torch.cat([net(windows[i : i + 1], times[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(net(windows, times), apart, rtol=1e-4, atol=2e-5)


def test_the_size_before_does_not_matter(state: dict[str, Tensor], net: EmaVfi):
    net(window(64, 32), HALF)
    fresh = emavfi.build(state, Options(variant="small-t"))
    torch.testing.assert_close(net(window(32, 64), HALF), fresh(window(32, 64), HALF))


def test_motion_is_what_the_frame_is_warped_by(net: EmaVfi):
    motion = contracts.motion(net, window(), torch.tensor([0.25, 0.75]))
    assert motion.flow0.shape == motion.flow1.shape == (2, 2, 32, 64)
    assert motion.mask.shape == (2, 1, 32, 64)
    assert 0 <= motion.mask.min() <= motion.mask.max() <= 1
    frames = list(window().flip(2).unbind(1))
    merged, seen = net.net.blend(frames, torch.cat((motion.flow0, motion.flow1), dim=1), torch.logit(motion.mask))
    torch.testing.assert_close(merged, seen[:, 6:9] * motion.mask + seen[:, 9:12] * (1 - motion.mask))
    assert contracts.motion(net, window(), HALF).flow0.abs().mean() > 0.1


def test_bfloat16_is_close_and_output_keeps_the_type_of_the_window(state: dict[str, Tensor], net: EmaVfi):
    half = emavfi.build(state, Options(variant="small-t")).requires_grad_(False).bfloat16()
    with halves.quick():
        made, same = half(window(), HALF), half(window().bfloat16(), HALF)
    exact = net(window(), HALF)
    assert (made.dtype, same.dtype) == (torch.float32, torch.bfloat16)
    assert (made - exact).abs().mean() < 0.02


def test_gradients_reach_every_weight(state: dict[str, Tensor]):
    model = emavfi.build(state)
    model(window(64, 96), HALF).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


@pytest.mark.parametrize(("times", "variant"), [(4, None), (3, "small-t")])
def test_it_interpolates_a_clip_of_an_odd_and_small_size(state: dict[str, Tensor], times: int, variant: str | None):
    clip = window(29, 37, 3)[0]
    made = vfi.interpolate(clip, vfi.load(state, variant=variant), times)
    assert made.shape == (2 * times + 1, 3, 29, 37)
    assert made.isfinite().all()
    assert torch.equal(made[::times], clip)
    assert 0 <= made.min() <= made.max() <= 1


@pytest.mark.parametrize("options", [Options(scale=2), Options(ensemble=True), Options(variant="base-t")])
def test_what_it_has_not_is_refused(state: dict[str, Tensor], options: Options):
    with pytest.raises(InputError, match="ema-vfi-small"):
        emavfi.build(state, options)


def test_frames_and_weights_that_do_not_suit_are_refused(state: dict[str, Tensor], net: EmaVfi):
    with pytest.raises(InputError, match=r"48x32.* multiples of 32"):
        net(torch.rand(1, 2, 3, 32, 48), HALF)
    with pytest.raises(InputError, match="needs 2 of the same shape"):
        net(torch.rand(1, 4, 3, 32, 32), HALF)
    with pytest.raises(InputError, match="one t per window"):
        net(torch.rand(2, 2, 3, 32, 32), torch.full((3,), 0.5))
    with pytest.raises(InputError, match=r"unet\.conv\.bias"):
        emavfi.build({key: value for key, value in state.items() if key != "unet.conv.bias"})
