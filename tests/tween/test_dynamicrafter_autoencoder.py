"""DynamiCrafter's and ToonCrafter's autoencoders against stored outputs of the published code."""

from __future__ import annotations

import re
from functools import cache

import pytest
import torch
from crafting import pair, published, stored, vae_state
from torch import Tensor
from tweening import apart
from tweening import state as framer_state

from vfi.core import InputError
from vfi.tween import vae
from vfi.tween.checkpoint import in_diffusers_form
from vfi.tween.dynamicrafter.autoencoder import BATCH, CartoonAutoencoder, PictureAutoencoder, autoencoder
from vfi.tween.layers import Build, attend

CLOSE = 1e-5
"""Of the largest value, as the data promise."""


@cache
def pictures() -> PictureAutoencoder:
    made = autoencoder(vae_state("dc_vae"))
    assert isinstance(made, PictureAutoencoder)
    return made


@cache
def cartoons() -> CartoonAutoencoder:
    made = autoencoder(vae_state("toon_vae"))
    assert isinstance(made, CartoonAutoencoder)
    return made


@cache
@torch.no_grad()
def references() -> list[Tensor]:
    return list(cartoons().encode_keyframes(pair("toon_vae"))[1])


def thin(frames: Tensor) -> Tensor:
    """What is stored of decoded frames."""
    return (frames * 2 - 1)[..., 1::4, 1::4]


def seen(level: int, x: Tensor) -> Tensor:
    """What is stored of a level."""
    return x[:, ::8] if level in (2, 3) else x[:, ::8, 1::4, 1::4]


@torch.no_grad()
def test_pictures_are_coded_as_published():
    data = stored("dc_vae")
    latents, references = pictures().encode_keyframes(pair("dc_vae"))
    assert references is None
    assert apart(latents, data["expected.mode"]) < CLOSE
    assert apart(thin(pictures().decode(data["input.z"])), data["expected.decoded"]) < CLOSE


@torch.no_grad()
def test_the_encoder_shows_what_it_held_of_both_keyframes():
    data = stored("toon_vae")
    latents, held = cartoons().encode_keyframes(pair("toon_vae"))
    assert apart(latents, data["expected.moments"][:, :4]) < CLOSE
    assert len(held) == 5
    for level, own in enumerate(held):
        assert apart(seen(level, own), data[f"expected.hidden{level}"]) < CLOSE, level


@torch.no_grad()
def test_clips_are_decoded_as_published_and_look_at_both_keyframes():
    data, got = stored("toon_vae"), {}
    net = autoencoder(vae_state("toon_vae"))
    for level, layer in enumerate(net.attn_refinement):
        layer.register_forward_hook(lambda _, __, made, level=level: got.update({level: seen(level, made).clone()}))
    assert apart(thin(net.decode(data["input.z"], references())), data["expected.decoded"]) < CLOSE
    assert list(got) == [3, 2, 1, 0, 4]
    for level, made in got.items():
        assert apart(made, data[f"expected.refinement{level}"]) < CLOSE, level


@torch.no_grad()
def test_clips_can_be_decoded_without_keyframes_with_others_and_shorter():
    data = stored("toon_vae")
    latents = data["input.z"]
    assert apart(thin(cartoons().decode(latents)), data["expected.decoded_without_reference"]) < CLOSE
    swapped = [own.flip(0) for own in references()]
    assert apart(thin(cartoons().decode(latents, swapped)), data["expected.decoded_references_swapped"]) < CLOSE
    fewer = torch.cat((latents[:1], latents[2:-2], latents[-1:]))
    assert apart(thin(cartoons().decode(fewer, references())), data["expected.decoded_middle"]) < CLOSE


