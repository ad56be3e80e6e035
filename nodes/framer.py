"""Framer's nodes: loader, conditioning, tracks and guidance, plus the inputs that all diffusion nodes share.

ComfyUI's own nodes sample and decode. Of its VAE and CLIP_VISION, only the public methods are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

import folder_paths
import torch
from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.model import registry, weights
from ..vfi.tracks import Tracks
from ..vfi.tracks.arrays import of_core
from ..vfi.tween import edm, files, framer, keyframes, svd
from ..vfi.tween.edm import GuidanceCurve
from ..vfi.tween.fit import Fit, Pixels
from ..vfi.tween.framer import Drawing
from ..vfi.tween.keyframes import Coders
from ..vfi.tween.vision import squeezed
from . import bridge
from .node import Node
from .tracks import FIRST, LAST, shown

D = TypeVar("D", bound=keyframes.SvdDrawing)

CATEGORY = "Inbetween/tweening"

NO_CONTROL = "none"

LICENCE = (
    "Framer's weights are for academic and other non-commercial use only. They derive from Stable Video Diffusion, which "
    "has its own licence from Stability AI."
)


@dataclass(frozen=True)
class Told:
    """Framer's entry in the conditioning: latents of the keyframes [2,4,h,w], the numbers of `keyframes.SvdDrawing.ids`, how
    the pictures were resized, and the length of the clip in frames."""

    ends: Tensor
    ids: Tensor
    fit: Fit
    frames: int


def internals() -> ModuleType:
    """`_comfy_framer`, which relies on ComfyUI internals. Raises `InputError` if this version lacks them."""
    try:
        from . import _comfy_framer
    except (ImportError, AttributeError) as error:
        raise InputError(f"Framer's nodes do not support this version of ComfyUI: {error}") from error
    return _comfy_framer


# --- loading ------------------------------------------------------------------------------------------------------------------


class FramerLoader(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFramerLoader",
            display_name="Framer Loader",
            category=CATEGORY,
            description="Loads Framer, which generates the frames between two keyframes. " + LICENCE,
            search_aliases=["framer", "svd", "diffusion tweening", "keyframes", "drag", "aim-uofa"],
            is_experimental=True,  # never run with published weights
            inputs=[
                io.Combo.Input(
                    "unet",
                    options=files_in("diffusion_models"),
                    tooltip=f"Framer's UNet in diffusers format, in models/diffusion_models, or framer-unet, which `vfi models "
                    f"fetch framer` brings. {LICENCE}",
                ),
                io.Combo.Input(
                    "control_net",
                    display_name="control net",
                    options=[NO_CONTROL, *files_in("controlnet")],
                    default=NO_CONTROL,
                    tooltip="Framer's ControlNet in diffusers format, in models/controlnet. Only tracks need it.",
                ),
            ],
            outputs=[
                io.Model.Output("model", tooltip="For KSampler (euler, karras), LoRA loaders and Framer Tween."),
                io.ControlNet.Output(
                    "control_net",
                    display_name="control net",
                    tooltip="For Framer Apply Tracks and Framer Tween; empty for none.",
                ),
            ],
        )

    @classmethod
    def execute(cls, unet: str, control_net: str) -> io.NodeOutput:
        sizes, model = files.made(path_of("diffusion_models", unet), unet_of)
        if control_net == NO_CONTROL:
            return io.NodeOutput(model, None)
        return io.NodeOutput(model, files.made(path_of("controlnet", control_net), lambda state: control_of(state, sizes)))


def unet_of(state: svd.State) -> tuple[svd.Sizes, Any]:
    """Sizes of the weights, and a MODEL made from them. Raises `InputError`."""
    wanted(state, "Framer's UNet")
    sizes = svd.Sizes.read(state)
    framer.check(sizes)
    return sizes, internals().model(state)


def control_of(state: svd.State, unet: svd.Sizes) -> Any:
    """A CONTROL_NET made from the weights, for a UNet of the given sizes. Raises `InputError`."""
    wanted(state, "Framer's ControlNet")
    framer.check(unet, svd.Sizes.read(state))
    return internals().control_net(state)


def wanted(state: svd.State, kind: str) -> None:
    """Check that `svd.looks_like` calls the weights ``kind``. Raises `InputError`."""
    if (found := svd.looks_like(state)) != kind:
        raise InputError(f"these weights are {found}: {kind} is needed")


def files_in(folder: str) -> list[str]:
    """The files in one of ComfyUI's model folders, then the names of those of the catalogue in the library's cache."""
    rows = (row for row in registry.others().values() if row.folder == folder)
    fetched = [row.name for row in rows if weights.on_disk(row, [weights.cache_folder()])]
    return [*folder_paths.get_filename_list(folder), *fetched]


def path_of(folder: str, name: str) -> Path:
    """Path of what `files_in` lists. Raises `InputError` if it is missing."""
    if row := registry.others().get(name):
        return weights.find(row.name, [*map(Path, folder_paths.get_folder_paths(folder)), weights.cache_folder()])
    if path := folder_paths.get_full_path(folder, name):
        return Path(path)
    raise InputError(f"models/{folder} has no {name!r}: put it there or choose another file")


# --- conditioning -------------------------------------------------------------------------------------------------------------


def size_inputs(name: str = "Framer", size: Pixels = framer.SIZE, frames: int = framer.FRAMES) -> list[io.Input]:
    """Size and length of the clip; the model called ``name`` was trained on ``size`` and ``frames``."""
    width, height = size
    return [
        io.Int.Input(
            "width",
            default=width,
            min=keyframes.LEAST,
            max=4096,
            step=keyframes.CELL,
            tooltip=f"Width of the frames. {name} was trained on {width}x{height}. Other aspect ratios are centre-cropped.",
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
            tooltip=f"Number of frames, both keyframes included. {name} was trained on {frames}.",
        ),
    ]


def clip_inputs(motion: float = Drawing.motion) -> list[io.Input]:
    """Micro-conditioning of the clip; ``motion`` is the default motion bucket."""
    return [
        io.Int.Input(
            "fps",
            default=Drawing.fps,
            min=1,
            max=30,
            advanced=True,
            tooltip="Frame rate the clip should look like; the playback rate is independent of it.",
        ),
        io.Int.Input(
            "motion_bucket",
            display_name="motion bucket",
            default=round(motion),
            min=0,
            max=255,
            advanced=True,
            tooltip="Motion bucket: 0 for little motion, 255 for a lot.",
        ),
        io.Float.Input(
            "augmentation",
            default=Drawing.augmentation,
            min=0.0,
            max=1.0,
            step=0.01,
            optional=True,
            advanced=True,
            tooltip="Noise added to the keyframes; more lets the frames depart from them further.",
        ),
    ]


class FramerConditioning(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFramerConditioning",
            display_name="Framer Conditioning",
            category=CATEGORY,
            description="Conditions Framer on the first and the last frame, and on the size and motion of the clip.",
            search_aliases=["framer", "start frame", "end frame", "first last frame", "keyframes", "img2vid"],
            is_experimental=True,  # never run with published weights
            inputs=[
                *keyframe_inputs(),
                *coder_inputs(),
                *size_inputs(),
                *clip_inputs(),
                io.Int.Input(
                    "augmentation_seed",  # not "seed": ComfyUI would randomise that after every run
                    display_name="augmentation seed",
                    default=0,
                    min=0,
                    max=2**64 - 1,
                    optional=True,
                    advanced=True,
                    tooltip="Seed of the noise augmentation only; the sampling noise is KSampler's.",
                ),
            ],
            outputs=[
                io.Conditioning.Output("positive", tooltip="Conditioning with the keyframes."),
                io.Conditioning.Output("negative", tooltip="Conditioning without the keyframes, for guidance."),
                io.Latent.Output("latent", tooltip="An empty latent for KSampler, at denoise 1."),
            ],
        )

    @classmethod
    def execute(cls, start: Tensor, end: Tensor, augmentation_seed: int = 0, **shared: Any) -> io.NodeOutput:
        settings = Settings.of(Drawing, seed=augmentation_seed, **shared)
        rows = conditioned(settings, *fitted_keyframes(start, end, settings.size), settings.frames)
        return io.NodeOutput(*rows, {"samples": empty(settings.frames, settings.size)})


@dataclass(frozen=True)
class Settings(Generic[D]):
    """Inputs shared by all nodes that draw a clip, in the library's terms."""

    vae: Any
    clip_vision: Any
    size: Pixels
    frames: int
    drawing: D

    @property
    def coders(self) -> Coders:
        """The VAE and the CLIP vision model of Stable Video Diffusion."""
        return coders_of(self.vae, self.clip_vision)

    @classmethod
    def of(
        cls, kind: type[D], *, vae: Any, clip_vision: Any, width: int, height: int, frames: int, motion_bucket: int, **rest: Any
    ) -> Settings[D]:
        """Settings from node inputs; ``rest`` holds first and last cfg, and fields of ``kind``. Raises `InputError`."""
        guidance = tuple(rest.pop(end, usual) for end, usual in zip(("first", "last"), kind.guidance, strict=True))
        drawing = kind(motion=motion_bucket, guidance=guidance, **rest)
        return cls(vae, clip_vision, (width, height), frames, drawing)

    def check_room(self) -> None:
        """Raises `InputError` if the clip needs more memory than is free."""
        bridge.room(self.frames, (self.size[1], self.size[0], 3))


