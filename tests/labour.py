"""Models and jobs for the tests of workers, in a module that other processes can import by name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from vfi.clips.clip import Writer
from vfi.clips.open import open_clip
from vfi.core import InputError, Interpolator, Spec
from vfi.model.load import load
from vfi.render.chunks import Chunks, Parts
from vfi.render.pipeline import Task
from vfi.render.segments import segments
from vfi.render.workers import Job
from vfi.timing.grids import Subdivide, Timing

ROOT = Path(__file__).parents[1]


class Around:
    """A mean of four frames, weighted by t: every frame of the window shows in every pixel."""

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


def held(writer: Writer, file: Path) -> Writer:
    """The same writer, which waits before it finishes as long as ``file`` exists."""
    commit = writer.commit

    def waiting() -> Path:
        while file.exists():
            time.sleep(0.01)
        return commit()

    writer.commit = waiting  # type: ignore[method-assign]
    return writer


@dataclass(frozen=True)
class Held(Parts):
    """Parts, of which the chunk of a number waits as long as ``holds`` has a file of that name."""

    holds: Path

    def writer(self, number: int, before: int) -> Writer:
        return held(super().writer(number, before), self.holds / str(number))


def hold(folder: Path, numbers: Iterable[int]) -> Path:
    """A folder that holds the chunks of these numbers."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        (folder / str(number)).touch()
    return folder


def heed() -> None:
    """Heed the signals that a background job of a shell ignores, or one of `nohup`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def started(holds: Path, arguments: Sequence[str]) -> subprocess.Popen[str]:
    """The command in a process and a group of its own, with as many threads as here; the folder ``holds`` holds its chunks."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "held.py"), str(holds), *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(torch.get_num_threads())},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed,
    )


def finished(target: Path) -> list[int]:
    """The finished chunks of a clip in the making."""
    journal = target.with_name(f".{target.name}.work") / "journal.json"
    chunks = json.loads(journal.read_text())["chunks"] if journal.exists() else []
    return [number for number, chunk in enumerate(chunks) if chunk is not None]


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
    """A job with its segments and chunks."""
    opened = partial(open_clip, source)
    reader = opened()
    asked = Timing(Subdivide(times), reader.info.rate * times)
    chunks = Chunks(target, reader.info, {}, time_base=asked.tick(reader.info.time_base, reader.info.duration), length=length)
    job = Job(opened, model, Task(reader.info, asked), chunks.parts)
    return job, segments(reader, asked.grid, window=2, length=length, skip=chunks.finished), chunks
