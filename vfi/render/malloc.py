"""The C library's allocator, told to keep what is freed at hand while frames are made.

A network asks for the same large buffers for each frame. glibc gives those back to the system as soon as they are freed, so
that every frame touches its pages for the first time, and the system clears them, 4 KiB by 4 KiB: of RIFE 4.25 in 1280x720 that
is a third of the time on one thread. In other threads than a program's first glibc keeps buffers of up to 64 MiB, never larger
ones, and the gain is a tenth. Knows nothing of frames; elsewhere than on glibc it does nothing.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TypeVar

T = TypeVar("T")

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -3, -4, -8
"""Parameters of mallopt(3): free bytes at the top of the heap that are given back, bytes from which a buffer is mapped by
itself, and how many may be; and how many heaps threads may have."""

KEEPING = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1}

GIVING_BACK = {MMAP_MAX: 65536, MMAP_THRESHOLD: 2**25, TRIM_THRESHOLD: 2**26}
"""The thresholds at which glibc itself arrives in a program that uses buffers of many megabytes."""

EVERY, GROWN = 8, 1.02
"""After so many items it is seen whether more is held, and from so much more on holes are given back. In 1280x720 that takes
40 ms, and 16 frames with RIFE 4.25 some 4 s."""

_lock = Lock()
_users = 0


def shared() -> None:
    """Have threads that start from now on share the first one's heap; for a program of its own, since it cannot be undone.

    Frames that one thread reads, another makes and a third writes leave holes in a heap for each: 120 MB in 1280x720.
    """
    _set({ARENA_MAX: 1})


@contextmanager
def kept() -> Iterator[None]:
    """Freed memory stays with the process until no one is within this any more, in any thread; then what is free is given back.

    What is to outlive it, if it is large, is better allocated before: freed later, it may stay with the process.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def keeping(items: Iterable[T]) -> Iterator[T]:
    """The same items, made one by one while freed memory is kept; where holes have made it more, they are given back at times.

    Buffers of many sizes and ages do not fit into one another's places for ever.
    """
    with kept():
        least = None
        for count, item in enumerate(items, start=1):
            yield item
            if count % EVERY == 0:
                held = _held()
                least = held if least is None else min(held, least)
                if held > GROWN * least:
                    _trim()
                    least = None


def _enter() -> None:
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            _set(KEEPING)


def _leave() -> None:
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            _set(GIVING_BACK)
            _trim()


def _trim() -> None:
    """Give all free pages back."""
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)


def _held() -> int:
    """Pages that the process holds."""
    if _glibc() is None:
        return 0
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])


def _set(parameters: dict[int, int]) -> None:
    if (libc := _glibc()) is not None:
        for parameter, value in parameters.items():
            libc.mallopt(parameter, value)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library where it is glibc."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if libc is not None and hasattr(libc, "gnu_get_libc_version") else None
