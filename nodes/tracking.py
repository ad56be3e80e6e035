"""The trackers that nodes offer, with their networks on ComfyUI's device. Knows nothing of points."""

from __future__ import annotations

from typing import Any

from ..vfi.core import InputError, Interpolator
from ..vfi.motion import trackers
from ..vfi.motion.alltracker import AllTracker
from . import load
from .model import Following, Model, Several, placed
from .optical_flow import source
from .weighted import Weighted

AUTO, LK, DIS = "auto", "lk", "dis"

TRACKERS = Weighted((AUTO, LK, DIS, *trackers.NAMES), (AUTO, LK, DIS))


def follower(
    name: str, model: Model | Several | Following | None, optical_flow: Any, size: tuple[int, int]
) -> Interpolator | AllTracker | None:
    """What `vfi.motion.follow` takes for a tracker and a connected model or optical flow, at ``size`` (height, width).

    Raises `InputError`.
    """
    file = TRACKERS.file_of(name, "tracker")
    motion = source(model, optical_flow)
    if motion is not None and name != AUTO:
        raise InputError(f"a model is connected and the tracker is {name}: choose auto, or disconnect it")
    if file is not None:
        network = trackers.of_file(name, file)
        return placed(network, trackers.memory(network, *size))
    chosen = load.opened(DIS) if name == DIS else motion
    return None if chosen is None else chosen.ready(size)
