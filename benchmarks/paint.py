"""Paint-through with a known truth: real pictures move as is known, and are painted before they move.

    python benchmarks/paint.py [PICTURE...] [--kinds colour style mark flat] [--size 480x270] [--frames 25] [--motion dis]
    python benchmarks/paint.py --memory 60 600

``colour`` is a smooth function of colour and ``style`` the same with brush strokes that follow the texture, both of the
whole picture; ``mark`` is a drawing on the thing in front. The ground turns, grows and pans; a thing turns and moves over it.
``flat`` is a drawing and its coloured keys. Printed for each way: PSNR against the truth, that where it is painted, that of the
worst frame, the flicker (mean change of the error from frame to frame, of 255), and seconds of CPU per frame. ``direct`` warps
the first key by the flow from it, and ``chain`` warps the frame before again and again. ``--memory`` prints the largest memory
of paint-through over clips of so many frames.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import vfi
from vfi.clips.clip import Edited, Info
from vfi.clips.images import read_image
from vfi.core import Frame
from vfi.motion.flow import BothWays
from vfi.paint.carry import Motion
from vfi.paint.keys import Key
from vfi.paint.planes import Array, array_of, sampled, tensor_of
from vfi.paint.through import Course, Painted, Through
from vfi.pixels.uint8 import codes, floats

ROOT = Path(__file__).parents[1]
PICTURES = (ROOT / "tests" / "data" / "images" / "china.jpg", ROOT / "examples" / "ball-last.png")
KINDS = ("colour", "style", "mark", "flat")


def fitted(path: Path, height: int, width: int) -> Array:
    """A picture scaled to cover this size."""
    picture = array_of(floats(read_image(path).rgb))
    scale = max(height / picture.shape[0], width / picture.shape[1])
    made = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return np.ascontiguousarray(made[:height, :width].clip(0, 1))


def recoloured(picture: Array) -> Array:
    red, green, blue = picture.transpose(2, 0, 1)
    grey = picture @ np.array([0.3, 0.6, 0.1], np.float32)
    made = 0.15 + 0.8 * grey**0.8, 0.1 + 0.5 * green + 0.25 * (1 - red) * grey, 0.35 + 0.5 * blue * (1 - grey) + 0.1 * red
    return np.stack(made, -1).clip(0, 1).astype(np.float32)


def stroked(picture: Array) -> Array:
    """The same with a brush stroke per 400 pixels."""
    dice = np.random.default_rng(5)
    height, width = picture.shape[:2]
    strokes = np.zeros((height, width), np.float32)
    for _ in range(height * width // 400):
        x, y, angle, length = dice.uniform(0, width), dice.uniform(0, height), dice.uniform(0, math.pi), dice.uniform(4, 14)
        end = int(x + length * math.cos(angle)), int(y + length * math.sin(angle))
        cv2.line(strokes, (int(x), int(y)), end, float(dice.uniform(-1, 1)), 2, cv2.LINE_AA)
    return (recoloured(picture) + 0.12 * strokes[..., None] * np.array([1, 0.8, 0.5], np.float32)).clip(0, 1)


def drawn_on(picture: Array) -> Array:
    made, (height, width) = picture.copy(), picture.shape[:2]
    x, y, radius = width // 2, height // 2, int(min(height, width) * 0.18)
    cv2.circle(made, (x, y), radius, (0.9, 0.1, 0.1), 4, cv2.LINE_AA)
    cv2.line(made, (x - radius, y), (x + radius, y - radius // 2), (0.1, 0.2, 0.9), 3, cv2.LINE_AA)
    return made


def moved(ground: Array, thing: Array, k: int, height: int, width: int) -> Array:
    """Frame ``k`` of the clip."""
    t = k / 24
    side = thing.shape[0]
    tall, wide = ground.shape[:2]
    under = cv2.getRotationMatrix2D((wide / 2, tall / 2), 2 * math.sin(1.3 * t), 1 + 0.06 * math.sin(t))
    under[:, 2] += [
        0.12 * width * math.sin(0.9 * t) - (wide - width) / 2,
        0.05 * height * math.sin(1.7 * t) - (tall - height) / 2,
    ]
    over = cv2.getRotationMatrix2D((side / 2, side / 2), -12 * math.sin(1.5 * t), 1 + 0.15 * math.sin(1.1 * t))
    over[:, 2] += [width * (0.5 - 0.2 * math.cos(1.2 * t)) - side / 2, height * (0.5 + 0.12 * math.sin(2 * t)) - side / 2]
    y, x = np.mgrid[:side, :side]
    disc = (np.hypot(y - side / 2, x - side / 2) < 0.45 * side).astype(np.float32)
    size = width, height
    seen = cv2.warpAffine(disc, over, size)[..., None]
    back = cv2.warpAffine(ground, under, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    front = cv2.warpAffine(thing, over, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.rint((back * (1 - seen) + front * seen).clip(0, 1) * 255).astype(np.float32) / 255


def cartoon(k: int, height: int, width: int, *, painted: bool) -> Array:
    """Frame ``k`` of a drawing: a head that moves and nods over hills."""
    colours = [(0.98, 0.82, 0.65), (0.8, 0.15, 0.2), (0.15, 0.3, 0.75), (0.35, 0.65, 0.3), (0.6, 0.8, 0.95)]
    skin, hat, eye, hill, sky = colours if painted else [(1.0, 1.0, 1.0)] * 5
    big = np.full((2 * height, 2 * width, 3), sky, np.float32)
    t, ink, line = k / 24, (0.05, 0.05, 0.08), max(height // 45, 3)

    def outlined(points: np.ndarray, colour: tuple[float, ...]) -> None:
        cv2.fillPoly(big, [points.astype(np.int32)], colour)
        cv2.polylines(big, [points.astype(np.int32)], True, ink, line)

    x, y = width * (0.8 + 0.5 * t), height * (1 + 0.1 * math.sin(3 * t))
    hills = np.array([(at, height * (1.5 + 0.15 * math.sin(at / width * 4))) for at in range(-20, 2 * width + 21, 8)])
    outlined(np.concatenate((hills, [(2 * width + 20, 2 * height + 20), (-20, 2 * height + 20)])), hill)
    turn = math.radians(8 * math.sin(4 * t))
    swing = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])

    def placed(points: list[tuple[float, float]]) -> np.ndarray:
        return np.array(points) @ swing.T * height + (x, y)

    ring = [(math.cos(a / 20 * math.pi), math.sin(a / 20 * math.pi)) for a in range(40)]
    outlined(placed([(0.42 * a, 0.5 * b) for a, b in ring]), skin)
    outlined(placed([(-0.4, -0.25), (0.0, -0.85), (0.4, -0.25)]), hat)
    for side in (-0.17, 0.17):
        outlined(placed([(side + 0.09 * a, -0.02 + 0.11 * b) for a, b in ring]), eye)
    outlined(placed([(0.16 * a, 0.28 + 0.05 * b) for a, b in ring]), hat)
    return np.rint(cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA) * 255).astype(np.float32) / 255


def clips(kind: str, pictures: Sequence[Path], count: int, height: int, width: int) -> tuple[list[Array], list[Array]]:
    """The frames of a clip, and what they are painted into."""
    if kind == "flat":
        drawn, filled = ([cartoon(k, height, width, painted=one) for k in range(count)] for one in (False, True))
        return drawn, filled
    ground, side = fitted(pictures[0], int(1.5 * height), int(1.5 * width)), int(0.6 * height)
    thing = fitted(pictures[1], side, side)
    paint = {"colour": recoloured, "style": stroked, "mark": lambda picture: picture}[kind]
    painted = paint(ground), drawn_on(thing) if kind == "mark" else paint(thing)
    return [moved(ground, thing, k, height, width) for k in range(count)], [
        moved(*painted, k, height, width) for k in range(count)
    ]


def clip_of(frames: Sequence[Array]) -> Edited:
    height, width = frames[0].shape[:2]
    info = Info(width, height, rate=Fraction(24), frames=len(frames))
    return Edited(
        info,
        [],
        lambda: (Frame(codes(tensor_of(one)), Fraction(k, 24), Fraction(1, 24)) for k, one in enumerate(frames)),
    )


def through(frames: list[Array], truth: list[Array], keys: Sequence[int], model: Any) -> list[Array]:
    clip = clip_of(frames)
    course = Course(tuple(Fraction(k, 24) for k in range(len(frames))))
    given = [Key(k, str(k), lambda k=k: Frame(codes(tensor_of(truth[k])), Fraction(0))) for k in keys]  # type: ignore[misc]
    made = Painted(clip, course, given, lambda: BothWays(model), Through())
    return [array_of(floats(frame.rgb)) for frame in made]


def ways(frames: list[Array], truth: list[Array], model: Any) -> Iterator[tuple[str, Callable[[], list[Array]]]]:
    def direct() -> list[Array]:
        flow = Motion(BothWays(model))
        return [sampled(truth[0], flow(frame, frames[0])[0], cubic=True) for frame in frames]

    def chain() -> list[Array]:
        flow, made = Motion(BothWays(model)), [truth[0]]
        for before, after in pairwise(frames):
            made.append(sampled(made[-1], flow(before, after)[1], cubic=True))
        return made

    yield "nothing", lambda: frames
    yield "direct", direct
    yield "chain", chain
    yield "one key", lambda: through(frames, truth, [0], model)
    yield "two keys", lambda: through(frames, truth, [0, len(frames) - 1], model)


def decibels(errors: Array) -> float:
    return -10 * math.log10(max(float(errors.mean()), 1e-10))


def row(made: list[Array], frames: list[Array], truth: list[Array]) -> str:
    inner = range(1, len(frames) - 1)
    errors = {k: np.square(made[k].clip(0, 1) - truth[k]) for k in inner}
    zones = [decibels(errors[k][np.abs(frames[k] - truth[k]).max(-1) > 0.02]) for k in inner]
    each = [decibels(errors[k]) for k in inner]
    off = [made[k] - truth[k] for k in inner]
    flicker = np.mean([np.abs(b - a).mean() for a, b in pairwise(off)]) * 255
    exact = np.mean([(np.rint(made[k] * 255) == np.rint(truth[k] * 255)).all(-1).mean() for k in inner])
    told = f"{np.mean(each):6.2f} dB, painted {np.mean(zones):6.2f}, worst {min(each):6.2f}"
    return f"{told}, flicker {flicker:5.2f}, exact {exact:6.1%}"


def memory(count: int, height: int, width: int, motion: str) -> float:
    """Largest memory, in MB, of painting a clip of ``count`` frames that are made one by one, with a key at both ends."""
    torch.set_num_threads(1)
    ground, thing = fitted(PICTURES[0], int(1.5 * height), int(1.5 * width)), fitted(PICTURES[1], height // 2, height // 2)

    def frame(k: int) -> Frame:
        return Frame(codes(tensor_of(moved(ground, thing, k, height, width))), Fraction(k, 24), Fraction(1, 24))

    class Made(Edited):
        def since(self, time: Fraction, before: int = 0) -> Iterator[Frame]:
            return (frame(k) for k in range(max(int(time * 24) - before, 0), count))

    clip = Made(Info(width, height, rate=Fraction(24), frames=count), [], lambda: (frame(k) for k in range(count)))
    course = Course(tuple(Fraction(k, 24) for k in range(count)))
    keys = [Key(k, str(k), lambda k=k: Frame(255 - frame(k).rgb, Fraction(0))) for k in (0, count - 1)]  # type: ignore[misc]
    model = vfi.load(motion)
    for _ in Painted(clip, course, keys, lambda: BothWays(model), Through("painted")):
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path, help="the ground and the thing in front")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--size", default="480x270")
    parser.add_argument("--frames", type=int, default=25)
    parser.add_argument("--motion", default="dis")
    parser.add_argument("--memory", nargs="+", type=int, metavar="FRAMES")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the middle frames there")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    width, height = map(int, args.size.split("x"))
    for count in args.memory or ():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            peak = pool.apply(memory, (count, height, width, args.motion))
        sys.stdout.write(f"{count} frames of {args.size}: {peak:.0f} MB\n")
        sys.stdout.flush()
    if args.memory:
        return
    model = vfi.load(args.motion)
    for kind in args.kinds:
        frames, truth = clips(kind, args.pictures or PICTURES, args.frames, height, width)
        sys.stdout.write(f"{kind}, {args.frames} frames of {args.size}, motion of {args.motion}\n")
        for name, make in ways(frames, truth, model):
            started = time.process_time()
            made = make()
            seconds = (time.process_time() - started) / len(frames)
            sys.stdout.write(f"  {name:9}{row(made, frames, truth)}, {seconds:5.2f} s\n")
            sys.stdout.flush()
            if args.keep is not None:
                args.keep.mkdir(exist_ok=True)
                for k in (1, len(frames) // 2, len(frames) - 2):
                    picture = np.hstack((frames[k], made[k].clip(0, 1), truth[k]))
                    cv2.imwrite(str(args.keep / f"{kind}-{name}-{k}.png"), (picture[..., ::-1] * 255).astype(np.uint8))


if __name__ == "__main__":
    main()
