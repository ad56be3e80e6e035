"""Sets the C library's allocator to keep freed memory while frames are made, in this program's own processes.

A network allocates the same large buffers for each frame. glibc returns them to the system as soon as they are freed. Every
frame then faults its pages in again, and the system clears them, 4 KiB by 4 KiB. For RIFE 4.25 at 1280x720 that is a third of
the time on one thread. In threads other than a program's first, glibc keeps buffers of up to 64 MiB, and the gain is a tenth.

The thresholds apply to a whole process and cannot be read back, so a host such as ComfyUI is left alone: nothing happens before
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
"""Parameters of mallopt(3): free bytes at the top of the heap before they are returned, size above which a buffer is mapped
separately, maximum number of such buffers, and maximum number of heaps."""

KEEPING = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1}

GIVING_BACK = {MMAP_MAX: 65536, MMAP_THRESHOLD: 2**25, TRIM_THRESHOLD: 2**26}
"""The thresholds that glibc itself reaches in a program with buffers of many megabytes."""

EVERY, GROWN = 8, 1.02
"""Number of items between checks of the memory held, and the growth factor from which holes are returned. At 1280x720 that
takes 40 ms; 16 frames with RIFE 4.25 take about 4 s."""

_lock = Lock()
_users = 0
_ours = False


def take_over() -> None:
    """Let this module manage the allocator of this process, whose threads share one heap from now on. It cannot be undone.

    With one heap per thread, frames read in one thread, made in another and written in a third leave holes: 120 MB at 1280x720.
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
    """The same items, made one by one while freed memory is kept; accumulated holes are returned now and then.

    Holes accumulate because buffers of many sizes and lifetimes do not always fit where others were.
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
    """Return all free pages to the system."""
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)


def _held() -> int:
    """The number of pages that the process holds."""
    if _glibc() is None:
        return 0
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])


def _set(parameters: dict[int, int]) -> None:
    if (libc := _glibc()) is not None:
        for parameter, value in parameters.items():
            libc.mallopt(parameter, value)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library if it is glibc, else None."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if libc is not None and hasattr(libc, "gnu_get_libc_version") else None
