"""LDMVFI computes what the published network computes, and draws what its seed says."""

from __future__ import annotations

import copy
import json

import contracts
import parity_other as parity
import pytest
import torch
from torch import Tensor

import vfi
from vfi.archs import ldmvfi
from vfi.archs.ldmvfi import Ldmvfi
from vfi.core import Encodes, InputError, Interpolator, Moves, Options, Sampling
from vfi.model import registry
from vfi.model.load import Part
from vfi.model.wrappers import Pad, Padded

HALF = torch.tensor([0.5])
SET = parity.load_set("ldmvfi/ldmvfi_tiny")
SIGNED = SET.window("prev", "next")
WINDOW = contracts.window(64, 64)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return SET.state()


@pytest.fixture(scope="module")
def built(state: dict[str, Tensor]) -> Ldmvfi:
    return ldmvfi.build(state).requires_grad_(False)


@pytest.fixture
def net(built: Ldmvfi) -> Ldmvfi:
    """Of two steps; it may be changed."""
    built.sampling = Sampling(steps=2)
    return built


def made_by(net: Ldmvfi, **sampling: float) -> Tensor:
    net.sampling = Sampling(**sampling)
    return net(WINDOW, HALF)


def test_it_computes_what_the_published_network_does(net: Ldmvfi):
    frames = [rgb for rgb, _ in map(Padded(net, Pad("reflect")).encode, ((SIGNED + 1) / 2).unbind(1))]
    features = [net.encode(rgb) for rgb in frames]
    for name, seen in zip(("prev", "next"), features, strict=True):
        SET.compare(f"latent_{name}", seen.latent)
        for level, plane in enumerate(seen.pyramid):
            SET.compare(f"phi_{name}_{level}", plane[:, :4, :16, :16])
    before, after = (seen.latent for seen in features)
    for time in (981, 400, 1):
        SET.compare(f"unet_eps_t{time}", net.denoiser(SET.inputs["x_T"], before, after, time))

    net.sampling = Sampling(SET.options["steps"], SET.options["eta"])
    assert [step.time for step in ldmvfi.schedule(net.sampling)] == SET.options["timesteps"][::-1]
    SET.compare("z0_ddim4_eta0", net.sample(features, iter([SET.inputs["x_T"]])))

    plane, quantize = SET.expected["z0_ddim4_eta0"], net.first_stage_model.quantize
    differ = quantize.nearest(plane) != SET.expected["vq_index"]
    assert (SET.expected["vq_margin"][differ] < 1e-3).all()
    for name, latent in (("frame", quantize(plane)), ("frame_no_quantise", plane)):
        SET.compare(name, 2 * net.render(latent, features, frames)[..., :200, :232] - 1)


def test_the_published_file_is_recognised_and_fits():
    manifest = json.loads((parity.DATA / "ldmvfi" / "ldmvfi_full.json").read_text())
    file = {row["key"]: torch.empty(row["shape"], device="meta") for row in manifest["keys"]}
    config = ldmvfi.config_of(file)
    assert config is not None
    assert (config.widths, config.denoiser, config.codes) == ((64, 128, 128, 128, 256), (256, 512, 1024), 8192)
    assert vfi.detect(file) == config.spec
    assert config.spec.multiple == 256
    with torch.device("meta"):
        net = Ldmvfi(config)
    wanted = {key: value.shape for key, value in file.items() if "cross_attn.out_conv" not in key}
    assert {key: value.shape for key, value in net.state_dict().items()} == wanted
    assert sum(weight.numel() for weight in net.parameters()) == 436_665_240


def test_of_a_training_script_s_file_the_averaged_weights_are_taken(state: dict[str, Tensor]):
    autoencoder, rest = (
        {key: value for key, value in state.items() if key.startswith("first_stage_model.") == own} for own in (True, False)
    )
    averaged = {f"model_ema.{key.removeprefix('model.').replace('.', '')}": value + 1 for key, value in rest.items()}
    twice = {key.replace("first_stage_model.", "cond_stage_model."): value for key, value in autoencoder.items()}
    others = {"betas": torch.zeros(1000), "model_ema.decay": torch.tensor(0.9), "first_stage_model.loss.logvar": torch.zeros(1)}
    net = registry.build({"state_dict": {**state, **averaged, **twice, **others}, "epoch": 3})
    assert isinstance(net, Ldmvfi)
    for key, value in net.state_dict().items():
        assert torch.equal(value, state[key] + 1 if key in rest else state[key])


def test_another_shape_is_read_off_the_weights():
    config = ldmvfi.Config((32, 64), 4, 16, 4, (32, 64, 64), 1, 2)
    net = ldmvfi.build(Ldmvfi(config).state_dict(), Options(sampling=Sampling(steps=2)))
    assert net.spec.multiple == 32
    assert net(contracts.window(32, 64), HALF).shape == (1, 3, 32, 64)


def test_half_a_network_is_not_recognised(state: dict[str, Tensor]):
    for part in ("first_stage_model.", "model."):
        assert ldmvfi.detect({key: value for key, value in state.items() if key.startswith(part)}) is None


