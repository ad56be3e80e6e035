"""Workers as Ray actors, on this machine or on a cluster whose machines see the clip and the output at the same paths.

Ray restarts an actor that dies and retries its task. Needs the package `ray`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterable
from contextlib import closing
from functools import cached_property
from typing import Any

import torch

from ...clips.clip import Done
from ...core import InputError
from ...ops.kinds import kind
from .. import malloc
from ..prefetch import ahead
from ..segments import Segment
from . import TRIES, Job, Made, Worker, died

LOCAL = "local"
"""The address that starts a Ray instance on this machine, only for this work."""


class Ray:
    """A `Pool` of ``count`` actors with ``threads`` torch threads each, on Ray at ``address``; see `ray.init`.

    With ``count`` None, there are as many as Ray has room for. Each has a GPU of its own if `ops.kinds` says that they are
    shared out. Segments report no progress until they are finished. Raises `InputError` if Ray is not installed or cannot be
    reached.
    """

    def __init__(self, count: int | None, threads: int, device: torch.device, address: str = LOCAL) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise InputError("ray is not installed: pip install inbetween-vfi[ray]") from error
        self._ray, self.threads, self.device = ray, threads, device
        try:
            quiet: Any = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
            ray.init(address, ignore_reinit_error=True, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(f"Ray cannot be reached at {address}: {str(error).splitlines()[0]}") from error
        self._needs = {"num_cpus": threads, "num_gpus": int(kind(device).shared_out)}
        there = ray.cluster_resources()
        fit = int(there.get("GPU", 0) if kind(device).shared_out else there.get("CPU", 0) // threads)
        self.count = max(fit, 1) if count is None else count

    def made(self, job: Job, segments: Iterable[Segment]) -> Generator[Made, None, None]:
        """As `Pool.made`."""
        ray = self._ray
        device = torch.device(self.device.type) if kind(self.device).shared_out else self.device
        hire = ray.remote(_Actor).options(**self._needs, max_restarts=TRIES - 1, max_task_retries=TRIES - 1)
        with closing(ahead(segments, self.count)) as waiting:
            actors = [hire.remote(job, device, self.threads) for _ in range(self.count)]
            tasks: dict[Any, tuple[Any, Segment | None]] = {actor.ready.remote(): (actor, None) for actor in actors}
            left = True
            try:
                while left or any(segment for _, segment in tasks.values()):  # Ray may never have room for some actors
                    (task,), _ = ray.wait(list(tasks), num_returns=1)
                    actor, segment = tasks.pop(task)
                    done = self._result(task, segment)
                    if segment is not None:
                        yield Made(segment.number, done.frames, done)
                    following = next(waiting, None)
                    left = following is not None
                    if following is not None:
                        tasks[actor.make_segment.remote(following)] = actor, following
            finally:
                for actor in actors:
                    ray.kill(actor)

    def _result(self, task: Any, segment: Segment | None) -> Done:
        """The result of a task. Raises the task's `InputError`, or one that says that its actor died."""
        try:
            return self._ray.get(task)
        except InputError as error:  # Ray wraps it in its own error, whose text is the traceback
            raise getattr(error, "cause", error) from None
        except self._ray.exceptions.RayActorError as error:
            raise died(segment, "as Ray's logs say") from error


class _Actor:
    """A worker created on first use, so that errors in its job are raised by a task."""

    def __init__(self, *given: Any) -> None:
        self._given = given

    @cached_property
    def worker(self) -> Worker:
        malloc.take_over()
        return Worker(*self._given)

    def ready(self) -> None:
        """Create the worker."""
        assert self.worker

    def make_segment(self, segment: Segment) -> Done:
        """As `Worker.make_segment`."""
        return self.worker.make_segment(segment)
