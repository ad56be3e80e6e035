"""The doubt of an audit as a clip of masks, one per frame of the interpolated clip: white where a cell is wrong for certain.

Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import torch

from ..core import Frame
from .judge import Judged, mask_of


def masks(found: Iterable[Judged], times: Iterable[tuple[Fraction, Fraction]], height: int, width: int) -> Iterator[Frame]:
    """One mask per frame at ``times`` (begin and duration, in seconds), grey in three colours; frames not judged are black.

    ``found`` come in order of their numbers, which count the frames at ``times``.
    """
    judged = iter(found)
    waiting = next(judged, None)
    black = torch.zeros(3, height, width, dtype=torch.uint8)
    for number, (time, duration) in enumerate(times):
        shown = black
        if waiting is not None and waiting.verdict.number == number:
            grey = (mask_of(waiting.doubt, height, width) * 255).round().to(torch.uint8)
            shown, waiting = grey.expand(3, -1, -1), next(judged, None)
        yield Frame(shown, time, duration, made=shown is not black)
