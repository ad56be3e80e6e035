"""From the name of a model to its file.

Knows the rows of the catalogue and the folders. Knows nothing of networks, and never goes online.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...core import Checkpoint, InputError
from .. import registry
from .folders import SHIPPED, search_folders


def on_disk(model: str | Checkpoint, folders: Iterable[Path] | None = None) -> Path | None:
    """The file of a catalogue model, or None. Searches ``folders`` (default: `search_folders`), then the shipped weights."""
    checkpoint = registry.published().get(model) if isinstance(model, str) else model
    if checkpoint is None:
        return None
    folders = search_folders() if folders is None else folders
    places = (folder / file for folder in (*folders, SHIPPED) for file in checkpoint.files)
    return next((place for place in places if place.is_file()), None)


def find(model: str | Path, folders: Iterable[Path] | None = None) -> Path:
    """The file of a model, given its catalogue name, its path, or the name of a file in one of ``folders``.

    ``folders`` default to `search_folders`. Raises `InputError`, which says where it searched and how to get the model.
    """
    folders = search_folders() if folders is None else list(folders)
    if isinstance(model, str) and (checkpoint := registry.published().get(model)):
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
    if name not in registry.published():
        raise InputError(f"no model is called {name!r}; {_close_to(name)}")
    return registry.published()[name]


def how_to_get(checkpoint: Checkpoint, folders: Sequence[Path]) -> str:
    """The one command that gets a model, as the end of a sentence."""
    if checkpoint.sources:
        return f"get it with `vfi models fetch {checkpoint.name}`"
    target = folders[-1] / checkpoint.files[0] if folders else checkpoint.files[0]
    return f"get it from its authors and convert it with `vfi models convert FILE {target}`"


def _close_to(name: str) -> str:
    close = difflib.get_close_matches(name, [*registry.builtins(), *registry.published()], n=4)
    return f"did you mean {', '.join(close)}?" if close else "`vfi models` lists all models"


def _listed(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))