@pytest.mark.parametrize(("count", "replaced"), [(6, {2: 1, 3: 2}), (5, {2: 1}), (7, {3: 2})])
@torch.no_grad()
def test_the_middle_frames_can_come_from_a_decoding_of_fewer_frames(count, replaced):
    latents = stored("toon_vae")["input.z"].repeat(2, 1, 1, 1)[:count, ..., :4, :4]
    small = [own[..., : own.shape[2] // 2, : own.shape[3] // 4] for own in references()]
    plain = cartoons().decode(latents, small)
    fewer = cartoons().decode(torch.cat((latents[:1], latents[2:-2], latents[-1:])), small)
    merged = cartoons().decode(latents, small, merge=True)
    for index in range(count):
        expected = fewer[replaced[index]] if index in replaced else plain[index]
        assert torch.equal(merged[index], expected), index


@torch.no_grad()
def test_references_are_left_as_they_are():
    before = [own.clone() for own in references()]
    cartoons().decode(stored("toon_vae")["input.z"], references())
    assert all(torch.equal(one, other) for one, other in zip(before, references(), strict=True))


@torch.no_grad()
def test_large_clips_of_single_pictures_are_decoded_in_parts(monkeypatch):
    latents = stored("dc_vae")["input.z"].repeat(3, 1, 1, 1)
    whole = pictures().decode(latents)
    counts: list[int] = []
    own = pictures().decoder.forward
    monkeypatch.setattr(pictures().decoder, "forward", lambda part: (counts.append(len(part)), own(part))[1])
    monkeypatch.setattr("vfi.tween.dynamicrafter.autoencoder.BATCH", 64 * 128 * 4)
    assert apart(pictures().decode(latents), whole) < CLOSE
    assert counts == [4, 2]
    monkeypatch.setattr("vfi.tween.dynamicrafter.autoencoder.BATCH", 1)
    pictures().decode(latents[:2])
    assert counts == [4, 2, 1, 1]
    assert BATCH >= 512 * 320


@pytest.mark.parametrize(
    ("name", "kind", "numbers"),
    # Without the 20 numbers of the layer before ToonCrafter's decoder, which nothing uses.
    [("dc_vae", PictureAutoencoder, 83_653_863), ("toon_vae", CartoonAutoencoder, 99_941_907 - 20)],
)
def test_the_published_weights_fit(name, kind, numbers):
    net = autoencoder(published(name))
    assert type(net) is kind
    assert sum(parameter.numel() for parameter in net.parameters()) == numbers


@torch.no_grad()
def test_a_whole_checkpoint_and_leftovers_of_training_are_no_hindrance():
    own = vae_state("dc_vae")
    whole = {f"first_stage_model.{key}": value for key, value in own.items()} | {"alphas_cumprod": torch.zeros(1000)}
    left = own | {"loss.logvar": torch.zeros(1), "model_ema.decay": torch.zeros(1)}
    latents = stored("dc_vae")["input.z"]
    for other in (whole, left):
        assert torch.equal(autoencoder(other).decode(latents), pictures().decode(latents))


@pytest.mark.parametrize("old", [False, True])
@torch.no_grad()
def test_the_form_of_diffusers_works_too(old):
    theirs = in_diffusers_form(vae_state("dc_vae"))
    if old:
        for there, here in (("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")):
            theirs = {re.sub(rf"attentions\.0\.{here}\.", f"attentions.0.{there}.", key): own for key, own in theirs.items()}
        assert "decoder.mid_block.attentions.0.proj_attn.bias" in theirs
    net = autoencoder(theirs)
    assert torch.equal(net.encode(pair("dc_vae")), pictures().encode(pair("dc_vae")))
    assert torch.equal(net.decode(stored("dc_vae")["input.z"]), pictures().decode(stored("dc_vae")["input.z"]))


@torch.no_grad()
def test_weights_of_another_precision_stay_what_they_are():
    net = autoencoder({key: value.double() for key, value in vae_state("toon_vae").items()})
    latents, held = net.encode_keyframes(pair("toon_vae")[..., :32, :32].double())
    made = net.decode(latents.repeat(2, 1, 1, 1), held)
    assert {own.dtype for own in (latents, made, *held, *net.parameters())} == {torch.float64}


@torch.no_grad()
def test_attention_to_the_keyframes_asks_for_all_frames_at_once_or_in_parts(monkeypatch):
    asked: list[tuple[int, ...]] = []

    def looked(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        asked.append((heads, len(q), q.shape[1], k.shape[1]))
        return attend(q, k, v, heads)

    net = autoencoder(vae_state("toon_vae"), Build(attention=looked))
    whole = net.decode(stored("toon_vae")["input.z"], references())
    assert asked[1:] == [(8, 1, 6 * 8 * 16, 2 * 8 * 16), (8, 1, 6 * 16 * 32, 2 * 16 * 32)]
    asked.clear()
    monkeypatch.setattr("vfi.tween.dynamicrafter.autoencoder.SCORES", 8 * 1000 * 2 * 16 * 32)
    assert apart(net.decode(stored("toon_vae")["input.z"], references()), whole) < CLOSE
    assert [count for _, _, count, _ in asked[2:]] == [1000, 1000, 1000, 72]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda: framer_state("vae"), "are the autoencoder of Stable Video Diffusion: the autoencoder of DynamiCrafter"),
        (
            lambda: {key: own for key, own in vae_state("toon_vae").items() if "attn_refinement" not in key},
            "are the autoencoder of Stable Video Diffusion: ",
        ),
        (lambda: framer_state("clip"), "are a CLIP vision model: "),
        (lambda: {"model.diffusion_model.out.2.weight": torch.zeros(1)}, "are of an unknown kind: "),
        (
            lambda: {key: own for key, own in vae_state("dc_vae").items() if key.startswith("encoder.conv")},
            "are of an unknown kind: ",
        ),
        (
            lambda: vae_state("dc_vae") | {"encoder.conv_out.weight": torch.zeros(32, 64, 3, 3)},
            "single pictures with latents of 16 channels: 4 are needed",
        ),
        (
            lambda: {key: own for key, own in vae_state("toon_vae").items() if key != "decoder.attn_refinement.3.norm.bias"},
            "look like ToonCrafter's autoencoder, but 1 tensors are missing",
        ),
        (lambda: vae_state("dc_vae") | {"decoder.extra.weight": torch.zeros(1)}, "but 1 tensors are missing, unknown"),
    ],
)
def test_other_weights_are_called_by_their_name(other, words):
    with pytest.raises(InputError, match=words):
        autoencoder(other())


