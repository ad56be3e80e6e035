"""The options for several processes, and the pool of workers that they describe."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

import torch

from ..core import InputError
from ..render.workers import Pool
from ..render.workers.processes import Processes
from ..render.workers.ray import LOCAL, Ray
from .arguments import argument, whole

MOST = 1024
"""Most processes, and most threads of each: a system has far fewer cores, and refuses far more."""


def some(text: str) -> int:
    """A whole number from 1 to `MOST`."""
    number = whole(text)
    if number > MOST:
        raise InputError(f"{text} was given: a whole number from 1 to {MOST} is needed")
    return number


def add_options(parser: ArgumentParser) -> None:
    """Declare the options for several processes."""
    group = parser.add_argument_group("several processes")
    group.add_argument(
        "--workers",
        type=argument(some),
        metavar="N",
        help="make the clip in N processes, in chunks as with --resume; several GPUs are used in turn",
    )
    group.add_argument(
        "--threads",
        type=argument(some),
        metavar="N",
        help="threads per process (the cores are shared out); the same number of threads gives bit-identical output",
    )
    group.add_argument(
        "--ray",
        nargs="?",
        const=LOCAL,
        metavar="ADDRESS",
        help="let Ray run the workers, on this machine or on the cluster at ADDRESS; its machines must see the input and the "
        "output folder at the same paths, and need identical CPUs for bit-identical output (pip install inbetween-vfi[ray])",
    )


@dataclass(frozen=True)
class Crew:
    """``workers`` processes (None: as many as fit) with ``threads`` threads each; run by Ray at the address ``ray``, if given.

    Without workers or Ray, this process does the work.
    """

    workers: int | None = None
    threads: int | None = None
    ray: str | None = None

    @classmethod
    def of(cls, args: Namespace) -> Crew:
        """The processes that the options ask for."""
        return cls(args.workers, args.threads, args.ray)

    @property
    def several(self) -> bool:
        """Whether other processes do the work."""
        return self.workers is not None or self.ray is not None

    @property
    def threads_each(self) -> int:
        """Threads of torch in each process."""
        there = torch.get_num_threads()
        if not self.several:
            return self.threads or there
        return self.threads or max(there // (self.workers or there), 1)

    def pool(self, device: torch.device) -> Pool:
        """The workers, with their model on ``device``. Raises `InputError` if Ray cannot be reached."""
        if self.ray is None:
            return Processes(self.workers or 1, self.threads_each, device)
        return Ray(self.workers, self.threads_each, device, self.ray)


ALONE = Crew()
