"""Published weights that generate clips from keyframes: Framer, Generative Inbetweening, and parts of Stable Video Diffusion.

The UNets are in diffusers' form, the image encoder in transformers'. Knows nothing of what is done with them: see `vfi.tween`.
"""

from __future__ import annotations

from ...core import Checkpoint, HubFile

FRAMER = "LicenseRef-Framer-Academic"
STABILITY = "LicenseRef-Stability-AI-Community"

FRAMER_PAGE = "https://github.com/aim-uofa/Framer#license"
STABILITY_PAGE = "https://huggingface.co/stabilityai/stable-video-diffusion-img2vid-xt"

KIJAI = "Kijai/Framer_comfy", "7a21b721fa3daf6d2792f2b7adae6bab54581ee5"
"""A repository of Framer's weights in float16, with its commit."""


def _framer(part: str, sha256: str, size: int, folder: str, marks: dict[str, tuple[int, ...]]) -> Checkpoint:
    """A network of Framer. The authors' own file, in float32, has the same name for each network, in a folder of its own."""
    repo, revision = KIJAI
    name = f"Framer_{part}_fp16.safetensors"
    return Checkpoint(
        f"framer-{part}",
        (name, f"framer_512x320/{part}/diffusion_pytorch_model.safetensors"),
        FRAMER,
        commercial=False,
        size=size,
        sources=(HubFile(repo, name, sha256, revision),),
        link=FRAMER_PAGE,
        kind="tween",
        marks=marks,
        folder=folder,
    )


CHECKPOINTS: tuple[Checkpoint, ...] = (
    _framer(
        "unet",
        "da38abd443f3e8fcde2a7318e62678113b206ffab42cc415c6593c4068a6053d",
        3_050_000_000,
        "diffusion_models",
        {"mask_token": (1, 1, 4, 1, 1), "conv_in.weight": (320, 9, 3, 3)},
    ),
    _framer(
        "controlnet",
        "249c644fab660cbf9462869e3d7cee49c52a80e3494b6442619cc57918be89fd",
        1_360_000_000,
        "controlnet",
        {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3), "conv_in.weight": (320, 9, 3, 3)},
    ),
)

SETS: dict[str, tuple[str, ...]] = {"framer": ("framer-unet", "framer-controlnet")}
