"""``vfi loop``: makes a clip loop seamlessly."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from dataclasses import replace

from ..clips.clip import Edited
from ..edit.loop import Loop, best_loop, turn_of, whole_loop
from ..render.splice import looped_sound
from ..timing.grids import exact_rate, timing
from . import batch
from .arguments import add_input, add_output, argument, auto_or, clip_source, factor, whole
from .output import Settings, add_kept_audio, add_options, make_clip
from .progress import tracked
from .report import console_for_people


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``loop``."""
    parser = subparsers.add_parser(
        "loop",
        help="make a clip loop seamlessly",
        description="Make a clip loop seamlessly: in-between frames are also made between the last frame and the first, so "
        "that N frames become N x K. --find takes the part of the clip that loops best. The end of the sound is "
        "crossfaded into its beginning.",
    )
    add_input(parser, damaged=False)
    add_output(parser)
    batch.add_options(parser)
    parser.add_argument("--times", type=argument(whole), metavar="K", help="K times as many frames (2)")
    parser.add_argument("--fps", type=argument(exact_rate), metavar="F", help="F frames per second: 60, 23.976, 30000/1001")
    parser.add_argument("--find", action="store_true", help="look for the part of the clip that loops best")
    parser.add_argument(
        "--shortest",
        type=argument(factor),
        metavar="S",
        help="with --find: shortest loop to accept, in seconds (half of the clip)",
    )
    parser.add_argument(
        "--gap",
        type=argument(auto_or(whole)),
        default=1,
        metavar="N",
        help="length of the transition from the last frame back to the first, in frames (1); auto: chosen from how far apart "
        "the two ends are",
    )
    add_kept_audio(parser)
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    source, settings = clip_source(args), Settings.of(args)
    reader = source.open()
    console = console_for_people()
    info = reader.info
    looked_at = Edited(info, [], lambda: tracked(reader, "looking at the clip", info.frames, console))
    loop = best_loop(looked_at, args.shortest, args.gap) if args.find else whole_loop(looked_at, args.gap)
    console.print(loop_in_words(loop), markup=False)
    asked = turn_of(timing(info.rate, times=args.times, fps=args.fps), loop)
    if (extras := source.extras()) is not None and (note := extras.left_out()) is not None:
        reader.notes.append(note)
    heard = source.sound() if info.audio and args.audio != "drop" else None
    with looped_sound(heard, loop, asked, args.output.suffix, reader.notes) as sound:
        turn = replace(info, frames=loop.frames, duration=loop.period, start=None, audio=sound is not None)
        clip = Edited(turn, reader.notes, lambda: loop.wound(reader))
        decisions = {"command": "loop", "input": source, "loop": loop, "audio": args.audio}
        return make_clip(clip, asked, settings, decisions, sound=sound, audio="copy")


def loop_in_words(loop: Loop) -> str:
    """The loop in words: frames, times and how visible its end is."""
    lasts = f"{float(loop.start):.3f} s to {float(loop.end):.3f} s, {float(loop.period):.3f} s per turn"
    return f"loop of {loop.frames} frames, {lasts}; {loop.jump:.1f} frame steps from seamless at the loop point"
