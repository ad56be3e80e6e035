"""ToonCrafter's sketch encoder against stored outputs of the published code."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from crafting import drawn, manifest, published, stored, tiny_unet, turned, unet_state
from torch import Tensor
from tweening import apart

from vfi.core import InputError
from vfi.tween.dynamicrafter.sketch import SketchEncoder, sketch_encoder

CLOSE = 1e-5
"""Of the largest value, as the data promise."""


def weights() -> dict[str, Tensor]:
    return drawn(manifest("toon_sketch")["sketch_keys"], "sketch")


@cache
def encoder() -> SketchEncoder:
    return sketch_encoder(weights())


@cache
@torch.no_grad()
def hints() -> Tensor:
    return encoder().hints(stored("toon_sketch")["input.hint_u8"].float() / 255)


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    data = stored("toon_sketch")
    return turned(data["input.x"]), torch.tensor(STEP), data["input.context"]


STEP = 519


@torch.no_grad()
def test_drawings_become_hints_as_published():
    assert apart(hints()[:, ::8], stored("toon_sketch")["expected.hint_features"]) < CLOSE


@torch.no_grad()
def test_the_control_is_as_published():
    data = stored("toon_sketch")
    control = encoder()(*inputs(), hints())
    parts = [*control.across, control.middle]
    assert len(parts) == 9
    for index, part in enumerate(parts):
        assert apart(part[:, ::8], data[f"expected.control{index}"]) < CLOSE, index


@pytest.mark.parametrize(("name", "scale"), [("none", None), ("scale0.6", 0.6), ("scale1", 1.0)])
@torch.no_grad()
def test_the_unet_follows_it_as_published(name, scale):
    latents, time, context = inputs()
    control = None if scale is None else encoder()(latents, time, context, hints()).scaled(scale)
    both = torch.cat((latents, turned(stored("toon_sketch")["input.concat"])), dim=2)
    made = tiny_unet()(both, time, context, torch.tensor(10), control)
    assert apart(turned(made), stored("toon_sketch")[f"expected.unet.{name}"]) < CLOSE


@torch.no_grad()
def test_clips_and_frames_do_not_see_each_other():
    latents, time, context = inputs()
    both = encoder()(torch.cat((latents.flip(1), latents)), time, torch.cat((context.flip(2), context)), hints())
    alone = encoder()(latents, time, context, hints())
    one = encoder()(latents[:, 2:3], time, context, hints()[2:3])
    count = latents.shape[1]
    for batch, clip, frame in zip(both.across, alone.across, one.across, strict=True):
        assert apart(batch[count:], clip) < CLOSE
        assert apart(clip[2:3], frame) < CLOSE
        assert apart(batch[:count], clip) > 0.01


def test_the_published_weights_fit():
    net = sketch_encoder(published("toon_sketch"))
    assert sum(parameter.numel() for parameter in net.parameters()) == 364_227_952
    assert len(net.zero_convs) == 12
    assert [own.stride[0] for own in net.input_hint_block[::2]] == [1, 1, 2, 1, 2, 1, 2, 1]
    assert [block.transformer_blocks[0].attn2.heads for block in (net.input_blocks[1][1], net.middle_block[1])] == [5, 20]
    assert net.hints(torch.empty(16, 1, 320, 512, device="meta")).shape == (16, 320, 40, 64)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (unet_state, "are DynamiCrafter's or ToonCrafter's UNet: ToonCrafter's sketch encoder is needed"),
        (
            lambda: weights() | {"input_hint_block.0.weight": torch.zeros(16, 3, 3, 3)},
            "are a ControlNet for hints of 3 channels: ToonCrafter's sketch encoder takes 1",
        ),
        (lambda: {key: own for key, own in weights().items() if "time_embed" not in key}, "but 4 tensors are missing"),
        (lambda: {key: own for key, own in weights().items() if "middle_block.1" not in key}, "sketch encoder is needed"),
        (lambda: {}, "are of an unknown kind"),
    ],
)
def test_other_weights_are_called_by_their_name(other, words):
    with pytest.raises(InputError, match=words):
        sketch_encoder(other())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda net, x, t, c, own: net.hints(torch.zeros(6, 3, 64, 128)), r"\[frames, 1, height, width\] is needed"),
        (lambda net, x, t, c, own: net.hints(torch.zeros(6, 1, 64, 127)), "multiples of 8"),
        (lambda net, x, t, c, own: net(x[0], t, c, own), "latents of shape"),
        (lambda net, x, t, c, own: net(x[..., :12], t, c, own), "multiples of 8"),
        (lambda net, x, t, c, own: net(x.repeat(1, 1, 2, 1, 1), t, c, own), r"\[clips, frames, 4, height, width\]"),
        (lambda net, x, t, c, own: net(x, t, c[..., :16], own), r"\[1, tokens, 32\] is needed"),
        (lambda net, x, t, c, own: net(x[:, :5], t, c, own), r"hints of shape .* \[5, 32, 8, 16\] is needed"),
    ],
)
@torch.no_grad()
def test_shapes_that_do_not_fit_are_refused(call, words):
    with pytest.raises(InputError, match=words):
        call(encoder(), *inputs(), hints())
