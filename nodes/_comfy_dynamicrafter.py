"""DynamiCrafter's and ToonCrafter's networks as ComfyUI models: a MODEL for any sampler, a CONTROL_NET for sketches, and a VAE.

Uses the internals of ComfyUI's models; `dynamicrafter.internals` imports it on demand. Noise levels are those of
`schedule.ladder`, on which the networks' own sampler without new noise is Euler's method. Knows nothing of nodes or files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import comfy.clip_vision
import comfy.conds
import comfy.ops
import comfy.sample
import comfy.samplers
import comfy.sd
import torch
from comfy import model_base, model_management, model_sampling, supported_models, utils
from comfy.controlnet import ControlBase
from comfy.model_patcher import CoreModelPatcher
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.tween import edm, svd
from ..vfi.tween.checkpoint import DECODER
from ..vfi.tween.dynamicrafter import checkpoint, drawing, projector, schedule, sketch, unet
from ..vfi.tween.dynamicrafter.autoencoder import autoencoder
from ..vfi.tween.dynamicrafter.openclip import PICTURES, TEXTS
from ..vfi.tween.keyframes import CELL
from ._comfy_diffusion import Progress, State, building, clips, held, interruptible, precision, room

__all__ = ["Progress", "clip", "clip_vision", "control_net", "model", "sample", "vae"]

CODING = 256
"""Numbers per pixel that coding needs: its widest tensors have 128 channels at full size."""


# --- MODEL --------------------------------------------------------------------------------------------------------------------


class Unet(unet.UNet):
    """The UNet with the call signature of ComfyUI's UNets, and the projector, which makes CLIP's tokens those of the frames."""

    dtype: torch.dtype
    image_proj_model: projector.Projector

    def forward(  # type: ignore[override]
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
            told = unet.Context(context[::frames], self.image_proj_model(seen[::frames].to(x)))
            made = super().forward(clips(x, frames), timesteps[::frames], told, fps[::frames], added)
        return made.flatten(0, 1)


class Sampling(model_sampling.ModelSamplingDiscrete):
    """The noise schedule of `schedule`, in latents of full brightness."""

    def __init__(self) -> None:
        super().__init__()
        self.set_sigmas(torch.tensor(schedule.ladder()))

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        return noise * schedule.input_scale(model_sampling.reshape_sigma(sigma, noise.ndim))

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        return schedule.clean_of(model_input, model_output, model_sampling.reshape_sigma(sigma, model_output.ndim))

    def noise_scaling(self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False) -> Tensor:
        return latent_image + noise * model_sampling.reshape_sigma(sigma, noise.ndim)

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        return latent


class Model(model_base.BaseModel):
    """The UNet under ComfyUI's samplers."""

    draws = "dynamicrafter"
    """By this attribute, nodes know which network a MODEL is."""

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
                f"the latent has {len(noise)} frames of {width}x{height}: use the one from DynamiCrafter Conditioning, of "
                f"{frames} frames"
            )
        text = conds["cross_attn"]
        if text.shape[-1] != net.sizes.context:
            raise InputError(
                f"the text encoder gives {text.shape[-1]} values per token, and DynamiCrafter takes {net.sizes.context}: use "
                "Stable Diffusion 2.1's"
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
        {key: value.to(dtype) for key, value in checkpoint.part(state, prefix).items()}
        for prefix in (checkpoint.UNET, checkpoint.PROJECTOR)
    )
    net = unet.loaded(Unet, own, build)
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
    x, sigma = args["input"], model_sampling.reshape_sigma(args["sigma"], args["input"].ndim)
    rows = torch.stack([schedule.v_of(x, args[name], sigma) for name in ("uncond_denoised", "cond_denoised")])
    v = schedule.guided(rows, args["cond_scale"], rescale)[0]
    return x - schedule.clean_of(x, v, sigma)


# --- CONTROL_NET --------------------------------------------------------------------------------------------------------------


