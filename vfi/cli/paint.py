"""``vfi paint``: carries painted frames through a clip."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.markup import escape

from ..clips.clip import DEFAULT_RATE, Reader, is_images, unbound
from ..clips.images import ImageReader, image_files
from ..clips.open import ClipSource
from ..core import InputError
from ..edit.find import Finder
from ..model.load import build
from ..motion.flow import BothWays, check_motion
from ..paint.keys import files_of, number_of, placed
from ..paint.through import KINDS, Course, Painted, Through
from ..timing.grids import timing
from .arguments import add_input, add_output, argument, clip_source, count, names
from .model_options import home_of
from .output import SOME_LEFT, Settings, add_audio, add_options, make_clip
from .progress import Work, tracked
from .report import console_for_people
from .shot_options import NO_EDIT, add_edit, read_plan
from .steady import ONLY_NEW


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``paint``."""
    parser = subparsers.add_parser(
        "paint",
        help="carry painted or retouched frames through a clip",
        description="Carry painted or retouched frames, the keys, through their shots along the motion of the clip. A key is "
        "an image of the clip's size whose name ends in the number of its frame, counted from 0 (0048.png), or that of the "
        "image that it was painted on. Between two keys each pixel follows the one that shows it better. Where a key equals "
        "its frame, or is transparent, the clip stays as it is. A key that fits no frame or cannot be read is named and left "
        "out, and the exit code is then 3. Line art that is filled with flat colours is filled exactly.",
    )
    add_input(parser)
    add_output(parser)
    group = parser.add_argument_group("keys")
    group.add_argument(
        "--keys", required=True, metavar="DIR", type=Path, help="the folder of the painted frames, or one of them"
    )
    group.add_argument(
        "--at", type=argument(frames), metavar="N,N", help="the frames that the keys are of, in the order of their names"
    )
    group.add_argument(
        "--first", type=argument(count), metavar="N", help="the number of the first frame that is read, in the names (0)"
    )
    group.add_argument(
        "--kind",
        choices=KINDS,
        default=Through.kind,
        help="flat: line art whose areas are filled; painted: anything else; auto: told from the keys (the default)",
    )
    group.add_argument(
        "--search-radius",
        dest="reach",
        type=argument(count),
        default=Through.radius,
        metavar="PIXELS",
        help=f"how far from where motion leads patches are compared, 0 to 8 pixels ({Through.radius})",
    )
    cuts = parser.add_argument_group("cuts")
    cuts.add_argument("--plan", metavar="FILE", type=Path, help="take the cuts from a plan of vfi shots")
    add_edit(cuts)
    add_audio(parser)
    add_options(parser, motion=True)
    parser.set_defaults(run=run)


def frames(text: str) -> tuple[int, ...]:
    """Numbers of frames, separated by commas."""
    return tuple(count(name) for name in names(text))


def run(args: Namespace) -> int:
    for option, unset in ONLY_NEW.items():
        if getattr(args, option) != unset:
            raise InputError(f"--{option} was given: it acts on new frames, and vfi paint makes none")
    options = Through(args.kind, args.reach)
    if args.plan is not None and args.edit != NO_EDIT:
        raise InputError("--edit cannot be combined with --plan: edit the plan instead")
    files = files_of(args.keys)
    if args.at is not None and len(args.at) != len(files):
        raise InputError(f"--at names {len(args.at)} frames and {args.keys} has {len(files)} keys: name one frame per key")
    source, settings = clip_source(args), Settings.of(args)
    reader = source.open(home_of(settings.device))
    info = reader.info
    model = build(settings.choice, settings.device, (info.height, info.width), unbound(info))
    check_motion(model)
    plan = None if args.plan is None else read_plan(args.plan)
    seen = tracked(reader, "looking at the clip", info.frames, console_for_people())
    course = Course.of(Finder(edit=args.edit).marks(seen) if plan is None else plan.marked(seen))
    if not course.times:
        raise InputError(f"{args.input} has no frames")
    keys, wrong = placed(files, args.at, info, len(course.times), _places(source, reader, args.first, named=args.at is None))
    for sentence in wrong:
        console_for_people().print(escape(f"key left out: {sentence}"))
    work = Work()
    clip = Painted(reader, course, keys, lambda: BothWays(model), options, worked=work.step)
    work.total = clip.work
    decisions = {
        "command": "paint",
        "input": source,
        "keys": [(key.frame, Path(key.name)) for key in keys],
        "paint": options,
        "cuts": course.cuts,
        "audio": args.audio,
    }
    asked = timing(info.rate, times=1)
    made = make_clip(clip, asked, settings, decisions, source=source, audio=args.audio, model=model, work=work)
    return made or (SOME_LEFT if wrong else 0)


def _places(source: ClipSource, reader: Reader, first: int | None, *, named: bool) -> Callable[[int], int | None]:
    """The frame of a number: that of the image of this number, if the clip is of numbered images and ``named``, or counted
    from ``first``."""
    if named and first is None and is_images(source.path):
        numbers = _numbers(image_files(source.path))
        if numbers is not None and len(set(numbers)) == len(numbers):
            images = ImageReader(source.path, reader.info.rate or DEFAULT_RATE, gaps=source.gaps or "close")
            skipped = sum(end <= source.start for end in images.times[1:])
            at = {number: place for place, number in enumerate(numbers[skipped:])}
            return lambda number: at.get(number)
    return lambda number: number - (first or 0)


def _numbers(files: Sequence[Path]) -> list[int] | None:
    try:
        return [number_of(file) for file in files]
    except InputError:
        return None
