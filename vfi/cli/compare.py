"""``vfi compare``: clips or models beside each other, as a table, a sheet of pictures and a page to wipe over."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
from rich.console import Console
from rich.markup import escape

from .. import __version__
from ..bench.contest import Contest, Shown, page
from ..bench.remade import HALF, joined, triples
from ..bench.sets import makes
from ..clips.clip import Reader, Staged
from ..clips.open import open_clip
from ..clips.standard import is_standard
from ..core import InputError
from ..edit.compare import Step, described, differences, fitted, size_of, slack_of, together
from ..model import load
from ..model.ladder import Member
from ..model.load import Choice, Part
from ..model.precision import dtype_of
from ..pages.drawn import drawn
from ..pages.markup import html
from ..pages.page import Page
from ..pages.plain import text
from ..parse import quoted
from ..parse import whole as whole_number
from ..pixels.uint8 import floats
from .arguments import argument, whole
from .files import add_overwrite
from .heal import page_name
from .model_options import add_device, device_of
from .progress import tracked
from .report import console_for_people


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``compare``."""
    parser = subparsers.add_parser(
        "compare",
        help="compare clips, or models on a clip, with a page to wipe over",
        description="Compare two clips or more, frame by frame: with the true clip if --truth gives one, else with the first. "
        "With --on, compare models: every second frame of a clip is dropped, each model remakes it, and the real frame is the "
        "truth. Prints a table; --report writes a page with a divider to wipe over the frames that differ most, --sheet a "
        "picture of them.",
    )
    parser.add_argument("what", metavar="A", nargs="+", help="clips; with --on models, or mixes such as rife-4.25+dis")
    parser.add_argument("--on", type=Path, metavar="CLIP", help="the clip whose dropped frames the models remake")
    parser.add_argument("--truth", type=Path, metavar="CLIP", help="the true clip, which the others are compared with")
    parser.add_argument(
        "--limit",
        type=argument(whole),
        default=16,
        metavar="N",
        help="with --on: the most frames to remake, evenly spread (16)",
    )
    parser.add_argument("--frames", type=argument(numbers), metavar="N,N", help="the frames to show, counted from 0")
    parser.add_argument(
        "--worst", type=argument(whole), default=4, metavar="N", help="without --frames: show the N that differ most (4)"
    )
    parser.add_argument(
        "--report", type=argument(page_name), metavar="FILE", help="write a page of HTML, which works without network"
    )
    parser.add_argument(
        "--sheet", type=argument(sheet_name), metavar="FILE", help="write a picture of all that is shown, a PNG"
    )
    add_device(parser.add_argument_group("models"))
    add_overwrite(parser, "report", "sheet")
    parser.set_defaults(run=run)


def numbers(text: str) -> frozenset[int]:
    """Frame numbers separated by commas."""
    try:
        return frozenset(whole_number(word.strip()) for word in text.split(","))
    except ValueError as error:
        raise InputError(f"{quoted(text)} was given: frame numbers separated by commas are needed") from error


def sheet_name(text: str) -> Path:
    """The name of a sheet. Raises `InputError`."""
    if Path(text).suffix.lower() != ".png":
        raise InputError(f"{quoted(text)} was given as the sheet: it is a picture, so its name must end in .png")
    return Path(text)


def run(args: Namespace) -> int:
    if args.on is not None and args.truth is not None:
        raise InputError("--truth was given with --on: the clip's own frames are the truth, drop one of the two")
    if any(is_standard(path) for path in (*map(Path, args.what), args.on, args.truth) if path is not None):
        raise InputError("- was given as a clip: a comparison reads its clips more than once, give files")
    with ExitStack() as files:
        staged = {name: Staged(path) for name in ("report", "sheet") if (path := getattr(args, name)) is not None}
        for one in staged.values():
            files.callback(one.discard)
        told = of_clips(args) if args.on is None else of_models(args)
        missing = sorted((args.frames or set()) - {one.number for one in told.contest.shown})
        if missing:
            raise InputError(f"frame {missing[0]} was asked for: it was not compared, and --frames can only show what was")
        made = page(told.contest, told.title, told.facts, told.seconds, __version__)
        if "report" in staged:
            staged["report"].filled(html(made).encode())
        if "sheet" in staged:
            done, data = cv2.imencode(".png", np.ascontiguousarray(drawn(made)[..., ::-1]))
            if not done:
                raise RuntimeError("the sheet could not be encoded")
            staged["sheet"].filled(data.tobytes())
    Console(highlight=False, soft_wrap=True).print(
        escape(text(Page(made.kind, made.title, made.lead, (), made.parts[:1])).rstrip())
    )
    return 0


