"""Nodes of Framer: its files become a MODEL and a CONTROL_NET, two keyframes become their conditioning.

Sampling and decoding are done by ComfyUI's own nodes. Of its VAE and CLIP_VISION only the public methods are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import folder_paths
import torch
from comfy_api.latest import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.tracks import Tracks
from ..vfi.tracks.arrays import of_core
from ..vfi.tween import edm, files, framer, keyframes, svd
from ..vfi.tween.edm import GuidanceCurve
from ..vfi.tween.fit import Fit, Pixels
from ..vfi.tween.framer import Drawing
from ..vfi.tween.keyframes import Coders
from ..vfi.tween.vision import squeezed
from .tracks import shown

CATEGORY = "Inbetween/tweening"

NO_CONTROL = "none"

LICENCE = (
    "Framer's weights are for academic and other non-commercial use; Stable Video Diffusion, of which they were made, has a "
    "licence of its own from Stability AI."
)


@dataclass(frozen=True)
class Told:
    """What the conditioning carries: latents of the keyframes [2,4,h,w], the numbers of `keyframes.Drawing.ids`, how pictures
    were brought to size, and of how many frames the clip is to be."""

    ends: Tensor
    ids: Tensor
    fit: Fit
    frames: int


def internals() -> ModuleType:
    """`_comfy_framer`, which needs more of ComfyUI than other nodes do. Raises `InputError` where that is not there."""
    try:
        from . import _comfy_framer
    except (ImportError, AttributeError) as error:
        raise InputError(f"Framer's nodes do not know this version of ComfyUI: {error}") from error
    return _comfy_framer


# --- loading ------------------------------------------------------------------------------------------------------------------


class FramerLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFramerLoader",
            display_name="Framer Loader",
            category=CATEGORY,
            description="Loads Framer, which draws the frames between two keyframes with Stable Video Diffusion. " + LICENCE,
            search_aliases=["framer", "svd", "diffusion tweening", "keyframe interpolation", "drag", "aim-uofa"],
            inputs=[
                io.Combo.Input(
                    "unet",
                    options=folder_paths.get_filename_list("diffusion_models"),
                    tooltip=f"Framer's UNet in diffusers' form, in models/diffusion_models. {LICENCE}",
                ),
                io.Combo.Input(
                    "control_net",
                    display_name="control net",
                    options=[NO_CONTROL, *folder_paths.get_filename_list("controlnet")],
                    default=NO_CONTROL,
                    tooltip="Framer's ControlNet in diffusers' form, in models/controlnet. Only tracks need it.",
                ),
            ],
            outputs=[
                io.Model.Output("model", tooltip="For KSampler (euler, karras), LoRA loaders and Framer Tween."),
                io.ControlNet.Output("control_net", tooltip="For Framer Apply Tracks and Framer Tween; empty for none."),
            ],
        )

    @classmethod
    def execute(cls, unet: str, control_net: str) -> io.NodeOutput:
        sizes, model = files.made(path_of("diffusion_models", unet), unet_of)
        if control_net == NO_CONTROL:
            return io.NodeOutput(model, None)
        return io.NodeOutput(model, files.made(path_of("controlnet", control_net), lambda state: control_of(state, sizes)))


def unet_of(state: svd.State) -> tuple[svd.Sizes, Any]:
    """A MODEL of these weights, and their sizes. Raises `InputError`."""
    wanted(state, "Framer's UNet")
    sizes = svd.Sizes.read(state)
    framer.check(sizes)
    return sizes, internals().model(state)


def control_of(state: svd.State, unet: svd.Sizes) -> Any:
    """A CONTROL_NET of these weights, for a UNet of those sizes. Raises `InputError`."""
    wanted(state, "Framer's ControlNet")
    framer.check(unet, svd.Sizes.read(state))
    return internals().control_net(state)


def wanted(state: svd.State, kind: str) -> None:
    """That weights are what `svd.looks_like` calls ``kind``."""
    if (found := svd.looks_like(state)) != kind:
        raise InputError(f"these weights are {found}: {kind} is wanted")


def path_of(folder: str, name: str) -> Path:
    """A file of ComfyUI's. Raises `InputError` where it has gone."""
    if path := folder_paths.get_full_path(folder, name):
        return Path(path)
    raise InputError(f"models/{folder} holds no {name!r}: put it there, or choose another")


# --- conditioning -------------------------------------------------------------------------------------------------------------