def test_the_other_networks_refuse_these():
    with pytest.raises(InputError, match="look like ToonCrafter's autoencoder, but 22 tensors"):
        vae.autoencoder(in_diffusers_form(vae_state("toon_vae")))
    with pytest.raises(InputError, match="are an autoencoder of single pictures: "):
        vae.autoencoder(vae_state("dc_vae"))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda net, z, held: net.decode(z[0], held), r"\[frames, 4, height, width\] is needed"),
        (lambda net, z, held: net.decode(z[:0], held), "latents of shape"),
        (lambda net, z, held: net.decode(z.repeat(1, 4, 1, 1), held), "latents of shape"),
        (lambda net, z, held: net.decode(z[:1], held), "1 frame was given with two keyframes"),
        (lambda net, z, held: net.decode(z[:4], held, merge=True), "4 frames were given: at least 5"),
        (lambda net, z, held: net.decode(z, held[:4]), "4 references were given: 5 are needed"),
        (lambda net, z, held: net.decode(z, [held[4], *held[:4]]), "references of shape"),
        (lambda net, z, held: net.decode(z[..., :8], held), "for a clip of 64x64"),
        (lambda net, z, held: net.decode(z, [own[:1] for own in held]), "those of two keyframes"),
        (lambda net, z, held: net.encode_keyframes(torch.rand(3, 3, 64, 64)), "3 keyframes were given"),
    ],
)
@torch.no_grad()
def test_shapes_that_do_not_fit_are_refused(call, words):
    with pytest.raises(InputError, match=words):
        call(cartoons(), stored("toon_vae")["input.z"], references())
