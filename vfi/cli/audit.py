"""``vfi audit``: says of every made frame how good it is likely to be, and where it is doubtful."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .. import __version__
from ..clips.clip import Edited, Info, Reader, Staged, unbound
from ..core import InputError
from ..edit.shots import shots
from ..evidence import prior
from ..evidence.fit import fitted
from ..evidence.judge import WORSE, Judged, judged
from ..evidence.masks import masks
from ..evidence.real import Asked, Every, Rule, between, real_frames, rule_of, unmade
from ..evidence.remade import samples
from ..evidence.sheet import Gallery, Names, page
from ..evidence.summary import FIRST, Summary
from ..evidence.witness import Witness
from ..pages.markup import html
from ..timing.grids import Subdivide, resample
from . import doubtful, model_options
from .arguments import add_input, argument, clip_source, whole
from .files import add_overwrite
from .heal import page_name
from .output import BROKEN
from .progress import tracked
from .report import console_for_people


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``audit``."""
    parser = subparsers.add_parser(
        "audit",
        help="say of every made frame how good it is likely to be, and where it is doubtful",
        description="Say of every made frame what PSNR to expect, with a 90 %% band, which cells of 8x8 pixels are doubtful "
        "and why, and which frames to look at first. Frames of the clip itself are left out and made again, so that their "
        "errors are known; the audit is fitted on these. A clip alone: how well would the model do on it? With --source or "
        "--real: how good are the frames that any program made? --doubtful writes the clip again, with doubtful frames held, "
        "blended or marked.",
    )
    add_input(parser)
    add_overwrite(parser, "out", "report", "mask")
    group = parser.add_argument_group("audit")
    group.add_argument(
        "--source", metavar="CLIP", type=Path, help="IN was interpolated from this clip, by any program: judge its made frames"
    )
    group.add_argument(
        "--real",
        metavar="every:N",
        type=argument(Every.parse),
        help="every Nth frame of IN is real, and the others are made; every:N+1: from frame 1 on. Found by comparing IN with "
        "--source if not given",
    )
    group.add_argument(
        "--worse",
        metavar="CODES",
        type=argument(whole),
        default=round(WORSE),
        help=f"a cell is wrong if it is off by more than this, of 255, root mean square ({WORSE:g})",
    )
    group.add_argument(
        "--report", metavar="FILE", type=argument(page_name), help="also write a page of HTML: figures, and the worst frames"
    )
    group.add_argument(
        "--mask",
        metavar="OUT",
        type=Path,
        help="also write how likely each cell is wrong as a grey clip, to a video file or a folder: one mask per frame of the "
        "interpolated clip, or of the clip that vfi interpolate --times 2 makes of IN",
    )
    group.add_argument("--json", action="store_true", help="print the result as JSON, on standard output")
    doubtful.add_options(parser)
    model_options.add_options(parser)
    parser.set_defaults(run=run)


@dataclass(frozen=True)
class _Work:
    """The clip that the audit is fitted on, the frames to judge, by the size of a window, and the times of all frames."""

    source: Reader
    asked: Callable[[int], Iterator[Asked]]
    times: Callable[[], Iterator[tuple[Fraction, Fraction]]]
    rule: Rule | None = None


