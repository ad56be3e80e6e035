"""The node that turns a model file of a training script into the safetensors file that loaders read.

Knows nothing of how files are read: the library reads a pickle as tensors and plain values only, and runs nothing of it.
"""

from __future__ import annotations

import logging
from pathlib import Path

import folder_paths
from comfy_api.v0_0_2 import io

from ..vfi.core import InputError
from ..vfi.model import registry, weights
from ..vfi.model.weights.files import read_shapes
from . import load, servers
from .node import Node

log = logging.getLogger(__name__)

NONE = "none"


class ConvertModel(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        waiting = load.unconverted()
        more = [
            io.Combo.Input(
                f"part_{k}",
                display_name=f"part {k}",
                options=[NONE, *waiting],
                default=NONE,
                optional=True,
                advanced=True,
                tooltip="Another file of the same model, for networks that their authors publish in several files.",
            )
            for k in range(2, 6)
        ]
        return io.Schema(
            node_id="InbetweenConvertModel",
            display_name="Convert Model",
            category="Inbetween/models",
            description="Converts a .pth, .pkl, .pt or .ckpt file in models/frame_interpolation to a .safetensors file beside "
            "it. Nothing in the file is run.",
            search_aliases=["pth to safetensors", "pkl", "ckpt", "needs conversion", "convert weights"],
            is_output_node=True,
            inputs=[
                io.Combo.Input(
                    "file",
                    options=[NONE, *waiting],
                    default=NONE,
                    tooltip="A file in models/frame_interpolation that needs conversion. Press R to list new files.",
                ),
                *more,
                io.String.Input(
                    "name",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="Name of the new file. Empty: that of the first file.",
                ),
            ],
            outputs=[io.String.Output("report", tooltip="The new file, its network, and the licence of its weights.")],
        )

    @classmethod
    def execute(cls, file: str, name: str = "", **parts: str) -> io.NodeOutput:
        if file == NONE:
            raise InputError(f"no file was chosen: put a .pth, .pkl, .pt or .ckpt file into {load.folders()[0]}")
        chosen = [file, *(part for part in parts.values() if part != NONE)]
        if twice := next((one for one in chosen if chosen.count(one) > 1), None):
            raise InputError(f"{twice} was chosen twice: each part is another file")
        files = [Path(folder_paths.get_full_path(load.FOLDER, one) or one) for one in chosen]
        stem = name.strip().removesuffix(".safetensors") or files[0].stem
        if Path(stem).name != stem or stem.startswith("."):
            raise InputError(f"name is {stem[:60]!r}: a file name without folders is needed")
        out = files[0].with_name(f"{stem}.safetensors")
        if out.exists():
            raise InputError(f"{out} already exists: give another name, or delete it first")
        weights.convert(files, out)
        try:
            report = told(out)
        except InputError:
            out.unlink()  # made here, a moment ago
            raise
        log.info("%s", servers.told(report))
        return io.NodeOutput(servers.told(report))


USE = {
    "frames": "Press R, then choose it in Load Interpolation Model",
    "matches": "Choose it as the method of Match Keyframes",
    "tracks": "Choose it as the tracker of Follow Points",
}
"""What to do with a converted model, by what it makes."""


def told(file: Path) -> str:
    """What a converted file holds, and under which licence. Raises `InputError` if no network is recognised."""
    shapes = read_shapes(file)
    try:
        other = registry.apart(registry.normalise(shapes))
        name, made = other or (registry.called(shapes), "frames")
        licence = "" if other else registry.detect(shapes).licence
    except InputError as error:
        raise InputError(f"{file.stem}: {error}") from error
    row = registry.published().get(name)
    licence = str(weights.licence_of(row)) if row else licence or "unknown, ask its authors"
    return f"{file}: {name}. Licence of the weights: {licence}. {USE[made]}."
