"""Reads ahead and writes behind, each in its own thread, so that decoding, models and encoding overlap.

Owns the threads and the order of their results. Each computes on a single core: a model works on the others. Knows nothing of
the items read or written. Resources, above all PyAV's containers, are used and closed in the thread that opened them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from ..clips.clip import Done, Writer
from ..clips.standard import stop_reading
from ..core import Frame
from .crew import awaited, pool

T = TypeVar("T")

AHEAD = 2
"""Number of frames queued between two threads: enough to even out their speeds. Each takes 25 MB at 1080p."""

_END: Any = object()


def ahead(items: Iterable[T], count: int = AHEAD) -> Generator[T, None, None]:
    """The same items; a thread reads up to ``count`` of them ahead.

    An error in reading is raised after the items before it. Close the generator to stop early: that waits for the item being
    read, unless it is read from standard input, which ends then, and closes ``items`` in the thread.
    """
    with pool(1, "vfi-reading") as thread:
        iterator = thread.submit(iter, items).result()
        waiting = deque(thread.submit(next, iterator, _END) for _ in range(count))
        try:
            while True:
                waiting.append(thread.submit(next, iterator, _END))
                item = awaited(waiting.popleft())
                if item is _END:
                    return
                yield item
        except BaseException:
            stop_reading()  # else an idle pipe would be waited for
            raise
        finally:
            for future in waiting:
                future.cancel()
            closing = thread.submit(getattr(iterator, "close", _nothing))
            thread.shutdown()
            closing.result()


def _nothing() -> None:
    """Stand-in for the ``close`` of an iterator that has none."""


class Behind(Writer):
    """Runs another writer in a thread, up to ``count`` frames behind; ``opened`` opens it there.

    An error in writing is raised by the next call, and no frame is written after it.
    """

    def __init__(self, opened: Callable[[], Writer], count: int = AHEAD) -> None:
        self._thread = pool(1, "vfi-writing")
        self._count = count
        self._waiting: deque[Future[None]] = deque()
        self._failed = False
        opening = self._thread.submit(opened)
        try:
            self._writer = opening.result()
        except KeyboardInterrupt:
            self._writer = opening.result()
            self.discard()
            raise
        except BaseException:
            self._thread.shutdown()
            raise
        self.notes = self._writer.notes

    @property
    def done(self) -> Done:  # type: ignore[override]
        """As the writer's."""
        return self._writer.done

    def write(self, frame: Frame) -> None:
        self._settle(self._count - 1)
        self._waiting.append(self._thread.submit(self._write, frame))

    def commit(self) -> Path:
        """As the writer's. On Ctrl-C ``partial`` is the path of the frames written so far, possibly the whole clip."""
        try:
            self._settle(0)
        except KeyboardInterrupt:
            self.partial = self.keep_partial()
            raise
        except BaseException:
            self.discard()
            raise
        with self._thread:
            finishing = self._thread.submit(self._writer.commit)
            try:
                return awaited(finishing)
            except KeyboardInterrupt:
                self.partial = finishing.result()
                raise

    def keep_partial(self) -> Path | None:
        try:
            self._settle(0)
        except BaseException:
            self.discard()
            raise
        with self._thread:
            return self._thread.submit(self._writer.keep_partial).result()

    def discard(self) -> None:
        for future in self._waiting:
            future.cancel()
        self._waiting.clear()
        with self._thread:
            self._thread.submit(self._writer.discard).result()

    def _settle(self, left: int) -> None:
        """Wait until at most ``left`` frames are still unwritten. Raises the first error of those written."""
        while self._waiting and (len(self._waiting) > left or self._waiting[0].done()):
            awaited(self._waiting[0])
            self._waiting.popleft()

    def _write(self, frame: Frame) -> None:
        if self._failed:
            return
        try:
            self._writer.write(frame)
        except BaseException:
            self._failed = True
            stop_reading()  # else a pipe that brings nothing more would hide the error
            raise
