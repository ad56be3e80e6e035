"""Splits the published single-file checkpoint of Stable Video Diffusion into the parts a run needs besides its UNet.

Owns that file's key names, which are neither diffusers' nor transformers'. It stores the autoencoder in two halves: the
decoder under ``first_stage_model`` and the encoder that encoded keyframes in training under ``conditioner``. Knows nothing of
how the parts work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from torch import Tensor

from ..core import InputError
from .keyframes import Coders
from .layers import Build
from .svd import looks_like
from .vae import Autoencoder, autoencoder
from .vision import Vision, vision

DECODER = "first_stage_model."
ENCODER = "conditioner.embedders.3.encoder."
VISION = "conditioner.embedders.0.open_clip.model.visual."

Names: TypeAlias = "tuple[tuple[str, str], ...]"

AUTOENCODER_NAMES = (
    (r"\.norm_out\.", ".conv_norm_out."),
    (r"\.mid\.attn_1\.norm\.", ".mid_block.attentions.0.group_norm."),
    (r"\.mid\.attn_1\.proj_out\.", ".mid_block.attentions.0.to_out.0."),
    (r"\.mid\.attn_1\.([qkv])\.", r".mid_block.attentions.0.to_\1."),
    (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
    (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
    (r"\.(down|up)\.(\d+)\.block\.", r".\1_blocks.\2.resnets."),
    (r"\.(down|up)\.(\d+)\.\1sample\.", r".\1_blocks.\2.\1samplers.0."),
    (r"\.nin_shortcut\.", ".conv_shortcut."),
    (r"\.attentions\.0\.query\.", ".attentions.0.to_q."),
    (r"\.attentions\.0\.key\.", ".attentions.0.to_k."),
    (r"\.attentions\.0\.value\.", ".attentions.0.to_v."),
    (r"\.attentions\.0\.proj_attn\.", ".attentions.0.to_out.0."),
)
"""(pattern, replacement) from an autoencoder's names in "Latent Diffusion" to diffusers', applied in this order."""

TIME_NAMES = (
    (r"\.conv_out\.time_mix_conv\.", ".time_conv_out."),
    (r"^(decoder\..*\.resnets\.\d+)\.((norm|conv)\w+)\.", r"\1.spatial_res_block.\2."),
    (r"\.mix_factor$", ".time_mixer.mix_factor"),
    (r"\.time_stack\.in_layers\.0\.", ".temporal_res_block.norm1."),
    (r"\.time_stack\.in_layers\.2\.", ".temporal_res_block.conv1."),
    (r"\.time_stack\.out_layers\.0\.", ".temporal_res_block.norm2."),
    (r"\.time_stack\.out_layers\.3\.", ".temporal_res_block.conv2."),
)
"""The same for what a decoder along time has besides."""

VISION_NAMES = (
    (r"^class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^conv1\.", "vision_model.embeddings.patch_embedding."),
    (r"^ln_pre\.", "vision_model.pre_layrnorm."),
    (r"^ln_post\.", "vision_model.post_layernorm."),
    (r"^proj$", "visual_projection.weight"),
    (r"^transformer\.resblocks\.", "vision_model.encoder.layers."),
)
"""(pattern, replacement) from the names of OpenCLIP's vision half to transformers'."""

LAYER_NAMES = (
    (r"\.ln_(\d)\.", r".layer_norm\1."),
    (r"\.attn\.out_proj\.", ".self_attn.out_proj."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)
"""The same for the layers of both halves of OpenCLIP."""


def coders(autoencoder: Autoencoder, vision: Vision) -> Coders:
    """Wrap both as `Coders`, on whatever device and in whatever precision they are."""

    def like(net: Autoencoder | Vision, x: Tensor) -> Tensor:
        return x.to(next(net.parameters()))

    return Coders(
        encode=lambda rgb: autoencoder.encode(like(autoencoder, rgb)),
        decode=lambda latents: autoencoder.decode(like(autoencoder, latents)),
        embed=lambda rgb: vision(like(vision, rgb)),
    )


def parts(state: Mapping[str, Tensor], build: Build | None = None) -> tuple[Autoencoder, Vision]:
    """Build the autoencoder and the vision model around the tensors of a whole checkpoint. Raises `InputError`."""
    if not any(key.startswith(VISION) for key in state) or not any(key.startswith(DECODER) for key in state):
        raise InputError(f"these weights are {looks_like(state)}: the whole checkpoint of Stable Video Diffusion is needed")
    return autoencoder(autoencoder_state(state), build), vision(vision_state(state), build)


def autoencoder_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The autoencoder's tensors of a whole checkpoint, under diffusers' names."""
    encoder = ENCODER if any(key.startswith(ENCODER) for key in state) else DECODER
    own = {key.removeprefix(DECODER): value for key, value in state.items() if key.startswith(f"{DECODER}decoder.")}
    own |= {
        key.removeprefix(encoder): value
        for key, value in state.items()
        if key.startswith((f"{encoder}encoder.", f"{encoder}quant_conv."))
    }
    return in_diffusers_form(own)


def in_diffusers_form(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An autoencoder under diffusers' names, from those of "Latent Diffusion" or of old versions of diffusers.

    With or without layers along time.
    """
    video = any(".time_stack." in key for key in state)
    names = AUTOENCODER_NAMES + TIME_NAMES * video
    top = max((int(found[1]) for key in state if (found := re.match(r"decoder\.up\.(\d+)\.", key))), default=0)
    made = {}
    for key, value in state.items():
        name = renamed(key, names)
        if key.startswith("decoder.up."):
            # The file numbers decoder levels from the largest size down, diffusers from the smallest up.
            name = re.sub(r"\.up_blocks\.(\d+)\.", lambda found: f".up_blocks.{top - int(found[1])}.", name)
        made[name] = value.flatten(1) if re.search(r"\.attentions\.0\.to_.*weight$", name) else value
    return made


def vision_state(state: Mapping[str, Tensor], prefix: str = VISION) -> dict[str, Tensor]:
    """The vision model's tensors of a whole checkpoint, which stores them under ``prefix``, under transformers' names."""
    own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    made = in_transformers_form(own, VISION_NAMES + LAYER_NAMES)
    if "visual_projection.weight" in made:
        made["visual_projection.weight"] = made["visual_projection.weight"].T
    return made


def in_transformers_form(state: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """OpenCLIP's tensors under other ``names``, with queries, keys and values apart."""
    made = {}
    for key, value in state.items():
        name = renamed(key, names)
        if found := re.match(r"(.*)\.attn\.in_proj_(weight|bias)$", name):
            for part, own in zip("qkv", value.chunk(3), strict=True):
                made[f"{found[1]}.self_attn.{part}_proj.{found[2]}"] = own
        else:
            made[name] = value
    return made


def without_positions(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A vision model of transformers without the counters 0, 1, 2, ... that older files store."""
    return {key: value for key, value in state.items() if not key.endswith(".position_ids")}


def renamed(key: str, names: Names) -> str:
    for there, here in names:
        key = re.sub(there, here, key)
    return key
