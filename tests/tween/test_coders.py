"""The autoencoder and the vision model, and the published file that holds both."""

from __future__ import annotations

import pytest
import torch
from tweening import HEIGHT, WIDTH, apart, coding, picture, state, stored, table, whole

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


@pytest.mark.parametrize("separate", [True, False])
@torch.no_grad()
def test_the_published_file_holds_both(separate):
    rgb = picture(stored("loop")["input.image_u8"])[None]
    own, eye = checkpoint.parts(whole(separate=separate))
    coders = checkpoint.coders(own, eye)
    same, look = coding()
    latents = same.encode(rgb)
    assert torch.equal(coders.encode(rgb), latents)
    assert torch.equal(coders.embed(rgb), look(rgb))
    assert torch.equal(coders.decode(latents), same.decode(latents))


@torch.no_grad()
def test_an_autoencoder_goes_under_the_names_of_the_single_file():
    single = checkpoint.single_file(state("vae"))
    assert single.keys() == {
        key.removeprefix(checkpoint.DECODER) for key in whole(separate=False) if key.startswith(checkpoint.DECODER)
    } - {"quant_conv.weight", "quant_conv.bias"}
    same, _ = coding()
    own = vae.autoencoder(checkpoint.autoencoder_state({f"{checkpoint.DECODER}{key}": value for key, value in single.items()}))
    rgb = picture(stored("loop")["input.image_u8"])[None]
    latents = same.encode(rgb)
    assert torch.allclose(own.encode(rgb), latents, atol=1e-5)
    assert torch.equal(own.decode(latents), same.decode(latents))
    with pytest.raises(InputError, match="are Framer's UNet: the autoencoder of Stable Video Diffusion is needed"):
        checkpoint.single_file(state("unet"))


@torch.no_grad()
def test_coders_keep_to_their_own_precision():
    own, eye = vae.autoencoder(state("vae")), vision.vision(state("clip"))
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
    assert vision.vision(old).side == 224


def test_other_files_are_refused_by_their_name():
    with pytest.raises(InputError, match="are Framer's UNet: the whole checkpoint"):
        checkpoint.parts(state("unet"))
    with pytest.raises(InputError, match="are Stable Video Diffusion's UNet: the autoencoder"):
        vae.autoencoder(state("svd"))
    with pytest.raises(InputError, match="are the autoencoder of Stable Video Diffusion: a CLIP vision model"):
        vision.vision(state("vae"))


def test_the_published_vision_model_has_sixteen_heads():
    def wide(key: str, shape: list[int]) -> list[int]:
        return [{32: 1280, 64: 5120}.get(side, side) for side in shape] if "patch_embedding" not in key else [1280, 3, 14, 14]

    real = {key: torch.empty(wide(key, shape), device="meta") for key, shape in table("clip").items()}
    real["vision_model.embeddings.position_embedding.weight"] = torch.empty(257, 1280, device="meta")
    made = vision.vision(real)
    assert made.side == 224
    assert {layer.self_attn.heads for layer in made.vision_model.encoder.layers} == {16}
