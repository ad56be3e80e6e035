"""From files to what draws, and what is said of files that are something else."""

from __future__ import annotations

from pathlib import Path

import halves
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from tweening import HEIGHT, WIDTH, apart, normal, state, table, whole

from vfi.core import InputError
from vfi.model import weights
from vfi.tracks import Tracks
from vfi.tween import checkpoint, files, framer, svdkfi


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The tiny networks as files."""
    made = tmp_path_factory.mktemp("tiny")
    own = state("svd")
    tuned = own | {key: own[key] + 0.1 * normal(f"svdkfi.delta.{key}", own[key].shape) for key in table("delta")}
    for name, tensors in {
        "unet": state("unet"),
        "controlnet": state("controlnet"),
        "svd": whole(),
        "original": own,
        "tuned": tuned,
    }.items():
        save_file({key: value.contiguous() for key, value in tensors.items()}, made / f"{name}.safetensors")
    return made


def keyframes() -> tuple[Tensor, Tensor]:
    first, last = normal("files", (2, 3, HEIGHT, WIDTH)).sigmoid()
    return first, last


def tracks() -> Tracks:
    return Tracks(torch.tensor([[[10.0, 20.0]], [[90.0, 40.0]]]), torch.ones(2, 1, dtype=torch.bool), (WIDTH, HEIGHT))


def test_framer_is_opened_and_draws(folder):
    three = framer.Drawing(steps=3)
    paths = [folder / f"{name}.safetensors" for name in ("unet", "svd", "controlnet")]
    clip = files.framer(*paths)(*keyframes(), tracks(), three, frames=4)
    assert clip.shape == (4, 3, HEIGHT, WIDTH)
    with halves.quick():
        rough = files.framer(*paths, dtype=torch.bfloat16)(*keyframes(), tracks(), three, frames=4)
    assert rough.dtype == torch.float32
    assert 0 < (rough - clip).abs().mean() < 0.1
    assert not torch.equal(clip, files.framer(*paths, order="legacy")(*keyframes(), tracks(), three, frames=4))


def test_generative_inbetweening_is_opened_and_draws(folder):
    two = svdkfi.Drawing(steps=2, times=1)
    original, tuned, svd = (folder / f"{name}.safetensors" for name in ("original", "tuned", "svd"))
    clip = files.inbetweening(original, tuned, original, svd)(*keyframes(), two, frames=4)
    assert clip.shape == (4, 3, HEIGHT, WIDTH)
    untuned = files.inbetweening(original, original, original, svd)(*keyframes(), two, frames=4)
    assert apart(untuned, clip) > 1e-3


def test_a_folder_in_the_form_of_diffusers_gives_the_same_coders(folder, tmp_path):
    whole_file = weights.read(folder / "svd.safetensors")
    vision = checkpoint.vision_state(whole_file) | {"vision_model.embeddings.position_ids": torch.arange(5)[None]}
    parts = {
        "vae/diffusion_pytorch_model.fp16": {key: value.half() for key, value in vision.items()},  # not to be read
        "vae/diffusion_pytorch_model": checkpoint.autoencoder_state(whole_file),
        "image_encoder/model": vision,
    }
    for name, tensors in parts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save_file({key: value.contiguous() for key, value in tensors.items()}, tmp_path / f"{name}.safetensors")
    one, split = files.coders(folder / "svd.safetensors"), files.coders(tmp_path)
    first = keyframes()[0][None]
    latents = one.encode(first)
    assert torch.allclose(split.encode(first), latents, atol=1e-6)
    assert torch.allclose(split.embed(first), one.embed(first), atol=1e-5)
    assert torch.allclose(split.decode(latents), one.decode(latents), atol=1e-5)
    (tmp_path / "image_encoder" / "model.safetensors").unlink()
    with pytest.raises(InputError, match="image_encoder holds no safetensors file"):
        files.coders(tmp_path)


def test_of_a_large_file_only_what_is_needed_is_read(folder):
    held = weights.read(folder / "svd.safetensors", (checkpoint.VISION,))
    assert {key.removeprefix(checkpoint.VISION) for key in held} >= {"proj", "conv1.weight"}
    assert all(key.startswith(checkpoint.VISION) for key in held)
    assert len(weights.read(folder / "svd.safetensors")) > len(held)


@pytest.mark.parametrize(
    ("unet", "svd", "controlnet", "words"),
    [
        ("controlnet", "svd", None, "controlnet.safetensors: these weights are a ControlNet's: a UNet's are needed"),
        ("svd", "svd", None, "svd.safetensors: these weights are a whole checkpoint, Stable Video Diffusion's"),
        ("unet", "unet", None, "unet.safetensors: these weights are Framer's UNet: the whole checkpoint"),
        ("unet", "svd", "unet", "unet.safetensors: these weights are a UNet's: a ControlNet's are needed"),
        ("original", "svd", None, "takes 8 channels and lacks a token"),
    ],
)
def test_a_file_that_is_something_else_is_called_by_its_name(folder, unet, svd, controlnet, words):
    control = None if controlnet is None else folder / f"{controlnet}.safetensors"
    with pytest.raises(InputError, match=words):
        files.framer(folder / f"{unet}.safetensors", folder / f"{svd}.safetensors", control)
