"""Tiny VAEs and a tiny CLIP vision model, for ComfyUI's own loaders know full sizes only; nodes that keep, break and loop."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import folder_paths
import torch
from comfy import model_management
from comfy_execution.graph_utils import GraphBuilder
from safetensors.torch import save_file
from torch import Tensor

from nodes import NODE_CLASS_MAPPINGS as NODES


def library(name: str) -> ModuleType:
    """A module of the library, as the pack has it."""
    pack = next(key for key in sys.modules if key.endswith("inbetween.vfi"))
    return importlib.import_module(f"{pack}.{name}")


def state_of(folder: str, name: str) -> dict[str, Tensor]:
    return library("model.weights").read(folder_paths.get_full_path_or_raise(folder, name))


class Vae:
    def __init__(self, state: dict[str, Tensor]) -> None:
        self.net = library("tween.vae").autoencoder(state)

    def encode(self, pixels: Tensor) -> Tensor:
        return self.net.encode(pixels.movedim(-1, 1))

    def decode(self, latents: Tensor) -> Tensor:
        return self.net.decode(latents).movedim(1, -1)


class ClipVision:
    def __init__(self, state: dict[str, Tensor]) -> None:
        self.net = library("tween.vision").vision(state)
        self.image_size = self.net.side

    def encode_image(self, image: Tensor, crop: bool = True) -> SimpleNamespace:
        assert crop or image.shape[1:3] == (self.image_size, self.image_size)
        rgb = image.movedim(-1, 1)
        return SimpleNamespace(image_embeds=self.net(rgb), last_hidden_state=self.net.tokens(rgb))


class LoadVae:
    RETURN_TYPES, FUNCTION, CATEGORY = ("VAE",), "load", "tests"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"name": ("STRING", {})}}

    def load(self, name: str) -> tuple[Vae]:
        return (Vae(state_of("vae", name)),)


class LoadClipVision(LoadVae):
    RETURN_TYPES = ("CLIP_VISION",)

    def load(self, name: str) -> tuple[ClipVision]:
        return (ClipVision(state_of("clip_vision", name)),)


class LoadText(LoadVae):
    """The CONDITIONING of an empty text."""

    RETURN_TYPES = ("CONDITIONING",)

    def load(self, name: str) -> tuple[list[Any]]:
        net = library("tween.dynamicrafter.openclip").text_encoder(state_of("text_encoders", name))
        return ([[net(net.empty()), {}]],)


class Keep:
    """Writes an IMAGE as it is."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "keep", "tests", True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"images": ("IMAGE",), "name": ("STRING", {})}}

    def keep(self, images: Tensor, name: str) -> tuple[()]:
        save_file({"images": images.contiguous()}, Path(folder_paths.get_output_directory()) / name)
        return ()


class Mean:
    """A video VAE with the shapes of another: a latent is the mean of its pixels, in each of its channels."""

    def __init__(self, channels: int, scales: tuple[int, int, int]) -> None:
        self.latent_channels, self.downscale_index_formula = channels, scales

    def encode(self, pixels: Tensor) -> Tensor:
        time, *sides = self.downscale_index_formula
        small = torch.nn.functional.avg_pool2d(pixels.mean(-1)[None], sides)[0]
        latents = [small[:1].mean(0), *(group.mean(0) for group in small[1:].split(time) if len(group))]
        return torch.stack(latents)[None, None].expand(-1, self.latent_channels, -1, -1, -1)


class MeanVae:
    """The stand-in for the VAE of Wan or LTX."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("VAE",), "load", "tests"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"of": (["wan", "ltx"],)}}

    def load(self, of: str) -> tuple[Mean]:
        return (Mean(16, (4, 8, 8)) if of == "wan" else Mean(128, (8, 32, 32)),)


class Words:
    """A CONDITIONING of no text encoder."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("CONDITIONING",), "make", "tests"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {}}

    def make(self) -> tuple[list[Any]]:
        return ([[torch.zeros(1, 4, 8), {}]],)


