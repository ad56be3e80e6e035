"""``vfi conform``: a timeline of a video editor in, the same timeline with real frames for its retimed clips out."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..clips.clip import Staged
from ..core import InputError
from ..parse import quoted, shown
from ..render.conform import ONLY, Job, Search, jobs_of
from ..timeline.clip import Left, NewMedia, Timeline
from ..timeline.open import check_ending, read_timeline, written
from ..timing.grids import exact_rate
from . import parallel, shot_options
from .arguments import argument, count
from .files import add_overwrite
from .new_media import Maker
from .output import INTERRUPTED, SOME_LEFT, Settings, add_options
from .parallel import Crew
from .report import console_for_people
from .shot_options import ShotOptions

UNREADABLE = 1
"""Exit code if nothing could be read."""

HANDLES = 12
"""Frames of the timeline on each side of a clip, unless given."""


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``conform``."""
    parser = subparsers.add_parser(
        "conform",
        help="make the frames that the retimed clips of an editor's timeline lack",
        description="Read a timeline (FCPXML, FCP 7 XML, MLT, Kdenlive, EDL, OTIO, AAF), make real frames for every clip whose "
        "speed or rate differs from the timeline's, and write the same timeline with the new media.",
    )
    parser.add_argument("input", metavar="TIMELINE", type=Path, help="a timeline, exported from the editor")
    parser.add_argument("output", metavar="OUT", type=Path, nargs="?", help="the new timeline; not needed with --list")
    add_overwrite(parser, "output")
    parser.add_argument("--list", action="store_true", help="print what would be made, and write nothing")
    parser.add_argument("--media", type=Path, metavar="DIR", help="folder of the new media (OUT_media, beside OUT)")
    parser.add_argument(
        "--handles",
        type=argument(count),
        default=HANDLES,
        metavar="N",
        help=f"frames of the timeline to make beyond each end of a clip, as far as its media reaches ({HANDLES})",
    )
    parser.add_argument(
        "--find", type=Path, action="append", default=[], metavar="DIR", help="look for media by its name in a folder"
    )
    parser.add_argument(
        "--map", type=argument(_map), action="append", default=[], metavar="A=B", help="replace the start A of media paths by B"
    )
    parser.add_argument(
        "--only",
        choices=ONLY,
        default="all",
        help="slow: clips with a speed below 1; retimed: with any other speed than 1; rate: with another frame rate than the "
        "timeline's; all (the default): each of them, and freezes",
    )
    parser.add_argument("--clip", action="append", default=[], metavar="NAME", help="only the clips of this name")
    parser.add_argument("--fps", type=argument(exact_rate), metavar="F", help="frame rate of an EDL, which does not state it")
    parser.add_argument(
        "--skip-existing", action="store_true", help="take new media that exists by its name alone, without looking into it"
    )
    shot_options.add_options(parser)
    add_options(parser)
    parallel.add_options(parser)
    parser.set_defaults(run=run)