class Sketching(ControlBase):
    """ToonCrafter's sketch encoder. Its hints are light lines on black [F,1,H,W], 0..1."""

    def __init__(self, patcher: CoreModelPatcher, dtype: torch.dtype) -> None:
        super().__init__()
        self.patcher, self.dtype = patcher, dtype
        self.hints: Tensor | None = None

    def sketched(self, maps: Tensor, strength: float, during: tuple[float, float]) -> Sketching:
        """The same network, led by ``maps`` [F,1,H,W] of the working size during a part of the sampling."""
        return self.copy().set_cond_hint(maps, strength, during)

    def copy(self) -> Sketching:
        own = Sketching(self.patcher, self.dtype)
        self.copy_to(own)
        return own

    def get_models(self) -> list[CoreModelPatcher]:
        return [*super().get_models(), self.patcher]

    def pre_run(self, model: model_base.BaseModel, percent_to_timestep_function: Callable[[float], float]) -> None:
        super().pre_run(model, percent_to_timestep_function)
        self.model, self.hints = model, None

    def cleanup(self) -> None:
        super().cleanup()
        self.model = self.hints = None

    def get_control(
        self, x_noisy: Tensor, t: Tensor, cond: Mapping[str, Any], batched_number: int, transformer_options: dict[str, Any]
    ) -> dict[str, list[Tensor]] | None:
        before = self.previous_controlnet
        given = None if before is None else before.get_control(x_noisy, t, cond, batched_number, transformer_options)
        if self.timestep_range is not None and not self.timestep_range[1] <= t[0] <= self.timestep_range[0]:
            return given
        frames, sampling = cond["num_video_frames"], self.model.model_sampling
        like = torch.empty((), dtype=self.dtype, device=x_noisy.device)
        seen = self.model.diffusion_model.image_proj_model(cond["seen"][::frames].to(x_noisy))
        told = torch.cat((cond["c_crossattn"][::frames].to(like), seen.to(like)), dim=1)
        noisy = clips(sampling.calculate_input(t, x_noisy).to(like), frames)
        with room(frames, x_noisy):
            if self.hints is None:
                self.hints = self.patcher.model.hints(self.cond_hint_original.to(like))
            made = self.patcher.model(noisy, sampling.timestep(t)[::frames].float(), told, self.hints)
        return self.control_merge({"input": [], "middle": [made.middle], "output": list(made.across)}, given, None)


def control_net(state: State) -> Sketching:
    """A CONTROL_NET with ToonCrafter's sketch encoder. Raises `InputError` for other weights."""
    dtype, cast = precision(state)
    own = {key: value.to(dtype) for key, value in state.items()}
    net = sketch.sketch_encoder(own, building(dtype, comfy.ops.pick_operations(dtype, cast)))
    interruptible(net.input_blocks)
    return Sketching(held(net), cast or dtype)


# --- what else a file holds ---------------------------------------------------------------------------------------------------


