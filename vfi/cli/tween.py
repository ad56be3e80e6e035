"""``vfi tween``: makes the frames between two keyframes."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from ..clips import standard
from ..clips.clip import Info, Reader, unbound
from ..clips.images import ImageReader, read_image
from ..clips.open import create_clip
from ..core import InputError, Interpolator
from ..model.load import build
from ..motion import matchers
from ..motion.guided import Guide, Guided
from ..pixels.uint8 import floats
from ..timing.curves import Key, along, keyed
from ..timing.grids import Grid, Subdivide, Timing, Uniform, exact_rate
from ..tracks.formats import read_tracks
from ..tween.fit import Pixels
from . import chart, draw
from .arguments import add_output, argument, whole
from .output import Settings, add_options, make_clip
from .report import console_for_people

EASES = {"linear": "linear", "in": "ease-in", "out": "ease-out", "inout": "ease-in-out"}
"""Easings between the keyframes, and their names in `curves.EASINGS`."""


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``tween``."""
    parser = subparsers.add_parser(
        "tween",
        help="make the frames between two pictures",
        description="Make the frames between two keyframes. The clip begins with the first and ends with the second.",
    )
    parser.add_argument("first", metavar="A", type=Path, help="the first keyframe, an image")
    parser.add_argument("last", metavar="B", type=Path, help="the last keyframe, an image of the same size")
    add_output(parser)
    parser.add_argument(
        "--frames",
        type=argument(whole),
        metavar="N",
        help="number of new frames between the two; needed unless --chart says it",
    )
    parser.add_argument(
        "--fps", type=argument(exact_rate), default=Fraction(24), metavar="F", help="frames per second of the output (24)"
    )
    parser.add_argument(
        "--ease", choices=EASES, default="linear", help="slow at the start (in), the end (out) or both (inout); linear: even"
    )
    chart.add_options(parser)
    guidance = parser.add_argument_group("guidance")
    guidance.add_argument(
        "--tracks",
        type=Path,
        metavar="FILE",
        help="tracks of points from A to B: a file of ComfyUI's Track Editor, KJNodes, Framer, ATI or Wan-Move",
    )
    guidance.add_argument(
        "--guide",
        type=guide,
        default="none",
        metavar="auto|none|FILE",
        help="auto: points matched in both keyframes lead where the model loses them; none: drawn ones only; FILE: as --tracks",
    )
    guidance.add_argument(
        "--matcher",
        choices=matchers.NAMES,
        default="sift",
        help="finds the points of --guide auto: sift needs no weights; xfeat finds more across large motion, loftr on surfaces "
        "with little texture (sift)",
    )
    guidance.add_argument(
        "--parts",
        type=Path,
        nargs="+",
        metavar="MASK",
        help="masks of parts of A, one image each, white on the part: a track that starts in one moves it, and only it",
    )
    draw.add_options(parser)
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    settings = Settings.of(args if args.draw is None else draw.left(args))
    charts = None if args.chart is None else chart.read(args)
    args.frames = chart.frames(args, charts)
    keyframes = ImageReader((args.first, args.last), args.fps / (args.frames + 1))
    if args.draw is not None:
        return drawn(args, keyframes, settings)
    draw.check_unused(args)
    info = keyframes.info
    asked = Timing(grid(args.frames + 1, args.fps, args.ease, info), rate=args.fps)
    led = leading(args.tracks, args.guide, args.parts, info, args.matcher, settings.device)
    model = None
    if led is not None or charts is not None:
        inner = build(
            settings.choice, settings.device, (info.height, info.width), unbound(replace(info, curve=settings.transfer))
        )
        model = inner if led is None else Guided(inner, led)
        if charts is not None:
            model = chart.charted(charts, args, keyframes, inner, led, console_for_people())
    decisions: dict[str, object] = {
        "command": "tween",
        "input": [args.first, args.last],
        "guide": [args.tracks, args.guide, args.parts, args.matcher],
        **({} if charts is None else {"chart": chart.decision(charts, args.chart)}),
    }
    return make_clip(keyframes, asked, settings, decisions, tail="stop", model=model)


def drawn(args: Namespace, keyframes: Reader, settings: Settings) -> int:
    """Make the clip from frames that a generative network draws."""
    if args.parts or args.guide != "none":
        raise InputError("--parts or --guide was given with --draw: they lead the flow model; --tracks lead framer")
    model = ready(args, draw.frame_size(args), keyframes.info, settings)
    clip, drawing = draw.drawn(args, keyframes, settings.device, console_for_people())
    steps = args.frames + 1
    times = Uniform(args.fps) if args.ease == "linear" else grid(steps, args.fps, args.ease, clip.info)
    decisions: dict[str, object] = {"command": "tween", "input": [args.first, args.last], **drawing}
    return make_clip(clip, Timing(times, rate=args.fps), settings, decisions, tail="stop", model=model)


def ready(args: Namespace, size: Pixels, info: Info, settings: Settings) -> Interpolator:
    """The flow model. Raises `InputError` if it, or the output, cannot be made: drawing takes long, and would be lost."""
    own = replace(info, width=size[0], height=size[1], rate=args.fps, alpha=False, curve=settings.transfer)
    if not (standard.is_standard(settings.path) or settings.resume):
        create_clip(settings.path, own, encoding=settings.encoding).discard()
    return build(settings.choice, settings.device, (size[1], size[0]), unbound(own))


def grid(steps: int, rate: Fraction, ease: str, info: Info) -> Grid:
    """The times of the frames: ``steps`` from keyframe to keyframe, with the easing ``ease``."""
    if ease == "linear":
        return Subdivide(steps)
    way = steps / rate
    curve = keyed([Key(Fraction(0), Fraction(0), EASES[ease]), Key(way, way)], "position")
    return along(curve, rate, info.duration, info.frames, length=way + 1 / rate)


def guide(text: str) -> str | Path:
    """Value of ``--guide``: a word, or a file of tracks."""
    return text if text in ("auto", "none") else Path(text)


def leading(
    tracks: Path | None,
    guide: str | Path,
    parts: Sequence[Path] | None,
    info: Info,
    matcher: str = "sift",
    device: torch.device | str = "cpu",
) -> Guide | None:
    """The guide that the model follows; None if there is nothing to follow. Raises `InputError`."""
    if matcher != "sift" and guide != "auto":
        raise InputError(f"--matcher {matcher} was given without --guide auto: only that matches points")
    files = [path for path in (tracks, guide) if isinstance(path, Path)]
    if len(files) > 1:
        raise InputError(f"--tracks {files[0]} and --guide {files[1]} were both given: give one file of tracks")
    if parts and not files:
        raise InputError("--parts was given without --tracks: a part moves with the track that starts in it")
    if not files and guide == "none":
        return None
    drawn = read_tracks(files[0], (info.width, info.height)) if files else None
    finder = matchers.matcher(matcher, device)
    return Guide(drawn, auto=guide == "auto", parts=masks(parts) if parts else None, matcher=finder)


def masks(files: Sequence[Path]) -> Tensor:
    """The brightness of images, [P,H,W] 0..1. Raises `InputError`."""
    pictures = [floats(read_image(path).rgb).mean(0) for path in files]
    for path, picture in zip(files, pictures, strict=True):
        if picture.shape != pictures[0].shape:
            (height, width), (first_height, first_width) = picture.shape, pictures[0].shape
            raise InputError(
                f"the mask {path} is {width}x{height} and {files[0]} {first_width}x{first_height}: all must be the same size"
            )
    return torch.stack(pictures)
