"""AMT computes what the published networks compute, in all its sizes, in little memory."""

from __future__ import annotations

from pathlib import Path

import contracts
import parity
import pytest
import torch
from networks import amt_small
from safetensors.torch import save_file
from torch import Tensor

import vfi
from vfi.archs import amt
from vfi.archs.amt import Amt
from vfi.core import InputError, Interpolator, Moves, Options
from vfi.model import registry
from vfi.ops import correlation

SETS = [parity.load_set(name) for name in parity.names("amt")]
GLOBAL, LARGE = SETS
GOPRO = Options(variant="gopro")
HALF = torch.tensor([0.5])
WINDOW = contracts.window(128, 128)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return LARGE.state()


@pytest.fixture(scope="module")
def net(state: dict[str, Tensor]) -> Amt:
    return amt.build(state, GOPRO).requires_grad_(False)


@pytest.fixture(scope="module")
def small() -> dict[str, Tensor]:
    """They only show that its layers fit together."""
    return amt_small()


@pytest.mark.parametrize(
    ("stored", "case"), [(stored, case) for stored in SETS for case in stored.cases], ids=lambda value: value.name
)
def test_it_computes_what_the_published_network_does(stored: parity.ParitySet, case: parity.Case):
    net = amt.build(stored.state(), GOPRO).requires_grad_(False)
    prepared = net.prepare((), case.window.unbind(1))
    for t in case.timesteps:
        made = net.estimate(prepared, torch.tensor([t]))
        stored.compare(case, f"flow0_t{t:g}", case.cut(made.flow0[0]))
        stored.compare(case, f"flow1_t{t:g}", case.cut(made.flow1[0]))
        stored.compare(case, f"out_t{t:g}", case.cut(net.at(prepared, torch.tensor([t]))))


def test_every_published_size_is_read_off_its_shapes(small: dict[str, Tensor]):
    sizes = {"amt-s": small, "amt-l": LARGE.state(), "amt-g": GLOBAL.state()}
    millions = {"amt-s": 2.99, "amt-l": 12.94, "amt-g": 30.64}
    for name, state in sizes.items():
        assert vfi.detect({f"module.{key}": value for key, value in state.items()}).name == name
        net = amt.build(state)
        assert sum(weight.numel() for weight in net.parameters()) == pytest.approx(millions[name] * 1e6, rel=1e-3)
        assert net.fields == (3 if name == "amt-s" else 5)


def test_the_smallest_one_runs(small: dict[str, Tensor]):
    net = amt.build(small, GOPRO).requires_grad_(False)
    assert net(WINDOW, torch.tensor([0.25, 0.5])).isfinite().all()
    contracts.gradients_reach_every_weight(net, WINDOW)


def test_only_weights_of_gopro_know_any_t(state: dict[str, Tensor], net: Amt):
    vimeo = amt.build(state)
    assert (vimeo.spec.name, vimeo.spec.any_t, vimeo.spec.multiple, vimeo.spec.min_size) == ("amt-l", False, 16, 128)
    assert (net.spec.name, net.spec.any_t, net.spec.licence) == ("amt-l-gopro", True, "CC-BY-NC-SA-4.0")
    with pytest.raises(InputError, match=r"only supports t = 0\.5, not "):
        vimeo(WINDOW, torch.tensor([0.25]))


def test_the_catalogue_says_which_weights_know_any_t(small: dict[str, Tensor], tmp_path: Path):
    for row in (row for row in amt.CHECKPOINTS if row.name.startswith("amt-s")):
        save_file(small, tmp_path / row.files[0])
        assert vfi.load(tmp_path / row.files[0]).spec.name == row.name


def test_no_weights_may_be_sold():
    assert {row.commercial for row in amt.CHECKPOINTS} == {False}


def test_it_keeps_its_contracts(net: Amt):
    assert isinstance(net, Interpolator)
    assert isinstance(net, Moves)


def test_the_frames_are_encoded_once_however_many_timesteps_there_are(net: Amt):
    times = torch.tensor([0.25, 0.75])
    contracts.preparing_once_serves_every_timestep(net, WINDOW, times, net.encoder, net.feat_encoder)


def test_timesteps_and_windows_are_made_by_themselves(net: Amt):
    contracts.one_window_serves_many_timesteps(net, WINDOW, torch.tensor([0.2, 0.9]))
    contracts.each_window_of_a_batch_is_made_by_itself(net, WINDOW, torch.tensor([0.25, 0.5]))


def test_correlation_that_is_not_stored_gives_the_same_frame(net: Amt, monkeypatch: pytest.MonkeyPatch):
    stored = net(WINDOW, HALF)
    look_up = correlation.AllPairs.__init__
    monkeypatch.setattr(correlation.AllPairs, "__init__", lambda *args, **options: look_up(*args, **options, limit=0))
    torch.testing.assert_close(net(WINDOW, HALF), stored, rtol=1e-4, atol=2e-5)


def test_motion_is_the_mean_of_all_fields(net: Amt):
    times = torch.tensor([0.25, 0.75])
    motion, made = contracts.motion(net, WINDOW, times), net.estimate(net.prepare((), WINDOW.unbind(1)), times)
    assert made.flow0.shape == made.flow1.shape == (2, 5, 2, 128, 128)
    torch.testing.assert_close(motion.flow0, made.flow0.mean(dim=1))
    torch.testing.assert_close(motion.flow1, made.flow1.mean(dim=1))
    assert motion.mask.shape == (2, 1, 128, 128)
    assert 0 <= motion.mask.min() <= motion.mask.max() <= 1


def test_flow_is_in_pixels_of_the_frame_at_any_scale(state: dict[str, Tensor], net: Amt):
    big = contracts.window(256, 256)
    halved = torch.stack([amt.resize(rgb, 0.5) for rgb in big.unbind(1)], dim=1)
    flow = contracts.motion(amt.build(state, Options(scale=0.5)).requires_grad_(False), big, HALF).flow0
    torch.testing.assert_close(flow, 2 * amt.resize(contracts.motion(net, halved, HALF).flow0, 2), rtol=1e-3, atol=1e-3)


def test_it_runs_in_half_precision_and_learns(net: Amt):
    contracts.half_precision_is_close(net, WINDOW)
    contracts.gradients_reach_every_weight(net, WINDOW)


def test_it_interpolates_a_clip_that_is_too_small_for_it(state: dict[str, Tensor]):
    contracts.interpolates_a_clip(vfi.load(state), 4)


@pytest.mark.parametrize("options", [Options(scale=0.3), Options(ensemble=True), Options(variant="vimeo90k")])
def test_what_it_has_not_is_refused(state: dict[str, Tensor], options: Options):
    with pytest.raises(InputError, match="amt-l"):
        registry.build(state, options)


def test_frames_and_weights_that_do_not_suit_are_refused(state: dict[str, Tensor], net: Amt):
    with pytest.raises(InputError, match=r"160x112.* at least 128"):
        net(torch.rand(1, 2, 3, 112, 160), HALF)
    with pytest.raises(InputError, match=r"multiples of 16"):
        net(torch.rand(1, 2, 3, 134, 150), HALF)
    for part in ("update3.conv.bias", "feat_encoder.layer2.1.conv2.weight", "encoder.pyramid3.0.0.weight"):
        with pytest.raises(InputError, match="amt-l"):
            registry.build({key: value for key, value in state.items() if key != part})
