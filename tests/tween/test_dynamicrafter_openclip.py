"""OpenCLIP's two halves against stored outputs of the published code, and the vocabulary of prompts."""

from __future__ import annotations

import gzip
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from crafting import clip_state, published, stored
from torch import Tensor
from tweening import apart, picture
from tweening import state as framer_state

from vfi.core import InputError
from vfi.tween.checkpoint import LAYER_NAMES, in_transformers_form, vision_state
from vfi.tween.dynamicrafter.openclip import DEPTH, TEXT_NAMES, Text, picture_encoder, text_encoder
from vfi.tween.dynamicrafter.tokenizer import MERGES, Tokenizer, pieces, tidied
from vfi.tween.layers import Build
from vfi.tween.vision import MEAN, SPREAD, Vision, squeezed

CLOSE = 1e-5
"""Of the largest value, as the data promise."""


@cache
def eye() -> Vision:
    return picture_encoder(clip_state("image"))


@cache
def reader() -> Text:
    return text_encoder(clip_state("text"))


def shown(name: str) -> Tensor:
    small = picture(stored("dc_clip")["input.small_u8"])[None]
    large = F.interpolate(small * 255, (320, 512), mode="bilinear", align_corners=False).round() / 255
    return {"small": small, "large": large, "grey": torch.full((1, 3, 64, 128), 0.5)}[name]


# --- pictures -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["small", "large", "grey"])
@torch.no_grad()
def test_all_tokens_of_a_picture_are_as_published(name):
    assert apart(eye().tokens(shown(name)), stored("dc_clip")[f"expected.tokens_{name}"]) < CLOSE


def test_pictures_are_prepared_as_published():
    mean, spread = (torch.tensor(part)[:, None, None] for part in (MEAN, SPREAD))
    large, grey = ((squeezed(shown(name), 224) - mean) / spread for name in ("large", "grey"))
    assert apart(large[..., ::8, ::8], stored("dc_clip")["expected.preprocessed_large"]) < CLOSE
    assert apart(grey.mean((2, 3)), stored("dc_clip")["expected.preprocessed_grey"]) < CLOSE


@torch.no_grad()
def test_a_picture_has_the_same_tokens_whatever_holds_its_clip_state():
    own = clip_state("image")
    visual = {f"visual.{key}": value for key, value in own.items()}
    whole = {f"embedder.model.{key}": value for key, value in visual.items()}
    # What is left there of the text half.
    left = {key for key in clip_state("text") if "resblocks" not in key}
    assert len(left) == 6
    whole |= {f"embedder.model.{key}": torch.zeros(1) for key in left}
    transformers = vision_state(own, "") | {"vision_model.embeddings.position_ids": torch.arange(17)}
    both = visual | clip_state("text"), transformers | {"text_model.final_layer_norm.bias": torch.zeros(1)}
    expected = eye().tokens(shown("small"))
    for state in (visual, whole, transformers, *both):
        assert torch.equal(picture_encoder(state).tokens(shown("small")), expected)


def test_the_published_picture_weights_fit():
    net = picture_encoder(published("openclip_visual"))
    assert {layer.self_attn.heads for layer in net.vision_model.encoder.layers} == {16}
    assert sum(parameter.numel() for parameter in net.parameters()) == 632_076_800
    assert net.side == 224


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda: framer_state("vae"), "are the autoencoder of Stable Video Diffusion: a CLIP vision model"),
        (lambda: clip_state("text"), "are a CLIP text model: a CLIP vision model"),
        (
            lambda: {"image_proj_model.proj_in.bias": torch.zeros(1)},
            "are a whole checkpoint, DynamiCrafter's or ToonCrafter's: ",
        ),
        (
            lambda: {
                key: torch.empty([side * 13 // 10 if side >= 1280 else side for side in own.shape], device="meta")
                for key, own in published("openclip_visual").items()
            },
            "a CLIP vision model with tokens of width 1664: ViT-H's have 1280",
        ),
        (
            lambda: {key: own for key, own in clip_state("image").items() if "resblocks" not in key},
            "are a CLIP vision model without layers: one with layers and projection is needed",
        ),
        (
            lambda: {key: own for key, own in clip_state("image").items() if "resblocks.0.ln" not in key},
            "look like a CLIP vision model, but 4 tensors are missing",
        ),
    ],
)
def test_other_weights_than_a_picture_encoders_are_refused(other, words):
    with pytest.raises(InputError, match=words):
        picture_encoder(other())


