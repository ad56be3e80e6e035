"""The matchers that nodes offer: whether their weights are there before anything runs, and the networks on ComfyUI's device.

Knows nothing of what matches are for.
"""

from __future__ import annotations

from pathlib import Path

from comfy.model_management import get_torch_device

from ..vfi.core import InputError
from ..vfi.model import weights
from ..vfi.motion import match, matchers
from ..vfi.parse import quoted
from . import load, servers
from .advice import advised

OPTIONS = ["sift", "loftr", "xfeat"]
"""The matchers as a combo lists them."""


def matcher(name: str, field: str) -> match.Matcher:
    """The matcher that the combo ``field`` names. Raises `InputError`."""
    file = file_of(name, field)
    return match.sift if file is None else matchers.of_file(name, file, get_torch_device())


def fault(name: object, field: str) -> str | None:
    """What keeps a matcher from use, as a node says it while a workflow is queued; None if nothing does.

    One that comes from another node is not known yet.
    """
    if name is None:
        return None
    try:
        file_of(name, field)
    except InputError as error:
        return servers.told(advised(str(error)))
    return None


def fingerprint(name: object, field: str) -> str:
    """What changes when the weights of a matcher do."""
    try:
        file = None if name is None else file_of(name, field)
    except InputError as error:
        return str(error)
    return str(name) if file is None else f"{file} {file.stat().st_mtime_ns}"


def file_of(name: object, field: str) -> Path | None:
    """The weights of a matcher, None for one that needs none. Raises `InputError`."""
    if not isinstance(name, str) or name not in OPTIONS:
        raise InputError(f"{field} is {quoted(name)}: one of {', '.join(OPTIONS)} is needed")
    return None if name == "sift" else weights.find(name, load.folders())
