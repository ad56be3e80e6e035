"""``vfi bench gpu``: what a device computes, how fast and in how much memory, in a few minutes."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from rich.markup import escape

from .. import __version__
from ..bench import device as bench
from ..bench.device import Case
from ..bench.device_page import page
from ..clips.clip import Staged
from ..core import InputError, Interpolator
from ..model import devices, load
from ..pages import markup, plain
from ..render import run as loop
from .arguments import argument, factor, names
from .files import add_overwrite
from .report import console_for_people

Make = Callable[[], Interpolator]
Networks = Mapping[str, Make]

More = Callable[["Bench", dict[str, Any]], object]
"""Adds to the results."""

MODELS = ("rife-4.25", "rife-4.26", "inbetween-s", "gmfss-union", "film")
"""Models whose speed is measured, if they are on disk."""

SIZES = ((1280, 720), (1920, 1080), (3840, 2160))
SMALL = ((192, 128),)
"""Frames for a trial of the measurement itself."""

DTYPES = {"cpu": (torch.float32,)}
"""The types compared, where not all three are: half precision takes a CPU minutes per frame."""


@dataclass(frozen=True)
class Bench:
    """What is measured: ``alike`` networks against the CPU, and the speed of ``quick`` ones, in float16 if they keep it.

    No measurement begins after ``minutes``; each speed takes about ``seconds``.
    """

    device: torch.device
    alike: Networks
    quick: Networks
    cases: tuple[Case, ...]
    minutes: float = 8.0
    seconds: float = 2.0
    tell: Callable[[str], object] = bool

    def measured(self) -> dict[str, Any]:
        """All records, see `device_page.page`."""
        began = time.monotonic()
        results: dict[str, Any] = {
            "machine": {**bench.machine(self.device), "vfi": __version__},
            "agreement": [],
            "speed": [],
            "notes": [],
        }
        dtypes = DTYPES.get(self.device.type, (torch.float32, torch.float16, torch.bfloat16))
        for part, name, work in (*self._agreements(dtypes), *self._speeds()):
            if time.monotonic() - began > 60 * self.minutes:
                results["notes"].append(f"{part}, {name}: left out, for {self.minutes:g} minutes were over")
                continue
            self.tell(f"{part}: {name}")
            results[part] += work()
        results["minutes"] = round((time.monotonic() - began) / 60, 2)
        return results

    def _agreements(self, dtypes: tuple[torch.dtype, ...]) -> Iterator[tuple[str, str, Callable[[], list[Any]]]]:
        for name, make in self.alike.items():
            yield "agreement", name, partial(self._agreement, name, make, dtypes)

    def _speeds(self) -> Iterator[tuple[str, str, Callable[[], list[Any]]]]:
        for (name, make), case in product(self.quick.items(), self.cases):
            yield "speed", f"{name}, {case}", partial(self._speed, name, make, case)

    def _agreement(self, name: str, make: Make, dtypes: tuple[torch.dtype, ...]) -> list[bench.Record]:
        return list(bench.agreement(name, make(), self.device, dtypes))

    def _speed(self, name: str, make: Make, case: Case) -> list[bench.Record]:
        network = make()
        half = self.device.type not in DTYPES and network.spec.half
        record = bench.speed(
            name, network, self.device, torch.float16 if half else torch.float32, case, loop.run, seconds=self.seconds
        )
        devices.free(self.device)
        return [record]


def add_parser(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``bench gpu``."""
    parser = commands.add_parser(
        "gpu",
        help="measure a device: the same frames as the CPU's, speed, memory",
        description="Measure a device: whether its frames are those of the CPU, in float32, float16 and bfloat16; new frames "
        "per second of "
        + ", ".join(MODELS)
        + " as far as they are on disk, from host memory to host memory; copies and network by themselves; peak memory against "
        "the promised. From a checkout, `python benchmarks/gpu.py` also takes every architecture, with random weights.",
    )
    add_options(parser)
    parser.set_defaults(run=lambda args: run(args, on_disk(load.models()), on_disk(args.models or MODELS)))


def add_options(parser: ArgumentParser) -> None:
    """Declare the options that the script shares."""
    parser.add_argument("--device", default="auto", help="auto (the fastest available), cpu, cuda, cuda:1, mps, xpu ...")
    parser.add_argument("--models", type=argument(names), metavar="A,B", help=f"models to time ({', '.join(MODELS)})")
    parser.add_argument(
        "--small", action="store_true", help="one small frame size and little time: tries the measurement itself, as on a CPU"
    )
    parser.add_argument(
        "--minutes", type=argument(amount), default=8.0, metavar="M", help="begin no measurement after M minutes (8)"
    )
    parser.add_argument(
        "--seconds", type=argument(amount), default=2.0, metavar="S", help="seconds per measurement of speed (2)"
    )
    parser.add_argument("--report", metavar="FILE.html", type=Path, help="also write a page of HTML")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, on standard output")
    add_overwrite(parser, "report")


def amount(text: str) -> float:
    """A number above 0."""
    return float(factor(text))


def on_disk(wanted: Iterable[str]) -> dict[str, Make]:
    """The networks of these names that are on disk, or need no weights."""
    return {name: partial(load.network, name) for name in wanted if load.there(name)}


def run(args: Namespace, alike: Networks, quick: Networks, more: More | None = None) -> int:
    """Measure, and print the tables or the JSON; ``more`` adds to the results."""
    if args.report is not None and args.report.suffix != ".html":
        raise InputError(f"--report {args.report} was given: the file name must end in .html")
    console = console_for_people()
    cases = [Case(*size, times, as_bytes) for size in SIZES for times in (2, 4) for as_bytes in (False, True)]
    ours = Bench(
        devices.device_of(args.device), alike, quick, tuple(cases), args.minutes, args.seconds,
        lambda line: console.print(escape(line)),
    )  # fmt: skip
    if args.small:
        ours = replace(ours, cases=tuple(Case(*size, 2, as_bytes) for size in SMALL for as_bytes in (False, True)), seconds=0.2)
    staged = None if args.report is None else Staged(args.report)
    try:
        results = ours.measured()
        if missing := [name for name in args.models or MODELS if name not in quick]:
            results["notes"].append(f"not on disk, so not timed: {', '.join(missing)}")
        if more is not None:
            more(ours, results)
        told = page(results)
        if staged is not None:
            staged.filled(markup.html(told).encode())
    finally:
        if staged is not None:
            staged.discard()
    sys.stdout.write(json.dumps(results, indent=1) + "\n" if args.json else plain.text(told))
    return 0
