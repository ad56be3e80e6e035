"""The measurements: speed in turns, memory in fresh processes, growth with length, and the loop around the network.

Each yields records: plain dictionaries of raw seconds and bytes, which `report` interprets.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from .cases import Case
from .crew import Places, Worker
from .footage import clip, film
from .setting import Setting

Record = dict[str, Any]
PLAIN = "float32", "torch"


@dataclass(frozen=True)
class Plan:
    """Who makes what, how often and where: ``settings`` of the contenders, ours first; about ``new`` frames per turn;
    ``folder`` for clips; ``tell`` reports progress."""

    settings: Sequence[Setting]
    places: Places
    cases: Sequence[Case]
    folder: Path
    repeats: int = 5
    new: int = 12
    tell: Callable[[str], None] = lambda text: None

    def source(self, case: Case) -> Path:
        return clip(self.folder, case.width, case.height, case.source_frames(self.new))


def speed(plan: Plan) -> Iterator[Record]:
    """For each case and contender: the seconds of every turn after an uncounted one, and how its frames differ.

    Contenders keep their processes through all cases. The order rotates by one each round.
    """
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(setting, plan.places)) for setting in plan.settings]
        loaded = [worker.ask("loaded") for worker in workers]
        alike = {
            kind: stack.enter_context(Worker(replace(plan.settings[0], kind="library", pad=pad), plan.places))
            for kind, pad in PADS.items()
            if any(setting.kind == kind for setting in plan.settings)
        }
        for case in plan.cases:
            plan.tell(f"speed, {case}")
            what = {"clip": str(plan.source(case)), "times": case.times}
            made = [plan.folder / f"made{index}.npy" for index in range(len(workers))]
            firsts = [worker.ask("make", save=str(file), **what) for worker, file in zip(workers, made, strict=True)]
            same = {kind: plan.folder / f"alike_{kind}.npy" for kind in alike}
            for kind, worker in alike.items():
                worker.ask("make", save=str(same[kind]), **what)
            before = limits(workers)
            turns = in_turns(workers, plan.repeats, **what)
            after = limits(workers)
            for setting, load, first, taken, file in zip(plan.settings, loaded, firsts, turns, made, strict=True):
                yield {
                    **named(setting, case),
                    "new": case.new_frames(case.source_frames(plan.new)),
                    "torch": load["torch"],
                    "loading": load["seconds"],
                    "first": first["seconds"],
                    "seconds": [turn["seconds"] for turn in taken],
                    "cpu": [turn["cpu"] for turn in taken],
                    "faults": [turn["faults"] for turn in taken],
                    "flops": case.flops,
                    "limit": max(before[setting.dtype], after[setting.dtype]),
                    "difference": difference(file, made[0], case),
                    "grown alike": difference(file, same.get(setting.kind, made[0]), case),
                }


PADS = {"core": "reflect"}
"""How rivals pad frames, unless with black as we do: the difference reaches far into the picture."""


def limits(workers: Iterable[Worker]) -> dict[str, float]:
    """FLOP per second of the fastest convolution in each type, over all workers, right now."""
    best: dict[str, float] = {}
    for worker in workers:
        dtype = worker.setting.dtype
        best[dtype] = max(best.get(dtype, 0.0), worker.ask("limit")["flops"])
    return best


def in_turns(workers: Sequence[Worker], repeats: int, **what: Any) -> list[list[Record]]:
    """Each worker's answers, one per turn."""
    taken: list[list[Record]] = [[] for _ in workers]
    for turn in range(repeats):
        for index in range(len(workers)):
            one = (index + turn) % len(workers)
            taken[one].append(workers[one].ask("make", **what))
    return taken


def difference(made: Path, truth: Path, case: Case) -> dict[str, float]:
    """Difference of the new frames of two files: maximum and mean square."""
    ours, theirs = np.load(truth, mmap_mode="r"), np.load(made, mmap_mode="r")
    assert ours.shape == theirs.shape, f"{case}: frames {theirs.shape} against {ours.shape}"
    new = [index for index in range(len(ours)) if index % case.times]
    apart = [np.abs(theirs[index].astype(np.float64) - ours[index]) for index in new]
    return {"most": max(float(one.max()) for one in apart), "square": sum(float((one**2).mean()) for one in apart) / len(new)}


