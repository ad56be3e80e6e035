"""A contender's process: loads once, then follows orders; each order and each answer is one line of JSON.

Started as ``python -m contest.worker SETTING``. The contenders' own output goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from . import machine
from .setting import Setting


class Contender(Protocol):
    """Interpolates an IMAGE. ``given`` converts one into the input of ``make``, untimed."""

    def given(self, images: Tensor) -> Tensor: ...

    def make(self, images: Tensor, times: int) -> Tensor: ...


def contender(setting: Setting) -> Contender:
    """The contender for ``setting``; only what it needs is imported."""
    if setting.kind in ("library", "stream", "node"):
        from . import ours

        return {"library": ours.Library, "stream": ours.Stream, "node": ours.Node}[setting.kind](setting)
    from . import theirs

    rivals = {"core": theirs.Core, "fannovel16": theirs.Fannovel16, "fannovel16-loop": theirs.Fannovel16Loop}
    return rivals[setting.kind](setting)


class Turns:
    """The orders that a worker follows."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.clip: tuple[str, Tensor] | None = None
        torch.set_num_threads(setting.threads)
        start = time.perf_counter()
        self.contender = contender(setting)
        torch.set_num_threads(setting.threads)  # imports may have changed it
        self.loading = time.perf_counter() - start

    def loaded(self) -> dict[str, Any]:
        return {"seconds": self.loading, "torch": torch.__version__}

    def make(self, clip: str, times: int, save: str | None = None) -> dict[str, Any]:
        """Interpolate the file ``clip`` by a factor of ``times``; write the frames to the file ``save``, if given."""
        if self.clip is None or self.clip[0] != clip:
            self.clip = None
            self.clip = clip, self.contender.given(torch.from_numpy(np.load(clip)))
        faults, busy, start = machine.faults(), time.process_time(), time.perf_counter()
        made = self.contender.make(self.clip[1], times)
        seconds, busy, faults = time.perf_counter() - start, time.process_time() - busy, machine.faults() - faults
        if save is not None:
            np.save(save, made.float().cpu().numpy())
        return {"seconds": seconds, "cpu": busy, "faults": faults, "bytes": made.nbytes}

    def memory(self) -> dict[str, int]:
        """Bytes held now and at the peak."""
        now, peak = machine.resident()
        return {"now": now, "peak": peak}

    def limit(self) -> dict[str, float]:
        """FLOP per second of the fastest convolution in the contender's type."""
        return {"flops": machine.convolution_limit(getattr(torch, self.setting.dtype), torch.device(self.setting.device))}


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    turns = Turns(Setting(**json.loads(sys.argv[1])))
    orders: dict[str, Callable[..., dict[str, Any]]] = {
        "loaded": turns.loaded, "make": turns.make, "memory": turns.memory, "limit": turns.limit,
    }  # fmt: skip

    def follow() -> None:
        for line in sys.stdin:
            order = json.loads(line)
            answers.write(json.dumps(orders[order.pop("do")](**order)) + "\n")
            answers.flush()

    thread = threading.Thread(target=follow)
    thread.start()
    thread.join()


if __name__ == "__main__":
    main()
