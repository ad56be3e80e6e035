"""From the name of a model to its file.

Knows the rows of the catalogue and the folders. Knows nothing of networks, and never goes online.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...core import Checkpoint, InputError, Parts
from .. import registry
from .folders import COMFYUI_FOLDER, SHIPPED, search_folders
from .sources import file_name, files_of


def on_disk(model: str | Checkpoint, folders: Iterable[Path] | None = None) -> Path | None:
    """The file of a catalogue model, or None. Searches ``folders``, then the shipped weights.

    ``folders`` default to the `search_folders` of the model's kind.
    """
    checkpoint = registry.rows().get(model) if isinstance(model, str) else model
    if checkpoint is None:
        return None
    folders = search_folders(kind=checkpoint.folder) if folders is None else folders
    places = (folder / file for folder in (*folders, SHIPPED) for file in checkpoint.files)
    return next((place for place in places if place.is_file()), None)


def find(model: str | Path, folders: Iterable[Path] | None = None) -> Path:
    """The file of a model, given its catalogue name, its path, or the name of a file in one of ``folders``.

    ``folders`` default to the `search_folders` of the model's kind, or for a file to those of models that make frames. Raises
    `InputError`, which says where it searched and how to get the model.
    """
    checkpoint = registry.rows().get(model) if isinstance(model, str) else None
    kind = COMFYUI_FOLDER if checkpoint is None else checkpoint.folder
    folders = search_folders(kind=kind) if folders is None else list(folders)
    if checkpoint is not None:
        found = on_disk(checkpoint, folders)
        if found is None:
            raise InputError(
                f"{model} is not on disk: {' or '.join(checkpoint.files)} is in none of {_listed(folders)}; "
                f"{how_to_get(checkpoint, folders)}"
            )
        return found
    path = Path(model).expanduser()
    if path.exists():
        return path
    if isinstance(model, Path) or path.name != model:
        raise InputError(f"there is no file {path}")
    if found := next((folder / model for folder in folders if (folder / model).is_file()), None):
        return found
    raise InputError(f"no model is called {model!r}, and no file in {_listed(folders)}; {_close_to(model)}")


def catalogued(name: str) -> Checkpoint:
    """The catalogue row of a name. Raises `InputError` if there is none."""
    if name in registry.builtins():
        raise InputError(f"{name} needs no weights: there is nothing to fetch")
    if name in registry.sets():
        raise InputError(f"{name} is a set of {', '.join(registry.sets()[name])}: name one of them")
    if name not in registry.rows():
        raise InputError(f"no model is called {name!r}; {_close_to(name)}")
    return registry.rows()[name]


def members(name: str) -> tuple[str, ...]:
    """The names of the rows that a name stands for: those of a set, or itself. Raises `InputError` if it is unknown."""
    return registry.sets().get(name) or (catalogued(name).name,)


def names_of(row: Checkpoint) -> tuple[str, ...]:
    """The names under which the files of a row are published, the parts of one included, best known first."""
    told = (file_name(file) for source in row.sources for file in files_of(source))
    own = (Path(file).name for file in row.files)
    return tuple(dict.fromkeys(name for name in (*row.published, *told, *own) if Path(name).suffix))


def published_as(name: str) -> list[Checkpoint]:
    """The rows one of whose whole files is published under this name, whatever its ending."""
    stem = Path(name).stem.lower()
    return [row for row in registry.rows().values() if stem in _stems(row)]


def _stems(row: Checkpoint) -> set[str]:
    """Names without their endings; those of parts do not tell a whole."""
    in_parts = any(isinstance(source, Parts) for source in row.sources)
    return {Path(name).stem.lower() for name in (row.files if in_parts else names_of(row))}


def how_to_get(checkpoint: Checkpoint, folders: Sequence[Path]) -> str:
    """The one command that gets a model, as the end of a sentence."""
    if checkpoint.sources:
        return f"get it with `vfi models fetch {checkpoint.name}`"
    target = folders[-1] / checkpoint.files[0] if folders else checkpoint.files[0]
    where = f"; source: {checkpoint.note}" if checkpoint.note else ""
    return f"get it from its authors and convert it with `vfi models convert FILE {target}`{where}"


def _close_to(name: str) -> str:
    close = difflib.get_close_matches(name, [*registry.builtins(), *registry.rows(), *registry.sets()], n=4)
    return f"did you mean {', '.join(close)}?" if close else "`vfi models` lists all models"


def _listed(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))
