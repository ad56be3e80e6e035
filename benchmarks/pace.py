"""What the frames around a pair tell of its timing: frames left out of clips are made again, with and without pace.

    python benchmarks/pace.py CLIP... [--model inbetween-s] [--step 2] [--windows 4]

Of each window of frames 0, s, 2s and 3s are given, and the frames between s and 2s are made. *best time*: with the best of a
few single times instead of the frame's own; *true times*: with a time per pixel, measured from the true frame by DIS, for a
model that takes one. *moved*: pace as models have it that take no time per pixel.
Windows whose own frames are unevenly spaced, by DIS, are reported apart: no neighbour foretells them.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from vfi.archs.dis import find_flow, seen_by_dis
from vfi.clips.open import open_clip
from vfi.edit.timed import instants
from vfi.model.load import Choice, build
from vfi.model.pace import Paced
from vfi.model.wrappers import Wrapper
from vfi.pixels.uint8 import codes, floats

SHIFTS = (-0.1, -0.04, 0.04, 0.1)
"""Times tried instead of the frame's own, as differences from it."""

JUMP = 0.35
"""Largest change, from frame to frame, of the logarithm of the ratio of neighbouring steps, that counts as even."""

MOVES = 1.5
"""Least motion of the fastest tenth across a pair, in pixels, for timing to matter."""

BLUR = 17
"""Side of the neighbourhood over which measured times are averaged, in pixels."""


def psnr(made: Tensor, true: Tensor) -> float:
    error = float((codes(made).float() - codes(true).float()).square().mean())
    return 10 * math.log10(255**2 / max(error, 1e-3))


def flow(one: Tensor, other: Tensor) -> Tensor:
    return find_flow(seen_by_dis(one, 1), seen_by_dis(other, 1))


def evenly_spaced(frames: list[Tensor]) -> bool:
    """Whether the steps of consecutive frames change smoothly, if at all."""
    middle = torch.tensor([(k - 1, k, k + 1) for k in range(1, len(frames) - 1)])
    ratios = [math.log(at / (1 - at)) if 0 < at < 1 else math.nan for at in instants(frames, middle).tolist()]
    return all(abs(later - earlier) < JUMP for earlier, later in pairwise(ratios))  # not if one is unknown


def true_times(before: Tensor, true: Tensor, after: Tensor, t: float) -> Tensor:
    """The time of every pixel of the frame ``true`` [1,3,H,W] by its flow to both ends, [1,1,H,W]."""
    back, forth = flow(true, before), flow(true, after)
    way = forth - back
    late = ((-back - t * way) * way).sum(dim=1, keepdim=True)
    late, length = torch.nn.functional.avg_pool2d(
        torch.cat((late, way.square().sum(dim=1, keepdim=True)), dim=1), BLUR, 1, BLUR // 2
    ).split(1, dim=1)
    return (t + (late / (length + 1)).clamp(-0.4, 0.4)).clamp(0.02, 0.98)


def windows(path: Path, step: int, count: int) -> Iterator[list[Tensor]]:
    """Up to ``count`` windows of 3 steps and a frame, spread over a clip, uint8 [3,H,W] each."""
    frames = [codes(frame.rgb) if frame.rgb.is_floating_point() else frame.rgb for frame in islice(open_clip(path), 300)]
    length = 3 * step + 1
    last = len(frames) - length
    for k in range(min(count, last + 1)):
        first = last * k // max(count - 1, 1)
        yield frames[first : first + length]


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--model", default="inbetween-s")
    parser.add_argument("--step", type=int, default=2)
    parser.add_argument("--windows", type=int, default=4)
    args = parser.parse_args()
    plain = build(Choice((args.model,)))
    paced, moved = Paced(plain), Paced(Wrapper(plain, replace(plain.spec, time_map=False)))
    mapped = plain.spec.time_map
    gains: dict[bool, list[tuple[float, ...]]] = {True: [], False: []}
    for path in args.clips:
        for window in windows(path, args.step, args.windows):
            keys = [floats(window[args.step * k])[None] for k in range(4)]
            across = torch.linalg.vector_norm(flow(keys[1], keys[2]), dim=1)
            if float(across.flatten().quantile(0.9)) < MOVES:
                continue
            prepared = paced.prepare([paced.encode(key) for key in keys], keys)
            even = evenly_spaced(window)
            for k in range(1, args.step):
                t = torch.tensor([k / args.step])
                true = floats(window[args.step + k])[None]
                own = psnr(plain.at(prepared.inner, t), true)
                best = max(psnr(plain.at(prepared.inner, t + shift), true) for shift in (0.0, *SHIFTS))
                made = [psnr(paced.at(prepared, t), true), psnr(moved.at(prepared, t), true), best]
                if mapped:
                    made.append(psnr(plain.at(prepared.inner, true_times(keys[1], true, keys[2], float(t))), true))
                gains[even].append((own, *(one - own for one in made)))
                kind = "even" if even else "uneven"
                figures = " ".join(f"{number:+.2f}" for number in gains[even][-1])
                sys.stdout.write(f"{path.name} {kind} t {float(t):.2f}: {figures}\n")
                sys.stdout.flush()
    for even, rows in gains.items():
        if rows:
            means = [mean(column) for column in zip(*rows, strict=True)]
            names = ("plain", "pace", "moved", "best time", *(["true times"] if mapped else []))
            parts = [f"{name} {value:+.3f} dB" for name, value in zip(names, means, strict=True)]
            sys.stdout.write(f"{'even' if even else 'uneven'}, {len(rows)} frames: {', '.join(parts)}\n")


if __name__ == "__main__":
    main()
