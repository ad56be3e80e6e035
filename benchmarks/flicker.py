"""Flicker with a known truth: clean clips are made to flicker, and what `vfi steady` leaves is measured.

    python benchmarks/flicker.py [CLIP...] [--kinds gain pulse local texture none] [--frames 36] [--motion dis] [--ffmpeg]

Without clips, three are painted: a still, a thing that moves over it, and a pan with such a thing. Printed for each: the
decibels by which the error of luminance falls (over blocks of 24 pixels), PSNR against the truth before and after, the number
of frames that stayed bit-identical, and seconds of CPU per frame. ``none`` measures the damage to a clean clip. ``--ffmpeg``
runs FFmpeg's filter deflicker, which evens the mean of whole pictures, beside it.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import vfi
from vfi.clips.open import open_clip
from vfi.core import Frame
from vfi.edit.shots import shots
from vfi.edit.steady.steady import Steady, steady
from vfi.motion.flow import BothWays
from vfi.pixels.uint8 import codes, floats

HEIGHT, WIDTH = 240, 432
BLOCK = 24
DAMAGES = ("none", "gain", "pulse", "local", "texture")

Clip = list[Tensor]
"""Pictures [3,H,W], 0..1."""


def texture(height: int, width: int, seed: int) -> Tensor:
    """A random picture with detail of every size, [3,h,w]."""
    dice = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 3, height, width)
    for size, share in ((64, 0.45), (16, 0.3), (4, 0.2), (2, 0.15)):
        rough = torch.rand((1, 3, max(height // size, 2), max(width // size, 2)), generator=dice)
        total += share * F.interpolate(rough, (height, width), mode="bicubic")
    return ((total - total.mean()) / total.std() * 0.16 + 0.45)[0].clamp(0.02, 0.98)


def painted(kind: str, count: int) -> Clip:
    """A clip whose motion is known: ``still``, ``thing`` or ``pan``."""
    ground, thing = texture(HEIGHT, WIDTH + 4 * count, 1), texture(90, 90, 2)
    made = []
    for k in range(count):
        left, part = divmod(3.3 * k if kind == "pan" else 0.0, 1.0)
        one, next_one = (ground[:, :, int(left) + more : int(left) + more + WIDTH] for more in (0, 1))
        picture = torch.lerp(one, next_one, part)
        if kind != "still":
            x = min(20 + 5 * k, WIDTH - 90) if kind == "thing" else max(200 - 2 * k, 0)
            y = 60 + int(20 * math.sin(k / 6))
            picture[:, y : y + 90, x : x + 90] = thing
        made.append(picture)
    return made


def spoilt(clip: Clip, kind: str, seed: int = 3) -> Clip:
    """The clip with flicker: a ``gain`` of 3 % standard deviation, a ``pulse`` of 5 % in every sixth frame, a ``local`` gain of
    3 % in places, or new ``texture`` in every frame."""
    dice = np.random.default_rng(seed)

    def field(channels: int, height: int, width: int, mode: str) -> Tensor:
        rough = torch.from_numpy(dice.standard_normal((1, channels, height, width)).astype(np.float32))
        return F.interpolate(rough, clip[0].shape[1:], mode=mode)[0]

    height, width = clip[0].shape[1:]
    damage: dict[str, Callable[[int, Tensor], Tensor]] = {
        "none": lambda k, picture: picture,
        "gain": lambda k, picture: picture * float(1 + 0.03 * dice.standard_normal()),
        "pulse": lambda k, picture: picture * (1.05 if k % 6 == 0 else 1.0),
        "local": lambda k, picture: picture * (1 + 0.03 * field(1, 3, 4, "bicubic")),
        "texture": lambda k, picture: picture + 0.02 * field(3, height // 2, width // 2, "bilinear"),
    }
    return [damage[kind](k, picture) for k, picture in enumerate(clip)]


def frames_of(clip: Clip) -> list[Frame]:
    return [Frame(codes(picture), Fraction(k, 24), Fraction(1, 24)) for k, picture in enumerate(clip)]


def by_ffmpeg(frames: list[Frame]) -> list[Frame]:
    """The frames after FFmpeg's deflicker, over 17 frames."""
    height, width = frames[0].rgb.shape[1:]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
    command = [
        "ffmpeg",
        "-v",
        "error",
        *raw,
        "-i",
        "-",
        "-vf",
        "format=yuv444p,deflicker=size=17:mode=pm,format=rgb24",
        *raw,
        "-",
    ]
    given = b"".join(frame.rgb.movedim(0, -1).contiguous().numpy().tobytes() for frame in frames)
    out = subprocess.run(command, input=given, capture_output=True, check=True).stdout
    pictures = torch.from_numpy(np.frombuffer(out, np.uint8).copy()).view(-1, height, width, 3).movedim(-1, 1)
    return [Frame(picture, frame.time, frame.duration) for picture, frame in zip(pictures, frames, strict=True)]


def light_error(made: list[Frame], truth: list[Frame]) -> float:
    """Mean squared error of luminance over blocks, which leaves texture out."""
    errors = [
        F.avg_pool2d((floats(a.rgb) - floats(b.rgb)).mean(0)[None], BLOCK).square().mean()
        for a, b in zip(made, truth, strict=True)
    ]
    return float(torch.stack(errors).mean())


def psnr(made: list[Frame], truth: list[Frame]) -> float:
    errors = [(floats(a.rgb) - floats(b.rgb)).square().mean() for a, b in zip(made, truth, strict=True)]
    return -10 * math.log10(max(float(torch.stack(errors).mean()), 1e-10))


def clips(paths: list[Path], count: int) -> Iterator[tuple[str, Clip]]:
    if not paths:
        yield from ((kind, painted(kind, count)) for kind in ("still", "thing", "pan"))
    for path in paths:
        yield path.stem, [floats(frame.rgb).clamp(0, 1) for frame in islice(open_clip(path), count)]


def line(name: str, made: list[Frame], given: list[Frame], truth: list[Frame]) -> str:
    before, after = light_error(given, truth), light_error(made, truth)
    gained = f"{10 * math.log10(before / max(after, 1e-12)):5.1f} dB" if before else "        "
    kept = sum(torch.equal(a.rgb, b.rgb) for a, b in zip(made, given, strict=True))
    return f"  {name:10} light {gained}   PSNR {psnr(given, truth):5.1f} -> {psnr(made, truth):5.1f}   same {kept}/{len(made)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--kinds", nargs="+", choices=DAMAGES, default=DAMAGES)
    parser.add_argument("--frames", type=int, default=36)
    parser.add_argument("--motion", default="dis")
    parser.add_argument("--ffmpeg", action="store_true")
    args = parser.parse_args()
    model = vfi.load(args.motion)
    for name, clip in clips(args.clips, args.frames):
        truth = frames_of(clip)
        for kind in args.kinds:
            given = frames_of(spoilt(clip, kind))
            started = time.process_time()
            made = list(steady(shots(given), BothWays(model), Steady()))
            spent = (time.process_time() - started) / len(made)
            sys.stdout.write(f"{name}, {kind}\n")
            sys.stdout.write(f"{line('steady', made, given, truth)}   {spent:.3f} s\n")
            if args.ffmpeg:
                sys.stdout.write(f"{line('deflicker', by_ffmpeg(given), given, truth)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
