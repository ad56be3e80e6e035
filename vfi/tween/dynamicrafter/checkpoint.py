"""The published files of DynamiCrafter and ToonCrafter: which parts they hold, and which model they are.

A whole file holds the UNet, the projector, the autoencoder and both halves of OpenCLIP; one called pruned lacks OpenCLIP; some
hold only the UNet and the projector. Owns the prefixes of the parts, and the models that are refused. Knows nothing of how the
parts work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from torch import Tensor

from ...core import InputError
from ..checkpoint import DECODER
from ..svd import looks_like
from .openclip import PICTURES, TEXTS

UNET = "model.diffusion_model."
PROJECTOR = "image_proj_model."

PARTS = (UNET, PROJECTOR, DECODER, TEXTS, PICTURES)
"""All that is read of a file. Its schedule is computed anew: in half precision, the stored one is wrong."""

REFERENCES = f"{DECODER}decoder.attn_refinement.0.conv.weight"
"""A tensor of ToonCrafter's autoencoder that DynamiCrafter's lacks."""

SINGLE = re.compile(r"(^|[_-])(cil|256|1024)([_-]|$)", re.IGNORECASE)
"""In the names of files that animate a single picture; their tensors do not tell."""


def part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors of one of the `PARTS`, without its prefix; empty if the file lacks it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def has(keys: Iterable[str], prefix: str) -> bool:
    """Whether a file of these ``keys`` holds one of the `PARTS`."""
    return any(key.startswith(prefix) for key in keys)


def check(state: Mapping[str, Tensor], name: str) -> None:
    """Raises `InputError` unless a file of this ``name`` holds the UNet and the projector of a model for two keyframes."""
    if not has(state, UNET) or not has(state, PROJECTOR):
        raise InputError(f"these weights are {looks_like(state)}: a file of DynamiCrafter or ToonCrafter is needed")
    stem = PurePath(name).stem
    if "interp" not in stem.lower() and SINGLE.search(stem):
        raise InputError("this model animates a single picture: DynamiCrafter 512 Interp or ToonCrafter takes two keyframes")


def is_toon(keys: Iterable[str]) -> bool:
    """Whether a file of these ``keys`` is ToonCrafter's and not DynamiCrafter's."""
    return REFERENCES in keys