def size_inputs(name: str = "Framer", size: Pixels = framer.SIZE, frames: int = framer.FRAMES) -> list[io.Input]:
    """At which size, and how many frames, what is called so draws; ``size`` and ``frames`` are what it learned."""
    width, height = size
    return [
        io.Int.Input(
            "width",
            default=width,
            min=keyframes.LEAST,
            max=4096,
            step=keyframes.CELL,
            tooltip=f"Width of the frames. {name} learned {width}x{height}. Keyframes of another shape are cut at the sides.",
        ),
        io.Int.Input(
            "height",
            default=height,
            min=keyframes.LEAST,
            max=4096,
            step=keyframes.CELL,
            tooltip="Height of the frames.",
        ),
        io.Int.Input(
            "frames",
            default=frames,
            min=3,
            max=256,
            tooltip=f"How many frames the clip has, both keyframes among them. {name} learned {frames}.",
        ),
    ]


def clip_inputs(motion: float = Drawing.motion) -> list[io.Input]:
    """What the network is told of the clip."""
    return [
        io.Int.Input(
            "fps",
            default=Drawing.fps,
            min=1,
            max=30,
            tooltip="Frames a second that the clip is to look like; how it is played is another matter.",
        ),
        io.Int.Input(
            "motion_bucket",
            display_name="motion bucket",
            default=round(motion),
            min=0,
            max=255,
            tooltip="How much is to move: 0 little, 255 much.",
        ),
        io.Float.Input(
            "augmentation",
            default=Drawing.augmentation,
            min=0.0,
            max=1.0,
            step=0.01,
            optional=True,
            advanced=True,
            tooltip="Noise in the keyframes that are told, which lets the frames depart from them.",
        ),
    ]


class FramerConditioning(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFramerConditioning",
            display_name="Framer Conditioning",
            category=CATEGORY,
            description="Tells Framer what the first and the last frame are, and what clip is to come of them.",
            search_aliases=["framer", "start frame", "end frame", "first last frame", "keyframes", "img2vid"],
            inputs=[
                *keyframe_inputs(),
                *coder_inputs(),
                *size_inputs(),
                *clip_inputs(),
                io.Int.Input(
                    "augmentation_seed",  # were it called seed, ComfyUI would draw another one after every run
                    display_name="augmentation seed",
                    default=0,
                    min=0,
                    max=2**64 - 1,
                    optional=True,
                    advanced=True,
                    tooltip="Which noise that is; the noise that frames are drawn from is KSampler's.",
                ),
            ],
            outputs=[
                io.Conditioning.Output("positive", tooltip="With the keyframes."),
                io.Conditioning.Output("negative", tooltip="Without them, for guidance."),
                io.Latent.Output("latent", tooltip="An empty latent for KSampler, at denoise 1."),
            ],
        )

    @classmethod
    def execute(
        cls,
        start: Tensor,
        end: Tensor,
        vae: Any,
        clip_vision: Any,
        width: int,
        height: int,
        frames: int,
        fps: int,
        motion_bucket: int,
        augmentation: float = Drawing.augmentation,
        augmentation_seed: int = 0,
    ) -> io.NodeOutput:
        drawing = Drawing(fps=fps, motion=motion_bucket, augmentation=augmentation, seed=augmentation_seed)
        pair = fitted_keyframes(start, end, (width, height))
        rows = conditioned(coders_of(vae, clip_vision), *pair, frames, drawing)
        return io.NodeOutput(*rows, {"samples": empty(frames, (width, height))})


