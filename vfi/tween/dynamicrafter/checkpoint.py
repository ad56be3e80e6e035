"""The parts of DynamiCrafter's and ToonCrafter's published files, and which file is whose.

A whole file holds the UNet, the projector, the autoencoder and both halves of OpenCLIP; one called pruned lacks OpenCLIP. Owns
the prefixes of the parts, and the models that are refused. Knows nothing of how the parts work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath

from torch import Tensor

from ...core import InputError

UNET = "model.diffusion_model."
PROJECTOR = "image_proj_model."
AUTOENCODER = "first_stage_model."
TEXT = "cond_stage_model.model."
VISION = "embedder.model.visual."

PARTS = (UNET, PROJECTOR, AUTOENCODER, TEXT, VISION)
"""All that is read of a file. Its schedule is computed anew: in half precision, the stored one is wrong."""

MARK = f"{UNET}init_attn.0.norm.weight"
"""A tensor of the UNet that no other network has."""

REFERENCES = f"{AUTOENCODER}decoder.attn_refinement.0.conv.weight"
"""A tensor of ToonCrafter's autoencoder that DynamiCrafter's lacks."""

SINGLE = re.compile(r"cil|_1024|1024_|_256|256_", re.IGNORECASE)
"""File names of the models that animate a single picture; their tensors do not tell."""


def part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors of one of the `PARTS`, without its prefix; empty if the file lacks it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def is_whole(state: Mapping[str, Tensor]) -> bool:
    """Whether these are at least the UNet and the projector of DynamiCrafter or ToonCrafter."""
    return MARK in state and any(key.startswith(PROJECTOR) for key in state)


def is_toon(state: Mapping[str, Tensor]) -> bool:
    """Whether these are ToonCrafter's and not DynamiCrafter's."""
    return REFERENCES in state


def check_name(name: str) -> None:
    """Raises `InputError` for the name of a file that animates one picture and takes no last keyframe."""
    stem = PurePath(name).stem
    if "interp" not in stem.lower() and SINGLE.search(stem):
        raise InputError(
            f"{PurePath(name).name} animates a single picture: DynamiCrafter_512_Interp or ToonCrafter is needed, which take two"
        )
