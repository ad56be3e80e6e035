"""Framer's networks as ComfyUI models: a MODEL for any sampler, and a CONTROL_NET.

Uses the internals of ComfyUI's models; `framer.internals` imports it on demand. ComfyUI passes one set of ids per frame, beside
what `_comfy_diffusion` says. Knows nothing of nodes, files or pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import comfy.conds
import comfy.ops
import comfy.sample
import torch
from comfy import model_base, model_management, supported_models, utils
from comfy.controlnet import ControlBase
from comfy.model_patcher import CoreModelPatcher
from torch import Tensor, nn

from ..vfi.core import InputError
from ..vfi.tracks import Tracks
from ..vfi.tween import edm, framer, keyframes, svd, svdkfi
from ..vfi.tween.keyframes import Coders
from ..vfi.tween.refresh import Refresh
from ._comfy_diffusion import Progress, State, building, clips, held, interruptible, precision, room

WATCH = "framer_watch"
GUIDANCE = "framer_guidance"
"""Keys of transformer_options: a callback for the features of a pass, and the arguments of `edm.guidance` except the frames."""

WORK = 10 * 2**10
"""Bytes per latent value that a pass needs, about ComfyUI's estimate for Stable Video Diffusion in float16."""


class Unet(svd.UNet):
    """Framer's UNet with the call signature of ComfyUI's UNets."""

    dtype: torch.dtype

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        y: Tensor,
        num_video_frames: int,
        control: dict[str, list[Tensor]] | None = None,
        transformer_options: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> Tensor:
        frames, options = num_video_frames, transformer_options or {}
        added = None
        if control and control["output"]:
            added = svd.Control([part.to(x) for part in control["output"]], control["middle"][0].to(x))
        seen = options.get(WATCH)

        def watch(level: int, features: Tensor) -> None:
            if seen is not None and level == framer.SEEN:
                seen(clips(features, frames), options["cond_or_uncond"])

        with room(frames, x):
            made = super().forward(clips(x, frames), timesteps[::frames], context[::frames], y[::frames], added, watch)
        return made.flatten(0, 1)


class Model(model_base.SVD_img2vid):
    """Framer's UNet under ComfyUI's samplers."""

    def __init__(self, config: supported_models.SVD_img2vid, state: State) -> None:
        # The parent would build Stable Video Diffusion's UNet.
        model_base.BaseModel.__init__(
            self, config, model_base.ModelType.V_PREDICTION_EDM, unet_model=partial(network, Unet, state)
        )

    def extra_conds(self, **conds: Any) -> dict[str, Any]:
        """Conditioning of the UNet and the ControlNet besides the noise; ``framer`` is a `framer.Told`."""
        told, noise = conds.get("framer"), conds["noise"]
        if told is None:
            raise InputError("the conditioning is not Framer's: connect Framer Conditioning")
        if told.ends.shape[-2:] != noise.shape[-2:] or len(noise) < 3:
            height, width = (8 * side for side in noise.shape[-2:])
            raise InputError(f"the latent has {len(noise)} frames of {width}x{height}: use the one from Framer Conditioning")
        context = conds["cross_attn"]
        if context.shape[-1] != self.diffusion_model.sizes.context:
            raise InputError(
                f"the CLIP vision model gives {context.shape[-1]} values per picture, and Framer takes "
                f"{self.diffusion_model.sizes.context}: use the model from Stable Video Diffusion's checkpoint"
            )
        beside = framer.condition(told.ends.to(noise), len(noise), self.diffusion_model.mask_token)
        return {
            "c_concat": comfy.conds.CONDNoiseShape(beside),
            "c_crossattn": comfy.conds.CONDCrossAttn(context),
            "y": comfy.conds.CONDRegular(told.ids[None]),
            "num_video_frames": comfy.conds.CONDConstant(len(noise)),
        }


