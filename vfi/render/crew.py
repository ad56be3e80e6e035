"""Frames made side by side on a CPU, each by a thread with cores of its own.

The threads within an operation wait for each other at its end, and a network has hundreds of operations per frame. Where
another thread has used torch before, as in ComfyUI, each wait puts them to sleep: two cores are then 1.2 times as fast as one
at 448x256, and 1.9 times if each makes frames of its own. Larger frames gain less and need more memory.

Owns the threads, and how many there are. Knows nothing of models or of the order of frames.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from threading import Barrier, BrokenBarrierError, Lock, current_thread
from typing import Any, Generic, TypeVar, cast

import torch

from ..core import Spec

log = logging.getLogger(__name__)

T = TypeVar("T")

NAME = "vfi-making"
"""What the names of the threads begin with."""

ROOM = 2_000_000_000
"""Bytes that the networks of all threads may take in total. Enough for two at 1280x720 with RIFE 4.25."""

MOST = 8
"""Number of threads from which Python holds them up, as only one of them runs it at a time."""

HEARD = 0.25
"""Seconds after which a thread that waits looks for signals."""


def awaited(future: Future[T]) -> T:
    """The result of ``future``; Ctrl-C is heard meanwhile.

    A signal that comes just before Python begins to wait for a lock does not end that wait: so each wait is short.
    """
    while not future.done():
        wait((future,), HEARD)
    return future.result()


class Once(Generic[T]):
    """A value that is computed when it is first asked for; other threads that ask for it meanwhile wait."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make: Callable[[], T] | None = make
        self._lock = Lock()
        self._made: T | None = None

    def __call__(self) -> T:
        with self._lock:
            if self._make is not None:
                self._made, self._make = self._make(), None
        return cast(T, self._made)


def pool(count: int, name: str, threads: int = 1) -> ThreadPoolExecutor:
    """``count`` threads, each with ``threads`` threads of torch. Raises `RuntimeError` if they cannot all be started."""
    before, begun = torch.get_num_threads(), Barrier(count)

    def begin() -> None:
        torch.get_num_threads()  # else the first operation of this thread would set the number of the process again
        torch.set_num_threads(threads)
        with suppress(BrokenBarrierError):  # another could not be started: the pool is closed
            begun.wait()

    made = ThreadPoolExecutor(count, name, begin)
    try:
        for started in [made.submit(bool) for _ in range(count)]:
            started.result()
    except BaseException:
        begun.abort()  # else those that did start would wait for ever
        made.shutdown(cancel_futures=True)
        raise
    finally:
        torch.set_num_threads(before)  # threads that begin from now on would take the last number set by any
    return made


class Crew:
    """``hands`` threads, each with ``threads`` threads of torch."""

    def __init__(self, hands: int, threads: int) -> None:
        self.hands = hands
        self._pool = pool(hands, NAME, threads)

    def ask(self, make: Callable[[], Sequence[T]], count: int) -> list[Callable[[], T]]:
        """Have a thread ``make`` ``count`` things; each is waited for when it is called. They are made in the order asked."""
        modes = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
        asked = self._pool.submit(_under, modes, make)
        return [partial(lambda index: awaited(asked)[index], index) for index in range(count)]

    def close(self) -> None:
        """Stop after what is being made. A thread of a crew, in which a forgotten run may be collected, waits for nothing."""
        self._pool.shutdown(wait=not current_thread().name.startswith(NAME), cancel_futures=True)


def hands_for(spec: Spec, height: int, width: int, batch: int, threads: int | None = None) -> int:
    """How many threads make frames of a model at once, of this size, ``batch`` each, where torch has ``threads``."""
    threads = torch.get_num_threads() if threads is None else threads
    if not spec.threads:
        return 1
    return max(1, min(threads, MOST, ROOM // max(batch * spec.memory(height, width), 1)))


@contextmanager
def hired(hands: int) -> Iterator[Crew | None]:
    """A crew of ``hands`` that share the threads of torch; None for a single one, or where no more threads can be started."""
    crew: Crew | None = None
    if hands > 1:
        try:
            crew = Crew(hands, max(torch.get_num_threads() // hands, 1))
        except RuntimeError as error:
            log.warning("frames are made one by one: %d threads for them cannot be started (%s)", hands, error)
    if crew is None:
        yield None
        return
    try:
        yield crew
    finally:
        crew.close()


def _under(modes: tuple[bool, bool], make: Callable[[], Any]) -> Any:
    """Call ``make`` in these modes of torch, inference and gradients, which threads do not inherit."""
    inference, gradients = modes
    with torch.inference_mode(inference), torch.set_grad_enabled(gradients and not inference):
        return make()
