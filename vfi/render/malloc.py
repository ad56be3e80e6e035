"""The C library's allocator, set to keep freed memory at hand while frames are made, in processes that are our own.

A network asks for the same large buffers for each frame. glibc returns them to the system as soon as they are freed. Every
frame then touches its pages for the first time, and the system clears them, 4 KiB by 4 KiB. For RIFE 4.25 at 1280x720 that is a
third of the time on one thread. In threads other than a program's first, glibc keeps buffers of up to 64 MiB, and the gain is a
tenth.

The thresholds hold for a whole process and cannot be read back, so a host such as ComfyUI is left alone: nothing happens before
`take_over`. Knows nothing of frames; without glibc it does nothing.
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
"""Parameters of mallopt(3): the free bytes at the top of the heap that are returned, the bytes from which a buffer is mapped by
itself, how many buffers may be, and how many heaps threads may have."""

KEEPING = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1}

GIVING_BACK = {MMAP_MAX: 65536, MMAP_THRESHOLD: 2**25, TRIM_THRESHOLD: 2**26}
"""The thresholds at which glibc itself arrives in a program that uses buffers of many megabytes."""

EVERY, GROWN = 8, 1.02
"""Every this many items the memory held is checked; if it has grown by this factor, holes are returned. At 1280x720 that takes
40 ms, and 16 frames with RIFE 4.25 some 4 s."""

_lock = Lock()
_users = 0
_ours = False


def take_over() -> None:
    """Let this module manage the allocator of this process, whose threads share one heap from now on. It cannot be undone.

    Frames that one thread reads, another makes and a third writes leave holes in a heap for each: 120 MB at 1280x720.
    """
    global _ours
    _ours = True
    _set({ARENA_MAX: 1})


@contextmanager
def kept() -> Iterator[None]:
    """While any thread is inside this context, freed memory stays in the process; it is returned when the last one leaves.

    Allocate large buffers that outlive the context before it: freed later, they may stay in the process.
    """
    if not _ours:
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def keeping(items: Iterable[T]) -> Iterator[T]:
    """The same items, made one by one while freed memory is kept; holes that add up are returned at times.

    Buffers of many sizes and ages do not fit into each other's places for ever.
    """
    if not _ours:
        yield from items
        return
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