def empty(frames: int, size: tuple[int, int]) -> Tensor:
    """Latents of nothing."""
    return torch.zeros(frames, 4, size[1] // keyframes.CELL, size[0] // keyframes.CELL)


def keyframe_inputs() -> list[io.Input]:
    """Between what frames are drawn; `fitted` takes them."""
    return [
        io.Image.Input("start", tooltip="The first frame, or a clip of which the first is taken."),
        io.Image.Input("end", tooltip="The last frame, or a clip of which the last is taken."),
    ]


def coder_inputs() -> list[io.Input]:
    """What turns pictures into what Framer takes."""
    own = "from Load Checkpoint Image Only on Stable Video Diffusion's checkpoint"
    return [
        io.Vae.Input("vae", tooltip=f"The VAE, {own}."),
        io.ClipVision.Input("clip_vision", display_name="clip vision", tooltip=f"CLIP's vision model, {own}."),
    ]


def coders_of(vae: Any, clip_vision: Any) -> Coders:
    """ComfyUI's VAE and CLIP_VISION as the library takes them. Pictures are squeezed as Framer's were in training."""

    def embed(rgb: Tensor) -> Tensor:
        small = squeezed(rgb, getattr(clip_vision, "image_size", 224))
        return clip_vision.encode_image(small.movedim(1, -1), crop=False).image_embeds

    def encode(rgb: Tensor) -> Tensor:
        latents = vae.encode(rgb.movedim(1, -1))
        if latents.ndim != 4 or latents.shape[1] != 4:
            raise InputError(f"the VAE gives latents of shape {list(latents.shape)}: Stable Video Diffusion's is needed")
        return latents

    return Coders(encode, lambda latents: vae.decode(latents).movedim(-1, 1), embed)


def fitted_keyframes(start: Tensor, end: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor, Fit]:
    """The first picture of one IMAGE and the last of another at ``size``, [3,h,w] each, and how the first was brought to it."""
    pictures = [shown(start, 0), shown(end, -1)]
    fits = [Fit.middle((picture.shape[2], picture.shape[1]), size) for picture in pictures]
    first, last = (fit.pictures(picture[None])[0] for fit, picture in zip(fits, pictures, strict=True))
    return first, last, fits[0]


def conditioned(coders: Coders, first: Tensor, last: Tensor, fit: Fit, frames: int, drawing: Drawing) -> tuple[Any, Any]:
    """Two CONDITIONINGs: with the keyframes [3,h,w], and without."""
    keyframes.check(first, last, frames)
    noise = keyframes.noise(drawing.seed)
    ends, tokens = keyframes.condition_on(coders, first, last, drawing.augmentation, noise, torch.zeros(()))
    return tuple([[share * tokens[None], {"framer": Told(share * ends, drawing.ids(), fit, frames)}]] for share in (1, 0))


# --- tracks -------------------------------------------------------------------------------------------------------------------


class FramerApplyTracks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFramerApplyTracks",
            display_name="Framer Apply Tracks",
            category=CATEGORY,
            description="Steers Framer by tracks: points of the first frame go where they lead.",
            search_aliases=["framer", "trajectory", "drag", "autopilot", "point tracks", "controlnet"],
            inputs=[
                io.Conditioning.Input("positive", tooltip="From Framer Conditioning."),
                io.Conditioning.Input("negative", tooltip="From Framer Conditioning."),
                io.ControlNet.Input("control_net", display_name="control net", tooltip="From Framer Loader."),
                io.Tracks.Input(
                    "tracks",
                    tooltip="Where points go, in pixels of the picture that was the start: from Track Editor (a drag) or Match "
                    "Keyframes (autopilot).",
                ),
                *steering_inputs(),
                io.Float.Input(
                    "start_percent",
                    display_name="start percent",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    optional=True,
                    advanced=True,
                    tooltip="From which share of the noise on they steer, as in Apply ControlNet.",
                ),
                io.Float.Input(
                    "end_percent",
                    display_name="end percent",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    optional=True,
                    advanced=True,
                    tooltip="Until which share of the noise they steer.",
                ),
            ],
            outputs=[
                io.Conditioning.Output("positive", tooltip="With the tracks."),
                io.Conditioning.Output("negative", tooltip="With the tracks."),
            ],
        )

    @classmethod
    def execute(
        cls,
        positive: list[Any],
        negative: list[Any],
        control_net: Any,
        tracks: Mapping[str, Any],
        strength: float,
        refine: bool = False,
        start_percent: float = 0.0,
        end_percent: float = 1.0,
    ) -> io.NodeOutput:
        told = positive[0][1].get("framer")
        if told is None:
            raise InputError("the conditioning is not Framer's: connect that of Framer Conditioning")
        led = told.fit.tracks(of_core(tracks, told.fit.part)).resampled(told.frames)
        drawing = Drawing(strength=strength, during=(start_percent, end_percent), refine=refine)
        return io.NodeOutput(*steered(positive, negative, control_net, led, drawing))


def steering_inputs() -> list[io.Input]:
    """How tracks steer."""
    return [
        io.Float.Input(
            "strength",
            default=Drawing.strength,
            min=0.0,
            max=2.0,
            step=0.05,
            tooltip=f"How much they steer: 1 for tracks that are drawn, {framer.AUTOPILOT:g} for points that were matched.",
        ),
        io.Boolean.Input(
            "refine",
            default=False,
            optional=True,
            advanced=True,
            tooltip="After each step, bend tracks to where points are in what has been drawn. How good that is is unmeasured.",
        ),
    ]


def steered(
    positive: list[Any], negative: list[Any], control_net: Any, tracks: Tracks, drawing: Drawing
) -> tuple[list[Any], list[Any]]:
    """Both CONDITIONINGs with Framer's ControlNet, led by ``tracks`` of the working size and number of frames.

    Raises `InputError`.
    """
    if not tracks.count or drawing.strength == 0:
        return positive, negative
    if not hasattr(control_net, "following"):
        raise InputError("the control net is not Framer's: connect that of Framer Loader, and choose one there")
    control = control_net.following(tracks, drawing.strength, drawing.during, drawing.refine)
    control.set_previous_controlnet(positive[0][1].get("control"))
    extra = {"control": control, "control_apply_to_uncond": False}
    return tuple([[tokens, {**told, **extra}] for tokens, told in rows] for rows in (positive, negative))


