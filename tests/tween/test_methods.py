"""The drawing methods by name: which files belong to which, and what each takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from crafting import clip_state, file, pair, sketch_state
from safetensors.torch import save_file
from torch import Tensor
from tweening import HEIGHT, WIDTH, normal, state, whole

from vfi.core import InputError
from vfi.tracks import Tracks
from vfi.tween.methods import METHODS, Asked


def save(path: Path, tensors: dict[str, Tensor]) -> Path:
    save_file({key: value.contiguous() for key, value in tensors.items()}, path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The tiny networks as files, under names that tell nothing."""
    made = tmp_path_factory.mktemp("tiny")
    several = {
        "a": state("unet"),
        "b": state("controlnet"),
        "c": whole(),
        "d": state("svd"),
        "toon": file(),
        "dynami": file("dc_vae"),
        "pruned": file(pruned=True),
        "eye": {f"visual.{key}": value for key, value in clip_state("image").items()},
        "reader": clip_state("text"),
        "both": {f"visual.{key}": value for key, value in clip_state("image").items()} | clip_state("text"),
        "sketch": sketch_state(),
    }
    for name, tensors in several.items():
        save(made / f"{name}.safetensors", tensors)
    return made


def files(folder: Path, *names: str) -> list[Path]:
    return [folder / f"{name}.safetensors" for name in names]


def asked(**others) -> Asked:
    return Asked(*normal("methods", (2, 3, HEIGHT, WIDTH)).sigmoid(), **{"settings": {"steps": 2}, **others})


def tracks() -> Tracks:
    return Tracks(torch.tensor([[[10.0, 20.0]], [[90.0, 40.0]]]), torch.ones(2, 1, dtype=torch.bool), (WIDTH, HEIGHT))


def test_framer_finds_its_files_in_any_order(folder):
    clip = METHODS["framer"].draw(files(folder, "c", "b", "a"), asked(tracks=tracks()))
    assert clip.shape == (14, 3, HEIGHT, WIDTH)
    assert not torch.equal(METHODS["framer"].draw(files(folder, "a", "c"), asked()), clip)


def test_generative_inbetweening_takes_three_unets_in_order(folder):
    settings = {"steps": 2, "times": 0}
    clip = METHODS["svdkfi"].draw(files(folder, "d", "c", "d", "d"), asked(settings=settings))
    assert clip.shape == (25, 3, HEIGHT, WIDTH)


@pytest.mark.parametrize(("name", "whole_file"), [("tooncrafter", "toon"), ("dynamicrafter", "dynami")])
def test_a_whole_file_is_enough_and_other_files_replace_its_parts(folder, name, whole_file):
    first, last = pair("dc_loop")
    own = Asked(first, last, settings={"steps": 2})
    seen = []
    clip = METHODS[name].draw(files(folder, whole_file), own, each=seen.append)
    assert clip.shape == (6, 3, 64, 128)
    assert len(seen) == 2
    assert torch.equal(METHODS[name].draw(files(folder, "eye", whole_file, "reader"), own), clip)


def test_a_pruned_file_needs_openclip(folder):
    first, last = pair("dc_loop")
    own, method = Asked(first, last, settings={"steps": 2}), METHODS["tooncrafter"]
    whole_clip = method.draw(files(folder, "toon"), own)
    assert torch.equal(method.draw(files(folder, "reader", "pruned", "eye"), own), whole_clip)
    assert torch.equal(method.draw(files(folder, "pruned", "both"), own), whole_clip)
    with pytest.raises(InputError, match=r"clip-vit-h is not on disk: .*vfi models fetch clip-vit-h"):
        method.draw(files(folder, "pruned"), own)
    with pytest.raises(InputError, match=r"sd-2.1-text is not on disk: .*vfi models fetch sd-2.1-text"):
        method.draw(files(folder, "pruned", "eye"), own)


def test_sketches_need_the_encoder_among_the_files(folder):
    first, last = pair("dc_loop")
    sketch = torch.zeros(64, 128)
    sketch[30] = 1
    own = Asked(first, last, sketches={2: sketch}, settings={"steps": 2})
    plain = METHODS["tooncrafter"].draw(files(folder, "toon"), Asked(first, last, settings={"steps": 2}))
    assert not torch.equal(METHODS["tooncrafter"].draw(files(folder, "sketch", "toon"), own), plain)
    with pytest.raises(InputError, match="no sketch encoder"):
        METHODS["tooncrafter"].draw(files(folder, "toon"), own)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("tooncrafter", ["dynami"], r"dynami.safetensors is DynamiCrafter's: choose dynamicrafter, or give another file"),
        ("dynamicrafter", ["toon"], r"toon.safetensors is ToonCrafter's: choose tooncrafter"),
        ("tooncrafter", [], "tooncrafter-512 is not on disk: .*vfi models fetch tooncrafter-512"),
        ("tooncrafter", ["eye"], "0 files are a whole checkpoint, DynamiCrafter's or ToonCrafter's: 1 is needed"),
        ("framer", [], "framer-unet is not on disk"),
        ("svdkfi", [], "svd-xt-unet is not on disk"),
        ("framer", ["a", "eye"], "only one part of Stable Video Diffusion was given: its autoencoder is needed too"),
        ("tooncrafter", ["toon", "toon"], "2 files are a whole checkpoint"),
        ("tooncrafter", ["toon", "a"], "a.safetensors is Framer's UNet; these can be given: "),
        ("framer", ["a"], "svd-vae is not on disk"),
        ("svdkfi", ["d", "d", "c"], "2 files are Stable Video Diffusion's UNet: 3 are needed"),
    ],
)
def test_wrong_files_are_named(folder, name, given, words):
    with pytest.raises(InputError, match=words):
        METHODS[name].draw(files(folder, *given), Asked(*pair("dc_loop"), settings={"steps": 2}))


def test_a_model_of_one_picture_is_refused_by_its_name(folder):
    for name in ("dynamicrafter_1024_fp16_pruned", "dynamicrafter_CIL_512_no_watermark", "dynamicrafter_256_v1"):
        path = folder / f"{name}.safetensors"
        path.symlink_to(folder / "dynami.safetensors")
        with pytest.raises(InputError, match="animates a single picture: DynamiCrafter 512 Interp or ToonCrafter takes two"):
            METHODS["dynamicrafter"].draw([path], Asked(*pair("dc_loop")))
        path.unlink()


@pytest.mark.parametrize(
    ("name", "others", "words"),
    [
        ("framer", {"settings": {"prompt": "x"}}, "prompt was given: framer takes .*steps"),
        ("tooncrafter", {"tracks": tracks()}, "tracks were given: tooncrafter does not follow tracks, framer can"),
        ("svdkfi", {"sketches": {1: torch.zeros(8, 8)}}, "sketches were given: svdkfi .* dynamicrafter and tooncrafter can"),
        ("tooncrafter", {"settings": {"prompt": "a cat"}}, "the prompt .*a cat.* needs a vocabulary"),
    ],
)
def test_what_a_method_does_not_take_is_refused(folder, name, others, words):
    with pytest.raises(InputError, match=words):
        METHODS[name].draw(files(folder, "toon"), Asked(*pair("dc_loop"), **others))


def test_a_pickle_is_refused_before_anything_is_read(tmp_path):
    torch.save({"weight": torch.zeros(1)}, tmp_path / "model.ckpt")
    with pytest.raises(InputError, match="pickle file, which can hold code: convert it once"):
        METHODS["tooncrafter"].draw([tmp_path / "model.ckpt"], Asked(*pair("dc_loop")))