class Steering(ControlBase):
    """Framer's ControlNet. Its hints are heat-maps [F,3,H,W], 0..1; ComfyUI's Apply ControlNet can supply them too."""

    def __init__(self, patcher: CoreModelPatcher, dtype: torch.dtype) -> None:
        super().__init__()
        self.patcher, self.dtype = patcher, dtype
        self.tracks: Tracks | None = None
        self._forget()

    def _forget(self) -> None:
        self.hints: Tensor | None = None
        self.refresh: Refresh | None = None
        self.sigma: float | None = None
        self.seen: dict[int, Tensor] = {}

    def following(self, tracks: Tracks, strength: float, during: tuple[float, float], refine: bool) -> Steering:
        """The same network, steered by ``tracks`` of the working size and number of frames; see `framer.Drawing`."""
        own = self.copy().set_cond_hint(framer.maps(tracks) / 255, strength, during)
        own.tracks = tracks if refine else None
        return own

    def copy(self) -> Steering:
        own = Steering(self.patcher, self.dtype)
        self.copy_to(own)
        own.tracks = self.tracks
        return own

    def get_models(self) -> list[CoreModelPatcher]:
        return [*super().get_models(), self.patcher]

    def pre_run(self, model: model_base.BaseModel, percent_to_timestep_function: Callable[[float], float]) -> None:
        super().pre_run(model, percent_to_timestep_function)
        self._forget()
        self.sampling = model.model_sampling
        self.refresh = None if self.tracks is None else Refresh(self.tracks)

    def cleanup(self) -> None:
        super().cleanup()
        self._forget()

    def get_control(
        self, x_noisy: Tensor, t: Tensor, cond: Mapping[str, Any], batched_number: int, transformer_options: dict[str, Any]
    ) -> dict[str, list[Tensor]] | None:
        before = self.previous_controlnet
        given = None if before is None else before.get_control(x_noisy, t, cond, batched_number, transformer_options)
        frames = cond["num_video_frames"]
        if self.refresh is not None:
            self._refresh(float(t[0]), frames, transformer_options)
        if self.timestep_range is not None and not self.timestep_range[1] <= t[0] <= self.timestep_range[0]:
            return given
        like = torch.empty((), dtype=self.dtype, device=x_noisy.device)
        noisy = torch.cat((self.sampling.calculate_input(t, x_noisy), cond["c_concat"].to(x_noisy)), dim=1)
        context, ids = (cond[key][::frames].to(like) for key in ("c_crossattn", "y"))
        net = self.patcher.model
        with room(frames, x_noisy):
            if self.hints is None:
                self.hints = net.hints((255 * self.cond_hint_original).to(like))
            time = self.sampling.timestep(t)[::frames].float()
            made = net(clips(noisy.to(like), frames), time, context, ids, self.hints)
        return self.control_merge({"input": [], "middle": [made.middle], "output": list(made.across)}, given, None)

    def _refresh(self, sigma: float, frames: int, options: dict[str, Any]) -> None:
        """Bend the tracks by the features of the previous step, if this is the first pass of a new step."""
        options[WATCH] = self._note
        if self.sigma is not None and sigma != self.sigma and 0 in self.seen:
            strength = edm.guidance(frames, *options[GUIDANCE]) if GUIDANCE in options else torch.ones(frames)
            features = edm.guided(torch.stack((self.seen.get(1, self.seen[0]), self.seen[0])), strength)[0]
            self.cond_hint_original = framer.maps(self.refresh(features)) / 255
            self.hints, self.seen = None, {}
        self.sigma = sigma

    def _note(self, features: Tensor, kinds: list[int]) -> None:
        """Keep the features [B,F,C,h,w] of a pass; ``kinds`` of its rows: 0 with the keyframes, 1 without."""
        self.seen |= {kind: row.float().cpu() for kind, row in zip(kinds, features, strict=True)}


def model(state: State) -> CoreModelPatcher:
    """A MODEL with Framer's UNet. Raises `InputError` for other weights."""
    dtype, cast = precision(state)
    config = supported_models.SVD_img2vid({})
    config.set_inference_dtype(dtype, cast)
    return held(Model(config, state))


def control_net(state: State) -> Steering:
    """A CONTROL_NET with Framer's ControlNet. Raises `InputError` for other weights."""
    dtype, cast = precision(state)
    net = network(svd.ControlNet, state, dtype, comfy.ops.pick_operations(dtype, cast))
    return Steering(held(net), cast or dtype)


def network(kind: type[nn.Module], state: State, dtype: torch.dtype, operations: Any, **others: Any) -> nn.Module:
    """A network with ComfyUI's ``operations`` and attention and the weights in ``dtype``; it can be cancelled within a step."""
    net = svd.loaded(kind, {key: value.to(dtype) for key, value in state.items()}, building(dtype, operations))
    net.dtype = dtype
    interruptible((*net.down_blocks, net.mid_block, *getattr(net, "up_blocks", ())))
    return net


@dataclass(frozen=True)
class Pair:
    """The two networks of Generative Inbetweening, and the precision they compute in. They run together, which none of
    ComfyUI's samplers supports."""

    forward: CoreModelPatcher
    backward: CoreModelPatcher
    dtype: torch.dtype

    @classmethod
    def of(cls, forward: State, backward: State) -> Pair:
        """Both networks from their weights. Raises `InputError` for weights of other networks."""
        dtype, cast = precision(forward)
        operations = comfy.ops.pick_operations(dtype, cast)
        return cls(*(held(network(svd.UNet, state, dtype, operations)) for state in (forward, backward)), cast or dtype)

    @torch.no_grad()
    def between(self, coders: Coders, first: Tensor, last: Tensor, frames: int, drawing: svdkfi.Drawing) -> Tensor:
        """Clip from one keyframe [3,h,w] to another, [F,3,h,w] 0..1, drawn under ComfyUI's progress bar."""
        keyframes.check(first, last, frames)
        noise, draw = keyframes.noise(drawing.seed), edm.noise_of(drawing.seed)
        told = keyframes.condition_on(coders, first, last, drawing.augmentation, noise, torch.zeros(()), shared=True)
        device, size = self.forward.load_device, (frames, *told[0].shape[1:])
        model_management.load_models_gpu([self.forward, self.backward], memory_required=2 * math.prod(size) * WORK)
        both = svdkfi.Inbetweening(self.forward.model, self.backward.model, coders)
        progress = Progress(self.forward, drawing.steps)
        with room(frames, told[0]):
            latents = both.latents(
                *(part.to(device, self.dtype) for part in told), draw((1, *size)).to(device), drawing, draw,
                lambda step: progress(step.number, step.clean[0], step.latents[0], step.steps),
            )  # fmt: skip
        return keyframes.decode_frames(coders, latents[0].cpu(), torch.zeros(()))


def sample(
    model: CoreModelPatcher,
    positive: list[Any],
    negative: list[Any],
    latents: Tensor,
    *,
    steps: int,
    seed: int,
    each: Progress,
    mask: Tensor | None = None,
    denoise: float = 1.0,
) -> Tensor:
    """Latents as from KSampler with euler and karras, but with our own progress bar."""
    noise = comfy.sample.prepare_noise(latents, seed)
    return comfy.sample.sample(
        *(model, noise, steps, 1.0, "euler", "karras", positive, negative, latents),
        denoise=denoise, noise_mask=mask, callback=each, disable_pbar=not utils.PROGRESS_BAR_ENABLED, seed=seed,
    )  # fmt: skip
