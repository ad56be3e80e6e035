"""Parsers of command-line values, and the arguments that name clips. Errors are an `InputError` of one sentence.

Knows nothing of what the values are for.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from ..clips.clip import is_images
from ..clips.images import GAPS
from ..clips.open import ClipSource
from ..clips.video.fields import DEINTERLACE
from ..core import InputError
from ..parse import number, quoted
from ..parse import whole as whole_number
from ..timing.grids import exact_rate
from ..timing.positions import Position
from .files import add_overwrite

T = TypeVar("T")


def argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """``parse`` for argparse: an `InputError` becomes argparse's own error."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except InputError as error:
            raise ArgumentTypeError(str(error)) from error

    return parsed


def factor(text: str) -> Fraction:
    """A number above 0, such as 2, 2.5 or 5/2."""
    try:
        value = number(text)
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"{quoted(text)} is not a number that can be used: give one such as 2, 2.5 or 5/2") from error
    if value <= 0:
        raise InputError(f"{text} was given: it must be above 0")
    return value


def whole(text: str) -> int:
    """A whole number from 1 up."""
    return _from(text, 1)


def count(text: str) -> int:
    """A whole number from 0 up."""
    return _from(text, 0)


def _from(text: str, least: int) -> int:
    try:
        if (value := whole_number(text)) >= least:
            return value
    except ValueError:
        value = None
    raise InputError(f"{quoted(text)} was given: a whole number from {least} up is needed")


def names(text: str) -> tuple[str, ...]:
    """Names separated by commas."""
    found = tuple(name.strip() for name in text.split(","))
    if not all(found):
        raise InputError(f"{text!r} was given: names separated by commas are needed")
    return found


def auto_or(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """``parse``, but None for "auto"."""
    return lambda text: None if text == "auto" else parse(text)


def moment(text: str) -> Fraction:
    """A number of seconds, from 0 up."""
    return factor(text) if text.strip("0.") or text in ("", ".") else Fraction(0)


def text_of(path: Path) -> str:
    """The content of a text file."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text: {error}") from error


def add_input(parser: ArgumentParser, *, damaged: bool = True) -> None:
    """Declare the input clip; ``damaged``: with the option to read a damaged one."""
    parser.add_argument(
        "input",
        metavar="IN",
        type=Path,
        help="a video, an animated image, a folder of numbered images, or - for standard input",
    )
    parser.add_argument(
        "--in-fps",
        type=argument(exact_rate),
        metavar="F",
        help="frame rate of a folder of images (24 unless given), or of y4m, in place of its own",
    )
    add_gaps(parser)
    if damaged:
        parser.add_argument("--damaged-ok", action="store_true", help="use the readable part of a damaged video")
    add_part(parser)


def add_gaps(parser: ArgumentParser) -> None:
    """Declare the option for missing numbers in a folder of images."""
    parser.add_argument(
        "--gaps",
        choices=GAPS,
        help="if numbers are missing in a folder of images: close lets the images around each gap follow one another (the "
        "default); hold keeps the time of the missing ones, which --fps fills with new frames",
    )


def add_part(parser: ArgumentParser) -> None:
    """Declare the options for the part of a clip that is read, and for its fields."""
    forms = "seconds (1.5), a time (0:01:30.5), a timecode (00:01:30:12) or a frame (48f)"
    parser.add_argument(
        "--from", dest="from_", type=argument(Position.parse), metavar="T", help=f"start of the part to read: {forms}"
    )
    parser.add_argument("--to", type=argument(Position.parse), metavar="T", help="end of the part to read, exclusive")
    parser.add_argument(
        "--deinterlace",
        choices=DEINTERLACE,
        default="auto",
        help="auto: frames flagged as interlaced are deinterlaced, at the same frame rate, and telecined film gets its own "
        "rate back (24000/1001); off: two fields are one picture; telecine: remove 3:2 pulldown, flagged or not",
    )


def clip_source(args: Namespace, path: Path | None = None) -> ClipSource:
    """The part to read of the input clip, or of the one at ``path``. Raises `InputError`."""
    images = path is None or is_images(path)
    path = args.input if path is None else path
    rate, gaps = (args.in_fps, args.gaps) if images else (None, None)
    damaged_ok = getattr(args, "damaged_ok", False)
    return ClipSource(path, rate, damaged_ok, gaps=gaps, deinterlace=args.deinterlace).between(args.from_, args.to)


def add_output(parser: ArgumentParser) -> None:
    """Declare the output clip."""
    parser.add_argument(
        "output", metavar="OUT", type=Path, help="a video file, a folder for numbered images, or - for y4m on standard output"
    )
    add_overwrite(parser, "output", "disagreement")
