"""``vfi join``: puts clips one after the other, without a visible seam."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from ..clips.clip import Edited
from ..core import Frame
from ..edit.join import Seam, described, joined, seam, seam_in_words
from ..render.splice import joined_sound
from ..timing.grids import exact_rate, timing
from .arguments import add_gaps, add_output, add_part, argument, auto_or, clip_source, count, whole
from .output import Settings, add_kept_audio, add_options, make_clip
from .progress import tracked
from .report import console_for_people


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``join``."""
    parser = subparsers.add_parser(
        "join",
        help="join clips without a visible seam",
        description="Put clips one after the other. Frames that the next clip repeats are left out, its colours are matched to "
        "the first clip, and frames near a seam are re-interpolated if the motion jumps there. Sound is cut with the picture "
        "and crossfaded at each seam. --from and --to cut each clip.",
    )
    parser.add_argument("first", metavar="IN", type=Path, help="a video file or a folder of images")
    parser.add_argument("others", metavar="IN", type=Path, nargs="+", help="one or more to follow it")
    add_output(parser)
    add_part(parser)
    parser.add_argument("--times", type=argument(whole), metavar="K", help="K times as many frames (1)")
    parser.add_argument("--fps", type=argument(exact_rate), metavar="F", help="F frames per second: 60, 23.976, 30000/1001")
    parser.add_argument(
        "--in-fps", type=argument(exact_rate), metavar="F", help="frame rate of folders of images (24 unless given)"
    )
    add_gaps(parser)
    parser.add_argument(
        "--overlap",
        type=argument(auto_or(count)),
        metavar="N",
        help="frames that a clip shares with the one before it: auto (default) finds them; 0 for none",
    )
    parser.add_argument("--no-match", action="store_true", help="leave the colours as they are")
    parser.add_argument(
        "--bridge",
        type=argument(auto_or(count)),
        metavar="N",
        help="frames to re-interpolate on each side of a seam: auto (default) only where the motion jumps; 0 for none",
    )
    add_kept_audio(parser)
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    sources, settings = [clip_source(args, path) for path in (args.first, *args.others)], Settings.of(args)
    readers = [source.open() for source in sources]
    console = console_for_people()
    seams: list[Seam] = []
    for number, (before, after) in enumerate(pairwise(readers), start=1):
        ends = tracked(before, f"looking at seam {number}", before.info.frames, console)
        seams.append(seam(ends, after, overlap=args.overlap, match=not args.no_match, bridge=args.bridge))
        console.print(seam_in_words(number, seams[-1]), markup=False)
    info = described([reader.info for reader in readers], seams)
    asked = timing(info.rate, times=args.times or (None if args.fps else 1), fps=args.fps)
    notes: list[str] = []
    extras = [extras for source in sources if (extras := source.extras()) is not None]
    notes += [note for one in extras if (note := one.left_out()) is not None]

    def frames() -> Iterator[Frame]:
        yield from joined(readers, seams)
        notes.extend(note for reader in readers for note in reader.notes if note not in notes)

    decisions = {"overlap": args.overlap, "match": not args.no_match, "bridge": args.bridge, "audio": args.audio}
    sounds = [source.sound() if args.audio != "drop" else None for source in sources]
    with joined_sound(sounds, readers, seams, args.output.suffix, notes) as sound:
        clip = Edited(replace(info, audio=sound is not None), notes, frames)
        return make_clip(clip, asked, settings, {"command": "join", "input": sources, **decisions}, sound=sound, audio="copy")
