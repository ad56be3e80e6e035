"""The rows of the Model Picker, which a browser asks for: every model there is or could be, and what to know of it.

Owns the route that answers. It reads the catalogue and the folders, changes nothing, and never goes online. Knows nothing of
how the rows are shown.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import folder_paths

from ..vfi.core import Checkpoint, InputError
from ..vfi.model import load as loading
from ..vfi.model import registry, weights
from ..vfi.model.quality import MEASURED
from ..vfi.model.terms import TERMS, UNKNOWN
from ..vfi.model.weights.catalogue import how_to_get
from ..vfi.model.weights.files import read_shapes
from . import advice, load, servers

if TYPE_CHECKING:
    from aiohttp.web import Request, Response

ROUTE = "/inbetween/models"


@dataclass(frozen=True)
class Row:
    """A model as the picker shows it.

    ``state``: *built in* (no file needed), *on disk*, *download* (the next run fetches it, if allowed), *convert* (a file that
    Convert Model takes) or *missing*. ``choice``: the entry of the combo that means it, None if it offers none. ``file`` and
    ``folder`` are on disk, or where a download would go. ``commercial`` is None if the licence is unknown. ``hint``: what to do
    before it can be used.
    """

    name: str
    state: Literal["built in", "on disk", "download", "convert", "missing"]
    choice: str | None
    file: str = ""
    folder: str = ""
    size: int | None = None
    network: str = ""
    licence: str = ""
    says: str = ""
    url: str = ""
    commercial: bool | None = None
    suits: str = ""
    qualities: tuple[str, ...] = ()
    psnr: float | None = None
    seconds: float | None = None
    hint: str = ""


def rows() -> list[Row]:
    """All models: those that the combo offers, in its order, then files that cannot be used as they are, then the rest."""
    choices = load.choices()
    offered = {load.name_of(choice): choice for choice in choices}
    known, waiting = registry.names(), load.unconverted()
    others = [name for name in offered if name not in ("auto", *known, *waiting)]
    found = [_auto(), *map(_own, others), *map(_waiting, waiting), *(_known(name, offered.get(name)) for name in known)]
    return sorted(found, key=lambda row: choices.index(row.choice) if row.choice else len(choices))


def _auto() -> Row:
    means = loading.auto(load.folders())
    hint = f"Today it is {means}. Quality picks its own models if model is auto."
    suits = "most clips: of the models on disk that are no slower than RIFE 4.25, the one that measured best"
    return Row("auto", "built in", "auto", suits=suits, hint=hint)


def _known(name: str, choice: str | None) -> Row:
    """A model of the library."""
    row, measured, folders = registry.checkpoints().get(name), MEASURED.get(name), load.folders()
    terms = _terms(row.licence if row else "MIT")
    shown = Row(
        name,
        "built in",
        choice,
        size=row.size if row else None,
        suits=registry.suits(name),
        qualities=loading.qualities_of(name),
        psnr=measured.psnr if measured else None,
        seconds=measured.seconds if measured else None,
        **terms | ({"url": row.link} if row and row.link else {}),
    )
    if row is None:
        return shown
    if path := weights.on_disk(row, folders):
        return replace(shown, state="on disk", file=path.name, folder=_shown(path.parent), size=path.stat().st_size)
    shown = replace(shown, state="download", file=row.files[0], folder=_shown(folders[0]))
    return shown if choice else replace(shown, state="missing", hint=servers.told(_how_to_get(row)))


def _how_to_get(row: Checkpoint) -> str:
    """What to do about a model of the catalogue that nodes do not download."""
    folder, file = load.folders()[0], Path(row.files[0])
    if weights.forbidden():
        return f"This server forbids downloads: its keeper can put {file} into {folder}."
    if command := re.search(r"`vfi (models fetch [^`]+)`", how_to_get(row, [folder])):
        return f"Nodes do not download it: get it with {advice.line(command[1])}."
    note = f" Note: {row.note}." if row.note else ""
    endings = f"{', '.join(load.PICKLED[:-1])} or {load.PICKLED[-1]}"
    return (
        f"Put the file of its authors, with the ending {endings}, into {folder}, press R, and run Convert Model with the name "
        f"{file.stem}.{note}"
    )


def _terms(licence: str, if_so: str = "") -> dict[str, Any]:
    """The fields of a row that tell of a licence, ``if_so`` before its words; of an unknown one, that it is unknown."""
    found = TERMS.get(licence, UNKNOWN)
    says = f"{if_so}{found.says[0].lower()}{found.says[1:]}" if if_so and licence else found.says
    return {"licence": licence, "says": says, "url": found.url, "commercial": found.commercial}


def _own(file: str) -> Row:
    """A safetensors file that no row of the catalogue names."""
    path = folder_paths.get_full_path(load.FOLDER, file)
    if path is None:
        return Row(file, "missing", None, file=file, hint="The file is gone: press R.")
    status = Path(path).stat()
    network, licence, fault = _network(path, status.st_mtime_ns, status.st_size)
    return Row(
        file,
        "on disk",
        None if fault else file,
        file=Path(path).name,
        folder=_shown(Path(path).parent),
        size=status.st_size,
        network=network,
        suits=registry.suits(network) if network in registry.checkpoints() else "",
        hint=servers.told(fault),
        **_terms(licence, "If these are the published weights: "),
    )


@lru_cache(maxsize=4096)
def _network(path: str, changed: int, size: int) -> tuple[str, str, str]:
    """The network of a file, as its names and shapes tell it, its published licence, and, if it is none, the sentence why."""
    try:
        spec = registry.detect(read_shapes(Path(path)))
    except InputError as error:
        return "", "", f"It cannot be used: {error}."
    row = registry.checkpoints().get(spec.name)
    unpublished = spec.name.endswith("-custom")
    return spec.name, row.licence if row else "" if unpublished else spec.licence, ""


def _waiting(file: str) -> Row:
    """A file that needs conversion; its name may tell which model it is."""
    path = folder_paths.get_full_path(load.FOLDER, file)
    published = [row for row in weights.published_as(file) if row.kind == "frames"]
    row = published[0] if len(published) == 1 else None
    named = f" By its name, it is {row.name}." if row else ""
    return Row(
        file,
        "convert",
        None,
        file=Path(file).name,
        folder=_shown(Path(path).parent) if path else "",
        size=Path(path).stat().st_size if path else None,
        suits=registry.suits(row.name) if row else "",
        hint=f"Files of this kind can hold code and are not loaded: run the node Convert Model once.{named}",
        **_terms(row.licence if row else ""),
    )


def _shown(folder: Path) -> str:
    return servers.told(str(folder))


def answer() -> dict[str, object]:
    """What the route answers."""
    return {"choices": load.choices(), "rows": [asdict(row) for row in rows()]}


def register() -> None:
    """Add the route to ComfyUI's server."""
    from aiohttp import web
    from server import PromptServer

    @PromptServer.instance.routes.get(ROUTE)
    async def models(request: Request) -> Response:
        return web.json_response(await asyncio.to_thread(answer))
