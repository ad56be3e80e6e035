"""Both halves of OpenCLIP's ViT-H as DynamiCrafter uses them: all tokens of a picture, and the tokens of a prompt.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021; weights by Schuhmann et al.,
"LAION-5B", 2022. An empty prompt needs no vocabulary; `tokenizer` splits any other. Knows nothing of video.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core import InputError
from ...ops.checks import load_weights
from ...parse import quoted
from ..checkpoint import LAYER_NAMES, in_transformers_form, vision_state, without_positions
from ..layers import Build, join, split
from ..svd import counted, looks_like
from ..vision import HEADS, Layer, Layers, Vision, vision
from .tokenizer import FILE, Tokenizer

LENGTH = 77
"""Tokens of a prompt, with those that mark its start and its end."""

PICTURE_WIDTH, TEXT_WIDTH = 1280, 1024
"""Widths of ViT-H's tokens."""

DEPTH = 23
"""Layers of the text half that are used: all but the last."""

PICTURES, TEXTS = "embedder.model.visual.", "cond_stage_model.model."
"""Where a whole checkpoint keeps both halves; besides, it has leftovers of the other half of each."""

TEXT_NAMES = (
    (r"^token_embedding\.", "embeddings.token_embedding."),
    (r"^positional_embedding$", "embeddings.position_embedding.weight"),
    (r"^transformer\.resblocks\.", "encoder.layers."),
    (r"^ln_final\.", "final_layer_norm."),
)
"""(pattern, replacement) from the names of OpenCLIP's text half to transformers'."""


def causal(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """Attention in which no token sees those after it: see `layers.Attend`."""
    q, k, v = (split(part, heads) for part in (queries, keys, values))
    return join(F.scaled_dot_product_attention(q, k, v, is_causal=True))


class Words(nn.Module):
    """Ids [B,77] -> [B,77,C]: what each stands for, with position embeddings."""

    def __init__(self, build: Build, vocabulary: int, width: int) -> None:
        super().__init__()
        self.token_embedding = nn.ParameterDict({"weight": build.parameter(vocabulary, width)})
        self.position_embedding = nn.ParameterDict({"weight": build.parameter(LENGTH, width)})

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.token_embedding["weight"]) + self.position_embedding["weight"]


class Text(nn.Module):
    """Embeds ids [B,77] as tokens [B,77,C]."""

    def __init__(self, vocabulary: int, width: int, inner: int, depth: int, heads: int, build: Build) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.embeddings = Words(build, vocabulary, width)
        # Another program's attention knows no mask, and 77 tokens are too few to gain from it.
        layer = replace(build, attention=causal)
        self.encoder = Layers([Layer(layer, width, inner, heads) for _ in range(depth)])
        self.final_layer_norm = build.layer_norm(width)

    def forward(self, ids: Tensor) -> Tensor:
        """Raises `InputError` unless ``ids`` are [B,77] of this vocabulary."""
        if ids.ndim != 2 or ids.shape[1] != LENGTH or bool((ids < 0).any() | (ids >= self.vocabulary).any()):
            raise InputError(f"ids of shape {list(ids.shape)} were given: [B, {LENGTH}] below {self.vocabulary} is needed")
        return self.final_layer_norm(self.encoder(self.embeddings(ids)))

    def ids(self, prompt: str, tokenizer: Tokenizer | None = None) -> Tensor:
        """The ids [1,77] of a prompt, on the device of the weights; what exceeds 75 tokens is cut off, as published.

        Raises `InputError` if the prompt is not empty and there is no ``tokenizer`` of this vocabulary.
        """
        own: list[int] = []
        if prompt.strip():
            if tokenizer is None:
                raise InputError(f"the prompt {quoted(prompt)} needs a vocabulary: give {FILE}, or leave the prompt empty")
            if tokenizer.size != self.vocabulary:
                raise InputError(f"the vocabulary has {tokenizer.size} entries: the text model needs {self.vocabulary}")
            own = tokenizer.ids(prompt)[: LENGTH - 2]
        # The last two entries of the vocabulary mark start and end.
        ids = [self.vocabulary - 2, *own, self.vocabulary - 1]
        return torch.tensor([ids + [0] * (LENGTH - len(ids))], device=next(self.parameters()).device)

    def empty(self) -> Tensor:
        """The ids [1,77] of an empty prompt, which need no vocabulary."""
        return self.ids("")


def picture_encoder(state: Mapping[str, Tensor], build: Build | None = None) -> Vision:
    """Build ViT-H's vision half around these weights, without a copy: `vision.Vision.tokens` gives what the network needs.

    ``state``: a whole checkpoint, its part ``embedder.model.visual.`` with or without this prefix, or CLIP's vision half, or
    both, in OpenCLIP's or transformers' form. Raises `InputError`.
    """
    prefix = next((own for own in (PICTURES, "visual.") if any(key.startswith(own) for key in state)), "")
    if f"{prefix}class_embedding" in state:
        own = vision_state(state, prefix)
    else:
        seen = {key: value for key, value in state.items() if key.startswith(("vision_model.", "visual_projection."))}
        own = without_positions(seen or state)
    net = vision(own, build)
    _check_width(len(net.vision_model.embeddings.class_embedding), PICTURE_WIDTH, "vision")
    return net


def text_encoder(state: Mapping[str, Tensor], build: Build | None = None) -> Text:
    """Build ViT-H's text half around these weights, without a copy and without its last layer.

    ``state``: a whole checkpoint, its part ``cond_stage_model.model.`` with or without this prefix, or CLIP's text half, as in
    Stable Diffusion 2, or both, in OpenCLIP's or transformers' form. Raises `InputError`.
    """
    own = {key.removeprefix(TEXTS): value for key, value in state.items() if key.startswith(TEXTS)} or state
    if "token_embedding.weight" in own:
        depth = counted(own, "transformer.resblocks.{}.ln_1.weight") - 1
        own = in_transformers_form(own, TEXT_NAMES + LAYER_NAMES)
    else:
        own = {key.removeprefix("text_model."): value for key, value in without_positions(own).items()}
        depth = min(counted(own, "encoder.layers.{}.layer_norm1.weight"), DEPTH)
    words, inner = own.get("embeddings.token_embedding.weight"), own.get("encoder.layers.0.mlp.fc1.weight")
    if words is None or inner is None or depth < 1:
        raise InputError(f"these weights are {looks_like(state)}: OpenCLIP's text half, of ViT-H, is needed")
    vocabulary, width = words.shape
    _check_width(width, TEXT_WIDTH, "text")
    used = ("embeddings.", "final_layer_norm.", *(f"encoder.layers.{index}." for index in range(depth)))
    own = {key: value for key, value in own.items() if key.startswith(used)}
    meta = replace(build or Build(), device="meta")
    net = Text(vocabulary, width, inner.shape[0], depth, HEADS if width == TEXT_WIDTH else 2, meta)
    load_weights(net, own, "OpenCLIP's text half", assign=True)
    return net.eval().requires_grad_(False)


def _check_width(width: int, needed: int, half: str) -> None:
    """Raises `InputError` for another CLIP than ViT-H; narrower ones than any published serve for trials."""
    if width != needed and width >= 8 * HEADS:
        raise InputError(f"these weights are a CLIP {half} model with tokens of width {width}: ViT-H's have {needed}")