def empty(frames: int, size: tuple[int, int]) -> Tensor:
    """Empty latents [F,4,h/8,w/8] for a clip of ``size``."""
    return torch.zeros(frames, 4, size[1] // keyframes.CELL, size[0] // keyframes.CELL)


def keyframe_inputs() -> list[io.Input]:
    """The two keyframes, as `fitted_keyframes` takes them."""
    return [io.Image.Input("start", tooltip=FIRST), io.Image.Input("end", tooltip=LAST)]


def coder_inputs() -> list[io.Input]:
    """The VAE and CLIP vision model of Stable Video Diffusion, as `coders_of` takes them."""
    own = "from Load SVD VAE and CLIP Vision, or from Load Checkpoint Image Only with Stable Video Diffusion's checkpoint"
    return [
        io.Vae.Input("vae", tooltip=f"The VAE, {own}."),
        io.ClipVision.Input("clip_vision", display_name="clip vision", tooltip=f"CLIP's vision model, {own}."),
    ]


def coders_of(vae: Any, clip_vision: Any) -> Coders:
    """ComfyUI's VAE and CLIP_VISION as the library's `Coders`. CLIP sees pictures squeezed to a square, as in training."""

    def embed(rgb: Tensor) -> Tensor:
        small = squeezed(rgb, getattr(clip_vision, "image_size", 224))
        return clip_vision.encode_image(small.movedim(1, -1), crop=False).image_embeds

    def encode(rgb: Tensor) -> Tensor:
        latents = vae.encode(rgb.movedim(1, -1))
        if latents.ndim != 4 or latents.shape[1] != 4:
            raise InputError(f"the VAE's latents have the shape {list(latents.shape)}: Stable Video Diffusion's VAE is needed")
        return latents

    return Coders(encode, lambda latents: vae.decode(latents).movedim(-1, 1), embed)


def fitted_keyframes(start: Tensor, end: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor, Fit]:
    """The first picture of ``start`` and the last of ``end`` at ``size``, [3,h,w] each, and how the first was resized."""
    pictures = [shown(start, 0), shown(end, -1)]
    fits = [Fit.middle((picture.shape[2], picture.shape[1]), size) for picture in pictures]
    first, last = (fit.pictures(picture[None])[0] for fit, picture in zip(fits, pictures, strict=True))
    return first, last, fits[0]


def coloured(images: Tensor) -> Tensor:
    """The pictures of an IMAGE in colour, [T,3,H,W] float32."""
    return images[..., :3].movedim(-1, 1).float().expand(-1, 3, -1, -1)


def conditioned(settings: Settings[Drawing], first: Tensor, last: Tensor, fit: Fit, frames: int) -> tuple[Any, Any]:
    """Two CONDITIONINGs for a clip of ``frames``: with the keyframes [3,h,w], and without."""
    keyframes.check(first, last, frames)
    coders, drawing = settings.coders, settings.drawing
    noise = keyframes.noise(drawing.seed)
    ends, tokens = keyframes.condition_on(coders, first, last, drawing.augmentation, noise, torch.zeros(()))
    return tuple([[share * tokens[None], {"framer": Told(share * ends, drawing.ids(), fit, frames)}]] for share in (1, 0))


# --- tracks -------------------------------------------------------------------------------------------------------------------


class FramerApplyTracks(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenFramerApplyTracks",
            display_name="Framer Apply Tracks",
            category=CATEGORY,
            description="Steers Framer with tracks: points of the first frame move along them.",
            search_aliases=["framer", "trajectory", "drag", "autopilot", "point tracks", "controlnet"],
            is_experimental=True,  # never run with published weights
            inputs=[
                io.Conditioning.Input("positive", tooltip="From Framer Conditioning."),
                io.Conditioning.Input("negative", tooltip="From Framer Conditioning."),
                io.ControlNet.Input("control_net", display_name="control net", tooltip="From Framer Loader."),
                io.Tracks.Input(
                    "tracks",
                    tooltip="Point tracks in pixels of start, from Track Editor (drag) or Match Keyframes (autopilot).",
                ),
                *steering_inputs(),
                *during_inputs(),
            ],
            outputs=[
                io.Conditioning.Output("positive", tooltip="The conditioning, with the tracks."),
                io.Conditioning.Output("negative", tooltip="The conditioning, with the tracks."),
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
            raise InputError("the conditioning is not Framer's: connect Framer Conditioning")
        led = fitted_tracks(tracks, told.fit, told.frames)
        drawing = Drawing(strength=strength, during=(start_percent, end_percent), refine=refine)
        return io.NodeOutput(*steered(positive, negative, control_net, led, drawing))


def fitted_tracks(tracks: Mapping[str, Any], fit: Fit, frames: int) -> Tracks:
    """TRACKS on a picture as tracks on that picture resized, at ``frames`` frames. Raises `InputError`."""
    return fit.tracks(of_core(tracks, fit.part)).resampled(frames)


def steering_inputs() -> list[io.Input]:
    """Strength and refinement of tracks."""
    return [
        io.Float.Input(
            "strength",
            default=Drawing.strength,
            min=0.0,
            max=2.0,
            step=0.05,
            tooltip=f"Strength of the tracks: 1 for drawn tracks, {framer.AUTOPILOT:g} for matched points.",
        ),
        io.Boolean.Input(
            "refine",
            default=False,
            optional=True,
            advanced=True,
            tooltip="After each step, bend tracks to where points appear in the frames so far. Its benefit is unmeasured.",
        ),
    ]


def steered(
    positive: list[Any], negative: list[Any], control_net: Any, tracks: Tracks, drawing: Drawing
) -> tuple[list[Any], list[Any]]:
    """Both CONDITIONINGs with Framer's ControlNet, steered by ``tracks`` of the working size and number of frames.

    Raises `InputError`.
    """
    if not tracks.count or drawing.strength == 0:
        return positive, negative
    if not hasattr(control_net, "following"):
        raise InputError("the control net is not Framer's: connect Framer Loader and choose one there")
    control = control_net.following(tracks, drawing.strength, drawing.during, drawing.refine)
    return controlled(positive, negative, control)


def during_inputs() -> list[io.Input]:
    """The part of the sampling in which a control steers."""
    return [
        io.Float.Input(
            "start_percent",
            display_name="start percent",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.001,
            optional=True,
            advanced=True,
            tooltip="Start of the steering, as a share of the sampling, as in Apply ControlNet.",
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
            tooltip="End of the steering, as a share of the sampling.",
        ),
    ]


def controlled(positive: list[Any], negative: list[Any], control: Any) -> tuple[list[Any], list[Any]]:
    """Both CONDITIONINGs with a control, after any that they have. They share it, so that ComfyUI batches both."""
    control.set_previous_controlnet(positive[0][1].get("control"))
    extra = {"control": control, "control_apply_to_uncond": False}
    return tuple([[tokens, {**told, **extra}] for tokens, told in rows] for rows in (positive, negative))


# --- guidance -----------------------------------------------------------------------------------------------------------------


class CfgCurve(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenCfgCurve",
            display_name="CFG Curve",
            category=CATEGORY,
            description="Gives each frame its own guidance strength in place of KSampler's cfg, for Framer and Stable Video "
            "Diffusion.",
            search_aliases=["framer", "guidance", "cfg", "linear cfg", "triangle cfg", "video guidance"],
            is_experimental=True,  # never run with published weights
            inputs=[io.Model.Input("model", tooltip="The model, from Framer Loader."), *guidance_inputs()],
            outputs=[io.Model.Output("model", tooltip="The same model with this guidance; KSampler's cfg has no effect.")],
        )

    @classmethod
    def execute(cls, model: Any, curve: GuidanceCurve, first: float, last: float) -> io.NodeOutput:
        return io.NodeOutput(guided(model, curve, first, last))


def guidance_inputs() -> list[io.Input]:
    """Guidance of each frame."""
    first, last = Drawing.guidance
    return [
        io.Combo.Input(
            "curve",
            options=["linear", "triangle"],
            default=Drawing.curve,
            tooltip="linear: rises from the first frame to the last. triangle: rises to the middle, then falls.",
        ),
        io.Float.Input(
            "first", default=first, min=0.0, max=100.0, step=0.1, tooltip="cfg of the first frame; for triangle, of both ends."
        ),
        io.Float.Input(
            "last", default=last, min=0.0, max=100.0, step=0.1, tooltip="cfg of the last frame; for triangle, of the middle."
        ),
    ]


def guided(model: Any, curve: GuidanceCurve, first: float, last: float) -> Any:
    """The MODEL with guidance that follows a curve over the frames."""

    def cfg(args: Mapping[str, Any]) -> Tensor:
        rows = torch.stack((args["uncond"], args["cond"]))
        return edm.guided(rows, edm.guidance(rows.shape[1], (first, last), curve))[0]

    own = model.clone()
    own.set_model_sampler_cfg_function(cfg, disable_cfg1_optimization=True)
    own.model_options["transformer_options"]["framer_guidance"] = ((first, last), curve)
    return own


# --- all in one --------------------------------------------------------------------------------------------------------------


def model_inputs() -> list[io.Input]:
    """The model, VAE and CLIP vision model of Framer."""
    return [
        io.Model.Input("model", tooltip="From Framer Loader, or from a LoRA loader after it. Guidance is set below."),
        *coder_inputs(),
    ]


def drawing_inputs(kind: type[keyframes.SvdDrawing] = Drawing) -> list[io.Input]:
    """Sampling and micro-conditioning with the defaults of ``kind``, and guidance if it is Framer's: see `Settings.of`."""
    return [
        io.Int.Input("steps", default=kind.steps, min=1, max=1000, tooltip="Number of denoising steps."),
        *(guidance_inputs() if kind is Drawing else ()),
        io.Int.Input("seed", default=0, min=0, max=2**64 - 1, tooltip="The same seed gives the same frames."),
        *clip_inputs(kind.motion),
    ]


@dataclass(frozen=True)
class Painter:
    """Draws clips, one after another, under one progress bar.

    ``model`` is a guided MODEL, ``control_net`` may be None without tracks, and ``each`` is called after each step.
    """

    model: Any
    control_net: Any
    settings: Settings[Drawing]
    each: Any

    @classmethod
    def of(cls, model: Any, control_net: Any, settings: Settings[Drawing], clips: int) -> Painter:
        """A painter for this many ``clips``. Raises `InputError` if one of them needs more memory than is free."""
        settings.check_room()
        drawing = settings.drawing
        made = guided(model, drawing.curve, *drawing.guidance)
        return cls(made, control_net, settings, internals().Progress(model, clips * drawing.steps))

    def between(self, first: Tensor, last: Tensor, frames: int, tracks: Tracks | None = None) -> Tensor:
        """Clip from one keyframe [3,h,w] to another: [F,3,h,w] 0..1. ``tracks`` have its size and number of frames."""
        rows = conditioned(self.settings, first, last, whole(first), frames)
        if tracks is not None:
            rows = steered(*rows, self.control_net, tracks, self.settings.drawing)
        return self._sampled(rows, empty(frames, (first.shape[2], first.shape[1])))

    def over(self, clip: Tensor, mask: Tensor, denoise: float) -> Tensor:
        """Clip [F,3,h,w] redrawn where ``mask`` [F,h/8,w/8] is 1; see `edm.Known` for ``denoise``."""
        rows = conditioned(self.settings, clip[0], clip[-1], whole(clip[0]), len(clip))
        return self._sampled(rows, self.settings.coders.encode(clip), mask=mask[:, None], denoise=denoise)

    def _sampled(self, rows: tuple[Any, Any], latents: Tensor, **how: Any) -> Tensor:
        drawing = self.settings.drawing
        made = internals().sample(self.model, *rows, latents, steps=drawing.steps, seed=drawing.seed, each=self.each, **how)
        return self.settings.coders.decode(made).float().clamp(0, 1)


def whole(picture: Tensor) -> Fit:
    """The fit that leaves a picture [3,h,w] as it is."""
    size = picture.shape[2], picture.shape[1]
    return Fit((0, 0), size, size)
