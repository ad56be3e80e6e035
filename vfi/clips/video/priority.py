"""The scheduling of this process's threads, which encoders may not change.

SVT-AV1, when root runs it, makes its own threads and the one that opened it real-time ones, that all other work on the machine
must wait for; processes that such a thread starts are real-time, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TASKS = Path("/proc/self/task")


@contextmanager
def kept() -> Iterator[None]:
    """Within, this thread may be made a real-time one, and such threads begun; at the end they are as this one was before."""
    if not TASKS.is_dir():
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = {task: os.sched_getscheduler(task) for task in threads()}
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)
        for task in threads():
            with suppress(ProcessLookupError):
                if os.sched_getscheduler(task) != before.get(task, policy):
                    os.sched_setscheduler(task, policy, parameters)


def threads() -> list[int]:
    """The threads of this process, as the system numbers them."""
    return [int(task.name) for task in TASKS.iterdir()]
