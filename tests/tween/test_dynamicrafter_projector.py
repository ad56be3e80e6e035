"""DynamiCrafter's image projector against stored outputs of the published code."""

from __future__ import annotations

import halves
import pytest
import torch
from crafting import projector_state, published, stored, tiny_projector
from torch import Tensor
from tweening import apart

from vfi.core import InputError
from vfi.tween.dynamicrafter.projector import projector
from vfi.tween.layers import Build, attend

CLOSE = 1e-5


@torch.no_grad()
def test_tokens_and_what_every_layer_adds_are_the_published_ones():
    data, net = stored("dc_resampler"), tiny_projector()
    got: dict[str, Tensor] = {}
    hooks = [
        layer[part].register_forward_hook(lambda _, told, made, name=f"{word}{index}": got.update({name: made[:, ::4]}))
        for index, layer in enumerate(net.layers)
        for part, word in enumerate(("attention", "feedforward"))
    ]
    try:
        got["context"] = net(data["input.tokens"])
    finally:
        for hook in hooks:
            hook.remove()
    assert {f"expected.{name}" for name in got} == {key for key in data if key.startswith("expected.")}
    for name, made in got.items():
        assert apart(made, data[f"expected.{name}"]) < CLOSE, name
    assert net.frames == 6


def test_the_published_weights_fit():
    net = projector(published("dc_image_proj"))
    assert sum(parameter.numel() for parameter in net.parameters()) == 48_787_456
    assert (net.frames, net.sizes.head, net.sizes.inputs, net.sizes.outputs) == (16, 64, 1280, 1024)
    assert net.layers[0][0].heads == 12


@pytest.mark.parametrize(("precision", "close"), [(torch.float16, 0.01), (torch.bfloat16, 0.05)])
@torch.no_grad()
def test_half_precision_is_near(precision, close):
    data, asked = stored("dc_resampler"), []

    def looked(q, k, v, heads):
        asked.append(heads)
        return attend(q, k, v, heads)

    net = projector({key: value.to(precision) for key, value in projector_state().items()}, Build(attention=looked))
    with halves.quick():
        made = net(data["input.tokens"].to(precision))
    assert made.dtype == precision
    assert asked == [2, 2]
    assert apart(made.float(), data["expected.context"]) < close


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="of an unknown kind: the image projector of DynamiCrafter"):
        projector({"latents": torch.zeros(1, 2)})
    with pytest.raises(InputError, match=r"look like the image projector.*but 1 tensors.*norm_out\.bias"):
        projector({key: value for key, value in projector_state().items() if key != "norm_out.bias"})
    with pytest.raises(InputError, match=r"tokens of shape \[1, 24\] were given: \[pictures, tokens, 40\]"):
        tiny_projector()(torch.zeros(1, 24))
