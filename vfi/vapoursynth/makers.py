"""Who makes the frames: the model in this process where torch can be imported, else a worker.

Owns the makers that are kept from one script to the next. Knows nothing of VapourSynth.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Literal

from ..core import InputError
from ..serve.maker import Asked, Backend, Maker
from ..serve.worker import Worker, command

Where = Literal["auto", "always", "never"]
"""Whether a worker makes the frames; auto: if torch cannot be imported here."""

KEPT = 2
"""Makers kept even if no script uses them: a player runs its script anew at each seek, and loading a model takes seconds."""

_kept: OrderedDict[tuple[Asked, bool], Maker] = OrderedDict()
_lock = Lock()


def maker(asked: Asked, where: Where = "auto") -> Maker:
    """A maker for these options, shared with other clips of the same. Raises `InputError`."""
    if where not in ("auto", "always", "never"):
        raise InputError(f"{where!r} was given as the worker: it must be auto, always or never")
    engine, why = _engine() if where != "always" else (None, "")
    if engine is None and where == "never":
        raise InputError(f"worker='never' was given, but this Python cannot import what the model needs: {why}")
    key = asked, engine is None
    with _lock:
        found = _kept.pop(key, None)
        if found is None or not found.alive:
            found = Maker(_worker(asked, why) if engine is None else engine(asked))
        _kept[key] = found
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return found


def _worker(asked: Asked, why: str) -> Worker:
    """A worker; ``why`` the model cannot run in this process, empty if it was not asked to."""
    try:
        program = command()
    except InputError as error:
        raise InputError(f"{error}{why and f'; in this Python the model cannot run: {why}'}") from error
    return Worker(asked, program)


def _engine() -> tuple[Callable[[Asked], Backend] | None, str]:
    """What makes the backend of this process, or why there is none."""
    try:
        from ..serve.engine import Engine

        return Engine, ""
    except (ImportError, OSError) as error:  # OSError: a library of torch is missing
        return None, str(error)