# --- prompts ------------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_tokens_of_a_prompt_are_as_published():
    data = stored("dc_clip")
    assert apart(reader()(data["input.token_ids"]), data["expected.text"]) < CLOSE
    # With one layer more, which is left out, all published ones are used.
    more = {
        key.replace("resblocks.2.", "resblocks.3."): own for key, own in clip_state("text").items() if "resblocks.2." in key
    }
    assert apart(text_encoder(clip_state("text") | more)(data["input.token_ids"]), data["expected.text_last_layer"]) < CLOSE


@torch.no_grad()
def test_a_prompt_has_the_same_tokens_whatever_holds_its_clip_state():
    own, ids = clip_state("text"), stored("dc_clip")["input.token_ids"]
    whole = {f"cond_stage_model.model.{key}": value for key, value in own.items()} | {"out.weight": torch.zeros(1)}
    named = in_transformers_form(own, TEXT_NAMES + LAYER_NAMES)
    # Stable Diffusion 2's text encoder comes without the last layer.
    transformers = {
        f"text_model.{key}": value
        for key, value in named.items()
        if "layers.2." not in key and key not in ("text_projection", "logit_scale")
    } | {"text_model.embeddings.position_ids": torch.arange(77)}
    seen = clip_state("image")
    both = own | {f"visual.{key}": value for key, value in seen.items()}, transformers | vision_state(seen, "")
    for state in (whole, transformers, *both):
        assert torch.equal(text_encoder(state)(ids), reader()(ids))


@torch.no_grad()
def test_no_token_sees_those_after_it():
    ids = stored("dc_clip")["input.token_ids"][:1]
    changed = ids.clone()
    changed[0, 40:] = 7
    assert torch.equal(reader()(ids)[:, :40], reader()(changed)[:, :40])
    assert not torch.equal(reader()(ids)[:, 40:], reader()(changed)[:, 40:])


@pytest.mark.parametrize("transformers", [False, True])
def test_the_published_text_weights_fit(transformers):
    state = published("openclip_text")
    if transformers:
        state = {f"text_model.{key}": own for key, own in in_transformers_form(state, TEXT_NAMES + LAYER_NAMES).items()}
        state["text_projection.weight"] = state.pop("text_model.text_projection")
        del state["text_model.logit_scale"]
    net = text_encoder(state)
    assert len(net.encoder.layers) == DEPTH
    assert {layer.self_attn.heads for layer in net.encoder.layers} == {16}
    assert net.vocabulary == 2 * 256 + MERGES + 2


def test_an_empty_prompt_needs_no_vocabulary():
    ids = reader().empty()
    assert ids.tolist() == [[58, 59] + [0] * 75]
    assert torch.equal(reader().ids(" \n"), ids)
    with pytest.raises(InputError, match=r"prompt 'a walk' needs a vocabulary: give bpe_simple_vocab_16e6.txt.gz"):
        reader().ids("a walk")
    with pytest.raises(InputError, match="has 517 entries: the text model needs 60"):
        reader().ids("a walk", tiny())
    assert reader()(ids).shape == (1, 77, 32)


@pytest.mark.parametrize("ids", [torch.zeros(77), torch.zeros(1, 76), torch.full((1, 77), 60), torch.full((1, 77), -1)])
def test_ids_that_do_not_fit_are_refused(ids):
    with pytest.raises(InputError, match=r"\[B, 77\] below 60 is needed"):
        reader()(ids.long())


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda: clip_state("image"), "are a CLIP vision model: OpenCLIP's text half"),
        (lambda: framer_state("clip"), "are a CLIP vision model: OpenCLIP's text half"),
        (
            lambda: {
                key: torch.empty([{1024: 768, 4096: 3072}.get(side, side) for side in own.shape], device="meta")
                for key, own in published("openclip_text").items()
            },
            "a CLIP text model with tokens of width 768: ViT-H's have 1024",
        ),
        (lambda: {key: own for key, own in clip_state("text").items() if key != "ln_final.bias"}, "1 tensors are missing"),
    ],
)
def test_other_weights_than_a_text_encoders_are_refused(other, words):
    with pytest.raises(InputError, match=words):
        text_encoder(other())


