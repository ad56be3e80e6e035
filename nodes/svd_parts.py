"""Node that loads the parts of Stable Video Diffusion that tweening needs, without its UNet: 1.5 GB instead of 4.8 to 9.6.

ComfyUI's own VAE and CLIP_VISION come out. Knows nothing of what is drawn with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.tween import checkpoint, files, svd
from .framer import CATEGORY, files_in, path_of
from .node import Node

SINGLE = "decoder.mid.block_1.mix_factor"
"""A tensor of the autoencoder under the names that ComfyUI's VAE knows."""


class LoadSvdParts(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenLoadSvdParts",
            display_name="Load SVD VAE and CLIP Vision",
            category=CATEGORY,
            description="Loads the VAE and the image encoder of Stable Video Diffusion from two files, 1.5 GB in float16, in "
            "place of its whole checkpoint. The weights have their own licence from Stability AI.",
            search_aliases=["svd", "stable video diffusion", "vae loader", "clip vision loader", "image encoder", "framer"],
            inputs=[
                io.Combo.Input(
                    "vae",
                    options=files_in("vae"),
                    tooltip="The VAE of Stable Video Diffusion, in models/vae: the file in the folder vae of its diffusers "
                    "format, or svd-vae, which `vfi models fetch framer` brings.",
                ),
                io.Combo.Input(
                    "image_encoder",
                    display_name="image encoder",
                    options=files_in("clip_vision"),
                    tooltip="The image encoder of Stable Video Diffusion, in models/clip_vision: the file in the folder "
                    "image_encoder of its diffusers format, or svd-image-encoder, which `vfi models fetch framer` brings.",
                ),
            ],
            outputs=[
                io.Vae.Output("vae", tooltip="For Framer and Generative Inbetweening."),
                io.ClipVision.Output(
                    "clip_vision", display_name="clip vision", tooltip="For Framer and Generative Inbetweening."
                ),
            ],
        )

    @classmethod
    def execute(cls, vae: str, image_encoder: str) -> io.NodeOutput:
        eye = path_of("clip_vision", image_encoder)
        return io.NodeOutput(files.made(path_of("vae", vae), vae_of), files.made(eye, lambda state: vision_of(state, eye)))


def vae_of(state: Mapping[str, Tensor]) -> Any:
    """A VAE made from the autoencoder's weights, in diffusers' form or the single file's. Raises `InputError`."""
    import comfy.sd

    own = dict(state) if SINGLE in state else checkpoint.single_file(state)
    made = comfy.sd.VAE(sd=own)
    made.throw_exception_if_invalid()
    return made


def vision_of(state: Mapping[str, Tensor], path: Path) -> Any:
    """A CLIP_VISION made from the image encoder's weights in ``path``. Raises `InputError`."""
    import comfy.clip_vision

    if (found := svd.looks_like(state)) != "a CLIP vision model":
        raise InputError(f"these weights are {found}: the image encoder of Stable Video Diffusion is needed")
    made = comfy.clip_vision.load(str(path))
    if made is None:
        raise InputError(
            "these weights are a CLIP vision model of another size: Stable Video Diffusion's image encoder is needed"
        )
    return made
