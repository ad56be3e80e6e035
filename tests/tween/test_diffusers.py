"""The networks and the schedule against diffusers' own, of whatever version is installed; nothing else needs it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from tweening import FRAMES, HEIGHT, WIDTH, apart, coding, normal, state, stored

from vfi.tween import edm, svd
from vfi.tween.vision import squeezed

diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed: pip install diffusers, to compare with it")

CLOSE = 5e-5
"""Of the largest value: sums are taken in another order."""


@torch.no_grad()
def whole(inputs: int, name: str, latents: Tensor) -> tuple[Tensor, Tensor]:
    """What diffusers' UNet gives, and ours."""
    data = stored("forward")
    told = data["input.timestep"], data["input.encoder_hidden_states"], data["input.added_time_ids"]
    theirs = diffusers.UNetSpatioTemporalConditionModel(
        in_channels=inputs,
        out_channels=4,
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=1,
        cross_attention_dim=32,
        num_attention_heads=(2, 2, 4, 4),
        addition_time_embed_dim=32,
        projection_class_embeddings_input_dim=96,
        num_frames=FRAMES,
    ).eval()
    theirs.load_state_dict({key: value for key, value in state(name).items() if key != "mask_token"})
    return theirs(latents, *told).sample, svd.unet(state(name))(latents, *told)


@pytest.mark.parametrize(("inputs", "name"), [(9, "unet"), (8, "svd")])
def test_the_unet_is_theirs(inputs, name):
    theirs, ours = whole(inputs, name, normal("cross-check", (2, FRAMES, inputs, HEIGHT // 8, WIDTH // 8)))
    assert apart(ours, theirs) < CLOSE


@torch.no_grad()
def test_the_autoencoder_is_theirs():
    theirs = diffusers.AutoencoderKLTemporalDecoder(
        down_block_types=("DownEncoderBlock2D",) * 4, block_out_channels=(32, 32, 32, 32), layers_per_block=1
    ).eval()
    theirs.load_state_dict(state("vae"))
    rgb = normal("cross-check picture", (2, 3, HEIGHT, WIDTH)).sigmoid()
    ours, _ = coding()
    latents = theirs.encode(rgb * 2 - 1).latent_dist.mode()
    assert apart(ours.encode(rgb), latents) < CLOSE
    assert apart(ours.decode(latents) * 2 - 1, theirs.decode(latents, num_frames=2).sample) < CLOSE


@pytest.mark.parametrize("steps", [1, 2, 25, 30])
def test_the_schedule_is_theirs(steps):
    theirs = diffusers.EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        sigma_max=700.0,
        sigma_min=0.002,
        timestep_type="continuous",
        use_karras_sigmas=True,
    )
    theirs.set_timesteps(steps)
    x, v = torch.randn(2, 1, FRAMES, 4, 2, 2)
    ours = edm.euler(lambda latents, sigma: v * sigma**0.5, x, steps)
    latents = x * theirs.init_noise_sigma
    for index, time in enumerate(theirs.timesteps):
        theirs.scale_model_input(latents, time)
        latents = theirs.step(v * theirs.sigmas[index] ** 0.5, time, latents).prev_sample
    assert apart(ours, latents) < 1e-4


@pytest.mark.parametrize("size", [(320, 512), (576, 1024), (224, 230), (100, 700)])
def test_pictures_are_squeezed_as_theirs(size):
    pytest.importorskip("transformers", reason="transformers is not installed: diffusers' pipeline needs it")
    pipeline = pytest.importorskip("diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion")
    rgb = normal("squeeze", (1, 3, *size))
    assert apart(squeezed(rgb, 224), pipeline._resize_with_antialiasing(rgb, (224, 224))) < 1e-4
