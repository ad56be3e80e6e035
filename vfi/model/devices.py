"""The device that a name means.

Knows nothing of models or options.
"""

from __future__ import annotations

import torch

from ..core import InputError


def device_of(text: str) -> torch.device:
    """The device of this name; auto is the fastest available. Raises `InputError` if there is none."""
    if text == "auto":
        text = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.empty(0, device=text).device
        if device.type == "meta":
            raise RuntimeError("it computes nothing")
        return device
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"there is no device {text!r} here: give auto, cpu, cuda or mps") from error
