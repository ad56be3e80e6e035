"""The steps of a run - opening, writing, reading, renaming, encoding, ... - counted, and each made to fail at will.

For tests of faults. Knows nothing of what must come of them.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av

from vfi.archs.blend import Linear
from vfi.clips import yuv
from vfi.clips.video import writer as video_writer
from vfi.clips.video.encoder import Encoder
from vfi.render import chunks, journal

FULL, BROKEN = (lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))), (lambda: OSError(errno.EIO, os.strerror(errno.EIO)))


class Faulty:
    """A file whose calls are counted and fail as ``step`` says; reads of "short" come back without their last byte."""

    def __init__(self, file: Any, step: Callable[[str], bool]) -> None:
        self._file, self._step = file, step

    def write(self, data: Any) -> int:
        self._step("write")
        return self._file.write(data)

    def read(self, *size: int) -> Any:
        self._step("read")
        found = self._file.read(*size)
        return found[:-1] if self._step("short read") else found

    def flush(self) -> None:
        self._step("flush")
        self._file.flush()

    def __enter__(self) -> Faulty:
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._file.__exit__(*error)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Steps:
    """Counts the steps of a run by kind. From step ``number`` of ``kind`` on, or only there, ``error`` is raised."""

    def __init__(self, folder: Path) -> None:
        self.counts: dict[str, int] = {}
        self.kind, self.number, self.stays = "", 0, False
        self.error: Callable[[], BaseException] = FULL
        self.folder = str(folder)
        self.reached = False

    def step(self, kind: str) -> bool:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        due = kind == self.kind and (self.counts[kind] == self.number or (self.stays and self.counts[kind] > self.number))
        self.reached |= due
        if due and not kind.startswith("short"):
            raise self.error()
        return due


def install(made: Steps, put: Callable[[Any, str, Any], object] = setattr) -> None:
    """Count every step of runs below the folder from now on; ``put`` is `setattr`, or pytest's."""
    plain = io.open

    def opened(file: Any, *given: Any, **how: Any) -> Any:
        if not isinstance(file, str | os.PathLike) or not os.fspath(file).startswith(made.folder):
            return plain(file, *given, **how)
        made.step("open")
        found = plain(file, *given, **how)
        return Faulty(found, made.step)

    put(io, "open", opened)
    put(builtins, "open", opened)

    def counted(owner: Any, name: str, kind: str) -> None:
        call = getattr(owner, name)

        def faulty(*given: Any, **how: Any) -> Any:
            made.step(kind)
            return call(*given, **how)

        put(owner, name, faulty)

    for name in ("replace", "touch", "mkdir", "unlink", "rmdir"):
        counted(Path, name, name)
    counted(os, "fsync", "fsync")
    counted(av, "open", "open of FFmpeg")
    counted(video_writer.VideoWriter, "_mux", "mux")
    counted(Encoder, "encode", "encode")
    counted(Encoder, "rest", "rest")
    counted(yuv, "encode", "picture")
    counted(yuv, "decode", "decode")
    counted(Linear, "at", "model")
    counted(journal, "digest", "digest")
    counted(chunks, "packets_of", "packets")
