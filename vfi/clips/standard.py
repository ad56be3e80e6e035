"""Standard input and output as the bytes of a clip: read once, written once, and ended by either side.

Owns the two descriptors, what happens if the other end goes away, and a read that another thread can end. Knows nothing of
formats. Each holds for the whole process, as the two streams do.
"""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from ..core import InputError

NAME = "-"
"""The path that means standard input or output."""

BLOCK = 1 << 16
"""Bytes of one write: what a pipe of Linux holds."""


MOST = 1 << 20
"""Bytes of one read."""


class Closed(Exception):
    """Nobody reads standard output any more: an end, not an error."""


def is_standard(path: object) -> bool:
    """Whether a path means standard input or output."""
    return isinstance(path, str | Path) and str(path) == NAME


class Incoming(io.RawIOBase):
    """Standard input, or the stream behind ``descriptor``; it cannot seek, and `stop` ends a read that waits.

    ``passed`` counts the bytes that were read.
    """

    def __init__(self, descriptor: int = 0) -> None:
        try:
            self._descriptor = os.dup(descriptor)
        except OSError as error:
            raise InputError("- was given as the input, but standard input is closed: pipe a stream into it") from error
        if sys.platform == "win32":
            import msvcrt

            msvcrt.setmode(self._descriptor, os.O_BINARY)
        self._stopped = False
        self._waits, self._wakes = os.pipe()
        self._begun = b""
        self.passed = 0

    def readable(self) -> bool:
        """As of any input."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill a part of ``buffer`` with what is there, waiting for one byte at least; 0 at the end."""
        room = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if self._begun:
            some, self._begun = self._begun[: len(room)], self._begun[len(room) :]
        else:
            some = self._next(len(room))
        room[: len(some)] = some
        self.passed += len(some)
        return len(some)

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, or fewer at the end, which stay to be read."""
        while len(self._begun) < size and (more := self._next(size - len(self._begun))):
            self._begun += more
        return self._begun[:size]

    def whole(self, size: int) -> bytes:
        """The next ``size`` bytes; fewer only at the end."""
        taken = bytearray()  # a header may state more than ever comes
        while len(taken) < size and (more := self.read(min(size - len(taken), MOST))):
            taken += more
        return bytes(taken)

    def stop(self) -> None:
        """End all reading, in whatever thread: the input's process finds its output closed."""
        if not self._stopped:
            self._stopped = True
            os.write(self._wakes, b"x")

    @property
    def stopped(self) -> bool:
        """Whether `stop` ended the reading."""
        return self._stopped

    def _next(self, size: int) -> bytes:
        if not self._stopped and hasattr(select, "poll"):
            poll = select.poll()
            for descriptor in (self._descriptor, self._waits):
                poll.register(descriptor, select.POLLIN)
            poll.poll()
        return b"" if self._stopped else os.read(self._descriptor, size)


class Outgoing:
    """Standard output, or the stream behind ``descriptor``: every write goes out at once."""

    def __init__(self, descriptor: int = 1) -> None:
        try:
            self._descriptor = os.dup(descriptor)
        except OSError as error:
            raise InputError("- was given as the output, but standard output is closed: pipe it into a program") from error
        if sys.platform == "win32":
            import msvcrt

            msvcrt.setmode(self._descriptor, os.O_BINARY)

    def write(self, content: bytes) -> None:
        """Write all of ``content``. Raises `Closed` if nobody reads it, `InputError` if it cannot be written."""
        left = memoryview(content)
        try:
            while left:
                left = left[os.write(self._descriptor, left[:BLOCK]) :]
        except BrokenPipeError as error:
            stop_reading()  # else an idle input would be waited for
            raise Closed from error
        except OSError as error:
            raise InputError(f"standard output cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Let go of it, so that the reader finds the end. Raises `InputError` if it cannot be written."""
        try:
            os.close(self._descriptor)
        except OSError as error:
            raise InputError(f"standard output cannot be written: {error.strerror}") from error


_reading: list[Incoming] = []
_claimed: list[int] = []


def incoming() -> Incoming:
    """Standard input: the same object at every call."""
    if not _reading:
        _reading.append(Incoming())
    return _reading[0]


def stop_reading() -> None:
    """End the reading of standard input, if it is read: nothing more of it is wanted."""
    for one in _reading:
        one.stop()


def outgoing() -> Outgoing:
    """Standard output."""
    return Outgoing(_claimed[-1] if _claimed else 1)


@contextmanager
def claimed() -> Iterator[None]:
    """Within, only `outgoing` reaches standard output: all else that is printed there, by any library, goes to standard
    error."""
    sys.stdout.flush()
    try:
        own = os.dup(1)
    except OSError as error:
        raise InputError("- was given as the output, but standard output is closed: pipe it into a program") from error
    os.dup2(2, 1)
    _claimed.append(own)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(own, 1)
        _claimed.remove(own)
        os.close(own)
