"""The network of our own: any t, any size, and no worse than what it starts from before it has learned anything."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import contracts
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import vfi
from vfi.archs import inbetween
from vfi.archs.inbetween import Config, Inbetween
from vfi.clips.open import open_clip
from vfi.core import InputError, Moves, Options
from vfi.model import load, weights
from vfi.model.load import Part
from vfi.pixels.metrics import psnr

CLIP = Path(__file__).parents[2] / "examples" / "room-16fps.mp4"

TINY = Config(encoder=(8, 12), decoder=(16, 20))
TIMES = torch.tensor([0.25, 0.75])


def drawn(config: Config = TINY, options: Options = Options()) -> Inbetween:  # noqa: B008
    """Random weights, those that are silent at first included."""
    torch.manual_seed(5)
    net = Inbetween(config, options).eval().requires_grad_(False)
    weight = net.decoder.leave.weight
    torch.nn.init.normal_(weight, std=0.3 * weight[0].numel() ** -0.5)
    return net


@pytest.fixture(scope="module")
def window() -> Tensor:
    return contracts.window(96, 128)


@pytest.mark.parametrize("config", [Config(), TINY], ids=["s", "tiny"])
def test_the_widths_are_read_off_the_weights(config: Config):
    net = Inbetween(config)
    assert inbetween.configure(net.state_dict()) == config
    assert vfi.detect(net.state_dict()).name == ("inbetween-s" if config == Config() else "inbetween-custom")
    assert sum(weight.numel() for weight in Inbetween().parameters()) * 2 < 6_000_000


def test_weights_that_are_not_whole_are_refused():
    state = drawn().state_dict()
    with pytest.raises(InputError, match="1 tensors are missing"):
        inbetween.build({key: value for key, value in state.items() if key != "decoder.mix.conv.bias"})
    assert inbetween.detect({"encoder.eighth.0.0.weight": state["encoder.eighth.0.0.weight"]}) is None
    with pytest.raises(InputError, match="the weights are not Inbetween's"):
        inbetween.build({"a": torch.zeros(1)})


def test_before_it_has_learned_it_follows_the_motion(window: Tensor):
    """Nothing is added to DIS at first: a picture that moves by two pixels is found where it is half-way."""
    wide = torch.nn.functional.interpolate(window[:, 0], (128, 192), mode="bicubic").clamp(0, 1)
    clip = torch.stack([wide[0, :, 8:120, 8 + 4 * k : 168 + 4 * k] for k in range(3)])
    net = Inbetween().eval()
    made = Part(net).ready()(clip[None, ::2], torch.tensor([0.5]))[0]
    inside = (slice(None), slice(12, -12), slice(12, -12))
    assert (made - clip[1])[inside].abs().mean() < 0.2 * (clip[0] - clip[1])[inside].abs().mean()


def test_what_stands_still_stays_as_it_is(window: Tensor):
    still = window[:, :1].expand(-1, 2, -1, -1, -1)
    torch.testing.assert_close(vfi.load("inbetween-s")(still, TIMES), still[:, 0].expand(2, -1, -1, -1), atol=2e-3, rtol=0)


def test_what_does_not_depend_on_t_is_computed_once(window: Tensor):
    net = drawn()
    contracts.preparing_once_serves_every_timestep(net, window, TIMES, net.encoder.quarter, net.encoder.eighth)
    contracts.one_window_serves_many_timesteps(net, window, TIMES)
    contracts.each_window_of_a_batch_is_made_by_itself(net, window, TIMES)


def test_half_precision_is_close(window: Tensor):
    contracts.half_precision_is_close(drawn(), window)


def test_gradients_reach_every_weight(window: Tensor):
    contracts.gradients_reach_every_weight(drawn(), window)


def test_it_learns_in_mixed_precision(window: Tensor):
    net = drawn().train().requires_grad_(True)
    frames = window.unbind(1)
    with torch.autocast("cpu", torch.bfloat16):
        stages = net.stages(net.prepare([net.encode(rgb) for rgb in frames], frames), TIMES[:1])
    stages.made.mean().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in net.parameters())
    torch.testing.assert_close(stages.made, net(window, TIMES[:1]), atol=0.1, rtol=0)


def test_a_clip_of_an_odd_size_is_interpolated():
    contracts.interpolates_a_clip(Part(drawn()).ready(), 3)


@pytest.mark.parametrize("scale", [0.5, 2])
def test_flow_is_estimated_at_another_size(window: Tensor, scale: float):
    net = drawn(options=Options(scale=scale))
    made = Part(net).ready()(window, TIMES)
    assert made.shape == (2, 3, 96, 128)
    assert isinstance(net, Moves)
    motion = contracts.motion(Part(net).ready(), window, TIMES)
    plain = contracts.motion(Part(drawn()).ready(), window, TIMES)
    assert motion.flow0.shape == (2, 2, 96, 128)
    assert (motion.flow0 - plain.flow0).abs().mean() < 3


@pytest.mark.parametrize("options", [Options(scale=3), Options(ensemble=True), Options(variant="x")])
def test_options_that_it_has_not_are_refused(options: Options):
    with pytest.raises(InputError, match="inbetween"):
        Inbetween(TINY, options)


def test_the_frames_suit_its_multiple(window: Tensor):
    with pytest.raises(InputError, match="multiples of 16"):
        drawn()(window[..., :90, :], TIMES[:1])


def test_its_stages_are_what_it_makes(window: Tensor):
    net, frames = drawn(), window.unbind(1)
    prepared = net.prepare([net.encode(rgb) for rgb in frames], frames)
    stages = net.stages(prepared, TIMES)
    torch.testing.assert_close(stages.made.clamp(0, 1), net(window, TIMES))
    motion = net.motion_at(prepared, TIMES)
    (flow,) = stages.flows
    assert flow.shape == (2, 4, 12, 16)
    spread = torch.nn.functional.interpolate(flow, scale_factor=8, mode="bilinear")
    torch.testing.assert_close(spread, torch.cat((motion.flow0, motion.flow1), dim=1))


def test_a_file_of_half_precision_is_loaded(tmp_path: Path, window: Tensor):
    net = drawn()
    save_file({key: value.half() for key, value in net.state_dict().items()}, tmp_path / "mine.safetensors")
    made = vfi.load(tmp_path / "mine.safetensors")(window, TIMES)
    torch.testing.assert_close(made, net(window, TIMES), atol=0.02, rtol=0)


@pytest.mark.parametrize(("name", "most"), [("inbetween-s", 1_000_000), ("inbetween-m", 12_000_000)])
def test_what_ships_is_there_wherever_models_are_looked_for(tmp_path: Path, name: str, most: int):
    file = weights.on_disk(name, [tmp_path])
    assert file is not None
    assert file.stat().st_size < most
    assert file.with_suffix(".md").is_file()
    assert vfi.detect(weights.read(file)).name == name


def test_auto_needs_no_download(tmp_path: Path):
    assert load.auto([tmp_path]) == "inbetween-m"


def test_what_ships_gives_way_to_what_lies_on_disk(tmp_path: Path):
    mine = tmp_path / "inbetween_s.safetensors"
    save_file(drawn().state_dict(), mine)
    assert weights.on_disk("inbetween-s", [tmp_path]) == mine


def test_what_ships_makes_real_frames_better_than_what_needs_no_weights():
    rgb = [frame.rgb.float() for frame in islice(open_clip(CLIP), 0, 33)]
    nearness: dict[str, list[float]] = {"linear": [], "dis": [], "inbetween-s": [], "inbetween-m": []}
    for before, true, after in (rgb[at : at + 3] for at in (0, 10, 20, 30)):
        for name, found in nearness.items():
            made = vfi.load(name)(torch.stack((before, after))[None], torch.tensor([0.5]))[0]
            found.append(psnr(made, true))
    assert sum(nearness["inbetween-s"]) > sum(nearness["dis"]) + 0.4
    assert sum(nearness["inbetween-m"]) > sum(nearness["linear"]) + 4
