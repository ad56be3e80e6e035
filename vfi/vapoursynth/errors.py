"""The library's errors as those that VapourSynth shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import vapoursynth as vs

from ..core import InputError


@contextmanager
def shown() -> Iterator[None]:
    """Within, an `InputError` becomes a ``vs.Error`` of the same sentence."""
    try:
        yield
    except InputError as error:
        raise vs.Error(str(error)) from None