# --- vocabulary ---------------------------------------------------------------------------------------------------------------

LINES = "#version: 0.2\nt h\nth e</w>\na l\n"


@cache
def tiny() -> Tokenizer:
    return Tokenizer([("t", "h"), ("th", "e</w>"), ("a", "l")])


def letters(text: str) -> list[str]:
    names = list(tiny().numbers)
    return [names[number] for number in tiny().ids(text)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("the", ["the</w>"]),
        ("THE  them\tthth", ["the</w>", "th", "e", "m</w>", "th", "t", "h</w>"]),
        ("all", ["al", "l</w>"]),
        ("é", ["Ã", "©</w>"]),
        ("a<end_of_text>", ["a</w>", "<end_of_text>"]),
        ("\ud800", ["ï", "¿", "½</w>"]),
    ],
)
def test_pieces_are_merged_by_rank(text, parts):
    assert letters(text) == parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it's the girl's hair, she'll", ["it", "'s", "the", "girl", "'s", "hair", ",", "she", "'ll"]),
        ("!!'s x", ["!!'", "s", "x"]),
        ("1234½Ⅷ x2", ["1", "2", "3", "4", "½", "Ⅷ", "x", "2"]),
        ("a_b c++ 日本語の", ["a", "_", "b", "c", "++", "日本語の"]),
        ("a\u0301 x", ["a", "\u0301", "x"]),
    ],
)
def test_text_is_split_into_words_digits_and_signs(text, expected):
    assert list(pieces(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Tom &amp;amp;\n Jerry ", "tom & jerry"),
        ("it’s “so”", 'it\'s "so"'),
        ("cafe\u0301 ﬁne ＦＵＬＬ　wide\ufeff\x07", "café fine full wide"),
        ("\ud83d\ude00", "😀"),
    ],
)
def test_text_is_made_plain_first(text, expected):
    assert tidied(text) == expected


def test_numbers_are_those_of_the_published_order():
    numbers = tiny().numbers
    assert (numbers["!"], numbers["ÿ"], numbers["Ā"], numbers["!</w>"]) == (0, 187, 188, 256)
    assert (numbers["th"], numbers["al"], numbers["<start_of_text>"], numbers["<end_of_text>"]) == (512, 514, 515, 516)
    assert tiny().size == 517


def test_prompts_get_their_marks_and_are_cut_to_their_length():
    net = Text(517, 8, 8, 1, 2, Build())
    assert net.ids("the", tiny()).tolist() == [[515, 513, 516] + [0] * 74]
    long = net.ids("the " * 100, tiny())
    assert long.tolist() == [[515] + [513] * 75 + [516]]


def test_a_vocabulary_is_read_gzipped_or_not(tmp_path):
    (tmp_path / "merges.txt").write_text(LINES, encoding="utf-8")
    (tmp_path / "vocabulary.txt.gz").write_bytes(gzip.compress(LINES.encode(), mtime=0))
    for file in tmp_path.iterdir():
        assert Tokenizer.read(file).numbers == tiny().numbers


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "vocabulary.gz is no vocabulary: bpe_simple_vocab_16e6.txt.gz"),
        (b"t h\nth e</w>\n", "is no vocabulary"),
        (b"#version: 0.2\n", "is no vocabulary"),
        (b"#version: 0.2\nt h\n\nth\n", "is no vocabulary"),
        (gzip.compress(LINES.encode(), mtime=0)[:-12], "is damaged or no text"),
        (b"\x1f\x8bnot at all", "is damaged or no text"),
        (b"\xff\xfe\x00\x01", "is damaged or no text"),
    ],
)
def test_other_files_are_no_vocabulary(tmp_path, content, words):
    (tmp_path / "vocabulary.gz").write_bytes(content)
    with pytest.raises(InputError, match=words):
        Tokenizer.read(tmp_path / "vocabulary.gz")


def test_a_vocabulary_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.txt cannot be read: No such file"):
        Tokenizer.read(tmp_path / "gone.txt")
    with pytest.raises(InputError, match="cannot be read"):
        Tokenizer.read(tmp_path)
