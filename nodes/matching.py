"""The matchers that nodes offer, with their networks on ComfyUI's device. Knows nothing of what matches are for."""

from __future__ import annotations

from comfy.model_management import get_torch_device

from ..vfi.motion import match, matchers
from .weighted import Weighted

MATCHERS = Weighted(("sift", "loftr", "xfeat"), ("sift",))


def matcher(name: str, field: str) -> match.Matcher:
    """The matcher that the combo ``field`` names. Raises `InputError`."""
    file = MATCHERS.file_of(name, field)
    return match.sift if file is None else matchers.of_file(name, file, get_torch_device())
