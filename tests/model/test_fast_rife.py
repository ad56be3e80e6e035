"""RIFE restructured: the very frames and motion of the network as published, which is the oracle here."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import contracts
import halves
import pytest
import torch
from networks import drawn_rife
from parity import DATA, load_set, names, synthetic_frames
from safetensors.torch import load_file
from torch import Tensor

from vfi.archs import rife
from vfi.archs.rife import NAMED_LAYERS, TWO_LAYERS, Config, Head, Rife
from vfi.core import Encodes, Moves
from vfi.model.fast import fast
from vfi.model.fast.rife import FastRife, phases

EXACT = 110
"""PSNR in dB: rounding in another order is all that may differ."""

RESTRUCTURED = [name for name in names("rife") if "encode" in " ".join(load_set(name).manifest["state_dict"])]
DRAWN = {
    "4.7": Config((16, 12, 8, 8), head=Head(8, 4, TWO_LAYERS)),
    "groups": Config((16, 12, 8, 8), groups=2, head=Head(8, 4, NAMED_LAYERS)),
    "4.25": Config((16, 12, 8, 8, 6), outputs=13, head=Head(8, 4, NAMED_LAYERS)),
}


def drawn(name: str, **options) -> Rife:
    return drawn_rife(DRAWN[name], **options)


def window(height: int, width: int, speed: float = 2.0) -> Tensor:
    return torch.from_numpy(synthetic_frames(height, width, 2, speed))[None]


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * (a - b).square().mean().clamp(min=1e-20).log10())


@torch.no_grad()
def agrees(net: Rife, pair: Tensor, t: Tensor) -> None:
    quick = fast(deepcopy(net))
    assert isinstance(quick, FastRife)
    frames = pair.unbind(1)
    prepared = [model.prepare([model.encode(rgb) for rgb in frames], frames) for model in (net, quick)]
    made = [model.at(one, t) for model, one in zip((net, quick), prepared, strict=True)]
    assert psnr(*made) >= EXACT
    moved = [model.motion_at(one, t) for model, one in zip((net, quick), prepared, strict=True)]
    torch.testing.assert_close(moved[0].flow0, moved[1].flow0, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(moved[0].flow1, moved[1].flow1, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(moved[0].mask, moved[1].mask, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", RESTRUCTURED)
def test_published_networks_keep_their_frames(name: str) -> None:
    state = load_set(name).state()
    net = rife.build(state)
    side = net.spec.multiple
    agrees(net, window(2 * side, 3 * side), torch.tensor([0.5]))


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_every_kind_keeps_its_frames(name: str, scale: float) -> None:
    agrees(drawn(name, scale=scale), window(128, 256), torch.tensor([0.3]))


def test_it_does_without_the_finest_block() -> None:
    agrees(drawn_rife(replace(DRAWN["4.25"], finest=False)), window(64, 128), torch.tensor([0.25, 0.5]))


def test_timesteps_and_windows_are_batched() -> None:
    net = drawn("4.25")
    steps = torch.tensor([0.25, 0.5, 0.75])
    agrees(net, window(64, 128), steps)
    agrees(net, torch.cat([window(64, 128, speed) for speed in (1.0, 2.0, 5.0)]), steps)


@pytest.mark.parametrize(("name", "options"), [("4.25", {"scale": 2.0}), ("4.7", {"ensemble": True})])
@torch.no_grad()
def test_what_has_no_fast_form_stays_as_it_is(name: str, options: dict) -> None:
    net = drawn(name, **options)
    pair, t = window(128, 256), torch.tensor([0.3])
    published = net(pair, t)
    assert fast(net) is net
    assert psnr(net(pair, t), published) >= EXACT


@torch.no_grad()
def test_contract() -> None:
    quick = fast(drawn("4.25"))
    assert isinstance(quick, Encodes)
    assert isinstance(quick, Moves)
    times = torch.tensor([0.25, 0.6])
    contracts.preparing_once_serves_every_timestep(quick, window(64, 128), times)
    contracts.each_window_of_a_batch_is_made_by_itself(quick, window(64, 128), times)
    contracts.half_precision_is_close(quick, window(64, 128))


def test_a_transposed_convolution_is_its_phases() -> None:
    torch.manual_seed(0)
    transposed = torch.nn.ConvTranspose2d(5, 3, 4, 2, 1)
    x = torch.randn(2, 5, 7, 9)
    shuffled = torch.nn.functional.pixel_shuffle(phases(transposed)(x), 2)
    torch.testing.assert_close(shuffled, transposed(x))


@pytest.mark.weights
@pytest.mark.parametrize("pair", ["I0", "I2"])
@torch.no_grad()
def test_trained_weights(rife425_state: dict[str, Tensor], pair: str) -> None:
    frames = load_file(DATA / "real" / "inputs.safetensors")[pair].permute(0, 3, 1, 2)[None] / 255
    net, t = rife.build(rife425_state), torch.tensor([0.5])
    agrees(net, frames, t)
    with halves.quick():
        assert psnr(fast(deepcopy(net)).bfloat16()(frames, t), net(frames, t)) >= 60


def test_bfloat16_is_for_the_finest_blocks_alone() -> None:
    quick = fast(drawn("4.25"))
    before = deepcopy(quick.state_dict())
    quick.bfloat16()
    types = [{weight.dtype for weight in block.parameters()} for block in quick.blocks]
    assert types == [{torch.float32}] * 3 + [{torch.bfloat16}] * 2
    coarse = quick.blocks[0].state_dict()
    assert all(torch.equal(weight, before[f"blocks.0.{name}"]) for name, weight in coarse.items())
    assert {weight.dtype for weight in quick.half().parameters()} == {torch.float16}
