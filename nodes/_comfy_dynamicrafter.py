"""DynamiCrafter's and ToonCrafter's networks as ComfyUI models: a MODEL for any sampler, a CONTROL_NET for sketches, and a VAE.

Uses the internals of ComfyUI's models; `dynamicrafter.internals` imports it on demand. Noise levels are those of
`schedule.sigmas`, in which the networks' own sampler without fresh noise is Euler's method. Knows nothing of nodes, files or
pictures' sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import comfy.clip_vision
import comfy.conds
import comfy.ops
import comfy.sample
import comfy.samplers
import comfy.sd
import torch
from comfy import model_base, model_sampling, supported_models, utils
from comfy.model_patcher import CoreModelPatcher
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.tween import svd
from ..vfi.tween.dynamicrafter import checkpoint, drawing, projector, schedule, unet
from ._comfy_diffusion import Progress, State, building, clips, held, interruptible, precision, room

WORK = 24 * 2**10
"""Bytes per latent value of a frame that the decoder needs: its widest tensor has 128 channels at full size."""


class Unet(unet.UNet):
    """The UNet with the call signature of ComfyUI's UNets, and the projector, which turns CLIP's tokens into the frames' own."""

    dtype: torch.dtype
    image_proj_model: projector.Projector

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        seen: Tensor,
        fps: Tensor,
        num_video_frames: int,
        control: dict[str, list[Tensor]] | None = None,
        transformer_options: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> Tensor:
        frames = num_video_frames
        added = None
        if control and control["output"]:
            added = svd.Control([part.to(x) for part in control["output"]], control["middle"][0].to(x))
        with room(frames, x):
            pictures = self.image_proj_model(seen[::frames].to(x))
            made = super().forward(clips(x, frames), timesteps[::frames], context[::frames], pictures, fps[::frames], added)
        return made.flatten(0, 1)


class Sampling(model_sampling.ModelSamplingDiscrete):
    """The noise schedule, in latents without the rescaling of `schedule`: see `schedule.sigmas`."""

    def __init__(self) -> None:
        super().__init__()
        self.set_sigmas(schedule.sigmas())
        self.register_buffer("scales", schedule.scales().float())

    def shares(self, sigma: Tensor, ndim: int) -> tuple[Tensor, Tensor, Tensor]:
        """Signal and noise of the latents at ``sigma``, and their scale, each to be multiplied with [B,...]."""
        scale = self.scales[self.timestep(sigma).to(self.scales.device)].to(sigma)
        noise = sigma * scale
        whole = torch.sqrt(1 + noise**2)
        return tuple(model_sampling.reshape_sigma(part, ndim) for part in (1 / whole, noise / whole, scale))

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        signal, _, scale = self.shares(sigma, noise.ndim)
        return noise * (signal * scale)

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        signal, noise, scale = self.shares(sigma, model_output.ndim)
        return signal**2 * model_input - model_output * (noise / scale)

    def noise_scaling(self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False) -> Tensor:
        return latent_image + noise * model_sampling.reshape_sigma(sigma, noise.ndim)

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        return latent


class Model(model_base.BaseModel):
    """The UNet under ComfyUI's samplers."""

    def __init__(self, config: supported_models.SVD_img2vid, state: State) -> None:
        super().__init__(config, model_base.ModelType.V_PREDICTION, unet_model=partial(network, state))
        self.model_sampling = Sampling()

    def extra_conds(self, **conds: Any) -> dict[str, Any]:
        """Conditioning besides the noise; ``crafter`` is a `dynamicrafter.Told`."""
        told, noise = conds.get("crafter"), conds["noise"]
        net = self.diffusion_model
        if told is None:
            raise InputError("the conditioning is not DynamiCrafter's: connect DynamiCrafter Conditioning")
        frames = net.image_proj_model.frames
        if told.ends.shape[-2:] != noise.shape[-2:] or len(noise) != frames:
            height, width = (8 * side for side in noise.shape[-2:])
            raise InputError(
                f"the latent has {len(noise)} frames of {width}x{height}: use the one from DynamiCrafter Conditioning, "
                f"with {frames} frames"
            )
        text = conds["cross_attn"]
        if text.shape[-1] != net.sizes.context:
            raise InputError(
                f"the text encoder gives {text.shape[-1]} values per token, and DynamiCrafter takes {net.sizes.context}: use "
                "the one of Stable Diffusion 2.1"
            )
        if told.seen.shape[-1] != net.image_proj_model.sizes.inputs:
            raise InputError(
                f"the CLIP vision model gives {told.seen.shape[-1]} values per token, and DynamiCrafter takes "
                f"{net.image_proj_model.sizes.inputs}: use CLIP ViT-H"
            )
        return {
            "c_concat": comfy.conds.CONDNoiseShape(drawing.condition(told.ends.to(noise), frames)),
            "c_crossattn": comfy.conds.CONDCrossAttn(text),
            "seen": comfy.conds.CONDRegular(told.seen),
            "fps": comfy.conds.CONDRegular(torch.tensor([float(told.fps)])),
            "num_video_frames": comfy.conds.CONDConstant(frames),
        }


