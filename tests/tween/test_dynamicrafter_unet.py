"""DynamiCrafter's UNet against stored outputs of the published code."""

from __future__ import annotations

import halves
import pytest
import torch
from crafting import published, stored, tiny_unet, turned, unet_state
from torch import Tensor, nn
from tweening import apart, normal

from vfi.core import InputError
from vfi.tween.dynamicrafter.unet import Context, unet
from vfi.tween.layers import Build, attend
from vfi.tween.svd import Control

CLOSE = 1e-5
"""Of the largest value."""

TIMES = {"t999": [999, 999], "t519": [519, 519], "t19": [19, 19], "t999_19": [999, 19]}


TEXT = 77
"""Tokens of the text in the stored context; the others are the picture's."""


def told(context: Tensor) -> Context:
    return Context(context[:, :TEXT], context[:, TEXT:])


def inputs(clips: int = 2, time: int = 519) -> tuple[Tensor, Tensor, Context, Tensor]:
    """The stored clips, or the second alone."""
    data = stored("dc_unet")
    latents = turned(torch.cat((data["input.x"], data["input.concat"]), dim=1))
    return latents[-clips:], torch.full((clips,), time), told(data["input.context"][-clips:]), data["input.fs"][-clips:]


def expected(name: str) -> Tensor:
    value = stored("dc_unet")[f"expected.{name}"]
    return turned(value) if value.ndim == 5 else value


@pytest.mark.parametrize("name", TIMES)
@torch.no_grad()
def test_clips_at_every_noise_level_are_the_published_ones(name):
    latents, _, context, fs = inputs()
    assert apart(tiny_unet()(latents, torch.tensor(TIMES[name]), context, fs), expected(f"batch2.{name}")) < CLOSE


@torch.no_grad()
def test_every_block_gives_what_the_published_one_gives():
    net = tiny_unet()
    blocks = {
        "time_embed.t519": net.time_embed,
        "init_attn": net.init_attn,
        "middle_block": net.middle_block,
        **{f"input_blocks.{index}": block for index, block in enumerate(net.input_blocks)},
        **{f"output_blocks.{index}": block for index, block in enumerate(net.output_blocks)},
    }
    got: dict[str, Tensor] = {}
    hooks = [
        block.register_forward_hook(lambda _, __, made, name=name: got.update({name: made})) for name, block in blocks.items()
    ]
    try:
        assert apart(net(*inputs(1)), expected("single.t519")) < CLOSE
    finally:
        for hook in hooks:
            hook.remove()
    assert apart(got.pop("time_embed.t519"), expected("time_embed.t519")) < CLOSE
    for name, made in got.items():
        assert apart(made[:, ::8], expected(f"single.t519.{name}")) < CLOSE, name


@torch.no_grad()
def test_without_a_frame_rate_it_is_24():
    made = []
    hook = tiny_unet().fps_embedding.register_forward_hook(lambda _, told, out: made.append(out))
    try:
        assert apart(tiny_unet()(*inputs(1)[:3]), expected("single.t519.no_fs")) < CLOSE
    finally:
        hook.remove()
    assert apart(made[0], expected("fps_embedding.fs24")) < CLOSE


@torch.no_grad()
def test_a_learnt_weight_of_the_picture_is_used():
    net = tiny_unet(learnable=True)
    assert net.sizes.learnable
    assert not tiny_unet().sizes.learnable
    assert apart(net(*inputs(1)), expected("single.t519.learnable")) < CLOSE


@torch.no_grad()
def test_tokens_of_the_picture_that_are_zero():
    latents, time, context, fs = inputs(1)
    context = context._replace(picture=torch.zeros_like(context.picture))
    assert apart(tiny_unet()(latents, time, context, fs), expected("single.t519.image_tokens_zero")) < CLOSE


@torch.no_grad()
def test_each_frame_sees_all_tokens_of_a_clip_of_another_length():
    data = stored("dc_unet")
    latents = turned(torch.cat((data["input.other.x"], data["input.other.concat"]), dim=1))
    made = tiny_unet()(latents, torch.tensor(519), told(data["input.other.context"]), data["input.fs"][:1])
    assert apart(made, expected("other_frames")) < CLOSE


@torch.no_grad()
def test_a_long_text_is_not_taken_for_a_picture():
    latents, time, context, fs = inputs(1)
    twice = context._replace(text=context.text.repeat(1, 2, 1))  # attention to the same tokens twice is attention to them once
    assert apart(tiny_unet()(latents, time, twice, fs), expected("single.t519")) < CLOSE


@torch.no_grad()
def test_clips_of_a_batch_do_not_see_each_other():
    latents, time, context, fs = inputs()
    together = tiny_unet()(latents, time, context, fs)
    alone = Context(*(tokens[1:] for tokens in context))
    assert apart(tiny_unet()(latents[1:], time[1:], alone, fs[1:]), together[1:]) < CLOSE


@torch.no_grad()
def test_cells_give_the_same_in_parts(monkeypatch):
    monkeypatch.setattr("vfi.tween.dynamicrafter.unet.AT_ONCE", 200)
    assert apart(tiny_unet()(*inputs(1)), expected("single.t519")) < CLOSE


