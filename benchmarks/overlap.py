"""The gain from overlapping: a clip is made twice as smooth, alternately in turn and with threads.

    python benchmarks/overlap.py CLIP --models nearest dis --rounds 5

In turn, each frame is decoded, used and encoded before the next. With threads, decoding runs ahead and encoding behind, as in
the command. Rounds alternate so that other load on the machine affects both alike; the median of each and their ratio count.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median

import vfi
from vfi.clips.clip import Encoding, Reader, Writer
from vfi.clips.open import create_clip, open_clip
from vfi.core import Frame, Interpolator
from vfi.render.prefetch import Behind, ahead
from vfi.timing.grids import Subdivide

TWICE = Subdivide(2)


def in_turn(frames: Iterator[Frame], model: Interpolator, opened: Callable[[], Writer]) -> None:
    with opened() as writer:
        for frame in vfi.run(frames, model, TWICE, tail="hold"):
            writer.write(frame)


def overlapped(frames: Iterator[Frame], model: Interpolator, opened: Callable[[], Writer]) -> None:
    with closing(ahead(frames)) as read, Behind(opened) as writer:
        for frame in vfi.run(read, model, TWICE, tail="hold"):
            writer.write(frame)


def measure(reader: Reader, model: Interpolator, target: Path, chosen: argparse.Namespace) -> list[float]:
    """Seconds that each way takes: the median of the rounds after the first."""
    info = replace(reader.info, rate=(reader.info.rate or 24) * 2)
    encoding = Encoding(chosen.codec)
    seconds: list[list[float]] = [[], []]
    for _ in range(chosen.rounds + 1):
        for way, taken in zip((in_turn, overlapped), seconds, strict=True):
            start = time.perf_counter()
            way(islice(iter(reader), chosen.frames), model, lambda: create_clip(target, info, encoding=encoding))
            taken.append(time.perf_counter() - start)
    return [median(taken[1:]) for taken in seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the gain from overlapping decoding, models and encoding.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--models", nargs="+", default=["nearest", "dis"])
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--frames", type=int, default=48, help="frames of the clip to use (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.models:
            model = vfi.load(name, device=chosen.device)
            turn, both = measure(open_clip(chosen.clip), model, Path(folder) / "out.mkv", chosen)
            sys.stdout.write(f"{name}: in turn {turn:.2f} s, overlapped {both:.2f} s, {turn / both:.2f} times as fast\n")


if __name__ == "__main__":
    main()
