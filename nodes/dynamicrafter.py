"""DynamiCrafter's and ToonCrafter's nodes: loader, conditioning, sketches, decoding, and all of it in one node.

ComfyUI's own nodes read texts and sample. Of its VAE and CLIP_VISION, only the public methods are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, get_args

import torch
from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.tween import files, keyframes
from ..vfi.tween.dynamicrafter import checkpoint, drawing
from ..vfi.tween.dynamicrafter.drawing import CELL, FRAMES, SIZE, Drawing, Lines
from ..vfi.tween.fit import Fit, Pixels
from ..vfi.tween.vision import squeezed
from . import bridge
from .framer import (
    CATEGORY,
    NO_CONTROL,
    controlled,
    during_inputs,
    files_in,
    fitted_keyframes,
    keyframe_inputs,
    path_of,
    whole,
)
from .node import Node

LICENCE = (
    "The weights are Apache-2.0 by their authors' word. They derive from Stable Diffusion 2.1, whose use restrictions go "
    "with them."
)

ALIASES = ["dynamicrafter", "tooncrafter", "diffusion tweening", "cartoon interpolation", "anime in-between"]


@dataclass(frozen=True)
class Told:
    """DynamiCrafter's entry in the conditioning: latents of the keyframes [2,4,h,w], CLIP's tokens of the first [1,N,C], the
    frame rate that the network is told, and how the pictures were resized."""

    ends: Tensor
    seen: Tensor
    fps: int
    fit: Fit


def internals() -> ModuleType:
    """`_comfy_dynamicrafter`, which relies on ComfyUI internals. Raises `InputError` if this version lacks them."""
    try:
        from . import _comfy_dynamicrafter
    except (ImportError, AttributeError) as error:
        raise InputError(f"DynamiCrafter's nodes do not support this version of ComfyUI: {error}") from error
    return _comfy_dynamicrafter


def is_ours(model: Any) -> bool:
    """Whether a MODEL is DynamiCrafter's or ToonCrafter's."""
    return getattr(getattr(model, "model", None), "draws", None) == "dynamicrafter"


# --- loading ------------------------------------------------------------------------------------------------------------------


class DynamiCrafterLoader(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenDynamiCrafterLoader",
            display_name="DynamiCrafter Loader",
            category=CATEGORY,
            description="Loads DynamiCrafter or ToonCrafter, which generate 16 frames from one keyframe to another. " + LICENCE,
            search_aliases=ALIASES,
            is_experimental=True,  # never run with published weights
            inputs=[
                io.Combo.Input(
                    "checkpoint",
                    options=files_in("checkpoints"),
                    tooltip="DynamiCrafter 512 Interp or ToonCrafter as safetensors, whole or pruned, in models/checkpoints. "
                    + LICENCE,
                ),
                io.Combo.Input(
                    "control_net",
                    display_name="sketch encoder",
                    options=[NO_CONTROL, *files_in("controlnet")],
                    default=NO_CONTROL,
                    tooltip="ToonCrafter's sketch encoder, in models/controlnet. Only sketches need it.",
                ),
                io.Float.Input(
                    "rescale",
                    default=Drawing.rescale,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    advanced=True,
                    tooltip="Guidance rescale: how far the guided prediction returns to the contrast of the unguided one.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    "model",
                    tooltip="For KSampler (cfg 7.5, euler_ancestral, simple), LoRA loaders and DynamiCrafter Tween.",
                ),
                io.Clip.Output(
                    "clip",
                    tooltip="The text encoder of a whole file. For a pruned file, use Load CLIP with Stable Diffusion 2.1's.",
                ),
                io.ClipVision.Output(
                    "clip_vision",
                    display_name="clip vision",
                    tooltip="The vision model of a whole file. For a pruned file, use Load CLIP Vision with CLIP ViT-H.",
                ),
                io.Vae.Output(
                    "vae", tooltip="The VAE of the file. ToonCrafter's also looks at the keyframes: use DynamiCrafter Decode."
                ),
                io.ControlNet.Output(
                    "control_net", display_name="sketch encoder", tooltip="For Sketch Guidance; empty for none."
                ),
            ],
        )

    @classmethod
    def execute(cls, checkpoint: str, control_net: str, rescale: float = Drawing.rescale) -> io.NodeOutput:
        parts = files.made(path_of("checkpoints", checkpoint), lambda state: parts_of(checkpoint, state, rescale))
        sketch = None
        if control_net != NO_CONTROL:
            sketch = files.made(path_of("controlnet", control_net), internals().control_net)
        return io.NodeOutput(*parts, sketch)


def parts_of(name: str, state: Mapping[str, Tensor], rescale: float) -> tuple[Any, Any, Any, Any]:
    """MODEL, CLIP, CLIP_VISION and VAE of a file's tensors; None for what it lacks. Raises `InputError`."""
    checkpoint.check(state, name)
    own = internals()
    return own.model(state, rescale), own.clip(state), own.clip_vision(state), own.vae(state)


