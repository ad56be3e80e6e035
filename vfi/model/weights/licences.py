"""The licences of published weights, and which of them the user has accepted.

Owns the file of acceptances in the cache. Weights that allow every use need none. Knows nothing of downloads: it is asked
before anything is transferred.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass

from ...core import UNSTATED, Checkpoint, InputError
from .. import registry
from .catalogue import catalogued
from .files import first_line
from .folders import cache_folder

log = logging.getLogger(__name__)

ACCEPTED = "INBETWEEN_ACCEPT_LICENCE"
"""The environment variable that accepts licences: names of models or of licences, with commas between them."""

FILE = "accepted-licences.json"
"""The file in the cache that remembers, for each model, the licence that was accepted."""


@dataclass(frozen=True)
class Licence:
    """What the authors of weights allow.

    ``name`` is the SPDX name, or `core.UNSTATED`; ``commercial`` is whether it allows commercial use, None if they say nothing;
    ``link`` is the page that states it, perhaps empty. ``free``: nobody needs to accept it before a download.
    """

    name: str
    commercial: bool | None
    link: str

    @property
    def free(self) -> bool:
        return self.commercial is True

    def __str__(self) -> str:
        use = {True: "", False: ", which forbids commercial use", None: " by the authors"}[self.commercial]
        return f"{self.name}{use}"


def licence_of(model: str | Checkpoint) -> Licence:
    """The licence of a model's weights. Raises `InputError` for a name that the catalogue lacks; built-in models are MIT."""
    if isinstance(model, str) and model in registry.builtins():
        return Licence("MIT", True, "")
    row = model if isinstance(model, Checkpoint) else catalogued(model)
    return Licence(row.licence, row.commercial, row.link)


def accepted(model: str | Checkpoint) -> bool:
    """Whether a model may be downloaded: its licence is free, or the user has accepted it, here or in the environment.

    An acceptance is of one licence: if the catalogue names another one later, it counts no more.
    """
    licence = licence_of(model)
    if licence.free:
        return True
    row = model if isinstance(model, Checkpoint) else catalogued(model)
    named = {name.strip() for name in os.environ.get(ACCEPTED, "").split(",")}
    return not named.isdisjoint(_names(row)) or _remembered().get(row.name) == row.licence


def accept(model: str | Checkpoint) -> None:
    """Remember that the user accepts the licence of a model. Raises `InputError` if that cannot be written."""
    row = model if isinstance(model, Checkpoint) else catalogued(model)
    file = cache_folder() / FILE
    part = file.with_name(f".{FILE}.{os.getpid()}.part")
    text = json.dumps({**_remembered(), row.name: row.licence}, indent=2)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(f"{text}\n", encoding="utf-8")
        part.replace(file)
    except OSError as error:
        raise InputError(f"{file} cannot be written: {first_line(error)}") from error


def require(row: Checkpoint, accepts: str | None = None) -> None:
    """Raise `InputError` unless the licence of ``row`` is free, was accepted, or is what ``accepts`` names: it is remembered.

    The error states the licence, its page and the command that accepts it. ``accepts`` is the name of the model or of its
    licence; any other is refused, so that nobody accepts by mistake.
    """
    licence = licence_of(row)
    if accepts is not None and accepts not in _names(row):
        raise InputError(f"{accepts} was given as the accepted licence: {row.name} needs {' or '.join(_names(row))}")
    if accepted(row):
        return
    if accepts is None:
        where = f": see {licence.link}" if licence.link else ""
        raise InputError(
            f"the licence of {row.name} is {licence}{where}. Nothing was downloaded: if you accept it, run "
            f"`vfi models fetch {row.name} --accept-licence {row.name}`"
        )
    try:
        accept(row)
    except InputError as error:
        log.warning("the acceptance counts this once: %s", error)


def _names(row: Checkpoint) -> tuple[str, ...]:
    """What accepts the licence of ``row``; one that is not stated is accepted for one model at a time."""
    return (row.name,) if row.licence == UNSTATED else (row.name, row.licence)


def _remembered() -> dict[str, str]:
    """The accepted licences by the name of their model."""
    file = cache_folder() / FILE
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file} cannot be read ({first_line(error)}): delete it") from error
    return {name: text for name, text in held.items() if isinstance(text, str)} if isinstance(held, dict) else {}
