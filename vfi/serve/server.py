"""The loop of a worker: requests from a pipe, answers to another, until the first one ends.

Knows nothing of the command line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from queue import Queue
from threading import Thread
from typing import IO

from ..core import InputError
from . import messages
from .engine import Engine
from .maker import Backend
from .protocol import EndedError, Message, read, write

FORESEEN = (ArithmeticError, MemoryError, OSError, RuntimeError, ValueError)
"""What a request may cost without ending the worker: all becomes one sentence in the answer."""


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests, one by one. Where ``requests`` ends, the process ends at once, in the midst of a request too.

    So it never outlives the program that started it, however that ended.
    """
    backend: Backend | None = None
    for message in _received(requests):
        try:
            if isinstance(message, InputError):
                raise message
            if backend is None:
                backend = Engine(messages.asked_of(message))
                answer = messages.welcome(backend)
            else:
                answer = messages.answered(message, backend)
        except FORESEEN as error:
            answer = messages.failed(_in_words(error))
        write(answers, answer)


def _received(requests: IO[bytes]) -> Iterator[Message | InputError]:
    """The messages of a pipe, which a thread reads; the last may be the error that makes the rest unreadable."""
    waiting: Queue[Message | InputError] = Queue(1)

    def reading() -> None:
        while True:
            try:
                message = read(requests)
            except InputError as error:
                waiting.put(error)
                return
            except (EndedError, OSError):
                message = None
            if message is None:
                sys.stderr.flush()
                os._exit(0)
            waiting.put(message)

    Thread(target=reading, name="vfi-requests", daemon=True).start()
    while True:
        message = waiting.get()
        yield message
        if isinstance(message, InputError):
            return


def _in_words(error: BaseException) -> str:
    """An error as one sentence of at most 1000 characters."""
    text = " ".join(str(error).split())[:1000]
    if isinstance(error, InputError):
        return text
    if isinstance(error, MemoryError):
        return "there is not enough memory: smaller frames need less"
    return f"the model failed: {text or type(error).__name__}"