def test_it_keeps_its_contracts(net: Ldmvfi):
    assert isinstance(net, Interpolator)
    assert isinstance(net, Encodes)
    assert not isinstance(net, Moves)
    assert (net.spec.any_t, net.spec.multiple, net.spec.licence) == (False, 64, "MIT")
    parts = (net.first_stage_model.encoder, net.first_stage_model.decoder, net.denoiser)
    contracts.preparing_once_serves_every_timestep(net, WINDOW, HALF.expand(2), *parts)


def test_timesteps_and_windows_are_made_by_themselves(net: Ldmvfi):
    contracts.one_window_serves_many_timesteps(net, WINDOW, torch.tensor([0.5, 0.5]))
    contracts.each_window_of_a_batch_is_made_by_itself(net, WINDOW, torch.tensor([0.5, 0.5]))
    net.sampling = Sampling(steps=2, eta=1)
    contracts.each_window_of_a_batch_is_made_by_itself(net, WINDOW, torch.tensor([0.5, 0.5]))


def test_a_seed_draws_the_same_frame_and_another_seed_another(net: Ldmvfi):
    first = made_by(net, steps=2, eta=1, seed=7)
    torch.rand(3)
    assert torch.equal(made_by(net, steps=2, eta=1, seed=7), first)
    for other in ({"seed": 8, "eta": 1}, {"seed": 7, "eta": 0.5}, {"seed": 7, "eta": 0}):
        assert not torch.equal(made_by(net, steps=2, **other), first)


def test_options_say_how_frames_are_drawn(state: dict[str, Tensor], net: Ldmvfi):
    assert registry.build(state).sampling == Sampling()
    asked = Sampling(steps=3, eta=1, seed=5)
    torch.testing.assert_close(vfi.load(state, sampling=asked)(WINDOW, HALF), made_by(net, steps=3, eta=1, seed=5))


def test_what_is_drawn_has_no_noise_left_when_the_noise_is_known():
    """All of the noise told, every schedule comes back to the same plane, but for the last of the schedule of training."""
    plane = torch.linspace(-1, 1, 12).reshape(1, 3, 2, 2)

    def predict(x: Tensor, time: int) -> Tensor:
        signal = ldmvfi.SIGNAL[time]
        return (x - signal**0.5 * plane) / (1 - signal) ** 0.5

    for sampling in (Sampling(2), Sampling(7), Sampling(30, eta=1), Sampling(999, eta=0.3)):
        steps = list(ldmvfi.schedule(sampling))
        assert len(steps) == sampling.steps
        assert all(step.signal < step.wanted for step in steps)
        left = ldmvfi.ddim(predict, ldmvfi.noise_of(sampling.seed, plane.shape), sampling) - ldmvfi.SIGNAL[0] ** 0.5 * plane
        assert 0 < left.square().mean() < 4 * (1 - ldmvfi.SIGNAL[0])


def test_windows_attend_in_chunks_as_they_do_at_once(net: Ldmvfi, monkeypatch: pytest.MonkeyPatch):
    made = net(WINDOW, HALF)
    monkeypatch.setattr(ldmvfi, "CHUNK", 3)
    torch.testing.assert_close(net(WINDOW, HALF), made, atol=1e-5, rtol=1e-5)


def test_it_runs_in_half_precision(net: Ldmvfi):
    contracts.half_precision_is_close(net, WINDOW)


def test_gradients_reach_every_weight_but_the_words(net: Ldmvfi):
    net = copy.deepcopy(net).requires_grad_(True)
    net(WINDOW, HALF).sum().backward()
    unmoved = [name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.abs().sum()]
    assert unmoved == ["first_stage_model.quantize.embedding.weight"]


def test_it_interpolates_a_clip(net: Ldmvfi):
    contracts.interpolates_a_clip(Part(net).ready(), 4, height=50, width=61)


@pytest.mark.parametrize("wrong", [{"steps": 1}, {"steps": 1000}, {"eta": -0.1}, {"eta": float("nan")}, {"seed": -1}])
def test_sampling_that_cannot_be_is_refused(wrong: dict[str, float]):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Sampling(**wrong)


@pytest.mark.parametrize("options", [Options(scale=0.5), Options(ensemble=True), Options(variant="c256")])
def test_what_it_has_not_is_refused(state: dict[str, Tensor], options: Options):
    with pytest.raises(InputError, match="ldmvfi"):
        registry.build(state, options)


def test_frames_and_weights_that_do_not_suit_are_refused(state: dict[str, Tensor], net: Ldmvfi):
    with pytest.raises(InputError, match=r"70x64.* multiples of 64"):
        net(torch.rand(1, 2, 3, 64, 70), HALF)
    with pytest.raises(InputError, match=r"only supports t = 0\.5, not "):
        net(WINDOW, torch.tensor([0.25]))
    with pytest.raises(InputError, match=r"decoder\.conv_in\.bias"):
        registry.build({key: value for key, value in state.items() if key != "first_stage_model.decoder.conv_in.bias"})
    with pytest.raises(InputError, match="LDMVFI"):
        ldmvfi.build({"first_stage_model.conv.weight": torch.zeros(1)})
