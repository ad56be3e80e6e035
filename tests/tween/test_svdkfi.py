"""Generative Inbetweening against stored outputs of the published code."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor
from tweening import FRAMES, HEIGHT, SEED, WIDTH, apart, coders, normal, picture, state, stored, table, unet

from vfi.core import InputError
from vfi.tween import edm, keyframes, svd
from vfi.tween.layers import Build
from vfi.tween.svdkfi import Drawing, Inbetweening, Looks, backward_state, looking

CLOSE = 5e-5
"""Of the largest value; the reference allows 5e-4."""

SHAPE = (1, FRAMES, 4, HEIGHT // 8, WIDTH // 8)


@cache
def inbetweening(order: str = "fixed") -> Inbetweening:
    own = state("svd")
    base = {key: torch.zeros_like(value) for key, value in own.items()}
    tuned = own | {key: 0.1 * normal(f"svdkfi.delta.{key}", own[key].shape) for key in table("delta")}
    nets = (svd.unet(weights, Build(order=order)) for weights in (own, backward_state(own, tuned, base)))
    return Inbetweening(*nets, coders())


def test_only_attention_along_time_is_tuned():
    ones = {key: torch.ones_like(value) for key, value in state("svd").items()}
    moved = backward_state(state("svd"), ones, {key: 0 * value for key, value in ones.items()})
    assert {key for key, value in state("svd").items() if not torch.equal(value, moved[key])} == set(table("delta"))
    with pytest.raises(InputError, match=r"lack .*attn1"):
        backward_state(state("svd"), {}, {})


@pytest.mark.parametrize("order", ["fixed", "legacy"])
@pytest.mark.parametrize(("name", "even"), [("equal_weights", True), ("linear_weights", False)])
@torch.no_grad()
def test_a_step_is_the_published_one(order, name, even):
    data = stored("svdkfi")
    ends = torch.stack((data["input.step.z1"][1], data["input.step.z2"][1]))
    tokens = torch.stack((data["input.step.e1"][1, 0], data["input.step.e2"][1, 0]))
    bare = inbetweening(order)
    # There, the run that is to know nothing was told of something.
    without = iter(((data["input.step.z1"], data["input.step.e1"]), (data["input.step.z2"], data["input.step.e2"])))
    drawing = Drawing(even=even)
    sigma = float(torch.exp(4 * data["input.step.timestep"].double()))
    bare._rows = lambda net, noisy, sigma, end, token, drawing: rows(net, noisy, sigma, *next(without), drawing)
    try:
        got = bare.predict(data["input.step.latents"], sigma, ends, tokens, drawing)
    finally:
        del bare._rows
    assert apart(got, data[f"expected.{order}.step.{name}"]) < CLOSE


def rows(net: svd.UNet, noisy: Tensor, sigma: float, ends: Tensor, tokens: Tensor, drawing: Drawing) -> Tensor:
    planes = ends[:, None].expand(-1, FRAMES, -1, -1, -1)
    latents = torch.cat((noisy.expand(2, -1, -1, -1, -1), planes), dim=2)
    return net(latents, torch.tensor(edm.level(sigma)), tokens, drawing.ids().expand(2, -1))


@torch.no_grad()
def test_what_is_kept_is_how_cells_look_along_time():
    data = stored("svdkfi")
    looks = Looks()
    sigma = float(torch.exp(4 * data["input.step.timestep"].double()))
    noisy = edm.scaled(data["input.step.latents"], sigma)
    net = inbetweening().forward
    with looking(net, looks.note):
        rows(net, noisy, sigma, data["input.step.z1"], data["input.step.e1"], Drawing())
    assert apart(looks.weights[0][:128:16], data["expected.ref_attention.down0"]) < CLOSE


@pytest.mark.parametrize(
    ("name", "drawing"),
    [
        ("plain", Drawing(steps=3, injected=0)),
        ("weighted", Drawing(steps=3, injected=0, even=False)),
        ("inject", Drawing(steps=3, times=2)),
    ],
)
@torch.no_grad()
def test_runs_give_what_the_published_code_gives(name, drawing):
    data = stored("svdkfi")
    pair = picture(data["input.image1_u8"]), picture(data["input.image2_u8"])
    ends, tokens = keyframes.condition_on(
        coders(), *pair, drawing.augmentation, edm.noise_of(SEED), torch.zeros(()), shared=True
    )
    more = (normal(f"input:svdkfi.inject{index}", SHAPE) for index in range(9))
    got = inbetweening().latents(ends, tokens, normal("input:svdkfi.latents", SHAPE), drawing, lambda shape: next(more))
    assert apart(got, data[f"expected.loop.{name}"]) < CLOSE


def test_a_clip_is_drawn_and_the_networks_stay_what_they_were():
    first, last = torch.rand(2, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    drawing = Drawing(steps=2, times=1)
    seen: list[int] = []
    own = [module.attn1.attend for module in inbetweening().forward.modules() if hasattr(module, "attn1")]
    clip = inbetweening()(first, last, drawing, frames=4, each=lambda step: seen.append(step.number))
    assert clip.shape == (4, 3, HEIGHT, WIDTH)
    assert seen == [1, 2]
    assert torch.equal(clip, inbetweening()(first, last, drawing, frames=4))
    assert not torch.equal(clip, inbetweening()(first, last, replace(drawing, injected=0), frames=4))
    assert own == [module.attn1.attend for module in inbetweening().forward.modules() if hasattr(module, "attn1")]


def test_framers_networks_are_refused():
    with pytest.raises(InputError, match="of 9 channels was given"):
        Inbetweening(unet(), unet(), coders())


@pytest.mark.parametrize(("options", "words"), [({"injected": 2}, "in 2 of the steps"), ({"times": -1}, "-1 times")])
def test_what_cannot_be_drawn_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        Drawing(**options)
