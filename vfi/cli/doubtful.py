"""``vfi audit --doubtful``: writes the judged clip again, with a policy for the frames that the audit does not trust.

Owns the options of this. `evidence.policies` owns the pixels, and `output.make_clip` the road to the file.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import tee
from pathlib import Path

from ..clips.clip import Edited, Encoding, Info, Reader, Writer
from ..clips.open import ClipSource, create_clip
from ..core import Frame, InputError, Interpolator
from ..edit.plan import Output
from ..edit.shots import shots
from ..evidence.judge import Judged
from ..evidence.masks import masks
from ..evidence.policies import LIMIT, NAMES, Policy, Treated
from ..parse import number, quoted
from . import model_options
from .arguments import argument
from .output import Settings, add_encoding, make_clip


def add_options(parser: ArgumentParser) -> None:
    """Declare the options for doubtful frames."""
    group = parser.add_argument_group(
        "doubtful frames",
        "Write the clip again without the frames that the audit does not trust; all others are copied. A clip alone is written "
        "with twice as many frames, as they were judged. To redraw doubtful cells with a diffusion model, give the masks of "
        "--mask to the node Repair Frames.",
    )
    group.add_argument(
        "--doubtful",
        choices=NAMES,
        help="hold: replace doubtful frames by the real frame nearest in time; blend: replace doubtful cells by the linear "
        "blend of the two real neighbours; mark: tint doubtful cells red, for looking",
    )
    group.add_argument("--out", metavar="MENDED", type=Path, help="the clip to write: a video file or a folder")
    group.add_argument(
        "--limit",
        metavar="PERCENT",
        type=argument(percent),
        help=f"hold: replace frames of which more than this is doubtful ({100 * LIMIT:g})",
    )
    group.add_argument(
        "--below", metavar="DB", type=argument(decibels), help="hold: also replace frames whose expected PSNR is lower"
    )
    add_encoding(group)


def percent(text: str) -> float:
    """A number from 0 to 100, as a share of 1. Raises `InputError`."""
    value = decibels(text)
    if value > 100:
        raise InputError(f"{text} was given: a percentage from 0 to 100 is needed")
    return value / 100


def decibels(text: str) -> float:
    """A number from 0 up. Raises `InputError`."""
    try:
        value = float(number(text))
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise InputError(f"{quoted(text)} was given: a number from 0 up is needed") from error
    if value < 0:
        raise InputError(f"{text} was given: a number from 0 up is needed")
    return value


def policy_of(args: Namespace) -> Policy | None:
    """The policy that the options mean, None without one. Raises `InputError` if two contradict each other."""
    if args.doubtful is None:
        for name in ("out", "limit", "below", "codec", "crf", "depth"):
            if getattr(args, name) is not None:
                raise InputError(f"--{name} was given without --doubtful: give hold, blend or mark too")
        return None
    if args.out is None:
        raise InputError(f"--doubtful {args.doubtful} was given without --out: name the clip to write")
    for name in ("limit", "below"):
        if args.doubtful != "hold" and getattr(args, name) is not None:
            raise InputError(f"--{name} was given with --doubtful {args.doubtful}: only hold has a limit, drop one of the two")
    return Policy(args.doubtful, LIMIT if args.limit is None else args.limit, args.below)


@dataclass(frozen=True)
class Rewriting:
    """The clip of ``source``, which ``reader`` reads, written again to ``path`` while ``policy`` is applied.

    ``times``: 1 for a clip that holds made frames, 2 for one whose in-between frames are yet to be made.
    """

    policy: Policy
    path: Path
    encoding: Encoding
    source: ClipSource
    reader: Reader
    times: int = 1

    def check(self) -> None:
        """Raises `InputError` if the output cannot be written: better now than after the frames were judged."""
        create_clip(self.path, self.reader.info, encoding=self.encoding).discard()

    def make(self, found: Iterable[Judged], model: Interpolator, args: Namespace) -> tuple[int, Treated]:
        """Make the clip while frames are ``found`` doubtful, and the masks if they are asked for.

        Returns the exit code, and what was done. ``model`` makes the frames of a clip alone.
        """
        treated = Treated(self.policy)
        batch = args.batch or 1
        device, choice = model_options.device_of(args.device), model_options.choice_of(args)
        settings = Settings(self.path, choice, device, batch, None, None, self.encoding, None, False, False, memory_ok=True)
        info = self.reader.info
        frames = (lambda: iter(self.reader)) if self.times == 1 else (lambda: shots(self.reader))

        def watch(made: Iterable[Frame]) -> Iterator[Frame]:
            if args.mask is None:
                return treated.take(made, found)
            return self._beside_masks(made, found, treated, args.mask)

        clip = Edited(info, [], frames)  # the audit tells the reader's notes
        asked = Output(times=self.times).timing(info.rate)
        return make_clip(clip, asked, settings, {}, source=self.source, model=model, watch=watch), treated

    def _beside_masks(self, made: Iterable[Frame], found: Iterable[Judged], treated: Treated, path: Path) -> Iterator[Frame]:
        """The frames as ``treated``, while the masks are written: both passes go in step."""
        ours, timed = tee(made)
        one, other = tee(found)
        info = self.reader.info
        times = ((frame.time, frame.duration) for frame in timed)
        with mask_writer(path, info, self.times) as writer:
            for mask, frame in zip(masks(one, times, info.height, info.width), treated.take(ours, other), strict=True):
                writer.write(mask)
                yield frame


def rewriting(args: Namespace, source: ClipSource, reader: Reader) -> Rewriting | None:
    """What the options ask for, checked; None without a policy. Raises `InputError`."""
    policy = policy_of(args)
    if policy is None:
        return None
    times = 2 if args.source is None and args.real is None else 1
    found = Rewriting(policy, args.out, Encoding(args.codec, args.crf, args.depth), source, reader, times)
    found.check()
    return found


def mask_writer(path: Path, info: Info, times: int) -> Writer:
    """A writer of grey masks for ``times`` as many frames as those of the clip that ``info`` describes."""
    rate = None if info.rate is None else info.rate * times
    return create_clip(path, Info(info.width, info.height, rate=rate), encoding=Encoding(depth=8))
