"""Combos of networks, some of which need weights of the catalogue: whether these are there before anything runs.

Knows nothing of what the networks are for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..vfi.core import InputError
from ..vfi.model import weights
from ..vfi.parse import quoted
from . import load, servers
from .advice import advised


@dataclass(frozen=True)
class Weighted:
    """The ``options`` of a combo; all but those that are ``free`` need the weights of the catalogue's row of their name."""

    options: tuple[str, ...]
    free: tuple[str, ...]

    def fault(self, name: object, field: str) -> str | None:
        """What keeps an option from use, as a node says it while a workflow is queued; None if nothing does.

        ``field`` is the combo. An option that comes from another node is not known yet.
        """
        if name is None:
            return None
        try:
            self.file_of(name, field)
        except InputError as error:
            return servers.told(advised(str(error)))
        return None

    def fingerprint(self, name: object, field: str) -> str:
        """What changes when the weights of an option do."""
        try:
            file = None if name is None else self.file_of(name, field)
        except InputError as error:
            return str(error)
        return str(name) if file is None else f"{file} {file.stat().st_mtime_ns}"

    def file_of(self, name: object, field: str) -> Path | None:
        """The weights of an option, None for one that needs none. Raises `InputError`."""
        if not isinstance(name, str) or name not in self.options:
            raise InputError(f"{field} is {quoted(name)}: one of {', '.join(self.options)} is needed")
        return None if name in self.free else weights.find(name, load.folders())