def _map(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals or not old:
        raise InputError(f"{quoted(text)} was given: --map takes A=B, such as /Volumes/shoot=/mnt/shoot")
    return old.replace("\\", "/"), new


def run(args: Namespace) -> int:
    console = console_for_people()
    try:
        kind, timeline = read_timeline(args.input, args.fps)
    except InputError as error:
        sys.stderr.write(f"vfi: {error}\n")
        return UNREADABLE
    jobs, left = jobs_of(timeline, Search(args.input.absolute().parent, args.map, args.find), args.handles)
    names = {job.index: f"{args.input.stem}_{job.index + 1:03d}" for job in jobs}
    wanted = _named(args.clip, jobs, names)
    if args.list:
        _list(jobs, left, names, for_machines=args.json)
        return 0
    if args.output is None:
        raise InputError("no output was given: name the new timeline, or give --list to see what would be made")
    if args.disagreement is not None:
        raise InputError("--disagreement cannot be combined with conform: it is for one clip")
    target = check_ending(kind, args.input, args.output)
    if target != kind:
        written(kind, timeline, {}, target)  # what cannot be written is refused before any frame is made
        console.print("note: only video tracks are written in another format: sound, effects and transitions are not")
    asked = [job for job in jobs if job.asked(args.only) and job in wanted]
    folder = args.media or args.output.with_name(f"{args.output.stem}_media")
    maker = Maker(Settings.of(args), ShotOptions.of(args), Crew.of(args), folder, args.skip_existing, console)
    try:
        new, failed = maker.made(asked)
    except KeyboardInterrupt:
        return INTERRUPTED
    left += failed
    Staged(args.output).filled(written(kind, timeline, new, target))
    return _report(args, timeline, asked, new, left, console)


def _named(wanted: Sequence[str], jobs: Sequence[Job], names: dict[int, str]) -> list[Job]:
    """The jobs of the clips that are ``wanted`` by name; all if none is."""
    for name in wanted:
        if not any(name in (job.clip.name, names[job.index]) for job in jobs):
            known = sorted({shown(job.clip.name) for job in jobs})
            more = ", ..." if len(known) > 20 else ""
            raise InputError(f"{quoted(name)} is no clip of this timeline: choose from {', '.join(known[:20])}{more}")
    return [job for job in jobs if not wanted or job.clip.name in wanted or names[job.index] in wanted]


def _report(
    args: Namespace, timeline: Timeline, asked: Sequence[Job], new: dict[int, NewMedia], left: Sequence[Left], console: Console
) -> int:
    for one in left:
        place = "" if one.line is None else f" (line {one.line})"
        console.print(escape(f"left: {shown(one.name)}{place}: {one.reason}"))
    stay = [clip for index, clip in enumerate(timeline.clips) if index not in new and _relative(clip.media)]
    if stay and args.input.suffix.lower() != ".edl" and args.input.absolute().parent != args.output.absolute().parent:
        folder = escape(str(args.input.parent))
        console.print(f"note: {len(stay)} clips name their media relative to {folder}: write the new timeline there")
    made = f"{len(new)} of {len(timeline.clips)} clips have new media" if asked else "nothing to do"
    console.print(escape(f"{args.output}: {made}"))
    if args.json:
        facts = {
            "output": str(args.output),
            "made": [
                {"clip": timeline.clips[index].name, "media": str(media.path), "frames": media.frames, "start": media.start}
                for index, media in new.items()
            ],
            "left": [{"clip": one.name, "reason": one.reason, "line": one.line} for one in left],
        }
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    return SOME_LEFT if any(one.missed for one in left) else 0


def _relative(media: str) -> bool:
    return not media.startswith("/") and media[1:2] != ":"


def _list(jobs: Sequence[Job], left: Sequence[Left], names: dict[int, str], *, for_machines: bool) -> None:
    if for_machines:
        rows = [
            {
                "name": names[job.index],
                "media": job.media.path.name,
                "timeline_rate": str(job.clip.rate),
                "media_rate": str(job.media.rate),
                "frames": job.clip.frames,
                "handles": [job.before, job.after],
                "new_media_frames": job.frames,
                "source_frame_of_each": [str(at) for at in job.source_frames],
                "nothing_to_do": job.nothing_to_do,
            }
            for job in jobs
        ]
        sys.stdout.write(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("clip", "media", "speed", "frames", "to make"):
        table.add_column(heading, justify="left" if heading in ("clip", "media") else "right")
    for job in jobs:
        make = "nothing" if job.nothing_to_do else f"{job.frames} frames, {float(job.frames / job.clip.rate):.3f} s"
        name = f"{names[job.index]} {shown(job.clip.name)}"
        table.add_row(*map(escape, (name, job.media.path.name, _speed(job), str(job.clip.frames), make)))
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    say = partial(console.print, markup=False)
    for one in left:
        say(f"left: {shown(one.name)}: {one.reason}")
    for job in jobs:
        for note in job.notes:
            say(f"note: {shown(job.clip.name)}: {note}")


def _speed(job: Job) -> str:
    """The speed of a clip in percent, or its least and greatest."""
    places = job.source_frames
    steps = [(late - early) / job.media.rate * job.clip.rate for early, late in pairwise(places)]
    low, high = min(steps, default=Fraction(1)), max(steps, default=Fraction(1))
    return f"{float(low * 100):.4g} %" if low == high else f"{float(low * 100):.4g} to {float(high * 100):.4g} %"