@dataclass(frozen=True)
class Told:
    """A contest and what the report tells beside it."""

    contest: Contest
    title: str
    facts: list[tuple[str, str]]
    seconds: dict[str, float] = field(default_factory=dict)


def of_models(args: Namespace) -> Told:
    """Models remake dropped frames of a clip."""
    names = list(dict.fromkeys(args.what))
    device = device_of(args.device)
    mixes = {name: tuple(Member(part) for part in name.split("+")) for name in names}
    reader = open_clip(args.on)
    choice = Choice(precision=args.dtype)
    size = reader.info.height, reader.info.width
    used = {}
    for member, network in load.networks(dict.fromkeys(one for mix in mixes.values() for one in mix), choice.options(size)):
        model = Part(network, device, dtype_of(choice.precision, network.spec, device)).ready()
        if model.spec.window != 2:
            raise InputError(f"{member.source} was given: only models of two frames can be compared")
        used[member] = model
    found = triples(reader, args.limit)
    if args.frames is not None:
        found = [one for one in found if one.number in args.frames]
    contest = Contest("real", names, args.frames, args.worst)
    took: dict[Member, list[float]] = {member: [] for member in used}
    for index, one in enumerate(tracked(found, "remaking frames", len(found), console_for_people())):
        pictures = {}
        for member, model in used.items():
            if index == 0:
                next(makes(model, one.window, [HALF]))
            started = time.perf_counter()
            pictures[member] = next(makes(model, one.window, [HALF]))
            took[member].append(time.perf_counter() - started)
        made = {name: joined([pictures[member] for member in mix]).cpu() for name, mix in mixes.items()}
        contest.add(Shown(one.number, one.time, floats(one.true), made))
    facts = [("Clip", args.on.name), ("Picture", f"{size[1]} × {size[0]}"), ("Frames remade", str(contest.frames))]
    seconds = {name: sum(fmean(took[member]) for member in mix) for name, mix in mixes.items() if contest.frames}
    return Told(contest, " or ".join(names), facts, seconds)


def of_clips(args: Namespace) -> Told:
    """Clips are compared by time, frame by frame of the true one, or of the first."""
    paths = [Path(one) for one in args.what]
    if len(paths) + (args.truth is not None) < 2:
        raise InputError(f"{args.what[0]} alone was given: give two clips, or a clip with --truth, or models with --on")
    truth, others = (paths[0], paths[1:]) if args.truth is None else (args.truth, paths)
    names = named([truth, *others])
    readers = [open_clip(path) for path in (truth, *others)]
    contest = Contest(names[0], names[1:], args.frames, args.worst)
    total = readers[0].info.frames
    for one in tracked(shown(readers, names), "comparing frames", total, console_for_people()):
        contest.add(one)
    if not contest.frames:
        raise InputError(f"{truth} and the others have no frame at the same time: there is nothing to compare")
    facts = [("Compared with", names[0])]
    for name, reader in zip(names, readers, strict=True):
        facts.append((name, described("", reader.info).removeprefix(": ")))
    for name, reader in zip(names[1:], readers[1:], strict=True):
        facts += [(f"{names[0]} and {name}", told) for told in differences(readers[0].info, reader.info)]
    return Told(contest, " or ".join(names if args.truth is None else names[1:]), facts)


def shown(readers: Sequence[Reader], names: Sequence[str]) -> Iterator[Shown]:
    """Each frame of the first clip with those of all others that are shown when it begins, as far as all go."""
    real = readers[0].info
    steps = [_first_of_each(together(readers[0], other, slack_of(real, other.info))) for other in readers[1:]]
    height, width = max((size_of(real, other.info) for other in readers[1:]), key=lambda size: size[0] * size[1])
    for each in zip(*steps, strict=False):
        size = height, width
        made = {name: fitted(step.b.rgb, size) for name, step in zip(names[1:], each, strict=True)}
        yield Shown(each[0].numbers[0], each[0].time, fitted(each[0].a.rgb, size), made)


def _first_of_each(steps: Iterator[Step]) -> Iterator[Step]:
    """The step with which each frame of the first clip begins."""
    last = -1
    for step in steps:
        if step.numbers[0] != last:
            last = step.numbers[0]
            yield step


def named(paths: Sequence[Path]) -> list[str]:
    """Short names of clips: those of their files, with the folder where two are the same."""
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    return [name if names.count(name) == 1 else f"{name} ({k + 1})" for k, name in enumerate(names)]
