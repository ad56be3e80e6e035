"""Stands in for the interpolation nodes of other packs: a workflow made with them gives the same number of frames.

Owns what their nodes and inputs are called, how each counts frames, and which of our models their files mean. Knows nothing of
how frames are made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.v0_0_2 import ComfyAPI, io
from torch import Tensor

from ..vfi.core import InputError, Options
from ..vfi.model import load as loading
from ..vfi.model import registry
from ..vfi.parse import number, quoted
from ..vfi.render.run import batch_for, run
from ..vfi.timing.grids import At, bounded
from . import bridge, load, prompts, servers
from .model import Model, ModelType, Several, over
from .node import Node

log = logging.getLogger(__name__)

PairsType = io.Custom("INTERPOLATION_STATES")
"""The type that other packs give a list of pairs; its values have ``is_frame_skipped(index)``."""

FILES = {
    "rife40.pth": "rife-4.0",
    "rife47.pth": "rife-4.7",
    "rife49.pth": "rife-4.9",
    "rife417.pth": "rife-4.17",
    "rife426.pth": "rife-4.26",
    "rife_v4.25.safetensors": "rife-4.25",
    "rife_v4.26.safetensors": "rife-4.26",
    "film_net_fp32.pt": "film",
    "IFRNet_S_Vimeo90K.pth": "ifrnet-s",
    "IFRNet_L_Vimeo90K.pth": "ifrnet-l",
    "IFRNet_S_GoPro.pth": "ifrnet-s-gopro",
    "IFRNet_L_GoPro.pth": "ifrnet-l-gopro",
    "amt-s.pth": "amt-s",
    "amt-l.pth": "amt-l",
    "amt-g.pth": "amt-g",
    "gopro_amt-s.pth": "amt-s-gopro",
    "FLAVR_2x.pth": "flavr-2x",
    "FLAVR_4x.pth": "flavr-4x",
    "FLAVR_8x.pth": "flavr-8x",
    "GMFSS_fortuna": "gmfss-base",
    "GMFSS_fortuna_union": "gmfss-union",
}
"""Files that other packs load, and the names of these networks here."""

OTHERS = (
    *("sudo_rife4_269.662_testV1_scale1.pth", "flownet.pkl"),
    *("IFUNet.pth", "M2M.pth", "pretrained_cain.pth", "sepconv.pth", "stmfnet.pth"),
    *("atm-vfi-base.pt", "atm-vfi-lite.pt", "atm-vfi-base-pct.pt", "momo-base.pth", "momo-lite.pth"),
)
"""Files that other packs load and that have no name here: a converted file of the same stem is used if there is one.

