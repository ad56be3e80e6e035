"""The trackers that nodes offer: whether their weights are there before anything runs, and the networks on ComfyUI's device.

Knows nothing of points.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..vfi.core import InputError, Interpolator
from ..vfi.motion import trackers
from ..vfi.motion.alltracker import AllTracker
from ..vfi.parse import quoted
from . import load, servers
from .advice import advised
from .model import Following, Model, Several, placed
from .optical_flow import source

AUTO, LK, DIS = "auto", "lk", "dis"

OPTIONS = [AUTO, LK, DIS, *trackers.NAMES]
"""The trackers as a combo lists them."""


def follower(
    name: str, model: Model | Several | Following | None, optical_flow: Any, size: tuple[int, int]
) -> Interpolator | AllTracker | None:
    """What `vfi.motion.follow` takes for a tracker and a connected model or optical flow, at ``size`` (height, width).

    Raises `InputError`.
    """
    file = file_of(name)
    motion = source(model, optical_flow)
    if motion is not None and name != AUTO:
        raise InputError(f"a model is connected and the tracker is {name}: choose auto, or disconnect it")
    if file is not None:
        network = trackers.of_file(name, file)
        return placed(network, trackers.memory(network, *size))
    chosen = load.opened(DIS) if name == DIS else motion
    return None if chosen is None else chosen.ready(size)


def fault(name: object) -> str | None:
    """What keeps a tracker from use, as a node says it while a workflow is queued; None if nothing does.

    One that comes from another node is not known yet.
    """
    if name is None:
        return None
    try:
        file_of(name)
    except InputError as error:
        return servers.told(advised(str(error)))
    return None


def fingerprint(name: object) -> str:
    """What changes when the weights of a tracker do."""
    try:
        file = None if name is None else file_of(name)
    except InputError as error:
        return str(error)
    return str(name) if file is None else f"{file} {file.stat().st_mtime_ns}"


def file_of(name: object) -> Path | None:
    """The weights of a tracker, None for one that needs none. Raises `InputError`."""
    if not isinstance(name, str) or name not in OPTIONS:
        raise InputError(f"tracker is {quoted(name)}: one of {', '.join(OPTIONS)} is needed")
    return None if name in (AUTO, LK, DIS) else trackers.file_of(name, load.folders())