def network(state: State, dtype: torch.dtype, operations: Any, **others: Any) -> Unet:
    """UNet and projector with ComfyUI's ``operations`` and the weights in ``dtype``; it can be cancelled within a step."""
    build = building(dtype, operations)
    own, seen = (
        {key: value.to(dtype) for key, value in checkpoint.part(state, name).items()}
        for name in (checkpoint.UNET, checkpoint.PROJECTOR)
    )
    net = unet.unet(own, build, kind=Unet)
    net.image_proj_model = projector.projector(seen, build)
    net.dtype = dtype
    interruptible((*net.input_blocks, net.middle_block, *net.output_blocks))
    return net


def model(state: State, rescale: float) -> CoreModelPatcher:
    """A MODEL with the UNet and the projector of a checkpoint, whose guidance is rescaled. Raises `InputError`."""
    own = {key: value for key, value in state.items() if key.startswith((checkpoint.UNET, checkpoint.PROJECTOR))}
    dtype, cast = precision(own)
    config = supported_models.SVD_img2vid({})
    config.set_inference_dtype(dtype, cast)
    patcher = held(Model(config, own))
    patcher.set_model_sampler_cfg_function(partial(guided, rescale))
    return patcher


def guided(rescale: float, args: Mapping[str, Any]) -> Tensor:
    """Guidance of the predicted v instead of the clean latents, over all frames of a clip: see `schedule.guided`."""
    x, sampling = args["input"], args["model"].model_sampling
    signal, noise, scale = sampling.shares(args["sigma"], x.ndim)
    rows = torch.stack([(signal**2 * x - args[name]) * (scale / noise) for name in ("uncond_denoised", "cond_denoised")])
    v = schedule.guided(rows, args["cond_scale"], rescale)[0]
    return x - (signal**2 * x - v * (noise / scale))


def is_ours(patcher: Any) -> bool:
    """Whether a MODEL is DynamiCrafter's or ToonCrafter's."""
    return isinstance(getattr(patcher, "model", None), Model)


# --- sampling -----------------------------------------------------------------------------------------------------------------


def sample(
    patcher: CoreModelPatcher,
    positive: list[Any],
    negative: list[Any],
    latents: Tensor,
    settings: drawing.Drawing,
    each: Progress,
    mask: Tensor | None = None,
    denoise: float = 1.0,
) -> Tensor:
    """Latents [F,4,h,w] as the library draws them: with its time steps, its guidance and its share of fresh noise."""
    steps = schedule.time_steps(round(settings.steps / denoise))[::-1][-settings.steps :]
    sampling = patcher.get_model_object("model_sampling")
    sigmas = torch.cat((sampling.sigmas.cpu()[torch.as_tensor(list(steps))], torch.zeros(1)))
    sampler = comfy.samplers.KSAMPLER(partial(ddim, settings.eta))
    noise = comfy.sample.prepare_noise(latents, settings.seed)
    return comfy.sample.sample_custom(
        *(patcher, noise, settings.guidance, sampler, sigmas, positive, negative, latents),
        noise_mask=mask, callback=each, disable_pbar=not utils.PROGRESS_BAR_ENABLED, seed=settings.seed,
    )  # fmt: skip