def memory(plan: Plan) -> Iterator[Record]:
    """Peak memory of each contender, in a fresh process per case."""
    for case in plan.cases:
        plan.tell(f"memory, {case}")
        for setting in plan.settings:
            yield {**named(setting, case), **held(setting, plan.places, plan.source(case), case.times)}


def held(setting: Setting, places: Places, source: Path, times: int) -> Record:
    """Bytes that a fresh process holds before it interpolates ``source``, its peak, and the bytes of frames in and out."""
    with Worker(setting, places) as worker:
        worker.ask("loaded")
        before = worker.ask("memory")["now"]
        made = worker.ask("make", clip=str(source), times=times)["bytes"]
        return {"before": before, "peak": worker.ask("memory")["peak"], "in": source.stat().st_size, "out": made}


def image_growth(plan: Plan, lengths: Iterable[int]) -> Iterator[Record]:
    """Like `memory`, for clips of each of ``lengths`` frames and with the network replaced by a copy."""
    for case in plan.cases:
        for frames in lengths:
            plan.tell(f"growth, {frames} frames of {case}")
            source = clip(plan.folder, case.width, case.height, frames)
            for setting in hollow(plan.settings):
                yield {**named(setting, case), "frames": frames, **held(setting, plan.places, source, case.times)}


def command_growth(plan: Plan, lengths: Iterable[int]) -> Iterator[Record]:
    """Seconds and peak bytes of ``vfi interpolate`` on films of each of ``lengths`` frames.

    The model is ``nearest``, a copy: the rest is the command itself.
    """
    for case, frames in product(plan.cases, lengths):
        plan.tell(f"growth, the command, {frames} frames of {case}")
        source, made = film(plan.folder, case.width, case.height, frames), plan.folder / "command.mp4"
        words = [source, made, "--model", "nearest", "--times", case.times, "--overwrite"]
        threads = {"OMP_NUM_THREADS": str(plan.settings[0].threads)}
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "vfi", "interpolate", *map(str, words)],
            env={**os.environ, **threads, **plan.places.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"vfi interpolate failed:\n{said[-4000:]}")
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        size = {"width": case.width, "height": case.height, "times": case.times}
        yield {"who": "command", **size, "frames": frames, "seconds": time.perf_counter() - start, "peak": peak}
        source.unlink()
        made.unlink()


def host_loop(plan: Plan, frames: int) -> Iterator[Record]:
    """Seconds of all turns with the network replaced by a copy, for clips of ``frames`` frames."""
    with ExitStack() as stack:
        settings = hollow(plan.settings)
        settings.append(replace(settings[0], kind="stream"))
        if plan.places.pack is not None:
            settings.append(replace(settings[0], kind="fannovel16-loop"))
        workers = [stack.enter_context(Worker(setting, plan.places)) for setting in settings]
        for case in plan.cases:
            plan.tell(f"loop, {case}")
            what = {"clip": str(clip(plan.folder, case.width, case.height, frames)), "times": case.times}
            in_turns(workers, 1, **what)
            for setting, taken in zip(settings, in_turns(workers, plan.repeats, **what), strict=True):
                yield {
                    **named(setting, case),
                    "new": case.new_frames(frames),
                    "seconds": [turn["seconds"] for turn in taken],
                    "cpu": [turn["cpu"] for turn in taken],
                    "faults": [turn["faults"] for turn in taken],
                }


def hollow(settings: Iterable[Setting]) -> list[Setting]:
    """The contenders with a copy instead of a network; other precisions would be the same, so they are dropped."""
    return [replace(one, hollow=True) for one in settings if (one.dtype, one.backend) == PLAIN]


def named(setting: Setting, case: Case) -> Record:
    return {"who": str(setting), "width": case.width, "height": case.height, "times": case.times}
