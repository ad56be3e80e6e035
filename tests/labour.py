"""What workers are told in tests; other processes find it here by its name."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from vfi.clips.open import open_clip
from vfi.core import InputError, Interpolator, Spec
from vfi.model.load import load
from vfi.render.chunks import Chunks
from vfi.render.segments import segments
from vfi.render.workers import Job
from vfi.timing.grids import Subdivide, Timing


class Around:
    """The mean of four frames, weighed by t: what a window holds shows in every pixel."""

    spec = Spec("around", window=4)

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        weights = torch.stack([0.5 - t / 4, 0.3 + t / 8, 0.2 - t / 8, t / 4], dim=1)
        return torch.einsum("bnchw,bn->bchw", window.expand(len(t), -1, -1, -1, -1), weights)


class Slow:
    """A blend that takes a while."""

    spec = Spec("slow")

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        time.sleep(0.02)
        return torch.lerp(window[:, 0], window[:, 1], t[:, None, None, None])


def linear(device: torch.device) -> Interpolator:
    return load("linear", device=device)


def slow(device: torch.device) -> Interpolator:
    return Slow()


def absent(device: torch.device) -> Interpolator:
    raise InputError("there is no such model")


def wrong(device: torch.device) -> Interpolator:
    raise RuntimeError("a fault of the program")


def deadly(device: torch.device) -> Interpolator:
    os.kill(os.getpid(), signal.SIGKILL)
    return Slow()


def task(source: Path, target: Path, model=linear, times: int = 2, length: int = 8):
    """A job, its segments and its chunks."""
    opened = partial(open_clip, source)
    reader = opened()
    asked = Timing(Subdivide(times), reader.info.rate * times)
    chunks = Chunks(target, reader.info, {}, time_base=asked.tick(reader.info.time_base, reader.info.duration), length=length)
    job = Job(opened, model, reader.info, asked, chunks.parts)
    return job, segments(reader, asked.grid, window=2, length=length, skip=chunks.finished), chunks
