"""Workers as processes on this machine, each of which gets its segments through a pipe.

Owns their lifetime: starts them, replaces any that die, and leaves none running however the work ends.
"""

from __future__ import annotations

import signal
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from ...clips.clip import Done
from ...core import InputError
from .. import malloc
from ..prefetch import ahead
from ..segments import Segment
from . import TRIES, Job, Made, Worker, died

ERROR = 1
"""The exit code of a process that ends with a Python error."""


@dataclass
class _Hand:
    """A process and its current segment; None while it starts up, or has nothing to do and is ``idle``."""

    process: BaseProcess
    device: torch.device
    segment: Segment | None = None
    idle: bool = False


class Processes:
    """A `Pool` of ``count`` processes with ``threads`` torch threads each, on ``device``.

    If there are several CUDA devices, one without a number stands for all of them in turn.
    """

    def __init__(self, count: int, threads: int, device: torch.device) -> None:
        self.count, self.threads = count, threads
        here = torch.cuda.device_count() if device.type == "cuda" and device.index is None else 1
        self.devices = [torch.device("cuda", k) for k in range(here)] if here > 1 else [device]

    def made(self, job: Job, segments: Iterable[Segment]) -> Generator[Made, None, None]:
        """As `Pool.made`. A process that fails for any reason but its input prints the error to standard error."""
        with closing(ahead(segments, self.count)) as waiting:
            crew = _Crew(job, self.threads, waiting)
            try:
                for number in range(self.count):
                    crew.start(self.devices[number % len(self.devices)])
                while busy := [pipe for pipe, hand in crew.hands.items() if not hand.idle]:
                    for pipe in wait(busy):
                        yield from crew.heard(pipe)
            finally:
                crew.dismiss()


class _Crew:
    """The worker processes of a job, keyed by their pipe, and the queue of segments still to be made."""

    def __init__(self, job: Job, threads: int, segments: Iterator[Segment]) -> None:
        self.hands: dict[Any, _Hand] = {}
        self._job, self._threads, self._segments = job, threads, segments
        self._again: deque[Segment] = deque()
        self._tries: Counter[int | None] = Counter()

    def start(self, device: torch.device) -> None:
        """Start a process."""
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._job, device, self._threads), name="vfi", daemon=True)
        with _deaf():
            process.start()
        theirs.close()
        self.hands[ours] = _Hand(process, device)

    def heard(self, pipe: Any) -> Iterator[Made]:
        """Receive a message from a process, and send it a segment if it is ready for one."""
        try:
            told = pipe.recv()
        except (EOFError, OSError):
            yield from self._died(pipe)
            return
        if isinstance(told, InputError):
            raise told
        if isinstance(told, Made):
            yield told
        if told is None:
            del self._tries[None]
        if told is None or told.done is not None:
            self._give(pipe)

    def dismiss(self) -> None:
        """End all processes; busy ones are killed at once."""
        for pipe, hand in self.hands.items():
            pipe.close()
            if not hand.idle:
                hand.process.kill()
        for hand in self.hands.values():
            hand.process.join()

    def _give(self, pipe: Connection) -> None:
        hand = self.hands[pipe]
        hand.segment = self._again.popleft() if self._again else next(self._segments, None)
        hand.idle = hand.segment is None
        if hand.segment is not None:
            with suppress(ConnectionError):  # it died, as the next read will show
                pipe.send(hand.segment)

    def _died(self, pipe: Any) -> Iterator[Made]:
        """Retry a dead process's segment in a new process. Raises `InputError` after too many tries."""
        hand = self.hands.pop(pipe)
        pipe.close()
        hand.process.join()
        if hand.process.exitcode == ERROR:
            raise RuntimeError("a worker failed: its error is above")
        segment = hand.segment
        number = None if segment is None else segment.number
        self._tries[number] += 1
        if self._tries[number] == TRIES:
            raise died(segment, _how(hand.process.exitcode))
        if segment is not None:
            self._again.append(segment)
            yield Made(segment.number, 0)
        self.start(hand.device)


def _how(code: int | None) -> str:
    """How a process ended, in words."""
    try:
        return f"by {signal.Signals(-(code or 0)).name}"
    except ValueError:
        return f"with exit code {code}"


@contextmanager
def _deaf() -> Iterator[None]:
    """Child processes started within ignore Ctrl-C; the parent handles it and stops them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, job: Job, device: torch.device, threads: int) -> None:
    """Make segments in a worker process until no more come. It also ends if its parent process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    malloc.take_over()
    with suppress(EOFError, ConnectionError):
        try:
            worker = Worker(job, device, threads)
            pipe.send(None)
            while True:
                segment: Segment = pipe.recv()
                done: Done = worker.make_segment(segment, lambda frames: pipe.send(Made(segment.number, frames)))  # noqa: B023
                pipe.send(Made(segment.number, done.frames, done))
        except InputError as error:
            pipe.send(error)