# --- guidance -----------------------------------------------------------------------------------------------------------------


class CfgCurve(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenCfgCurve",
            display_name="CFG Curve",
            category=CATEGORY,
            description="Guides each frame by a strength of its own, in place of KSampler's cfg: for Framer, and for Stable "
            "Video Diffusion too.",
            search_aliases=["framer", "guidance", "cfg", "linear cfg", "triangle cfg", "video guidance"],
            inputs=[io.Model.Input("model", tooltip="The model, from Framer Loader."), *guidance_inputs()],
            outputs=[io.Model.Output("model", tooltip="The same model, guided so whatever KSampler's cfg is.")],
        )

    @classmethod
    def execute(cls, model: Any, curve: GuidanceCurve, first: float, last: float) -> io.NodeOutput:
        return io.NodeOutput(guided(model, curve, first, last))


def guidance_inputs() -> list[io.Input]:
    """How strongly frames are guided."""
    first, last = Drawing.guidance
    return [
        io.Combo.Input(
            "curve",
            options=["linear", "triangle"],
            default=Drawing.curve,
            tooltip="linear grows from the first frame to the last; triangle grows to the middle, and falls again.",
        ),
        io.Float.Input(
            "first", default=first, min=0.0, max=100.0, step=0.1, tooltip="cfg of the first frame; of a triangle, of both ends."
        ),
        io.Float.Input(
            "last", default=last, min=0.0, max=100.0, step=0.1, tooltip="cfg of the last frame; of a triangle, of the middle."
        ),
    ]


def guided(model: Any, curve: GuidanceCurve, first: float, last: float) -> Any:
    """A MODEL whose frames are guided along a curve."""

    def cfg(args: Mapping[str, Any]) -> Tensor:
        rows = torch.stack((args["uncond"], args["cond"]))
        return edm.guided(rows, edm.guidance(rows.shape[1], (first, last), curve))[0]

    own = model.clone()
    own.set_model_sampler_cfg_function(cfg, disable_cfg1_optimization=True)
    own.model_options["transformer_options"]["framer_guidance"] = ((first, last), curve)
    return own


# --- all at once --------------------------------------------------------------------------------------------------------------


def drawing_inputs() -> list[io.Input]:
    """How a node draws that does all by itself."""
    return [
        io.Int.Input("steps", default=Drawing.steps, min=1, max=1000, tooltip="In how many steps noise becomes a clip."),
        *guidance_inputs(),
        io.Int.Input("seed", default=0, min=0, max=2**64 - 1, tooltip="The same seed makes the same frames."),
    ]


@dataclass(frozen=True)
class Painter:
    """What draws clips, one after another under one progress bar.

    ``model`` is a MODEL that is guided, ``control_net`` None where no tracks lead, ``each`` is called after each step.
    """

    model: Any
    control_net: Any
    coders: Coders
    drawing: Drawing
    each: Any

    @classmethod
    def of(cls, model: Any, control_net: Any, coders: Coders, drawing: Drawing, clips: int) -> Painter:
        """What draws so many ``clips``."""
        made = guided(model, drawing.curve, *drawing.guidance)
        return cls(made, control_net, coders, drawing, internals().Progress(model, clips * drawing.steps))

    def between(self, first: Tensor, last: Tensor, frames: int, tracks: Tracks | None = None) -> Tensor:
        """The clip from one keyframe [3,h,w] to another: [F,3,h,w] 0..1. ``tracks`` are of its size and number of frames."""
        rows = conditioned(self.coders, first, last, whole(first), frames, self.drawing)
        if tracks is not None:
            rows = steered(*rows, self.control_net, tracks, self.drawing)
        return self._sampled(rows, empty(frames, (first.shape[2], first.shape[1])))

    def over(self, clip: Tensor, mask: Tensor, denoise: float) -> Tensor:
        """A clip [F,3,h,w] drawn anew where ``mask`` [F,h/8,w/8] is 1; see `edm.Known` for ``denoise``."""
        rows = conditioned(self.coders, clip[0], clip[-1], whole(clip[0]), len(clip), self.drawing)
        return self._sampled(rows, self.coders.encode(clip), mask=mask[:, None], denoise=denoise)

    def _sampled(self, rows: tuple[Any, Any], latents: Tensor, **how: Any) -> Tensor:
        steps, seed = self.drawing.steps, self.drawing.seed
        made = internals().sample(self.model, *rows, latents, steps=steps, seed=seed, each=self.each, **how)
        return self.coders.decode(made).float().clamp(0, 1)


def whole(picture: Tensor) -> Fit:
    """All of a picture [3,h,w], as it is."""
    size = picture.shape[2], picture.shape[1]
    return Fit((0, 0), size, size)