# --- conditioning -------------------------------------------------------------------------------------------------------------


def size_inputs() -> list[io.Input]:
    """Size of the frames."""
    width, height = SIZE
    return [
        io.Int.Input(
            "width",
            default=width,
            min=keyframes.LEAST,
            max=4096,
            step=CELL,
            tooltip=f"Width of the frames. The networks were trained on {width}x{height}. Other shapes are centre-cropped.",
        ),
        io.Int.Input("height", default=height, min=keyframes.LEAST, max=4096, step=CELL, tooltip="Height of the frames."),
    ]


def text_inputs(optional: bool = False) -> list[io.Input]:
    """The texts as CONDITIONING; needed for DynamiCrafter, also if they are empty."""
    own = "Text from CLIP Text Encode with Stable Diffusion 2.1's CLIP; it may be empty."
    only = " Only DynamiCrafter and ToonCrafter need it." if optional else ""
    return [
        io.Conditioning.Input("positive", optional=optional, tooltip=own + only),
        io.Conditioning.Input("negative", optional=optional, tooltip="As positive: text that leads away from it." + only),
    ]


def coder_inputs() -> list[io.Input]:
    """The CLIP vision model and the VAE."""
    return [
        io.ClipVision.Input(
            "clip_vision", display_name="clip vision", tooltip="CLIP ViT-H, from DynamiCrafter Loader or Load CLIP Vision."
        ),
        io.Vae.Input(
            "vae",
            tooltip="From DynamiCrafter Loader. ToonCrafter needs its own; DynamiCrafter takes any of Stable Diffusion 1 or 2.",
        ),
    ]


def fps_input() -> io.Input:
    return io.Int.Input(
        "fps",
        default=Drawing.fps,
        min=5,
        max=30,
        advanced=True,
        tooltip="Frame rate the clip should look like: lower means more motion. The playback rate is independent of it.",
    )


class DynamiCrafterConditioning(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenDynamiCrafterConditioning",
            display_name="DynamiCrafter Conditioning",
            category=CATEGORY,
            description=f"Conditions DynamiCrafter or ToonCrafter on the first and the last of {FRAMES} frames.",
            search_aliases=[*ALIASES, "start frame", "end frame", "first last frame", "keyframes", "img2vid"],
            is_experimental=True,  # never run with published weights
            inputs=[*text_inputs(), *keyframe_inputs(), *coder_inputs(), *size_inputs(), fps_input()],
            outputs=[
                io.Conditioning.Output("positive", tooltip="The text, with the keyframes."),
                io.Conditioning.Output("negative", tooltip="The negative text, with the keyframes, for guidance."),
                io.Latent.Output("latent", tooltip="An empty latent for KSampler, at denoise 1."),
            ],
        )

    @classmethod
    def execute(
        cls,
        positive: list[Any],
        negative: list[Any],
        start: Tensor,
        end: Tensor,
        clip_vision: Any,
        vae: Any,
        width: int,
        height: int,
        fps: int = Drawing.fps,
    ) -> io.NodeOutput:
        first, last, fit = fitted_keyframes(start, end, (width, height))
        rows = conditioned((positive, negative), clip_vision, vae, first, last, fps, fit)
        return io.NodeOutput(*rows, {"samples": empty((width, height))})


