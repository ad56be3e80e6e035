"""The networks of Stable Video Diffusion and Framer against stored outputs of the published code."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tweening import FRAMES, HEIGHT, WIDTH, apart, controlnet, normal, state, stored, table, unet

from vfi.core import InputError
from vfi.tracks import Tracks
from vfi.tween import svd
from vfi.tween.framer import maps
from vfi.tween.layers import Build, attend

CLOSE = 1e-5
"""Of the largest value; the reference allows 2e-4."""


def inputs() -> tuple[Tensor, ...]:
    data = stored("forward")
    latents = normal("input:framer.sample", (2, FRAMES, 9, HEIGHT // 8, WIDTH // 8))
    return latents, data["input.timestep"], data["input.encoder_hidden_states"], data["input.added_time_ids"]


def hints(net: svd.ControlNet) -> Tensor:
    path = stored("forward")["input.tracks"]
    return net.hints(maps(Tracks(path, torch.ones(path.shape[:2], dtype=torch.bool), (WIDTH, HEIGHT))))


@pytest.mark.parametrize("order", ["fixed", "legacy"])
@torch.no_grad()
def test_the_networks_give_what_the_published_code_gives(order):
    expected = {
        key.removeprefix(f"expected.{order}."): value
        for key, value in stored("forward").items()
        if key.startswith(f"expected.{order}.")
    }
    assert expected
    got: dict[str, Tensor] = {}
    told = inputs()
    got["unet.sample"] = unet(order)(*told, watch=lambda level, x: got.update({f"unet.feat{level}": x[:, ::8]}))
    control = controlnet(order)(*told, hints(controlnet(order)))
    got |= {f"controlnet.down{index}": part[:, ::8] for index, part in enumerate(control.across)}
    got["controlnet.mid"] = control.middle[:, ::8]
    got["combined.sample"] = unet(order)(*told, control, lambda level, x: got.update({f"combined.feat{level}": x[:, ::8]}))
    for key, value in expected.items():
        assert apart(got[key], value) < CLOSE, key


@torch.no_grad()
def test_maps_become_hints_as_published():
    assert apart(hints(controlnet())[:, ::8], stored("forward")["expected.cond_embedding"]) < CLOSE


@torch.no_grad()
def test_clips_of_a_batch_do_not_see_each_other():
    latents, time, context, ids = inputs()
    alone = unet()(latents[1:], time, context[1:], ids[1:])
    assert apart(alone, stored("forward")["expected.single_batch.unet.sample"]) < CLOSE
    assert apart(unet()(latents, time, context, ids)[1:], alone) < CLOSE
    assert apart(unet("legacy")(latents, time, context, ids)[1:], alone) > 0.1


@pytest.mark.parametrize(("kind", "tensors", "numbers"), [("unet", 1429, 1524625966), ("controlnet", 671, 682024417)])
def test_the_published_weights_fit(kind, tensors, numbers):
    shapes = table(f"real_{kind}")
    assert len(shapes) == tensors
    net = getattr(svd, kind)({key: torch.empty(shape, device="meta") for key, shape in shapes.items()})
    assert sum(parameter.numel() for parameter in net.parameters()) == numbers
    assert net.sizes.head == 64
    assert net.sizes.widths == (320, 640, 1280, 1280)


def test_half_precision_weights_stay_what_they_are():
    net = svd.unet({key: value.half() for key, value in state("unet").items()})
    assert {parameter.dtype for parameter in net.parameters()} == {torch.float16}


@torch.no_grad()
def test_other_operations_and_attention_are_used_throughout():
    made: list[str] = []
    asked: list[int] = []

    class Operations:
        pass

    for name in ("Linear", "Conv2d", "Conv3d", "GroupNorm", "LayerNorm"):
        kind = getattr(nn, name)
        own = type(
            name,
            (kind,),
            {"__init__": lambda self, *a, kind=kind, **k: (made.append(kind.__name__), kind.__init__(self, *a, **k))[1]},
        )
        setattr(Operations, name, own)

    def looked(q, k, v, heads):
        asked.append(heads)
        return attend(q, k, v, heads)

    net = svd.unet(state("unet"), Build(Operations, looked))
    plain = {type(module) for module in net.modules()} & {nn.Linear, nn.Conv2d, nn.Conv3d, nn.GroupNorm, nn.LayerNorm}
    assert not plain
    assert set(made) == {"Linear", "Conv2d", "Conv3d", "GroupNorm", "LayerNorm"}
    assert torch.equal(net(*inputs()), unet()(*inputs()))
    assert len(asked) == 4 * sum(isinstance(module, svd.Transformer) for module in net.modules())


@torch.no_grad()
def test_latents_of_any_size_come_back_in_it():
    _, time, context, ids = inputs()
    latents = normal("odd", (2, 3, 9, 9, 13))
    assert unet()(latents, time, context, ids).shape == (2, 3, 4, 9, 13)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"vision_model.embeddings.class_embedding": 1}, "are a CLIP vision model: a Stable Video Diffusion UNet"),
        ({"decoder.time_conv_out.weight": 1}, "are the autoencoder of Stable Video Diffusion"),
        (
            {"first_stage_model.decoder.up.0.block.0.time_stack.out_layers.3.weight": 1},
            "whole checkpoint, Stable Video Diffusion",
        ),
        ({"first_stage_model.decoder.up.0.block.0.conv1.weight": 1}, "whole checkpoint, of an image model"),
        ({"down_blocks.0.resnets.0.conv1.weight": 1}, "are an image model in diffusers' form"),
        ({"model.diffusion_model.input_blocks.1.0.time_stack.out_layers.3.weight": 1}, "in a form other than diffusers'"),
        ({"weight": 1}, "of an unknown kind"),
    ],
)
def test_other_weights_are_called_by_their_name(weights, words):
    with pytest.raises(InputError, match=words):
        svd.unet({key: torch.zeros(value) for key, value in weights.items()})


def test_a_unet_is_no_controlnet():
    with pytest.raises(InputError, match="are a UNet's: a ControlNet's are needed"):
        svd.controlnet(state("unet"))
    with pytest.raises(InputError, match="are a ControlNet's: a UNet's are needed"):
        svd.unet(state("controlnet"))


def test_weights_that_lack_something_are_refused():
    short = {key: value for key, value in state("unet").items() if key != "mid_block.resnets.1.time_mixer.mix_factor"}
    with pytest.raises(InputError, match=r"look like Framer's UNet, but 1 tensors are missing.*mid_block"):
        svd.unet(short)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda told: (told[0][0], *told[1:]), r"\[clips, frames, 9, height, width\] is needed"),
        (lambda told: (told[0][:, :, :8], *told[1:]), "latents of shape"),
        (lambda told: (told[0], told[1], told[2][:1], told[3]), r"\[2, tokens, 32\] and \[2, 3\] are needed"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        unet()(*change(inputs()))


def test_hints_of_another_size_are_refused():
    small = F.interpolate(hints(controlnet()), scale_factor=0.5)
    with pytest.raises(InputError, match="hints of shape"):
        controlnet()(*inputs(), small)
