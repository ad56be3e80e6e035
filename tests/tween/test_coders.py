"""The autoencoder and the vision model, and the published file that holds both."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor
from tweening import HEIGHT, WIDTH, apart, coding, picture, state, stored

from vfi.core import InputError
from vfi.tween import checkpoint, vae, vision
from vfi.tween.layers import Build


def test_pictures_are_squeezed_as_published():
    rgb = picture(stored("loop")["input.image_u8"])[None] * 2 - 1
    assert apart(vision.squeezed(rgb, 224)[..., ::8, ::8], stored("loop")["expected.clip_resize_224"]) < 1e-6


@pytest.mark.parametrize("size", [(320, 512), (225, 223), (64, 448)])
def test_what_is_flat_stays_so_when_squeezed(size):
    made = vision.squeezed(torch.full((2, 3, *size), 0.25), 224)
    assert made.shape == (2, 3, 224, 224)
    assert torch.allclose(made, torch.full_like(made, 0.25), atol=1e-5)


def test_fine_patterns_are_blurred_and_not_folded_when_they_shrink():
    columns = (torch.arange(1024) % 2).float().expand(1, 3, 896, 1024)
    assert vision.squeezed(columns, 224)[..., 2:-2].std() < 0.05


def test_only_pictures_told_apart_by_content_give_other_tokens():
    _, eye = coding()
    rgb = torch.stack([picture(stored("loop")[f"input.{name}_u8"]) for name in ("image", "image_end")])
    with torch.no_grad():
        tokens = eye(rgb)
        assert torch.allclose(tokens[1:], eye(rgb[1:]), atol=1e-5)
    assert tokens.shape == (2, 32)
    assert not torch.allclose(tokens[0], tokens[1], atol=1e-2)


THERE = (  # what the published file calls things, from the end of `checkpoint`'s list to its start
    (r"\.temporal_res_block\.norm1\.", ".time_stack.in_layers.0."),
    (r"\.temporal_res_block\.conv1\.", ".time_stack.in_layers.2."),
    (r"\.temporal_res_block\.norm2\.", ".time_stack.out_layers.0."),
    (r"\.temporal_res_block\.conv2\.", ".time_stack.out_layers.3."),
    (r"\.time_mixer\.", "."),
    (r"\.spatial_res_block\.", "."),
    (r"conv_shortcut", "nin_shortcut"),
    (r"down_blocks\.(\d)\.resnets\.", r"down.\1.block."),
    (r"up_blocks\.(\d)\.resnets\.", r"up.\1.block."),
    (r"down_blocks\.(\d)\.downsamplers\.0\.", r"down.\1.downsample."),
    (r"up_blocks\.(\d)\.upsamplers\.0\.", r"up.\1.upsample."),
    (r"mid_block\.resnets\.0\.", "mid.block_1."),
    (r"mid_block\.resnets\.1\.", "mid.block_2."),
    (r"mid_block\.attentions\.0\.to_out\.0\.", "mid.attn_1.proj_out."),
    (r"mid_block\.attentions\.0\.to_", "mid.attn_1."),
    (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
    (r"conv_norm_out", "norm_out"),
    (r"time_conv_out", "conv_out.time_mix_conv"),
)


def whole(*, separate: bool = True) -> dict[str, Tensor]:
    """The tiny networks as the published file would hold them, its encoder ``separate`` or not."""
    made = {"model.diffusion_model.out.2.weight": torch.zeros(1)}
    for key, value in state("vae").items():
        name = checkpoint.renamed(key, THERE)
        name = re.sub(r"\.up\.(\d)\.", lambda found: f".up.{3 - int(found[1])}.", name)
        if ".mid.attn_1." in name and value.ndim == 2:
            value = value[:, :, None, None]
        if separate and not name.startswith("decoder"):
            made[f"conditioner.embedders.3.encoder.{name}"] = value
            if name.startswith("encoder"):
                made[f"first_stage_model.{name}"] = torch.zeros_like(value)
        else:
            made[f"first_stage_model.{name}"] = value
    eye, prefix = state("clip"), "conditioner.embedders.0.open_clip.model.visual."
    tower = "vision_model."
    for there, here in (
        ("class_embedding", f"{tower}embeddings.class_embedding"),
        ("positional_embedding", f"{tower}embeddings.position_embedding.weight"),
        ("conv1.weight", f"{tower}embeddings.patch_embedding.weight"),
        *((f"ln_pre.{part}", f"{tower}pre_layrnorm.{part}") for part in ("weight", "bias")),
        *((f"ln_post.{part}", f"{tower}post_layernorm.{part}") for part in ("weight", "bias")),
    ):
        made[prefix + there] = eye[here]
    made[f"{prefix}proj"] = eye["visual_projection.weight"].T
    for layer in range(2):
        there, here = f"{prefix}transformer.resblocks.{layer}.", f"{tower}encoder.layers.{layer}."
        for part in ("weight", "bias"):
            made[f"{there}attn.in_proj_{part}"] = torch.cat([eye[f"{here}self_attn.{one}_proj.{part}"] for one in "qkv"])
            made[f"{there}attn.out_proj.{part}"] = eye[f"{here}self_attn.out_proj.{part}"]
            for mine, its in (
                ("ln_1", "layer_norm1"),
                ("ln_2", "layer_norm2"),
                ("mlp.c_fc", "mlp.fc1"),
                ("mlp.c_proj", "mlp.fc2"),
            ):
                made[f"{there}{mine}.{part}"] = eye[f"{here}{its}.{part}"]
    return made


@pytest.mark.parametrize("separate", [True, False])
@torch.no_grad()
def test_the_published_file_holds_both(separate):
    rgb = picture(stored("loop")["input.image_u8"])[None]
    own, eye = checkpoint.parts(whole(separate=separate), heads=2)
    coders = checkpoint.coders(own, eye)
    same, look = coding()
    latents = same.encode(rgb)
    assert torch.equal(coders.encode(rgb), latents)
    assert torch.equal(coders.embed(rgb), look(rgb))
    assert torch.equal(coders.decode(latents), same.decode(latents))


@torch.no_grad()
def test_coders_keep_to_their_own_precision():
    own, eye = vae.autoencoder(state("vae")), vision.vision(state("clip"), heads=2)
    coders = checkpoint.coders(own.bfloat16(), eye.double())
    rgb = torch.rand(1, 3, HEIGHT, WIDTH)
    assert coders.encode(rgb).dtype == torch.bfloat16
    assert coders.embed(rgb).dtype == torch.float64


def test_an_autoencoder_without_a_layer_between_is_one_too():
    bare = {key: value for key, value in state("vae").items() if not key.startswith("quant_conv")}
    bare["encoder.conv_out.weight"] = torch.zeros_like(bare["encoder.conv_out.weight"])
    bare["encoder.conv_out.bias"] = torch.arange(8.0)
    with torch.no_grad():
        assert vae.autoencoder(bare, Build()).encode(torch.rand(1, 3, 64, 64))[0, :, 0, 0].tolist() == [0, 1, 2, 3]


def test_old_files_of_the_vision_model_hold_numbers_that_are_not_needed():
    old = state("clip") | {"vision_model.embeddings.position_ids": torch.arange(50)[None]}
    assert vision.vision(old, heads=2).side == 224


def test_other_files_are_refused_by_their_name():
    with pytest.raises(InputError, match="are Framer's UNet: the whole checkpoint"):
        checkpoint.parts(state("unet"))
    with pytest.raises(InputError, match="are Stable Video Diffusion's UNet: the autoencoder"):
        vae.autoencoder(state("svd"))
    with pytest.raises(InputError, match="are the autoencoder of Stable Video Diffusion: a CLIP vision model"):
        vision.vision(state("vae"))
