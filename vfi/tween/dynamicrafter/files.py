"""Loads DynamiCrafter and ToonCrafter from published files, ready to use without ComfyUI.

Owns which file holds which part, the precision of each part, and that parts which a step does not need leave the device. Knows
nothing of how the parts work. Downloads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ...model import weights
from ..checkpoint import DECODER
from ..files import File, Made, made, named
from . import checkpoint
from .autoencoder import References, autoencoder
from .drawing import Coders, DynamiCrafter
from .openclip import PICTURES, TEXTS, picture_encoder, text_encoder
from .projector import projector
from .sketch import sketch_encoder
from .tokenizer import Tokenizer
from .unet import unet


def dynamicrafter(
    file: File,
    *,
    vision: File | None = None,
    text: File | None = None,
    vocabulary: File | None = None,
    sketch: File | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> DynamiCrafter:
    """Load DynamiCrafter or ToonCrafter from a safetensors ``file`` with the published names: see `checkpoint`.

    A pruned file also needs ``vision``, CLIP ViT-H's vision model, and ``text``, the text encoder of Stable Diffusion 2.1;
    those of the catalogue are taken if none are given. ``vocabulary`` serves any prompt but an empty one (see `tokenizer`),
    and ``sketch``, ToonCrafter's sketch encoder, sketches. ``dtype``: precision of the networks, whose UNet takes 2.9 GB in
    float16. With float16, the autoencoder alone works in float32. Networks that a step does not need wait in main memory.
    Raises `InputError`.
    """
    path = weights.find(file)
    state = weights.read(path, checkpoint.PARTS)

    def within(prefix: str, other: File | None, name: str, make: Callable[[dict[str, Tensor]], Made]) -> Made:
        """A part of the file, or of another that is given instead; of a file that lacks it, the one that is called ``name``."""
        if other is None and checkpoint.has(state, prefix):
            return named(path, make, checkpoint.part(state, prefix))
        return made(other or name, make)

    named(path, lambda own: checkpoint.check(own, path.name), state)
    wide = torch.float32 if dtype == torch.float16 else dtype
    coder = named(path, autoencoder, checkpoint.part(state, DECODER)).to(dtype=wide)
    eye = within(PICTURES, vision, "clip-vit-h", picture_encoder).to(dtype=dtype)
    reader = within(TEXTS, text, "sd-2.1-text", text_encoder).to(dtype=dtype)
    words = None if vocabulary is None else Tokenizer.read(vocabulary)
    at = torch.device(device)

    def encode_keyframes(pair: Tensor) -> tuple[Tensor, References | None]:
        with working(coder, at):
            latents, references = coder.encode_keyframes(pair.to(wide))
        return latents, None if references is None else [held.cpu() for held in references]

    def encode(rgb: Tensor) -> Tensor:
        with working(coder, at):
            return coder.encode(rgb.to(wide))

    def decode(latents: Tensor, references: References | None) -> Tensor:
        with working(coder, at):
            held = None if references is None else [one.to(at) for one in references]
            return coder.decode(latents.to(wide), held)

    def look(rgb: Tensor) -> Tensor:
        with working(eye, at):
            return eye.tokens(rgb)

    def read(prompt: str) -> Tensor:
        with working(reader, at):
            return reader(reader.ids(prompt, words))

    coders = Coders(encode, encode_keyframes, decode, look, read)
    return DynamiCrafter(
        named(path, unet, checkpoint.part(state, checkpoint.UNET)).to(at, dtype),
        named(path, projector, checkpoint.part(state, checkpoint.PROJECTOR)).to(at, dtype),
        coders,
        None if sketch is None else made(sketch, sketch_encoder).to(at, dtype),
    )


@contextmanager
def working(net: nn.Module, device: torch.device) -> Iterator[None]:
    """Context in which ``net`` is on ``device``; before and after, it waits in main memory."""
    net.to(device)
    try:
        yield
    finally:
        net.to("cpu")