Of those after the first line, the network is not here: auto stands in for it.
"""


@dataclass(frozen=True)
class Pairs:
    """Which pairs of frames get no new frames: those ``listed``, or, if not ``skipped``, all others."""

    listed: frozenset[int]
    skipped: bool

    def is_frame_skipped(self, index: int) -> bool:
        return (index in self.listed) == self.skipped


Skips = Callable[[int], bool]


def every(count: int, times: int, skips: Skips) -> list[Fraction]:
    """RIFE VFI and others: a skipped pair keeps its first frame."""
    steps = (range(1 if skips(k) else times) for k in range(count - 1))
    return [*(k + Fraction(step, times) for k, some in enumerate(steps) for step in some), Fraction(count - 1)]


def dropping(count: int, times: int, skips: Skips) -> list[Fraction]:
    """FILM VFI, ATM and MoMo: a skipped pair loses its first frame too."""
    kept = (k for k in range(count - 1) if not skips(k))
    return [*(k + Fraction(step, times) for k in kept for step in range(times)), Fraction(count - 1)]


def inner(count: int, repeat: bool, skips: Skips) -> list[Fraction]:
    """FLAVR and STMFNet VFI: one new frame in each inner pair. ``repeat``: the first and the last frame come twice."""
    if count < 4:
        raise InputError(f"{count} frames were given: counting inner pairs needs 4 or more")
    first, last = ([Fraction(end, 1)] * (2 if repeat else 1) for end in (0, count - 1))
    made: list[Fraction] = []
    for k in range(count - 3):
        if skips(k) and skips(k + 1):
            continue
        made += [*first, Fraction(1)] if k == 0 else []
        made += [k + Fraction(3, 2), Fraction(k + 2)]
        made += last if k == count - 4 else []
    if not made:
        raise InputError("every pair is skipped: one pair or more must get new frames")
    return made


def converted(count: int, source: float, target: float) -> list[Fraction]:
    """WhiteRabbit's RIFE VFI FPS Resample: to another rate, up to the last frame."""
    step = number(str(source)) / number(str(target))
    return [k * step for k in range(bounded((count - 1) // step + 1))]


def held(count: int, source: float, target: float) -> list[Fraction]:
    """GACLove's RIFE Frame Interpolation: to another rate, with the last frame held. Rounded as that node rounds."""
    if abs(source - target) < 0.01:
        return [Fraction(k, 1) for k in range(count)]
    step = number(str(source)) / number(str(target))
    made = int(count / source * target)
    if not made:
        raise InputError(f"{count} frames at {source} per second make none at {target}: more frames are needed")
    return [min(k * step, Fraction(count - 1)) for k in range(bounded(made))]


COUNTS = ("every pair", "skipped frames dropped", "inner pairs", "frame rate", "frame rate, last frame held")


class DropIn(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenDropIn",
            display_name="Replacement of Another Pack's Node",
            category="Inbetween/interpolate",
            description="Loads a model and makes new frames, with as many frames as the node of another pack that it replaces. "
            "In new workflows, use Interpolate Frames.",
            search_aliases=["missing nodes", "compatibility", "drop-in"],
            inputs=[
                io.Image.Input("images", tooltip="The frames, in order: greyscale, RGB or RGBA."),
                io.Combo.Input(
                    "model_name",
                    display_name="model name",
                    options=[*load.choices(), *FILES, *OTHERS],
                    default="auto",
                    optional=True,
                    tooltip="The model, or a file of another pack: its network is used if it is on disk, else auto, the best "
                    "on disk. Nothing is downloaded.",
                ),
                io.Int.Input(
                    "times",
                    default=2,
                    min=1,
                    max=1000,
                    optional=True,
                    tooltip="Output frames per source frame: 2 puts one new frame between each pair, 4 puts three.",
                ),
                io.Combo.Input(
                    "count",
                    options=list(COUNTS),
                    default=COUNTS[0],
                    optional=True,
                    advanced=True,
                    tooltip="How the output frames are counted. every pair: (T - 1) x times + 1. skipped frames dropped: the "
                    "same, but a skipped pair loses its first frame. inner pairs: one new frame in each pair but the first and "
                    "the last. frame rate: from source fps to target fps, up to the last frame, or with the last frame held.",
                ),
                rate("source_fps", 24.0, "Frames per second of the images, if count is a frame rate."),
                rate("target_fps", 60.0, "Output frames per second, if count is a frame rate."),
                io.Boolean.Input(
                    "repeat_ends",
                    display_name="repeat ends",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="If count is inner pairs: the first and the last frame come twice.",
                ),
                io.Float.Input(
                    "flow_scale",
                    display_name="flow scale",
                    default=1.0,
                    min=0.25,
                    max=4.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="Fraction of the frame size at which motion is estimated.",
                ),
                io.Boolean.Input(
                    "ensemble",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Estimate motion in both time directions and average it, in networks that support it.",
                ),
                ModelType.Input("model", optional=True, tooltip="A model to use instead of the one named."),
                PairsType.Input(
                    "pairs", optional=True, tooltip="Pairs of frames that get no new frames, from List of Skipped Pairs."
                ),
            ],
            outputs=[
                io.Image.Output("images", tooltip="The source's frames and the new ones, in order."),
                io.String.Output("used", tooltip="The model that made the frames, and what it stands in for."),
            ],
        )

    @classmethod
    def validate_inputs(cls, model_name: str | None = None) -> bool | str:
        if model_name is not None:  # else it comes from another node, which has not run yet
            try:
                meant(model_name)
            except InputError as error:
                return servers.told(str(error))
        return True

    @classmethod
    def execute(
        cls,
        images: Tensor,
        model_name: str = "auto",
        times: int = 2,
        count: str = COUNTS[0],
        source_fps: float = 24.0,
        target_fps: float = 60.0,
        repeat_ends: bool = False,
        flow_scale: float = 1.0,
        ensemble: bool = False,
        model: Model | Several | None = None,
        pairs: Any = None,
    ) -> io.NodeOutput:
        shown = len(bridge.checked(images))
        skips: Skips = getattr(pairs, "is_frame_skipped", None) or (lambda index: False)
        places = {
            "every pair": lambda: every(shown, times, skips),
            "skipped frames dropped": lambda: dropping(shown, times, skips),
            "inner pairs": lambda: inner(shown, repeat_ends, skips),
            "frame rate": lambda: converted(shown, source_fps, target_fps),
            "frame rate, last frame held": lambda: held(shown, source_fps, target_fps),
        }[count]()
        bridge.room(len(places), images.shape[1:])
        name, used = meant(model_name), "the connected model"
        if model is None:
            model, note = suited(name, flow_scale, ensemble)
            used = told(name, model_name) + note
            log.info("%s: %s", cls.define_schema().display_name, servers.told(used))
        ready = over(model.ready(images.shape[1:3], bridge.unbound(images)), Fraction(shown - 1))
        frames, batch = bridge.frames_of_images(images, Fraction(1)), batch_for(ready, images.shape[1:3])
        made = run(frames, ready, At(tuple(places)), batch=batch)
        out, _ = bridge.collected(bridge.watched(made, len(places)), images, len(places))
        return io.NodeOutput(out, used)


class SkippedPairs(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenSkippedPairs",
            display_name="List of Skipped Pairs",
            category="Inbetween/interpolate",
            description="Names the pairs of frames that get no new frames, for Replacement of Another Pack's Node. In new "
            "workflows, use Find Shots.",
            search_aliases=["Make Interpolation State List", "skip list", "scene cuts"],
            inputs=[
                io.String.Input(
                    "frames",
                    default="1,2,3",
                    multiline=True,
                    tooltip="Numbers of the first frames of the pairs, from 0, separated by commas.",
                ),
                io.Boolean.Input(
                    "skip",
                    default=True,
                    optional=True,
                    tooltip="On: these pairs are skipped. Off: all others are.",
                ),
            ],
            outputs=[PairsType.Output("pairs", tooltip="The pairs, for Replacement of Another Pack's Node.")],
        )

    @classmethod
    def execute(cls, frames: str, skip: bool = True) -> io.NodeOutput:
        listed = [word.strip() for word in frames.split(",")]
        if wrong := next((word for word in listed if not (word.isascii() and word.isdecimal() and len(word) < 10)), None):
            raise InputError(f"frames holds {wrong[:40]!r}: whole numbers from 0, separated by commas, are needed")
        if "" in listed:
            raise InputError("frames holds an empty item: whole numbers from 0, separated by commas, are needed")
        return io.NodeOutput(Pairs(frozenset(map(int, listed)), skip))


def rate(name: str, default: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input(
        name,
        display_name=name.replace("_", " "),
        default=default,
        min=0.01,
        max=2000.0,
        step=0.001,
        optional=True,
        advanced=True,
        tooltip=tooltip,
    )


def meant(name: str) -> str:
    """The model here for a name of ours or a file of another pack: auto if its network is not on disk. Raises `InputError`."""
    plain = load.name_of(name)
    places = load.folders()
    if plain == "auto" or loading.there(plain, places) or own(plain):
        return plain
    if loading.there(FILES.get(name, ""), places):
        return FILES[name]
    if name not in FILES and not name.endswith(ENDINGS):
        raise InputError(f"no model is called {quoted(name)}: choose auto, or a file of one of {', '.join(ENDINGS)}")
    same = f"{Path(name).stem}.safetensors"
    return same if own(same) else "auto"


SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)


def suited(name: str, scale: float, ensemble: bool) -> tuple[Model | Several, str]:
    """The model with as much of the two options as its network has, and what was left out, as text. Raises `InputError`."""
    near = min(SCALES, key=lambda one: abs(one - scale))
    wanted = [Options(near, ensemble), Options(near), Options(1.0, ensemble)]
    for options in dict.fromkeys(wanted):
        try:
            model = load.opened(name, options=options)
        except InputError:  # of another cause: the last try meets it too
            continue
        left = [f"flow scale {scale:g}"] * (options.scale != scale) + ["ensemble"] * (options.ensemble != ensemble)
        return model, f", without {' and '.join(left)}" if left else ""
    return load.opened(name), ", without its options"


ENDINGS = (".pth", ".pt", ".pkl", ".ckpt", ".safetensors")


def own(name: str) -> bool:
    """Whether ComfyUI's folder has this safetensors file."""
    return name.endswith(".safetensors") and folder_paths.get_full_path(load.FOLDER, name) is not None


def told(name: str, asked: str) -> str:
    """Which model was used, for a person."""
    used = loading.auto(load.folders()) if name == "auto" else name
    return used if load.name_of(asked) in (used, name) else f"{used}, in place of {asked}"


@dataclass(frozen=True)
class Old:
    """A node of another pack and what replaces it.

    ``widgets``: its widgets, in order. ``inputs``: input here to input there. ``values``: input here to a fixed value.
    ``absent``: inputs there that a prompt may lack, and what they are then.
    """

    node: str
    widgets: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    absent: Mapping[str, Any] = field(default_factory=dict)
    new: str = "InbetweenDropIn"

    def replacement(self) -> io.NodeReplace:
        """As ComfyUI takes it. What is fixed comes first: a browser shows later widgets only then."""
        fixed = [{"new_id": new, "set_value": value} for new, value in self.values.items()]
        mapped = [{"new_id": new, "old_id": old} for new, old in self.inputs.items()]
        return Replacement(self.new, self.node, list(self.widgets), [*fixed, *mapped])


class Replacement(io.NodeReplace):
    """A replacement whose first output stays the first.

    Only browsers are told so. They cut outputs that are not mapped; ComfyUI's server (0.25) ends with a KeyError if outputs are
    mapped between two nodes that are both replaced.
    """

    def as_dict(self) -> dict[str, Any]:
        return super().as_dict() | {"output_mapping": [{"old_idx": 0, "new_idx": 0}]}


def _vfi(node: str, *widgets: str, count: str = COUNTS[0], **more: str) -> Old:
    """A node of ComfyUI-Frame-Interpolation; these share their first inputs."""
    inputs = {"images": "frames", "model_name": "ckpt_name", "times": "multiplier", "pairs": "optional_interpolation_states"}
    absent = {"optional_interpolation_states": None, "scale_factor": 1.0, "ensemble": False}
    every_one = ("ckpt_name", "clear_cache_after_n_frames", "multiplier", *widgets)
    return Old(node, every_one, inputs | more, {"count": count}, absent)


def _four(node: str) -> Old:
    """A node of that pack whose network sees four frames: it makes one frame in each inner pair, whatever its multiplier."""
    old = _vfi(node, "duplicate_first_last_frames", count="inner pairs", repeat_ends="duplicate_first_last_frames")
    inputs = {new: there for new, there in old.inputs.items() if new != "times"}
    return replace(old, inputs=inputs, absent=old.absent | {"duplicate_first_last_frames": False})


FPS = {"source_fps": "source_fps", "target_fps": "target_fps"}


def replaced() -> tuple[Old, ...]:
    """All nodes that are replaced if their packs are missing."""
    gimm = next((load.labelled(registry.checkpoints()[name]) for name in GIMM if loading.there(name, load.folders())), "auto")
    return (
        _vfi(
            "RIFE VFI", "fast_mode", "ensemble", "scale_factor", "dtype", "torch_compile", "batch_size",
            flow_scale="scale_factor", ensemble="ensemble",
        ),
        _vfi("FILM VFI", count="skipped frames dropped"),
        _vfi("IFRNet VFI", "scale_factor", flow_scale="scale_factor"),
        _vfi("AMT VFI"),
        _vfi("GMFSS Fortuna VFI"),
        _vfi("IFUnet VFI", "scale_factor", "ensemble", flow_scale="scale_factor", ensemble="ensemble"),
        _vfi("M2M VFI"),
        _vfi("CAIN VFI"),
        _vfi("Sepconv VFI"),
        _vfi("ATM VFI", "global_motion", count="skipped frames dropped"),
        _vfi("MOMO VFI", "num_inference_steps", count="skipped frames dropped"),
        _four("FLAVR VFI"),
        _four("STMFNet VFI"),
        Old("Make Interpolation State List", ("frame_indices", "is_skip_list"),
            {"frames": "frame_indices", "skip": "is_skip_list"}, new="InbetweenSkippedPairs"),
        Old("DownloadAndLoadGIMMVFIModel", values={"model": gimm, "allow_download": False}, new="InbetweenLoadModel"),
        Old("GIMMVFI_interpolate", ("ds_factor", "interpolation_factor", "seed"),
            {"images": "images", "times": "interpolation_factor", "model": "gimmvfi_model"}, {"count": COUNTS[0]}),
        Old("RIFEInterpolation", ("source_fps", "target_fps", "scale", "model_name", "batch_size", "use_fp16"),
            {"images": "images", **FPS, "flow_scale": "scale", "model_name": "model_name"},
            {"count": "frame rate, last frame held"}, {"model_name": "flownet.pkl"}),
        Old("RIFE_VFI_Opt", ("ckpt_name", "multiplier", "scale_factor", "ensemble", "clear_cache_after_n_frames"),
            {"images": "frames", "model_name": "ckpt_name", "times": "multiplier", "flow_scale": "scale_factor",
             "ensemble": "ensemble", "pairs": "optional_interpolation_states"},
            {"count": COUNTS[0]}, {"optional_interpolation_states": None}),
        Old("RIFE_FPS_Resample", ("ckpt_name", "fps_in", "fps_out", "scale_factor", "ensemble"),
            {"images": "frames", "model_name": "ckpt_name", "source_fps": "fps_in", "target_fps": "fps_out",
             "flow_scale": "scale_factor", "ensemble": "ensemble"}, {"count": "frame rate"}),
        Old("FrameInterpolationModelLoader", ("model_name",), {"model": "model_name"}, {"allow_download": False},
            new="InbetweenLoadModel"),
        Old("FrameInterpolate", ("multiplier",), {"images": "images", "times": "multiplier", "model": "interp_model"},
            {"count": COUNTS[0]}),
    )  # fmt: skip


GIMM = ("gimm-vfi-r", "gimm-vfi-r-p")


def completed(data: dict[str, Any], known: Mapping[str, Any], olds: Mapping[str, Old]) -> dict[str, Any]:
    """A prompt's ``data`` in which nodes that will be replaced have every input that ComfyUI looks up.

    ComfyUI answers a prompt that lacks an optional input of such a node, or its ``_meta``, with a KeyError (0.25).
    """
    prompt = data.get("prompt")
    for node in prompt.values() if isinstance(prompt, dict) else ():
        name = node.get("class_type") if isinstance(node, dict) else None
        old = olds.get(name) if isinstance(name, str) and name not in known else None
        if old is not None and isinstance(node.get("inputs"), dict):
            node.setdefault("_meta", {})
            for absent, value in old.absent.items():
                node["inputs"].setdefault(absent, value)
    return data


async def register() -> None:
    """Tell ComfyUI what replaces the nodes of other packs; it does so only if these are missing."""
    from server import PromptServer

    import nodes  # ComfyUI's own

    olds = {old.node: old for old in replaced()}
    api = ComfyAPI()
    for old in olds.values():
        await api.node_replacement.register(old.replacement())
    PromptServer.instance.add_on_prompt_handler(lambda data: prompts.noted(completed(data, nodes.NODE_CLASS_MAPPINGS, olds)))
