"""``vfi bench``: measures the quality and speed of models on frames with known ground truth."""

from __future__ import annotations

import json
import math
import sys
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from torch import Tensor

from .. import __version__
from ..bench.minterpolate import BASELINES, Minterpolate
from ..clips import datasets
from ..clips.datasets import Item
from ..core import Frame, InputError, Interpolator
from ..edit.timed import EVEN, is_even
from ..model import load, wrappers
from ..model.load import Choice
from ..model.quality import RUNGS
from ..model.wrappers import TTA_PASSES, Pad
from ..pixels.flicker import flicker
from ..pixels.metrics import Lpips, Quality, compare
from ..pixels.uint8 import codes
from . import gpu, ladder, model_options
from .arguments import argument, factor, whole
from .output import INTERRUPTED
from .progress import tracked
from .report import console_for_people

COLUMNS: dict[str, tuple[str, str]] = {
    "psnr": ("PSNR", ".2f"),
    "psnr_div": ("PSNR_DIV", ".2f"),
    "ssim": ("SSIM", ".4f"),
    "ie": ("IE", ".2f"),
    "lpips": ("LPIPS", ".4f"),
    "flicker": ("flicker %", "+.2f"),
    "seconds": ("s/frame", ".3f"),
}
"""Heading and format of each measure."""


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``bench`` and its commands."""
    bench = subparsers.add_parser("bench", help="measure the quality and speed of models")
    commands = bench.add_subparsers(required=True, metavar="COMMAND")
    ladder.add_parser(commands)
    gpu.add_parser(commands)
    parser = commands.add_parser(
        "quality",
        help="compare made frames with the ground truth",
        description="Compare made frames with the ground truth: PSNR, PSNR_DIV, which is PSNR where motion diverges, and SSIM "
        "(higher is better), IE and LPIPS (lower is), how much brighter made frames are than their neighbours (flicker), and "
        "seconds per frame, after one untimed frame. Means are over frames.",
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a test set")
    names = ", ".join(layout.name for layout in datasets.LAYOUTS)
    parser.add_argument(
        "--layout", default="auto", help=f"layout of the test set: auto, {names}; sequence:K gives every Kth frame"
    )
    parser.add_argument(
        "--subsets",
        type=argument(listed),
        metavar="A,B",
        help="parts of the test set, such as hard,extreme; all if not given",
    )
    parser.add_argument("--limit", type=argument(whole), metavar="N", help="only the first N items of each subset")
    parser.add_argument(
        "--timing",
        choices=("any", "even"),
        default="any",
        help=f"even: only items whose true frames lie within {EVEN} of their nominal times, by their motion; in others, blur "
        "scores too well (any)",
    )
    model = parser.add_argument_group("models")
    model.add_argument(
        "--models",
        type=argument(listed),
        default=["linear", "dis", "auto"],
        metavar="A,B",
        help="names from `vfi models`, or safetensors files (linear,dis and the best on disk); also FFmpeg's filter, as "
        f"{', '.join(BASELINES)}",
    )
    model.add_argument(
        "--quality",
        type=argument(qualities),
        default=["normal"],
        metavar="A,B",
        help=f"quality presets, each with each model: {', '.join(RUNGS)}; linear and draft only with --models auto",
    )
    model.add_argument(
        "--tta",
        type=argument(augmentations),
        default=["none"],
        metavar="A,B",
        help=f"test-time augmentations, each with each model: {', '.join(TTA_PASSES)}",
    )
    model.add_argument(
        "--pad",
        type=argument(paddings),
        default=["auto"],
        metavar="A,B",
        help="paddings, each with each model: auto, zeros, edge or reflect, with :centre or a multiple such as :128",
    )
    model.add_argument("--scale", type=argument(factor), default=Fraction(1), help="flow scale: fraction of the frame size (1)")
    model_options.add_device(model)
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print the result as JSON, on standard output")
    output.add_argument("--scores", action="store_true", help="with --json: also list the scores of every frame")
    parser.set_defaults(run=quality)


def listed(text: str) -> list[str]:
    """Names separated by commas, without duplicates."""
    names = list(dict.fromkeys(filter(None, (name.strip() for name in text.split(",")))))
    if not names:
        raise InputError(f"{text!r} was given: one or more names are needed, separated by commas")
    return names


def augmentations(text: str) -> list[str]:
    """Names of test-time augmentations."""
    for name in listed(text):
        if name not in TTA_PASSES:
            raise InputError(f"{name!r} is not a test-time augmentation: give some of {', '.join(TTA_PASSES)}")
    return listed(text)


def qualities(text: str) -> list[str]:
    """Rungs of the quality ladder."""
    for name in listed(text):
        if name not in RUNGS:
            raise InputError(f"{name!r} is not a quality: give some of {', '.join(RUNGS)}")
    return listed(text)


def paddings(text: str) -> list[str]:
    """Ways of padding."""
    for name in listed(text):
        if name != "auto":
            Pad.parse(name)
    return listed(text)


@dataclass(frozen=True)
class Way:
    """A model and how it is used, as requested."""

    model: str
    quality: str
    tta: str
    pad: str

    @property
    def name(self) -> str:
        extras = (
            self.quality if self.quality != "normal" else "",
            self.tta if self.tta != "none" else "",
            f"pad {self.pad}" if self.pad != "auto" else "",
        )
        return ", ".join(filter(None, (self.model, *extras)))

    @property
    def choice(self) -> Choice:
        return Choice((self.model,), self.quality, self.tta, pad=self.pad)


@dataclass(frozen=True)
class Score:
    """The quality of one made frame, and the time that it took."""

    item: Item
    t: Fraction
    quality: Quality
    flicker: float
    seconds: float

    @property
    def values(self) -> dict[str, float | None]:
        return {**vars(self.quality), "flicker": self.flicker, "seconds": self.seconds}


@dataclass
class Result:
    """The result of one way: ``facts`` about the model, and a ``note`` if not all items suit it."""

    way: Way
    facts: dict[str, Any] = field(default_factory=dict)
    note: str | None = None
    scores: list[Score] = field(default_factory=list)


def quality(args: Namespace) -> int:
    """Measure; print the table and, if requested, the JSON."""
    presets = args.quality != ["normal"]  # then auto is more than the name of a model
    names = dict.fromkeys(load.auto() if name == "auto" and not presets else name for name in args.models)
    ways = [Way(*one) for one in product(names, args.quality, args.tta, args.pad)]
    for way in ways:
        check(way)
    layout, found = datasets.items(args.folder, args.layout)
    found = chosen(found, args.subsets, args.limit)
    device = model_options.device_of(args.device)
    lpips, absent = perceptual(device)
    console = console_for_people()
    timing = {"asked": args.timing, "items": len(found)}
    if args.timing == "even":
        found = [item for item in tracked(found, "looking at timing", len(found), console) if evenly_timed(item)]
        timing["even"] = len(found)
        if not found:
            raise InputError(f"{args.folder} has no evenly timed item: --timing any takes all {timing['items']}")
    total = sum(len(item.times) for item in found)
    console.print(escape(f"{args.folder}: {layout.name}, {total} frames of {len(found)} items to make, on {device}"))
    results: list[Result] = []
    interrupted = False
    try:
        for way in ways:
            results.append(Result(way))
            measure(results[-1], found, lpips, args, device, console)
    except KeyboardInterrupt:
        interrupted = True
    facts = {
        "folder": str(args.folder),
        "layout": layout.name,
        "limit": args.limit,
        "timing": timing,
        "interrupted": interrupted,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "vfi": __version__,
        "lpips": absent or "AlexNet, version 0.1",
        "models": {result.way.name: result_as_json(result, args.scores) for result in results},
    }
    notes = [f"{result.way.name}: {result.note}" for result in results if result.note]
    notes += [absent] if absent else []
    if "even" in timing:
        notes.append(f"evenly timed: {timing['even']} of {timing['items']} items, the others were left out")
    show(facts, notes, Console(stderr=args.json, highlight=False))
    if args.json:
        sys.stdout.write(json.dumps(finite(facts), indent=1) + "\n")
    if interrupted:
        console.print("vfi: interrupted: only the finished frames are included")
    return INTERRUPTED if interrupted else 0


def chosen(found: Sequence[Item], subsets: Sequence[str] | None, limit: int | None) -> list[Item]:
    """The items of ``subsets``, the first ``limit`` of each."""
    there = dict.fromkeys(item.subset for item in found)
    known = [name for name in there if name is not None]
    for name in subsets or ():
        if name not in known:
            raise InputError(f"there is no subset {name!r} here: {', '.join(known) or 'the test set has none'}")
    parts = ([item for item in found if item.subset == name] for name in subsets or there)
    return [item for part in parts for item in part[:limit]]


def evenly_timed(item: Item) -> bool:
    """Whether all true frames of an item lie where their times say."""
    window, truths = item.read(2)
    before, after = codes(window[0])
    return all(is_even(before, codes(true), after, float(t)) for t, true in truths)


def check(way: Way) -> None:
    """Raise `InputError` if a way names a model that is not there, or a baseline with options of models."""
    if way.model in BASELINES:
        if (way.quality, way.tta, way.pad) != ("normal", "none", "auto"):
            raise InputError(f"{way.model} was given with options of models: it takes no quality, augmentation or padding")
        return
    for member in way.choice.members:
        load.source(str(member.source))


def perceptual(device: torch.device) -> tuple[Lpips | None, str | None]:
    """LPIPS, or the reason why it cannot be measured."""
    try:
        return Lpips(device), None
    except InputError as error:
        return None, str(error)


def measure(
    result: Result, found: Sequence[Item], lpips: Lpips | None, args: Namespace, device: torch.device, console: Console
) -> None:
    """Fill ``result`` with the score of every frame of the items that give enough frames."""
    way = result.way
    model, result.facts = assembled(way, args, device)
    if way.model in BASELINES:
        result.note = "its seconds include the frames that are repeated around each pair"
    suited = [item for item in found if len(item.given) >= model.spec.window]
    if len(suited) < len(found):
        some = f"scored on {len(suited)} of {len(found)} items" if suited else "not scored"
        result.note = f"{some}: it needs {model.spec.window} frames, and the others have fewer"
    total = sum(len(item.times) for item in suited)
    for score in tracked(scores(model, way.name, suited, lpips), escape(way.name), total, console):
        result.scores.append(score)


def assembled(way: Way, args: Namespace, device: torch.device) -> tuple[Interpolator, dict[str, Any]]:
    """The model of a way, and facts about it."""
    if way.model in BASELINES:
        model: Interpolator = Minterpolate(way.model)
        return model, {"network": way.model, "window": model.spec.window, "options": BASELINES[way.model]}
    parts = load.parts_of(replace(way.choice, scale=float(args.scale), precision=args.dtype), device)
    model, spec = load.assemble(parts), parts[0].network.spec
    return model, {
        "network": spec.name,
        "quality": way.quality,
        "tta": way.tta,
        "pad": spec.pad if way.pad == "auto" else way.pad,
        "scale": float(args.scale),
        "dtype": str(parts[0].dtype).removeprefix("torch."),
        "window": model.spec.window,
    }


def scores(model: Interpolator, name: str, found: Sequence[Item], lpips: Lpips | None = None) -> Iterator[Score]:
    """The score of each true frame of the items, one item at a time; times include transfers to and from the device."""
    for index, item in enumerate(found):
        seen = len(item.given) if isinstance(model, Minterpolate) else model.spec.window
        window, truths = item.read(seen)
        with blamed(name, item):
            if index == 0:
                model(window, torch.tensor([float(item.times[0])]))
            started = time.perf_counter()
            frames = window.unbind(1)
            prepared = wrappers.prepare(model, [wrappers.encode(model, rgb) for rgb in frames], frames)
            once = (time.perf_counter() - started) / len(item.times)
        made, seconds = [], []
        for t in item.times:
            with blamed(name, item):
                started = time.perf_counter()
                made.append(wrappers.at(model, prepared, torch.tensor([float(t)]))[0])
                seconds.append(once + time.perf_counter() - started)
                check_numbers(made[-1])
        following = [*made[1:], window[0, seen // 2]]
        for (t, true), rgb, after, took in zip(truths, made, following, seconds, strict=True):
            yield Score(item, t, compare(rgb, true, lpips, after), flicker_of(window, rgb, t), took)


def flicker_of(window: Tensor, made: Tensor, t: Fraction) -> float:
    """The brightness of the frame made at ``t`` relative to those on either side, in percent; see `flicker.flicker`."""
    before, after = window[0, window.shape[1] // 2 - 1 : window.shape[1] // 2 + 1]
    frames = (Frame(before, Fraction(0)), Frame(made, t, made=True), Frame(after, Fraction(1)))
    return 100 * flicker(frames).shift


@contextmanager
def blamed(name: str, item: Item) -> Iterator[None]:
    """Adds the model and the item to errors raised inside."""
    try:
        yield
    except (InputError, RuntimeError) as error:
        raise InputError(f"{name} failed on {item.name}: {error}") from error


def check_numbers(made: Tensor) -> None:
    if not bool(made.isfinite().all()):
        raise InputError("the frame that it made has values that are not finite")


def result_as_json(result: Result, every: bool) -> dict[str, Any]:
    """A result for JSON: facts, means per subset and, with ``every``, all scores."""
    subsets: dict[str, list[Score]] = {"all": result.scores}
    for score in result.scores:
        if score.item.subset is not None:
            subsets.setdefault(score.item.subset, []).append(score)
    means = {name: mean(some) for name, some in subsets.items()} if result.scores else {}
    listing = [{"item": one.item.name, "subset": one.item.subset, "t": str(one.t), **one.values} for one in result.scores]
    return {**result.facts, "note": result.note, "subsets": means, **({"scores": listing} if every else {})}


def mean(some: Sequence[Score]) -> dict[str, Any]:
    """The number of items and frames, the mean of each measure and, if there are several times, those at each t."""
    times = sorted({score.t for score in some})
    means: dict[str, Any] = {"items": len({score.item for score in some}), "frames": len(some)}
    for measure in COLUMNS:
        values = [value for score in some if (value := score.values[measure]) is not None]
        means[measure] = fmean(values) if values else None
    if len(times) > 1:
        means["times"] = {str(t): mean([score for score in some if score.t == t]) for t in times}
    return means


WIDEST = 1000
"""The most columns of a printed table."""


def show(facts: dict[str, Any], notes: Sequence[str], console: Console) -> None:
    """Print the table, with one row per model and subset, and the notes. Numbers are never cut off: where the console is
    narrower, its lines run on."""
    parted = any(len(told["subsets"]) > 1 for told in facts["models"].values())
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model")
    if parted:
        table.add_column("subset", no_wrap=True)
    for heading in ("frames", *(heading for heading, _ in COLUMNS.values())):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, told in facts["models"].items():
        for subset, means in told["subsets"].items() or [("", {})]:
            shown = (format_of(means.get(measure), style) for measure, (_, style) in COLUMNS.items())
            row = (escape(name), *([subset] if parted else []), str(means.get("frames", 0)), *shown)
            table.add_row(*row)
    whole = console.options.update(width=WIDEST, max_width=WIDEST)
    console.width = max(console.width, console.measure(table, options=whole).maximum)
    console.print(table, soft_wrap=True)
    for note in notes:
        console.print(escape(note), soft_wrap=True)


def format_of(value: float | None, style: str) -> str:
    return "-" if value is None else format(value, style)


def finite(value: Any) -> Any:
    """``value`` with infinity, the PSNR of equal pictures, replaced by None: JSON has no infinity."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
