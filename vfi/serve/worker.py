"""The backend that runs the model in another process, the command ``vfi serve --pipe``.

Owns that process: finds the command, starts it, ends it, and says how it died. Knows nothing of torch or of the programs that
ask.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from threading import Event, Thread, Timer
from typing import IO, Any

from ..core import InputError
from ..parse import quoted
from . import messages
from .maker import Asked, Mark, Missing, Picture, Plane
from .protocol import EndedError, Message, read, write

NAMED = "INBETWEEN_VFI"
"""The environment variable that names the command."""

START = 300.0
"""Seconds within which a worker must give its first answer: it imports torch, from a slow disk perhaps."""

PATIENCE = 5.0
"""Seconds that a worker has to end by itself, before it is killed."""

LINES = 20
"""Lines of a worker's messages that are kept for the error if it dies."""


def command(environment: Mapping[str, str] = os.environ) -> str:
    """The ``vfi`` command: the one that `NAMED` names, else the one on PATH. Raises `InputError`."""
    named = environment.get(NAMED, "")
    found = shutil.which(str(Path(named).expanduser()) if named.startswith("~") else named or "vfi")
    if found is None and named:
        raise InputError(f"{NAMED} is {quoted(named)}, which cannot be run: it must name the vfi command")
    if found is None:
        raise InputError(f"no vfi command was found: put it on PATH, or let {NAMED} name it")
    return found


class Worker:
    """A `maker.Backend` in another process. Raises `InputError` if that does not start, fails or dies; it never waits for a
    dead one."""

    def __init__(self, asked: Asked, program: str | None = None, *, start: float = START) -> None:
        self._program = program or command()
        arguments = [self._program, "serve", "--pipe"]
        foreign = ("PYTHONHOME", "PYTHONPATH")  # of the Python around us, which is another
        environment = {name: value for name, value in os.environ.items() if name not in foreign}
        try:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=os.name == "posix",  # Ctrl-C is for the program that asks
            )
        except OSError as error:
            raise InputError(f"the worker {quoted(self._program)} cannot be started: {error.strerror}") from error
        self._end = weakref.finalize(self, _end, self._process)
        self._said: deque[str] = deque(maxlen=LINES)
        assert self._process.stderr is not None
        self._hearing = Thread(target=_hear, args=(self._process.stderr, self._said), daemon=True)
        self._hearing.start()
        late = Event()
        timer = Timer(start, _late, (self._process, late))
        timer.start()
        try:
            self.window = messages.window_of(self._answer(messages.hello(asked)))
        except BaseException as error:
            self._end()
            if late.is_set():
                raise InputError(f"the worker {quoted(self._program)} gave no answer within {start:g} s") from error
            raise
        finally:
            timer.cancel()

    def make(self, window: Sequence[str], given: dict[str, Picture], steps: Sequence[Fraction]) -> list[Picture] | Missing:
        return messages.made_of(self._answer(messages.make(window, given, steps)))

    def marks(self, thumbnails: Plane, known: Sequence[bool | None], spread: bool, threshold: float) -> list[Mark]:
        return messages.marks_of(self._answer(messages.marks(thumbnails, known, spread, threshold)))

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process of the worker."""
        return self._process

    def close(self) -> None:
        """End the worker."""
        self._end()

    def _answer(self, request: Message) -> Message:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.stdin.closed:
            raise self._died()
        try:
            with _pipe_errors():
                write(self._process.stdin, request)
            answer = self._read(self._process.stdout)
        except (EndedError, OSError) as error:
            raise self._died() from error
        if answer is None:
            raise self._died()
        return answer

    def _read(self, answers: IO[bytes]) -> Message | None:
        try:
            return read(answers)
        except InputError as error:  # nothing that follows can be told from it
            self._end()
            raise InputError(f"the worker {quoted(self._program)} does not answer as vfi serve does: {error}") from error

    def _died(self) -> InputError:
        """The error that says how the worker ended."""
        self._end()
        self._hearing.join(5)
        code = self._process.returncode
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        last = next((f": {line}" for line in reversed(self._said) if line), "")
        return InputError(f"the worker that makes the frames has ended ({how}){last[:500]}")


@contextmanager
def _pipe_errors() -> Iterator[None]:
    """Within, writing to a pipe that nobody reads is an `OSError`.

    A program that starts Python without its signal handlers, as vspipe does, would be ended by SIGPIPE instead.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE not in before:
            if signal.SIGPIPE in signal.sigpending():
                signal.sigwait({signal.SIGPIPE})
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hear(lines: IO[bytes], said: deque[str]) -> None:
    """Pass on what a worker says, and keep its last lines."""
    with lines:
        for line in lines:
            text = line.decode(errors="replace")
            said.append(text.strip())
            if sys.stderr is not None:
                sys.stderr.write(text)


def _late(process: subprocess.Popen[Any], late: Event) -> None:
    late.set()
    _kill(process)


def _end(process: subprocess.Popen[Any]) -> None:
    """End a process, if it has not ended: it does so when its requests end."""
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError), _pipe_errors():  # it has ended, and cannot take what was left in the buffer
            if pipe is not None:
                pipe.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        _kill(process)
        process.wait()


def _kill(process: subprocess.Popen[Any]) -> None:
    """Kill a process, and what a script that names the command has started."""
    if os.name == "posix":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its session is its own
    else:
        process.kill()
