"""Protects the scheduling of this process's threads from encoders.

When run as root, SVT-AV1 gives real-time priority to its own threads and to the one that opened it. All other work on the
machine then has to wait for them, and processes started by such a thread inherit the priority.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TASKS = Path("/proc/self/task")


@contextmanager
def kept() -> Iterator[None]:
    """When this context ends, every thread whose policy changed or that is new gets back what this thread had before."""
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
