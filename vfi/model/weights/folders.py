"""The folders of weights: ComfyUI's and the library's own.

Follows ComfyUI's rules for its folders without importing it. Knows nothing of their contents.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...core import InputError
from .files import first_line

COMFYUI_FOLDER = "frame_interpolation"
"""ComfyUI's name for its folder of models that make frames; `Checkpoint.folder` names that of others."""

FORMER = {"diffusion_models": "unet"}
"""ComfyUI's former names of folders, which it still searches."""

SHIPPED = Path(__file__).parent / "shipped"
"""Weights that ship with the library, beside model cards that say how they were trained."""


def cache_folder() -> Path:
    """The library's own folder for weights: ``$INBETWEEN_MODELS``, else one in the platform's cache."""
    if chosen := os.environ.get("INBETWEEN_MODELS"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "inbetween-vfi"


def comfyui_folders(kind: str = COMFYUI_FOLDER) -> list[Path]:
    """The folders that ComfyUI searches for models of its ``kind``, its default first; none without ComfyUI.

    ComfyUI is the folder in ``$COMFYUI_PATH``, else the one whose ``custom_nodes`` contains this library. Raises
    `InputError` for a ``$COMFYUI_PATH`` that is not a folder and for an unreadable ``extra_model_paths.yaml``.
    """
    root = _comfyui()
    if root is None:
        return []
    names = list(filter(None, (kind, FORMER.get(kind))))
    folders = [root / "models" / name for name in names]
    for folder, is_default in _extra_model_paths(root / "extra_model_paths.yaml", names):
        if is_default:
            folders = [folder, *(f for f in folders if f != folder)]
        elif folder not in folders:
            folders.append(folder)
    return folders


def search_folders(extra: Iterable[Path | str] = (), kind: str = COMFYUI_FOLDER) -> list[Path]:
    """The folders to search, in order: ``extra``, ComfyUI's of its ``kind``, the cache."""
    folders = [*(Path(folder).expanduser() for folder in extra), *comfyui_folders(kind), cache_folder()]
    return list(dict.fromkeys(folders))


def _comfyui() -> Path | None:
    if chosen := os.environ.get("COMFYUI_PATH"):
        root = Path(chosen).expanduser()
        if not root.is_dir():
            raise InputError(f"COMFYUI_PATH must name ComfyUI's folder, and {root} is not a folder")
        return root
    checkout = Path(__file__).absolute().parents[3]  # not resolved: custom_nodes may hold a link to it
    return checkout.parents[1] if checkout.parent.name == "custom_nodes" else None


def _extra_model_paths(config: Path, names: Iterable[str]) -> Iterator[tuple[Path, bool]]:
    """The folders that an ``extra_model_paths.yaml`` gives for these models, and whether each goes before the others.

    A section may have a ``base_path``, which is expanded and relative to the file; its folders, one per line, are relative to
    that.
    """
    if not config.is_file():
        return
    import yaml

    try:
        sections = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
        for section in filter(None, sections.values()):
            base = os.path.expandvars(Path(section.get("base_path", "")).expanduser())
            for line in (line for name in names for line in section.get(name, "").split("\n")):
                if line:
                    folder = os.path.normpath(config.parent.absolute() / base / line)
                    yield Path(folder), bool(section.get("is_default", False))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, TypeError) as error:
        raise InputError(f"{config} is not a readable list of model folders: {first_line(error)}") from error