def empty(size: Pixels) -> Tensor:
    """Empty latents [F,4,h/8,w/8] for a clip of ``size``."""
    return torch.zeros(FRAMES, 4, size[1] // keyframes.CELL, size[0] // keyframes.CELL)


def conditioned(
    texts: tuple[list[Any], list[Any]], clip_vision: Any, vae: Any, first: Tensor, last: Tensor, fps: int, fit: Fit
) -> tuple[list[Any], list[Any]]:
    """Both CONDITIONINGs with the keyframes [3,h,w]; the second sees grey instead of the first. Raises `InputError`."""
    keyframes.check(first, last, FRAMES, CELL)
    Drawing(fps=fps)
    if clip_vision is None:
        raise InputError("clip vision is empty: a pruned file has none, load CLIP ViT-H with Load CLIP Vision")
    ends = encoded(vae, torch.stack((first, last))) * keyframes.SCALE
    rows = []
    for text, picture in zip(texts, (first, torch.full_like(first, drawing.GREY)), strict=True):
        told = {"crafter": Told(ends, tokens(clip_vision, picture[None]), fps, fit)}
        rows.append([[own, {**rest, **told}] for own, rest in text])
    return rows[0], rows[1]


def tokens(clip_vision: Any, rgb: Tensor) -> Tensor:
    """All tokens [B,N,C] of pictures [B,3,h,w], after the last layer of the vision model."""
    small = squeezed(rgb, getattr(clip_vision, "image_size", 224))
    return clip_vision.encode_image(small.movedim(1, -1), crop=False).last_hidden_state


def encoded(vae: Any, rgb: Tensor) -> Tensor:
    """Latents [B,4,h/8,w/8] of pictures [B,3,h,w], one at a time. Raises `InputError`."""
    latents = torch.cat([vae.encode(picture.movedim(1, -1)) for picture in rgb.split(1)])
    if latents.ndim != 4 or latents.shape[1] != 4:
        raise InputError(f"the VAE's latents have the shape {list(latents.shape)}: one of Stable Diffusion 1 or 2 is needed")
    return latents


# --- sketches -----------------------------------------------------------------------------------------------------------------


class SketchGuidance(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenSketchGuidance",
            display_name="Sketch Guidance",
            category=CATEGORY,
            description="Steers ToonCrafter with line drawings of some of its frames.",
            search_aliases=["tooncrafter", "sketch", "line art", "controlnet", "rough animation", "scribble"],
            is_experimental=True,  # never run with published weights
            inputs=[
                io.Conditioning.Input("positive", tooltip="From DynamiCrafter Conditioning."),
                io.Conditioning.Input("negative", tooltip="From DynamiCrafter Conditioning."),
                io.ControlNet.Input("control_net", display_name="sketch encoder", tooltip="From DynamiCrafter Loader."),
                io.Image.Input("sketches", tooltip="Line drawings of the keyframes' size or shape, one or several."),
                io.String.Input(
                    "places",
                    default="7",
                    tooltip=f"Frame number of each sketch, 0 to {FRAMES - 1}, separated by commas. "
                    f"Empty with {FRAMES} sketches: one for each frame.",
                ),
                io.Combo.Input(
                    "lines",
                    options=list(get_args(Lines)),
                    default="auto",
                    tooltip="auto: dark on light if a sketch is mostly light.",
                ),
                io.Float.Input(
                    "strength", default=Drawing.sketch, min=0.0, max=1.0, step=0.05, tooltip="Strength of the sketches."
                ),
                *during_inputs(),
            ],
            outputs=[
                io.Conditioning.Output("positive", tooltip="The conditioning, with the sketches."),
                io.Conditioning.Output("negative", tooltip="The conditioning, with the sketches."),
            ],
        )

    @classmethod
    def execute(
        cls,
        positive: list[Any],
        negative: list[Any],
        control_net: Any,
        sketches: Tensor,
        places: str,
        lines: Lines,
        strength: float,
        start_percent: float = 0.0,
        end_percent: float = 1.0,
    ) -> io.NodeOutput:
        told = positive[0][1].get("crafter")
        if told is None:
            raise InputError("the conditioning is not DynamiCrafter's: connect DynamiCrafter Conditioning")
        if not hasattr(control_net, "sketched"):
            raise InputError("the control net is not ToonCrafter's sketch encoder: choose it in DynamiCrafter Loader")
        maps = hints(sketches, numbers(places, len(bridge.checked(sketches))), lines, told.fit)
        if strength == 0:
            return io.NodeOutput(positive, negative)
        control = control_net.sketched(maps, strength, (start_percent, end_percent))
        return io.NodeOutput(*controlled(positive, negative, control))


def numbers(places: str, count: int) -> list[int]:
    """The frame numbers of ``count`` sketches. Raises `InputError`."""
    if not places.strip() and count == FRAMES:
        return list(range(FRAMES))
    try:
        found = [int(place) for place in places.replace(",", " ").split()]
    except ValueError as error:
        raise InputError(f"places {places!r} were given: frame numbers separated by commas are needed") from error
    if len(found) != count or len(set(found)) != count:
        raise InputError(f"places {places!r} were given for {count} sketches: each needs a frame number of its own")
    if wrong := [place for place in found if not 0 <= place < FRAMES]:
        raise InputError(f"a sketch for frame {wrong[0]} was given: frames are numbered 0 to {FRAMES - 1}")
    return found


def hints(sketches: Tensor, places: list[int], lines: Lines, fit: Fit) -> Tensor:
    """Sketches [N,H,W,C] as the network takes them, [F,1,h,w] 0..1: light lines on black, and black where there is none."""
    width, height = fit.size
    made = torch.zeros(FRAMES, 1, height, width)
    for place, picture in zip(places, sketches[..., :3].movedim(-1, 1).float(), strict=True):
        own = Fit.middle((picture.shape[2], picture.shape[1]), fit.size)
        made[place, 0] = drawing.lines(own.pictures(picture[None])[0], lines)
    return made


# --- decoding -----------------------------------------------------------------------------------------------------------------


def exact_input() -> io.Input:
    return io.Boolean.Input(
        "exact",
        default=True,
        tooltip="The first and the last frame are the keyframes themselves, fitted to the size, not redrawn.",
    )


class DynamiCrafterDecode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenDynamiCrafterDecode",
            display_name="DynamiCrafter Decode",
            category=CATEGORY,
            description="Decodes DynamiCrafter's or ToonCrafter's latents. ToonCrafter's decoder also looks at the keyframes.",
            search_aliases=[*ALIASES, "vae decode", "dual reference"],
            is_experimental=True,  # never run with published weights
            inputs=[
                io.Latent.Input("samples", tooltip="From KSampler."),
                io.Vae.Input("vae", tooltip="From DynamiCrafter Loader."),
                *keyframe_inputs(),
                exact_input(),
            ],
            outputs=[io.Image.Output("images", tooltip="The clip, including both keyframes.")],
        )

    @classmethod
    def execute(cls, samples: Mapping[str, Any], vae: Any, start: Tensor, end: Tensor, exact: bool = True) -> io.NodeOutput:
        latents = samples["samples"]
        if latents.ndim != 4 or latents.shape[1] != 4 or len(latents) < 3:
            raise InputError(f"latents of shape {list(latents.shape)} were given: [frames, 4, height, width] are needed")
        size = (latents.shape[3] * keyframes.CELL, latents.shape[2] * keyframes.CELL)
        bridge.room(len(latents), (size[1], size[0], 3))
        first, last, _ = fitted_keyframes(start, end, size)
        return io.NodeOutput(decoded(vae, latents, first, last, exact).movedim(1, -1))


