"""Standard input as a clip: y4m or any stream that is read without seeking, told apart by how it begins.

Owns the contract of a clip that can be read once. Knows nothing of bytes, which are `y4m`'s and `video.stream`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import torch

from ..core import Frame, InputError
from . import y4m
from .clip import Info
from .standard import Incoming, incoming
from .video.stream import StreamReader


class PipedReader:
    """The clip in standard input: a `clip.Reader` that cannot seek, of unknown length.

    The first frame can be looked at any number of times; all frames can be read once, after which iterating raises
    `InputError`. A frame comes as soon as it is whole (y4m), or as soon as the next one is (other streams). ``rate`` is for y4m
    and images, one after the other; it replaces what y4m states. Where the stream breaks off, the clip ends, and `broken` says
    so.
    """

    def __init__(
        self,
        stream: Incoming,
        *,
        rate: Fraction | None = None,
        damaged_ok: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        self.steady = stream.peek(len(y4m.MAGIC)) == y4m.MAGIC
        self._damaged_ok = damaged_ok
        self._frames: y4m.Piped | StreamReader
        if self.steady:
            self._frames = y4m.Piped(stream, rate, device)
        else:
            self._frames = StreamReader(stream, rate=rate, damaged_ok=damaged_ok, device=device)
        self.info: Info = replace(self._frames.info, live=True)
        self.notes: list[str] = self._frames.notes
        self._coming = iter(self._frames)
        self._first: Frame | None = None
        self._read = False

    def __iter__(self) -> Iterator[Frame]:
        if self._read:
            raise InputError("standard input was read already: it can be read once only")
        self._first = self._first or next(self._coming, None)
        if self._first is None:
            self._end()
            return
        yield self._first
        if self._read:
            raise InputError("standard input was read already: it can be read once only")
        self._read, self._first = True, None
        yield from self._coming
        self._end()

    @property
    def broken(self) -> str | None:
        """How the stream broke off, in a sentence; None if it did not, or if that is allowed."""
        return None if self._damaged_ok else self._frames.broken

    def _end(self) -> None:
        told = self._frames.broken
        if told is not None and self._damaged_ok:
            self.notes.append(told)

    @classmethod
    def of_process(cls, rate: Fraction | None, *, damaged_ok: bool, device: torch.device | str) -> PipedReader:
        """The clip of this process's standard input: the same at every call, whose frames come on the last ``device``."""
        if not _opened:
            _opened.append(cls(incoming(), rate=rate, damaged_ok=damaged_ok, device=device))
        _opened[0]._frames.device = device
        return _opened[0]

    @classmethod
    def broken_of_process(cls) -> str | None:
        """`broken` of the clip of standard input; None if it was not opened."""
        return _opened[0].broken if _opened else None


_opened: list[PipedReader] = []
