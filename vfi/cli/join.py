"""``vfi join``: clips one after the other, without a seam."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from itertools import pairwise
from pathlib import Path

from ..clips.clip import Edited
from ..clips.open import open_clip
from ..edit.join import Seam, described, joined, seam, seam_in_words
from ..timing.grids import exact_rate, timing
from .arguments import add_output, argument, auto_or, count, whole
from .output import add_options, console_for_people, make
from .progress import tracked


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``join``."""
    parser = subparsers.add_parser(
        "join",
        help="put clips together without a seam",
        description="Put clips one after the other. Frames that the next clip repeats of the one before are left out, its "
        "colours are made those of the first, and where motion jumps, the frames about the seam are made anew.",
    )
    parser.add_argument("inputs", metavar="IN", type=Path, nargs="+", help="two or more video files or folders of images")
    add_output(parser)
    parser.add_argument("--times", type=argument(whole), metavar="K", help="K times as many frames (1)")
    parser.add_argument("--fps", type=argument(exact_rate), metavar="F", help="F frames a second: 60, 23.976, 30000/1001")
    parser.add_argument(
        "--in-fps", type=argument(exact_rate), metavar="F", help="frame rate of folders of images (24 unless given)"
    )
    parser.add_argument(
        "--overlap",
        type=argument(auto_or(count)),
        metavar="N",
        help="frames that a clip shares with the one before it: auto finds them (the default), 0 is none",
    )
    parser.add_argument("--no-match", action="store_true", help="leave the colours as they are")
    parser.add_argument(
        "--bridge",
        type=argument(auto_or(count)),
        metavar="N",
        help="frames on each side of a seam that are made anew: auto where motion jumps (the default), 0 is none",
    )
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    readers = [open_clip(path, rate=args.in_fps if _images(path) else None) for path in args.inputs]
    console = console_for_people()
    seams: list[Seam] = []
    for number, (before, after) in enumerate(pairwise(readers), start=1):
        ends = tracked(before, f"looking at seam {number}", before.info.frames, console)
        seams.append(seam(ends, after, overlap=args.overlap, match=not args.no_match, bridge=args.bridge))
        console.print(seam_in_words(number, seams[-1]), markup=False)
    info = described([reader.info for reader in readers], seams)
    asked = timing(info.rate, times=args.times or (None if args.fps else 1), fps=args.fps)
    notes = ["the sound is left out"] if any(reader.info.audio for reader in readers) else []
    return make(Edited(info, notes, lambda: joined(readers, seams)), asked, args, tail="hold")


def _images(path: Path) -> bool:
    return path.is_dir() or "%" in path.name
