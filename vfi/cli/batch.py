"""Several inputs, one after the other, each into a folder of outputs; and a folder that is watched for new ones.

Owns the names of the outputs, which files are ready, and what one failure means for the rest. Knows nothing of frames: each
file is one run of its command.
"""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from ..clips.clip import Y4M, is_pattern
from ..clips.standard import is_standard
from ..clips.video.codecs import CONTAINERS
from ..core import InputError
from . import progress
from .arguments import argument, factor
from .files import same_file
from .output import INTERRUPTED

SOME_FAILED, ALL_FAILED = 3, 1
"""Exit codes."""

MAKES_ITS_OWN = (*CONTAINERS, Y4M)
"""Endings that an output keeps."""

VIDEOS = (
    *MAKES_ITS_OWN,
    *(".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".vob", ".mxf", ".flv", ".wmv", ".ogv", ".3gp", ".dv", ".gif", ".nut"),
)
"""Endings that a watched folder is searched for."""

UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp", ".temp", "~")
"""Ends of names that programs give to files before they are whole."""

STAND_IN = Path("\0")
"""Takes the place of IN and OUT while arguments are parsed; no file has this name."""

Tried = Callable[[Namespace], tuple[int, str | None]]
"""Runs a command: its exit code, and an error in a sentence."""


def add_options(parser: ArgumentParser) -> None:
    """Declare the options for several inputs."""
    group = parser.add_argument_group("several inputs", "IN [IN ...] --out-dir DIR, or --watch FOLDER --out-dir DIR")
    group.add_argument(
        "--out-dir",
        type=Path,
        metavar="DIR",
        help="take any number of inputs, and write each into DIR under its own name; an ending that cannot be written becomes "
        ".mp4, or the first that holds --codec",
    )
    group.add_argument(
        "--skip-existing", action="store_true", help="with --out-dir: skip inputs whose output exists, as a restart does"
    )
    group.add_argument(
        "--watch", type=Path, metavar="FOLDER", help="wait for videos in FOLDER, and take each once it is whole; Ctrl-C ends"
    )
    group.add_argument(
        "--settle",
        type=argument(factor),
        default=Fraction(5),
        metavar="S",
        help="with --watch: seconds for which a file must stay as it is (5)",
    )


def parsed(parser: ArgumentParser, words: Sequence[str]) -> tuple[Namespace, list[Path] | None]:
    """The arguments, and all inputs if there may be several; None for one IN and one OUT. Raises `InputError`."""
    options = {word.partition("=")[0] for word in words}
    if not options & {"--out-dir", "--watch"}:
        args = parser.parse_args(words)
        if getattr(args, "out_dir", None) is not None or getattr(args, "watch", None) is not None:
            raise InputError("an option for several inputs was abbreviated: write --out-dir or --watch")
        return args, None
    words, plain = list(words), []
    if "--" in words:
        words, plain = words[: words.index("--")], words[words.index("--") + 1 :]
    args, rest = parser.parse_known_args([words[0], str(STAND_IN), str(STAND_IN), *words[1:]])
    unknown = [word for word in rest if word.startswith("-") and word != "-"]
    if unknown or not hasattr(args, "out_dir"):
        parser.error(f"unrecognized arguments: {' '.join(unknown or ['--out-dir'])}")
    return args, [Path(word) for word in (*rest, *plain)]


def run(args: Namespace, inputs: Sequence[Path], tried: Tried) -> int:
    """Run the command on each input, or on what comes into the watched folder, and return the exit code.

    A line tells of each file. One that fails does not stop the rest. Raises `InputError` before any work.
    """
    if args.out_dir is None:
        raise InputError("--watch was given without --out-dir: name the folder for the outputs")
    for option in ("plan", "disagreement", "report"):
        if getattr(args, option, None) is not None:
            raise InputError(f"--{option} belongs to one clip: it cannot be combined with --out-dir")
    if any(map(is_standard, inputs)):
        raise InputError("- was given with --out-dir: standard input has no name, give one input and one output")
    if args.watch is not None:
        return _watch(args, inputs, tried)
    if not inputs:
        raise InputError("--out-dir was given without an input: name one or more")
    if args.skip_existing and args.overwrite:
        raise InputError("--skip-existing was given with --overwrite: choose one of the two")
    outputs = [output_of(path, args.out_dir, getattr(args, "codec", None)) for path in inputs]
    _check(inputs, outputs)
    _make(args.out_dir)
    failed = 0
    with progress.shown("percentage" if args.progress == "percentage" else "brief") as shown:
        shown.parts = len(inputs)
        for number, (path, output) in enumerate(zip(inputs, outputs, strict=True)):
            shown.part = number
            if args.skip_existing and output.exists():
                if shown.style == "brief":
                    sys.stderr.write(f"{output}: skipped, it exists\n")
                progress.finished()
                continue
            code = _one(args, path, output, tried)
            if code == INTERRUPTED:
                return INTERRUPTED
            failed += code != 0
    if failed:
        sys.stderr.write(f"vfi: {failed} of {len(inputs)} inputs failed\n")
    return 0 if not failed else ALL_FAILED if failed == len(inputs) else SOME_FAILED


def output_of(path: Path, folder: Path, codec: str | None) -> Path:
    """The output of an input: its name, in ``folder``; images become a folder.

    The ending is kept if such files can be written and hold ``codec``, if one is given. Else it is .mp4, or the first of .mov,
    .mkv and .webm that holds the codec.
    """
    if path.is_dir():
        return folder / path.resolve().name
    if is_pattern(path):
        return folder / path.resolve().parent.name
    ending = path.suffix.lower()
    if codec is None:
        return folder / (path.name if ending in MAKES_ITS_OWN else f"{path.stem}.mp4")
    if ending in CONTAINERS and codec in CONTAINERS[ending][1]:
        return folder / path.name
    holds = (known for known in (".mp4", ".mov", ".mkv", ".webm") if codec in CONTAINERS[known][1])
    return folder / f"{path.stem}{next(holds, '.mkv')}"


def _check(inputs: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Raise `InputError` if two inputs have one output, or if an output is an input."""
    taken: dict[str, Path] = {}
    for path, output in zip(inputs, outputs, strict=True):
        name = os.path.realpath(output)
        if name in taken:
            raise InputError(f"{taken[name]} and {path} would both become {output}: run them apart, into two folders")
        taken[name] = path
        for other in inputs:
            if same_file(other, output):
                raise InputError(f"{output} is an input: give --out-dir another folder")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}") from error


def _one(args: Namespace, path: Path, output: Path, tried: Tried) -> int:
    """Run the command on one file, and tell if it failed."""
    code, said = tried(Namespace(**{**vars(args), "input": path, "output": output}))
    if said is not None:
        _tell(path, said)
    return code


def _tell(path: Path, said: str) -> None:
    sys.stderr.write(f"vfi: {said}\n" if str(path) in said else f"vfi: {path}: {said}\n")


Signature = tuple[int, int]
"""Size and time of the last change of a file."""


@dataclass
class Watched:
    """The files of ``folder`` that are whole: those that stayed as they are for ``settle`` seconds.

    Hidden and unfinished names are ignored, and so are folders within. A file that was taken is not taken again until it
    changes.
    """

    folder: Path
    settle: float
    _seen: dict[Path, tuple[Signature, float]] = field(default_factory=dict)
    _taken: dict[Path, Signature] = field(default_factory=dict)

    def ready(self, now: float) -> list[Path]:
        """The files that are whole at ``now``, in seconds of a steady clock, in the order of their names."""
        found: list[Path] = []
        there = self.files()
        self._seen = {path: one for path, one in self._seen.items() if path in there}
        for path, signature in sorted(there.items()):
            known, since = self._seen.setdefault(path, (signature, now))
            if known != signature:
                self._seen[path] = signature, now
            elif now - since >= self.settle and self._taken.get(path) != signature:
                found.append(path)
        return found

    def take(self, path: Path) -> None:
        """Do not take a file again until it changes."""
        self._taken[path] = self._seen[path][0]

    def files(self) -> dict[Path, Signature]:
        """The videos of the folder, and their state. Raises `InputError` if it cannot be read."""
        found = {}
        try:
            for entry in os.scandir(self.folder):
                if _is_video(entry.name) and entry.is_file():
                    state = entry.stat()
                    if state.st_size:
                        found[Path(entry.path)] = state.st_size, state.st_mtime_ns
        except FileNotFoundError as error:
            if not self.folder.is_dir():
                raise InputError(f"{self.folder} is not a folder: --watch needs one") from error
        except OSError as error:
            raise InputError(f"{self.folder} cannot be read: {error.strerror}") from error
        return found


def _is_video(name: str) -> bool:
    low = name.lower()
    return not low.startswith(".") and not low.endswith(UNFINISHED) and low.endswith(VIDEOS)


def _watch(args: Namespace, inputs: Sequence[Path], tried: Tried) -> int:
    if inputs:
        raise InputError(f"{inputs[0]} was given with --watch: put inputs into the folder, or leave --watch out")
    if args.progress == "percentage":
        raise InputError("--progress percentage cannot be combined with --watch: it has no end")
    if not args.watch.is_dir():
        raise InputError(f"{args.watch} is not a folder: --watch needs one")
    if args.out_dir.is_dir() and same_file(args.watch, args.out_dir):
        raise InputError(f"{args.out_dir} is the watched folder: give --out-dir another one")
    _make(args.out_dir)
    sys.stderr.write(f"watching {args.watch}: Ctrl-C ends\n")
    watched = Watched(args.watch, float(args.settle))
    with progress.shown("brief"):
        return watch(watched, args, tried)


def watch(
    watched: Watched,
    args: Namespace,
    tried: Tried,
    *,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[], object] = lambda: time.sleep(1),
) -> int:
    """Run the command on each file once it is whole, until Ctrl-C; the exit code is as that of `run`.

    An input whose output exists is done, so that a new start goes on where the last one ended; with ``--overwrite``, only if
    the output is newer.
    """
    made = failed = 0
    try:
        while True:
            for path in watched.ready(clock()):
                watched.take(path)
                output = output_of(path, args.out_dir, getattr(args, "codec", None))
                said = _clash(path, output, watched.files(), args)
                if said is not None:
                    _tell(path, said)
                    failed += 1
                elif not _is_done(path, output, overwrite=args.overwrite):
                    code = _one(args, path, output, tried)
                    if code == INTERRUPTED:
                        return INTERRUPTED
                    made, failed = made + (code == 0), failed + (code != 0)
            wait()
    except KeyboardInterrupt:
        return 0 if not failed else SOME_FAILED if made else ALL_FAILED


def _clash(path: Path, output: Path, files: Iterable[Path], args: Namespace) -> str | None:
    """What speaks against this output: another file of the folder that has the same."""
    for other in files:
        if other != path and output_of(other, args.out_dir, getattr(args, "codec", None)) == output:
            return f"{path} and {other} would both become {output}: rename one"
    return None


def _is_done(path: Path, output: Path, *, overwrite: bool) -> bool:
    try:
        there = output.stat()
        return not overwrite or there.st_mtime_ns >= path.stat().st_mtime_ns
    except OSError:
        return False
