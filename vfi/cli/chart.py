"""``--chart`` of ``vfi tween``: parts of the picture move as their spacing charts say.

Owns the option, and the files of charts and those that they name. Knows nothing of how parts are moved.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console
from torch import Tensor

from ..clips.clip import Reader
from ..clips.images import read_image
from ..core import InputError, Interpolator
from ..motion.guided import Guide, Guided
from ..motion.parts import Charted, Part, region
from ..pixels.uint8 import floats
from ..timing.charts import MOST_FRAMES, Charts, Row, of_json
from ..tracks.formats import Read

LONGEST = 1_000_000
"""The most bytes of a file of charts."""


def add_options(parser: ArgumentParser) -> None:
    """Declare the option."""
    parser.add_argument(
        "--chart",
        type=Path,
        metavar="FILE",
        help="spacing charts as JSON: where each part of the picture is in every frame; see docs/charts.md",
    )


def read(args: Namespace) -> Charts:
    """The charts of ``--chart``. Raises `InputError`, also for options that do not go with them."""
    if args.draw is not None:
        raise InputError("--chart was given with --draw: a generative network draws all of a frame at one time; leave out one")
    others = {"--ease": args.ease != "linear", "--parts": args.parts, "--shutter": args.shutter is not None}
    others["--disagreement"] = args.disagreement is not None
    for name, given in others.items():
        if given:
            raise InputError(f"{name} was given with --chart: {WHY[name]}")
    return read_charts(args.chart)


def read_charts(path: Path) -> Charts:
    """The charts in a JSON file. Raises `InputError`."""
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(text) > LONGEST:
        raise InputError(f"{path} has more than {LONGEST} bytes: it is no file of charts")
    try:
        return of_json(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8: charts are JSON in that encoding") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


WHY = {
    "--ease": "the chart has the spacing",
    "--parts": "the chart names the masks of its parts",
    "--shutter": "a frame that is drawn part by part has no time between frames",
    "--disagreement": "parts are moved as they are, so there is nothing to disagree about",
}
"""Why an option does not go with charts."""


def frames(args: Namespace, charts: Charts | None) -> int:
    """The number of new frames, from ``--frames`` or the charts. Raises `InputError`."""
    own = None if charts is None else charts.frames
    if args.frames is None and own is None:
        raise InputError("the number of frames is missing: give --frames N" + (", or frames in the chart" if charts else ""))
    if args.frames is not None and own is not None and args.frames != own:
        raise InputError(f"--frames {args.frames} was given and {args.chart} is for {own} frames: leave out --frames")
    if charts is not None and (args.frames or own or 0) > MOST_FRAMES:
        raise InputError(f"{args.frames} frames were asked for: a chart has at most {MOST_FRAMES}")
    return int(args.frames or own or 0)


def charted(
    charts: Charts, args: Namespace, keyframes: Reader, model: Interpolator, led: Guide | None, console: Console
) -> Interpolator:
    """``model``, ready to use, which moves the parts of ``charts`` between the ``keyframes``. Raises `InputError`."""
    table = charts.places(args.frames)
    tracks = None if led is None else led.tracks
    if not charts.parts:
        return Charted(model if led is None else Guided(model, led), (), table)
    if led is not None and led.auto:
        model = Guided(model, Guide(auto=True, matcher=led.matcher))
    first, last = (floats(frame.rgb) for frame in keyframes)
    parts = [part(row, args.chart.parent, tracks, (first, last)) for row in charts.parts]
    for row in (charts.rest, *charts.parts):
        drawings = row.chart(args.frames).drawings(args.frames)
        console.print(f"{row.name}: {len(set(drawings) - {0})} drawings in {args.frames} frames", markup=False, highlight=False)
    return Charted(model, parts, table, tracks)


def part(row: Row, folder: Path, tracks: Read | None, frames: tuple[Tensor, Tensor]) -> Part:
    """What a row moves: masks are in ``folder``, the charts' own. Raises `InputError`."""
    if row.tracks:
        if tracks is None:
            raise InputError(f"the chart of {row.name} names tracks: give the file of tracks with --tracks")
        return Part(region(tracks, [number - 1 for number in row.tracks], frames), None, row.name)
    if row.mask is None:
        raise InputError(f"the chart of {row.name} has neither a mask nor tracks: it needs one of them")
    return Part(mask(folder / row.mask), None if row.mask_b is None else mask(folder / row.mask_b), row.name)


def mask(file: Path) -> Tensor:
    """The alpha of an image that is transparent somewhere, else its brightness, [H,W] 0..1. Raises `InputError`."""
    image = read_image(file)
    if image.alpha is not None and float((alpha := floats(image.alpha)[0]).min()) < 1:
        return alpha
    return floats(image.rgb).mean(0)


def decision(charts: Charts, file: Path) -> list[object]:
    """All that the charts decide of the frames."""
    named = [mask for row in charts.parts for mask in (row.mask, row.mask_b) if mask is not None]
    return [charts.to_json(), *(file.parent / mask for mask in named)]
