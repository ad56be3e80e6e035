"""The list of all models for a person who chooses one: what is on disk, the licence, the place on the quality ladder.

Owns what `vfi models` and the Model Picker of ComfyUI show of a model. Knows nothing of how either shows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import registry, weights
from .load import AUTO
from .quality import MEASURED, RUNGS, Measured, members


@dataclass(frozen=True)
class Listed:
    """A model: one without weights, which is ``builtin``, or one of the catalogue.

    ``path``: its file, None if it has none on disk. ``size``: in bytes, None if unknown. ``sources``: where it can be fetched
    from, see `weights.fetch`. ``qualities``: the rungs of the quality ladder that use it of their own accord.
    """

    name: str
    network: str
    builtin: bool
    path: Path | None
    size: int | None
    licence: str
    commercial: bool
    sources: tuple[str, ...]
    note: str
    suits: str
    qualities: tuple[str, ...]
    measured: Measured | None


def listed(folders: Iterable[Path] | None = None) -> list[Listed]:
    """All models by name, those without weights first. ``folders`` are searched for files, as in `weights.on_disk`."""
    places = list(weights.search_folders() if folders is None else folders)
    return [_listed(name, places) for name in registry.names()]


def qualities_of(name: str) -> tuple[str, ...]:
    """The qualities that use a model of their own accord, from the fastest, if all models are on disk."""
    return tuple(quality for quality in RUNGS if name in _members(quality))


def _members(quality: str) -> set[str]:
    found = {str(member.source) for member in members(quality, there=lambda name: True)}
    return {AUTO[0] if name == "auto" else name for name in found}


def _listed(name: str, folders: list[Path]) -> Listed:
    row = registry.checkpoints().get(name)
    path = None if row is None else weights.on_disk(row, folders)
    size = path.stat().st_size if path else row.size if row else None
    sources = [] if row is None else [source for source, file in (("hub", row.hub), ("index", row.wheel)) if file]
    return Listed(
        name=name,
        network=registry.architecture(name),
        builtin=row is None,
        path=path,
        size=size,
        licence=row.licence if row else "MIT",
        commercial=row is None or row.commercial,
        sources=tuple(sources),
        note=row.note if row else "",
        suits=registry.suits().get(name, ""),
        qualities=qualities_of(name),
        measured=MEASURED.get(name),
    )