def run(args: Namespace) -> int:
    clip = clip_source(args)
    reader = clip.open()
    info = reader.info
    console = console_for_people()
    device, choice = model_options.device_of(args.device), model_options.choice_of(args)
    mended = doubtful.rewriting(args, clip, reader)
    work = _work(args, reader)
    witness = Witness.of(choice, device, (info.height, info.width), unbound(info))
    staged = None if args.report is None else Staged(args.report)
    try:
        watched = tracked(work.source, "making frames that are known", work.source.info.frames, console)
        learned = prior.shipped()
        fit = fitted(samples(shots(watched), witness, learned.names), learned)
        summary, gallery = Summary(fit.own, args.worse), Gallery(info, made=work.rule is not None)
        found = judged(work.asked(witness.model.spec.window), witness, fit, args.worse)
        done: list[str] = []
        if mended is not None:
            code, treated = mended.make(gallery.take(summary.take(found)), witness.model, args)
            if code:
                return code
            done.append(treated.line)
        else:
            told = gallery.take(summary.take(tracked(found, "judging frames", None, console)))
            if args.mask is None:
                deque(told, maxlen=0)
            else:
                _write(args.mask, told, work, info)
        notes = list(dict.fromkeys((*reader.notes, *work.source.notes)))
        if staged is not None:
            names = Names(args.input.name or str(args.input), witness.model.spec.name, __version__, str(work.rule or ""))
            staged.filled(html(page(names, info, summary, gallery, [*done, *notes])).encode())
    finally:
        if staged is not None:
            staged.discard()
    for note in notes:
        console.print(escape(f"note: {note}"))
    if args.json:
        real = None if work.rule is None else str(work.rule)
        facts = {"clip": str(args.input), "model": witness.model.spec.name, "real": real, **summary.as_dict()}
        facts |= {} if mended is None else {"policy": {**treated.as_dict(), "output": str(args.out)}}
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        show(summary, work.rule, done)
    if (broken := clip.broken()) is not None:
        sys.stderr.write(f"vfi: {broken}\n")
        return BROKEN
    return 0


def _work(args: Namespace, reader: Reader) -> _Work:
    """What is to be judged, and by what it is fitted. Raises `InputError`."""
    if args.source is None and args.real is None:
        return _Work(reader, lambda size: unmade(shots(reader), size), lambda: _doubled(reader))
    rule: Rule
    source: Reader
    if args.source is None:
        every: Every = args.real
        rule = every
        source = Edited(_slower(reader.info, every.step), reader.notes, lambda: real_frames(reader, every))
    else:
        source = clip_source(args, args.source).open()
        one, other = ((each.info.width, each.info.height) for each in (reader, source))
        if one != other:
            raise InputError(
                f"{args.input} is {one[0]}x{one[1]} and its source is {other[0]}x{other[1]}: both must have one size"
            )
        rule = rule_of(reader, source) if args.real is None else args.real
    return _Work(
        source,
        lambda size: between(reader, shots(source), rule, size),
        lambda: ((frame.time, frame.duration) for frame in reader),
        rule,
    )


def _slower(info: Info, step: int) -> Info:
    rate = None if info.rate is None else info.rate / step
    return replace(info, rate=rate, frames=None if info.frames is None else -(-info.frames // step))


def _doubled(reader: Reader) -> Iterator[tuple[Fraction, Fraction]]:
    """The times of the frames of twice as many, each with its duration."""
    for instant in resample(shots(reader), Subdivide(2), tail="hold"):
        yield instant.time, instant.duration


def _write(path: Path, found: Iterable[Judged], work: _Work, info: Info) -> None:
    """Write the masks as a clip."""
    with doubtful.mask_writer(path, info, 1 if work.rule else 2) as writer:
        for frame in masks(found, work.times(), info.height, info.width):
            writer.write(frame)


def show(summary: Summary, rule: Rule | None, done: Sequence[str] = ()) -> None:
    """Print the result: sentences, those on what was ``done`` last, then the frames to look at first as a table."""
    console = Console(highlight=False, soft_wrap=True)
    if rule is not None:
        console.print(f"real frames: {rule}", markup=False)
    for line in (*summary.lines(), *done):
        console.print(line, markup=False)
    first = summary.first()
    if not first:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"look at first, of {len(summary.verdicts)}", title_justify="left")
    for heading in ("frame" if rule is not None else "after frame", "at", "PSNR", "90 % band", "doubtful"):
        table.add_column(heading, justify="right")
    table.add_column("cause")
    for one in first[:FIRST]:
        place = str(one.number if rule is not None else one.after)
        band = f"{one.low:.1f} to {one.high:.1f}"
        table.add_row(place, f"{float(one.time):.3f} s", f"{one.psnr:.1f} dB", band, f"{100 * one.doubtful:.1f} %", one.words)
    console.print(table)
