"""The example media that are drawn: a cartoon on twos, line art with two coloured keys, and a ball that swings.

    python -m tests.media [FOLDER]

writes `walk-24fps.mp4`, `lines-24fps.mp4`, `lines-first.png`, `lines-last.png` and `swing-12fps.mp4` to a folder, by default
`examples`. Owns what they show; the ball and its meadow are those of `ball-first.png` and `ball-last.png`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from torch import Tensor

from tests.drawings import Canvas, Outline, blob, placed

EXAMPLES = Path(__file__).parents[1] / "examples"

HEIGHT, WIDTH = 270, 480
INK, LINE = (34, 28, 44), 3.0
SKY, HILL, CAP, BEAK = (168, 214, 240), (120, 178, 104), (206, 62, 70), (240, 120, 40)
BODY, WING, WHITE, PAPER = (250, 206, 84), (226, 150, 48), (252, 252, 252), (255, 255, 255)

HOLD = 10
"""Frames for which the bird of the walk stands still."""

DRAWINGS = [k / 18 for k in range(19)]
"""Where in its way each drawing of the walk is, 0..1. The tenth is held."""

EXPOSED = [2] * 9 + [HOLD] + [2] * 9
"""Frames for which each drawing is shown."""

SWING, SWINGS = 300.0, 20
"""How far the ball swings, in pixels of the pictures that it is of, and the frames until it is back."""

BT709, LIMITED = 1, 1
"""How FFmpeg numbers these, for a file's tags."""

Colour = tuple[int, int, int]


def bird(t: float, *, painted: bool = True) -> Tensor:
    """A bird with a cap that hops over a hill, uint8 [3,270,480]; at t = 0..1 of its way. Line art unless ``painted``."""
    canvas = Canvas(HEIGHT, WIDTH)

    def shape(outline: Outline, colour: Colour) -> None:
        canvas.shape(outline, colour if painted else PAPER, LINE, INK)

    shape(np.array([(-20, -20), (WIDTH + 20, -20), (WIDTH + 20, HEIGHT + 20), (-20, HEIGHT + 20)], float), SKY)
    along = np.linspace(-20, WIDTH + 20, 80)
    hill = np.stack((along, 168 - 6 * np.sin(along / 130)), axis=1)
    shape(np.concatenate((hill, [(WIDTH + 20, HEIGHT + 20), (-20, HEIGHT + 20)])), HILL)
    hop = math.sin(2 * math.pi * t) ** 2
    x, y, lean, flap = 110 + 240 * t, 158 - 16 * hop, 9 * math.sin(2 * math.pi * t), 34 * hop

    def on(outline: Outline) -> Outline:
        return placed(outline, x, y, lean)

    for foot in (-19, 13):
        shape(on(np.array([(foot - 3, 40), (foot + 3, 40), (foot + 3, 58), (foot + 15, 63), (foot - 6, 63)], float)), BEAK)
    shape(on(np.array([(34, -22), (68, -9), (36, 0)], float)), BEAK)
    shape(on(blob(45, squash=0.94)), BODY)
    shape(on(placed(blob(11), 18, -16)), WHITE)
    canvas.shape(on(placed(blob(4.5), 21, -15)), INK, LINE, INK)
    shape(on(np.array([(-40, -28), (0, -82), (27, -38), (-8, -33)], float)), CAP)
    shape(on(placed(blob(8), 1, -80)), WHITE)
    wing = placed(blob(21, squash=1.35), -20, 0)
    shape(on(placed(placed(wing, 0, 0, flap), -4, 10)), WING)
    return canvas.on_paper()


def walk() -> list[Tensor]:
    """The bird on twos, with one drawing held, a picture per frame."""
    drawn = [bird(t) for t in DRAWINGS]
    return [picture for picture, shown in zip(drawn, EXPOSED, strict=True) for _ in range(shown)]


def lines() -> list[Tensor]:
    """The bird as line art on ones, from the start of a hop to its end."""
    return [bird(k / 48, painted=False) for k in range(25)]


def swing_at(k: float) -> float:
    """How far to the right of its first place the ball is at frame ``k``, in pixels of the pictures that it is of."""
    return SWING * (1 - math.cos(2 * math.pi * k / SWINGS)) / 2


def swing(times: Iterable[float]) -> list[np.ndarray]:
    """The ball that swings over its meadow, at these frames; uint8 [288,480,3]."""
    first, last, mask = (
        np.asarray(cv2.imread(str(EXAMPLES / f"ball-{name}.png")))[..., ::-1] for name in ("first", "last", "mask")
    )
    hidden = cv2.dilate(mask[..., 0], np.ones((9, 9), np.uint8)) > 0
    ground = np.where(hidden[..., None], last, first).astype(np.float32)
    ball, cover = first.astype(np.float32), mask.astype(np.float32) / 255
    made = []
    for k in times:
        shift = np.array([[1, 0, swing_at(k)], [0, 1, 0]], np.float32)
        over, what = (cv2.warpAffine(plane, shift, (640, 384), flags=cv2.INTER_LINEAR) for plane in (cover, ball * cover))
        picture = cv2.resize(ground * (1 - over) + what, (480, 288), interpolation=cv2.INTER_AREA)
        made.append(picture.round().clip(0, 255).astype(np.uint8))
    return made


def write(path: Path, frames: Sequence[np.ndarray], rate: int, crf: int) -> None:
    """Frames, uint8 [H,W,3] each, as H.264 in BT.709."""
    options = {"crf": str(crf), "preset": "veryslow", "tune": "animation"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options=options)
        (stream.height, stream.width), stream.pix_fmt = frames[0].shape[:2], "yuv420p"
        tags = stream.codec_context
        tags.colorspace = tags.color_primaries = tags.color_trc = BT709
        tags.color_range = LIMITED
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            out.mux(stream.encode(picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")))
        out.mux(stream.encode(None))


def seen(picture: Tensor) -> np.ndarray:
    """[3,H,W] as [H,W,3]."""
    return picture.permute(1, 2, 0).numpy()


def main(folder: Path) -> None:
    write(folder / "walk-24fps.mp4", [seen(picture) for picture in walk()], 24, 20)
    write(folder / "lines-24fps.mp4", [seen(picture) for picture in lines()], 24, 12)
    for name, t in (("first", 0), ("last", 0.5)):
        cv2.imwrite(str(folder / f"lines-{name}.png"), seen(bird(t))[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    write(folder / "swing-12fps.mp4", swing(range(2 * SWINGS + 1)), 12, 18)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES)