class ToonVae:
    """ToonCrafter's autoencoder as a VAE, which decodes a clip with a look at its keyframes."""

    def __init__(self, state: State) -> None:
        self.device = model_management.vae_device()
        self.dtype = model_management.vae_dtype(self.device, [torch.bfloat16, torch.float32])
        own = {key: value.to(self.dtype) for key, value in state.items()}
        self.net = autoencoder(own, building(self.dtype))
        self.patcher = CoreModelPatcher(self.net, load_device=self.device, offload_device=model_management.vae_offload_device())

    def encode(self, pixels: Tensor) -> Tensor:
        """Pictures [B,H,W,3] 0..1 to mean latents [B,4,h,w]."""
        self._load(1, *pixels.shape[1:3])
        return torch.cat([self.net.encode(self._moved(one)).float().cpu() for one in pixels[..., :3].split(1)])

    def decode(self, latents: Tensor, **how: Any) -> Tensor:
        """Latents [F,4,h,w] of a clip to frames [F,H,W,3] 0..1, without a look at the keyframes."""
        return self._decoded(latents, None)

    def decode_between(self, latents: Tensor, pair: Tensor) -> Tensor:
        """As `decode`, with a look at the keyframes [2,3,H,W] 0..1 of the size of the frames."""
        return self._decoded(latents, pair)

    def _decoded(self, latents: Tensor, pair: Tensor | None) -> Tensor:
        self._load(len(latents), CELL * latents.shape[2], CELL * latents.shape[3])
        with room(len(latents), latents):
            seen = None if pair is None else self.net.encode_keyframes(pair.to(self.device, self.dtype))[1]
            frames = self.net.decode(latents.to(self.device, self.dtype), seen)
        return frames.float().clamp(0, 1).movedim(1, -1).cpu()

    def _moved(self, pixels: Tensor) -> Tensor:
        return pixels.movedim(-1, 1).to(self.device, self.dtype)

    def _load(self, count: int, height: int, width: int) -> None:
        """Bring the network to its device, with room for ``count`` pictures at once."""
        needed = count * height * width * CODING * self.dtype.itemsize
        model_management.load_models_gpu([self.patcher], memory_required=needed)


def vae(state: State) -> Any:
    """The VAE of a file: ComfyUI's own for DynamiCrafter's; None if it has none."""
    if not checkpoint.has(state, DECODER):
        return None
    own = checkpoint.part(state, DECODER)
    return ToonVae(own) if checkpoint.is_toon(state) else comfy.sd.VAE(sd=own)


def clip(state: State) -> Any:
    """The CLIP of a whole file; None for a pruned one."""
    if not checkpoint.has(state, TEXTS):
        return None
    return comfy.sd.load_text_encoder_state_dicts([checkpoint.part(state, TEXTS)], clip_type=comfy.sd.CLIPType.STABLE_DIFFUSION)


def clip_vision(state: State) -> Any:
    """The CLIP_VISION of a whole file; None for a pruned one."""
    own = {key: value for key, value in state.items() if key.startswith(PICTURES)}
    return comfy.clip_vision.load_clipvision_from_sd(own, PICTURES, convert_keys=True) if own else None


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
    """Latents [F,4,h,w] as the library draws them: with its time steps, its guidance and its share of new noise."""
    sampler = comfy.samplers.KSAMPLER(partial(ddim, settings.eta))
    noise = comfy.sample.prepare_noise(latents, settings.seed)
    return comfy.sample.sample_custom(
        *(patcher, noise, settings.guidance, sampler, torch.tensor(schedule.sigmas(settings.steps, denoise))),
        *(positive, negative, latents),
        noise_mask=mask, callback=each, disable_pbar=not utils.PROGRESS_BAR_ENABLED, seed=settings.seed,
    )  # fmt: skip


@torch.no_grad()
def ddim(
    eta: float,
    model: Callable[..., Tensor],
    x: Tensor,
    sigmas: Tensor,
    extra_args: Mapping[str, Any] | None = None,
    callback: Callable[[dict[str, Any]], None] | None = None,
    disable: bool | None = None,
) -> Tensor:
    """`schedule.ddim` in the manner of ComfyUI's samplers, with the noise that the library draws for the same seed."""
    given = extra_args or {}
    draw = edm.noise_of(given.get("seed") or 0)
    draw(x.shape)  # the start of the run
    levels = sigmas.tolist()
    for index, (sigma, following) in enumerate(pairwise(levels)):
        clean = model(x, x.new_full((len(x),), sigma), **given)
        if callback is not None:
            callback({"x": x, "i": index, "sigma": sigmas[index], "sigma_hat": sigmas[index], "denoised": clean})
        old, new = schedule.renewed(sigma, following, eta)
        x = clean + old * (x - clean) / sigma
        if new > 0:
            x = x + new * draw(x.shape).to(x)
    return x
