"""Loads the tweening methods from published files, ready to use without ComfyUI.

Owns which file holds which part, and the precision of each part. Knows nothing of how the parts work. Downloads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from ..core import InputError
from ..model import weights
from . import checkpoint, svd, vae
from .dynamicrafter import checkpoint as crafter
from .dynamicrafter.autoencoder import References, autoencoder
from .dynamicrafter.drawing import Coders as CrafterCoders
from .dynamicrafter.drawing import DynamiCrafter
from .dynamicrafter.openclip import PICTURES, TEXTS, picture_encoder, text_encoder
from .dynamicrafter.projector import projector
from .dynamicrafter.sketch import sketch_encoder
from .dynamicrafter.tokenizer import Tokenizer
from .dynamicrafter.unet import unet
from .framer import Framer
from .keyframes import Coders
from .layers import Build, Order
from .svdkfi import Inbetweening, backward_state
from .vision import vision as vision_of

File: TypeAlias = "Path | str"
Made = TypeVar("Made")


def framer(
    unet: File,
    svd_file: File,
    controlnet: File | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    order: Order = "fixed",
) -> Framer:
    """Load Framer from its ``unet`` and, for tracks, its ``controlnet``: safetensors files in diffusers' form.

    ``svd_file``: the whole checkpoint of Stable Video Diffusion, of which only the autoencoder and CLIP's vision half are read,
    or a folder in diffusers' form that holds ``vae`` and ``image_encoder``: they take 1.5 GB in float16.
    ``dtype``: precision of the networks, whose published weights take 4.4 GB in float16. ``order``: see `layers.Build`.
    Raises `InputError`.
    """
    build = Build(order=order)
    net = made(unet, lambda state: svd.unet(state, build)).to(device, dtype)
    control = None if controlnet is None else made(controlnet, lambda state: svd.controlnet(state, build)).to(device, dtype)
    return Framer(net, coders(svd_file, device=device, dtype=dtype), control)


def inbetweening(
    original: File,
    tuned: File,
    base: File,
    svd_file: File,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    order: Order = "fixed",
) -> Inbetweening:
    """Load Generative Inbetweening from three UNets, safetensors files in diffusers' form: see `svdkfi.backward_state`.

    ``svd_file``, ``dtype`` and ``order`` are as in `framer`. Raises `InputError`.
    """
    own = weights.read(weights.find(original))
    moved = backward_state(own, weights.read(weights.find(tuned)), weights.read(weights.find(base)))
    forward, backward = (svd.unet(state, Build(order=order)).to(device, dtype) for state in (own, moved))
    return Inbetweening(forward, backward, coders(svd_file, device=device, dtype=dtype))


def coders(svd_file: File, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Coders:
    """Load the autoencoder and CLIP's vision half of Stable Video Diffusion: see `framer`. Raises `InputError`.

    With ``dtype`` float16, in which the autoencoder overflows, the autoencoder alone works in float32.
    """
    folder = Path(svd_file).expanduser()
    if folder.is_dir():
        autoencoder = made(_only(folder / "vae"), vae.autoencoder)
        vision = made(_only(folder / "image_encoder"), lambda state: vision_of(checkpoint.without_positions(state)))
    else:
        path = weights.find(svd_file)
        held = (checkpoint.DECODER, checkpoint.ENCODER, checkpoint.VISION)
        autoencoder, vision = named(path, checkpoint.parts, weights.read(path, held) or weights.read(path))
    wide = torch.float32 if dtype == torch.float16 else dtype
    return checkpoint.coders(autoencoder.to(device, wide), vision.to(device, dtype))


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
    """Load DynamiCrafter or ToonCrafter from a safetensors ``file`` with the published names: see `dynamicrafter.checkpoint`.

    A pruned file also needs ``vision``, CLIP ViT-H's vision model, and ``text``, the text encoder of Stable Diffusion 2.1.
    ``vocabulary`` serves any prompt but an empty one (`dynamicrafter.tokenizer`), and ``sketch``, ToonCrafter's sketch encoder,
    sketches. ``dtype``: precision of the networks, whose UNet takes 2.9 GB in float16. With float16, the autoencoder alone works
    in float32. Networks that a step does not need wait in main memory. Raises `InputError`.
    """
    path = weights.find(file)
    state = weights.read(path, crafter.PARTS)

    def within(prefix: str, other: File | None, what: str, make: Callable[[dict[str, Tensor]], Made]) -> Made:
        """A part of the file, or of another that is given instead."""
        if other is not None:
            return made(other, make)
        if not crafter.has(state, prefix):
            raise InputError(f"{path.name} holds no {what}: give the file of one")
        return named(path, make, crafter.part(state, prefix))

    named(path, lambda own: crafter.check(own, path.name), state)
    wide = torch.float32 if dtype == torch.float16 else dtype
    coder = within(checkpoint.DECODER, None, "autoencoder", autoencoder).to(dtype=wide)
    eye = within(PICTURES, vision, "CLIP vision model (ViT-H)", picture_encoder).to(dtype=dtype)
    reader = within(TEXTS, text, "text encoder (Stable Diffusion 2.1's)", text_encoder).to(dtype=dtype)
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

    coders = CrafterCoders(encode, encode_keyframes, decode, look, read)
    return DynamiCrafter(
        named(path, unet, crafter.part(state, crafter.UNET)).to(at, dtype),
        named(path, projector, crafter.part(state, crafter.PROJECTOR)).to(at, dtype),
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


def _only(folder: Path) -> Path:
    """The safetensors file in a folder of diffusers' form; of several precisions, the full one. Raises `InputError`."""
    files = sorted(folder.glob("*.safetensors"), key=lambda file: (".fp16." in file.name, file.name))
    if not files:
        raise InputError(
            f"{folder} holds no safetensors file: the folder of Stable Video Diffusion needs vae and image_encoder"
        )
    return files[0]


def made(file: File, make: Callable[[dict[str, Tensor]], Made]) -> Made:
    """Apply ``make`` to the tensors of a file; errors name the file."""
    path = weights.find(file)
    return named(path, make, weights.read(path))


def named(path: Path, make: Callable[[dict[str, Tensor]], Made], state: dict[str, Tensor]) -> Made:
    try:
        return make(state)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error