class KeepNumbers:
    """Writes the tensors of a CONDITIONING and a LATENT, by their names."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "keep", "tests", True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"conditioning": ("CONDITIONING",), "latent": ("LATENT",), "name": ("STRING", {})}}

    def keep(self, conditioning: list[Any], latent: dict[str, Any], name: str) -> tuple[()]:
        first = {key: value[0] if isinstance(value, list) else value for key, value in conditioning[0][1].items()}
        kept = {key: value.contiguous() for key, value in (first | latent).items() if isinstance(value, Tensor)}
        save_file(kept, Path(folder_paths.get_output_directory()) / name)
        return ()


class LoadHalf:
    """Framer Loader where networks are held and run in half precision, as on a GPU."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL", "CONTROL_NET"), "load", "tests"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"unet": ("STRING", {}), "control_net": ("STRING", {})}}

    def load(self, unet: str, control_net: str) -> tuple[Any, ...]:
        with (
            mock.patch.object(model_management, "unet_dtype", return_value=torch.bfloat16),
            mock.patch.object(model_management, "unet_manual_cast", return_value=None),
        ):
            return NODES["InbetweenFramerLoader"].execute(unet=unet, control_net=control_net).result


class Change:
    """A MODEL of which a layer runs out of memory (memory), that is cancelled when a step has begun, which it is not to end
    (cancel), or whose rows with and without keyframes do not fit into memory together (apart)."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "change", "tests"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"model": ("MODEL",), "how": (["memory", "cancel", "apart"],)}}

    def change(self, model: Any, how: str) -> tuple[Any]:
        def full(x: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("Allocation on device")

        def cancelled(apply: Any, args: dict[str, Any]) -> Tensor:
            model_management.interrupt_current_processing()
            apply(args["input"], args["timestep"], **args["c"])
            raise AssertionError("the step went on to its end")

        own = model.clone()
        if how == "memory":
            first = "input_blocks.0.0" if hasattr(own.model.diffusion_model, "input_blocks") else "conv_in"
            own.add_object_patch(f"diffusion_model.{first}.forward", full)
        elif how == "apart":
            own.add_object_patch("memory_required", lambda *_, **__: float("inf"))
        else:
            own.set_model_unet_function_wrapper(cancelled)
        return (own,)


class Turns:
    """A loop as ComfyUI makes one: its body, Interpolate Frames with 2, 3, ... times, is copied once per turn."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("IMAGE",), "turn", "tests"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"images": ("IMAGE", {"rawLink": True}), "model": ("*", {"rawLink": True}), "turns": ("INT", {})}}

    def turn(self, images: list[Any], model: list[Any], turns: int) -> dict[str, Any]:
        graph = GraphBuilder()
        for turn in range(turns):
            options = {"source_fps": 24.0, "mode": "times", "mode.times": turn + 2}
            images = graph.node("InbetweenInterpolate", f"turn_{turn}", images=images, model=model, **options).out(0)
        return {"result": (images,), "expand": graph.finalize()}


class CurveValues:
    """What a CURVE says at ``count`` places from 0 to just before 1."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "tell", "tests"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"curve": ("CURVE",), "count": ("INT", {})}}

    def tell(self, curve: Any, count: int) -> tuple[str]:
        return (" ".join(str(curve.interp(place / count)) for place in range(count)),)


NODE_CLASS_MAPPINGS = {
    "TinyTurns": Turns,
    "TinyCurve": CurveValues,
    "TinyKeep": Keep,
    "TinyHalf": LoadHalf,
    "TinyChange": Change,
    "TinyMeanVae": MeanVae,
    "TinyWords": Words,
    "TinyKeepNumbers": KeepNumbers,
    "TinyVae": LoadVae,
    "TinyClipVision": LoadClipVision,
    "TinyText": LoadText,
}