@torch.no_grad()
def test_a_control_is_added_to_the_skips_and_the_middle():
    net, told = tiny_unet(), inputs(1)
    shapes: list[torch.Size] = []
    hooks = [
        block.register_forward_hook(lambda _, __, made: shapes.append(made.shape))
        for block in (net.init_attn, *net.input_blocks[1:], net.middle_block)
    ]
    try:
        plain = net(*told)
    finally:
        for hook in hooks:
            hook.remove()
    *across, middle = (normal(f"control{index}", shape) for index, shape in enumerate(shapes))
    control = Control(across, middle)
    assert apart(net(*told, control.scaled(0)), plain) < CLOSE
    nothing = control.scaled(0)
    for one in (
        Control(nothing.across, middle),
        Control([across[0], *nothing.across[1:]], nothing.middle),
        Control([*nothing.across[:-1], across[-1]], nothing.middle),
    ):
        assert apart(net(*told, one), plain) > 0.01


def test_the_published_weights_fit():
    net = unet(published("dc_unet"))
    assert sum(parameter.numel() for parameter in net.parameters()) == 1_438_854_980
    assert net.sizes.widths == (320, 640, 1280, 1280)
    assert net.sizes.attended == (True, True, True, False)
    assert (net.sizes.head, net.sizes.layers, net.sizes.context, net.sizes.first) == (64, 2, 1024, 512)


def test_weights_are_used_without_a_copy():
    state = {key: value.half() for key, value in unet_state().items()}
    net = unet(state)
    assert all(parameter.data_ptr() == state[key].data_ptr() for key, parameter in net.named_parameters())
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert not net.training


@pytest.mark.parametrize(("precision", "close"), [(torch.float16, 0.02), (torch.bfloat16, 0.15)])
@torch.no_grad()
def test_half_precision_is_near(precision, close):
    net = unet({key: value.to(precision) for key, value in unet_state().items()})
    latents, time, context, fs = inputs(1)
    with halves.quick():
        made = net(latents.to(precision), time, Context(*(tokens.to(precision) for tokens in context)), fs)
    assert made.dtype == precision
    assert apart(made.float(), expected("single.t519")) < close


@torch.no_grad()
def test_other_operations_and_attention_are_used_throughout():
    made: set[str] = set()
    asked: list[int] = []

    class Operations:
        pass

    for name in ("Linear", "Conv1d", "Conv2d", "Conv3d", "GroupNorm", "LayerNorm"):
        kind = getattr(nn, name)
        own = type(
            name,
            (kind,),
            {"__init__": lambda self, *a, kind=kind, **k: (made.add(kind.__name__), kind.__init__(self, *a, **k))[1]},
        )
        setattr(Operations, name, own)

    def looked(q, k, v, heads):
        asked.append(heads)
        return attend(q, k, v, heads)

    net = unet(unet_state(), Build(Operations, looked))
    plain = {type(module) for module in net.modules() if type(module).__module__.startswith("torch.nn")}
    assert plain == {nn.Sequential, nn.ModuleList, nn.SiLU, nn.Identity}
    assert made == {"Linear", "Conv1d", "Conv2d", "Conv3d", "GroupNorm", "LayerNorm"}
    assert torch.equal(net(*inputs()), tiny_unet()(*inputs()))
    assert asked[:2] == [8, 8]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"weight": 1}, "of an unknown kind: the UNet of DynamiCrafter or ToonCrafter is needed"),
        ({"mask_token": 1}, "are Framer's UNet"),
        ({"layers.0.0.to_kv.weight": 1}, "are the image projector of DynamiCrafter"),
        ({"image_proj_model.latents": 1, "first_stage_model.x": 1}, "a whole checkpoint, DynamiCrafter's or ToonCrafter's"),
        ({}, "of an unknown kind"),
    ],
)
def test_other_weights_are_called_by_their_name(weights, words):
    with pytest.raises(InputError, match=words):
        unet({key: torch.zeros(value) for key, value in weights.items()})


def test_weights_that_lack_something_are_refused():
    gone = "output_blocks.3.1.transformer_blocks.0.attn2.to_v_ip.weight"
    with pytest.raises(InputError, match=r"like DynamiCrafter's or ToonCrafter's UNet, but 1 tensors.*output_blocks\.3\.1"):
        unet({key: value for key, value in unet_state().items() if key != gone})
    with pytest.raises(InputError, match=r"but 1 tensors are missing, unknown.*alphas_cumprod"):
        unet(unet_state() | {"alphas_cumprod": torch.zeros(1000)})


def test_a_unet_without_room_for_keyframes_is_refused():
    narrow = unet_state() | {"input_blocks.0.0.weight": torch.zeros(32, 4, 3, 3)}
    with pytest.raises(InputError, match="takes 4 channels and gives 4: one for two keyframes takes twice"):
        unet(narrow)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, t, c, fs: (x[0], t, c, fs), r"\[clips, frames, 8, height, width\] is needed"),
        (lambda x, t, c, fs: (x[:, :, :4], t, c, fs), "latents of shape"),
        (lambda x, t, c, fs: (x[..., :12], t, c, fs), "latents of 12x8 were given: width and height must be multiples of 8"),
        (lambda x, t, c, fs: (x, t, c._replace(text=c.text[:1]), fs), r"text tokens of .* \[2, tokens, 32\] is needed"),
        (lambda x, t, c, fs: (x, t, c._replace(picture=c.picture[..., :24]), fs), r"picture tokens of .* \[2, tokens, 32\]"),
        (lambda x, t, c, fs: (x, t[:1], c, fs), r"time of shape \[1\] was given: one number, or 2, are needed"),
        (lambda x, t, c, fs: (x, t, c, fs[:, None]), r"fs of shape \[2, 1\]"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        tiny_unet()(*change(*inputs()))
