"""Opens layered pictures, by their ending, and unpacks their layers as PNG files.

Owns the list of formats, and what a layer's file is called.
"""

from __future__ import annotations

from pathlib import Path, PurePath

from ...core import InputError
from ...parse import shown
from ..images import ImageEncoder
from .layer import Layered
from .ora import read_ora
from .psd import read_psd

LAYERED = (".ora", ".psd", ".psb")
"""The endings of layered pictures."""


def is_layered(path: Path) -> bool:
    """Whether a file is called like a layered picture."""
    return path.suffix.lower() in LAYERED and not path.is_dir()


def read_layers(path: Path) -> Layered:
    """The layers of an OpenRaster or Photoshop file. Raises `InputError`."""
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    return read_ora(path) if path.suffix.lower() == ".ora" else read_psd(path)


def unpack(path: Path, folder: Path) -> list[str]:
    """Write each layer of a file below an empty ``folder``, as GROUP/NAME.png or NAME.png, one at a time.

    Returns notes about what is left out: layers that are damaged, called as no file can be, or like one above them. Raises
    `InputError` if the file cannot be read at all.
    """
    found = read_layers(path)
    notes = list(found.notes)
    taken: set[PurePath] = set()
    for layer in found.layers:
        if not all(_can_be_a_file(part) for part in (layer.name, layer.group or "none")):
            notes.append(f"layer {shown(layer.place)} is left out: it is called as no cel can be")
            continue
        name = PurePath(layer.group) / f"{layer.name}.png"
        if name in taken:
            notes.append(f"layer {shown(layer.place)} is there more than once: the topmost counts")
            continue
        taken.add(name)
        try:
            frame, info = layer.read()
        except InputError as error:
            notes.append(f"layer {shown(layer.place)} is left out: {error}")
            continue
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(ImageEncoder(".png", info).encoded(frame))
    return notes


def _can_be_a_file(name: str) -> bool:
    return (
        bool(name.strip(" ."))
        and name.isprintable()
        and len(name.encode()) <= 200
        and not any(mark in name for mark in '/\\:*?"<>|')
    )
