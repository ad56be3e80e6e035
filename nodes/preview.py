"""Pictures of new frames, shown in a node while it works, as ComfyUI's samplers show theirs.

Follows the server's ``--preview-method`` and ``--preview-size``, and *Live preview method* in the browser's settings. Knows
nothing of progress or of how a picture is sent.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
from comfy.cli_args import LatentPreviewMethod, args
from PIL import Image
from torch import Tensor

from ..vfi.core import Frame
from ..vfi.pixels.uint8 import TOP

EVERY = 0.5
"""Seconds from one picture to the next, at least."""

SHARE = 1 / 200
"""The most of a run's time that pictures may take; the server takes about as long to encode and send them."""

Preview = tuple[str, Image.Image, int]
"""What ComfyUI's progress bar takes: a format, a picture and the longest side to send."""


class Previews:
    """Chooses the frames of one run that are shown."""

    def __init__(self) -> None:
        self._due = 0.0

    def of(self, frame: Frame) -> Preview | None:
        """A small picture of ``frame``; None if it is no new frame, comes too soon, or the user wants no previews."""
        began = perf_counter()
        if began < self._due or not frame.made or args.preview_size < 1:
            return None
        if args.preview_method == LatentPreviewMethod.NoPreviews:  # may differ from one run to the next
            return None
        picture = small(frame.rgb, args.preview_size)
        took = perf_counter() - began
        self._due = began + max(EVERY, took / SHARE)
        return "JPEG", picture, max(picture.size)


def small(rgb: Tensor, side: int) -> Image.Image:
    """A picture [3,H,W], at most ``side`` wide and high; never enlarged."""
    step = max(1, max(rgb.shape[1:]) // side)
    thinned = rgb[:, ::step, ::step].cpu()
    if thinned.is_floating_point():  # by numpy: torch would wake its threads, which takes longer than the work
        numbers = np.clip(thinned.float().numpy() * TOP + 0.5, 0, TOP).astype(np.uint8)
    else:
        numbers = thinned.numpy()
    picture = Image.fromarray(np.ascontiguousarray(np.moveaxis(numbers, 0, -1)))
    picture.thumbnail((side, side), Image.Resampling.BILINEAR)
    return picture