def decoded(vae: Any, latents: Tensor, first: Tensor, last: Tensor, exact: bool) -> Tensor:
    """Frames [F,3,h,w] 0..1 of latents [F,4,h/8,w/8]; ToonCrafter's VAE also looks at the keyframes [3,h,w]."""
    looks = getattr(vae, "decode_between", None)
    frames = vae.decode(latents) if looks is None else looks(latents, torch.stack((first, last)))
    frames = frames.movedim(-1, 1).float().clamp(0, 1)
    if exact:
        frames[0], frames[-1] = first, last
    return frames


# --- all in one ---------------------------------------------------------------------------------------------------------------


class DynamiCrafterTween(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenDynamiCrafterTween",
            display_name="DynamiCrafter Tween",
            category=CATEGORY,
            description=f"Generates {FRAMES} frames from one keyframe to another with DynamiCrafter or ToonCrafter, in one "
            "node. The same picture at both ends makes a loop.",
            search_aliases=[*ALIASES, "first last frame", "two keyframes", "morph", "tween", "loop"],
            is_experimental=True,  # never run with published weights
            inputs=[
                io.Model.Input("model", tooltip="From DynamiCrafter Loader, or from a LoRA loader after it."),
                *text_inputs(),
                *keyframe_inputs(),
                *coder_inputs(),
                *size_inputs(),
                io.Int.Input("steps", default=Drawing.steps, min=2, max=1000, tooltip="Number of denoising steps."),
                io.Float.Input(
                    "cfg", default=Drawing.guidance, min=1.0, max=100.0, step=0.1, tooltip="Guidance scale, as in KSampler."
                ),
                io.Int.Input("seed", default=0, min=0, max=2**64 - 1, tooltip="The same seed gives the same frames."),
                fps_input(),
                io.Float.Input(
                    "eta",
                    default=Drawing.eta,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    advanced=True,
                    tooltip="Share of fresh noise in each step: 1 as published, 0 for none.",
                ),
                exact_input(),
            ],
            outputs=[io.Image.Output("images", tooltip="The clip, including both keyframes.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: list[Any],
        negative: list[Any],
        start: Tensor,
        end: Tensor,
        clip_vision: Any,
        vae: Any,
        width: int,
        height: int,
        steps: int,
        cfg: float,
        seed: int,
        fps: int = Drawing.fps,
        eta: float = Drawing.eta,
        exact: bool = True,
    ) -> io.NodeOutput:
        settings = Drawing(steps=steps, seed=seed, fps=fps, guidance=cfg, eta=eta)
        bridge.room(FRAMES, (height, width, 3))
        first, last, _ = fitted_keyframes(start, end, (width, height))
        painter = Painter.of(model, (positive, negative), clip_vision, vae, settings, clips=1)
        return io.NodeOutput(painter.between(first, last, exact=exact).movedim(1, -1))


@dataclass(frozen=True)
class Painter:
    """Draws clips of `FRAMES` frames, one after another, under one progress bar."""

    model: Any
    texts: tuple[list[Any], list[Any]]
    clip_vision: Any
    vae: Any
    settings: Drawing
    each: Any

    @classmethod
    def of(cls, model: Any, texts: tuple[Any, Any], clip_vision: Any, vae: Any, settings: Drawing, clips: int) -> Painter:
        """A painter for this many ``clips``. Raises `InputError` for a MODEL of another network, or without texts."""
        if not is_ours(model):
            raise InputError("the model is not DynamiCrafter's or ToonCrafter's: connect DynamiCrafter Loader")
        if any(text is None for text in texts):
            raise InputError(
                "positive or negative is not connected: DynamiCrafter needs both, from CLIP Text Encode, even if they are empty"
            )
        return cls(model, texts, clip_vision, vae, settings, internals().Progress(model, clips * settings.steps))

    def between(self, first: Tensor, last: Tensor, frames: int = FRAMES, tracks: Any = None, *, exact: bool = False) -> Tensor:
        """Clip from one keyframe [3,h,w] to another: [F,3,h,w] 0..1. Raises `InputError` for tracks, or another length."""
        if tracks is not None and tracks.count:
            raise InputError(f"{tracks.count} tracks were given: DynamiCrafter does not follow tracks, Framer does")
        check_length(frames)
        rows = self._rows(first, last)
        latents = self._sampled(rows, empty((first.shape[2], first.shape[1])))
        return decoded(self.vae, latents, first, last, exact)

    def over(self, clip: Tensor, mask: Tensor, denoise: float) -> Tensor:
        """Clip [F,3,h,w] redrawn where ``mask`` [F,h/8,w/8] is 1; see `edm.Known` for ``denoise``."""
        check_length(len(clip))
        rows = self._rows(clip[0], clip[-1])
        made = self._sampled(rows, encoded(self.vae, clip), mask=mask[:, None], denoise=denoise)
        return decoded(self.vae, made, clip[0], clip[-1], False)

    def _rows(self, first: Tensor, last: Tensor) -> tuple[list[Any], list[Any]]:
        return conditioned(self.texts, self.clip_vision, self.vae, first, last, self.settings.fps, whole(first))

    def _sampled(self, rows: tuple[list[Any], list[Any]], latents: Tensor, **how: Any) -> Tensor:
        return internals().sample(self.model, *rows, latents, self.settings, self.each, **how)


def check_length(frames: int) -> None:
    """Raises `InputError` for a clip of another length than the networks draw."""
    if frames != FRAMES:
        raise InputError(
            f"{frames} frames were asked for: DynamiCrafter draws {FRAMES} at a time; Interpolate Frames makes more"
        )
