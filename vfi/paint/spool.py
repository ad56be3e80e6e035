"""What was carried to many frames, kept on disk until they are painted, so that memory does not grow with the clip.

Owns the file, which has no name and goes with the process, and the rounding: offsets to 16 bits of their range, errors and what
is seen to 8. Knows nothing of what is kept.
"""

from __future__ import annotations

import math
import tempfile
from types import TracebackType

import numpy as np

from ..core import InputError
from .carry import Carried
from .planes import Array

ERROR = 0.5
"""The largest error that is kept."""


class Spool:
    """Frames by number; as a context manager it deletes them in the end."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="vfi-paint-")  # noqa: SIM115
        self._kept: dict[int, tuple[int, float, tuple[int, int], tuple[int, ...]]] = {}
        self._end = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def put(self, number: int, carried: Carried) -> None:
        """Keep a frame. Raises `InputError` if the disk is full."""
        range_ = max(float(np.abs(carried.offset).max()), 1e-3) / 32767
        planes = (
            np.rint(carried.offset / range_).astype(np.int16),
            np.rint(carried.error.clip(0, ERROR) * (255 / ERROR)).astype(np.uint8),
            np.rint(carried.seen * 255).astype(np.uint8),
            carried.light,
        )
        try:
            self._file.seek(self._end)
            for plane in planes:
                self._file.write(plane.tobytes())
            self._file.flush()
        except OSError as error:
            where = f"the motion of a shot cannot be kept in {tempfile.gettempdir()}"
            raise InputError(f"{where}: {error.strerror}; name another folder in TMPDIR") from error
        height, width = carried.error.shape
        self._kept[number] = self._end, range_, (height, width), carried.light.shape
        self._end += sum(plane.nbytes for plane in planes)

    def take(self, number: int) -> Carried:
        """A frame that was put."""
        at, range_, (height, width), cells = self._kept[number]
        self._file.seek(at)
        pixels = height * width
        data = self._file.read(6 * pixels + 4 * math.prod(cells))
        offset = np.frombuffer(data, np.int16, 2 * pixels).reshape(height, width, 2).astype(np.float32) * np.float32(range_)
        error, seen = (
            np.frombuffer(data, np.uint8, pixels, start * pixels).reshape(height, width).astype(np.float32) for start in (4, 5)
        )
        light = np.frombuffer(data[6 * pixels :], np.float32).reshape(cells)
        scaled: Array = error * np.float32(ERROR / 255)
        return Carried(offset, scaled, seen / np.float32(255), light)
